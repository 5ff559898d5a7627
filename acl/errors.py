"""What can go wrong in the registry and at the door."""

from http import HTTPStatus
from typing import Literal

from config.errors import DavserverError
from config.language import Phrase

DAV = "{DAV:}"

Kind = Literal["account", "device", "group", "login", "restricted folder", "space"]
"""What has a name in the registry; each word is a gettext key."""


class Unauthenticated(DavserverError):
    """Nobody known: no credentials, or wrong ones (RFC 7617)."""

    status = HTTPStatus.UNAUTHORIZED
    exit_code = 4
    message = "Please log in."

    def __init__(self, realm: str = "davserver") -> None:
        super().__init__()
        self.realm = realm.replace("\\", "").replace('"', "'")

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return (("WWW-Authenticate", f'Basic realm="{self.realm}", charset="UTF-8"'),)


class MalformedCredentials(DavserverError):
    """An Authorization header that is not Basic credentials (RFC 7617, 2)."""

    status = HTTPStatus.BAD_REQUEST
    exit_code = 4
    message = "The Authorization header cannot be understood."


class NeedPrivileges(DavserverError):
    """The actor may see the place but not do this there (RFC 3744, 7.1.1)."""

    status = HTTPStatus.FORBIDDEN
    exit_code = 5
    precondition = f"{DAV}need-privileges"
    message = "{reason}"

    def __init__(self, reason: str, href: str, privilege: str) -> None:
        super().__init__(reason=Phrase(reason))
        self.href = href
        self.privilege = privilege

    @property
    def hrefs(self) -> tuple[str, ...]:
        return (self.href,)


class NotFound(DavserverError):
    """There is no such thing, or it is not for the actor to know."""

    status = HTTPStatus.NOT_FOUND
    exit_code = 6
    message = "There is no such thing here."


class _OfKind(DavserverError):
    """An error about a name of a certain kind."""

    def __init__(self, *, kind: Kind, name: str) -> None:
        super().__init__(kind=Phrase(kind), name=name)


class UnknownName(_OfKind):
    """The command line named something that the registry does not know."""

    status = HTTPStatus.NOT_FOUND
    exit_code = 6
    message = "There is no {kind} called {name}."


class NameTaken(_OfKind):
    """A second account, group, space or device of the same name."""

    status = HTTPStatus.CONFLICT
    exit_code = 7
    message = "The name {name} is taken by another {kind}."


class BadName(_OfKind):
    """A login, group name or slug that cannot stand in an address."""

    status = HTTPStatus.BAD_REQUEST
    exit_code = 2
    message = (
        "{name} cannot be a {kind}: use 1 to 64 small letters a-z, digits, dots, hyphens or "
        "underscores, beginning with a letter or a digit."
    )


class ReservedSlug(DavserverError):
    """A slug that is a name of something else: in a home of agendas, or to Windows."""

    status = HTTPStatus.BAD_REQUEST
    exit_code = 2
    message = (
        "{name} cannot be a space: agenda, tasks and contacts, and what ends in -tasks or "
        "-contacts, name people's own collections, and Windows keeps con, nul and the like."
    )


class BadValue(DavserverError):
    """Anything else that cannot be stored as it was given; each case is a class below."""

    status = HTTPStatus.BAD_REQUEST
    exit_code = 2


class BadTitle(BadValue):
    """A name for people, or a title, that could not be shown or written in XML."""

    message = "A name or a title has 1 to {maximum} characters, all of them visible."


class BadEmail(BadValue):
    """An e-mail address without an @, or with white space."""

    message = "{email} is not an e-mail address."


class BadLocale(BadValue):
    """A language that has no translation."""

    message = "The language {locale} is not spoken here: use fr or en."


class BadQuota(BadValue):
    """A quota below nothing, or of more bytes than a disk can have."""

    message = "A quota cannot be negative, nor more than 8 EiB."


class BadRetention(BadValue):
    """History kept for hardly any time, so that a mistake could not be undone, or for ages."""

    message = "History keeps everything for {least} to {most} days, not for {days}."


class LessDaily(BadValue):
    """One version a day for a shorter time than every version."""

    message = (
        "One version a day is kept for {daily} days and every version for {keep}: the first "
        "cannot be less."
    )


class BadPassword(BadValue):
    """An account password that is too short, or unreasonably long."""

    message = "A password has {minimum} to {maximum} characters, none of them a control character."


class NotStopped(BadValue):
    """Releasing an account that may write as it is."""

    message = "The account {login} is not stopped."


class UselessDevice(BadValue):
    """A device password that would open nothing."""

    message = "A device password is for documents, for agendas, or for both."


class AlreadyInGroup(BadValue):
    """Joining a group twice."""

    message = "{login} is in the group {group} already."


class NotInGroup(BadValue):
    """Leaving a group that one is not in."""

    message = "{login} is not in the group {group}."


class NotMember(BadValue):
    """Removing a member that is none."""

    message = "{principal} is not on the member list of {place}."


class AlreadyRestricted(BadValue):
    """A second member list for one folder; a space always has its own."""

    message = "{place} has a member list of its own already."
