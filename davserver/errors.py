"""What can go wrong with a document, or with the request for one."""

from collections.abc import Iterable
from http import HTTPStatus

from config.errors import DavserverError, MethodNotAllowed

DAV = "{DAV:}"

METHODS = (
    *("OPTIONS", "GET", "HEAD", "PUT", "DELETE", "COPY", "MOVE", "MKCOL"),
    *("PROPFIND", "PROPPATCH", "LOCK", "UNLOCK"),
)
"""All that documents have; a 405 must name what is allowed (RFC 9110, 15.5.6)."""


class MalformedPath(DavserverError):
    """An address with control characters, dot segments, or bytes that are not UTF-8."""

    status = HTTPStatus.BAD_REQUEST
    exit_code = 2
    message = "This address holds characters that no name can have."


class UnusableName(DavserverError):
    """A name that some of the clients could not show."""

    status = HTTPStatus.FORBIDDEN
    exit_code = 2
    message = 'Windows cannot show names with < > : " \\ | ? *, or a dot or a space at the end.'


class ReservedName(UnusableName):
    """A device of MS-DOS; Windows shows no file of that name."""

    message = "Windows keeps this name for itself; please choose another one."


class NoParent(DavserverError):
    """The collection that the new resource would go into is not there (RFC 4918, 9.7.1)."""

    status = HTTPStatus.CONFLICT
    message = "The folder to put this into does not exist."


class IsCollection(MethodNotAllowed):
    """Content for a folder: folders have none."""

    message = "There is a folder of this name."

    def __init__(self) -> None:
        super().__init__(method for method in METHODS if method not in ("PUT", "MKCOL"))


class AlreadyMapped(MethodNotAllowed):
    """MKCOL where something is (RFC 4918, 9.3.1)."""

    message = "There is something of this name already."

    def __init__(self) -> None:
        super().__init__(method for method in METHODS if method != "MKCOL")


class HiddenName(DavserverError):
    """Creating over what the actor may not know: the one way to tell it from what is absent."""

    status = HTTPStatus.FORBIDDEN
    message = "This name cannot be used here."


class Forbidden(DavserverError):
    """Not a question of rights: nobody can do this here."""

    status = HTTPStatus.FORBIDDEN
    message = "This cannot be done here."


class ReadOnlyHistory(Forbidden):
    """A change of what was."""

    message = "The past can only be read; copy what you need from it to a space."


class NotModified(DavserverError):
    """What the client has is still good (RFC 9110, 15.4.5)."""

    status = HTTPStatus.NOT_MODIFIED
    message = ""

    def __init__(self, etag: str) -> None:
        super().__init__()
        self.etag = etag

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return (("ETag", self.etag),)


class Locked(DavserverError):
    """Somebody's lock is in the way, and its token was not submitted (RFC 4918, 16)."""

    status = HTTPStatus.LOCKED
    precondition = f"{DAV}lock-token-submitted"
    message = "This is being edited by {holder}."

    def __init__(self, holder: str, hrefs: Iterable[str]) -> None:
        super().__init__(holder=holder)
        self._hrefs = tuple(hrefs)

    @property
    def hrefs(self) -> tuple[str, ...]:
        return self._hrefs


class LockConflict(Locked):
    """A lock cannot be had because of another one (RFC 4918, 9.10.6)."""

    precondition = f"{DAV}no-conflicting-lock"


class LockTokenMismatch(DavserverError):
    """UNLOCK or a refresh with a token that does not lock this (RFC 4918, 9.11.1)."""

    status = HTTPStatus.CONFLICT
    precondition = f"{DAV}lock-token-matches-request-uri"
    message = "This is not locked with that token."


class RefreshFailed(LockTokenMismatch):
    """LOCK without a body, and no such lock (RFC 4918, 9.10.6)."""

    status = HTTPStatus.PRECONDITION_FAILED


class OthersLock(DavserverError):
    """UNLOCK of a lock that another account holds."""

    status = HTTPStatus.FORBIDDEN
    message = "This was locked by {holder}; only they or a manager can unlock it."


class UnknownLock(DavserverError):
    """No lock has this token."""

    status = HTTPStatus.NOT_FOUND
    exit_code = 6
    message = "There is no lock with this token."


class IncompleteUpload(DavserverError):
    """Fewer or more bytes came than were announced; nothing was changed."""

    status = HTTPStatus.BAD_REQUEST
    message = "The upload did not arrive whole; nothing was changed."


class TooLarge(DavserverError):
    """A body beyond what the settings allow."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    message = "This is larger than the server accepts."


class QuotaExceeded(DavserverError):
    """The space would be larger than its quota (RFC 4331, 6)."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    precondition = f"{DAV}quota-not-exceeded"
    message = "The space {space} is full: {free} bytes are left."


class UnsupportedBody(DavserverError):
    """A body where the method has none (RFC 4918, 9.3.1)."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    message = "This request cannot have a body."


class FiniteDepth(DavserverError):
    """PROPFIND of everything below a large folder (RFC 4918, 9.1)."""

    status = HTTPStatus.FORBIDDEN
    precondition = f"{DAV}propfind-finite-depth"
    message = "There is too much below this folder to list it at once."


class ProtectedProperty(DavserverError):
    """PROPPATCH of a property that the server computes (RFC 4918, 16)."""

    status = HTTPStatus.FORBIDDEN
    precondition = f"{DAV}cannot-modify-protected-property"
    message = "This property cannot be changed."


class MomentToCome(DavserverError):
    """Going back to a moment that is still to come."""

    status = HTTPStatus.BAD_REQUEST
    exit_code = 2
    message = "This moment is still to come."


class MomentTooEarly(DavserverError):
    """Going back to before there was a space."""

    status = HTTPStatus.BAD_REQUEST
    exit_code = 2
    message = "The space {space} was not there yet at this moment."


class NeverThere(DavserverError):
    """A folder that is not there, and was not at the moment that is asked about."""

    status = HTTPStatus.NOT_FOUND
    exit_code = 6
    message = "There is no folder {place}, neither now nor at this moment."
