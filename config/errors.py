"""The root of the error tree.

An error is raised where the failure is known and rendered in one place: by
`davserver.http.replies` for a request, by `davserver.cli.main` for a command. Each class
therefore carries everything both need.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import ClassVar

from config.language import translate


class DavserverError(Exception):
    """A failure with an answer.

    `status` is the HTTP status of the reply and `exit_code` that of the command line.
    `precondition` is the Clark name of the DAV:error child that an RFC names for this failure,
    if there is one (RFC 4918, 16). `message` is one plain English sentence, the gettext key of
    its translations, with the constructor's keywords as its fields; one that is to be
    translated too is a `config.language.Phrase`.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    exit_code: ClassVar[int] = 1
    precondition: ClassVar[str | None] = None
    message: ClassVar[str] = "Something went wrong on the server."

    def __init__(self, **fields: object) -> None:
        super().__init__(self.message.format(**fields))
        self.fields = fields

    def render(self, locale: str) -> str:
        """The sentence for a person who reads the language of `locale`."""
        return translate(locale, self.message, **self.fields)

    @property
    def hrefs(self) -> tuple[str, ...]:
        """The URL paths (percent-encoded) that the precondition element names, if any."""
        return ()

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What the reply carries beside its status."""
        return ()


class SettingsError(DavserverError):
    """The settings cannot be used: the message names place, key and remedy."""

    exit_code = 2
    message = "{where}: {key}: {problem} {remedy}"


class DatabaseTooNew(DavserverError):
    """A newer version of the program has changed the tables; this one would not understand them."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = 3
    message = "A newer version of davserver has used this database; please install that version."


class DatabaseUnavailable(DavserverError):
    """The database does not answer, or another process kept it busy for too long."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = 3
    message = "The database cannot be reached at the moment; please try again."

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return (("Retry-After", "5"),)


class StorageFull(DavserverError):
    """The disk is full: that of the documents, or that of the database (RFC 4331, 6)."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    exit_code = 3
    precondition = "{DAV:}sufficient-disk-space"
    message = "The server's disk is full; please tell the administrator."


class StorageFailed(DavserverError):
    """The disk does not do what it is asked: it is broken, read-only, or cannot be reached."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = 3
    message = "The server's disk does not work; please tell the administrator."


# What HTTP and WebDAV themselves refuse, for documents and agendas alike.


class MalformedRequest(DavserverError):
    """A header or a body that means nothing: `what` names it."""

    status = HTTPStatus.BAD_REQUEST
    message = "The {what} cannot be understood."


class PreconditionFailed(DavserverError):
    """If-Match and its like (RFC 9110, 13.1), or the If header of WebDAV, do not hold."""

    status = HTTPStatus.PRECONDITION_FAILED
    message = "This was changed by somebody else in the meantime."


class MethodNotAllowed(DavserverError):
    """A method that the resource does not have; `allow` names those it has."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    message = "This cannot be done with this address."

    def __init__(self, allow: Iterable[str]) -> None:
        super().__init__()
        self._allow = ", ".join(allow)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return (("Allow", self._allow),)


class NameTooLong(DavserverError):
    """A name of more than 255 bytes of UTF-8, or a path beyond what the server can take."""

    status = HTTPStatus.FORBIDDEN
    exit_code = 2
    message = "This name is too long."


class DestinationExists(DavserverError):
    """Overwrite: F, and there is something at the destination (RFC 4918, 10.6)."""

    status = HTTPStatus.PRECONDITION_FAILED
    message = "There is something of this name at the destination already."


class OtherServer(DavserverError):
    """A Destination that is not ours (RFC 4918, 9.8.5)."""

    status = HTTPStatus.BAD_GATEWAY
    message = "The destination is on another server."


class SameResource(DavserverError):
    """COPY or MOVE onto itself or into itself (RFC 4918, 9.8.5 and 9.9.4)."""

    status = HTTPStatus.FORBIDDEN
    message = "Nothing can be put onto or into itself."
