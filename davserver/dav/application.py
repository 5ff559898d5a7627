"""Our request resolver: it prepares the environ that WsgiDAV's code looks for, and turns what
WsgiDAV raises into an error of ours."""

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from itertools import chain
from typing import Any

from wsgidav.dav_error import DAVError

from config.errors import DavserverError, MethodNotAllowed
from davserver.dav.propfind import Propfind
from davserver.dav.provider import Provider
from davserver.dav.request_server import RequestServer
from davserver.documents.documents import Documents
from davserver.errors import METHODS

_SETTINGS = {"block_size": 256 * 1024}


class Refused(DavserverError):
    """What WsgiDAV itself refuses: a range beyond the end, for the most part."""

    message = "The server cannot answer this request."

    def __init__(self, error: DAVError) -> None:
        super().__init__()
        self.status = HTTPStatus(error.value)  # type: ignore[misc]  # this one is WsgiDAV's
        self._headers = tuple(error.add_headers or ())

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return self._headers


class DavApplication:
    """A WSGI application for everything below `/` that is no agenda.

    The environ has the actor and the `PATH` of request_server.py, a body of a bounded size but for
    PUT, and is changed. Raises `DavserverError` before anything has been sent.
    """

    def __init__(self, documents: Documents, listings: Propfind) -> None:
        self._provider = Provider()
        self._server = RequestServer(self._provider, documents, listings)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in METHODS:
            raise MethodNotAllowed(METHODS)
        environ.update(
            {
                "wsgidav.provider": self._provider,
                "wsgidav.config": _SETTINGS,
                "wsgidav.verbose": 1,
                "wsgidav.auth.user_name": "",
            }
        )
        answer: Iterator[bytes] = self._server(environ, start_response)
        try:
            # WsgiDAV's server is a generator: only now does it begin.
            first = next(answer, b"")
        except DAVError as error:
            raise Refused(error) from None
        return _Answer(first, answer)


class _Answer:
    """The pieces of an answer whose first one is there already; closing it ends the rest."""

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self._rest = rest
        self._pieces = chain((first,), rest)

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """Give back what the answer holds, such as an open file."""
        close = getattr(self._rest, "close", None)
        if close is not None:
            close()
