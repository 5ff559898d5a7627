"""One instant of documents and database together, while others go on working.

All who write hold the space they write to, in a transaction; their renames are done when it is
committed. So whoever holds all spaces sees the disk and the database agree. They are held only
while the names are read and what has not been fetched yet gets a second name: contents are not
written over, and can be fetched from there afterwards.
"""

import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import Connection

from acl import registry
from acl.actor import Actor
from acl.registry import Registry
from config.errors import DatabaseUnavailable
from config.language import Phrase
from davserver.backup.disk import LeftOut, Seen, walk
from davserver.backup.pool import NO_LINKS, Pool
from davserver.backup.progress import Progress, Silence
from davserver.documents.documents import Documents, disk_trouble

_TRIES = 5


@dataclass(frozen=True)
class Scope:
    """What is looked at: `roots` are paths below the data directory, and `slugs` names the spaces
    that they concern."""

    slugs: Callable[[Registry], Collection[str]]
    roots: Sequence[str]


@dataclass(frozen=True)
class Instant:
    """What was there at `moment`: on the disk what was `seen`, in the database what the
    transaction `reading` sees. All that had been acknowledged by then is in it.

    `secured` has the contents that were not fetched before, by where they lie. `held` is how
    long nobody could write. `left_out` is what could not be looked at.
    """

    moment: datetime
    reading: Connection
    registry: Registry
    seen: list[Seen]
    secured: dict[Path, Seen]
    held: timedelta
    left_out: LeftOut


def gather(documents: Documents, scope: Scope, pool: Pool, progress: Progress) -> None:
    """Fetch the contents that are there now, while others go on working."""
    data = documents.store.data
    files = [
        seen for root in scope.roots for seen in walk(data, root, {}) if stat.S_ISREG(seen.mode)
    ]
    progress.begin(Phrase("Copying"), len(files), sum(seen.size for seen in files))
    for seen in files:
        pool.fetch(seen, data / seen.path, progress)


@contextmanager
def instant(
    documents: Documents, actor: Actor, scope: Scope, pool: Pool, uid: str
) -> Iterator[Instant]:
    """What there is at one instant; what `pool` lacks of it stays to be fetched in the block.

    `uid` is a name for what is staged. Raises `DatabaseUnavailable`, and `StorageFull` for the
    server's own disk.
    """
    with disk_trouble():
        documents.store.staged(uid).mkdir(mode=0o700)
    try:
        for _ in range(_TRIES):
            with ExitStack() as stack:
                frozen = _freeze(documents, actor, scope, pool, uid, stack)
                if frozen is not None:
                    yield frozen
                    return
        # Spaces are added all the time.
        raise DatabaseUnavailable()
    finally:
        documents.store.discard(uid)


def fetch_secured(now: Instant, pool: Pool, progress: Progress) -> None:
    """Fetch what was not fetched before the instant."""
    size = sum(seen.size for seen in now.secured.values())
    progress.begin(Phrase("Copying the latest changes"), len(now.secured), size)
    for name, seen in now.secured.items():
        pool.fetch(seen, name, progress)


def _freeze(
    documents: Documents, actor: Actor, scope: Scope, pool: Pool, uid: str, stack: ExitStack
) -> Instant | None:
    """The instant, if the spaces are those that are held; `stack` keeps its transaction."""
    with documents.view(actor) as view:
        slugs = set(scope.slugs(view.registry))
    with documents.change(actor, slugs) as change:
        reading = stack.enter_context(documents.database.read())
        # From here on it sees the database as it is now, whatever is committed later.
        known = registry.read(reading)
        left_out: LeftOut = {}
        data = documents.store.data
        seen = [one for root in scope.roots for one in walk(data, root, left_out)]
        secured = _secure(data, seen, pool, documents.store.staged(uid))
        # A space that was added in between is not held.
        now = registry.read(change.connection)
        if not slugs == set(scope.slugs(known)) == set(scope.slugs(now)):
            documents.store.discard(uid)
            documents.store.staged(uid).mkdir(mode=0o700)
            return None
    seen = _without_beginnings(seen, known)
    held = documents.clock() - change.now
    return Instant(change.now, reading, known, seen, secured, held, left_out)


def _secure(data: Path, seen: Sequence[Seen], pool: Pool, room: Path) -> dict[Path, Seen]:
    """Give second names in `room` to the contents that are not fetched yet."""
    secured: dict[Path, Seen] = {}
    for one in seen:
        if not stat.S_ISREG(one.mode) or one.signature in pool.contents:
            continue
        name = room / str(len(secured))
        try:
            os.link(data / one.path, name, follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            pool.fetch(one, data / one.path, Silence())
            continue
        secured[name] = one
    return secured


def _without_beginnings(seen: list[Seen], known: Registry) -> list[Seen]:
    """Leave out the folder of a space that is being added: it is there before the space is."""
    strangers = {
        one.path
        for one in seen
        if one.path.startswith("spaces/")
        and one.path.count("/") == 1
        and stat.S_ISDIR(one.mode)
        and one.path.partition("/")[2] not in known.spaces
    }
    if not strangers:
        return seen
    inhabited = {"/".join(one.path.split("/", 2)[:2]) for one in seen if one.path.count("/") > 1}
    return [one for one in seen if one.path not in strangers - inhabited]
