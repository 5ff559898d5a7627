"""Properties in XML: what PROPPATCH, MKCALENDAR and MKCOL set, and what PROPFIND lacks.

Radicale answers PROPFIND; what it does not know, or knows wrongly, is put right here.
"""

import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from radicale import xmlutils

from acl.errors import NotFound
from calendars import rights
from calendars.collections import NewCollection
from calendars.errors import CALDAV, CARDDAV, DAV, Tag, UnknownResourceType, UnsupportedComponent
from calendars.home import Home, Place
from config.errors import MalformedRequest

CALENDARSERVER = "{http://calendarserver.org/ns/}"

DISPLAYNAME = f"{DAV}displayname"
SOURCE = f"{CALENDARSERVER}source"
COMPONENT_SET = f"{CALDAV}supported-calendar-component-set"
_COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL")
# What the server computes, beside all of DAV: but the display name (RFC 4918, 15).
_PROTECTED = frozenset(
    {
        COMPONENT_SET,
        f"{CALENDARSERVER}getctag",
        SOURCE,
        f"{CALENDARSERVER}email-address-set",
        *(
            f"{CALDAV}{name}"
            for name in (
                "calendar-home-set",
                "calendar-user-address-set",
                "calendar-user-type",
                "max-attendees-per-instance",
                "max-date-time",
                "max-instances",
                "max-resource-size",
                "min-date-time",
                "schedule-inbox-URL",
                "schedule-outbox-URL",
                "schedule-tag",
                "supported-calendar-component-sets",
                "supported-calendar-data",
                "supported-collation-set",
            )
        ),
        *(
            f"{CARDDAV}{name}"
            for name in (
                "addressbook-home-set",
                "max-resource-size",
                "principal-address",
                "supported-address-data",
                "supported-collation-set",
            )
        ),
    }
)

_HOME_HREFS = (
    f"{CALDAV}calendar-home-set",
    f"{CALDAV}calendar-user-address-set",
    f"{CARDDAV}addressbook-home-set",
    f"{DAV}principal-URL",
)

Value = str | dict[str, str]
"""A dead property: its text, or {"xml": …} for one with children or attributes."""


def is_protected(name: str) -> bool:
    """Whether only the server sets the property with this Clark name."""
    return name in _PROTECTED or (name.startswith(DAV) and name != DISPLAYNAME)


def changes(root: ET.Element | None) -> dict[str, Value | None]:
    """What a propertyupdate, mkcalendar or mkcol sets, in its order; None: removes.

    Raises `MalformedRequest`.
    """
    return {element.tag: _value(element) if is_set else None for is_set, element in _updates(root)}


def _updates(root: ET.Element | None) -> Iterator[tuple[bool, ET.Element]]:
    for update in () if root is None else root:
        if update.tag in (f"{DAV}set", f"{DAV}remove"):
            for element in update.iterfind(f"{DAV}prop/*"):
                if not element.tag.startswith("{"):
                    raise MalformedRequest(what="property without a namespace")
                yield update.tag == f"{DAV}set", element


def _value(element: ET.Element) -> Value:
    if not len(element) and not element.attrib:
        return element.text or ""
    # As the property itself, without what follows it in the request.
    element.tail = None
    return {"xml": ET.tostring(element, encoding="unicode")}


def new_collection(root: ET.Element | None, *, calendar: bool) -> NewCollection:
    """Read the body of MKCALENDAR (`calendar`), or of the extended MKCOL (RFC 5689).

    Raises `MalformedRequest`, `UnknownResourceType` or `UnsupportedComponent`.
    """
    found = dict((element.tag, element) for is_set, element in _updates(root) if is_set)
    types = {child.tag for child in found.get(f"{DAV}resourcetype", ())}
    tag: Tag
    if calendar or f"{CALDAV}calendar" in types:
        tag, components = "VCALENDAR", _components(found.get(COMPONENT_SET))
    elif f"{CARDDAV}addressbook" in types:
        tag, components = "VADDRESSBOOK", ("VCARD",)
    else:
        raise UnknownResourceType()
    props = {
        name: value
        for name, value in changes(root).items()
        if value is not None and not is_protected(name)
    }
    return NewCollection(tag, components, props)


def _components(element: ET.Element | None) -> tuple[str, ...]:
    if element is None:
        return _COMPONENTS
    asked = [comp.get("name", "").upper() for comp in element.iterfind(f"{CALDAV}comp")]
    held = tuple(name for name in _COMPONENTS if name in asked)
    if not held:
        raise UnsupportedComponent(
            component=", ".join(asked) or "-", components=", ".join(_COMPONENTS)
        )
    return held


def amend(multistatus: ET.Element, home: Home, prefix: str) -> None:
    """Put right what Radicale answers to PROPFIND."""
    for response in multistatus.iterfind(f"{DAV}response"):
        path = unquote(response.findtext(f"{DAV}href", ""))
        names = path.removeprefix(prefix).strip("/").split("/")
        place = _place(home, names)
        for prop in response.iterfind(f"{DAV}propstat/{DAV}prop"):
            _amend_privileges(prop.find(f"{DAV}current-user-privilege-set"), home, place, names)
            _amend_addresses(prop, home)
            _amend_reports(prop.find(f"{DAV}supported-report-set"))
        if place is not None and len(names) == 2:
            _add_structured(response, place)
            absent = [SOURCE] if place.tag == "VCALENDAR" else [SOURCE, COMPONENT_SET]
            _move_to_missing(response, absent)


def _place(home: Home, names: list[str]) -> Place | None:
    try:
        return home.find(names[1]) if len(names) > 1 else None
    except NotFound:
        # Answered about already, so it was there: not a reason to fail.
        return None


def _amend_privileges(
    element: ET.Element | None, home: Home, place: Place | None, names: list[str]
) -> None:
    if element is None:
        return
    held = (
        rights.of_place(home.actor, place)
        if place is not None
        else rights.of_home(home.actor, is_home=names != [""])
    )
    element[:] = []
    for privilege in held:
        ET.SubElement(ET.SubElement(element, f"{DAV}privilege"), privilege)


def _amend_addresses(prop: ET.Element, home: Home) -> None:
    # Radicale gives the address of the request, which may be that of the root.
    for name in _HOME_HREFS:
        for href in prop.iterfind(f"{name}/{DAV}href"):
            href.text = home.href()
    addresses = prop.find(f"{CALDAV}calendar-user-address-set")
    # Without a mail address Apple's clients take nobody for the organiser (R8).
    if addresses is not None and len(addresses) and home.account.email:
        href = ET.Element(f"{DAV}href")
        href.text = f"mailto:{home.account.email}"
        addresses.insert(0, href)


def _amend_reports(element: ET.Element | None) -> None:
    # Radicale announces three reports on principals that it does not have.
    if element is None:
        return
    for name in ("expand-property", "principal-search-property-set", "principal-property-search"):
        for supported in element.findall(f"{DAV}supported-report"):
            if supported.find(f"{DAV}report/{DAV}{name}") is not None:
                element.remove(supported)


def _add_structured(response: ET.Element, place: Place) -> None:
    """Give properties with children or attributes, of which Radicale knows only the text."""
    stored: dict[str, Any] = {
        name: value for name, value in place.props.items() if isinstance(value, dict)
    }
    if not stored:
        return
    for prop in response.iterfind(f"{DAV}propstat/{DAV}prop"):
        for index, element in enumerate(prop):
            if element.tag in stored and len(prop):
                prop[index] = ET.fromstring(stored[element.tag]["xml"])


def _move_to_missing(response: ET.Element, names: Iterable[str]) -> None:
    """Say 404 of properties that Radicale gives empty where there is nothing to give."""
    for name in names:
        for propstat in response.findall(f"{DAV}propstat"):
            prop = propstat.find(f"{DAV}prop")
            element = None if prop is None else prop.find(name)
            if prop is None or element is None:
                continue
            prop.remove(element)
            if not len(prop):
                response.remove(propstat)
            element[:] = []
            _append_propstat(response, [element], 404)


def _append_propstat(response: ET.Element, props: Iterable[ET.Element], status: int) -> ET.Element:
    propstat = ET.SubElement(response, f"{DAV}propstat")
    ET.SubElement(propstat, f"{DAV}prop").extend(props)
    ET.SubElement(propstat, f"{DAV}status").text = xmlutils.make_response(status)
    return propstat


def patched(href: ET.Element, changes: Iterable[str], refused: Collection[str]) -> ET.Element:
    """The answer to PROPPATCH: all done, or none for the sake of the `refused` ones."""
    multistatus = ET.Element(f"{DAV}multistatus")
    response = ET.SubElement(multistatus, f"{DAV}response")
    response.append(href)
    by_status: dict[int, list[str]] = {}
    for name in changes:
        status = 403 if name in refused else 424 if refused else 200
        by_status.setdefault(status, []).append(name)
    for status, names in by_status.items():
        propstat = _append_propstat(response, map(ET.Element, names), status)
        if status == 403:
            error = ET.SubElement(propstat, f"{DAV}error")
            ET.SubElement(error, f"{DAV}cannot-modify-protected-property")
    return multistatus
