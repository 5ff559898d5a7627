"""What the index holds of an object, and how conditions, tokens and paths are read."""

from __future__ import annotations

import datetime

import pytest

from acl.errors import NotFound
from calendars import content, sync
from calendars.conditions import Conditions
from calendars.content import FOREVER, NEVER
from calendars.errors import InvalidSyncToken
from calendars.paths import Path
from config.errors import MalformedRequest, PreconditionFailed


def _object(*lines: str, kind: str = "VEVENT", more: tuple[str, ...] = ()) -> bytes:
    inner = (f"BEGIN:{kind}", "UID:u", *lines, f"END:{kind}")
    body = ("BEGIN:VCALENDAR", "VERSION:2.0", *inner, *more, "END:VCALENDAR")
    return "".join(f"{line}\r\n" for line in body).encode()


def _at(text: str) -> int:
    moment = datetime.datetime.strptime(text, "%Y%m%dT%H%M%S")
    return int(moment.replace(tzinfo=datetime.UTC).timestamp())


# Lines, a moment that must lie within, and one that should not.
RANGES = [
    (("DTSTART:20261203T170000Z", "DTEND:20261203T190000Z"), "20261203T180000", "20261210T000000"),
    (("DTSTART:20261203T170000Z", "DURATION:P9D"), "20261212T160000", "20261220T000000"),
    (("DTSTART;VALUE=DATE:20261203",), "20261203T235959", "20261210T000000"),
    (("DTSTART:20261203T170000",), "20261204T030000", "20261206T000000"),
    (
        ("DTSTART;TZID=Pacific/Auckland:20261203T010000", "DURATION:PT1H"),
        "20261202T123000",
        "20261205T000000",
    ),
    (
        ("DTSTART:20260105T080000Z", "RRULE:FREQ=WEEKLY;UNTIL=20260401T000000Z"),
        "20260330T080000",
        "20260501T000000",
    ),
    (
        ("DTSTART:20260105T080000Z", "RDATE:20270105T080000Z,20270106T080000Z"),
        "20270106T080000",
        "20270110T000000",
    ),
    (
        ("DTSTART:20260105T080000Z", "RDATE;VALUE=PERIOD:20270105T080000Z/20270105T100000Z"),
        "20270105T093000",
        "20270110T000000",
    ),
]


@pytest.mark.parametrize(("lines", "inside", "outside"), RANGES)
def test_all_occurrences_lie_in_the_range(
    lines: tuple[str, ...], inside: str, outside: str
) -> None:
    found = content.read(_object(*lines), "VCALENDAR")
    assert found.starts <= _at(inside) < found.ends
    assert not found.starts <= _at(outside) < found.ends


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY", "FREQ=YEARLY;COUNT=500", "FREQ=DAILY\r\nRRULE:FREQ=WEEKLY;COUNT=2"]
)
def test_a_rule_that_does_not_say_when_it_ends_goes_on(rule: str) -> None:
    found = content.read(_object("DTSTART:20260105T080000Z", f"RRULE:{rule}"), "VCALENDAR")
    assert (found.ends, found.starts > NEVER) == (FOREVER, True)


def test_exceptions_widen_the_range() -> None:
    moved = (
        "BEGIN:VEVENT",
        "UID:u",
        "RECURRENCE-ID:20260112T080000Z",
        "DTSTART:20260601T080000Z",
        "END:VEVENT",
    )
    data = _object(
        "DTSTART:20260105T080000Z", "RRULE:FREQ=WEEKLY;UNTIL=20260201T000000Z", more=moved
    )
    assert content.read(data, "VCALENDAR").ends > _at("20260601T080000")


@pytest.mark.parametrize(
    ("kind", "lines", "everywhere"),
    [
        ("VTODO", (), True),
        ("VTODO", ("DTSTART:20260105T080000Z",), True),
        ("VTODO", ("DTSTART:20260105T080000Z", "DUE:20260106T080000Z"), False),
        ("VTODO", ("DUE:20260106T080000Z",), True),
        ("VJOURNAL", (), True),
        ("VJOURNAL", ("DTSTART;VALUE=DATE:20260105",), False),
    ],
)
def test_tasks_without_times_are_found_at_any(
    kind: str, lines: tuple[str, ...], everywhere: bool
) -> None:
    found = content.read(_object(*lines, kind=kind), "VCALENDAR")
    assert ((found.starts, found.ends) == (NEVER, FOREVER)) is everywhere
    assert found.component == kind


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:20260105T080000Z", "GEO:nowhere"),
        ("DTSTART:20260105T080000Z", "LAST-MODIFIED:yesterday"),
        ("DTSTART:20260105T080000Z", "ATTENDEE;PARTSTAT=??:mailto:x"),
        ("DTSTART:00010101T000000Z", "DTEND:99991231T235959Z"),
        ("DTSTART:20260105T080000Z", "DTEND:20250105T080000Z"),
    ],
)
def test_what_does_not_matter_may_be_odd(lines: tuple[str, ...]) -> None:
    found = content.read(_object(*lines), "VCALENDAR")
    assert found.uid == "u" and found.starts <= found.ends


def test_xml_can_carry_whatever_is_stored() -> None:
    assert content.text_of(b"a\x00b\x0bc\xff\r\n\t") == "abc\ufffd\r\n\t"
    odd = "\ufeffé🎉\u2028\r\n".encode()
    assert content.text_of(odd).encode() == odd


A, B = '"a"', '"b"'


@pytest.mark.parametrize(
    ("headers", "etag", "holds"),
    [
        ({}, None, True),
        ({}, A, True),
        ({"HTTP_IF_MATCH": A}, A, True),
        ({"HTTP_IF_MATCH": A}, B, False),
        ({"HTTP_IF_MATCH": A}, None, False),
        ({"HTTP_IF_MATCH": "*"}, A, True),
        ({"HTTP_IF_MATCH": "*"}, None, False),
        ({"HTTP_IF_MATCH": f" {B} , {A}"}, A, True),
        ({"HTTP_IF_MATCH": f"W/{A}"}, A, False),
        ({"HTTP_IF_NONE_MATCH": "*"}, None, True),
        ({"HTTP_IF_NONE_MATCH": "*"}, A, False),
        ({"HTTP_IF_NONE_MATCH": A}, A, False),
        ({"HTTP_IF_NONE_MATCH": f"W/{A}"}, A, False),
        ({"HTTP_IF_NONE_MATCH": A}, B, True),
    ],
)
def test_conditions(headers: dict[str, str], etag: str | None, holds: bool) -> None:
    conditions = Conditions.of(headers)
    if holds:
        conditions.check(etag)
    else:
        with pytest.raises(PreconditionFailed):
            conditions.check(etag)


@pytest.mark.parametrize("header", ["", "a", '"a', "a,b", '"a" "b"', "W/a"])
def test_conditions_that_mean_nothing(header: str) -> None:
    with pytest.raises(MalformedRequest):
        Conditions.of({"HTTP_IF_MATCH": header})


@pytest.mark.parametrize(
    ("token", "since"),
    [
        ("", 0),
        ("http://davserver/ns/sync/u/0", 0),
        ("http://davserver/ns/sync/u/7", 7),
        ("http://davserver/ns/sync/u/8", None),
        ("http://davserver/ns/sync/v/7", None),
        ("http://davserver/ns/sync/u/", None),
        ("http://davserver/ns/sync/u/7/", None),
        ("http://davserver/ns/sync/u/ 7", None),
        ("http://davserver/ns/sync/u/\u0667", None),
        ("7", None),
    ],
)
def test_tokens(token: str, since: int | None) -> None:
    assert sync.token("u", 7) == "http://davserver/ns/sync/u/7"
    if since is None:
        with pytest.raises(InvalidSyncToken):
            sync.since(token, "u", 7)
    else:
        assert sync.since(token, "u", 7) == since


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", Path()),
        ("", Path()),
        ("/chloe/", Path("chloe")),
        ("/chloe", Path("chloe")),
        ("/chloe/agenda/", Path("chloe", "agenda")),
        ("/chloe/agenda/é.ics", Path("chloe", "agenda", "é.ics")),
    ],
)
def test_paths(text: str, path: Path) -> None:
    assert Path.parse(text) == path
    assert Path.parse(str(path)) == path


def test_a_path_too_deep_is_not_there() -> None:
    with pytest.raises(NotFound):
        Path.parse("/chloe/agenda/a/b")
