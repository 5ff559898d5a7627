"""The directory that holds backups: each a directory of its own, named by its moment."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from davserver.backup import manifest
from davserver.backup.errors import BackupRunning, NoBackup, TargetOverlaps
from davserver.documents.store import sync_directory

_COMPLETE = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z(-\d+)?")
_UNFINISHED = ".unfinished-"
_LOCK = ".lock"


class Shelf:
    """The directory `path`. A backup in it is complete from the moment it has its name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check_apart(self, data: Path) -> None:
        """Raise `TargetOverlaps` if it lies in the data directory, or the other way round."""
        path, data = self.path.resolve(), data.resolve()
        if path.is_relative_to(data) or data.is_relative_to(path):
            raise TargetOverlaps(target=self.path, data=data)

    def backups(self) -> list[Path]:
        """The complete ones, the oldest first."""
        if not self.path.is_dir():
            return []
        names = sorted(name for name in os.listdir(self.path) if _COMPLETE.fullmatch(name))
        return [self.path / name for name in names]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other process make a backup here meanwhile. Makes the directory, but not the
        one it is in: a disk that is not there must be missed. Raises `BackupRunning`."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupRunning(target=self.path) from None
            yield
        finally:
            os.close(descriptor)

    def begin(self, uid: str) -> Path:
        """A new directory for a backup that is not complete yet."""
        unfinished = self.path / (_UNFINISHED + uid)
        unfinished.mkdir(mode=0o700)
        return unfinished

    def finish(self, unfinished: Path, moment: datetime) -> Path:
        """Give a backup that is complete its name, durably."""
        name = f"{moment.astimezone(UTC):%Y-%m-%dT%H%M%SZ}"
        final, number = self.path / name, 1
        while os.path.lexists(final):
            number += 1
            final = self.path / f"{name}-{number}"
        os.rename(unfinished, final)
        sync_directory(self.path)
        return final

    def clear(self) -> list[str]:
        """Remove what a crash has left; return the names it was begun under."""
        left = [name for name in os.listdir(self.path) if name.startswith(_UNFINISHED)]
        for name in left:
            shutil.rmtree(self.path / name)
        return [name.removeprefix(_UNFINISHED) for name in left]

    def keep(self, number: int) -> list[Path]:
        """Remove all backups but the last `number`; return what they were called."""
        removed = self.backups()[:-number]
        for backup in removed:
            unfinished = self.path / f"{_UNFINISHED}{backup.name}"
            # At no moment may what is left of it be taken for a backup.
            os.rename(backup, unfinished)
            shutil.rmtree(unfinished)
        return removed


def find(target: Path) -> Path:
    """The backup `target`, or the newest one in it. Raises `NoBackup`."""
    if (target / manifest.NAME).exists() or _COMPLETE.fullmatch(target.resolve().name):
        if target.is_dir():
            return target
    backups = Shelf(target).backups()
    if not backups:
        raise NoBackup(target=target)
    return backups[-1]
