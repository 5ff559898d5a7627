"""The way back: a data directory and a database from a backup, on an empty machine.

Everything is put together in a directory of its own inside the new data directory, checked while
it is copied, and moved to its place when it is whole, the database last: what was cut short
before that cannot be taken for the organisation.
"""

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from acl.actor import Actor
from acl.journal import Act
from acl.tables import journal
from config.database import Database, Version
from config.language import Phrase
from config.settings import FILE
from davserver.backup import disk, manifest, rows
from davserver.backup.adapt import Moved, adapt
from davserver.backup.disk import Unreadable, sync_file
from davserver.backup.errors import DamagedBackup, DatabaseInUse, NotEmpty
from davserver.backup.manifest import DATABASE, Entry, Manifest
from davserver.backup.pool import NO_LINKS
from davserver.backup.progress import Progress
from davserver.documents.documents import disk_trouble
from davserver.documents.store import Store, sync_directory

WORK = ".restoring"
# The database last: see above.
_OURS = (FILE, "history", "secrets", "spaces", "staging", DATABASE)
# What a new file system has at its root.
_NOBODYS = frozenset({"lost+found"})
_ANY_ACT = sa.select(journal.c.id).limit(1)


@dataclass(frozen=True)
class Restored:
    """What was restored: as of which moment, how many files and bytes, and what was damaged in
    the backup and is therefore not there."""

    moment: datetime
    files: int
    size: int
    damaged: Sequence[str]


def restore(
    backup: Path,
    data: Path,
    url: Callable[[Path], str],
    actor: Actor,
    now: datetime,
    progress: Progress,
    *,
    skip_damaged: bool = False,
) -> Restored:
    """Bring back the backup in the directory `backup` as the data directory `data`.

    `url` names the database it is to have, given a directory with the settings that were backed
    up; `now` is the time (aware). `skip_damaged`: files that are not what was backed up are left
    away, instead of everything. Raises `NotEmpty`, `DatabaseInUse`, `DamagedManifest`,
    `DamagedBackup`, `UnknownFormat`, `DatabaseTooNew`, `DatabaseUnavailable`, `SettingsError`,
    `StorageFull`, or an `OSError`; nothing is there then.
    """
    read = manifest.read(backup)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_empty(data)
    work = data / WORK
    copying = _Copying(backup, work, progress, skip_damaged)
    try:
        with disk_trouble():
            work.mkdir(mode=0o700)
            rest = copying.begin(read)
            with closing(Database(url(work))) as target:
                _check_unused(target)
                moved = copying.copy(rest)
                Store(work).prepare()
                with (
                    closing(rows.sqlite(work / DATABASE)) as database,
                    database.write() as connection,
                ):
                    act = Act(connection, actor, now)
                    adapt(act, moved)
                    act.record("restore.done", detail={"moment": read.header.moment.isoformat()})
                progress.begin(Phrase("Writing the database"))
                _publish(work, data, target)
            work.rmdir()
    except BaseException:
        for name in (WORK, *_OURS):
            _remove(data / name)
        raise
    return Restored(read.header.moment, read.header.files, read.header.size, copying.damaged)


def _check_empty(data: Path) -> None:
    """Refuse a directory that holds anything but what a restore that was cut short has left."""
    _remove(data / WORK)
    for entry in sorted(data.iterdir()):
        if entry.name not in _NOBODYS:
            raise NotEmpty(data=data, name=entry.name)


def _check_unused(target: Database) -> None:
    if target.is_sqlite:
        file = str(target.url.database)
        if any(os.path.lexists(file + end) for end in ("", "-wal", "-journal")):
            raise DatabaseInUse()
    elif (version := target.version()) is not Version.NONE:
        with target.read() as connection:
            # Tables of this version without a row are of a restore that was cut short.
            used = version is not Version.CURRENT or connection.execute(_ANY_ACT).first()
        if used:
            raise DatabaseInUse()


def _publish(work: Path, data: Path, target: Database) -> None:
    """Move everything to its place, and the database last."""
    file = work / DATABASE
    if target.is_sqlite:
        sync_file(file)
        _move_up(work, data)
        _move(file, Path(str(target.url.database)))
        return
    target.migrate()
    with target.write() as connection:
        rows.load(file, connection)
        file.unlink()
        _move_up(work, data)


def _move_up(work: Path, data: Path) -> None:
    for name in _OURS:
        if name != DATABASE and os.path.lexists(work / name):
            os.rename(work / name, data / name)
    sync_directory(data)


def _move(file: Path, target: Path) -> None:
    """Move the database, perhaps to another disk."""
    try:
        os.rename(file, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        unfinished = target.with_name(f"{target.name}.unfinished")
        _remove(unfinished)
        disk.copy(file, unfinished, lambda size: None)
        sync_file(unfinished)
        os.rename(unfinished, target)
        file.unlink()
    sync_directory(target.parent)


def _remove(tree: Path) -> None:
    if tree.is_dir() and not tree.is_symlink():
        shutil.rmtree(tree, ignore_errors=True)
    else:
        tree.unlink(missing_ok=True)


class _Copying:
    """The files of a backup on their way to the directory `work`, each one checked.

    `damaged` are those that were left away.
    """

    def __init__(self, backup: Path, work: Path, progress: Progress, skip_damaged: bool) -> None:
        self._backup = backup
        self._work = work
        self._progress = progress
        self._skip_damaged = skip_damaged
        # By inode: what has several names is to have them again.
        self._names: dict[tuple[int, str], Path] = {}
        self.damaged: list[str] = []

    def begin(self, read: Manifest) -> list[Entry]:
        """Copy the database and the settings, without which nothing can be done; return what
        else there is. Raises `DamagedBackup`, or `DatabaseTooNew`."""
        self._progress.begin(Phrase("Restoring"), read.header.files, read.header.size)
        first = {entry.path: entry for entry in read.entries if entry.path in (DATABASE, FILE)}
        if DATABASE not in first:
            self._refuse(DATABASE)
        for entry in first.values():
            if self._file(entry):
                self._finish(entry)
        with closing(rows.sqlite(self._work / DATABASE)) as database:
            database.migrate()
        return [entry for entry in read.entries if entry.path not in first]

    def copy(self, entries: Sequence[Entry]) -> list[Moved]:
        """Copy these, durably; return what became of each inode. Raises `DamagedBackup`."""
        copied = [entry for entry in entries if self._entry(entry)]
        # What is in a folder before the folder, whose time it would change.
        moved = [self._finish(entry) for entry in reversed(copied)]
        self._progress.begin(Phrase("Writing to the disk"))
        disk.sync_disk(self._work)
        return moved[::-1]

    def _refuse(self, path: str) -> None:
        """Leave `path` away, or everything."""
        if path == DATABASE or not self._skip_damaged:
            raise DamagedBackup(backup=self._backup, path=path)
        self.damaged.append(path)

    def _entry(self, entry: Entry) -> bool:
        """Make the folder, file or link; tell whether it is there."""
        if entry.kind == "file":
            return self._file(entry)
        if entry.kind == "folder":
            (self._work / entry.path).mkdir(mode=0o700)
        else:
            os.symlink(entry.target, self._work / entry.path)
        return True

    def _file(self, entry: Entry) -> bool:
        target = self._work / entry.path
        self._progress.advance(files=1)
        if self._link(entry, target):
            return True
        try:
            copied = disk.copy(self._backup / entry.path, target, self._advance)
        except (FileNotFoundError, NotADirectoryError, Unreadable):
            copied = None
        if copied is None or (copied.size, copied.sha256) != (entry.size, entry.sha256):
            target.unlink(missing_ok=True)
            self._refuse(entry.path)
            return False
        if entry.inode:
            self._names[entry.inode, entry.sha256] = target
        return True

    def _link(self, entry: Entry, target: Path) -> bool:
        """Give what was copied under another name this one as well, if it had both."""
        copied = self._names.get((entry.inode, entry.sha256))
        if copied is None:
            return False
        try:
            os.link(copied, target)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            return False
        self._advance(entry.size)
        return True

    def _advance(self, size: int) -> None:
        self._progress.advance(size=size)

    def _finish(self, entry: Entry) -> Moved:
        """Give it its mode and its time."""
        target = self._work / entry.path
        os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
        if entry.kind != "link":
            # A file's without what would let others act as its owner.
            target.chmod(entry.mode & (0o777 if entry.kind == "file" else 0o3777))
        status = os.lstat(target)
        return Moved(entry.inode, entry.mtime_ns, status.st_ino, status.st_mtime_ns)
