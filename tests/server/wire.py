"""HTTP byte by byte: what no well-behaved client library would send, and what comes back."""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Self, cast

TIMEOUT = 60.0
_PIECE = 1 << 16
# To a bare CR or LF in a reply some client adds a header, or a whole reply, of its own.
_LINE_MAX = 65536

Header = tuple[str, str]


class Malformed(AssertionError):
    """What came back is no HTTP."""


class NoAnswer(AssertionError):
    """The connection ended, and no answer had come."""


@dataclass(frozen=True)
class Answer:
    """One final reply; `interim` are the statuses of those before it (100)."""

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    interim: tuple[int, ...] = ()

    def __getitem__(self, name: str) -> str:
        """All values of a header, joined; "" if there is none."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def closes(self) -> bool:
        """Whether the server says that it closes the connection."""
        return self["Connection"].lower() == "close"


def basic(login: str, password: str) -> Header:
    """The header of a client that knows a password."""
    return ("Authorization", "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode())


def head(method: str, target: str, headers: Iterable[Header] = (), version: str = "1.1") -> bytes:
    """Request line and headers, and the empty line after them. Nothing is checked."""
    lines = [f"{method} {target} HTTP/{version}", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def chunked(*chunks: bytes) -> bytes:
    """A chunked body, whole."""
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


@dataclass
class Wire:
    """One connection to a port of 127.0.0.1."""

    port: int
    socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        self._file = cast(BinaryIO, self.socket.makefile("rb"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def pour(self, data: bytes) -> None:
        """Send all of it, or as much as a server wants that has answered and closed already."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def stream(self, piece: bytes, size: int) -> None:
        """Send `size` bytes, as curl does: until the server answers, or has had enough."""
        for _ in range(size // len(piece)):
            self.socket.setblocking(False)
            try:
                seen = self.socket.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                seen = b""
            finally:
                self.socket.settimeout(TIMEOUT)
            if seen:
                break
            self.pour(piece)

    def answers(self) -> list[Answer]:
        """Say that nothing more will come, and take all answers until the server ends it."""
        with contextlib.suppress(OSError):
            self.finish()
        found: list[Answer] = []
        while True:
            try:
                found.append(self.answer())
            except NoAnswer:
                return found

    def ask(self, data: bytes, method: str = "GET") -> Answer:
        """Send a whole request and read the reply to it."""
        self.pour(data)
        return self.answer(method)

    def answer(self, method: str = "GET") -> Answer:
        """The next final reply. Raises `NoAnswer`, and `Malformed` for anything but HTTP."""
        interim: list[int] = []
        while True:
            status, headers = self._head()
            if status >= 200:
                return Answer(status, headers, self._body(method, status, headers), tuple(interim))
            interim.append(status)

    def interim(self) -> int:
        """The status of the next reply's head, when only an interim one (100) is expected."""
        return self._head()[0]

    def ended(self) -> bool:
        """Wait for the server to end the connection in good order; False if it says more."""
        return self._file.read(1) == b""

    def close(self) -> None:
        """Go away, as a program does that ends."""
        self._file.close()
        self.socket.close()

    def reset(self) -> None:
        """Go away as a machine does that lost its network: RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def finish(self) -> None:
        """Say that nothing more will come, and go on listening."""
        self.socket.shutdown(socket.SHUT_WR)

    def _line(self) -> bytes:
        line = self._file.readline(_LINE_MAX)
        if not line:
            raise NoAnswer("the connection ended before an answer")
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise Malformed(f"no line of HTTP: {line[:200]!r}")
        return line[:-2]

    def _head(self) -> tuple[int, tuple[Header, ...]]:
        first = self._line()
        version, _, rest = first.partition(b" ")
        if version != b"HTTP/1.1" or not rest[:3].isdigit() or rest[3:4] != b" ":
            raise Malformed(f"no status line: {first!r}")
        headers = []
        while line := self._line():
            name, colon, value = line.partition(b":")
            if not colon or not name.replace(b"-", b"").isalnum():
                raise Malformed(f"no header: {line!r}")
            headers.append((name.decode(), value.strip().decode("latin-1")))
        return int(rest[:3]), tuple(headers)

    def _body(self, method: str, status: int, headers: tuple[Header, ...]) -> bytes:
        if method == "HEAD" or status in (204, 304):
            return b""
        given = {name.lower(): value for name, value in headers}
        if given.get("transfer-encoding") == "chunked":
            return self._chunks()
        if "content-length" not in given:
            return self._file.read()
        length = int(given["content-length"])
        body = self._file.read(length)
        if len(body) != length:
            raise Malformed(f"{length} bytes announced, {len(body)} came")
        return body

    def _chunks(self) -> bytes:
        pieces = []
        while size := int(self._line(), 16):
            pieces.append(self._file.read(size))
            if self._line():
                raise Malformed("a chunk does not end where it says")
        if self._line():
            raise Malformed("a trailer that nobody asked for")
        return b"".join(pieces)


def ask(
    port: int,
    method: str,
    target: str,
    headers: Iterable[Header] = (),
    body: bytes | None = None,
) -> Answer:
    """One request on a connection of its own."""
    given = list(headers)
    if body is not None:
        given.append(("Content-Length", str(len(body))))
    with Wire(port) as wire:
        return wire.ask(head(method, target, given) + (body or b""), method)
