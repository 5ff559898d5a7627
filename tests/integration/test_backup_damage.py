"""A backup that is not what was backed up is found out, and nothing is restored from it."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.errors import DatabaseTooNew, DatabaseUnavailable, StorageFull
from davserver.backup import disk, manifest, rows
from davserver.backup import restore as restoring
from davserver.backup.errors import (
    DamagedBackup,
    DamagedManifest,
    DatabaseInUse,
    NotEmpty,
    UnknownFormat,
)
from davserver.backup.manifest import DATABASE, NAME
from davserver.backup.verify import ADDED, ALTERED, MISSING, OTHER_REVISION
from davserver.documents import check
from tests.integration.documents_client import town, tree
from tests.integration.vault import Vault, furnish, state
from tests.server.postgres import Postgres

LETTER = "spaces/conseil/lettre.txt"
FOLDER = "spaces/conseil/dossier"
LINK = "spaces/conseil/link"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """One backup, to be copied by every test."""
    folder = tmp_path_factory.mktemp("made")
    for hall in town(folder / "data", f"sqlite:///{folder}/data/davserver.db"):
        furnish(hall)
        os.symlink("lettre.txt", hall.disk("conseil") / "link")
        hall.recount("conseil")
        hall.known.add(check.NOT_SHOWN)
        vault = Vault(hall, folder / "shelf")
        vault.back_up()
        yield vault


@pytest.fixture
def backup(made: Vault, tmp_path: Path) -> Path:
    (backup,) = made.shelf.glob("2*")
    return Path(shutil.copytree(backup, tmp_path / "backup", symlinks=True))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new"


def version(backup: Path) -> str:
    """A former content, in history."""
    files = sorted(path for path in backup.glob("history/conseil/*/*") if path.is_file())
    return str(files[0].relative_to(backup))


def bit(backup: Path, path: str) -> dict[str, object]:
    """Alter one bit, and let the time be as it was."""
    file = backup / path
    status, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    return {path: ALTERED}


def become(backup: Path, path: str, content: bytes | None, link: str = "") -> dict[str, object]:
    """Put this in the place of a file: nothing, another content, or a link."""
    existed = os.path.lexists(backup / path)
    if existed:
        (backup / path).unlink()
    if content is not None:
        (backup / path).write_bytes(content)
    elif link:
        (backup / path).symlink_to(link)
    elif existed:
        return {path: MISSING}
    return {path: ALTERED if existed else ADDED}


def remove(backup: Path, path: str) -> dict[str, object]:
    """Remove a whole folder."""
    gone = [path, *(f"{path}/{inside}" for inside in tree(backup / path))]
    shutil.rmtree(backup / path)
    return dict.fromkeys(gone, MISSING)


def folder(backup: Path, path: str) -> dict[str, object]:
    (backup / path).mkdir()
    return {path: ADDED}


DAMAGE: dict[str, Callable[[Path], dict[str, object]]] = {
    "a bit of a document": lambda b: bit(b, LETTER),
    "a bit of a former content": lambda b: bit(b, version(b)),
    "a bit of the database": lambda b: bit(b, DATABASE),
    "a document cut short": lambda b: become(b, LETTER, b"lett"),
    "a document that grew": lambda b: become(b, LETTER, b"lettre\n"),
    "a document removed": lambda b: become(b, LETTER, None),
    "a former content removed": lambda b: become(b, version(b), None),
    "the database removed": lambda b: become(b, DATABASE, None),
    "a folder removed": lambda b: remove(b, FOLDER),
    "all documents removed": lambda b: remove(b, "spaces"),
    "the history removed": lambda b: remove(b, "history"),
    "a link for a document": lambda b: become(b, LETTER, None, link="dossier/note.txt"),
    "a link to the same content": lambda b: become(b, LETTER, None, link=str(b / LETTER)),
    "another link": lambda b: become(b, LINK, None, link="/etc/passwd"),
    "a document for a link": lambda b: become(b, LINK, b"lettre"),
    "one document more": lambda b: become(b, "spaces/conseil/more.txt", b""),
    "one more at the top": lambda b: become(b, "more.txt", b""),
    "one link more": lambda b: become(b, "spaces/conseil/more", None, link="/etc"),
    "one folder more": lambda b: folder(b, "spaces/conseil/more"),
    "one space more": lambda b: folder(b, "spaces/more"),
}
# What is not in the manifest is not restored, and does no harm.
HARMLESS = {name for name in DAMAGE if name.startswith("one ")}
# Nor is a link read, or followed.
HARMLESS |= {"another link", "a document for a link"}


def test_nothing_is_wrong_with_it(made: Vault, backup: Path, new: Path) -> None:
    assert made.problems(backup) == []
    made.restore(backup, new)
    assert state(new) == state(made.hall.store.data)


@pytest.mark.parametrize("name", DAMAGE)
def test_damage(made: Vault, backup: Path, new: Path, name: str) -> None:
    found = DAMAGE[name](backup)
    assert made.problems(backup) == sorted((path, str(what)) for path, what in found.items())
    if name in HARMLESS:
        made.restore(backup, new)
        assert state(new) == state(made.hall.store.data)
        return
    with pytest.raises(DamagedBackup) as refused:
        made.restore(backup, new)
    assert refused.value.fields["path"] in found
    assert refused.value.exit_code == 8
    assert list(new.iterdir()) == []


@pytest.mark.parametrize(
    "name", [name for name in DAMAGE if "database" not in name and name not in HARMLESS]
)
def test_all_but_what_is_damaged(made: Vault, backup: Path, new: Path, name: str) -> None:
    found = DAMAGE[name](backup)
    restored = made.restore(backup, new, skip_damaged=True)
    lay = state(made.hall.store.data)
    files = {path for path in found if path in lay and isinstance(lay[path][0], bytes)}
    assert set(restored.damaged) == files and files
    assert {path: lay[path] for path in lay.keys() - files} == state(new)


@pytest.mark.parametrize("name", ["a bit of the database", "the database removed"])
def test_without_its_database_there_is_nothing(
    made: Vault, backup: Path, new: Path, name: str
) -> None:
    DAMAGE[name](backup)
    with pytest.raises(DamagedBackup):
        made.restore(backup, new, skip_damaged=True)
    assert list(new.iterdir()) == []


def test_what_cannot_be_read(
    made: Vault, backup: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a disk that is dying."""
    (backup / LETTER).unlink()
    os.mkfifo(backup / LETTER)
    # It is not waited for.
    assert made.problems(backup) == [(LETTER, "It is neither a file nor a folder.")]
    with pytest.raises(DamagedBackup):
        made.restore(backup, new)


def test_a_manifest_that_was_altered(made: Vault, backup: Path, new: Path) -> None:
    content = (backup / NAME).read_bytes()
    (backup / NAME).write_bytes(content.replace(b"lettre", b"lettrf", 1))
    sentence = f"The manifest of {backup} is missing or damaged."
    assert made.problems(backup) == [(NAME, sentence)]
    with pytest.raises(DamagedManifest):
        made.restore(backup, new, skip_damaged=True)
    assert not new.exists()


def test_a_backup_of_a_later_version(made: Vault, backup: Path, new: Path) -> None:
    rewrite(backup, format=2)
    for attempt in (made.problems, lambda b: made.restore(b, new)):
        with pytest.raises(UnknownFormat):
            attempt(backup)


def rewrite(backup: Path, **header: Any) -> None:
    """Write the manifest anew, for what lies there now."""
    read = manifest.read(backup)
    (backup / NAME).unlink()
    entries = []
    for entry in read.entries:
        if entry.kind == "file":
            content = (backup / entry.path).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            entry = replace(entry, size=len(content), sha256=digest)
        entries.append(entry)
    manifest.write(backup, replace(read.header, **header), entries)


def execute(backup: Path, *statements: str) -> None:
    """Change the database, and let the manifest say so."""
    with closing(sqlite3.connect(backup / DATABASE)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    rewrite(backup)


def test_a_database_of_a_later_version(made: Vault, backup: Path, new: Path) -> None:
    execute(backup, "UPDATE alembic_version SET version_num = '9999'")
    assert made.problems(backup) == [(DATABASE, str(OTHER_REVISION))]
    rewrite(backup, revision="9999")
    for attempt in (made.problems, lambda b: made.restore(b, new)):
        with pytest.raises(DatabaseTooNew):
            attempt(backup)
    assert list(new.iterdir()) == []


# Restoring where something is


@pytest.mark.parametrize("name", ["davserver.toml", "spaces", ".hidden"])
def test_only_an_empty_directory_is_filled(made: Vault, backup: Path, new: Path, name: str) -> None:
    new.mkdir()
    (new / name).write_bytes(b"mine")
    with pytest.raises(NotEmpty) as refused:
        made.restore(backup, new)
    assert (refused.value.exit_code, refused.value.fields["name"]) == (7, name)
    assert tree(new) == {name: b"mine"}


def test_a_new_disk_is_empty(made: Vault, backup: Path, new: Path) -> None:
    (new / "lost+found").mkdir(parents=True)
    made.restore(backup, new)
    assert state(new) == state(made.hall.store.data)


def test_what_was_cut_short_is_begun_anew(made: Vault, backup: Path, new: Path) -> None:
    (new / ".restoring" / "spaces" / "conseil").mkdir(parents=True)
    (new / ".restoring" / "spaces" / "conseil" / "half.txt").write_bytes(b"ha")
    made.restore(backup, new)
    assert state(new) == state(made.hall.store.data)
    assert not (new / ".restoring").exists()


@pytest.mark.parametrize("name", ["davserver.db", "davserver.db-wal", "davserver.db-journal"])
def test_no_database_is_written_over(
    made: Vault, backup: Path, new: Path, tmp_path: Path, name: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / name).write_bytes(b"mine")
    with pytest.raises(DatabaseInUse):
        made.restore(backup, new, f"sqlite:///{elsewhere}/davserver.db")
    assert tree(elsewhere) == {name: b"mine"} and list(new.iterdir()) == []
    (elsewhere / name).unlink()
    made.restore(backup, new, f"sqlite:///{elsewhere}/davserver.db")
    assert [file.name for file in elsewhere.iterdir()] == ["davserver.db"]
    assert not (new / "davserver.db").exists()


def test_no_organisation_is_written_over(
    made: Vault, backup: Path, new: Path, postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.create_database()
    made.restore(backup, new, url)
    before = tree(new)
    with pytest.raises(DatabaseInUse):
        made.restore(backup, tmp_path / "second", url)
    assert tree(new) == before and list((tmp_path / "second").iterdir()) == []


@pytest.mark.parametrize(
    "module, function",
    [(disk, "_write"), (disk, "sync_disk"), (restoring, "adapt"), (rows, "load")],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_fails_leaves_nothing(
    made: Vault,
    backup: Path,
    new: Path,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    function: str,
) -> None:
    """And can be tried again, in the same places."""
    url = postgres.create_database()

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module, function, full)
        with pytest.raises(StorageFull):
            made.restore(backup, new, url)
    assert list(new.iterdir()) == []
    made.restore(backup, new, url)
    assert state(new) == state(made.hall.store.data)


def test_a_database_that_does_not_answer(made: Vault, backup: Path, new: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        made.restore(backup, new, "postgresql+psycopg://postgres@/none?host=/nonexistent")
    assert list(new.iterdir()) == []


def test_a_database_that_contradicts_itself(made: Vault, backup: Path) -> None:
    execute(backup, "DELETE FROM groups")
    assert made.problems(backup) == [(DATABASE, "A row of group_accounts refers to none.")] * 2


def test_a_database_that_is_none(made: Vault, backup: Path) -> None:
    (backup / DATABASE).write_bytes(b"This is no database." * 100)
    rewrite(backup)
    assert made.problems(backup) == [(DATABASE, "file is not a database.")]


def test_what_the_database_speaks_of_must_be_there(made: Vault, backup: Path) -> None:
    execute(backup, "UPDATE spaces SET slug = 'conseil-2'")
    found = dict(made.problems(backup))
    assert found.pop("spaces/conseil-2") == check.NO_FOLDER
    assert found and all(path.startswith("history/conseil-2/") for path in found)
    assert set(found.values()) == {check.NO_HISTORY}
