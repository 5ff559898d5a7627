"""The HTTP server: cheroot, with what a server of drives must do about request bodies."""

import logging
import re
import signal
from collections.abc import Callable
from typing import Any

from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest, KnownLengthRFile
from cheroot.wsgi import Server as WsgiServer

from config.errors import DavserverError
from config.settings import Settings
from davserver.app import build

_log = logging.getLogger("davserver")

_DRAIN_FIRST = 64 * 1024  # bytes of an unread body that are worth keeping a connection for
_DRAIN = 64 * 1024 * 1024  # bytes that are read after the answer, so that it arrives
_BLOCK = 64 * 1024
_HEADERS_MAX = 64 * 1024  # bytes
_SHUTDOWN = 10  # seconds for the requests under way
# Said twice, with two values, each program on the way may believe another one.
_ONCE = frozenset({b"Content-Length", b"Transfer-Encoding", b"Host", b"Authorization"})
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_LINE_MAX = 4096  # bytes of a chunk's header, or of a trailer
_TRAILERS_MAX = 64


class CannotListen(DavserverError):
    """The address is taken, or not this machine's."""

    exit_code = 3
    message = "The server cannot listen on {host}, port {port}: {reason}."


class Headers(dict[bytes, bytes]):
    """The headers of one request while they are read, each line one assignment.

    Finder sends an If header for each lock token, and all of them count. Raises `ValueError`
    for a second, different value of what can have one only.
    """

    def __setitem__(self, name: bytes, value: bytes) -> None:
        former = self.get(name)
        if former is not None and name == b"If":
            value = former + b", " + value
        elif former is not None and name in _ONCE and former != value:
            raise ValueError("A header that can be there only once is there twice.")
        super().__setitem__(name, value)


class PlainHeaders(HeaderReader):
    """Reads headers, without those that WSGI could not tell from others: X_Y is X-Y to it."""

    def _allow_header(self, key_name: bytes) -> bool:
        return b"_" not in key_name


class ChunkedBody:
    """A chunked body (RFC 9112, 7.1), read as it comes: no chunk is ever held whole.

    Raises `ValueError` where it is malformed, and where it ends before its end.
    """

    def __init__(self, rfile: Any) -> None:
        self._rfile = rfile
        self._left = 0
        self._begun = False
        self.finished = False

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, or all there are; none at the end."""
        pieces, wanted = [], size
        while wanted and not self.finished:
            if not self._left:
                self._next()
                continue
            count = min(self._left, _BLOCK if wanted < 0 else wanted)
            piece = self._rfile.read(count)
            if len(piece) < count:
                raise ValueError("The body ends in the middle of a chunk.")
            pieces.append(piece)
            self._left -= count
            wanted -= count if wanted > 0 else 0
        return b"".join(pieces)

    def _next(self) -> None:
        if self._begun and self._rfile.read(2) != b"\r\n":
            raise ValueError("A chunk does not end where it says.")
        match = _CHUNK.fullmatch(self._rfile.readline(_LINE_MAX))
        if match is None:
            raise ValueError("A chunk has no length.")
        self._begun, self._left = True, int(match[1], 16)
        if not self._left:
            self._skip_trailers()
            self.finished = True

    def _skip_trailers(self) -> None:
        for _ in range(_TRAILERS_MAX):
            line = self._rfile.readline(_LINE_MAX)
            if line == b"\r\n":
                return
            if not line.endswith(b"\r\n"):
                break
        raise ValueError("The body does not end.")


class Invited:
    """A body that is asked for when it is first read: who sends `Expect: 100-continue` is
    refused before sending anything (RFC 9110, 10.1.1)."""

    def __init__(self, body: Any, invite: Callable[[], None] | None) -> None:
        self._body = body
        self._invite = invite

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, or all there are; none at the end."""
        if self._invite is not None:
            invite, self._invite = self._invite, None
            invite()
        data: bytes = self._body.read() if size < 0 else self._body.read(size)
        return data

    @property
    def awaits_invitation(self) -> bool:
        """Whether the client waits to be asked, and may never send anything."""
        return self._invite is not None

    @property
    def unread(self) -> int | None:
        """How many bytes are still to come; None if nobody knows."""
        if isinstance(self._body, ChunkedBody):
            return 0 if self._body.finished else None
        return int(self._body.remaining)


class Request(HTTPRequest):
    """One request. What is left of its body never becomes the next request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.header_reader = self._read_headers
        self._expects = False

    def _read_headers(self, rfile: Any, inheaders: dict[bytes, bytes]) -> None:
        headers = Headers()
        PlainHeaders()(rfile, headers)
        # Kept from cheroot, which would answer at once that the body is welcome.
        self._expects = headers.pop(b"Expect", b"").lower() == b"100-continue"
        length = headers.get(b"Content-Length")
        if length is not None and not _LENGTH.fullmatch(length):
            raise ValueError("Malformed Content-Length header.")
        if length is not None and b"Transfer-Encoding" in headers:
            raise ValueError("A body has one length, not two.")
        inheaders.update(headers)

    def respond(self) -> None:
        """Let the application answer, then see to the rest of the body."""
        if self.chunked_read:
            body: Any = ChunkedBody(self.conn.rfile)
        else:
            length = int(self.inheaders.get(b"Content-Length", 0))
            body = KnownLengthRFile(self.conn.rfile, length)
        self.rfile = Invited(body, self._invite if self._expects else None)
        self.server.gateway(self).respond()
        self.ensure_headers_sent()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")
        if self.close_connection and not self.rfile.awaits_invitation:
            self._drain(_DRAIN)

    def send_headers(self) -> None:
        """Send status and headers; close the connection after a body that nobody read."""
        if isinstance(self.rfile, Invited) and self.rfile.unread != 0:
            unread = self.rfile.unread
            if self.rfile.awaits_invitation or unread is None or unread > _DRAIN_FIRST:
                self.close_connection = True
            else:
                self._drain(unread)
        super().send_headers()

    def _invite(self) -> None:
        self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _drain(self, most: int) -> None:
        """Read away up to `most` bytes: a client that is still sending when the connection
        closes never sees the answer."""
        try:
            while most > 0 and (piece := self.rfile.read(min(_BLOCK, most))):
                most -= len(piece)
        except (OSError, ValueError):
            self.close_connection = True


class Connection(HTTPConnection):
    """A connection, whose requests are of our kind."""

    RequestHandlerClass = Request


class Server(WsgiServer):
    """Serves a WSGI application over HTTP/1.1 with a bounded number of threads."""

    ConnectionClass = Connection
    max_request_header_size = _HEADERS_MAX

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Where cheroot speaks of what went wrong on a connection."""
        _log.log(level, "%s", msg, exc_info=traceback)


def serve(settings: Settings, ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    `ready` is called with the server's URL when it listens. Raises `CannotListen`.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    app = build(settings)
    app.recover()
    host, port = settings.server.host, settings.server.port
    server = Server(
        (host, port),
        app.wsgi,
        numthreads=settings.server.threads,
        server_name="davserver",
        timeout=settings.server.timeout,
        request_queue_size=128,
        shutdown_timeout=_SHUTDOWN,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        server.prepare()
    except OSError as error:
        raise CannotListen(host=host, port=port, reason=error.strerror or error) from None
    try:
        ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        server.serve()
    except SystemExit:
        _log.info("stopping")
    finally:
        server.stop()
        app.database.close()
    return 0


def _stop(number: int, frame: object) -> None:
    raise SystemExit(0)
