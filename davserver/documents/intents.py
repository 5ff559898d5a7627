"""Renames and a commit as one act.

A verb changes names on the disk and rows in the database, and a crash can come between the
two. So it first writes its intent, a small synced file that lists its steps, then carries them
out, then commits with its journal row. Whoever next holds the space and finds an intent looks
into the journal: with the act's row there all steps had been done, and without it they are
undone. An intent is written, found and settled only while the space is taken in a write
transaction (`acl.spaces.take`), so one that is found is never under way.
"""

import contextlib
import errno
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Connection

from acl import journal
from davserver import paths
from davserver.documents.store import Store, copy_file, open_file, sync_directory


@dataclass(frozen=True)
class Rename:
    """`source` becomes `target`, which does not exist. Paths lie below the data directory."""

    source: str
    target: str

    def do(self, data: Path) -> None:
        os.rename(data / self.source, data / self.target)

    def undo(self, data: Path) -> None:
        source, target = data / self.source, data / self.target
        if not os.path.lexists(source) and os.path.lexists(target):
            _put_back(target, source)

    def names(self) -> tuple[str, ...]:
        return (self.source, self.target)


@dataclass(frozen=True)
class Replace:
    """`source` takes the place of the file `target`, whose former self is kept at `kept`.

    There is no moment without a file at `target`: the former one gets a second name before
    its first is taken over.
    """

    source: str
    target: str
    kept: str

    def do(self, data: Path) -> None:
        _link_or_rename(data / self.target, data / self.kept)
        os.rename(data / self.source, data / self.target)

    def undo(self, data: Path) -> None:
        source, target, kept = data / self.source, data / self.target, data / self.kept
        if not os.path.lexists(kept):
            return
        if os.path.lexists(target):
            if os.path.samestat(os.lstat(target), os.lstat(kept)):
                os.unlink(kept)
                return
            # What took over may be somebody's document: it must not go with its name.
            if not os.path.lexists(source):
                _link_or_rename(target, source)
        _put_back(kept, target)

    def names(self) -> tuple[str, ...]:
        return (self.source, self.target, self.kept)


@dataclass(frozen=True)
class Link:
    """The file `source` gets a second name, `target`, which does not exist."""

    source: str
    target: str

    def do(self, data: Path) -> None:
        try:
            os.link(data / self.source, data / self.target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            copy_file(data / self.source, data / self.target)

    def undo(self, data: Path) -> None:
        (data / self.target).unlink(missing_ok=True)

    def names(self) -> tuple[str, ...]:
        return (self.target,)


@dataclass(frozen=True)
class Touch:
    """The time of modification of `path` becomes `new`; it was `former` (nanoseconds)."""

    path: str
    former: int
    new: int

    def do(self, data: Path) -> None:
        _set_modified(data / self.path, self.new)

    def undo(self, data: Path) -> None:
        # It is not there if what was to bring it there was not done.
        with contextlib.suppress(FileNotFoundError):
            if os.lstat(data / self.path).st_mtime_ns == self.new:
                _set_modified(data / self.path, self.former)

    def names(self) -> tuple[str, ...]:
        return (self.path,)


@dataclass(frozen=True)
class Make:
    """The folder `path` comes to be, which does not exist."""

    path: str

    def do(self, data: Path) -> None:
        (data / self.path).mkdir(mode=0o700)

    def undo(self, data: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            (data / self.path).rmdir()

    def names(self) -> tuple[str, ...]:
        return (self.path,)


@dataclass(frozen=True)
class Turn(Make):
    """Everything has made room; now it comes to its place.

    Where many things change names, one may come to a name that another one had: after a crash,
    that there is something of that name does not tell which. Nor does its inode, as a document
    may have two names. So a folder in staging, for as long as the act lasts, tells whether what
    follows was begun.
    """

    def do(self, data: Path) -> None:
        super().do(data)
        sync_directory((data / self.path).parent)

    def undo(self, data: Path) -> None:
        super().undo(data)
        sync_directory((data / self.path).parent)

    def has_come(self, data: Path) -> bool:
        """Whether the steps that follow may have been done."""
        return os.path.lexists(data / self.path)


def _link_or_rename(source: Path, target: Path) -> None:
    """Give the file `source` a second name; where there are none, only that one."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.rename(source, target)


def _put_back(source: Path, target: Path) -> None:
    """Rename, whatever was done meanwhile directly on the disk: there is nobody else to do it."""
    if not target.parent.is_dir():
        target.parent.mkdir(mode=0o700, parents=True)
    os.rename(source, target)


def _set_modified(path: Path, modified_ns: int) -> None:
    descriptor = open_file(path)
    try:
        os.utime(descriptor, ns=(os.fstat(descriptor).st_atime_ns, modified_ns))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# A file system without hard links, or with no more of them for this file.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK})

Step = Rename | Replace | Link | Touch | Make | Turn
_KINDS: dict[str, type[Step]] = {
    kind.__name__.lower(): kind for kind in (Rename, Replace, Link, Touch, Make, Turn)
}

_NAME = re.compile(r"([0-9a-f]{32})\.(\d+(?:-\d+)*)")


class Intent:
    """The steps of the act `uid` in the spaces `space_ids`, and how far they have come."""

    def __init__(
        self, store: Store, uid: str, space_ids: Iterable[int], steps: Sequence[Step]
    ) -> None:
        self._store = store
        self._steps = steps
        self._file = store.intents / f"{uid}.{'-'.join(str(i) for i in sorted(space_ids))}"

    def carry_out(self) -> None:
        """Write the intent down and do its steps, durably; on an error undo them and raise it."""
        directories = _Directories(self._store)
        try:
            self._write()
            for step in self._steps:
                if isinstance(step, Rename):
                    directories.sync(step.source)
                elif isinstance(step, Turn):
                    directories.sync()
                step.do(self._store.data)
                directories.note(step.names())
            directories.sync()
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """Undo whatever steps were done, and forget the intent. Harmless when repeated."""
        directories = _Directories(self._store)
        for step in reversed(self._begun()):
            if isinstance(step, Rename):
                directories.sync(step.target)
            elif isinstance(step, Turn):
                directories.sync()
            step.undo(self._store.data)
            directories.note(step.names())
        directories.sync()
        self.forget()
        # A power failure must not bring it back: what it names may be something else by then.
        sync_directory(self._store.intents)

    def forget(self) -> None:
        """The act is over: committed, or undone."""
        self._file.unlink(missing_ok=True)
        for step in self._steps:
            if isinstance(step, Turn):
                step.undo(self._store.data)

    def _begun(self) -> list[Step]:
        """The steps that may have been done."""
        begun: list[Step] = []
        for step in self._steps:
            if isinstance(step, Turn) and not step.has_come(self._store.data):
                break
            begun.append(step)
        return begun

    def _write(self) -> None:
        steps = [{"kind": type(step).__name__.lower(), **step.__dict__} for step in self._steps]
        with open(self._file, "x", encoding="utf-8") as file:
            json.dump(steps, file)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self._store.intents)


class _Directories:
    """The directories in which an act has changed names, as long as these do not last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed: set[str] = set()
        # By the folders that they lie in, themselves included.
        self._inside: defaultdict[str, set[str]] = defaultdict(set)

    def note(self, names: Iterable[str]) -> None:
        """These names have changed."""
        for directory in {os.path.dirname(name) for name in names}:
            self._changed.add(directory)
            for folder in (*paths.ancestors(directory), directory):
                self._inside[folder].add(directory)

    def sync(self, folder: str = "") -> None:
        """Make the names last that have changed in `folder`, before it gets another name itself;
        all of them, without one."""
        for directory in self._changed & self._inside.pop(folder, set()):
            self._changed.remove(directory)
            disk = self._store.data / directory
            if disk != self._store.staging and disk.is_dir():
                sync_directory(disk)


def settle(connection: Connection, store: Store, space_ids: Iterable[int]) -> None:
    """Finish or undo what a crash cut short in these spaces, which the transaction holds.

    An intent that concerns another space as well is left for who holds both: `pending` names it.
    """
    held = set(space_ids)
    for uid, concerned, file in _found(store):
        if concerned <= held:
            _settle(connection, store, uid, concerned, file)


def pending(store: Store, space_ids: Iterable[int]) -> set[int]:
    """All spaces that an unsettled intent concerns together with one of these."""
    wanted = set(space_ids)
    for _, concerned, _ in _found(store):
        if concerned & wanted:
            wanted |= concerned
    return wanted


def concerned_spaces(store: Store) -> list[frozenset[int]]:
    """The spaces of each intent there is: for start-up, which settles them all."""
    return [concerned for _, concerned, _ in _found(store)]


def cut_short(store: Store, before: datetime) -> list[frozenset[int]]:
    """The spaces of each intent written before then: long enough ago, it is under way no more."""
    found = []
    for _, concerned, file in _found(store):
        with contextlib.suppress(FileNotFoundError):
            if file.stat().st_mtime < before.timestamp():
                found.append(concerned)
    return found


def _found(store: Store) -> list[tuple[str, frozenset[int], Path]]:
    found = []
    for entry in os.scandir(store.intents):
        # Over NFS, what is removed while somebody reads it has another name for a while.
        if match := _NAME.fullmatch(entry.name):
            concerned = frozenset(int(i) for i in match[2].split("-"))
            found.append((match[1], concerned, Path(entry.path)))
    return found


def _settle(
    connection: Connection, store: Store, uid: str, concerned: Iterable[int], file: Path
) -> None:
    if journal.exists(connection, uid):
        file.unlink(missing_ok=True)
        store.discard_dropped(uid)
        return
    try:
        rows = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        # It was cut short while it was written, so none of its steps was begun.
        rows = []
    steps = [_KINDS[row.pop("kind")](**row) for row in rows]
    Intent(store, uid, concerned, steps).undo()
    store.discard(uid)
