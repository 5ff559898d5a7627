"""What can go wrong in the registry and at the door."""

from http import HTTPStatus

from config.errors import DavserverError

DAV = "{DAV:}"


class Unauthenticated(DavserverError):
    """Nobody known: no credentials, or wrong ones (RFC 7617)."""

    status = HTTPStatus.UNAUTHORIZED
    exit_code = 4
    message = "Please log in."

    def __init__(self, realm: str) -> None:
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
        super().__init__(reason=reason)
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


class UnknownName(DavserverError):
    """The command line named something that the registry does not know."""

    status = HTTPStatus.NOT_FOUND
    exit_code = 6
    message = "There is no {kind} called {name}."


class NameTaken(DavserverError):
    """A second account, group, space, device or member of the same name."""

    status = HTTPStatus.CONFLICT
    exit_code = 7
    message = "There is already a {kind} called {name}."


class BadName(DavserverError):
    """A login, group name or slug that cannot stand in an address."""

    status = HTTPStatus.BAD_REQUEST
    exit_code = 2
    message = (
        "{name} cannot be a {kind}: use 1 to 64 small letters a-z, digits, dots, hyphens or "
        "underscores, beginning with a letter or a digit."
    )


class BadValue(DavserverError):
    """Anything else that cannot be stored as it was given."""

    status = HTTPStatus.BAD_REQUEST
    exit_code = 2
    message = "{problem}"
