"""What can go wrong with an agenda or what is in it, or with the request for it."""

from http import HTTPStatus
from typing import Literal

from acl.errors import NeedPrivileges
from acl.privileges import Privilege
from config.errors import DavserverError, MethodNotAllowed
from config.language import Phrase

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CARDDAV = "{urn:ietf:params:xml:ns:carddav}"

Tag = Literal["VCALENDAR", "VADDRESSBOOK"]
"""What a collection is: a calendar (events, tasks, journals) or an address book."""


NAME_MAX = 255
"""The longest name of a collection or an object, in bytes of UTF-8."""

METHODS = (
    *("DELETE", "GET", "HEAD", "MKCALENDAR", "MKCOL", "MOVE", "OPTIONS"),
    *("PROPFIND", "PROPPATCH", "PUT", "REPORT"),
)
"""All that is served here; a 405 must name them (RFC 9110, 15.5.6)."""


def _namespace(tag: Tag) -> str:
    return CALDAV if tag == "VCALENDAR" else CARDDAV


class _InNamespace(DavserverError):
    """An error whose precondition CalDAV and CardDAV name alike, each in its own namespace."""

    local: str

    def __init__(self, tag: Tag, **fields: object) -> None:
        super().__init__(**fields)
        # Not the class's: it depends on the collection.
        self.precondition = f"{_namespace(tag)}{self.local}"  # type: ignore[misc]


class Kept(NeedPrivileges):
    """DELETE of what belongs to a space, or came with the account: nobody may, here."""

    message = "Only what one has made oneself can be deleted from a device."

    def __init__(self, href: str) -> None:
        super().__init__("", href, Privilege.DELETE)


class NoCollection(DavserverError):
    """PUT or MOVE to where no collection is (RFC 4918, 9.7.1)."""

    status = HTTPStatus.CONFLICT
    message = "There is no agenda, task list or address book to put this into."


class AlreadyMapped(MethodNotAllowed):
    """MKCALENDAR or MKCOL where something is (RFC 4791, 5.3.1.1; RFC 4918, 9.3.1)."""

    precondition = f"{DAV}resource-must-be-null"
    message = "There is something of this name already."

    def __init__(self) -> None:
        super().__init__(METHODS)


class NoPlaceForCollection(DavserverError):
    """MKCALENDAR or MKCOL elsewhere than directly in one's own home, or over a hidden name."""

    status = HTTPStatus.FORBIDDEN
    precondition = f"{CALDAV}calendar-collection-location-ok"
    message = "No agenda can be made at this address."


class UnknownResourceType(DavserverError):
    """MKCOL of something that is neither a calendar nor an address book (RFC 5689, 3.3)."""

    status = HTTPStatus.FORBIDDEN
    precondition = f"{DAV}valid-resourcetype"
    message = "Only agendas, task lists and address books can be made here."


class InvalidData(_InNamespace):
    """Data that is no iCalendar, or no vCard (RFC 4791, 5.3.2.1; RFC 6352, 6.3.2.1)."""

    status = HTTPStatus.FORBIDDEN
    message = "This is no valid {format}: {problem}"

    def __init__(self, tag: Tag, problem: str | Phrase) -> None:
        self.local = "valid-calendar-data" if tag == "VCALENDAR" else "valid-address-data"
        name = "iCalendar" if tag == "VCALENDAR" else "vCard"
        super().__init__(tag, format=name, problem=problem)


class InvalidObject(DavserverError):
    """Valid iCalendar that is not one event, task or journal entry (RFC 4791, 4.1)."""

    status = HTTPStatus.FORBIDDEN
    precondition = f"{CALDAV}valid-calendar-object-resource"
    message = "This is not one event or one task: {problem}"


class UnsupportedAddressData(DavserverError):
    """Anything but a vCard of a version that we keep (RFC 6352, 6.3.2.1)."""

    status = HTTPStatus.FORBIDDEN
    precondition = f"{CARDDAV}supported-address-data"
    message = "Contacts are accepted as vCard 3.0 or 4.0."


class UnsupportedComponent(DavserverError):
    """A component that the collection does not hold (RFC 4791, 5.3.2.1)."""

    status = HTTPStatus.FORBIDDEN
    precondition = f"{CALDAV}supported-calendar-component"
    message = "{component} cannot be put here; this holds {components}."


class ObjectTooLarge(_InNamespace):
    """An object beyond `limits.object_max` (RFC 4791, 5.3.2.1)."""

    status = HTTPStatus.FORBIDDEN
    local = "max-resource-size"
    message = "This is larger than {maximum} bytes."


class UidConflict(_InNamespace):
    """A second object of one UID, or another UID for an object (RFC 4791, 5.3.2.1)."""

    status = HTTPStatus.CONFLICT
    local = "no-uid-conflict"
    message = "There is an entry with this UID here already."

    def __init__(self, tag: Tag, href: str) -> None:
        super().__init__(tag)
        self._href = href

    @property
    def hrefs(self) -> tuple[str, ...]:
        return (self._href,)


class InvalidSyncToken(DavserverError):
    """A token that this collection did not give out (RFC 6578, 3.2)."""

    status = HTTPStatus.FORBIDDEN
    precondition = f"{DAV}valid-sync-token"
    message = "The sync token is not known here; please synchronise from the beginning."


class UnsupportedReport(DavserverError):
    """A report that the resource does not have (RFC 3253, 3.6)."""

    status = HTTPStatus.FORBIDDEN
    precondition = f"{DAV}supported-report"
    message = "This cannot be asked of this address."


class InvalidFilter(_InNamespace):
    """A filter that means nothing (RFC 4791, 7.8; RFC 6352, 8.6)."""

    status = HTTPStatus.FORBIDDEN
    message = "The filter cannot be understood."

    def __init__(self, tag: Tag) -> None:
        self.local = "valid-filter" if tag == "VCALENDAR" else "supported-filter"
        super().__init__(tag)
