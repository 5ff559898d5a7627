"""Which application a request is for."""

from collections.abc import Callable
from http import HTTPStatus

from davserver import paths
from davserver.dav.request_server import PATH
from davserver.http.wsgi import Application, Body, Environ, StartResponse

CALENDARS = "calendars"
_WELL_KNOWN = frozenset({"caldav", "carddav"})


class Router:
    """Sends a request on by the first segment of its address.

    `documents` and `calendars` find out who asks, `options` answers OPTIONS to anybody, and
    `healthy` says whether we can serve at all.
    """

    def __init__(
        self,
        *,
        documents: Application,
        options: Application,
        calendars: Application,
        healthy: Callable[[], bool],
    ) -> None:
        self._documents = documents
        self._options = options
        self._calendars = calendars
        self._healthy = healthy

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        segments = paths.segments(environ[PATH])
        first = segments[0] if segments else ""
        if segments == ("healthz",):
            return self._health(environ, start_response)
        if first == ".well-known" and len(segments) == 2 and segments[1] in _WELL_KNOWN:
            return _redirect(start_response)
        if first == CALENDARS:
            environ["SCRIPT_NAME"] = f"/{CALENDARS}"
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(f"/{CALENDARS}") or "/"
            return self._calendars(environ, start_response)
        if environ["REQUEST_METHOD"] == "OPTIONS":
            # Before anyone logs in: Office and Explorer ask so, and it is no secret.
            return self._options(environ, start_response)
        return self._documents(environ, start_response)

    def _health(self, environ: Environ, start_response: StartResponse) -> Body:
        status = HTTPStatus.OK if self._healthy() else HTTPStatus.SERVICE_UNAVAILABLE
        body = b"ok\n" if status is HTTPStatus.OK else b"unavailable\n"
        start_response(
            f"{status} {status.phrase}",
            [
                ("Content-Type", "text/plain; charset=utf-8"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
            ],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _redirect(start_response: StartResponse) -> Body:
    """RFC 6764, 5, for every method: iOS sends PROPFIND, and TbSync follows 301 only."""
    start_response(
        "301 Moved Permanently", [("Location", f"/{CALENDARS}/"), ("Content-Length", "0")]
    )
    return []
