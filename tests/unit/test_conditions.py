"""If-Match and its like, and the If header of WebDAV: what they mean, and what means nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import etags
from config.errors import DavserverError, MalformedRequest
from davserver.documents.conditions import (
    Condition,
    Conditions,
    State,
    StateList,
    parse_date,
    parse_if,
)

T1, T2 = "urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2", "urn:uuid:58f202ac-22cf-11d1-b12d"


def token(text: str) -> Condition:
    return Condition(False, token=text)


def not_token(text: str) -> Condition:
    return Condition(True, token=text)


def etag(text: str) -> Condition:
    return Condition(False, etag=text)


def not_etag(text: str) -> Condition:
    return Condition(True, etag=text)


def lists(*found: tuple[str | None, list[Condition]]) -> tuple[StateList, ...]:
    return tuple(StateList(href, tuple(conditions)) for href, conditions in found)


GOOD = {
    "one token": ("(<a>)", lists((None, [token("a")]))),
    "one etag": ('(["a"])', lists((None, [etag('"a"')]))),
    "a weak etag": ('([W/"a"])', lists((None, [etag('W/"a"')]))),
    "an etag without quotes, as some send": ("([a])", lists((None, [etag("a")]))),
    "an empty etag": ('([""])', lists((None, [etag('""')]))),
    "an etag with a parenthesis": ('(["a)(b"])', lists((None, [etag('"a)(b"')]))),
    "Not": ("(Not <a>)", lists((None, [not_token("a")]))),
    "Not without a space": ("(Not<a>)", lists((None, [not_token("a")]))),
    "not, in any case": ("(NOT <a> nOt [b])", lists((None, [not_token("a"), not_etag("b")]))),
    "a token and an etag": ('(<a> ["b"])', lists((None, [token("a"), etag('"b"')]))),
    "no spaces at all": (
        '(<a>["b"])(<c>)',
        lists((None, [token("a"), etag('"b"')]), (None, [token("c")])),
    ),
    "spaces everywhere": (
        '  (  <a>   [ "b" ]  )  '.replace('[ "b" ]', '["b"]'),
        lists((None, [token("a"), etag('"b"')])),
    ),
    "tabs and folded lines": ("(<a>\t<b>)", lists((None, [token("a"), token("b")]))),
    "two lists": ("(<a>) (<b>)", lists((None, [token("a")]), (None, [token("b")]))),
    "two lists with a comma, as two headers become one": (
        "(<a>), (<b>)",
        lists((None, [token("a")]), (None, [token("b")])),
    ),
    "tagged": ("</x> (<a>)", lists(("/x", [token("a")]))),
    "tagged with a URL": ("<http://h/x> (<a>)", lists(("http://h/x", [token("a")]))),
    "two lists of one resource": (
        "</x> (<a>) (<b>)",
        lists(("/x", [token("a")]), ("/x", [token("b")])),
    ),
    "two resources": (
        "</x> (<a>) </y> (Not <b>)",
        lists(("/x", [token("a")]), ("/y", [not_token("b")])),
    ),
    "one resource twice": (
        "</x> (<a>) </x> (<b>)",
        lists(("/x", [token("a")]), ("/x", [token("b")])),
    ),
    "the root": ("</> (<a>)", lists(("/", [token("a")]))),
    "an empty tag is the request's own": ("<> (<a>)", lists(("", [token("a")]))),
    # RFC 4918, 10.4.
    "section 7.5.1": (
        f"<http://www.example.com/users/f/fielding/index.html> (<{T1}>)",
        lists(("http://www.example.com/users/f/fielding/index.html", [token(T1)])),
    ),
    "section 7.5.2": (f"(<{T1}>) (<{T2}>)", lists((None, [token(T1)]), (None, [token(T2)]))),
    "section 10.4.6": (
        f'(<{T1}> ["I am an ETag"]) (["I am another ETag"])',
        lists(
            (None, [token(T1), etag('"I am an ETag"')]),
            (None, [etag('"I am another ETag"')]),
        ),
    ),
    "section 10.4.7": (
        f"(Not <{T1}> <{T2}>)",
        lists((None, [not_token(T1), token(T2)])),
    ),
    "section 10.4.8": (
        f"(<{T1}>) (Not <DAV:no-lock>)",
        lists((None, [token(T1)]), (None, [not_token("DAV:no-lock")])),
    ),
    "section 10.4.9": (
        f'</resource1> (<{T1}> [W/"A weak ETag"]) (["strong ETag"])',
        lists(
            ("/resource1", [token(T1), etag('W/"A weak ETag"')]),
            ("/resource1", [etag('"strong ETag"')]),
        ),
    ),
    "section 10.4.10": (
        f"<http://www.example.com/specs/> (<{T1}>)",
        lists(("http://www.example.com/specs/", [token(T1)])),
    ),
    "section 10.4.11": (
        '</specs/rfc2518.doc> (["4217"])',
        lists(("/specs/rfc2518.doc", [etag('"4217"')])),
    ),
    "section 10.4.11, negated": (
        '</specs/rfc2518.doc> (Not ["4217"])',
        lists(("/specs/rfc2518.doc", [not_etag('"4217"')])),
    ),
    # As clients send it.
    "Explorer": ("(<opaquelocktoken:1>)", lists((None, [token("opaquelocktoken:1")]))),
    "LibreOffice": (
        "<https://h/spaces/x/a%20b.odt> (<opaquelocktoken:1>)",
        lists(("https://h/spaces/x/a%20b.odt", [token("opaquelocktoken:1")])),
    ),
}


@pytest.mark.parametrize("header, expected", GOOD.values(), ids=GOOD)
def test_good_if_headers(header: str, expected: tuple[StateList, ...]) -> None:
    assert parse_if(header) == expected


BAD = {
    "empty": "",
    "a space": " ",
    "a comma": ",",
    "no parentheses": "foobar",
    "an empty list": "()",
    "an empty list with a space": "( )",
    "an empty list after a good one": "(<a>) ()",
    "an empty list before a good one": "() (<a>)",
    "a list that does not end": "(<a>",
    "a list that does not begin": "<a>)",
    "a list that ends twice": "(<a>))",
    "a list in a list": "((<a>))",
    "a token alone": "<a>",
    "an etag alone": '["a"]',
    "Not alone": "Not",
    "Not at the end of a list": "(<a> Not)",
    "Not of nothing": "(Not)",
    "Not of Not": "(Not Not <a>)",
    "Not before a list": "Not (<a>)",
    "something like Not": "(Nota <a>)",
    "a token that does not end": "(<a)",
    "a token in a token": "(<a<b>>)",
    "an etag that does not end": '(["a")',
    "an empty bracket": "([])",
    "an etag with one quote": '(["a])',
    "a resource without a list": "</x>",
    "a resource without a list after another": "</x> (<a>) </y>",
    "the same resource without a list": "</x> (<a>) </x>",
    "two resources and one list": "</x> </y> (<a>)",
    "a resource that does not end": "</x (<a>)",
    "a resource after lists of none": "(<a>) </x> (<b>)",
    "a resource after lists of none, and no list": "(<a>) </x>",
    "words in a list": "(foo)",
    "words after a list": "(<a>) foo",
    "words before a list": "foo (<a>)",
    "a quoted string": '("a")',
}


@pytest.mark.parametrize("header", BAD.values(), ids=BAD)
def test_bad_if_headers(header: str) -> None:
    with pytest.raises(MalformedRequest):
        parse_if(header)


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet='()<>[]"/Not W,ab\t ', max_size=30))
def test_every_if_header_is_understood_or_refused(header: str) -> None:
    try:
        found = parse_if(header)
    except MalformedRequest:
        return
    assert found and all(one.conditions for one in found)
    # Either all lists are of named resources, or none is (RFC 4918, 10.4.2).
    assert len({one.href is None for one in found}) == 1
    for one in found:
        for condition in one.conditions:
            assert (condition.token is None) != (condition.etag is None)


ETAGS = [
    ('"a"', ('"a"',)),
    ('"a","b"', ('"a"', '"b"')),
    ('  "a" ,  W/"b" ', ('"a"', 'W/"b"')),
    ('"a,b"', ('"a,b"',)),
    ('""', ('""',)),
    ("*", ("*",)),
    ('"a",', ('"a"',)),
    ("", None),
    ("a", None),
    ('"a" "b"', None),
    ('*, "a"', None),
    ("*, *", None),
    ('"a', None),
    ('w/"a"', None),
    ("W/a", None),
    (",", None),
]


@pytest.mark.parametrize("header, expected", ETAGS)
def test_lists_of_etags(header: str, expected: tuple[str, ...] | None) -> None:
    if expected is None:
        with pytest.raises(MalformedRequest):
            etags.parse(header, "If-Match")
    else:
        assert etags.parse(header, "If-Match") == expected


DATES = [
    ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
    ("Sunday, 06-Nov-94 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
    ("Sun Nov  6 08:49:37 1994", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
    ("Sun, 06 Nov 1994 10:49:37 +0200", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
    ("", None),
    ("nonsense", None),
    ("0", None),
    ("Sun, 06 Nov 99999 08:49:37 GMT", None),
    ("Sun, 31 Feb 1994 08:49:37 GMT", None),
    ("Sun, 06 Nov 1994 25:49:37 GMT", None),
    ("Sun, 06 Nov 1994 08:49:37 +9999", None),
    (f"Sun, 06 Nov {10**20} 08:49:37 GMT", None),
]


@pytest.mark.parametrize("header, expected", DATES)
def test_dates(header: str, expected: datetime | None) -> None:
    assert parse_date(header) == expected


@settings(deadline=None, derandomize=True)
@given(
    st.one_of(
        st.text(max_size=40),
        st.from_regex(r"Sun, \d{1,3} Nov \d{1,22} \d{1,3}:\d\d:\d\d [+-]\d{1,22}", fullmatch=True),
    )
)
def test_every_date_is_one_or_ignored(header: str) -> None:
    found = parse_date(header)
    assert found is None or found.tzinfo is not None


# Evaluation

NOW = datetime(2026, 11, 23, 12, 0, 0, 999_999, tzinfo=UTC)
SECOND = NOW.replace(microsecond=0)
HERE = State('"e"', NOW, {"t"})
ABSENT = State()
LOCKED_NAME = State(tokens={"t"})
STATES = {"/here": HERE, "/locked": LOCKED_NAME}


def outcome(conditions: Conditions, own: State, *, reading: bool = False) -> int:
    """200 if all hold, else the status of the refusal."""
    try:
        conditions.check(own, lambda href: STATES.get(href, ABSENT), reading=reading)
    except DavserverError as error:
        return int(error.status)
    return 200


# If: of the resource itself when it is there, not there, and not there but locked.
IF = [
    ("(<t>)", 200, 412, 200),
    ("(<u>)", 412, 412, 412),
    ("(Not <t>)", 412, 200, 412),
    ("(Not <u>)", 200, 200, 200),
    ('(["e"])', 200, 412, 412),
    ('(["f"])', 412, 412, 412),
    ('([W/"e"])', 412, 412, 412),
    ("([e])", 412, 412, 412),
    ('(Not ["e"])', 412, 200, 200),
    ('(<t> ["e"])', 200, 412, 412),
    ('(<t> ["f"])', 412, 412, 412),
    ('(<t> Not ["f"])', 200, 412, 200),
    ('(<u>) (["e"])', 200, 412, 412),
    ("(<t>) (Not <DAV:no-lock>)", 200, 200, 200),
    ("(<DAV:no-lock>)", 412, 412, 412),
    # Tagged: whatever the request's own resource is.
    ("</here> (<t>)", 200, 200, 200),
    ("</here> (<u>)", 412, 412, 412),
    ('</here> (["e"])', 200, 200, 200),
    ('</nowhere> (["e"])', 412, 412, 412),
    ('</nowhere> (Not ["e"])', 200, 200, 200),
    ("</locked> (<t>)", 200, 200, 200),
    ('</here> (["f"]) </locked> (<t>)', 200, 200, 200),
    ('</here> (["f"]) (["e"])', 200, 200, 200),
    ('</here> (["f"]) </locked> (<u>)', 412, 412, 412),
]


@pytest.mark.parametrize("header, here, absent, locked", IF)
def test_if(header: str, here: int, absent: int, locked: int) -> None:
    conditions = Conditions(lists=parse_if(header))
    assert [outcome(conditions, state) for state in (HERE, ABSENT, LOCKED_NAME)] == [
        here,
        absent,
        locked,
    ]
    # Also for a GET it is a precondition, and never 304.
    assert outcome(conditions, HERE, reading=True) == here


AGO = SECOND - timedelta(seconds=1)
# Of what is there to read, to write, and of what is not there to write.
RFC_9110 = [
    (Conditions(), 200, 200, 200),
    (Conditions(if_match=('"e"',)), 200, 200, 412),
    (Conditions(if_match=('"f"', '"e"')), 200, 200, 412),
    (Conditions(if_match=('W/"e"',)), 412, 412, 412),
    (Conditions(if_match=("*",)), 200, 200, 412),
    (Conditions(if_match=('"f"',)), 412, 412, 412),
    (Conditions(if_none_match=('"e"',)), 304, 412, 200),
    (Conditions(if_none_match=('W/"e"',)), 304, 412, 200),
    (Conditions(if_none_match=('"f"', '"e"')), 304, 412, 200),
    (Conditions(if_none_match=("*",)), 304, 412, 200),
    (Conditions(if_none_match=('"f"',)), 200, 200, 200),
    (Conditions(if_modified_since=SECOND), 304, 200, 200),
    (Conditions(if_modified_since=AGO), 200, 200, 200),
    (Conditions(if_modified_since=SECOND, if_none_match=('"f"',)), 200, 200, 200),
    (Conditions(if_unmodified_since=SECOND), 200, 200, 200),
    (Conditions(if_unmodified_since=AGO), 412, 412, 200),
    (Conditions(if_unmodified_since=AGO, if_match=('"e"',)), 200, 200, 412),
    (Conditions(if_match=('"e"',), if_none_match=('"e"',)), 304, 412, 412),
    (Conditions(if_match=('"f"',), if_none_match=('"e"',)), 412, 412, 412),
    (Conditions(tokens=frozenset({"t"})), 200, 200, 200),
]


@pytest.mark.parametrize("conditions, read, write, create", RFC_9110)
def test_rfc_9110(conditions: Conditions, read: int, write: int, create: int) -> None:
    assert outcome(conditions, HERE, reading=True) == read
    assert outcome(conditions, HERE) == write
    assert outcome(conditions, ABSENT) == create


@pytest.mark.parametrize("conditions, read, write, create", RFC_9110)
def test_no_condition_is_left_out(
    conditions: Conditions, read: int, write: int, create: int
) -> None:
    if {read, write, create} != {200}:
        assert conditions.are_there
    assert not Conditions(tokens=frozenset({"t"})).are_there
