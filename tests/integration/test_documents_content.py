"""Documents as they are put and given back: whole, in part, under conditions, and with a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from acl import registry
from acl.tables import spaces
from tests.integration.documents_client import CONTRIBUTOR, Client, Hall, Reply, href, town

LETTER = href("conseil", "lettre.txt")


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    yield from town(tmp_path / "data", f"sqlite:///{tmp_path}/davserver.db", upload_max=10_000)


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


@pytest.mark.parametrize(
    "content",
    [b"", b"a", b"caf\xe9\r\n\x00\xff", bytes(range(256)) * 30, b"\xef\xbb\xbfBOM\n"],
    ids=["empty", "one byte", "binary", "all bytes", "byte order mark"],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_bytes_in_bytes_out(hall: Hall, bruno: Client, content: bytes, chunked: bool) -> None:
    reply = bruno.request("PUT", LETTER, content, chunked=chunked)
    assert reply.status == 201
    got = bruno.get(LETTER)
    assert (got.status, got.body) == (200, content)
    assert hall.disk("conseil", "lettre.txt").read_bytes() == content
    head = bruno.request("HEAD", LETTER)
    assert head.headers["Content-Length"] == got.headers["Content-Length"] == str(len(content))
    shown = bruno.propfind(LETTER)
    assert reply.etag == got.etag == head.etag == shown.text("getetag")
    assert reply.etag.startswith('"') and reply.etag.endswith('"')
    assert shown.text("getcontentlength") == str(len(content))
    for one in (reply, head):
        assert one.headers["Last-Modified"] == got.headers["Last-Modified"]


def test_what_a_document_is_sent_as(bruno: Client) -> None:
    bruno.put(href("conseil", "page.html"), "<script>alert(1)</script>")
    bruno.put(href("conseil", "rapport.odt"), "PK")
    bruno.put(href("conseil", "sans extension"), "?")
    page = bruno.get(href("conseil", "page.html"))
    assert page.headers["Content-Type"] == "text/html"
    # A browser shows it, and runs nothing of it as if it were ours.
    assert page.headers["Content-Security-Policy"].startswith("sandbox")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    odt = bruno.get(href("conseil", "rapport.odt")).headers["Content-Type"]
    assert odt == "application/vnd.oasis.opendocument.text"
    plain = bruno.get(href("conseil", "sans extension")).headers["Content-Type"]
    assert plain == "application/octet-stream"


# Of "0123456789".
RANGES = [
    ("bytes=0-0", 206, "0", "bytes 0-0/10"),
    ("bytes=2-4", 206, "234", "bytes 2-4/10"),
    ("bytes=5-", 206, "56789", "bytes 5-9/10"),
    ("bytes=-3", 206, "789", "bytes 7-9/10"),
    ("bytes=-100", 206, "0123456789", "bytes 0-9/10"),
    ("bytes=8-100", 206, "89", "bytes 8-9/10"),
    ("bytes=10-", 416, "", "bytes */10"),
    ("bytes=100-200", 416, "", "bytes */10"),
    # Several are as if they were not there (RFC 9110, 14.2), and so is another unit.
    ("bytes=0-1,4-5", 200, "0123456789", None),
    ("lines=1-2", 200, "0123456789", None),
    ("bytes=-0", 400, "", None),
    ("bytes=4-2", 400, "", None),
    ("bytes=a-b", 400, "", None),
    ("bytes=0-1,b", 400, "", None),
    ("bytes", 400, "", None),
]


@pytest.mark.parametrize("asked, status, content, described", RANGES)
def test_ranges(
    bruno: Client, asked: str, status: int, content: str, described: str | None
) -> None:
    bruno.put(LETTER, "0123456789")
    reply = bruno.get(LETTER, range=asked)
    assert reply.status == status
    assert reply.headers.get("Content-Range") == described
    if status < 400:
        assert reply.body.decode() == content
    # Only of GET (RFC 9110, 14.2).
    head = bruno.request("HEAD", LETTER, headers={"Range": asked})
    assert (head.status, head.headers["Content-Length"]) == (200, "10")


def test_of_an_empty_document_there_is_no_part(bruno: Client) -> None:
    bruno.put(LETTER)
    reply = bruno.get(LETTER, range="bytes=0-")
    assert (reply.status, reply.body) in [(200, b""), (416, reply.body)]


def test_if_range_gives_the_part_only_of_what_the_client_has(bruno: Client) -> None:
    former = bruno.put(LETTER, "0123456789").etag
    etag = bruno.put(LETTER, "9876543210").etag
    modified = bruno.get(LETTER).headers["Last-Modified"]
    for condition, status in (
        (etag, 206),
        (former, 200),
        (f"W/{etag}", 200),
        (modified, 206),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 200),
        ("nonsense", 200),
    ):
        reply = bruno.get(LETTER, range="bytes=2-3", if_range=condition)
        assert reply.status == status, condition
        assert reply.body == (b"76" if status == 206 else b"9876543210")


OLD = "Sun, 06 Nov 1994 08:49:37 GMT"
FUTURE = "Sun, 06 Nov 2094 08:49:37 GMT"
# {etag} is that of what is there; the columns are GET, PUT and DELETE of what is there, and PUT
# of what is not.
CONDITIONS = [
    ({"If-Match": "{etag}"}, 200, 204, 204, 412),
    ({"If-Match": '"x", {etag}'}, 200, 204, 204, 412),
    ({"If-Match": "*"}, 200, 204, 204, 412),
    ({"If-Match": '"x"'}, 412, 412, 412, 412),
    ({"If-Match": "W/{etag}"}, 412, 412, 412, 412),
    ({"If-Match": "nonsense"}, 400, 400, 400, 400),
    ({"If-Match": ""}, 400, 400, 400, 400),
    ({"If-None-Match": "{etag}"}, 304, 412, 412, 201),
    ({"If-None-Match": "W/{etag}"}, 304, 412, 412, 201),
    ({"If-None-Match": "*"}, 304, 412, 412, 201),
    ({"If-None-Match": '"x"'}, 200, 204, 204, 201),
    ({"If-None-Match": "nonsense"}, 400, 400, 400, 400),
    ({"If-Modified-Since": FUTURE}, 304, 204, 204, 201),
    ({"If-Modified-Since": OLD}, 200, 204, 204, 201),
    ({"If-Modified-Since": "nonsense"}, 200, 204, 204, 201),
    ({"If-Modified-Since": FUTURE, "If-None-Match": '"x"'}, 200, 204, 204, 201),
    ({"If-Unmodified-Since": OLD}, 412, 412, 412, 201),
    ({"If-Unmodified-Since": FUTURE}, 200, 204, 204, 201),
    ({"If-Unmodified-Since": OLD, "If-Match": "{etag}"}, 200, 204, 204, 412),
    ({"If": "([{etag}])"}, 200, 204, 204, 412),
    ({"If": '(["x"])'}, 412, 412, 412, 412),
    ({"If": "(Not [{etag}])"}, 412, 412, 412, 201),
    ({"If": '(["x"]) ([{etag}])'}, 200, 204, 204, 412),
    ({"If": '([{etag}] ["x"])'}, 412, 412, 412, 412),
    ({"If": "(<DAV:no-lock>)"}, 412, 412, 412, 412),
    ({"If": "(Not <DAV:no-lock>)"}, 200, 204, 204, 201),
    ({"If": "(Not <DAV:no-lock> [{etag}])"}, 200, 204, 204, 412),
    ({"If": "<{there}> ([{etag}])"}, 200, 204, 204, 201),
    ({"If": "<http://mairie.example{there}> ([{etag}])"}, 200, 204, 204, 201),
    ({"If": '<{there}> (["x"])'}, 412, 412, 412, 412),
    ({"If": "<{missing}> ([{etag}])"}, 412, 412, 412, 412),
    ({"If": "<{missing}> (Not [{etag}])"}, 200, 204, 204, 201),
    ({"If": '<{there}> (["x"]) <{missing}> (Not ["x"])'}, 200, 204, 204, 201),
    ({"If": "<{there}> ([{etag}]) <{missing}> ([{etag}])"}, 200, 204, 204, 201),
    ({"If": "</elsewhere> ([{etag}])"}, 412, 412, 412, 412),
    ({"If": "nonsense"}, 400, 400, 400, 400),
    ({"If": "()"}, 400, 400, 400, 400),
]


@pytest.mark.parametrize("headers, get, put, delete, create", CONDITIONS, ids=str)
def test_conditions(
    hall: Hall, bruno: Client, headers: dict[str, str], get: int, put: int, delete: int, create: int
) -> None:
    missing = href("conseil", "missing")

    def ask(method: str, address: str, etag: str) -> int:
        sent = {
            name: value.format(etag=etag, there=LETTER, missing=missing)
            for name, value in headers.items()
        }
        before = hall.snapshot()
        reply = bruno.request(method, address, "new" if method == "PUT" else "", sent)
        if reply.status >= 300:
            assert hall.snapshot() == before
        hall.consistent()
        return reply.status

    etag = bruno.put(LETTER, "old").etag
    assert ask("GET", LETTER, etag) == get
    assert ask("HEAD", LETTER, etag) == get
    assert ask("PUT", missing, etag) == create
    bruno.delete(missing)
    assert ask("PUT", LETTER, etag) == put
    etag = bruno.put(LETTER, "new").etag
    assert ask("DELETE", LETTER, etag) == delete


def test_304_names_the_etag_and_sends_nothing(bruno: Client) -> None:
    etag = bruno.put(LETTER, "content").etag
    reply = bruno.get(LETTER, if_none_match=etag)
    assert (reply.status, reply.etag, reply.body) == (304, etag, b"")


def test_three_saves_of_one_size_in_one_second_are_three_contents(
    hall: Hall, bruno: Client
) -> None:
    second = {"X-OC-Mtime": "1700000000"}
    replies = [bruno.request("PUT", LETTER, content, second) for content in ("one", "two", "six")]
    etags = [reply.etag for reply in replies]
    assert len(set(etags)) == 3
    assert len({reply.headers["Last-Modified"] for reply in replies}) == 1
    # Whoever has an older one learns it, whichever of them.
    for stale in etags[:2]:
        assert bruno.put(LETTER, "lost", if_match=stale).status == 412
        assert bruno.get(LETTER, if_none_match=stale).status == 200
    assert bruno.get(LETTER).body == b"six"
    assert bruno.put(LETTER, "ten", if_match=etags[2]).status == 204
    assert sorted(map(str, hall.history("conseil").values())) == ["b'one'", "b'six'", "b'two'"]


# What a Mac, a phone or a sync client says of the time, and what the document's is then.
TIMES = [
    ("1700000000", 1_700_000_000),
    ("1700000000.75", 1_700_000_000),
    ("1.", 1),
    ("0", 0),
    ("-1", -1),
    ("-86400", -86_400),
    ("4102444800", 4_102_444_800),
    ("nonsense", None),
    ("", None),
    ("1e9", None),
    ("0x10", None),
    ("1700000000,5", None),
    ("999999999999", None),
    ("-99999999999", None),
    ("NaN", None),
    ("inf", None),
]


@pytest.mark.parametrize("sent, seconds", TIMES)
def test_x_oc_mtime(hall: Hall, bruno: Client, sent: str, seconds: int | None) -> None:
    before = hall.snapshot()
    reply = bruno.request("PUT", LETTER, "content", {"X-OC-Mtime": sent})
    if seconds is None:
        assert reply.status == 400
        assert hall.snapshot() == before
        return
    assert (reply.status, reply.headers["X-OC-Mtime"]) == (201, "accepted")
    assert hall.disk("conseil", "lettre.txt").stat().st_mtime_ns // 10**9 == seconds


def test_oc_checksum(hall: Hall, bruno: Client) -> None:
    content = b"content"
    for algorithm in ("SHA1", "MD5", "SHA256", "sha1"):
        digest = hashlib.new(algorithm, content).hexdigest()
        for sent in (f"{algorithm}:{digest}", f"{algorithm}:{digest.upper()}"):
            assert bruno.request("PUT", LETTER, content, {"OC-Checksum": sent}).status < 300
    before = hall.snapshot()
    for wrong in (f"SHA1:{'0' * 40}", "SHA1:", "MD5:nonsense"):
        reply = bruno.request("PUT", LETTER, content, {"OC-Checksum": wrong})
        assert (reply.status, hall.snapshot()) == (400, before), wrong
    # An algorithm that we do not know says nothing against it.
    unknown = bruno.request("PUT", LETTER, content, {"OC-Checksum": "ADLER32:12345678"})
    assert unknown.status == 204


@pytest.mark.parametrize(
    "sent, headers, chunked",
    [
        (b"short", {"Content-Length": "100"}, False),
        (b"short", {"X-Expected-Entity-Length": "100"}, True),
        (b"too long", {"X-Expected-Entity-Length": "3"}, True),
        (b"", {"X-Expected-Entity-Length": "1"}, True),
        (b"x", {"Content-Length": "-1"}, False),
        (b"x", {"Content-Length": "one"}, False),
        (b"x", {"X-Expected-Entity-Length": "one"}, True),
        (b"part", {"Content-Range": "bytes 0-3/10"}, False),
    ],
)
def test_what_did_not_arrive_as_announced_changes_nothing(
    hall: Hall, bruno: Client, sent: bytes, headers: dict[str, str], chunked: bool
) -> None:
    bruno.put(LETTER, "old")
    before = hall.snapshot()
    for address in (LETTER, href("conseil", "new")):
        reply = bruno.request("PUT", address, sent, headers, chunked=chunked)
        assert (reply.status, hall.snapshot()) == (400, before)


def test_a_connection_that_breaks_changes_nothing(hall: Hall, bruno: Client) -> None:
    def breaks() -> None:
        raise ConnectionResetError

    bruno.put(LETTER, "old")
    before = hall.snapshot()
    reply = bruno.request("PUT", LETTER, b"new", chunked=True, meanwhile=breaks)
    assert (reply.status, hall.snapshot()) == (400, before)


@pytest.mark.parametrize("chunked", [False, True])
def test_what_is_larger_than_the_server_accepts(hall: Hall, bruno: Client, chunked: bool) -> None:
    before = hall.snapshot()
    reply = bruno.request("PUT", LETTER, b"x" * 10_001, chunked=chunked)
    assert (reply.status, hall.snapshot()) == (413, before)
    assert bruno.request("PUT", LETTER, b"x" * 10_000, chunked=chunked).status == 201


# Quota


@pytest.fixture
def full(hall: Hall) -> Hall:
    """A space with room for 100 bytes, 60 of which are taken, beside one without a quota."""
    hall.space("etroit", {"bruno": CONTRIBUTOR}, title="Étroit", quota_bytes=100)
    hall.client("bruno").put(href("etroit", "there"), b"x" * 60)
    hall.client("bruno").put(href("conseil", "large"), b"x" * 41)
    hall.client("bruno").put(href("conseil", "fits"), b"x" * 40)
    return hall


def check_full(reply: Reply, hall: Hall) -> None:
    assert (reply.status, reply.precondition) == (507, "{DAV:}quota-not-exceeded")
    # Whose quota it is, and what is left.
    assert "The space Étroit is full: 40 bytes are left." in reply.body.decode()
    hall.consistent()


@pytest.mark.parametrize("name", ["new", "there"])
def test_quota_of_what_is_announced_is_asked_before_it_is_sent(full: Hall, name: str) -> None:
    def never() -> None:
        raise AssertionError("the body was read")

    before = full.snapshot()
    bruno = full.client("bruno")
    reply = bruno.request("PUT", href("etroit", name), b"x" * 41, meanwhile=never)
    check_full(reply, full)
    reply = bruno.request(
        "PUT",
        href("etroit", name),
        b"x" * 41,
        {"X-Expected-Entity-Length": "41"},
        chunked=True,
        meanwhile=never,
    )
    check_full(reply, full)
    assert full.snapshot() == before


def test_quota_of_what_is_not_announced_ends_the_upload(full: Hall) -> None:
    before = full.snapshot()
    bruno = full.client("bruno")
    check_full(bruno.request("PUT", href("etroit", "new"), b"x" * 41, chunked=True), full)
    assert full.snapshot() == before
    assert bruno.request("PUT", href("etroit", "new"), b"x" * 40, chunked=True).status == 201
    assert bruno.put(href("etroit", "empty")).status == 201


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("target", ["new", "there"])
def test_quota_of_what_comes_from_another_space(full: Hall, method: str, target: str) -> None:
    before = full.snapshot()
    bruno = full.client("bruno")

    def bring(name: str) -> Reply:
        headers = {"Destination": href("etroit", target)}
        return bruno.request(method, href("conseil", name), headers=headers)

    check_full(bring("large"), full)
    assert full.snapshot() == before
    assert bring("fits").status in (201, 204)
    full.consistent()


def test_quota_of_what_is_copied_inside_and_of_what_is_moved(full: Hall) -> None:
    bruno = full.client("bruno")
    before = full.snapshot()
    check_full(bruno.copy(href("etroit", "there"), href("etroit", "new")), full)
    assert full.snapshot() == before
    # A move inside the space takes no room, and neither does the trash give any back.
    assert bruno.move(href("etroit", "there"), href("etroit", "new")).status == 201
    assert bruno.delete(href("etroit", "new")).status == 204
    check_full(bruno.put(href("etroit", "other"), b"x" * 41), full)


def test_quota_that_others_used_up_during_the_upload(full: Hall) -> None:
    bruno = full.client("bruno")
    reply = bruno.request(
        "PUT",
        href("etroit", "mine"),
        b"x" * 40,
        meanwhile=lambda: bruno.put(href("etroit", "theirs"), b"x" * 40),
    )
    assert (reply.status, reply.precondition) == (507, "{DAV:}quota-not-exceeded")
    assert not full.disk("etroit", "mine").exists()
    full.consistent()


def test_quota_that_was_lowered_below_what_is_used(full: Hall) -> None:
    with full.acting() as act:
        lowered = spaces.update().where(spaces.c.slug == "etroit").values(quota_bytes=10)
        act.connection.execute(lowered)
        registry.bump(act.connection)
    bruno = full.client("bruno")
    assert bruno.put(href("etroit", "new"), b"x").status == 507
    assert bruno.put(href("etroit", "there"), b"").status == 204
    shown = bruno.propfind(href("etroit"), "quota-available-bytes", "quota-used-bytes")
    assert (shown.text("quota-available-bytes"), shown.text("quota-used-bytes")) == ("0", "60")
    assert bruno.delete(href("etroit", "there")).status == 204
