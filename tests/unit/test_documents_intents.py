"""A change on the disk, cut short before or after each thing it asks of the system.

Whatever happens, what settles it leaves the old state whole, or the new one where the journal
has the act's row.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from acl import spaces
from acl.actor import Actor
from acl.journal import Act
from acl.tables import journal
from config.database import Database
from davserver.documents import intents
from davserver.documents.intents import Intent, Link, Make, Rename, Replace, Step, Touch, Turn
from davserver.documents.store import Store
from tests.integration.documents_client import START, tree

UID = "f" * 32
KEPT = f"history/conseil/{UID[:2]}/{UID}"
# What the store may ask of the system that changes something, or makes it last.
CALLS = ("rename", "link", "unlink", "mkdir", "rmdir", "utime", "fsync", "open")


class Crash(BaseException):
    """The end of the process, wherever it was."""


@dataclass(frozen=True)
class Case:
    """The steps of a verb, what lies there before them and after them."""

    steps: tuple[Step, ...]
    before: dict[str, bytes]
    after: dict[str, bytes]


LETTER, OTHER, STAGED = "spaces/conseil/letter", "spaces/conseil/other", f"staging/{UID}"
FOLDER = "spaces/conseil/folder"
WAITING, ALSO_WAITING = f"staging/{UID}.0", f"staging/{UID}.1"
TURN = Turn(f"staging/{UID}.turn")

CASES = {
    "put a new document": Case(
        (Rename(STAGED, LETTER),),
        {STAGED: b"new"},
        {LETTER: b"new"},
    ),
    "put over a document": Case(
        (Replace(STAGED, LETTER, KEPT),),
        {STAGED: b"new", LETTER: b"old"},
        {LETTER: b"new", KEPT: b"old"},
    ),
    "move to a new name": Case(
        (Rename(LETTER, OTHER),),
        {LETTER: b"moved"},
        {OTHER: b"moved"},
    ),
    "move over a document": Case(
        (Replace(LETTER, OTHER, KEPT),),
        {LETTER: b"moved", OTHER: b"old"},
        {OTHER: b"moved", KEPT: b"old"},
    ),
    "move over a folder": Case(
        (Rename(FOLDER, KEPT), Rename(LETTER, FOLDER)),
        {LETTER: b"moved", f"{FOLDER}/inside": b"old"},
        {FOLDER: b"moved", f"{KEPT}/inside": b"old"},
    ),
    "move a folder over a document": Case(
        (Rename(LETTER, KEPT), Rename(FOLDER, LETTER)),
        {LETTER: b"old", f"{FOLDER}/inside": b"moved"},
        {f"{LETTER}/inside": b"moved", KEPT: b"old"},
    ),
    "delete a document": Case(
        (Rename(LETTER, KEPT),),
        {LETTER: b"old"},
        {KEPT: b"old"},
    ),
    "delete a folder": Case(
        (Rename(FOLDER, KEPT),),
        {f"{FOLDER}/inside": b"old"},
        {f"{KEPT}/inside": b"old"},
    ),
    "keep a second name": Case(
        (Link(OTHER, KEPT), Rename(STAGED, LETTER)),
        {STAGED: b"new", OTHER: b"old"},
        {LETTER: b"new", OTHER: b"old", KEPT: b"old"},
    ),
    "make a folder, and move into it": Case(
        (Make(FOLDER), Rename(LETTER, f"{FOLDER}/letter")),
        {LETTER: b"moved"},
        {f"{FOLDER}/letter": b"moved"},
    ),
    "move, and set the time": Case(
        (Rename(LETTER, OTHER), Touch(OTHER, 10**18, 2 * 10**18)),
        {LETTER: b"moved"},
        {OTHER: b"moved"},
    ),
    "exchange two names": Case(
        (
            *(Rename(LETTER, WAITING), Rename(OTHER, ALSO_WAITING), TURN),
            *(Rename(ALSO_WAITING, LETTER), Rename(WAITING, OTHER)),
        ),
        {LETTER: b"one", OTHER: b"another"},
        {LETTER: b"another", OTHER: b"one"},
    ),
    "move a folder into what was in it": Case(
        (
            *(Rename(f"{FOLDER}/in/deep", WAITING), Rename(FOLDER, ALSO_WAITING), TURN),
            *(Rename(WAITING, FOLDER), Rename(ALSO_WAITING, f"{FOLDER}/in")),
        ),
        {f"{FOLDER}/in/deep/letter": b"deep", f"{FOLDER}/other": b"other"},
        {f"{FOLDER}/letter": b"deep", f"{FOLDER}/in/other": b"other"},
    ),
}


@pytest.fixture(autouse=True)
def volatile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The power does not fail here; it is asked for all the same, and counted."""
    monkeypatch.setattr(os, "fsync", os.fstat)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('database')}/davserver.db")
    database.migrate()
    with database.write() as connection:
        spaces.add(Act(connection, Actor.console("root"), START), "conseil")
    yield database
    database.close()


def lay_out(data: Path, content: dict[str, bytes]) -> Store:
    """A store that holds this."""
    store = Store(data)
    store.prepare()
    store.make_space("conseil")
    store.kept("conseil", UID)
    for path, what in content.items():
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        (data / path).write_bytes(what)
    return store


def contents(store: Store) -> dict[str, bytes]:
    """The files there are, but for what is staged: nobody sees that."""
    return {
        path: what
        for path, what in tree(store.data).items()
        if isinstance(what, bytes) and not path.startswith("staging/")
    }


def visible(content: dict[str, bytes]) -> dict[str, bytes]:
    return {path: what for path, what in content.items() if path != STAGED}


class System:
    """Counts the calls to the system, and fails one of them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.fatal: int | None = None
        self.after = False
        self.error: BaseException = Crash()
        self.dead = False
        for name in CALLS:
            self._wrap(patch, name)

    def _wrap(self, patch: pytest.MonkeyPatch, name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if self.dead:
                # Nothing happens any more in a process that has ended.
                raise self.error
            self.count += 1
            if self.count != self.fatal:
                return real(*arguments, **options)
            self.dead = isinstance(self.error, Crash)
            if self.after and name != "open":
                real(*arguments, **options)
            raise self.error

        patch.setattr(os, name, call)


@contextmanager
def failing(number: int | None, *, after: bool, error: BaseException) -> Iterator[System]:
    """Let the `number`th call fail with `error`, before or `after` it has had its effect."""
    with pytest.MonkeyPatch.context() as patch:
        system = System(patch)
        system.fatal, system.after, system.error = number, after, error
        yield system


def carry_out(store: Store, steps: tuple[Step, ...]) -> Intent:
    intent = Intent(store, UID, {1}, steps)
    intent.carry_out()
    return intent


def calls(case: Case, data: Path) -> int:
    """How many calls to the system the steps take."""
    store = lay_out(data, case.before)
    with failing(None, after=False, error=Crash()) as system:
        carry_out(store, case.steps)
    assert contents(store) == visible(case.after)
    return system.count


def settle(database: Database, store: Store, *, commit: bool = False) -> None:
    """What the next one does who holds the space."""
    with database.write() as connection:
        connection.execute(journal.delete())
        if commit:
            Act(connection, Actor.console("root"), START, UID).record("document.put")
        intents.settle(connection, store, {1})
    assert not list(store.intents.iterdir())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_leaves_the_old_state_whole(
    tmp_path: Path, database: Database, name: str, after: bool
) -> None:
    case = CASES[name]
    for number in range(1, calls(case, tmp_path / "count") + 1):
        store = lay_out(tmp_path / str(number), case.before)
        with failing(number, after=after, error=Crash()), pytest.raises(Crash):
            carry_out(store, case.steps)
        settle(database, store)
        assert contents(store) == visible(case.before), number
        settle(database, store)
        assert contents(store) == visible(case.before), number
        if number > 2:
            # Before that, nobody knows of it yet; start-up removes it the day after.
            assert not store.staged(UID).exists()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_error_leaves_the_old_state_whole(
    tmp_path: Path, database: Database, name: str, after: bool
) -> None:
    case = CASES[name]
    for number in range(1, calls(case, tmp_path / "count") + 1):
        store = lay_out(tmp_path / str(number), case.before)
        with failing(number, after=after, error=OSError(5, "I/O")), pytest.raises(OSError):
            carry_out(store, case.steps)
        # What could not be undone at once, since the disk fails, is when the space is next held.
        settle(database, store)
        assert contents(store) == visible(case.before), number


@pytest.mark.parametrize("name", CASES)
def test_a_crash_before_the_commit_leaves_the_old_state_and_after_it_the_new_one(
    tmp_path: Path, database: Database, name: str
) -> None:
    case = CASES[name]
    store = lay_out(tmp_path / "undone", case.before)
    carry_out(store, case.steps)
    settle(database, store)
    assert contents(store) == visible(case.before)
    store = lay_out(tmp_path / "done", case.before)
    carry_out(store, case.steps)
    settle(database, store, commit=True)
    assert contents(store) == visible(case.after)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_while_undoing_is_settled_as_well(
    tmp_path: Path, database: Database, name: str, after: bool
) -> None:
    case = CASES[name]
    number, ended = 0, False
    while not ended:
        number += 1
        store = lay_out(tmp_path / str(number), case.before)
        carry_out(store, case.steps)
        with failing(number, after=after, error=Crash()) as system:
            try:
                settle(database, store)
            except Crash:
                pass
            ended = not system.dead
        settle(database, store)
        assert contents(store) == visible(case.before), number
    assert number > len(case.steps)


@pytest.mark.parametrize("name", CASES)
def test_undo_puts_everything_back_and_is_harmless_when_repeated(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    store = lay_out(tmp_path, case.before)
    intent = carry_out(store, case.steps)
    intent.undo()
    assert contents(store) == visible(case.before)
    intent.undo()
    assert contents(store) == visible(case.before)
    if STAGED in case.before:
        # Who carried it out removes that, or tries again with it.
        assert store.staged(UID).read_bytes() == case.before[STAGED]


def test_an_intent_cut_short_while_it_was_written_means_nothing(
    tmp_path: Path, database: Database
) -> None:
    store = lay_out(tmp_path / "data", {LETTER: b"old"})
    (store.intents / f"{UID}.1").write_text('[{"kind": "rename", "sour')
    settle(database, store)
    assert contents(store) == {LETTER: b"old"}


def test_what_concerns_another_space_too_is_left_to_who_holds_both(
    tmp_path: Path, database: Database
) -> None:
    store = lay_out(tmp_path / "data", {LETTER: b"moved"})
    Intent(store, UID, {1, 2}, (Rename(LETTER, OTHER),)).carry_out()
    with database.write() as connection:
        intents.settle(connection, store, {1})
    assert contents(store) == {OTHER: b"moved"}
    assert intents.pending(store, {1}) == intents.pending(store, {2}) == {1, 2}
    assert intents.pending(store, {3}) == {3}
    assert intents.concerned_spaces(store) == [frozenset({1, 2})]
    with database.write() as connection:
        intents.settle(connection, store, {1, 2, 3})
    assert contents(store) == {LETTER: b"moved"}
    assert intents.pending(store, {1}) == {1}


def test_what_a_crash_left_is_undone_whatever_happened_on_the_disk_meanwhile(
    tmp_path: Path, database: Database
) -> None:
    store = lay_out(tmp_path / "data", {f"{FOLDER}/letter": b"moved", OTHER: b"touched"})
    Intent(store, UID, {1}, (Rename(f"{FOLDER}/letter", LETTER),)).carry_out()
    Intent(store, UID[::-1].replace("f", "e"), {1}, (Touch(OTHER, 1, 2),)).carry_out()
    (store.data / FOLDER).rmdir()
    (store.data / OTHER).unlink()
    settle(database, store)
    assert contents(store) == {f"{FOLDER}/letter": b"moved"}


def test_what_is_no_intent_is_none(tmp_path: Path, database: Database) -> None:
    """NFS gives another name to what somebody has open when it is removed."""
    store = lay_out(tmp_path / "data", {LETTER: b"old"})
    (store.intents / ".nfs000000000000abcd00000001").touch()
    assert intents.concerned_spaces(store) == []
    assert intents.pending(store, {1}) == {1}
    with database.write() as connection:
        intents.settle(connection, store, {1})
    assert contents(store) == {LETTER: b"old"}
