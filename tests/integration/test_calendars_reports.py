"""Reports: what matches, and that one odd object does not spoil the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import sqlalchemy as sa

from calendars import tables
from calendars.errors import CALDAV, CARDDAV, DAV
from tests.integration.calendars_client import Client, Reply, Town, card, event, task, town

DATA = f"{CALDAV}calendar-data"
DECEMBER = '<C:time-range start="20261201T000000Z" end="20270101T000000Z"/>'
EXPAND = (
    '<C:calendar-data><C:expand start="20261201T000000Z" end="20270101T000000Z"/></C:calendar-data>'
)


@pytest.fixture
def hall(database_url: str) -> Iterator[Town]:
    yield from town(database_url)


def _names(client: Client, path: str, reply: Reply) -> set[str]:
    assert reply.status == 207, reply.error
    return {href.removeprefix(client.path(path)) for href in reply.responses()}


def _of(kind: str, inside: str) -> str:
    return f'<C:comp-filter name="{kind}">{inside}</C:comp-filter>'


def _text(name: str, text: str) -> str:
    return f'<C:prop-filter name="{name}"><C:text-match>{text}</C:text-match></C:prop-filter>'


WEEKLY = event(uid="weekly", DTSTART="20260105T080000Z", DTEND="20260105T090000Z").replace(
    b"SUMMARY", b"RRULE:FREQ=WEEKLY\r\nSUMMARY"
)
ENDED = event(uid="ended", DTSTART="20260105T080000Z", DTEND="20260105T090000Z").replace(
    b"SUMMARY", b"RRULE:FREQ=WEEKLY;UNTIL=20260401T000000Z\r\nSUMMARY"
)
EVENTS = {
    "session.ics": event(uid="session"),
    "january.ics": event(uid="january", DTSTART="20270110T100000Z", DTEND="20270110T110000Z"),
    "weekly.ics": WEEKLY,
    "ended.ics": ENDED,
    "day.ics": event(uid="day", DTEND="20261226")
    .replace(b"DTSTART:20261203T170000Z", b"DTSTART;VALUE=DATE:20261225")
    .replace(b"DTEND:", b"DTEND;VALUE=DATE:"),
}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (_of("VEVENT", ""), set(EVENTS)),
        (_of("VEVENT", DECEMBER), {"session.ics", "weekly.ics", "day.ics"}),
        (_of("VEVENT", _text("UID", "january")), {"january.ics"}),
        (
            _of("VEVENT", DECEMBER + _text("SUMMARY", "CONSEIL")),
            {"session.ics", "weekly.ics", "day.ics"},
        ),
        (_of("VTODO", ""), set()),
        ("", set(EVENTS)),
    ],
)
def test_queries_find_what_matches(hall: Town, filters: str, expected: set[str]) -> None:
    bruno = hall.client("bruno")
    for name, body in EVENTS.items():
        assert bruno.put(f"conseil/{name}", body).status == 201
    rita = hall.client("rita")
    assert _names(rita, "conseil/", rita.query("conseil/", filters)) == expected


def test_expansion_gives_the_occurrences_in_the_range(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("conseil/weekly.ics", WEEKLY)
    bruno.put("conseil/ended.ics", ENDED)
    reply = bruno.query("conseil/", _of("VEVENT", DECEMBER), EXPAND)
    text = reply.text(bruno.path("conseil/weekly.ics"), DATA)
    assert text is not None and text.count("BEGIN:VEVENT") == 4 and "RRULE" not in text
    assert _names(bruno, "conseil/", reply) == {"weekly.ics"}


ORPHANS = event(uid="orphans", **{"RECURRENCE-ID": "20261203T170000Z"}).replace(
    b"END:VCALENDAR",
    event(uid="orphans", **{"RECURRENCE-ID": "20261210T170000Z"}).split(b"EN\r\n")[1],
)
PERIOD = event(uid="period").replace(
    b"SUMMARY", b"RDATE;VALUE=PERIOD:20261205T100000Z/PT1H\r\nSUMMARY"
)


@pytest.mark.parametrize("odd", [ORPHANS, PERIOD], ids=["orphans", "period"])
def test_an_object_that_radicale_cannot_read_is_given_as_it_is(hall: Town, odd: bytes) -> None:
    bruno = hall.client("bruno")
    bruno.put("conseil/good.ics", event())
    assert bruno.put("conseil/odd.ics", odd).status == 201
    for filters in (_of("VEVENT", ""), _of("VEVENT", DECEMBER), _of("VEVENT", _text("UID", "x"))):
        for data in ("<C:calendar-data/>", EXPAND):
            reply = bruno.query("conseil/", filters, data)
            names = _names(bruno, "conseil/", reply)
            assert ("good.ics" in names) == ('name="UID"' not in filters), (filters, data)
    reply = bruno.query("conseil/", _of("VEVENT", ""))
    assert reply.text(bruno.path("conseil/odd.ics"), DATA) == odd.decode()
    assert bruno.request("GET", "conseil/").status == 200


def test_a_broken_row_breaks_nothing_else(hall: Town) -> None:
    """Nothing stores such today; an import, or a disk, might."""
    bruno = hall.client("bruno")
    bruno.put("conseil/good.ics", event())
    bruno.put("conseil/bad.ics", event(uid="bad"))
    with hall.database.write() as connection:
        connection.execute(
            tables.objects.update()
            .where(tables.objects.c.uid == "bad")
            .values(data=b"BEGIN:VCALENDAR\r\n\x00\x07not a calendar \xc3\xa9")
        )
    good = bruno.path("conseil/good.ics")
    for reply in (
        bruno.propfind("conseil/", f"{DAV}getetag", f"{DAV}getcontentlength", depth="1"),
        bruno.sync("conseil/"),
        bruno.multiget("conseil/", "good.ics", "bad.ics"),
        bruno.query("conseil/", _of("VEVENT", DECEMBER)),
        bruno.query("conseil/", _of("VEVENT", DECEMBER), EXPAND),
    ):
        assert reply.status == 207 and good in reply.responses()
    assert "FREEBUSY" in bruno.request("REPORT", "conseil/", FREE_BUSY).body.decode()
    assert b"s\xc3\xa9ance" in bruno.get("conseil/")


FREE_BUSY = (
    f'<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">{DECEMBER}</C:free-busy-query>'
)


def test_busy_times_say_when_and_nothing_else(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("conseil/secret.ics", event(summary="Licenciement"))
    bruno.put("conseil/odd.ics", ORPHANS)
    reply = hall.client("denis").request("REPORT", "conseil/", FREE_BUSY)
    assert reply.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert "FREEBUSY;FBTYPE=BUSY:20261203T170000Z/20261203T190000Z" in reply.body.decode()
    assert "Licenciement" not in reply.body.decode()


@pytest.mark.parametrize(
    ("path", "body", "status", "precondition"),
    [
        ("conseil/", "<C:nonsense xmlns:C='urn:ietf:params:xml:ns:caldav'/>", 403, "report"),
        ("contacts/", FREE_BUSY, 403, "report"),
        ("", "<D:sync-collection xmlns:D='DAV:'/>", 403, "report"),
        ("conseil/", FREE_BUSY.replace("20261201T000000Z", "demain"), 400, None),
        ("conseil/", FREE_BUSY.replace(DECEMBER, ""), 400, None),
        ("", "<D:expand-property xmlns:D='DAV:'/>", 207, None),
    ],
)
def test_reports_that_cannot_be_answered(
    hall: Town, path: str, body: str, status: int, precondition: str | None
) -> None:
    reply = hall.client("rita").request("REPORT", path, body)
    expected = f"{DAV}supported-{precondition}" if precondition else None
    assert (reply.status, reply.precondition) == (status, expected)


@pytest.mark.parametrize(
    "filters",
    [
        _of("VEVENT", "<C:nonsense/>"),
        _of("VEVENT", '<C:time-range start="demain"/>'),
        _of("VEVENT", "<C:time-range/>"),
        "<C:comp-filter/>",
        _of("VEVENT", '<C:prop-filter name="UID"><C:comp-filter name="x"/></C:prop-filter>'),
    ],
)
def test_a_filter_that_means_nothing_is_refused(hall: Town, filters: str) -> None:
    reply = hall.client("rita").query("conseil/", filters)
    assert (reply.status, reply.precondition) == (403, f"{CALDAV}valid-filter")


def test_contacts_are_found_by_their_text(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("conseil-contacts/c.vcf", card())
    bruno.put("conseil-contacts/v4.vcf", card(uid="v4", name="Zoé", version="4.0"))
    query = (
        '<CR:addressbook-query xmlns:D="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><D:prop>'
        '<D:getetag/><CR:address-data/></D:prop><CR:filter><CR:prop-filter name="FN">'
        '<CR:text-match match-type="{}">{}</CR:text-match></CR:prop-filter></CR:filter>'
        "</CR:addressbook-query>"
    )
    ask = bruno.request("REPORT", "conseil-contacts/", query.format("contains", "dupré"))
    assert _names(bruno, "conseil-contacts/", ask) == {"c.vcf"}
    assert ask.text(bruno.path("conseil-contacts/c.vcf"), f"{CARDDAV}address-data")
    ask = bruno.request("REPORT", "conseil-contacts/", query.format("rhymes", "x"))
    assert (ask.status, ask.precondition) == (403, f"{CARDDAV}supported-filter")


def test_multiget_answers_for_each_href_as_it_was_spelt(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("agenda/a@b.ics", event())
    hrefs = [
        "/calendars/bruno/agenda/a@b.ics",
        "/calendars/bruno/agenda/missing.ics",
        "/calendars/chloe/agenda/a.ics",
        "/calendars/bruno/agenda/",
        "http://mairie.example/calendars/bruno/agenda/a%40b.ics",
        "http://[",
        "",
    ]
    for href in hrefs:
        body = (
            '<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
            f"<D:prop><D:getetag/></D:prop><D:href>{href}</D:href></C:calendar-multiget>"
        )
        reply = bruno.request("REPORT", "agenda/", body)
        (response,) = reply.xml.iterfind(f"{DAV}response")
        assert response.findtext(f"{DAV}href") == href
        found = response.find(f"{DAV}propstat") is not None
        assert found == ("b.ics" in href), href


def test_an_empty_prop_still_names_the_members(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("agenda/a.ics", event())
    body = '<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:prop/></D:sync-collection>'
    reply = bruno.request("REPORT", "agenda/", body)
    response = reply.responses()[bruno.path("agenda/a.ics")]
    assert "200" in response.findtext(f"{DAV}propstat/{DAV}status", "")


def test_long_answers_are_compressed_for_who_can_read_them(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("agenda/a.ics", event(DESCRIPTION="x" * 2000))
    body = '<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'
    plain = bruno.request("PROPFIND", "", body, depth="1")
    packed = bruno.request("PROPFIND", "", body, depth="1", accept_encoding="br, gzip;q=0.5")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 2
    refused = bruno.request("PROPFIND", "", body, depth="1", accept_encoding="gzip;q=0, br")
    assert "Content-Encoding" not in refused.headers
    # A strong ETag says which bytes are sent.
    got = bruno.request("GET", "agenda/a.ics", accept_encoding="gzip")
    assert "Content-Encoding" not in got.headers


def test_nothing_is_parsed_but_for_filters(hall: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    bruno = hall.client("bruno")

    def fail(_: str) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr("calendars.collection.read_components", fail)
    bruno.put("conseil/a.ics", event())
    bruno.put("conseil/a.ics", event(summary="2"))
    everything = '<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'
    for path in ("", "conseil/", "conseil/a.ics"):
        assert bruno.request("PROPFIND", path, everything, depth="1").status == 207
    for reply in (
        bruno.sync("conseil/"),
        bruno.multiget("conseil/", "a.ics"),
        bruno.query("conseil/", _of("VEVENT", "")),
    ):
        assert bruno.path("conseil/a.ics") in reply.responses()
    assert bruno.request("GET", "conseil/").status == 200


class _Statements:
    """The SQL that one request takes."""

    def __init__(self, hall: Town) -> None:
        self.count = 0
        sa.event.listen(hall.database.engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.count += 1


def test_the_number_of_statements_does_not_grow_with_what_is_stored(hall: Town) -> None:
    bruno = hall.client("bruno")
    costs = []
    for size in (3, 30):
        for number in range(size):
            bruno.put(f"conseil/{size}-{number}.ics", event(uid=f"{size}-{number}"))
            bruno.put(f"conseil-tasks/{size}-{number}.ics", task(uid=f"{size}-{number}"))
        names = [f"{size}-{number}.ics" for number in range(size)]
        cost = []
        asks: list[Callable[[], Reply]] = [
            partial(bruno.propfind, "", f"{DAV}sync-token", depth="1"),
            partial(bruno.propfind, "conseil/", f"{DAV}getetag", depth="1"),
            partial(bruno.multiget, "conseil/", *names),
            partial(bruno.sync, "conseil/"),
            partial(bruno.query, "conseil/", _of("VEVENT", DECEMBER)),
            partial(bruno.put, f"conseil/new{size}.ics", event(uid=f"new{size}")),
        ]
        for ask in asks:
            statements = _Statements(hall)
            assert ask().status in (201, 207)
            cost.append(statements.count)
            sa.event.remove(hall.database.engine, "before_cursor_execute", statements._count)
        costs.append(cost)
    assert costs[0] == costs[1]
