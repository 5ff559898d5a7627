"""HTTP/1.1 messages (RFC 9112) as they come over the wire: headers, and the two kinds of body."""

import re
from collections.abc import Callable
from typing import Any

_BLOCK = 64 * 1024
# Said twice, with two values, each program on the way may believe another one.
_ONCE = frozenset(
    b"""Authorization Content-Length Content-Range Content-Type Depth Destination Expect Host
    If-Range Lock-Token Overwrite Range User-Agent X-Expected-Entity-Length""".split()
)
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110, 5.6.2): a method, or the name of a header."""

_FIELD = re.compile(rb"(" + TOKEN.pattern + rb"):([\t\x20-\x7e\x80-\xff]*)\r\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_LINE_MAX = 4096  # bytes of a chunk's header, or of a trailer
_TRAILERS_MAX = 64


class Headers(dict[bytes, bytes]):
    """The headers of one request while they are read.

    Those that come more than once are one list (RFC 9110, 5.3): Finder sends an If header for
    each lock token, and all of them count. Raises `ValueError` for a second, different value of
    what can have one only.
    """

    def add(self, name: bytes, value: bytes) -> None:
        """Take in one line; `name` is as in `Content-Length`."""
        former = self.get(name)
        if former is None or former == value and name in _ONCE:
            self[name] = value
        elif name in _ONCE:
            raise ValueError("A header that can be there only once is there twice.")
        else:
            self[name] = former + b", " + value


def read_headers(rfile: Any) -> Headers:
    """Read the lines up to the empty one (RFC 9112, 5).

    Strictly, where programs on the way might read something else: no space before the colon, no
    line that continues another one, no lone CR or LF. Names with an underscore are left out, as
    X_Y is X-Y to WSGI. Raises `ValueError`.
    """
    headers = Headers()
    while (line := rfile.readline()) != b"\r\n":
        match = _FIELD.fullmatch(line)
        if match is None:
            raise ValueError("Malformed header line.")
        if b"_" not in match[1]:
            headers.add(match[1].title(), match[2].strip(b" \t"))
    return headers


class ChunkedBody:
    """A chunked body (RFC 9112, 7.1), read as it comes: no chunk is ever held whole.

    Raises `ValueError` where it is malformed, and where it ends before its end.
    """

    def __init__(self, rfile: Any) -> None:
        self._rfile = rfile
        self._left = 0
        self._begun = False
        self._finished = False

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, or all there are; none at the end."""
        pieces, wanted = [], size
        while wanted and not self._finished:
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
            self._finished = True

    def _skip_trailers(self) -> None:
        for _ in range(_TRAILERS_MAX):
            line = self._rfile.readline(_LINE_MAX)
            if line == b"\r\n":
                return
            if not line.endswith(b"\r\n"):
                break
        raise ValueError("The body does not end.")

    @property
    def unread(self) -> int | None:
        """None, as nobody knows how many bytes are still to come, or 0 at the end."""
        return 0 if self._finished else None


class SizedBody:
    """A body whose length was announced."""

    def __init__(self, rfile: Any, length: int) -> None:
        self._rfile = rfile
        self._left = length
        self._broken = False

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, or all there are; none at the end, or if the rest never comes."""
        count = self._left if size < 0 else min(size, self._left)
        data: bytes = self._rfile.read(count) if count and not self._broken else b""
        self._broken = len(data) < count
        self._left -= len(data)
        return data

    @property
    def unread(self) -> int | None:
        """How many bytes are still to come; None if they never will."""
        return None if self._broken else self._left


class Invited:
    """A body that is asked for when it is first read: who sends `Expect: 100-continue` is
    refused before sending anything (RFC 9110, 10.1.1)."""

    def __init__(self, body: ChunkedBody | SizedBody, invite: Callable[[], None] | None) -> None:
        self._body = body
        self._invite = invite

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, or all there are; none at the end."""
        if self._invite is not None:
            invite, self._invite = self._invite, None
            invite()
        return self._body.read(size)

    @property
    def unread(self) -> int | None:
        """How many bytes are still to come; None if nobody knows, or if the client still waits
        to be asked, and may never send them."""
        unread = self._body.unread
        return None if unread and self._invite is not None else unread
