"""The tripwire: what people do never trips it, and what ransomware does is stopped in time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from acl import tripwire
from acl.actor import Actor
from acl.deeds import Deed, Kind
from acl.errors import NotStopped, UnknownName
from acl.journal import Act, Entry, entries
from acl.policy import Reason
from acl.tables import accounts, tallies
from acl.tripwire import Stop, Tripped, Tripwire
from config.settings import Tripwire as Limits
from tests.integration.calendars_client import event
from tests.integration.documents_client import (
    CONTRIBUTOR,
    Client,
    Hall,
    Reply,
    Snapshot,
    at,
    href,
    town,
)

SENTENCE = Reason.STOPPED.value
LETTER = "Madame, Monsieur, le conseil se réunira jeudi prochain à 18 h 30.\n".encode() * 20
# Low enough to be reached quickly; how high they are by default is tested by itself.
LOW = Limits(scrambled=5, renamed=5, deleted=8, overwritten=20)


def encrypted(number: int) -> bytes:
    """What LETTER may have become: no two alike."""
    return random.Random(number).randbytes(len(LETTER))


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    yield from founded(tmp_path, database_url, LOW)


@pytest.fixture
def ordinary(tmp_path: Path) -> Iterator[Hall]:
    """With the settings that hold where nobody has chosen any."""
    yield from founded(tmp_path, f"sqlite:///{tmp_path}/davserver.db", Limits())


def founded(tmp_path: Path, database_url: str, limits: Limits) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", database_url, tripwire=limits):
        hall.space("projet", {"bruno": CONTRIBUTOR})
        hall.device("bruno", "phone")
        yield hall


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


def fill(hall: Hall, number: int, content: bytes = LETTER) -> list[str]:
    """Letters in the council's space, from long ago."""
    names = [f"lettres/{n:04}.odt" for n in range(number)]
    for name in names:
        file = hall.disk("conseil", name)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    hall.recount("conseil")
    return names


def is_refusal(reply: Reply) -> bool:
    return reply.status == 403 and SENTENCE in reply.body.decode()


def stopped(hall: Hall) -> list[Stop]:
    with hall.database.read() as connection:
        return tripwire.stops(connection)


def contents(snapshot: Snapshot) -> dict[str, object]:
    """All on the disk but the empty directories of history."""
    return {
        path: content
        for path, content in snapshot.disk.items()
        if content != "folder" or not path.startswith("history/")
    }


def stop_rows(hall: Hall) -> list[Entry]:
    with hall.database.read() as connection:
        return [row for row in entries(connection) if row.action == "tripwire.stop"]


def counted(hall: Hall) -> dict[str, int]:
    with hall.database.read() as connection:
        query = sa.select(tallies.c.kind, sa.func.sum(tallies.c.count)).group_by(tallies.c.kind)
        return {row[0]: int(row[1]) for row in connection.execute(query)}


# What ransomware does with one document, in all the ways that clients offer.

Attack = Callable[[Client, str, int], Reply]


def over(client: Client, name: str, number: int) -> Reply:
    return client.put(at(name), encrypted(number))


def emptied_first(client: Client, name: str, number: int) -> Reply:
    client.put(at(name), b"")
    return client.put(at(name), encrypted(number))


def deleted_first(client: Client, name: str, number: int) -> Reply:
    client.delete(at(name))
    return client.put(at(name), encrypted(number))


def beside(client: Client, name: str, number: int) -> Reply:
    reply = client.put(at(f"{name}.locked"), encrypted(number))
    if reply.status == 201:
        client.delete(at(name))
    return reply


def beside_afterwards(client: Client, name: str, number: int) -> Reply:
    client.delete(at(name))
    return client.put(at(f"{name}.locked"), encrypted(number))


def moved_over(client: Client, name: str, number: int) -> Reply:
    client.put(at("lettres/work.tmp"), encrypted(number))
    return client.move(at("lettres/work.tmp"), at(name))


def moved_over_another(client: Client, name: str, number: int) -> Reply:
    client.put(href("projet", f"{number}"), encrypted(number))
    return client.move(href("projet", f"{number}"), at(name))


def deleted_and_moved(client: Client, name: str, number: int) -> Reply:
    client.put(at("lettres/work.tmp"), encrypted(number))
    client.delete(at(name))
    return client.move(at("lettres/work.tmp"), at(name))


def copied_over(client: Client, name: str, number: int) -> Reply:
    client.put(href("projet", "noise"), encrypted(0))
    return client.copy(href("projet", "noise"), at(name))


def renamed(client: Client, name: str, number: int) -> Reply:
    return client.move(at(name), at(f"{name}.{'LOCKED' if number % 2 else 'locked'}"))


def renamed_elsewhere(client: Client, name: str, number: int) -> Reply:
    return client.move(at(name), href("projet", f"{number}.locked"))


def deleted(client: Client, name: str, number: int) -> Reply:
    return client.delete(at(name))


ATTACKS = [
    (over, Kind.SCRAMBLED),
    (emptied_first, Kind.SCRAMBLED),
    (deleted_first, Kind.SCRAMBLED),
    (beside, Kind.SCRAMBLED),
    (beside_afterwards, Kind.SCRAMBLED),
    (moved_over, Kind.SCRAMBLED),
    (moved_over_another, Kind.SCRAMBLED),
    (deleted_and_moved, Kind.SCRAMBLED),
    (copied_over, Kind.SCRAMBLED),
    (renamed, Kind.RENAMED),
    (renamed_elsewhere, Kind.RENAMED),
    (deleted, Kind.DELETED),
]


@pytest.mark.parametrize("attack, kind", ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
def test_an_attack_is_stopped(hall: Hall, bruno: Client, attack: Attack, kind: Kind) -> None:
    names = fill(hall, 12)
    limit = getattr(LOW, kind)
    for number, name in enumerate(names[:limit]):
        reply = attack(bruno, name, number)
        assert reply.status in (201, 204), (number, reply)
    assert stopped(hall) == []
    assert is_refusal(attack(bruno, names[limit], limit))
    # The password is no longer good for anything, and what was not reached is as it was.
    assert attack(bruno, names[limit + 1], 99).status == 401
    assert bruno.get(at(names[-1])).status == 401
    for name in names[limit + 1 :]:
        assert hall.disk("conseil", name).read_bytes() == LETTER
    (stop,) = stopped(hall)
    assert (stop.login, stop.device, stop.kind) == ("bruno", "laptop", kind)
    assert (stop.count, stop.minutes) == (limit + 1, LOW.minutes)
    assert stop.ending == ("locked" if kind is Kind.RENAMED else "")
    assert stop.at == hall.now
    assert "conseil" in stop.spaces


def test_the_tripping_request_changes_nothing(hall: Hall, bruno: Client) -> None:
    names = fill(hall, 7)
    for number, name in enumerate(names[:5]):
        assert over(bruno, name, number).status == 204
    before = hall.snapshot()
    # Each would be one too many; only the first gets so far.
    for attack in (over, beside, copied_over, moved_over):
        assert attack(bruno, names[5], 5).status in (403, 401)
        after = hall.snapshot()
        assert (contents(after), after.tables) == (contents(before), before.tables)
        assert after.journal == before.journal + 1
    (row,) = stop_rows(hall)
    assert (row.login, row.device, row.address) == ("bruno", "laptop", "192.0.2.1")
    assert (row.space, row.path) == ("conseil", names[5])
    assert row.detail == {
        "kind": "scrambled",
        "ending": "",
        "count": 6,
        "minutes": 10,
        "device": "laptop",
        "revoked": True,
        "former": {"stopped_at": None},
    }


def test_a_stopped_account_reads_and_is_told_why(hall: Hall, bruno: Client) -> None:
    names = fill(hall, 6)
    phone = hall.client("bruno", "phone")
    agenda = "/calendars/bruno/agenda/a.ics"
    assert phone.put(agenda, event()).status == 201
    assert phone.put(at("eigen.txt"), b"x").status == 201
    for number, name in enumerate(names):
        over(bruno, name, number)
    before = hall.snapshot()
    assert phone.get(at(names[0])).body == encrypted(0)
    assert phone.get(agenda).status == 200
    assert "lettres" in phone.list(at(""))
    for reply in (
        phone.put(at("new.txt"), b"new"),
        phone.put(at(names[0]), LETTER),
        phone.put(at("._new.txt"), b"clutter"),
        phone.proppatch(at(names[0])),
        phone.lock(at(names[0])),
        phone.lock(at("new.txt")),
        phone.mkcol(at("new")),
        phone.delete(at(names[0])),
        phone.move(at(names[0]), at("new.txt")),
        phone.copy(at(names[0]), at("new.txt")),
        phone.put(agenda, event(summary="Autre chose")),
        phone.put("/calendars/bruno/conseil/b.ics", event()),
        phone.delete(agenda),
        phone.request("MKCALENDAR", "/calendars/bruno/new/"),
        phone.proppatch("/calendars/bruno/agenda/", {"{urn:x}colour": "red"}),
        phone.proppatch("/calendars/bruno/conseil/", {"{urn:x}colour": "red"}),
    ):
        assert is_refusal(reply), reply
    assert hall.snapshot() == before
    # In the language of the client.
    reply = phone.request("MKCOL", at("new"), headers={"Accept-Language": "fr"})
    assert "rançongiciel" in reply.body.decode()
    # Nobody else is concerned.
    assert hall.client("chloe").put(at(names[0]), LETTER).status == 204


def test_agendas_and_contacts_count_as_deletions(hall: Hall, bruno: Client) -> None:
    names = [f"/calendars/bruno/conseil/{number}.ics" for number in range(10)]
    for name in names:
        assert bruno.put(name, event(name)).status == 201
    replies = [bruno.delete(name) for name in names]
    assert [reply.status for reply in replies] == [204] * 8 + [403, 401]
    assert is_refusal(replies[8])
    for name in names[8:]:
        assert hall.client("chloe").get(name.replace("bruno", "chloe")).status == 200
    (stop,) = stopped(hall)
    assert (stop.space, stop.path, stop.kind) == ("conseil", "conseil/8.ics", Kind.DELETED)


# What people do.


def test_what_does_not_count(hall: Hall, bruno: Client) -> None:
    names = fill(hall, 30)
    for number, name in enumerate(names):
        # The dances of office programs, and backups of editors.
        lock = at(f"lettres/.~lock.{number}.odt#")
        assert bruno.put(lock, b",bruno;").status == 201
        assert bruno.delete(lock).status == 204
        assert bruno.put(at(f"lettres/~${number}.docx"), b"bruno").status == 201
        assert bruno.delete(at(f"lettres/~${number}.docx")).status == 204
        assert bruno.put(at(f"lettres/._{number}.odt"), b"clutter").status == 201
        assert bruno.delete(at(f"lettres/._{number}.odt")).status == 204
        ending = (".bak", "~", ".tmp", ".old", ".sb-1a2b3c4d-xYz", ".pdf", "")[number % 7]
        there = at(f"lettres/{number}{ending}")
        assert bruno.move(at(name), there).status == 201
        # New documents may look like anything.
        assert bruno.put(at(f"coffre-{number}.x9f3k2"), encrypted(number)).status == 201
        assert bruno.put(at(f"vide-{number}.odt"), b"").status == 201
        assert bruno.put(at(f"vide-{number}.odt"), encrypted(number)).status == 204
    for number in range(10):
        assert bruno.mkcol(at(f"dossier {number}")).status == 201
        assert bruno.move(at(f"dossier {number}"), at(f"dossier {number}.locked")).status == 201
    assert counted(hall) == {}


def test_the_console_is_never_counted(hall: Hall) -> None:
    fill(hall, 30)
    for _ in range(50):
        with hall.app.documents.change(Actor.console("root"), ("conseil",)) as change:
            change.act.deeds.extend([Deed(kind, None, "") for kind in Kind] * 50)
    assert counted(hall) == {} and stopped(hall) == []


def test_it_can_be_switched_off(tmp_path: Path, database_url: str) -> None:
    for hall in founded(tmp_path, database_url, replace_limits(enabled=False)):
        bruno = hall.client("bruno")
        for number, name in enumerate(fill(hall, 12)):
            assert over(bruno, name, number).status == 204
        assert counted(hall) == {} and stopped(hall) == []


def replace_limits(**changes: object) -> Limits:
    return LOW.model_copy(update=changes)


class Counter:
    """The counters alone: acts of one account with one device, without the documents."""

    def __init__(self, hall: Hall, limits: Limits, device: str = "laptop") -> None:
        self._hall = hall
        self._tripwire = Tripwire(hall.database, limits)
        with hall.database.read() as connection:
            registry = hall.app.documents.registry.current(connection)
        account = registry.by_login["bruno"]
        found = [one for one in registry.devices.values() if one.account_id == account.id]
        devices = {one.name: one for one in found}
        self._actor = Actor.of(account, devices[device] if device else None, "192.0.2.1")

    def do(self, kind: Kind, number: int, ending: str = "") -> None:
        """One act that does it so many times."""
        with self._tripwire.guard(), self._hall.database.write() as connection:
            act = Act(connection, self._actor, self._hall.now)
            act.deeds.extend([Deed(kind, None, "somewhere", ending)] * number)
            self._tripwire.count(act)


DAYS = {
    "rclone sync of 5,000 changed files": [(Kind.OVERWRITTEN, 50)] * 100,
    "500 files deleted": [(Kind.DELETED, 1)] * 500,
    "all of it, one after the other": [(Kind.OVERWRITTEN, 100), (Kind.DELETED, 10)] * 50,
    "a vault of secrets": [(Kind.SCRAMBLED, 1)] * 10,
}


@pytest.mark.parametrize("day", DAYS.values(), ids=DAYS)
def test_a_heavy_day_does_not_trip_the_defaults(hall: Hall, day: list[tuple[Kind, int]]) -> None:
    counter = Counter(hall, Limits())
    for kind, number in day:
        counter.do(kind, number)
    assert stopped(hall) == []


@pytest.mark.parametrize(
    "kind, most, ending",
    [
        (Kind.SCRAMBLED, 25, ""),
        (Kind.RENAMED, 50, "locked"),
        (Kind.DELETED, 2000, ""),
        (Kind.OVERWRITTEN, 10_000, ""),
    ],
)
@pytest.mark.parametrize("device", ["laptop", ""])
def test_the_defaults_trip(hall: Hall, kind: Kind, most: int, ending: str, device: str) -> None:
    counter = Counter(hall, Limits(), device)
    counter.do(kind, most - 5, ending)
    for _ in range(5):
        hall.later(minutes=1)
        counter.do(kind, 1, ending)
    with pytest.raises(Tripped) as caught:
        counter.do(kind, 1, ending)
    assert (caught.value.count, caught.value.deed.kind) == (most + 1, kind)
    (stop,) = stopped(hall)
    assert (stop.device, stop.kind, stop.ending, stop.count) == (device, kind, ending, most + 1)
    # What one too many would have added is not counted.
    assert sum(counted(hall).values()) == most


def test_a_big_reorganisation(ordinary: Hall) -> None:
    """Of which nothing is counted, however big: but for what is overwritten and deleted."""
    bruno = ordinary.client("bruno")
    names = fill(ordinary, 60)
    for number, name in enumerate(names):
        folder = at(f"dossier {number % 10}")
        if number < 10:
            assert bruno.mkcol(folder).status == 201
        assert bruno.move(at(name), f"{folder}/{number}.ODT").status == 201
    for number in range(10):
        assert bruno.move(at(f"dossier {number}"), at(f"Année {number}")).status == 201
    for number in range(60):
        there = at(f"Année {number % 10}/{number}.odt")
        assert bruno.move(at(f"Année {number % 10}/{number}.ODT"), there).status == 201
    assert counted(ordinary) == {}
    for number in range(60):
        there = at(f"Année {number % 10}/{number}.odt")
        assert bruno.put(there, b"PK\x03\x04" + encrypted(number)).status == 204
        assert bruno.delete(there).status == 204
    assert counted(ordinary) == {"overwritten": 60, "deleted": 60}
    assert stopped(ordinary) == []


# How it counts.


def test_each_ending_and_kind_and_device_is_counted_by_itself(hall: Hall) -> None:
    for device in ("laptop", "phone", ""):
        counter = Counter(hall, LOW, device)
        for ending in ("locked", "lockbit", "crypt"):
            counter.do(Kind.RENAMED, LOW.renamed, ending)
        counter.do(Kind.SCRAMBLED, LOW.scrambled)
        counter.do(Kind.DELETED, LOW.deleted)
    assert stopped(hall) == []
    with pytest.raises(Tripped):
        Counter(hall, LOW, "phone").do(Kind.RENAMED, 1, "crypt")
    assert [stop.device for stop in stopped(hall)] == ["phone"]


def test_only_the_last_minutes_count(hall: Hall) -> None:
    counter = Counter(hall, LOW)
    for _ in range(50):
        counter.do(Kind.SCRAMBLED, 1)
        # Never more than five in ten minutes.
        hall.later(minutes=2)
    assert stopped(hall) == []
    with hall.database.read() as connection:
        rows = connection.execute(sa.select(sa.func.count()).select_from(tallies)).scalar_one()
    assert rows == 5
    hall.now = hall.now.replace(second=0)
    counter.do(Kind.SCRAMBLED, 1)
    with pytest.raises(Tripped):
        counter.do(Kind.SCRAMBLED, 1)


def test_two_processes_share_the_count(hall: Hall, bruno: Client) -> None:
    names = fill(hall, 8)
    other = hall.process()
    statuses = [
        bruno.request("PUT", at(name), encrypted(number), app=(hall.app, other)[number % 2]).status
        for number, name in enumerate(names)
    ]
    assert statuses == [204] * 5 + [403] + [401] * 2
    other.database.close()


def test_many_trip_at_once(hall: Hall) -> None:
    """Two processes, two devices, many threads: one account is stopped, each device once."""
    names = fill(hall, 24)
    apps = hall.app, hall.process()
    clients = hall.client("bruno"), hall.client("bruno", "phone")
    statuses: list[int] = []
    gate = threading.Barrier(12)

    def attack(worker: int) -> None:
        gate.wait(timeout=30)
        client, app = clients[worker % 2], apps[worker // 2 % 2]
        for name in names[worker::12]:
            reply = client.request("PUT", at(name), encrypted(worker), app=app)
            statuses.append(reply.status)

    workers = [threading.Thread(target=attack, args=(number,)) for number in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
        assert not worker.is_alive()
    apps[1].database.close()
    assert len(statuses) == 24 and set(statuses) <= {204, 401, 403}
    # Before the account is stopped, each device may have come to its own limit.
    assert 5 <= statuses.count(204) <= 2 * LOW.scrambled
    changed = [name for name in names if hall.disk("conseil", name).read_bytes() != LETTER]
    assert len(changed) == statuses.count(204)
    rows = stop_rows(hall)
    assert 1 <= len(rows) <= 2 and len({row.device for row in rows}) == len(rows)
    assert len(stopped(hall)) == len(rows)


# And afterwards.


def release(hall: Hall, login: str = "bruno") -> list[Stop]:
    with hall.acting() as act:
        return tripwire.release(act, login)


def test_a_released_account_writes_again(hall: Hall, bruno: Client) -> None:
    names = fill(hall, 20)
    phone = hall.client("bruno", "phone")
    for number, name in enumerate(names[:6]):
        over(bruno, name, number)
    (stop,) = stopped(hall)
    assert is_refusal(phone.put(at(names[0]), LETTER))
    hall.later(minutes=1)
    assert release(hall) == [stop]
    assert stopped(hall) == [] and counted(hall) == {}
    assert phone.put(at(names[0]), LETTER).status == 204
    assert bruno.put(at(names[0]), LETTER).status == 401
    with hall.database.read() as connection:
        (row, *_) = [row for row in entries(connection) if row.action == "account.release"]
    assert (row.login, row.path) == ("root", "bruno")
    assert row.detail == {"stopped_at": stop.at.isoformat()}
    # It counts anew, and what it was stopped for before is over.
    for number, name in enumerate(names[10:15]):
        assert over(phone, name, number).status == 204
    assert is_refusal(over(phone, names[15], 15))
    assert [(stop.device, stop.count) for stop in stopped(hall)] == [("phone", 6)]


def test_only_a_stopped_account_is_released(hall: Hall) -> None:
    journal = hall.journal_size()
    with pytest.raises(NotStopped):
        release(hall)
    with pytest.raises(UnknownName):
        release(hall, "nobody")
    assert hall.journal_size() == journal


def test_a_stop_outlives_the_limits(hall: Hall, bruno: Client) -> None:
    """Nothing but a release lifts it: no time, no restart, no other setting."""
    names = fill(hall, 6)
    for number, name in enumerate(names):
        over(bruno, name, number)
    hall.settings = hall.settings.model_copy(update={"tripwire": replace_limits(enabled=False)})
    hall.restart()
    hall.later(days=30)
    assert is_refusal(hall.client("bruno", "phone").put(at("new.txt"), b"new"))


def test_a_second_device_that_trips_is_revoked_too(hall: Hall) -> None:
    """Its act had begun when the first device was stopped; time may run otherwise elsewhere."""
    laptop, phone = Counter(hall, LOW), Counter(hall, LOW, "phone")
    laptop.do(Kind.SCRAMBLED, 5)
    phone.do(Kind.SCRAMBLED, 5)
    with pytest.raises(Tripped):
        laptop.do(Kind.SCRAMBLED, 1)
    first = hall.now
    hall.later(seconds=-20)
    for _ in range(2):
        with pytest.raises(Tripped):
            phone.do(Kind.SCRAMBLED, 1)
    assert [(stop.device, stop.at) for stop in stopped(hall)] == [
        ("laptop", first),
        ("phone", first),
    ]
    with hall.database.read() as connection:
        query = sa.select(accounts.c.stopped_at).where(accounts.c.login == "bruno")
        assert connection.execute(query).scalar_one() == first
    assert len(release(hall)) == 2
