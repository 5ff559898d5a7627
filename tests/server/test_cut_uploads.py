"""An upload that does not arrive whole changes nothing, wherever and however it ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.server.town import SPACE, Town, until
from tests.server.wire import Header, Wire, chunked, head

FORMER = b"the minutes as they were approved\n" * 300
SENT = bytes(range(256)) * 40  # 10,240 bytes, none of which the former content has in this order

_names = count(1)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town.found(tmp_path_factory.mktemp("cut") / "data")
    town.space("petit", quota="20000", anne="contributor")
    town.space("secret")
    with town.server:
        for file in ("proc%C3%A8s.txt", "lu.txt", "pris.txt"):
            town.put(f"{SPACE}/{file}", FORMER)
        yield town
    # The command itself, once.
    town.server.cli("check")


@pytest.fixture
def unchanged(town: Town) -> Iterator[None]:
    """Whatever the test does leaves the town as it was, and the server at work."""
    documents, journal = town.documents(), town.journal()
    yield
    until(lambda: not town.staged(), "nothing left in staging/")
    assert town.documents() == documents
    assert town.journal() == journal
    assert town.findings() == []
    town.check_alive()


@pytest.fixture(params=["new", "existing"])
def target(request: pytest.FixtureRequest) -> tuple[str, bytes | None]:
    """Where an upload goes to, and what is there."""
    if request.param == "existing":
        return f"{SPACE}/proc%C3%A8s.txt", FORMER
    return f"{SPACE}/nouveau-{next(_names)}.txt", None


def is_still(town: Town, path: str, former: bytes | None) -> None:
    answer = town.ask("anne", "GET", path)
    if former is None:
        assert answer.status == 404
    else:
        assert (answer.status, answer.body) == (200, former)


# How a body is sent, and after how many of its bytes the client ends.

CHUNKED = b"2000\r\n" + SENT[:0x2000] + b"\r\n800\r\n" + SENT[0x2000:] + b"\r\n0\r\n\r\n"
SECOND = CHUNKED.index(b"800\r\n")
LAST = len(CHUNKED) - len(b"0\r\n\r\n")

CUTS = {
    "length, nothing": (False, 0),
    "length, one byte": (False, 1),
    "length, half": (False, len(SENT) // 2),
    "length, all but one": (False, len(SENT) - 1),
    "chunked, nothing": (True, 0),
    "chunked, in the first header": (True, 2),
    "chunked, between CR and LF of it": (True, 5),
    "chunked, after the first header": (True, 6),
    "chunked, one byte": (True, 7),
    "chunked, in the data": (True, 0x1000),
    "chunked, before the data's CRLF": (True, 6 + 0x2000),
    "chunked, in the data's CRLF": (True, 6 + 0x2000 + 1),
    "chunked, after the first chunk": (True, SECOND),
    "chunked, in the second header": (True, SECOND + 1),
    "chunked, before the last chunk": (True, LAST),
    "chunked, in the last chunk": (True, LAST + 1),
    "chunked, after the last chunk": (True, LAST + 3),
    "chunked, all but one": (True, len(CHUNKED) - 1),
}
ENDINGS: dict[str, Callable[[Wire], None]] = {
    "close": Wire.close,
    "reset": Wire.reset,
    "half-close": Wire.finish,
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("cut", CUTS)
def test_cut_upload_changes_nothing(
    town: Town, target: tuple[str, bytes | None], cut: str, ending: str
) -> None:
    path, former = target
    is_chunked, after = CUTS[cut]
    body, size = (CHUNKED, ("Transfer-Encoding", "chunked"))
    if not is_chunked:
        body, size = (SENT, ("Content-Length", str(len(SENT))))
    with Wire(town.server.port) as wire:
        wire.send(head("PUT", path, [town.as_("anne"), size]) + body[:after])
        until(town.staged, "the upload has begun")
        ENDINGS[ending](wire)
        if ending == "half-close":
            answer = wire.answer()
            assert (answer.status, answer.closes) == (400, True), answer
            assert wire.ended()
    until(lambda: not town.staged(), "the server notices")
    is_still(town, path, former)


LIES: dict[str, tuple[list[Header], bytes]] = {
    "fewer expected": (
        [("Transfer-Encoding", "chunked"), ("X-Expected-Entity-Length", str(len(SENT) - 1))],
        CHUNKED,
    ),
    "none expected": (
        [("Transfer-Encoding", "chunked"), ("X-Expected-Entity-Length", "0")],
        CHUNKED,
    ),
    "more expected": (
        [("Transfer-Encoding", "chunked"), ("X-Expected-Entity-Length", str(len(SENT) + 1))],
        CHUNKED,
    ),
    "no number expected": (
        [("Transfer-Encoding", "chunked"), ("X-Expected-Entity-Length", "-1")],
        CHUNKED,
    ),
    "another checksum": (
        [("Content-Length", str(len(SENT))), ("OC-Checksum", "SHA1:" + 40 * "0")],
        SENT,
    ),
    "chunk longer than said": (
        [("Transfer-Encoding", "chunked")],
        b"10\r\n" + 17 * b"x" + b"\r\n0\r\n\r\n",
    ),
    "chunk shorter than said": (
        [("Transfer-Encoding", "chunked")],
        b"10\r\n" + 15 * b"x" + b"\r\n0\r\n\r\n",
    ),
    "no chunk": ([("Transfer-Encoding", "chunked")], b"the whole document\r\n\r\n"),
    "negative chunk": ([("Transfer-Encoding", "chunked")], b"-5\r\nhello\r\n0\r\n\r\n"),
    "hexadecimal prefix": ([("Transfer-Encoding", "chunked")], b"0x5\r\nhello\r\n0\r\n\r\n"),
    "underscore": ([("Transfer-Encoding", "chunked")], b"1_0\r\n" + 16 * b"x" + b"\r\n0\r\n\r\n"),
    "plus sign": ([("Transfer-Encoding", "chunked")], b"+5\r\nhello\r\n0\r\n\r\n"),
    "enormous chunk": ([("Transfer-Encoding", "chunked")], b"f" * 40 + b"\r\nhello\r\n0\r\n\r\n"),
    "bare line feeds": ([("Transfer-Encoding", "chunked")], b"5\nhello\n0\n\n"),
    "endless chunk header": (
        [("Transfer-Encoding", "chunked")],
        b"5;" + 100_000 * b"x" + b"\r\nhello\r\n0\r\n\r\n",
    ),
    "endless trailers": (
        [("Transfer-Encoding", "chunked")],
        b"5\r\nhello\r\n0\r\n" + 10_000 * b"A: b\r\n" + b"\r\n",
    ),
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("lie", LIES)
def test_upload_that_is_not_as_announced_changes_nothing(
    town: Town, target: tuple[str, bytes | None], lie: str
) -> None:
    path, former = target
    headers, body = LIES[lie]
    with Wire(town.server.port) as wire:
        wire.pour(head("PUT", path, [town.as_("anne"), *headers]) + body)
        # What the server says must not hang on the client ending its side.
        answer = wire.answer()
        assert answer.status == 400, answer
        if answer.closes:
            assert wire.ended()
        else:
            again = wire.ask(head("HEAD", path, [town.as_("anne")]), "HEAD")
            assert again.status == (404 if former is None else 200)
    is_still(town, path, former)


def test_what_follows_the_announced_bytes_is_another_request(town: Town) -> None:
    """Content-Length counts; what comes after it never becomes a part of the document."""
    path = f"{SPACE}/annonce-{next(_names)}.txt"
    with Wire(town.server.port) as wire:
        wire.send(
            head("PUT", path, [town.as_("anne"), ("Content-Length", "5")])
            + b"hello"
            + b" and more that nobody announced\r\n\r\n"
        )
        assert wire.answer().status == 201
        assert wire.answer().status == 400
        assert wire.ended()
    is_still(town, path, b"hello")
    town.check_alive()


def test_whole_uploads_follow_one_another_on_a_connection(town: Town) -> None:
    """Neither form of body leaves a byte behind that the next request would begin with."""
    path = f"{SPACE}/suite-{next(_names)}.txt"
    me = town.as_("anne")
    whole = [("Content-Length", str(len(SENT)))]
    in_chunks = [("Transfer-Encoding", "chunked"), ("X-Expected-Entity-Length", str(len(SENT)))]
    trailers = b"5\r\nhello\r\n0\r\nX-Trailer: yes\r\n\r\n"
    with Wire(town.server.port) as wire:
        for headers, body, content in (
            (whole, SENT, SENT),
            (in_chunks, CHUNKED, SENT),
            ([("Transfer-Encoding", "chunked")], trailers, b"hello"),
            ([("Transfer-Encoding", "chunked")], chunked(), b""),
            ([("Content-Length", "0")], b"", b""),
            (whole, SENT, SENT),
        ):
            assert wire.ask(head("PUT", path, [me, *headers]) + body).status in (201, 204)
            assert wire.ask(head("GET", path, [me])).body == content
    town.check_alive()


# Expect: 100-continue (RFC 9110, 10.1.1)

Refusal = tuple[str, str, list[Header], int]
BIG = ("Content-Length", "5000000")
REFUSED: dict[str, Refusal] = {
    "nobody": ("", f"{SPACE}/x.txt", [BIG], 401),
    "wrong password": ("anne-wrong", f"{SPACE}/x.txt", [BIG], 401),
    "a reader": ("rene", f"{SPACE}/x.txt", [BIG], 403),
    "a reader, over a document": ("rene", f"{SPACE}/lu.txt", [BIG], 403),
    "name that Windows cannot show": ("anne", f"{SPACE}/a%3Ab.txt", [BIG], 403),
    "space itself": ("anne", SPACE, [BIG], 403),
    "no space": ("anne", "/spaces/nulle-part/x.txt", [BIG], 409),
    "hidden space": ("anne", "/spaces/secret/x.txt", [BIG], 409),
    "no folder": ("anne", f"{SPACE}/rien/x.txt", [BIG], 409),
    "above the spaces": ("anne", "/x.txt", [BIG], 405),
    "exists": ("anne", f"{SPACE}/lu.txt", [BIG, ("If-None-Match", "*")], 412),
    "other ETag": ("anne", f"{SPACE}/lu.txt", [BIG, ("If-Match", '"0-0-0"')], 412),
    "no such token": ("anne", f"{SPACE}/lu.txt", [BIG, ("If", "(<urn:uuid:0>)")], 412),
    "locked": ("anne", f"{SPACE}/pris.txt", [BIG], 423),
    "space is full": ("anne", "/spaces/petit/x.txt", [BIG], 507),
    "too large": ("anne", f"{SPACE}/x.txt", [("Content-Length", str(65 * 1024**3))], 413),
    "clutter too large": (
        "anne",
        f"{SPACE}/._x.txt",
        [("Content-Length", str(17 * 1024**2))],
        413,
    ),
    "expected too large": (
        "anne",
        "/spaces/petit/x.txt",
        [("Transfer-Encoding", "chunked"), ("X-Expected-Entity-Length", "5000000")],
        507,
    ),
    "part of a document": (
        "anne",
        f"{SPACE}/x.txt",
        [BIG, ("Content-Range", "bytes 0-4999999/10000000")],
        400,
    ),
}


def _who(town: Town, login: str) -> list[Header]:
    if not login:
        return []
    if login == "anne-wrong":
        return [("Authorization", "Basic YW5uZTpmYXV4")]
    return [town.as_(login)]


@pytest.fixture(scope="module")
def locked(town: Town) -> str:
    return town.lock("bruno", f"{SPACE}/pris.txt")


@pytest.mark.usefixtures("locked", "unchanged")
@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_the_body_is_sent(town: Town, case: str) -> None:
    login, path, headers, status = REFUSED[case]
    with Wire(town.server.port) as wire:
        wire.send(head("PUT", path, [*_who(town, login), *headers, ("Expect", "100-continue")]))
        answer = wire.answer()
        assert (answer.status, answer.interim) == (status, ()), answer
        # The server cannot know whether the body will come after all.
        assert answer.closes
        assert wire.ended()


@pytest.mark.usefixtures("locked", "unchanged")
@pytest.mark.parametrize("case", REFUSED)
def test_refused_while_the_body_is_sent_regardless(town: Town, case: str) -> None:
    """A client that sends first and reads afterwards gets its answer too, with no reset."""
    login, path, headers, status = REFUSED[case]
    body = bytes(5_000_000)
    if ("Transfer-Encoding", "chunked") in headers:
        body = chunked(body)
    if status == 413:
        # It will never send that much, and must not have to.
        body = body[:1_000_000]
    for expect in ([], [("Expect", "100-continue")]):
        with Wire(town.server.port) as wire:
            wire.send(head("PUT", path, [*_who(town, login), *headers, *expect]) + body)
            answer = wire.answer()
            assert (answer.status, answer.interim) == (status, ()), answer
            assert answer.closes
            assert wire.ended()


@pytest.mark.usefixtures("locked", "unchanged")
def test_refused_upload_of_more_than_the_server_will_read(town: Town) -> None:
    """A client that looks for an answer while it sends gets it, however much it has to send."""
    with Wire(town.server.port) as wire:
        size = 1 << 32
        length = ("Content-Length", str(size))
        wire.send(head("PUT", f"{SPACE}/pris.txt", [town.as_("anne"), length]))
        wire.stream(bytes(1 << 20), size)
        answer = wire.answer()
        assert (answer.status, answer.closes) == (423, True)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("size", [0, 1, 1000, 60_000])
def test_small_refused_body_leaves_the_connection_usable(town: Town, size: int) -> None:
    me = town.as_("rene")
    with Wire(town.server.port) as wire:
        for _ in range(3):
            refused = wire.ask(
                head("PUT", f"{SPACE}/lu.txt", [me, ("Content-Length", str(size))]) + bytes(size)
            )
            assert (refused.status, refused.closes) == (403, False), refused
            assert wire.ask(head("GET", f"{SPACE}/lu.txt", [me])).body == FORMER


@pytest.mark.usefixtures("unchanged")
def test_answer_does_not_wait_for_a_body_that_nobody_will_read(town: Town) -> None:
    with Wire(town.server.port) as wire:
        wire.send(head("PUT", f"{SPACE}/lu.txt", [town.as_("rene"), ("Content-Length", "1000")]))
        # Nothing of the body is sent.
        assert wire.answer().status == 403


@pytest.mark.parametrize("size", [("Content-Length", "5"), ("Transfer-Encoding", "chunked")])
def test_accepted_body_is_invited_first(town: Town, size: Header) -> None:
    path = f"{SPACE}/invite-{next(_names)}.txt"
    body = b"hello" if size[0] == "Content-Length" else chunked(b"hel", b"lo")
    with Wire(town.server.port) as wire:
        wire.send(head("PUT", path, [town.as_("anne"), size, ("Expect", "100-continue")]))
        assert wire.socket.recv(25, socket.MSG_WAITALL) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert wire.ask(body).status == 201
        assert wire.ask(head("GET", path, [town.as_("anne")])).body == b"hello"


@pytest.mark.usefixtures("unchanged")
def test_old_client_is_not_sent_what_it_does_not_know(town: Town) -> None:
    """RFC 9110, 10.1.1: the expectation of an HTTP/1.0 client is ignored."""
    headers = [town.as_("anne"), ("Content-Length", "5"), ("Expect", "100-continue")]
    with Wire(town.server.port) as wire:
        wire.send(head("PUT", f"{SPACE}/rien/x.txt", headers, "1.0") + b"hello")
        assert wire.answer().status == 409
    path = f"{SPACE}/._ancien.txt"
    with Wire(town.server.port) as wire:
        wire.send(head("PUT", path, headers, "1.0") + b"hello")
        answer = wire.answer()
    assert (answer.status, answer.interim) == (201, ())


@pytest.mark.usefixtures("unchanged")
def test_cut_uploads_all_at_once(town: Town) -> None:
    """More of them than the server has threads, and then it serves the next one."""
    wires = [Wire(town.server.port) for _ in range(25)]
    for number, wire in enumerate(wires):
        path = f"{SPACE}/foule-{number}.txt"
        wire.send(head("PUT", path, [town.as_("anne"), BIG]) + os.urandom(1000))
    until(town.staged, "some have begun")
    for wire in wires:
        wire.reset()
    town.check_alive()
