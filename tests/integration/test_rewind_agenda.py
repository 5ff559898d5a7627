"""Rewind: the agenda, the tasks and the contacts of a space, object by object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from acl.actor import Actor
from acl.tables import journal
from calendars import tables
from calendars.rewind import Reason
from davserver.documents import rewind
from davserver.documents.plan import Plan, What
from davserver.documents.rewind import Order
from tests.integration.calendars_client import card, event, task
from tests.integration.documents_client import CONTRIBUTOR, HOST, Hall, Reply, at, town

CONSOLE = Actor.console("root")
A = event("a", "A")
SYNC = (
    '<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token>'
    "<D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
)


@pytest.fixture
def hall(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    halls: list[Hall] = []
    # Agendas shall have the same clock as documents.
    monkeypatch.setattr("davserver.app.now", lambda: halls[0].now)
    for hall in town(tmp_path / "data", database_url):
        halls.append(hall)
        hall.space("projet", {"bruno": CONTRIBUTOR, "chloe": CONTRIBUTOR})
        for name in ("a", "b", "c"):
            assert put(hall, "bruno", f"conseil/{name}.ics", event(name, name.upper())) == 201
        put(hall, "bruno", "conseil-tasks/t.ics", task("t"))
        put(hall, "bruno", "conseil-contacts/c.vcf", card("c"))
        hall.later(minutes=10)
        yield hall


def ask(hall: Hall, login: str, method: str, path: str, body: bytes = b"", to: str = "") -> Reply:
    device = "phone" if (login, "phone") in hall.passwords else "laptop"
    headers = {"Destination": f"http://{HOST}/calendars/{login}/{to}"} if to else {}
    client = hall.client(login, device)
    reply = client.request(method, f"/calendars/{login}/{path}", body, headers)
    hall.later(seconds=10)
    return reply


def put(hall: Hall, login: str, path: str, body: bytes) -> int:
    return ask(hall, login, "PUT", path, body).status


def objects(hall: Hall, slug: str = "conseil") -> dict[str, bytes]:
    """What is in the space's collections."""
    query = sa.select(tables.collections.c.name.label("collection"), tables.objects).join(
        tables.objects, tables.objects.c.collection_id == tables.collections.c.id
    )
    with hall.database.read() as connection:
        return {
            f"{row.collection}/{row.name}": row.data
            for row in connection.execute(query)
            if row.collection.startswith(slug)
        }


def undo(hall: Hall, moment: datetime, login: str = "", device: str = "", path: str = "") -> Plan:
    order = Order("conseil", moment, login, device, path)
    planned = rewind.preview(hall.app.documents, CONSOLE, order)
    hall.later(seconds=10)
    done = rewind.rewind(hall.app.documents, CONSOLE, order)
    assert done.entries == planned.entries
    assert all(one.what is What.LEFT for one in again(hall, order).agenda)
    consistent(hall)
    return done


def again(hall: Hall, order: Order) -> Plan:
    return rewind.preview(hall.app.documents, CONSOLE, order)


def consistent(hall: Hall) -> None:
    """What the tables hold agrees."""
    hall.consistent()
    with hall.database.read() as connection:
        revisions = {
            row.id: row.revision for row in connection.execute(sa.select(tables.collections))
        }
        names = {
            (row.collection_id, row.name): row.revision
            for row in connection.execute(sa.select(tables.objects))
        }
        for (collection_id, _), revision in names.items():
            assert 0 < revision <= revisions[collection_id]
        for row in connection.execute(sa.select(tables.tombstones)):
            assert (row.collection_id, row.name) not in names


@dataclass(frozen=True)
class Case:
    """Requests (who, method, path, body or destination), whose are undone, and what differs from
    what was: text by path, None for what is gone. `left` are the reasons for what is left."""

    acts: Sequence[tuple[str, str, str, bytes | str]]
    login: str = ""
    due: dict[str, bytes | None] | None = None
    left: Sequence[Reason] = ()


BRUNO, CHLOE = "bruno", "chloe"
CASES = {
    "a new event": Case([(BRUNO, "PUT", "conseil/new.ics", event("new"))]),
    "an event changed": Case([(BRUNO, "PUT", "conseil/a.ics", event("a", "changed"))]),
    "an event changed often": Case(
        [(BRUNO, "PUT", "conseil/a.ics", event("a", f"changed {n}")) for n in range(5)]
    ),
    "an event deleted": Case([(BRUNO, "DELETE", "conseil/a.ics", b"")]),
    "an event deleted, and another one made": Case(
        [(BRUNO, "DELETE", "conseil/a.ics", b""), (BRUNO, "PUT", "conseil/a.ics", event("other"))]
    ),
    "an event renamed": Case([(BRUNO, "MOVE", "conseil/a.ics", "conseil/moved.ics")]),
    "an event moved to another space": Case([(BRUNO, "MOVE", "conseil/a.ics", "projet/a.ics")]),
    "an event moved away": Case([(BRUNO, "MOVE", "conseil/a.ics", "agenda/a.ics")]),
    "an event moved here": Case(
        [
            (BRUNO, "PUT", "agenda/x.ics", event("x")),
            (BRUNO, "MOVE", "agenda/x.ics", "conseil/x.ics"),
        ]
    ),
    "two that exchange their names": Case(
        [
            (BRUNO, "MOVE", "conseil/a.ics", "projet/a.ics"),
            (BRUNO, "MOVE", "conseil/b.ics", "conseil/a.ics"),
            (BRUNO, "MOVE", "projet/a.ics", "conseil/b.ics"),
        ]
    ),
    "tasks and contacts": Case(
        [
            (BRUNO, "PUT", "conseil-tasks/t.ics", task("t", "done")),
            (BRUNO, "DELETE", "conseil-contacts/c.vcf", b""),
        ]
    ),
    "only what one did": Case(
        [
            (BRUNO, "PUT", "conseil/a.ics", event("a", "bad")),
            (CHLOE, "PUT", "conseil/b.ics", event("b", "good")),
        ],
        BRUNO,
        {"conseil/b.ics": event("b", "good")},
    ),
    "what somebody changed since is left alone": Case(
        [
            (BRUNO, "PUT", "conseil/a.ics", event("a", "bad")),
            (CHLOE, "PUT", "conseil/a.ics", event("a", "good")),
        ],
        BRUNO,
        {"conseil/a.ics": event("a", "good")},
        [Reason.CHANGED],
    ),
    "what somebody changed before comes back": Case(
        [
            (CHLOE, "PUT", "conseil/a.ics", event("a", "good")),
            (BRUNO, "PUT", "conseil/a.ics", event("a", "bad")),
            (BRUNO, "DELETE", "conseil/a.ics", b""),
        ],
        BRUNO,
        {"conseil/a.ics": event("a", "good")},
    ),
    "a UID that somebody else has now": Case(
        [
            (BRUNO, "DELETE", "conseil/a.ics", b""),
            (CHLOE, "PUT", "conseil/again.ics", event("a", "good")),
        ],
        BRUNO,
        {"conseil/a.ics": None, "conseil/again.ics": event("a", "good")},
        [Reason.TAKEN],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_was_done_is_undone_and_done_again(hall: Hall, name: str) -> None:
    case, before, moment = CASES[name], objects(hall), hall.now
    hall.later(seconds=10)
    for who, method, path, more in case.acts:
        body, to = (more, "") if isinstance(more, bytes) else (b"", more)
        assert ask(hall, who, method, path, body, to).status < 300
    after = objects(hall)
    plan = undo(hall, moment, case.login)
    due = {**before, **(case.due or {})}
    assert objects(hall) == {path: text for path, text in due.items() if text is not None}
    assert [one.reason for one in plan.agenda if one.what is What.LEFT] == [
        reason.value for reason in case.left
    ]
    hall.later(seconds=10)
    undo(hall, plan.at - timedelta(microseconds=1))
    assert objects(hall) == after


def test_phones_learn_of_it(hall: Hall) -> None:
    """What comes back and what goes is in the next synchronisation."""
    moment = hall.now
    hall.later(seconds=10)
    put(hall, "bruno", "conseil/new.ics", event("new"))
    ask(hall, "bruno", "DELETE", "conseil/a.ics")
    first = ask(hall, "bruno", "REPORT", "conseil/", SYNC.format("").encode())
    token = first.xml.findtext("{DAV:}sync-token", "")
    undo(hall, moment)
    second = ask(hall, "bruno", "REPORT", "conseil/", SYNC.format(token).encode())
    statuses = {
        href.rpartition("/")[2]: response.findtext("{DAV:}status", "200")
        for href, response in second.responses().items()
    }
    assert statuses["a.ics"] == "200" and "404" in statuses["new.ics"]
    assert set(statuses) == {"a.ics", "new.ics"}


def test_documents_and_agenda_go_back_in_one_act(hall: Hall) -> None:
    moment, before = hall.now, objects(hall)
    hall.later(seconds=10)
    ask(hall, "bruno", "DELETE", "conseil/a.ics")
    hall.client("bruno").put(at("new.txt"), b"new")
    plan = undo(hall, moment)
    assert (objects(hall), hall.documents("conseil")) == (before, {})
    with hall.database.read() as connection:
        last = connection.execute(sa.select(journal).order_by(journal.c.id.desc())).first()
    assert last is not None and last.action == "space.rewind"
    assert last.detail["counts"] == {"trash": 1, "returns": 1}
    assert [(one.place, one.logins) for one in plan.agenda] == [("conseil/a.ics", ("bruno",))]


def test_a_folder_has_no_agenda(hall: Hall) -> None:
    hall.client("bruno").mkcol(at("dossier"))
    moment = hall.now
    hall.later(seconds=10)
    ask(hall, "bruno", "DELETE", "conseil/a.ics")
    assert undo(hall, moment, path="dossier").entries == ()
    assert "conseil/a.ics" not in objects(hall)


def test_what_the_journal_does_not_have_is_left(hall: Hall) -> None:
    """Rows of earlier versions do not say what was moved."""
    moment = hall.now
    hall.later(seconds=10)
    ask(hall, "bruno", "MOVE", "conseil/a.ics", to="projet/a.ics")
    with hall.database.write() as connection:
        row = connection.execute(sa.select(journal).where(journal.c.action == "agenda.move")).one()
        detail = {name: value for name, value in row.detail.items() if name != "moved"}
        connection.execute(journal.update().where(journal.c.id == row.id).values(detail=detail))
    plan = undo(hall, moment)
    assert [one.reason for one in plan.agenda] == [Reason.UNKNOWN.value]


def test_one_device(hall: Hall) -> None:
    hall.device("bruno", "phone")
    moment = hall.now
    hall.later(seconds=10)
    put(hall, "bruno", "conseil/a.ics", event("a", "from the phone"))
    del hall.passwords["bruno", "phone"]
    put(hall, "bruno", "conseil/b.ics", event("b", "from the laptop"))
    undo(hall, moment, "bruno", "phone")
    found = objects(hall)
    assert found["conseil/a.ics"] == A
    assert found["conseil/b.ics"] == event("b", "from the laptop")
