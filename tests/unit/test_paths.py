"""The only path normaliser: what clients send becomes a name of ours, or is refused."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import DavserverError, MalformedRequest, OtherServer
from davserver import paths
from davserver.errors import MalformedPath

HOST = "mairie.example"

SEGMENTS = [
    ("", ()),
    ("/", ()),
    ("///", ()),
    ("a", ("a",)),
    ("/a/b/", ("a", "b")),
    ("//a///b//", ("a", "b")),
    ("a b/ c", ("a b", " c")),
    ("e\u0301te\u0301", ("été",)),
    ("été", ("été",)),
    # Å as a letter, as a unit, and as an A with a ring: one name.
    ("\u00c5\u212bA\u030a", ("ÅÅÅ",)),
    ("\u1112\u1161\u11ab", ("한",)),
    # Look-alikes stay what they are.
    ("ﬁ", ("ﬁ",)),
    ("Ⅳ", ("Ⅳ",)),
    ("...", ("...",)),
    (".a", (".a",)),
    ("a..b", ("a..b",)),
    ("~", ("~",)),
    ("\\", ("\\",)),
    ("%2e%2e", ("%2e%2e",)),
    ("\u200b", ("\u200b",)),
    ("\xa0", ("\xa0",)),
    ("😀", ("😀",)),
]


@pytest.mark.parametrize("text, expected", SEGMENTS, ids=repr)
def test_segments(text: str, expected: tuple[str, ...]) -> None:
    assert paths.segments(text) == expected
    assert paths.normalise(text) == "/".join(expected)


@pytest.mark.parametrize(
    "text",
    [
        *(".", "..", "a/..", "a/../b", "./a", "a/.", "/..", "//../"),
        *("\x00", "a\x00b", "\n", "a\tb", "\x1f", "\x7f", "\x80", "\x9f"),
        *("\u2028", "\u2029", "\ufffe", "\uffff", "\ud800", "a\udcffb"),
    ],
    ids=repr,
)
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(MalformedPath):
        paths.segments(text)


HREFS = [
    ("/a", "/a"),
    ("/a%20b", "/a b"),
    ("/%C3%A9", "/é"),
    ("/%c3%a9", "/é"),
    ("/e%CC%81", "/e\u0301"),
    # As it came over the wire, where a client did not encode it.
    ("/\xc3\xa9", "/é"),
    ("/a+b", "/a+b"),
    ("/a;b=c", "/a;b=c"),
    ("/%3F%23%25", "/?#%"),
    ("/%41", "/A"),
    ("/%252F", "/%2F"),
    ("/..", "/.."),
    ("", ""),
]


@pytest.mark.parametrize("href, expected", HREFS)
def test_from_href(href: str, expected: str) -> None:
    assert paths.from_href(href) == expected


@pytest.mark.parametrize(
    "href", ["/%2F", "/a%2fb", "/%", "/%4", "/%zz", "/%ff", "/%c3", "/%ed%a0%80", "/\xe9", "/é€"]
)
def test_hrefs_that_mean_nothing(href: str) -> None:
    with pytest.raises(MalformedPath):
        paths.from_href(href)


DESTINATIONS = [
    ("/spaces/x/a", "/spaces/x/a"),
    (" /spaces/x/a ", "/spaces/x/a"),
    (f"http://{HOST}/a", "/a"),
    (f"https://{HOST}/a", "/a"),
    (f"HTTP://{HOST.upper()}/a", "/a"),
    (f"http://{HOST}:80/a", "/a"),
    (f"https://{HOST}:443/a", "/a"),
    (f"http://login:p%40ss@{HOST}/a", "/a"),
    (f"http://login@{HOST}/a", "/a"),
    (f"//{HOST}/a", "/a"),
    (f"http://{HOST}/a%20b%23%3F", "/a b#?"),
    (f"http://{HOST}/a;b&c=d+e", "/a;b&c=d+e"),
    (f"http://{HOST}/\xc3\xa9", "/é"),
    (f"http://{HOST}/a:b@c", "/a:b@c"),
    (f"http://{HOST}/a[1]", "/a[1]"),
    (f"http://{HOST}//a", "//a"),
]


@pytest.mark.parametrize("destination, expected", DESTINATIONS)
def test_from_destination(destination: str, expected: str) -> None:
    assert paths.from_destination(destination, HOST) == expected


@pytest.mark.parametrize(
    "destination, error",
    [
        ("", MalformedRequest),
        ("a", MalformedRequest),
        ("a/b", MalformedRequest),
        ("?", MalformedRequest),
        (f"http://{HOST}", MalformedRequest),
        (f"http://{HOST}?a", MalformedRequest),
        ("/a?b", MalformedRequest),
        ("/a#b", MalformedRequest),
        ("http://[::1/a", MalformedRequest),
        (f"http://{HOST}:port/a", MalformedRequest),
        (f"http://{HOST}:99999/a", MalformedRequest),
        ("http://other.example/a", OtherServer),
        (f"http://{HOST}.evil.example/a", OtherServer),
        (f"http://{HOST}@evil.example/a", OtherServer),
        (f"http://evil{HOST}/a", OtherServer),
        (f"ftp://{HOST}/a", OtherServer),
        (f"file://{HOST}/a", OtherServer),
        ("//other.example/a", OtherServer),
        ("/a%2Fb", MalformedPath),
        ("/%ff", MalformedPath),
        ("/a\tb", MalformedPath),
        ("/a\nb", MalformedPath),
        ("\x00/a", MalformedPath),
    ],
)
def test_destinations_that_are_refused(destination: str, error: type[DavserverError]) -> None:
    with pytest.raises(error):
        paths.from_destination(destination, HOST)


@pytest.mark.parametrize(
    "destination, host, ours",
    [
        ("http://h/a", "h:80", True),
        ("https://h/a", "h:443", True),
        ("http://h:80/a", "h", True),
        ("http://h:8080/a", "h:8080", True),
        ("http://h:8080/a", "h:8081", True),
        ("http://h/a", "h:8080", True),
        ("http://h:8080/a", "h", True),
        ("http://[::1]:8080/a", "[::1]:8080", True),
        ("http://[::1]/a", "[::2]", False),
        ("http://127.0.0.1/a", "localhost", False),
    ],
)
def test_names_are_compared_and_no_ports(destination: str, host: str, ours: bool) -> None:
    """A front often forwards the name alone, as nginx does with $host."""
    if ours:
        assert paths.from_destination(destination, host) == "/a"
    else:
        with pytest.raises(OtherServer):
            paths.from_destination(destination, host)


TAGS = [
    ("http://any.example/a%20b", "/a b"),
    ("/a", "/a"),
    ("", ""),
    ("urn:x", "x"),
]


@pytest.mark.parametrize("tag, expected", TAGS)
def test_from_tag(tag: str, expected: str) -> None:
    assert paths.from_tag(tag) == expected


def test_a_tag_that_is_none() -> None:
    for tag in ("http://[::1/a", "/%ff"):
        with pytest.raises((MalformedRequest, MalformedPath)):
            paths.from_tag(tag)


def test_href() -> None:
    assert paths.href() == paths.href("") == paths.href("", "") == "/"
    assert paths.href("spaces", "x", "a b/é#?%;&+") == "/spaces/x/a%20b/%C3%A9%23%3F%25;&+"
    assert paths.href("spaces", "x", "", collection=True) == "/spaces/x/"


RELATIONS = [
    # path, parent, name, ancestors
    ("", "", "", []),
    ("a", "", "a", [""]),
    ("a/b", "a", "b", ["", "a"]),
    ("a/b/c", "a/b", "c", ["", "a", "a/b"]),
]


@pytest.mark.parametrize("path, parent, name, ancestors", RELATIONS)
def test_relations(path: str, parent: str, name: str, ancestors: list[str]) -> None:
    assert paths.parent(path) == parent
    assert paths.name(path) == name
    assert paths.ancestors(path) == ancestors
    if path:
        assert paths.join(parent, name) == path
    for one in ancestors:
        assert paths.is_within(path, one)
    assert paths.is_within(path, path)


@pytest.mark.parametrize(
    "path, collection, within",
    [
        ("a", "", True),
        ("", "a", False),
        ("a", "a/b", False),
        # Segment by segment, never by the beginning of a string.
        ("ab", "a", False),
        ("a b/c", "a", False),
        ("a.b", "a", False),
        ("a0", "a", False),
        ("a/b", "a", True),
        ("a/b/c", "a/b", True),
    ],
)
def test_is_within(path: str, collection: str, within: bool) -> None:
    assert paths.is_within(path, collection) is within


SPACES = [
    ("/spaces/x", ("x", "")),
    ("/spaces/x/", ("x", "")),
    ("/spaces/x/a/b", ("x", "a/b")),
    ("//spaces//x//a", ("x", "a")),
    ("/", None),
    ("/spaces", None),
    ("/spaces/", None),
    ("/Spaces/x", None),
    ("/calendars/x", None),
    ("/x/spaces/x", None),
]


@pytest.mark.parametrize("text, expected", SPACES)
def test_in_space(text: str, expected: tuple[str, str] | None) -> None:
    if expected is None:
        with pytest.raises(LookupError):
            paths.in_space(text)
    else:
        assert paths.in_space(text) == expected


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=30))
def test_what_is_normal_stays_so(text: str) -> None:
    try:
        normal = paths.normalise(text)
    except MalformedPath:
        return
    assert paths.normalise(normal) == normal
    assert unicodedata.is_normalized("NFC", normal)
    assert paths.normalise(unicodedata.normalize("NFD", normal)) == normal
    # What we write, we read.
    assert paths.normalise(paths.from_href(paths.href(normal))) == normal
    assert paths.normalise(paths.from_destination(paths.href("x", normal), HOST)) == paths.join(
        "x", normal
    ).rstrip("/")


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=40), st.text(max_size=20))
def test_whatever_is_sent_is_understood_or_refused(destination: str, host: str) -> None:
    parsers: tuple[Callable[[], str], ...] = (
        lambda: paths.from_destination(destination, host),
        lambda: paths.from_destination(f"http://{destination}", host),
        lambda: paths.from_tag(destination),
        lambda: paths.from_href(destination),
    )
    for parse in parsers:
        try:
            assert isinstance(parse(), str)
        except DavserverError as error:
            assert 400 <= error.status < 600
