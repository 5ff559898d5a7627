"""The address of a request: decoded once, and refused here if it can name nothing."""

from urllib.parse import quote, urlsplit

from davserver import paths
from davserver.dav.request_server import PATH
from davserver.errors import MalformedPath
from davserver.http.wsgi import Application, Body, Environ, StartResponse

# What only a front may say, and what nobody may say to the applications behind us.
_STRIPPED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_SERVER",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_REMOTE_ADDR",
    "HTTP_X_REMOTE_USER",
    "HTTP_X_SCRIPT_NAME",
    "REMOTE_USER",
)


class Addresses:
    """Sets `PATH` to the path as text and `PATH_INFO` to what WSGI makes of it (PEP 3333).

    Raises `MalformedPath` for what is not UTF-8, for control characters, and for dot segments.
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        for name in _STRIPPED:
            environ.pop(name, None)
        text = paths.from_href(_raw(environ))
        segments = paths.segments(text)
        normal = "/" + "/".join(segments) + ("/" if segments and text.endswith("/") else "")
        environ[PATH] = normal
        environ["PATH_INFO"] = normal.encode().decode("latin-1")
        return self._app(environ, start_response)


def _raw(environ: Environ) -> str:
    """The path as it was sent, still percent-encoded: a server's own decoding hides what a
    segment had in it."""
    uri = environ.get("REQUEST_URI")
    if uri is None:
        return quote(environ["PATH_INFO"].encode("latin-1"))
    if uri == "*":
        return "/"
    if not uri.startswith("/"):
        # The absolute form (RFC 9112, 3.2.2), which proxies send.
        try:
            return urlsplit(uri).path or "/"
        except ValueError:
            raise MalformedPath() from None
    return str(uri).partition("?")[0]
