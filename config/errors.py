"""The root of the error tree.

An error is raised where the failure is known and rendered in one place: by
`davserver.http.replies` for a request, by `davserver.cli.main` for a command. Each class
therefore carries everything both need.
"""

from http import HTTPStatus
from typing import ClassVar


class DavserverError(Exception):
    """A failure with an answer.

    `status` is the HTTP status of the reply and `exit_code` that of the command line.
    `precondition` is the Clark name of the DAV:error child that an RFC names for this failure,
    if there is one (RFC 4918, 16). `message` is one plain English sentence, the gettext key of
    its translations, with the constructor's keywords as its fields.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    exit_code: ClassVar[int] = 1
    precondition: ClassVar[str | None] = None
    message: ClassVar[str] = "Something went wrong on the server."

    def __init__(self, **fields: object) -> None:
        super().__init__(self.message.format(**fields))
        self.fields = fields

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


class DatabaseUnavailable(DavserverError):
    """The database does not answer, or another process kept it busy for too long."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = 3
    message = "The database cannot be reached at the moment; please try again."

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return (("Retry-After", "5"),)
