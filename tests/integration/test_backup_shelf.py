"""What a backup costs, what it leaves behind, and what it refuses: nothing is left half done."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from acl.journal import entries
from config.database import Database
from davserver.backup import disk, manifest, pool, rows, snapshot
from davserver.backup.errors import BackupRunning, NoBackup, TargetFull, TargetOverlaps
from davserver.backup.manifest import DATABASE
from davserver.backup.shelf import Shelf, find
from davserver.documents import check
from tests.integration.documents_client import Hall, at, town, tree
from tests.integration.test_documents_names import NAMES
from tests.integration.vault import Meanwhile, Vault, done, furnish, inodes, state

LETTER = "spaces/conseil/lettre.txt"


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", f"sqlite:///{tmp_path}/data/davserver.db"):
        furnish(hall)
        yield hall


@pytest.fixture
def vault(hall: Hall, tmp_path: Path) -> Iterator[Vault]:
    vault = Vault(hall, tmp_path / "shelf")
    yield vault
    vault.close()


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new"


def shared(*backups: Path) -> set[str]:
    """The paths that have one inode in all of these directories."""
    found = [set(inodes(backup).items()) for backup in backups]
    return {path for path, _ in set.intersection(*found)}


def test_a_second_one_costs_what_has_changed(vault: Vault) -> None:
    hall, bruno = vault.hall, vault.hall.client("bruno")
    first = vault.back_up()
    assert first.copied == first.files - 1
    second = vault.back_up()
    assert (second.copied, second.copied_size, second.files) == (0, 0, first.files)
    assert shared(first.backup, second.backup) == inodes(first.backup).keys() - {
        DATABASE,
        manifest.NAME,
    }
    hall.later(minutes=20)
    done(bruno.put(at("versions.txt"), b"another one"))
    done(bruno.put(at("new.txt"), b"new"))
    done(bruno.move(at("dossier"), at("renamed")))
    done(bruno.delete(at("copy")))
    third = vault.back_up()
    # What was moved, replaced or deleted has other names, and is there already.
    assert (third.copied, third.copied_size) == (2, len(b"another onenew"))
    assert vault.problems(third.backup) == []
    full = vault.back_up(full=True)
    assert full.copied == full.files - 1
    assert shared(full.backup, third.backup) == set()
    assert vault.problems(full.backup) == []


def test_nothing_is_shared_with_the_documents_themselves(vault: Vault) -> None:
    """Whatever is done to them is not done to the backup."""
    made = vault.back_up()
    assert not set(inodes(vault.hall.store.data).values()) & set(inodes(made.backup).values())


def test_what_was_tampered_with_is_not_passed_on(vault: Vault) -> None:
    first = vault.back_up()
    (first.backup / LETTER).write_bytes(b"encrypted")
    second = vault.back_up()
    assert second.copied == 1
    assert vault.problems(second.backup) == []
    # Nor is anything, if what it was cannot be known.
    (second.backup / manifest.NAME).write_bytes(b"encrypted")
    third = vault.back_up()
    assert third.copied == 1
    assert vault.problems(third.backup) == []


def test_what_was_written_while_it_was_copied_is_copied_again(vault: Vault) -> None:
    """Directly on the disk, as fast as its clock ticks: the time is the same, and the size."""
    file = vault.hall.disk("conseil") / "lettre.txt"
    moment = int((vault.hall.now + timedelta(days=2)).timestamp() * 1e9)
    os.utime(file, ns=(moment, moment))
    vault.hall.known.add(check.ALTERED)
    vault.try_to()
    file.write_bytes(b"LETTRE")
    os.utime(file, ns=(moment, moment))
    made = vault.try_to()
    assert (made.backup / LETTER).read_bytes() == b"LETTRE"


def test_one_content_of_two_names_is_kept_once(vault: Vault, new: Path) -> None:
    """As history shares a version with the backup that a program has made of it."""
    hall, bruno = vault.hall, vault.hall.client("bruno")
    root = hall.disk("conseil")
    os.link(root / "lettre.txt", root / "twin.txt")
    hall.recount("conseil")
    made = vault.back_up()
    live = made.backup / "spaces" / "conseil"
    assert os.path.samefile(live / "lettre.txt", live / "twin.txt")
    restored = vault.reopened(made.backup, new)
    root = restored.disk("conseil")
    assert os.path.samefile(root / "lettre.txt", root / "twin.txt")
    done(bruno.get(at("twin.txt")))


def test_any_name_and_anything_else_that_lies_there(vault: Vault, new: Path) -> None:
    hall = vault.hall
    root = hall.disk("conseil")
    for name in (*NAMES, os.fsdecode(b"not utf-8 \xff"), "new\nline", "e\u0301"):
        (root / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    (root / "link").symlink_to("/etc/passwd")
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to("..")
    (root / "empty").mkdir(mode=0o755)
    (root / "closed").mkdir()
    (root / "closed" / "read-only.txt").write_bytes(b"x")
    (root / "closed" / "read-only.txt").chmod(0o444)
    (root / "closed").chmod(0o555)
    os.mkfifo(root / "pipe")
    hall.recount("conseil")
    hall.known |= {check.NOT_SHOWN, check.BAD_NAME, check.MISCOUNTED}
    made = vault.try_to()
    assert {path: str(why) for path, why in made.left_out.items()} == {
        "spaces/conseil/pipe": "It is neither a file nor a folder."
    }
    assert vault.problems(made.backup) == []
    (root / "pipe").unlink()
    vault.restore(made.backup, new)
    assert {path: what for path, (what, _) in state(new).items()} == {
        path: what for path, (what, _) in state(hall.store.data).items()
    }
    modes = [
        {path: stat.S_IMODE(os.lstat(data / path).st_mode) for path in state(data)}
        for data in (new, hall.store.data)
    ]
    assert modes[0] == modes[1]
    # A folder without the right to write in it is no obstacle to be rid of.
    vault.back_up(keep=1)
    assert len(Shelf(vault.shelf).backups()) == 1


def test_what_cannot_be_read_is_told(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is dying is no reason to back up nothing of it."""
    real = disk._read

    def failing(file: io.FileIO) -> bytes | None:
        if os.readlink(f"/proc/self/fd/{file.fileno()}").endswith("lettre.txt"):
            with disk._reading():
                raise OSError(errno.EIO, "Input/output error")
        return real(file)

    monkeypatch.setattr(disk, "_read", failing)
    monkeypatch.setattr(os, "link", no_links)
    made = vault.try_to()
    assert {path: str(why) for path, why in made.left_out.items()} == {
        LETTER: "Input/output error."
    }
    assert vault.problems(made.backup) == []


def no_links(*args: Any, **options: Any) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_a_disk_without_hard_links(
    vault: Vault, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is copied then; also what changes at the last moment."""
    vault.back_up()
    hall, bruno = vault.hall, vault.hall.client("bruno")

    def last() -> None:
        done(bruno.put(at("new.txt"), b"new"))

    monkeypatch.setattr("davserver.backup.pool.os.link", no_links)
    made = vault.back_up(Meanwhile({("Copying", 1): last}))
    monkeypatch.undo()
    assert made.copied == made.files - 1
    assert vault.problems(made.backup) == []
    vault.reopened(made.backup, new)
    assert state(new) == state(hall.store.data)


# Several


def test_backups_have_names_that_sort(vault: Vault) -> None:
    vault.hall.app.documents.clock = lambda: vault.hall.now
    for _ in range(3):
        vault.back_up()
    names = [backup.name for backup in Shelf(vault.shelf).backups()]
    assert names == sorted(names) and len(set(names)) == 3


def test_only_the_newest_are_kept(vault: Vault) -> None:
    (vault.shelf).mkdir()
    (vault.shelf / "mine").mkdir()
    (vault.shelf / "2026-11-23").write_bytes(b"mine too")
    made = [vault.back_up() for _ in range(3)]
    last = vault.back_up(keep=2)
    assert last.removed == [made[0].backup, made[1].backup]
    assert Shelf(vault.shelf).backups() == [made[2].backup, last.backup]
    assert {entry.name for entry in vault.shelf.iterdir()} == {
        *(".lock", "mine", "2026-11-23", made[2].backup.name, last.backup.name)
    }
    for backup in Shelf(vault.shelf).backups():
        assert vault.problems(backup) == []


def test_the_newest_is_found(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(NoBackup):
        find(vault.shelf)
    first, second = vault.back_up().backup, vault.back_up().backup
    assert find(vault.shelf) == second
    assert find(first) == first
    for target in (tmp_path / "nowhere", vault.hall.store.data):
        with pytest.raises(NoBackup):
            find(target)


def test_what_a_crash_has_left_is_removed(vault: Vault) -> None:
    vault.shelf.mkdir()
    unfinished = Shelf(vault.shelf).begin("uid")
    (unfinished / "pool").mkdir()
    (unfinished / "pool" / "1").write_bytes(b"half")
    staged = vault.hall.store.staged("uid")
    staged.mkdir()
    (staged / "1").write_bytes(b"linked")
    assert Shelf(vault.shelf).backups() == []
    made = vault.back_up()
    assert {entry.name for entry in vault.shelf.iterdir()} == {".lock", made.backup.name}
    assert not staged.exists()


def test_it_is_in_the_journal(vault: Vault) -> None:
    made = vault.back_up()
    with vault.hall.database.read() as connection:
        (row,) = entries(connection, limit=1)
    assert (row.action, row.address, row.login) == ("backup.done", "console", "root")
    assert row.detail["moment"] == made.moment.isoformat()
    assert (row.detail["files"], row.detail["bytes"]) == (made.files, made.size)
    assert row.detail["copied_bytes"] == made.copied_size
    assert {"backup", "seconds", "held_seconds", "left_out"} < row.detail.keys()


# What is refused


def test_a_backup_lies_elsewhere(vault: Vault) -> None:
    data = vault.hall.store.data
    link = data.parent / "link"
    link.symlink_to(data / "spaces")
    for shelf in (
        data,
        data / "backups",
        data.parent,
        link,
        link / "backups",
        data / ".." / "data",
    ):
        before = tree(data)
        with pytest.raises(TargetOverlaps) as refused:
            Vault(vault.hall, shelf).back_up()
        assert refused.value.exit_code == 2
        assert tree(data) == before


def test_one_at_a_time(vault: Vault) -> None:
    with Shelf(vault.shelf).alone():
        with pytest.raises(BackupRunning):
            vault.back_up()
        assert [entry.name for entry in vault.shelf.iterdir()] == [".lock"]
    vault.back_up()


def test_a_disk_that_is_not_there_is_missed(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Vault(vault.hall, tmp_path / "not mounted" / "backups").back_up()
    assert not (tmp_path / "not mounted").exists()


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {}


def fault(act: Callable[[pytest.MonkeyPatch], None]) -> Callable[[pytest.MonkeyPatch], None]:
    FAULTS[act.__name__] = act
    return act


def full(*args: Any, **options: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@fault
def in_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_write", full)


@fault
def in_the_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "write", full)


@fault
def at_the_last_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shelf, "finish", full)


@fault
def in_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_twin", full)
    monkeypatch.setattr(pool.Pool, "place", full)


@fault
def when_all_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "sync_disk", full)


@fault
def in_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, 5)


@fault
def in_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    real = rows._clear

    def limited(target: sa.Connection) -> None:
        real(target)
        limit(target.connection, 0)

    monkeypatch.setattr(rows, "_clear", limited)


def small(monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    """Let databases of backups have no room for more."""
    real = rows.sqlite

    def limited(file: Path) -> Database:
        database = real(file)
        sa.event.listen(database.engine, "connect", lambda one, _: limit(one, pages))
        return database

    monkeypatch.setattr(rows, "sqlite", limited)


def limit(connection: Any, pages: int) -> None:
    cursor = connection.cursor()
    (there,) = cursor.execute("PRAGMA page_count").fetchone()
    cursor.execute(f"PRAGMA max_page_count={there + pages}").close()


@pytest.mark.parametrize("name", FAULTS)
def test_a_full_disk(vault: Vault, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Nothing is left of what was begun, and nobody else is concerned."""
    hall = vault.hall
    kept = vault.back_up()
    before = state(hall.store.data)
    with monkeypatch.context() as patched, pytest.raises(TargetFull):
        FAULTS[name](patched)
        vault.back_up(full=True)
    assert Shelf(vault.shelf).backups() == [kept.backup]
    assert {entry.name for entry in vault.shelf.iterdir()} == {".lock", kept.backup.name}
    assert state(hall.store.data) == before
    hall.consistent()
    assert vault.problems(kept.backup) == []
    vault.back_up()
