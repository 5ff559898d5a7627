"""Renames and a commit as one act.

A verb changes names on the disk and rows in the database, and a crash can come between the
two. So it first writes its intent, a small synced file that lists its steps, then carries them
out, then commits with its journal row. Whoever next holds the space and finds an intent looks
into the journal: with the act's row there all steps had been done, and without it they are
undone. An intent is written, found and settled only while the space is taken in a write
transaction (`acl.spaces.take`), so one that is found is never under way.
"""

import errno
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Connection

from acl import journal
from davserver.documents.store import Store, sync_directory


@dataclass(frozen=True)
class Rename:
    """`source` becomes `target`, which does not exist. Paths lie below the data directory."""

    source: str
    target: str

    def do(self, data: Path) -> None:
        os.rename(data / self.source, data / self.target)

    def undo(self, data: Path) -> None:
        if not os.path.lexists(data / self.source) and os.path.lexists(data / self.target):
            os.rename(data / self.target, data / self.source)

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
        try:
            os.link(data / self.target, data / self.kept, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.rename(data / self.target, data / self.kept)
        os.rename(data / self.source, data / self.target)

    def undo(self, data: Path) -> None:
        source, target, kept = data / self.source, data / self.target, data / self.kept
        if not os.path.lexists(kept):
            return
        if os.path.lexists(target):
            if os.path.samestat(os.lstat(target), os.lstat(kept)):
                os.unlink(kept)
                return
            # What took over may be somebody's document: a second name first, as in `do`.
            if not os.path.lexists(source):
                os.link(target, source, follow_symlinks=False)
        os.rename(kept, target)

    def names(self) -> tuple[str, ...]:
        return (self.source, self.target, self.kept)


# A file system without hard links, or with no more of them for this file.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK})

Step = Rename | Replace
_KINDS = {"rename": Rename, "replace": Replace}


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
        try:
            self._write()
            for step in self._steps:
                step.do(self._store.data)
            self._sync()
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """Undo whatever steps were done, and forget the intent. Harmless when repeated."""
        for step in reversed(self._steps):
            step.undo(self._store.data)
        self._sync()
        self.forget()
        # A power failure must not bring it back: what it names may be something else by then.
        sync_directory(self._store.intents)

    def forget(self) -> None:
        """The act is over: committed, or undone."""
        self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        steps = [{"kind": type(step).__name__.lower(), **step.__dict__} for step in self._steps]
        with open(self._file, "x", encoding="utf-8") as file:
            json.dump(steps, file)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self._store.intents)

    def _sync(self) -> None:
        directories = {
            (self._store.data / name).parent for step in self._steps for name in step.names()
        }
        for directory in directories - {self._store.staging}:
            if directory.is_dir():
                sync_directory(directory)


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


def _found(store: Store) -> list[tuple[str, frozenset[int], Path]]:
    found = []
    for entry in os.scandir(store.intents):
        uid, _, ids = entry.name.partition(".")
        found.append((uid, frozenset(int(i) for i in ids.split("-")), Path(entry.path)))
    return found


def _settle(
    connection: Connection, store: Store, uid: str, concerned: Iterable[int], file: Path
) -> None:
    if journal.exists(connection, uid):
        file.unlink(missing_ok=True)
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
