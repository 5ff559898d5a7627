"""Changes of the registry: journalled, seen everywhere at once, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from acl import accounts, devices, groups, journal, members, registry, spaces
from acl.actor import Actor
from acl.errors import (
    AlreadyInGroup,
    AlreadyRestricted,
    BadEmail,
    BadLocale,
    BadName,
    BadQuota,
    BadTitle,
    NameTaken,
    NotInGroup,
    NotMember,
    ReservedSlug,
    UnknownName,
    UselessDevice,
)
from acl.journal import Act
from acl.registry import Registry, RegistryCache
from acl.roles import Role
from config.database import Database
from config.errors import DavserverError

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HASH = "$argon2id$not-a-hash"


@dataclass
class Town:
    """One database, opened twice: as by two processes."""

    database: Database
    other: Database
    cache: RegistryCache

    def do(self, change: Callable[[Act], object]) -> None:
        with self.database.write() as connection:
            change(Act(connection, Actor.console("root"), NOW))

    def seen_by_the_other(self) -> Registry:
        with self.other.read() as connection:
            return self.cache.current(connection)

    def actions(self) -> list[str]:
        with self.other.read() as connection:
            return [entry.action for entry in journal.entries(connection)]


@pytest.fixture
def hall(database_url: str) -> Iterator[Town]:
    database, other = Database(database_url), Database(database_url)
    database.migrate()
    hall = Town(database, other, RegistryCache())
    hall.do(lambda act: accounts.add(act, "anne", name="Anne", password_hash=HASH))
    hall.do(lambda act: groups.add(act, "bureau", title="Bureau"))
    hall.do(lambda act: groups.join(act, "bureau", "anne"))
    hall.do(lambda act: spaces.add(act, "conseil", title="Conseil"))
    hall.do(lambda act: members.add(act, "conseil", "anne", Role.READER))
    hall.do(lambda act: members.restrict(act, "conseil", "Paie"))
    hall.do(lambda act: members.add(act, "conseil", "@bureau", Role.READER, folder="Paie"))
    hall.do(lambda act: devices.add(act, "anne", "portable"))
    yield hall
    database.close()
    other.close()


CHANGES: list[tuple[str, Callable[[Act], object], Callable[[Registry], bool]]] = [
    # journalled as, change, what the other process then sees
    (
        "account.add",
        lambda act: accounts.add(act, "rene", name="René", expires_at=NOW + timedelta(1)),
        lambda seen: seen.by_login["rene"].expires_at == NOW + timedelta(1),
    ),
    (
        "account.password",
        lambda act: accounts.set_password(act, "anne", "$new"),
        lambda seen: seen.by_login["anne"].password_hash == "$new",
    ),
    (
        "account.disable",
        lambda act: accounts.set_disabled(act, "anne", True),
        lambda seen: not seen.by_login["anne"].active(NOW),
    ),
    (
        "account.enable",
        lambda act: accounts.set_disabled(act, "anne", False),
        lambda seen: seen.by_login["anne"].active(NOW),
    ),
    (
        "group.add",
        lambda act: groups.add(act, "agents"),
        lambda seen: seen.by_group_name["agents"].title == "agents",
    ),
    (
        "group.leave",
        lambda act: groups.leave(act, "bureau", "anne"),
        lambda seen: seen.by_login["anne"].groups == frozenset(),
    ),
    (
        "space.add",
        lambda act: spaces.add(act, "rh", confidential=True, quota_bytes=5),
        lambda seen: seen.spaces["rh"].confidential and seen.spaces["rh"].quota_bytes == 5,
    ),
    (
        "space.archive",
        lambda act: spaces.set_archived(act, "conseil", True),
        lambda seen: seen.spaces["conseil"].archived,
    ),
    (
        "space.unarchive",
        lambda act: spaces.set_archived(act, "conseil", False),
        lambda seen: not seen.spaces["conseil"].archived,
    ),
    (
        "member.add",
        lambda act: members.add(act, "conseil", "@bureau", Role.MANAGER),
        lambda seen: (
            [line.role for line in seen.spaces["conseil"].members] == [Role.READER, Role.MANAGER]
        ),
    ),
    # Again with another role: that replaces it.
    (
        "member.add",
        lambda act: members.add(act, "conseil", "anne", Role.MANAGER),
        lambda seen: [line.role for line in seen.spaces["conseil"].members] == [Role.MANAGER],
    ),
    (
        "member.remove",
        lambda act: members.remove(act, "conseil", "anne"),
        lambda seen: seen.spaces["conseil"].members == (),
    ),
    (
        "member.remove",
        lambda act: members.remove(act, "conseil", "@bureau", folder="Paie"),
        lambda seen: seen.spaces["conseil"].restricted == {"Paie": ()},
    ),
    (
        "folder.restrict",
        lambda act: members.restrict(act, "conseil", "Paie/2026"),
        lambda seen: set(seen.spaces["conseil"].restricted) == {"Paie", "Paie/2026"},
    ),
    (
        "folder.unrestrict",
        lambda act: members.unrestrict(act, "conseil", "Paie"),
        lambda seen: seen.spaces["conseil"].restricted == {},
    ),
    (
        "device.add",
        lambda act: devices.add(act, "anne", "tablette", documents=False, read_only=True),
        lambda seen: (
            {(d.name, d.documents, d.read_only) for d in seen.devices.values()}
            == {("portable", True, False), ("tablette", False, True)}
        ),
    ),
    (
        "device.revoke",
        lambda act: devices.revoke(act, "anne", "portable"),
        lambda seen: not seen.devices,
    ),
]


@pytest.mark.parametrize("action, change, seen", CHANGES)
def test_a_change_is_journalled_and_seen_by_the_other_process_at_once(
    hall: Town,
    action: str,
    change: Callable[[Act], object],
    seen: Callable[[Registry], bool],
) -> None:
    before = hall.seen_by_the_other()
    journalled = hall.actions()
    hall.do(change)
    after = hall.seen_by_the_other()
    assert after.revision > before.revision
    assert seen(after)
    assert hall.actions() == [action, *journalled]


@pytest.mark.parametrize("action, change, seen", CHANGES)
def test_a_change_that_is_not_committed_never_was(
    hall: Town,
    action: str,
    change: Callable[[Act], object],
    seen: Callable[[Registry], bool],
) -> None:
    before = hall.seen_by_the_other()
    journalled = hall.actions()

    def change_and_fail(act: Act) -> None:
        change(act)
        raise KeyError(action)

    with pytest.raises(KeyError):
        hall.do(change_and_fail)
    # The very same: it was not even read again.
    assert hall.seen_by_the_other() is before
    assert hall.actions() == journalled


REFUSALS: list[tuple[type[DavserverError], Callable[[Act], object]]] = [
    (NameTaken, lambda act: accounts.add(act, "anne", name="Anne")),
    (BadName, lambda act: accounts.add(act, "Anne", name="Anne")),
    (BadTitle, lambda act: accounts.add(act, "rene", name="")),
    (BadTitle, lambda act: accounts.add(act, "rene", name="a\x1b[2J")),
    (BadLocale, lambda act: accounts.add(act, "rene", name="René", locale="de")),
    (BadEmail, lambda act: accounts.add(act, "rene", name="René", email="rene")),
    (BadEmail, lambda act: accounts.add(act, "rene", name="René", email="a@b c")),
    (UnknownName, lambda act: accounts.set_password(act, "nobody", HASH)),
    (UnknownName, lambda act: accounts.set_disabled(act, "nobody", True)),
    (NameTaken, lambda act: groups.add(act, "bureau")),
    (BadName, lambda act: groups.add(act, "@bureau")),
    (BadTitle, lambda act: groups.add(act, "agents", title="a\nb")),
    (AlreadyInGroup, lambda act: groups.join(act, "bureau", "anne")),
    (UnknownName, lambda act: groups.join(act, "nobody", "anne")),
    (UnknownName, lambda act: groups.join(act, "bureau", "nobody")),
    (UnknownName, lambda act: groups.leave(act, "bureau", "nobody")),
    (NameTaken, lambda act: spaces.add(act, "conseil")),
    (BadName, lambda act: spaces.add(act, "Conseil")),
    (ReservedSlug, lambda act: spaces.add(act, "conseil-tasks")),
    (BadTitle, lambda act: spaces.add(act, "rh", title="x" * 201)),
    (BadQuota, lambda act: spaces.add(act, "rh", quota_bytes=-1)),
    (UnknownName, lambda act: spaces.set_archived(act, "nobody", True)),
    (UnknownName, lambda act: members.add(act, "nobody", "anne", Role.READER)),
    (UnknownName, lambda act: members.add(act, "conseil", "nobody", Role.READER)),
    (UnknownName, lambda act: members.add(act, "conseil", "@nobody", Role.READER)),
    (UnknownName, lambda act: members.add(act, "conseil", "bureau", Role.READER)),
    (UnknownName, lambda act: members.add(act, "conseil", "anne", Role.READER, folder="Pai")),
    (NotMember, lambda act: members.remove(act, "conseil", "@bureau")),
    (NotMember, lambda act: members.remove(act, "conseil", "anne", folder="Paie")),
    (AlreadyRestricted, lambda act: members.restrict(act, "conseil", "Paie")),
    (AlreadyRestricted, lambda act: members.restrict(act, "conseil", "")),
    (UnknownName, lambda act: members.unrestrict(act, "conseil", "Pai")),
    (NameTaken, lambda act: devices.add(act, "anne", "portable")),
    (BadTitle, lambda act: devices.add(act, "anne", " ")),
    (BadTitle, lambda act: devices.add(act, "anne", "x" * 101)),
    (UselessDevice, lambda act: devices.add(act, "anne", "t", documents=False, agendas=False)),
    (UnknownName, lambda act: devices.revoke(act, "anne", "tablette")),
    (UnknownName, lambda act: devices.add(act, "nobody", "tablette")),
]


@pytest.mark.parametrize("error, change", REFUSALS)
def test_a_refusal_changes_nothing(
    hall: Town, error: type[DavserverError], change: Callable[[Act], object]
) -> None:
    before = hall.seen_by_the_other()
    journalled = hall.actions()
    with pytest.raises(error):
        hall.do(change)
    assert hall.seen_by_the_other() is before
    assert hall.actions() == journalled


def test_leaving_a_group_twice(hall: Town) -> None:
    hall.do(lambda act: groups.leave(act, "bureau", "anne"))
    with pytest.raises(NotInGroup):
        hall.do(lambda act: groups.leave(act, "bureau", "anne"))


SAME: list[Callable[[Act], object]] = [
    lambda act: accounts.add(act, "rene", name="René"),
    lambda act: groups.add(act, "agents"),
    lambda act: spaces.add(act, "rh"),
    lambda act: devices.add(act, "anne", "tablette"),
    lambda act: members.restrict(act, "conseil", "Salle"),
]


@pytest.mark.parametrize("change", SAME)
def test_of_those_who_take_one_name_at_once_one_gets_it(
    hall: Town, change: Callable[[Act], object]
) -> None:
    def attempt(_number: int) -> type[DavserverError] | None:
        try:
            hall.do(change)
        except (NameTaken, AlreadyRestricted) as error:
            return type(error)
        return None

    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(attempt, range(4)))
    assert outcomes.count(None) == 1


def test_a_device_password_is_stored_as_a_digest_and_given_once(hall: Town) -> None:
    with hall.database.write() as connection:
        act = Act(connection, Actor.console("root"), NOW)
        made, password = devices.add(act, "anne", "tablette")
    assert devices.looks_like_one(password)
    seen = hall.seen_by_the_other().devices[devices.digest(password)]
    assert (seen.id, seen.name) == (made.id, "tablette")
    assert password not in repr(seen) and seen.digest not in repr(seen)
    with hall.other.read() as connection:
        assert password not in repr(list(journal.entries(connection)))


def test_the_use_of_a_device_is_no_change_of_the_registry(hall: Town) -> None:
    before = hall.seen_by_the_other()
    device = next(iter(before.devices.values()))
    for minutes in (0, 4, 6):
        with hall.database.write() as connection:
            devices.record_use(connection, device.id, NOW + timedelta(minutes=minutes))
    assert hall.seen_by_the_other() is before
    with hall.other.read() as connection:
        (use,) = devices.of_account(Act(connection, Actor.console("root"), NOW), "anne")
    assert use.last_used_at == NOW + timedelta(minutes=6)


def test_a_name_is_free_again_when_its_device_is_revoked(hall: Town) -> None:
    hall.do(lambda act: devices.revoke(act, "anne", "portable"))
    hall.do(lambda act: devices.add(act, "anne", "portable"))
    with hall.other.read() as connection:
        uses = list(devices.of_account(Act(connection, Actor.console("root"), NOW), "anne"))
    assert [use.revoked_at for use in uses] == [NOW, None]


def test_lists_of_folders_go_and_come_back_whole(hall: Town) -> None:
    for folder in ("Paie/2026", "Paie0", "Paie!", "Pai"):
        hall.do(lambda act, folder=folder: members.restrict(act, "conseil", folder))  # type: ignore[misc]
    before = hall.seen_by_the_other().spaces["conseil"]

    with hall.database.write() as connection:
        act = Act(connection, Actor.console("root"), NOW)
        lists = members.dump(act, before.id, "Paie")
        members.drop(act, before.id, lists)
    # What only begins alike stays.
    assert list(lists) == ["Paie", "Paie/2026"]
    assert set(hall.seen_by_the_other().spaces["conseil"].restricted) == {"Paie0", "Paie!", "Pai"}

    hall.do(lambda act: members.load(act, before.id, lists))
    assert hall.seen_by_the_other().spaces["conseil"] == before


def test_what_a_space_uses_is_charged(hall: Town) -> None:
    space = hall.seen_by_the_other().spaces["conseil"]
    with hall.database.write() as connection:
        assert spaces.take(connection, [space.id]) == {space.id: 0}
        spaces.charge(connection, space.id, 5)
        spaces.charge(connection, space.id, 0)
        spaces.charge(connection, space.id, -2)
    with hall.other.read() as connection:
        assert spaces.usage(connection, [space.id, 0]) == {space.id: 3}


def test_the_journal_of_one_space(hall: Town) -> None:
    hall.do(lambda act: spaces.add(act, "rh"))
    space = hall.seen_by_the_other().spaces["rh"]
    with hall.other.read() as connection:
        (entry,) = journal.entries(connection, space_id=space.id)
        (last,) = journal.entries(connection, limit=1)
        assert journal.exists(connection, "0" * 32) is False
    assert entry == last
    assert (entry.action, entry.space, entry.login, entry.address, entry.at) == (
        *("space.add", "rh", "root", "console"),
        NOW,
    )


def test_a_read_sees_one_state_throughout(hall: Town) -> None:
    with hall.other.read() as connection:
        before = registry.read(connection)
        hall.do(lambda act: groups.add(act, "agents"))
        assert registry.read(connection) == before
    assert "agents" in hall.seen_by_the_other().by_group_name
