"""The HTTP server: cheroot, with what a server of drives must do about request bodies."""

import contextlib
import logging
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Server as WsgiServer

from config.errors import DavserverError, StorageFailed, StorageFull
from config.settings import Settings
from davserver.app import App, build
from davserver.http.message import TOKEN, ChunkedBody, Invited, SizedBody, read_headers
from davserver.upkeep import Upkeep

_log = logging.getLogger("davserver")

_DRAIN_FIRST = 64 * 1024  # bytes of an unread body that are worth keeping a connection for
_DRAIN = 64 * 1024 * 1024  # bytes that are read after the answer, so that it arrives
_DRAIN_SECONDS = 30.0  # all in all, for that
_DRAIN_SILENCE = 2.0  # seconds without a byte, after which nothing more will come
_BLOCK = 64 * 1024
_HEADERS_MAX = 64 * 1024  # bytes
_WAITING_MAX = 400  # connections without a request, each one an open file
_SHUTDOWN = 10  # seconds for the requests under way
_LENGTH = re.compile(rb"[0-9]{1,18}")


class CannotListen(DavserverError):
    """The address is taken, or not this machine's."""

    exit_code = 3
    message = "The server cannot listen on {host}, port {port}: {reason}."


class Request(HTTPRequest):
    """One request. What is left of its body never becomes the next request."""

    def __init__(self, server: "Server", connection: "Connection") -> None:
        # Only so that the absolute form is accepted, as it must be (RFC 9112, 3.2.2).
        super().__init__(server, connection, proxy_mode=True)
        self.header_reader = self._read_headers
        self._expects = False

    def read_request_line(self) -> bool:
        """Read the first line; answer what is none, and return whether it was one."""
        try:
            if not super().read_request_line():  # type: ignore[no-untyped-call]  # cheroot
                return False
        except ValueError:
            # From `urlsplit`, of what has half an IPv6 address in it.
            self.simple_response("400 Bad Request", "Malformed Request-URI")
            return False
        if not TOKEN.fullmatch(self.method):
            self.simple_response("400 Bad Request", "Malformed method name.")
            return False
        return True

    def _read_headers(self, rfile: Any, inheaders: dict[bytes, bytes]) -> None:
        headers = read_headers(rfile)
        modern = self.response_protocol == "HTTP/1.1"
        # Kept from cheroot, which would answer at once that the body is welcome.
        self._expects = headers.pop(b"Expect", b"").lower() == b"100-continue" and modern
        if modern and b"Host" not in headers:
            raise ValueError("A request names its host.")
        length = headers.get(b"Content-Length")
        if length is not None and not _LENGTH.fullmatch(length):
            raise ValueError("Malformed Content-Length header.")
        coding = headers.get(b"Transfer-Encoding")
        if coding is not None and (coding.lower() != b"chunked" or not modern):
            raise ValueError("A body can be chunked, and nothing else.")
        if coding is not None and length is not None:
            raise ValueError("A body has one length, not two.")
        inheaders.update(headers)

    def respond(self) -> None:
        """Let the application answer, then see to the rest of the body."""
        body: ChunkedBody | SizedBody
        if self.chunked_read:
            body = ChunkedBody(self.conn.rfile)
        else:
            body = SizedBody(self.conn.rfile, int(self.inheaders.get(b"Content-Length", 0)))
        self.rfile = Invited(body, self._invite if self._expects else None)
        self.server.gateway(self).respond()
        self.ensure_headers_sent()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")
        # A little of it may still come, as `send_headers` has seen.
        if not self.close_connection and body.unread:
            with contextlib.suppress(OSError):
                body.read()
        if body.unread != 0:
            self._close_gently()

    def send_headers(self) -> None:
        """Send status and headers; close the connection after a body that nobody read."""
        unread = self.rfile.unread
        if unread is None or unread > _DRAIN_FIRST:
            self.close_connection = True
        super().send_headers()

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer what cannot even be read; what follows it cannot be read either."""
        _log.info("- %s - unreadable request: %s", self.conn.remote_addr or "-", status)
        self._close_gently()
        text = f"{msg or status}\n"
        reply = (
            f"{self.server.protocol} {status}\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(text.encode())}\r\n"
            f"Connection: close\r\n\r\n{text}"
        )
        with contextlib.suppress(OSError):
            self.conn.wfile.write(reply.encode())

    def _close_gently(self) -> None:
        self.close_connection = self.conn.drains = True

    def _invite(self) -> None:
        self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


class Connection(HTTPConnection):
    """A connection, whose requests are of our kind.

    `drains`: the client may still be sending when it ends.
    """

    RequestHandlerClass = Request
    drains = False

    def communicate(self) -> bool:
        """Serve one request; return whether another one may follow."""
        goes_on = bool(super().communicate())  # type: ignore[no-untyped-call]  # cheroot
        if not goes_on and self.drains:
            self._drain()
        return goes_on

    def _drain(self) -> None:
        """Read away what comes: a connection that is closed over unread bytes is reset, and
        the client never sees the answer (RFC 9112, 9.6)."""
        left, end = _DRAIN, time.monotonic() + _DRAIN_SECONDS
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            self.socket.settimeout(_DRAIN_SILENCE)
            while left > 0 and time.monotonic() < end:
                piece = self.socket.recv(_BLOCK)
                if not piece:
                    break
                left -= len(piece)


class Server(WsgiServer):
    """Serves a WSGI application over HTTP/1.1 with a bounded number of threads."""

    ConnectionClass = Connection
    max_request_header_size = _HEADERS_MAX
    keep_alive_conn_limit = _WAITING_MAX

    def process_conn(self, conn: Connection) -> None:
        """Give a thread to a connection; to a new one only when it has said something.

        Otherwise as many connections as there are threads, silent, would keep everyone out.
        """
        if conn.last_used is None:
            self.put_conn(conn)
        else:
            super().process_conn(conn)

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Where cheroot speaks of what went wrong on a connection."""
        _log.log(level, "%s", msg, exc_info=traceback)


def serve(settings: Settings, ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    `ready` is called with the server's URL when it listens. Raises `CannotListen`.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    app = build(settings)
    _recover(app)
    upkeep = Upkeep(app.documents, settings)
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
    try:
        server.prepare()
    except OSError as error:
        raise CannotListen(host=host, port=port, reason=error.strerror or error) from None
    try:
        # A thread of its own: a signal meets this one anywhere, perhaps with a lock held.
        stopping = threading.Thread(target=server.stop)
        _on_stop(stopping)
        upkeep.start()
        ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        server.serve()
        stopping.join(2 * _SHUTDOWN)
        if stopping.is_alive():
            # A request that will not end holds its thread, and the thread would hold us. What
            # it was changing is undone, as after a power failure.
            _log.warning("stopped, with requests under way")
            os._exit(0)
        _log.info("stopped")
    finally:
        server.stop()
        upkeep.stop(_SHUTDOWN)
        app.database.close()
    return 0


def _recover(app: App) -> None:
    try:
        app.recover()
    except (StorageFailed, StorageFull) as error:
        # People can read meanwhile, and whoever wants to write will have it settled first.
        _log.warning("not all that was cut short is settled: %s", error)


def _on_stop(stopping: threading.Thread) -> None:
    """Start `stopping` at the first SIGTERM or SIGINT."""

    def handle(number: int, frame: object) -> None:
        if stopping.ident is None:
            stopping.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
