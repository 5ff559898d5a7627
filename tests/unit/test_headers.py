"""The headers of WebDAV requests: what they mean, and 400 for what means nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from config.errors import MalformedRequest
from davserver.dav import headers
from davserver.documents.conditions import Condition, StateList
from davserver.documents.upload import Announced

Read = Callable[[dict[str, object]], object]


def check(read: Read, environ: dict[str, object], expected: object) -> None:
    """Whether `read` gives this, or refuses if it is None."""
    if expected is None:
        with pytest.raises(MalformedRequest):
            read(environ)
    else:
        assert read(environ) == expected


@pytest.mark.parametrize(
    "given, expected",
    [
        (None, "infinity"),
        ("0", "0"),
        ("infinity", "infinity"),
        ("Infinity", "infinity"),
        (" 0 ", "0"),
        ("1", None),
        ("", None),
        ("2", None),
        ("00", None),
        ("0, 1", None),
    ],
)
def test_depth(given: str | None, expected: str | None) -> None:
    environ: dict[str, object] = {} if given is None else {"HTTP_DEPTH": given}
    check(lambda one: headers.depth(one, "infinity", "0", "infinity"), environ, expected)


@pytest.mark.parametrize(
    "given, expected",
    [("T", True), ("F", False), ("t", True), (" f ", False), ("", None), ("true", None)],
)
def test_overwrite(given: str, expected: bool | None) -> None:
    check(headers.overwrite, {"HTTP_OVERWRITE": given}, expected)
    assert headers.overwrite({}) is True


@pytest.mark.parametrize(
    "given, expected",
    [
        ("Second-1", 1),
        ("Second-3600", 3600),
        ("Second-3601", 3600),
        ("second-60", 60),
        ("Infinite", 3600),
        ("infinite, Second-60", 3600),
        ("Second-60, Infinite", 60),
        ("Second-99999999999999999999", 3600),
        ("Second-0", None),
        ("Second--1", None),
        ("Second-", None),
        ("Second-1.5", None),
        ("60", None),
        ("", None),
        ("Second-60 Infinite", None),
        (f"Second-{'9' * 21}", None),
    ],
)
def test_timeout(given: str, expected: int | None) -> None:
    check(lambda one: headers.timeout(one, 3600), {"HTTP_TIMEOUT": given}, expected)
    assert headers.timeout({}, 3600) == 3600


@pytest.mark.parametrize(
    "given, expected",
    [
        ("<urn:x>", "urn:x"),
        (" <urn:x> ", "urn:x"),
        ("urn:x", None),
        ("<>", None),
        ("<", None),
        ("", None),
        ("<urn:x", None),
    ],
)
def test_lock_token(given: str, expected: str | None) -> None:
    check(headers.lock_token, {"HTTP_LOCK_TOKEN": given}, expected)


@pytest.mark.parametrize(
    "given, expected",
    [
        ("bytes=0-0", True),
        ("bytes=5-", True),
        ("bytes=-5", True),
        ("bytes=5-5", True),
        ("bytes=0-1,3-4", False),
        ("bytes=0-1, 3-4", False),
        ("lines=0-1", False),
        ("", False),
        ("bytes=5-4", None),
        ("bytes=-0", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=1-2,b", None),
        ("bytes", None),
        (f"bytes={'9' * 400}-", None),
    ],
)
def test_has_range(given: str, expected: bool | None) -> None:
    check(headers.has_range, {"HTTP_RANGE": given}, expected)
    assert not headers.has_range({})


def announcement(length: int | None = 0, modified: int | None = None, checksum: str = "") -> object:
    return Announced(length, modified, checksum)


CHUNKED = {"wsgi.input_terminated": True}
ANNOUNCED = [
    ({}, announcement()),
    ({"CONTENT_LENGTH": ""}, announcement()),
    ({"CONTENT_LENGTH": "0"}, announcement(0)),
    ({"CONTENT_LENGTH": "10"}, announcement(10)),
    ({"CONTENT_LENGTH": "-1"}, None),
    ({"CONTENT_LENGTH": "1.5"}, None),
    ({"CONTENT_LENGTH": "1_0"}, None),
    ({"CONTENT_LENGTH": "²"}, None),
    ({"CONTENT_LENGTH": "9" * 21}, None),
    (CHUNKED, announcement(None)),
    ({**CHUNKED, "HTTP_X_EXPECTED_ENTITY_LENGTH": "10"}, announcement(10)),
    ({**CHUNKED, "HTTP_X_EXPECTED_ENTITY_LENGTH": "ten"}, None),
    ({"HTTP_X_EXPECTED_ENTITY_LENGTH": "10"}, announcement()),
    ({"HTTP_CONTENT_RANGE": "bytes 0-1/2"}, None),
    ({"HTTP_X_OC_MTIME": "1700000000"}, announcement(0, 1700000000)),
    ({"HTTP_X_OC_MTIME": " 1 "}, announcement(0, 1)),
    ({"HTTP_X_OC_MTIME": "1.9"}, announcement(0, 1)),
    ({"HTTP_X_OC_MTIME": "-1"}, announcement(0, -1)),
    ({"HTTP_X_OC_MTIME": "-62135596801"}, None),
    ({"HTTP_X_OC_MTIME": "nan"}, None),
    ({"HTTP_X_OC_MTIME": ""}, None),
    ({"HTTP_OC_CHECKSUM": "MD5:0"}, announcement(0, None, "MD5:0")),
]


@pytest.mark.parametrize("environ, expected", ANNOUNCED, ids=str)
def test_announced(environ: dict[str, object], expected: object) -> None:
    check(headers.announced, dict(environ), expected)


def test_conditions() -> None:
    found = headers.conditions(
        {
            "HTTP_IF": '</a> (<urn:t> Not <urn:u>) (["e"])',
            "HTTP_LOCK_TOKEN": "<urn:v>",
            "HTTP_IF_MATCH": '"a", "b"',
            "HTTP_IF_NONE_MATCH": "*",
            "HTTP_IF_MODIFIED_SINCE": "Sun, 06 Nov 1994 08:49:37 GMT",
            "HTTP_IF_UNMODIFIED_SINCE": "nonsense",
        }
    )
    assert found.tokens == {"urn:t", "urn:u", "urn:v"}
    assert found.lists == (
        StateList("/a", (Condition(False, "urn:t"), Condition(True, "urn:u"))),
        StateList("/a", (Condition(False, None, '"e"'),)),
    )
    assert (found.if_match, found.if_none_match) == (('"a"', '"b"'), ("*",))
    assert found.if_modified_since == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    assert found.if_unmodified_since is None


def test_no_conditions() -> None:
    for environ in ({}, {"HTTP_IF": ""}, {"HTTP_IF": "  "}):
        assert not headers.conditions(environ).are_there


@pytest.mark.parametrize(
    "name, value",
    [
        ("IF", "nonsense"),
        ("IF_MATCH", "nonsense"),
        ("IF_MATCH", ""),
        ("IF_NONE_MATCH", "nonsense"),
        ("LOCK_TOKEN", "nonsense"),
    ],
)
def test_malformed_conditions(name: str, value: str) -> None:
    check(headers.conditions, {f"HTTP_{name}": value}, None)


def test_destination_is_compared_with_whom_the_client_asked() -> None:
    server: dict[str, object] = {"SERVER_NAME": "localhost", "SERVER_PORT": "8080"}
    given: dict[str, object] = {"HTTP_DESTINATION": "http://localhost:8080/a%20b"}
    assert headers.destination({**server, **given}) == "/a b"
    assert headers.destination({**server, **given, "HTTP_HOST": "localhost:8080"}) == "/a b"
    for missing in ({}, {"HTTP_DESTINATION": ""}):
        check(headers.destination, {**server, **missing}, None)


def test_http_date() -> None:
    moment = datetime(1994, 11, 6, 8, 49, 37, 999_999, tzinfo=UTC)
    assert headers.http_date(moment) == "Sun, 06 Nov 1994 08:49:37 GMT"
