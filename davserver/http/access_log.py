"""A number for each request, and a line for it in the log."""

import logging
import re
from collections.abc import Callable, Iterator

from acl.actor import ENVIRON, Actor
from davserver.http.wsgi import Application, Body, Environ, StartResponse

_log = logging.getLogger("davserver.access")

_ORIGIN = re.compile(r"^[^/]+//[^/]*")
_UNSAFE = re.compile(r"[^\x21-\x7e]")

REQUEST = "davserver.request"
"""The environ key of the request's number, which the reply names as well."""


class AccessLog:
    """Numbers requests by `new_id`, and says of each what came of it and how long it took.

    `clock` is a monotonic clock in seconds. Addresses are logged as they were sent, in percent
    encoding, and no header is.
    """

    def __init__(
        self, app: Application, *, new_id: Callable[[], str], clock: Callable[[], float]
    ) -> None:
        self._app = app
        self._new_id = new_id
        self._clock = clock

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        began = self._clock()
        environ[REQUEST] = request = self._new_id()
        statuses: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            statuses.append(status[:3])
            return start_response(status, [*headers, ("X-Request-Id", request)], exc_info)

        answer = self._app(environ, start)
        return _Logged(answer, lambda sent: self._write(environ, statuses, sent, began))

    def _write(self, environ: Environ, statuses: list[str], sent: int, began: float) -> None:
        actor: Actor | None = environ.get(ENVIRON)
        _log.info(
            "%s %s %s %s %s %s %d B %.0f ms",
            environ[REQUEST],
            environ.get("REMOTE_ADDR") or "-",
            actor.name if actor else "-",
            environ["REQUEST_METHOD"],
            _address(environ.get("REQUEST_URI", "")),
            statuses[-1] if statuses else "-",
            sent,
            (self._clock() - began) * 1000,
        )


def _address(uri: str) -> str:
    """The address without its query, and without what an absolute one has before its path: a
    login and a password, perhaps. What no address may hold is percent-encoded."""
    path = _ORIGIN.sub("", uri.partition("?")[0])
    return _UNSAFE.sub(lambda match: f"%{ord(match[0]):02X}", path)


class _Logged:
    """An answer that is counted as it goes, and logged when it is closed."""

    def __init__(self, answer: Body, log: Callable[[int], None]) -> None:
        self._answer = answer
        self._log = log
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._answer:
            self._sent += len(piece)
            yield piece

    def close(self) -> None:
        """The client has got it all, or has gone."""
        try:
            close = getattr(self._answer, "close", None)
            if close is not None:
                close()
        finally:
            self._log(self._sent)
