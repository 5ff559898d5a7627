"""Retention as it is carried out: what is freed, what is said of it, and what a crash leaves."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from acl import spaces
from acl.journal import entries
from acl.tables import spaces as space_rows
from config.settings import Retention
from davserver.documents import counts, retention
from davserver.documents.leases import Lease
from davserver.documents.tables import kept, leases, properties
from davserver.upkeep import SERVER, Upkeep
from tests.integration.documents_client import (
    CONTRIBUTOR,
    START,
    Client,
    Hall,
    at,
    href,
    plant,
    town,
)


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", database_url):
        hall.space("projet", {"bruno": CONTRIBUTOR})
        yield hall


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


def run(hall: Hall) -> None:
    """What the server does every hour."""
    documents, settings = hall.app.documents, hall.settings
    counts.count(documents, SERVER)
    retention.run(documents, settings.retention, settings.zone, SERVER)


def runs(hall: Hall) -> list[dict[str, object]]:
    """What the journal says that retention has done, the last first."""
    with hall.database.read() as connection:
        return [
            {"space": row.space, "login": row.login, **row.detail}
            for row in entries(connection)
            if row.action == "retention.run"
        ]


def keep(hall: Hall, **days: int | None) -> None:
    """Give the council's space rules of its own."""
    with hall.acting() as act:
        spaces.set_retention(act, "conseil", {f"{name}_days": n for name, n in days.items()})


def save(bruno: Client, *contents: str, minutes: float = 60) -> None:
    """Save a document several times, at such intervals."""
    for content in contents:
        assert bruno.put(at("lettre.txt"), content).status in (201, 204)
        bruno.hall.later(minutes=minutes)


def history(hall: Hall) -> list[bytes]:
    """The documents that history keeps of the council."""
    found = hall.history("conseil").values()
    return sorted(content for content in found if isinstance(content, bytes))


def used(hall: Hall) -> tuple[int, int]:
    """The bytes that the council's live documents use, and its history."""
    with hall.database.read() as connection:
        space = hall.app.documents.registry.current(connection).spaces["conseil"]
        found = spaces.shares(connection, (space.id,))[space.id]
    return found.live, found.history


# What goes

# Versions that are left after so many days and three hours.
_LEFT = {29: 8, 30: 7, 31: 5, 32: 3, 364: 3, 365: 2, 366: 1, 367: 0}


def test_every_version_then_one_a_day_then_none(hall: Hall, bruno: Client) -> None:
    # Noon on three days, and twice more on each.
    for day in range(3):
        save(bruno, *(f"{day}.{number}" for number in range(3)))
        hall.later(days=1, hours=-3)
    assert used(hall) == (3, 24)
    for days, left in _LEFT.items():
        hall.now = START + timedelta(days=days, hours=3)
        run(hall)
        assert len(history(hall)) == left, days
        assert used(hall) == (3, 3 * left)
        hall.consistent()
    assert hall.documents("conseil") == {"lettre.txt": b"2.2"}


def test_the_trash_goes_with_all_that_was_in_it(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    assert bruno.delete(at("dossier")).status == 204
    assert bruno.delete(at("lettre.txt")).status == 204
    hall.later(days=90)
    run(hall)
    assert len(hall.history("conseil")) > 2
    hall.later(seconds=1)
    run(hall)
    assert hall.history("conseil") == {}
    assert used(hall) == (0, 0)
    (row,) = runs(hall)
    size = len(b"lettre" + b"note" + b"fiche")
    assert row == {
        "space": "conseil",
        "login": "davserver",
        "versions": 0,
        "trash": 2,
        "bytes": size,
    }
    with hall.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count(kept.c.uid))).scalar_one() == 0
        assert connection.execute(sa.select(sa.func.count(properties.c.name))).scalar_one() == 0
    hall.consistent()


def test_rows_are_written_only_when_something_goes(hall: Hall, bruno: Client) -> None:
    save(bruno, "a", "b")
    rows = hall.journal_size()
    run(hall)
    run(hall)
    assert hall.journal_size() == rows


def test_each_space_by_its_own_rules(hall: Hall, bruno: Client) -> None:
    for slug in ("conseil", "projet"):
        for content in ("a", "b", "c"):
            bruno.put(href(slug, "x"), content)
            hall.later(hours=1)
    keep(hall, keep=7, daily=14, trash=20)
    hall.later(days=14, hours=1)
    run(hall)
    assert hall.history("conseil") == {}
    assert sorted(hall.history("projet").values()) == [b"a", b"b"]
    assert [row["space"] for row in runs(hall)] == ["conseil"]
    keep(hall, keep=None, daily=None, trash=None)
    bruno.put(at("x"), "d")
    hall.later(days=15)
    run(hall)
    assert list(hall.history("conseil").values()) == [b"c"]


def test_nothing_goes_before_seven_days_whatever_stands_in_the_database(
    hall: Hall, bruno: Client
) -> None:
    save(bruno, "a", "b", minutes=1)
    bruno.delete(at("lettre.txt"))
    with hall.database.write() as connection:
        values = {"keep_days": 0, "daily_days": -5, "trash_days": 0}
        connection.execute(space_rows.update().values(values))
    settings = Retention.model_construct(keep_days=0, daily_days=0, trash_days=0)
    hall.now += timedelta(days=7) - timedelta(minutes=2)
    retention.run(hall.app.documents, settings, None, SERVER)
    assert history(hall) == [b"a", b"b"]
    hall.later(minutes=2, seconds=1)
    retention.run(hall.app.documents, settings, None, SERVER)
    assert history(hall) == []


def test_rules_that_change_meanwhile_are_respected(
    hall: Hall, bruno: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody wants it to be kept for longer, at the very moment when it is about to go."""
    save(bruno, "a", "b", "c")
    hall.later(days=40)
    decide = retention.freed

    def meanwhile(*arguments: object) -> list[str]:
        going = decide(*arguments)  # type: ignore[arg-type]
        keep(hall, keep=60)
        return going

    with monkeypatch.context() as patch:
        patch.setattr(retention, "freed", meanwhile)
        run(hall)
    assert history(hall) == [b"a", b"b"]
    run(hall)
    assert history(hall) == [b"a", b"b"]


def test_what_was_restored_meanwhile_stays(
    hall: Hall, bruno: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(bruno)
    bruno.delete(at("dossier"))
    hall.later(days=100)
    (entry,) = bruno.list("/history/conseil/trash")
    decide = retention.freed

    def meanwhile(*arguments: object) -> list[str]:
        going = decide(*arguments)  # type: ignore[arg-type]
        if going:
            there = quote(f"/history/conseil/trash/{entry}")
            assert bruno.move(there, at("dossier")).status == 201
        return going

    with monkeypatch.context() as patch:
        patch.setattr(retention, "freed", meanwhile)
        run(hall)
    assert bruno.get(at("dossier/sous/fiche.txt")).body == b"fiche"
    assert runs(hall) == []
    hall.consistent()


def test_more_than_one_batch(hall: Hall, bruno: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_BATCH", 4)
    save(bruno, *(f"{number}" for number in range(10)), minutes=3)
    hall.later(days=366)
    run(hall)
    assert [row["versions"] for row in runs(hall)] == [1, 4, 4]
    assert history(hall) == []
    hall.consistent()


def test_it_leaves_the_rest_for_another_time_when_told_to_stop(
    hall: Hall, bruno: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 4)
    save(bruno, *(f"{number}" for number in range(10)), minutes=3)
    hall.later(days=366)
    asked = iter((False, True))
    documents, settings = hall.app.documents, hall.settings.retention
    retention.run(documents, settings, None, SERVER, stopped=lambda: next(asked))
    assert len(history(hall)) == 5
    hall.consistent()


# Saves in a row


def go_on(hall: Hall, days: float) -> list[bytes]:
    """What history still keeps some days after the beginning."""
    hall.now = START + timedelta(days=days)
    run(hall)
    return history(hall)


def test_saves_in_a_row_go_after_a_week_and_not_sooner(hall: Hall, bruno: Client) -> None:
    save(bruno, "old", minutes=60)
    save(bruno, "one", "two", "three", minutes=1)
    hall.later(minutes=60)
    save(bruno, "last")
    assert go_on(hall, 7) == [b"old", b"one", b"three", b"two"]
    # "three" stood for an hour; the others were saved over within a minute.
    assert go_on(hall, 8) == [b"old", b"three"]


def test_saves_of_two_people_are_no_row(hall: Hall, bruno: Client) -> None:
    chloe = hall.client("chloe")
    save(bruno, "a")
    for number in range(2):
        save(bruno, f"b{number}", minutes=1)
        save(chloe, f"c{number}", minutes=1)
    assert go_on(hall, 8) == [b"a", b"b0", b"b1", b"c0"]


def test_saves_by_way_of_another_name_are_a_row_too(hall: Hall, bruno: Client) -> None:
    save(bruno, "old")
    for number in range(3):
        bruno.put(at("lettre.tmp"), f"{number}")
        assert bruno.move(at("lettre.tmp"), at("lettre.txt")).status == 204
        hall.later(minutes=1)
    hall.later(minutes=60)
    save(bruno, "last")
    assert go_on(hall, 8) == [b"2", b"old"]


def test_an_old_document_that_only_came_to_the_name_is_no_save(hall: Hall, bruno: Client) -> None:
    bruno.put(at("precious"), b"precious")
    hall.later(days=1)
    save(bruno, "old")
    assert bruno.move(at("precious"), at("lettre.txt")).status == 204
    hall.later(seconds=30)
    save(bruno, "last")
    assert go_on(hall, 10) == [b"old", b"precious"]


def test_what_the_past_shows_of_a_version_that_is_gone(hall: Hall, bruno: Client) -> None:
    """What replaced it stands for it, as nothing else is left."""
    save(bruno, "old", "one", "two", "three", minutes=1)
    moment = quote("/history/conseil/2026-11-23T12:01:30Z/lettre.txt")
    assert bruno.get(moment).body == b"one"
    hall.now = START + timedelta(days=8)
    save(bruno, "last")
    run(hall)
    assert bruno.get(moment).body == b"three"


# In one process at a time


def test_one_process_at_a_time(hall: Hall, bruno: Client) -> None:
    save(bruno, "a", "b")
    hall.later(days=366)
    other = hall.process()
    here, there = Upkeep(hall.app.documents, hall.settings), Upkeep(other.documents, hall.settings)
    assert (here.run(), there.run(), here.run()) == (True, False, False)
    assert len(runs(hall)) == 1
    # Its time has come again, for whoever looks first.
    hall.later(minutes=59)
    assert not there.run()
    hall.later(minutes=1)
    assert (there.run(), here.run()) == (True, False)
    other.database.close()


def test_a_dead_process_does_not_keep_the_job(hall: Hall) -> None:
    def lease() -> Lease:
        return Lease(hall.database, "job", lambda: hall.now, timedelta(minutes=15))

    dead, heir, other = lease(), lease(), lease()
    assert (dead.take(), heir.take(), heir.renew()) == (True, False, False)
    hall.later(minutes=10)
    assert dead.renew() and not heir.take()
    hall.later(minutes=14)
    assert not heir.take()
    hall.later(minutes=1)
    assert heir.take()
    # It was not dead, after all.
    assert not dead.renew()
    assert heir.renew(timedelta(hours=1))
    hall.later(minutes=59)
    assert not other.take() and not heir.take()
    hall.later(minutes=1)
    assert other.take()
    with hall.database.read() as connection:
        assert len(connection.execute(sa.select(leases)).all()) == 1


def test_a_process_that_lost_the_job_stops_in_the_middle(
    hall: Hall, bruno: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 1)
    save(bruno, "a", "b", "c", "d")
    hall.later(days=366)
    upkeep = Upkeep(hall.app.documents, hall.settings)
    ask = Upkeep._stopped

    def stopped(upkeep: Upkeep) -> bool:
        if runs(hall):
            with hall.database.write() as connection:
                connection.execute(leases.update().values(holder="another"))
        return ask(upkeep)

    monkeypatch.setattr(Upkeep, "_stopped", stopped)
    assert not upkeep.run()
    assert len(runs(hall)) == 1


def test_clutter_and_abandoned_uploads_go_too(hall: Hall, bruno: Client) -> None:
    bruno.put(at(".DS_Store"), b"clutter")
    bruno.put(at("kept"), b"kept")
    hall.store.staged("0" * 32).write_bytes(b"abandoned")
    hall.now = START + timedelta(days=10_000)
    assert Upkeep(hall.app.documents, hall.settings).run()
    assert bruno.get(at(".DS_Store")).status == 404
    assert bruno.list(at("")) == ["kept"]
    hall.consistent()


def test_there_is_no_other_way_to_free_anything(hall: Hall, bruno: Client) -> None:
    save(bruno, "a", "b")
    bruno.delete(at("lettre.txt"))
    (entry,) = bruno.list("/history/conseil/trash")
    alice = hall.client("alice")
    for client in (bruno, hall.client("chloe"), alice):
        for path in (f"trash/{entry}", "trash", "", "2026-11-23T13:00Z/lettre.txt"):
            address = quote(f"/history/conseil/{path}", safe="/:(,)")
            assert client.delete(address).status in (403, 404)
            assert client.put(address, b"").status in (403, 404, 405, 409)
    assert history(hall) == [b"a", b"b"]


# In the thread of a server


def test_a_failure_ends_neither_the_thread_nor_the_server(
    hall: Hall, bruno: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(bruno, "a", "b")
    hall.later(days=366)
    tried, done = [], Event()
    real = Upkeep.run

    def run_(upkeep: Upkeep) -> bool:
        tried.append(upkeep)
        if len(tried) == 1:
            raise OSError(errno.EIO, "Input/output error")
        try:
            return real(upkeep)
        finally:
            done.set()

    monkeypatch.setattr(Upkeep, "run", run_)
    upkeep = Upkeep(hall.app.documents, hall.settings, first=0, then=0)
    upkeep.start()
    assert done.wait(60)
    upkeep.stop(60)
    assert not upkeep._thread.is_alive()
    assert len(runs(hall)) == 1
    ended = len(tried)
    assert ended >= 2
    assert bruno.get(at("lettre.txt")).body == b"b"
