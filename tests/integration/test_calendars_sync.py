"""Synchronisation: tokens, ctags, and several processes over one database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import pytest
import sqlalchemy as sa

from calendars import tables
from calendars.errors import DAV
from tests.integration.calendars_client import Client, Reply, Town, event, town

CTAG = "{http://calendarserver.org/ns/}getctag"
TOKEN = f"{DAV}sync-token"


@pytest.fixture
def hall(database_url: str) -> Iterator[Town]:
    yield from town(database_url)


def _changes(reply: Reply) -> tuple[str, dict[str, bool]]:
    """The new token, and what changed: whether it is still there, by name."""
    changed = {}
    for response in reply.xml.iterfind(f"{DAV}response"):
        name = unquote(response.findtext(f"{DAV}href", "")).rpartition("/")[2]
        changed[name] = response.find(f"{DAV}propstat") is not None
    return reply.xml.findtext(TOKEN, ""), changed


def test_a_client_learns_each_change_once(hall: Town) -> None:
    bruno, rita = hall.client("bruno"), hall.client("rita")
    token, changed = _changes(rita.sync("conseil/"))
    assert changed == {}
    steps = [
        (("PUT", "conseil/a.ics", event(uid="a")), {"a.ics": True}),
        (("PUT", "conseil/b.ics", event(uid="b")), {"b.ics": True}),
        (("PUT", "conseil/a.ics", event(uid="a", summary="2")), {"a.ics": True}),
        (("DELETE", "conseil/b.ics", b""), {"b.ics": False}),
        (("PUT", "conseil/b.ics", event(uid="b")), {"b.ics": True}),
        (("DELETE", "conseil/a.ics", b""), {"a.ics": False}),
        (("GET", "conseil/b.ics", b""), {}),
    ]
    tokens = [token]
    for (method, path, body), expected in steps:
        assert bruno.request(method, path, body).status < 300
        token, changed = _changes(rita.sync("conseil/", token))
        assert changed == expected
        tokens.append(token)
    # From any earlier state the way is as short, and from none it is what there is.
    assert _changes(rita.sync("conseil/", tokens[2])) == (token, {"a.ics": False, "b.ics": True})
    assert _changes(rita.sync("conseil/")) == (token, {"b.ics": True})


def test_a_move_is_seen_on_both_sides(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("agenda/a.ics", event())
    own, _ = _changes(bruno.sync("agenda/"))
    shared, _ = _changes(bruno.sync("conseil/"))
    assert _move(bruno, "agenda/a.ics", "conseil/b.ics").status == 201
    assert _changes(bruno.sync("agenda/", own))[1] == {"a.ics": False}
    assert _changes(bruno.sync("conseil/", shared))[1] == {"b.ics": True}
    assert bruno.get("conseil/b.ics") == event()


def test_a_token_from_elsewhere_is_refused(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("agenda/a.ics", event())
    mine = bruno.sync("agenda/").xml.findtext(TOKEN, "")
    stem, _, revision = mine.rpartition("/")
    bogus = [
        "http://example.com/bogus/1",
        bruno.sync("conseil/").xml.findtext(TOKEN, ""),
        f"{stem}/{int(revision) + 1}",
        f"{stem}/-1",
        f"{stem}/",
        f"{stem}/1x",
        f"{stem}/\u0661",
        f"{stem}/{'9' * 40}",
        revision,
    ]
    for token in bogus:
        reply = bruno.sync("agenda/", token)
        assert (reply.status, reply.precondition) == (403, f"{DAV}valid-sync-token"), token
    assert bruno.sync("agenda/", mine).status == 207


def test_ctag_and_token_move_with_every_change_and_only_then(hall: Town) -> None:
    bruno, rita = hall.client("bruno"), hall.client("rita")

    def state(client: Client) -> tuple[str | None, ...]:
        reply = client.propfind("conseil/", CTAG, TOKEN)
        href = client.path("conseil/")
        return reply.text(href, CTAG), reply.text(href, TOKEN)

    seen = [state(rita)]
    for method, body in (("PUT", event()), ("PUT", event(summary="2")), ("DELETE", b"")):
        bruno.request(method, "conseil/a.ics", body)
        assert state(rita) not in seen
        seen.append(state(rita))
        # Reading, another's colours and what is refused change nothing.
        rita.sync("conseil/", seen[-1][1] or "")
        rita.put("conseil/b.ics", event())
        bruno.put("conseil/b.ics", b"garbage")
        bruno.proppatch("conseil/", color="#112233")
        assert state(rita) == seen[-1]


def test_a_report_writes_nothing(hall: Town) -> None:
    hall.client("bruno").put("conseil/a.ics", event())

    def everything() -> list[list[tuple[object, ...]]]:
        with hall.database.read() as connection:
            return [
                [tuple(row) for row in connection.execute(sa.select(table))]
                for table in (tables.collections, tables.objects, tables.tombstones, tables.views)
            ]

    before = everything()
    rita = hall.client("rita")
    rita.sync("conseil/")
    rita.multiget("conseil/", "a.ics")
    rita.query("conseil/", '<C:comp-filter name="VEVENT"/>')
    rita.propfind("", CTAG, TOKEN, depth="1")
    assert everything() == before


def test_processes_keep_nothing_from_each_other(hall: Town) -> None:
    one = hall.client("bruno", application=hall.process())
    other = hall.client("rita", application=hall.process())
    token, _ = _changes(other.sync("conseil/"))
    etag = one.put("conseil/a.ics", event()).headers["ETag"]
    assert other.request("GET", "conseil/a.ics").headers["ETag"] == etag
    token, changed = _changes(other.sync("conseil/", token))
    assert changed == {"a.ics": True}
    hall.leave("conseil", "rita")
    assert other.request("GET", "conseil/a.ics").status == 404
    assert "conseil" not in other.listed()


def test_writers_at_the_same_time_lose_nothing(hall: Town) -> None:
    """One of several puts under If-Match wins; each change has a revision of its own."""
    processes = [hall.process() for _ in range(3)]
    clients = [hall.client("bruno", application=process) for process in processes]
    etag = clients[0].put("conseil/shared.ics", event(uid="shared")).headers["ETag"]

    def write(number: int) -> list[int]:
        client = clients[number % 3]
        fresh = client.put(f"conseil/{number}.ics", event(uid=str(number)))
        body = event(uid="shared", summary=str(number))
        return [fresh.status, client.put("conseil/shared.ics", body, if_match=etag).status]

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(write, range(12)))
    assert [fresh for fresh, _ in results] == [201] * 12
    assert sorted(status for _, status in results) == [204] + [412] * 11
    assert hall.collection("conseil").revision == 14
    with hall.database.read() as connection:
        revisions = list(connection.scalars(sa.select(tables.objects.c.revision)))
    assert len(set(revisions)) == len(revisions) == 13


def _move(client: Client, source: str, to: str, **headers: str) -> Reply:
    url = f"http://mairie.example{client.path(to)}"
    return client.request("MOVE", source, destination=url, **headers)
