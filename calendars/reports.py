"""REPORT: sync-collection, multiget, query and free-busy-query.

Radicale's filters, its expansion and its free-busy times do the work, one object at a time: an
object that they cannot read is given as it is, and does not spoil the answer about the others.
"""

import copy
import logging
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote, urlsplit

from radicale import xmlutils
from radicale.app import report as radicale_report
from radicale.item import Item
from radicale.item.filter import parse_time_range

from calendars import filters
from calendars.collection import Collection
from calendars.errors import CALDAV, CARDDAV, DAV, InvalidFilter, UnsupportedReport
from config.errors import MalformedRequest

_log = logging.getLogger(__name__)

OCCURRENCES_MAX = 10_000
"""How many occurrences of one object are looked at: a rule may go on for ever."""

_DATA = frozenset({f"{CALDAV}calendar-data", f"{CARDDAV}address-data"})


@dataclass(frozen=True)
class Wanted:
    """What a report is to say about each object."""

    props: tuple[str, ...]
    expand: tuple[datetime, datetime] | None = None
    within: ET.Element | None = None
    """The query's time-range, which then holds of the occurrences, not of the object."""


def answer(collection: Collection, root: ET.Element, base: str, member: str | None) -> ET.Element:
    """The multistatus for the report `root` on a collection, or on one object in it.

    `base` is the collection's URL path, decoded. Raises `UnsupportedReport`, `InvalidFilter`,
    `InvalidSyncToken` or `MalformedRequest`.
    """
    report = _REPORTS.get((collection.tag, root.tag))
    if report is None or (member is not None and root.tag == f"{DAV}sync-collection"):
        raise UnsupportedReport()
    multistatus = ET.Element(f"{DAV}multistatus")
    report(multistatus, collection, root, base, member)
    return multistatus


def free_busy(collection: Collection, root: ET.Element) -> str:
    """The answer to free-busy-query (RFC 4791, 7.10), as text/calendar.

    Raises `UnsupportedReport` or `MalformedRequest`.
    """
    if collection.tag != "VCALENDAR":
        raise UnsupportedReport()
    within = root.find(f"{CALDAV}time-range")
    if within is None or not within.get("start") or not within.get("end"):
        raise MalformedRequest(what="time range")
    start, end = _range(within, MalformedRequest(what="time range"))
    query = ET.fromstring(_BUSY)
    query[0][0].append(within)
    periods: list[radicale_report.FreeBusyPeriod] = []
    for item, _ in collection.get_filtered([query]):
        with _Isolated(item):
            periods += radicale_report.freebusy_periods(item, start, end, OCCURRENCES_MAX)
    return radicale_report.render_freebusy(periods, start, end)


_BUSY = (
    '<C:filter xmlns:C="urn:ietf:params:xml:ns:caldav"><C:comp-filter name="VCALENDAR">'
    '<C:comp-filter name="VEVENT"/></C:comp-filter></C:filter>'
)


class _Isolated:
    """Goes on after whatever Radicale or vobject raises about one object, and remembers it."""

    def __init__(self, item: Item) -> None:
        self._item = item
        self.failed = False

    def __enter__(self) -> "_Isolated":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> bool:
        # Anything at all: vobject fails in as many ways as objects can be odd.
        self.failed = kind is not None and issubclass(kind, Exception)
        if self.failed:
            # Not the error itself: it quotes what people wrote.
            path = self._item._collection_path
            _log.info("%s/%s cannot be read: %s", path, self._item.href, type(error).__name__)
        return self.failed


def _sync_collection(
    multistatus: ET.Element, collection: Collection, root: ET.Element, base: str, _: str | None
) -> None:
    token, names = collection.sync((root.findtext(f"{DAV}sync-token") or "").strip())
    wanted = _wanted(collection, root)
    for name, item in collection.get_multi(names):
        _append(multistatus, quote(base + name), item, wanted)
    ET.SubElement(multistatus, f"{DAV}sync-token").text = token


def _multiget(
    multistatus: ET.Element, collection: Collection, root: ET.Element, base: str, _: str | None
) -> None:
    # Each is answered under the spelling that the client used, as it may look for that.
    hrefs: dict[str, str] = {}
    for element in root.iterfind(f"{DAV}href"):
        href = (element.text or "").strip()
        name = _name(href, base)
        if not name:
            _append(multistatus, href, None, Wanted(()))
        else:
            hrefs.setdefault(name, href)
    wanted = _wanted(collection, root)
    for name, item in collection.get_multi(hrefs):
        _append(multistatus, hrefs[name], item, wanted)


def _name(href: str, base: str) -> str:
    """The name of the object that `href` is of; "" for what is not in this collection."""
    try:
        path = unquote(urlsplit(href).path)
    except ValueError:
        # Brackets around what is no address.
        return ""
    name = path.removeprefix(base)
    return "" if name == path or "/" in name else name


def _query(
    multistatus: ET.Element, collection: Collection, root: ET.Element, base: str, member: str | None
) -> None:
    wanted = _wanted(collection, root)
    asked = filters.of(root, collection.place.tag)
    decisive = asked if wanted.expand is None else filters.without_time_range(asked)
    for item, matched in _candidates(collection, asked, member):
        if matched or _matches(collection, item, decisive):
            assert item.href
            _append(multistatus, quote(base + item.href), item, wanted)


def _candidates(
    collection: Collection, asked: list[ET.Element], member: str | None
) -> Iterator[tuple[Item, bool]]:
    if member is None:
        yield from collection.get_filtered(asked)
    else:
        for _, item in collection.get_multi([member]):
            if item is not None:
                yield item, False


def _matches(collection: Collection, item: Item, asked: Iterable[ET.Element]) -> bool:
    with _Isolated(item) as isolated:
        return all(radicale_report.test_filter(collection.tag, item, one) for one in asked)
    # SQL found that it may match: better given for nothing than hidden.
    return isolated.failed


_REPORTS: dict[
    tuple[str, str], Callable[[ET.Element, Collection, ET.Element, str, str | None], None]
] = {
    ("VCALENDAR", f"{DAV}sync-collection"): _sync_collection,
    ("VADDRESSBOOK", f"{DAV}sync-collection"): _sync_collection,
    ("VCALENDAR", f"{CALDAV}calendar-multiget"): _multiget,
    ("VADDRESSBOOK", f"{CARDDAV}addressbook-multiget"): _multiget,
    ("VCALENDAR", f"{CALDAV}calendar-query"): _query,
    ("VADDRESSBOOK", f"{CARDDAV}addressbook-query"): _query,
}


def _wanted(collection: Collection, root: ET.Element) -> Wanted:
    prop = root.find(f"{DAV}prop")
    if prop is None:
        return Wanted((f"{DAV}getetag", f"{DAV}getcontenttype"))
    names = tuple(element.tag for element in prop)
    expand = prop.find(f"{CALDAV}calendar-data/{CALDAV}expand")
    if expand is None:
        return Wanted(names)
    if not expand.get("start") or not expand.get("end"):
        raise InvalidFilter("VCALENDAR")
    within = root.find(f".//{CALDAV}comp-filter/{CALDAV}time-range")
    return Wanted(names, _range(expand, InvalidFilter("VCALENDAR")), within)


def _range(element: ET.Element, error: Exception) -> tuple[datetime, datetime]:
    try:
        return parse_time_range(element)
    except ValueError:
        raise error from None


def _append(multistatus: ET.Element, href: str, item: Item | None, wanted: Wanted) -> None:
    response = ET.Element(f"{DAV}response")
    ET.SubElement(response, f"{DAV}href").text = href
    if item is None:
        ET.SubElement(response, f"{DAV}status").text = xmlutils.make_response(404)
    elif (text := _text(item, wanted)) is None:
        return
    else:
        _append_properties(response, item, text, wanted.props)
    multistatus.append(response)


def _append_properties(response: ET.Element, item: Item, text: str, names: Iterable[str]) -> None:
    found, missing = ET.Element(f"{DAV}prop"), ET.Element(f"{DAV}prop")
    for name in names:
        value = _property(item, text, name)
        ET.SubElement(missing if value is None else found, name).text = value
    for prop, status in ((found, 200), (missing, 404)):
        # Even an empty one: a response without a propstat is no member (R4).
        if len(prop) or (status == 200 and not len(missing)):
            propstat = ET.SubElement(response, f"{DAV}propstat")
            propstat.append(prop)
            ET.SubElement(propstat, f"{DAV}status").text = xmlutils.make_response(status)


def _property(item: Item, text: str, name: str) -> str | None:
    if name in _DATA:
        return text
    if name == f"{DAV}getetag":
        return item.etag
    if name == f"{DAV}getcontenttype":
        return xmlutils.get_content_type(item, "utf-8")
    if name == f"{DAV}getlastmodified":
        return item.last_modified
    return "" if name == f"{DAV}resourcetype" else None


def _text(item: Item, wanted: Wanted) -> str | None:
    """The object's text, expanded if that was asked for; None if nothing of it is in the range."""
    if wanted.expand is None or item.component_name != "VEVENT":
        return item.serialize()
    with _Isolated(item):
        return _expanded(item, wanted.expand, wanted.within)
    return item.serialize()


def _expanded(
    item: Item, expand: tuple[datetime, datetime], within: ET.Element | None
) -> str | None:
    # Without a range to be in, Radicale would leave out what does not recur.
    start, end = expand if within is None else parse_time_range(within)
    element, count = radicale_report._expand(
        element=ET.Element("data"),
        item=copy.copy(item),
        start=expand[0],
        end=expand[1],
        time_range_start=start,
        time_range_end=end,
        max_occurrence=OCCURRENCES_MAX,
    )
    if not count:
        return item.serialize() if within is None else None
    return element.text
