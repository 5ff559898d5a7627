"""The way in: every verb on documents begins with a view or a change."""

import contextlib
import errno
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from sqlalchemy.engine import Connection

from acl import spaces
from acl.actor import Actor
from acl.errors import Unauthenticated
from acl.journal import Act, new_uid
from acl.registry import Registry, RegistryCache
from acl.tripwire import Tripwire
from config.database import Database
from config.errors import DatabaseUnavailable, StorageFailed, StorageFull
from davserver.documents import intents, samples
from davserver.documents.change import Change
from davserver.documents.store import Store
from davserver.documents.view import View

_log = logging.getLogger("davserver")

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# It cannot be read or written, or there is no getting at it: a network's, perhaps.
_FAILED = frozenset({errno.EIO, errno.ENOTCONN, errno.EROFS, errno.ESTALE, errno.EUCLEAN})
_STALE = 24 * 3600.0  # seconds; an upload in progress is written to all the time
_TRIES = 5


@dataclass(frozen=True)
class Limits:
    """The largest document and the largest clutter, in bytes; how long a lock may last."""

    document: int
    clutter: int
    lock_seconds: int


class Documents:
    """The documents of all spaces. Safe to share between threads.

    `clock` gives the time, aware, in UTC; `zone` is that of the moments in `/history`, None for
    the system's.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        registry: RegistryCache,
        clock: Callable[[], datetime],
        limits: Limits,
        tripwire: Tripwire,
        zone: tzinfo | None = None,
    ) -> None:
        self.database = database
        self.store = store
        self.registry = registry
        self.clock = clock
        self.limits = limits
        self.tripwire = tripwire
        self.zone = zone

    @contextmanager
    def view(self, actor: Actor) -> Iterator[View]:
        """A read transaction: one state of rights, locks and properties."""
        with self.database.read() as connection:
            registry, now = self.registry.current(connection), self.clock()
            yield View(self.store, connection, registry, _still(actor, registry, now), now)

    @contextmanager
    def change(self, actor: Actor, slugs: Iterable[str], uid: str = "") -> Iterator[Change]:
        """A write transaction that holds the spaces `slugs`; all or nothing.

        What the block does to the disk through `Change.carry_out` is undone if it raises; if
        the process ends before the commit, whoever holds the space next undoes it. `uid` is the
        act's name, where something has been staged under it. Raises `StorageFull` or
        `StorageFailed` for the disk, and `Tripped` if the act is one too many.
        """
        uid = uid or new_uid()
        change = None
        try:
            # Before the transaction, as others wait for that.
            suspect = samples.suspect(self.store.staged(uid))
            with (
                self.tripwire.guard(),
                disk_trouble(),
                self._hold(set(slugs)) as (connection, registry, used),
            ):
                now = self.clock()
                current = _still(actor, registry, now)
                act = Act(connection, current, now, uid)
                change = Change(self.store, connection, registry, current, now, act=act, used=used)
                change.suspect = suspect
                try:
                    yield change
                    self.tripwire.count(act)
                except BaseException:
                    for undo in reversed(change.undo):
                        undo()
                    raise
        except _TROUBLE:
            # If it was the commit that failed, the disk shows what was never done.
            with contextlib.suppress(*_TROUBLE):
                self.settle()
            raise
        finally:
            # Nothing is there any more if it was published.
            self.store.discard(uid)
        for done in change.done:
            try:
                done()
            except OSError as error:
                # It is committed; whoever holds the space next, or starts, clears that away.
                _log.warning("left over: %s", error)

    @contextmanager
    def _hold(self, slugs: set[str]) -> Iterator[tuple[Connection, Registry, dict[int, int]]]:
        """Take these spaces, and settle what a crash left in them."""
        for _ in range(_TRIES):
            with self.database.write() as connection:
                ids = self._ids(self.registry.current(connection), slugs)
                wanted = intents.pending(self.store, ids)
                used = spaces.take(connection, wanted)
                intents.settle(connection, self.store, wanted)
                if not intents.pending(self.store, ids) - wanted:
                    # Only now is what the registry says of them sure to be the last word.
                    yield connection, self.registry.current(connection), used
                    return
        raise DatabaseUnavailable()

    @staticmethod
    def _ids(registry: Registry, slugs: Iterable[str]) -> set[int]:
        # What is unknown need not be held: nothing will be found in it.
        return {registry.spaces[slug].id for slug in slugs if slug in registry.spaces}

    def settle(self) -> None:
        """Finish or undo whatever was cut short, in all spaces."""
        for concerned in intents.concerned_spaces(self.store):
            with disk_trouble(), self.database.write() as connection:
                spaces.take(connection, concerned)
                intents.settle(connection, self.store, concerned)

    def recover(self) -> None:
        """Settle what a crash cut short, and remove uploads that will never end.

        Called at start-up. Other processes may be serving the same data meanwhile.
        """
        self.settle()
        oldest = self.clock().timestamp() - _STALE
        for entry in os.scandir(self.store.staging):
            if Path(entry.path) not in (self.store.intents, self.store.clutter):
                # It may have been published meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    # Not the time of modification: a copy has that of its source.
                    if entry.stat(follow_symlinks=False).st_ctime < oldest:
                        self.store.discard(entry.name)


def _still(actor: Actor, registry: Registry, now: datetime) -> Actor:
    """The actor as the transaction knows it; it may have lost its rights a moment ago."""
    current = actor.current(registry, now)
    if current is None:
        raise Unauthenticated()
    return current


_TROUBLE = (DatabaseUnavailable, StorageFailed, StorageFull)


@contextmanager
def disk_trouble() -> Iterator[None]:
    """Say plainly what is the matter with the disk: raises `StorageFull` or `StorageFailed`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull() from error
        if error.errno in _FAILED:
            _log.error("the disk fails: %s", error)
            raise StorageFailed() from error
        raise
