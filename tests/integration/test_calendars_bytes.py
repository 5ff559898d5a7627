"""Bytes in, bytes out: what is stored is what was sent, and what is refused changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from calendars.errors import CALDAV, CARDDAV, DAV
from tests.integration.calendars_client import (
    OBJECT_MAX,
    Town,
    card,
    component,
    event,
    later,
    task,
    town,
)

DATA = f"{CALDAV}calendar-data"


@pytest.fixture
def hall(database_url: str) -> Iterator[Town]:
    yield from town(database_url)


def _folded() -> bytes:
    return event(DESCRIPTION="x" * 60 + "\r\n yyy\r\n\tzzz")


ODD = {
    "plain": event(),
    "folded": _folded(),
    "LF endings": event().replace(b"\r\n", b"\n"),
    "mixed endings": event().replace(b"\r\n", b"\n", 3),
    "no end of line at the end": event().rstrip(),
    "blank lines at the end": event() + b"\r\n\r\n",
    "trailing spaces": event(SUMMARY="Conseil   ", LOCATION="Mairie \t"),
    "byte order mark (R3)": b"\xef\xbb\xbf" + event(),
    "private properties": event(**{"X-APPLE-TRAVEL-ADVISORY-BEHAVIOR": "AUTOMATIC", "X-É": "é"}),
    "emoji": event(SUMMARY="Fête 🎉 👩‍👩‍👧 \u00a0\u2028"),
    "markup": event(SUMMARY="a < b && c > d ]]> &amp;"),
    "unknown zone without VTIMEZONE": event(DTSTART="20261203T170000", DTEND="20261203T190000")
    .replace(b"DTSTART:", b"DTSTART;TZID=/freeassociation.sourceforge.net/Europe/Paris:")
    .replace(b"DTEND:", b"DTEND;TZID=Nowhere:"),
    "lower case, odd order": event().replace(b"SUMMARY:", b"summary;language=fr:"),
    "method": event().replace(b"VERSION:2.0\r\n", b"METHOD:PUBLISH\r\nVERSION:2.0\r\n"),
    "without DTEND": component("VEVENT", {"UID": "x", "DTSTART;VALUE=DATE": "20261203"}),
    "two orphan exceptions": event(**{"RECURRENCE-ID": "20261203T170000Z"}).replace(
        b"END:VCALENDAR", event(**{"RECURRENCE-ID": "20261210T170000Z"}).split(b"EN\r\n")[1]
    ),
}


@pytest.mark.filterwarnings("ignore::icalendar.error.GloballyUniqueTZIDGuessed")
@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_an_event_is_given_back_to_the_byte(hall: Town, data: bytes) -> None:
    bruno = hall.client("bruno")
    made = bruno.put("agenda/odd.ics", data)
    assert made.status == 201, made.error
    got = bruno.request("GET", "agenda/odd.ics")
    assert (got.body, got.headers["ETag"]) == (data, made.headers["ETag"])
    assert got.headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    reply = bruno.multiget("agenda/", "odd.ics")
    href = bruno.path("agenda/odd.ics")
    assert reply.text(href, DATA) == data.decode()
    assert reply.text(href, f"{DAV}getetag") == made.headers["ETag"]
    length = bruno.propfind("agenda/odd.ics", f"{DAV}getcontentlength")
    assert length.text(href, f"{DAV}getcontentlength") == str(len(data))


@pytest.mark.parametrize(
    "data",
    [
        card(),
        b"\xef\xbb\xbf" + card(),
        card().replace(b"\r\n", b"\n"),
        card(version="4.0"),
        card().replace(b"END:", b"item1.X-ABLabel:_$!<Work>!$_\r\nBDAY:--0412\r\nEND:"),
    ],
)
def test_a_contact_is_given_back_to_the_byte(hall: Town, data: bytes) -> None:
    bruno = hall.client("bruno")
    assert bruno.put("contacts/c.vcf", data).status == 201
    assert bruno.get("contacts/c.vcf") == data
    told = bruno.multiget("contacts/", "c.vcf").text(
        bruno.path("contacts/c.vcf"), f"{CARDDAV}address-data"
    )
    assert told == data.decode()


NAMES = [
    "séance.ics",
    "a b+c;d=e&f,g.ics",
    "100% été?.ics",
    "user@mairie.example.ics",
    "会議🎉.ics",
    "e\u0301te\u0301.ics",
    "sans-extension",
    ".cache",
    "quote'\".ics",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_kept_as_they_are(hall: Town, name: str) -> None:
    """R1: stock Radicale takes the bytes of PATH_INFO for characters."""
    bruno = hall.client("bruno")
    assert bruno.put(f"agenda/{name}", event()).status == 201
    assert bruno.get(f"agenda/{name}") == event()
    href = bruno.path(f"agenda/{name}")
    assert href in bruno.propfind("agenda/", f"{DAV}getetag", depth="1").responses()
    assert href in bruno.sync("agenda/").responses()
    assert bruno.multiget("agenda/", name).text(href, DATA) is not None
    assert bruno.request("DELETE", f"agenda/{name}").status == 204


def test_two_spellings_of_one_letter_are_two_names(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("agenda/\u00e9.ics", event(uid="composed"))
    bruno.put("agenda/e\u0301.ics", event(uid="decomposed"))
    assert b"UID:composed" in bruno.get("agenda/\u00e9.ics")


CAL, CARD = f"{CALDAV}", f"{CARDDAV}"
REFUSED = {
    "garbage": ("agenda/", b"garbage", 403, CAL + "valid-calendar-data"),
    "nothing": ("agenda/", b"", 403, CAL + "valid-calendar-data"),
    "half": ("agenda/", event()[:80], 403, CAL + "valid-calendar-data"),
    "latin-1": ("agenda/", event().decode().encode("latin-1"), 403, CAL + "valid-calendar-data"),
    "control": ("agenda/", event(SUMMARY="a\x08b"), 403, CAL + "valid-calendar-data"),
    "nul": ("agenda/", event(SUMMARY="a\0b"), 403, CAL + "valid-calendar-data"),
    "too many lines": (
        "agenda/",
        event().replace(b"UID", b"X:\n" * 30_000 + b"UID"),
        403,
        CAL + "valid-calendar-data",
    ),
    "two calendars": ("agenda/", event() + event(), 403, CAL + "valid-calendar-data"),
    "no start": (
        "agenda/",
        component("VEVENT", {"UID": "x"}),
        403,
        CAL + "valid-calendar-data",
    ),
    "broken start": ("agenda/", event(DTSTART="demain"), 403, CAL + "valid-calendar-data"),
    "broken rule": ("agenda/", event(RRULE="FREQ=SOON"), 403, CAL + "valid-calendar-data"),
    "no UID": ("agenda/", event(UID=""), 403, CAL + "valid-calendar-object-resource"),
    "long UID": ("agenda/", event(UID="x" * 2000), 403, CAL + "valid-calendar-object-resource"),
    "two UIDs": (
        "agenda/",
        event().replace(b"END:VCALENDAR", event(UID="b").split(b"EN\r\n")[1]),
        403,
        CAL + "valid-calendar-object-resource",
    ),
    "event and task": (
        "agenda/",
        event().replace(b"END:VCALENDAR", task(uid="séance").split(b"EN\r\n")[1]),
        403,
        CAL + "valid-calendar-object-resource",
    ),
    "task in agenda": ("agenda/", task(), 403, CAL + "supported-calendar-component"),
    "event in tasks": ("tasks/", event(), 403, CAL + "supported-calendar-component"),
    "contact in agenda": ("agenda/", card(), 403, CAL + "valid-calendar-data"),
    "event in contacts": ("contacts/", event(), 403, CARD + "valid-address-data"),
    "garbage in contacts": ("contacts/", b"garbage", 403, CARD + "valid-address-data"),
    "contact without UID": ("contacts/", card(uid=""), 403, CARD + "valid-address-data"),
    "vCard 2.1": ("contacts/", card(version="2.1"), 403, CARD + "supported-address-data"),
    "too large": (
        "agenda/",
        event(DESCRIPTION="x" * OBJECT_MAX),
        403,
        CAL + "max-resource-size",
    ),
    "too large a contact": (
        "contacts/",
        card(name="x" * OBJECT_MAX),
        403,
        CARD + "max-resource-size",
    ),
    "long name": ("agenda/" + "é" * 130, event(), 403, None),
    "no such agenda": ("nowhere/", event(), 409, None),
}


@pytest.mark.parametrize(("place", "data", "status", "precondition"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_stored_is_refused_with_its_precondition(
    hall: Town, place: str, data: bytes, status: int, precondition: str | None
) -> None:
    bruno = hall.client("bruno")
    reply = bruno.put(f"{place}x.ics", data)
    assert (reply.status, reply.precondition) == (status, precondition), reply.error
    assert bruno.request("GET", f"{place}x.ics").status == 404
    assert hall.journal() == []


def test_a_second_object_of_one_uid_is_refused_and_named(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("agenda/a b.ics", event())
    reply = bruno.put("agenda/other.ics", event(summary="again"))
    assert (reply.status, reply.precondition) == (409, f"{CALDAV}no-uid-conflict")
    assert reply.error and reply.error.hrefs == ("/calendars/bruno/agenda/a%20b.ics",)
    # Neither may another event take the place of this one.
    reply = bruno.put("agenda/a b.ics", event(uid="another"))
    assert (reply.status, reply.precondition) == (409, f"{CALDAV}no-uid-conflict")
    assert bruno.get("agenda/a b.ics") == event()
    # Elsewhere it may be, as may the same after a deletion.
    assert bruno.put("conseil/other.ics", event()).status == 201
    bruno.request("DELETE", "agenda/a b.ics")
    assert bruno.put("agenda/other.ics", event()).status == 201
    bruno.put("contacts/a.vcf", card())
    reply = bruno.put("contacts/b.vcf", card())
    assert (reply.status, reply.precondition) == (409, f"{CARDDAV}no-uid-conflict")


def test_conditions_hold_or_nothing_happens(hall: Town) -> None:
    bruno = hall.client("bruno")
    first = bruno.put("agenda/a.ics", event(), if_none_match="*").headers["ETag"]
    assert bruno.put("agenda/a.ics", event(summary="2"), if_none_match="*").status == 412
    assert bruno.put("agenda/a.ics", event(summary="2"), if_match='"other"').status == 412
    assert bruno.put("agenda/a.ics", event(summary="2"), if_match=f"W/{first}").status == 412
    assert bruno.put("agenda/b.ics", event(uid="b"), if_match="*").status == 412
    assert bruno.put("agenda/a.ics", event(summary="2"), if_match="nonsense").status == 400
    assert bruno.get("agenda/a.ics") == event()
    later(hall)
    reply = bruno.put("agenda/a.ics", event(summary="2"), if_match=f'"x", {first}')
    assert reply.status == 204
    second = reply.headers["ETag"]
    assert second != first
    assert bruno.request("DELETE", "agenda/a.ics", if_match=first).status == 412
    assert bruno.request("GET", "agenda/a.ics", if_none_match=second).status == 304
    assert bruno.request("GET", "agenda/a.ics", if_none_match=first).status == 200
    assert bruno.request("DELETE", "agenda/a.ics", if_match=second).status == 204


def test_the_same_bytes_again_are_no_change(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("agenda/a.ics", event())
    before = hall.collection("agenda", "bruno").revision
    assert bruno.put("agenda/a.ics", event()).status == 204
    assert hall.collection("agenda", "bruno").revision == before
    assert len(hall.journal()) == 1


def test_a_whole_agenda_is_one_calendar(hall: Town) -> None:
    """Whatever line ends its objects were stored with."""
    bruno = hall.client("bruno")
    bruno.put("conseil/a.ics", event(uid="a"))
    bruno.put("conseil/b.ics", event(uid="b").replace(b"\r\n", b"\n"))
    bruno.put("conseil/c.ics", b"\xef\xbb\xbf" + event(uid="c").rstrip())
    reply = hall.client("rita").request("GET", "conseil/")
    text = reply.body.decode()
    assert text.count("BEGIN:VCALENDAR") == 1
    assert [f"UID:{uid}" in text for uid in "abc"] == [True] * 3
    assert "X-WR-CALNAME;VALUE=TEXT:Conseil municipal" in text
    assert reply.headers["Content-Type"] == "text/calendar; charset=utf-8"


def test_head_says_what_get_would(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("agenda/a.ics", event())
    head = bruno.request("HEAD", "agenda/a.ics")
    got = bruno.request("GET", "agenda/a.ics")
    assert (head.status, head.body, head.headers) == (200, b"", got.headers)
