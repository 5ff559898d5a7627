"""Whether the disk and the database agree. Looks, and changes nothing."""

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl import registry
from acl import spaces as registered
from acl.registry import Registry, Space
from config.database import Database
from davserver.documents import counts, intents, inventory, locks, walk
from davserver.documents.resource import locate
from davserver.documents.store import Store
from davserver.documents.tables import LIVE, kept, properties


@dataclass(frozen=True)
class Finding:
    """Something that does not agree: where, and what. `problem` is a gettext key.

    `to` is where it lies now, if it was moved.
    """

    space: str
    path: str
    problem: str
    to: str = ""


NO_FOLDER = "The space has no folder on the disk."
NO_SPACE = "There is a folder on the disk for which there is no space."
NO_RESTRICTED = "The restricted folder does not exist on the disk."
NO_DOCUMENT = "Properties are kept for a document that does not exist."
LOCK_NOWHERE = "A lock is held on a document that does not exist."
NO_HISTORY = "The former content that the journal speaks of is missing from the history."
NO_JOURNAL = "The history holds a content that the journal does not know."
UNSETTLED = "A change was cut short; starting the server settles it."
NOT_SHOWN = "This is no document and no folder, so that nobody sees it."
BAD_NAME = "This name cannot be written in Unicode, so that nobody sees it."
TWIN = "There are two of this name, of which one is seen."
TOO_LONG = "This path is too long for the journal; shorten a name in it."
UNREADABLE = "The server may not look into this folder."
APPEARED = "This was put there directly on the disk; the journal does not know it."
VANISHED = "This was removed directly on the disk; the journal does not know of it."
MOVED = "This was moved directly on the disk; the journal does not know of it."
ALTERED = "This was changed directly on the disk; the journal does not know of it."
MISCOUNTED = "The bytes that the space uses are not what was counted."


def findings(database: Database, store: Store, now: datetime) -> Iterator[Finding]:
    """All that does not agree, space by space.

    While the server runs, a change that is just being made may be reported as cut short.
    """
    with database.read() as connection:
        known = registry.read(connection)
    yield from _directories(known, store)
    for space in known.spaces.values():
        with database.read() as connection:
            found = list(_space(connection, space, store, now))
        if found:
            yield from _once_more(database, space, store, now)
    for concerned in intents.concerned_spaces(store):
        for space_id in sorted(concerned):
            yield Finding(known.space_by_id[space_id].slug, "", UNSETTLED)


def _once_more(database: Database, space: Space, store: Store, now: datetime) -> list[Finding]:
    """What is found while nobody changes the space: it may have been a change under way."""
    with database.write() as connection:
        registered.take(connection, (space.id,))
        current = registry.read(connection).space_by_id[space.id]
        return list(_space(connection, current, store, now))


def _directories(known: Registry, store: Store) -> Iterator[Finding]:
    for entry in sorted(os.scandir(store.spaces), key=lambda entry: entry.name):
        if entry.name not in known.spaces:
            yield Finding(entry.name, "", NO_SPACE)


def _space(connection: Connection, space: Space, store: Store, now: datetime) -> Iterator[Finding]:
    root = store.space_root(space.slug)
    if not root.is_dir():
        yield Finding(space.slug, "", NO_FOLDER)
        return
    yield from _restricted(space, root)
    yield from _names(space, root)
    yield from _documents(connection, space, root)
    yield from _properties(connection, space, root)
    yield from _locks(connection, space, root, now)
    yield from _history(connection, space, store)
    yield from _count(connection, space, root, store)


def _restricted(space: Space, root: Path) -> Iterator[Finding]:
    for path in sorted(space.restricted):
        found = locate(root, path)
        if found is None or not stat.S_ISDIR(found[1].st_mode):
            yield Finding(space.slug, path, NO_RESTRICTED)


def _names(space: Space, root: Path) -> Iterator[Finding]:
    for folder, found in walk.folders(root):
        seen: set[str] = set()
        for name, status in sorted(found, key=lambda entry: entry[0]):
            path = walk.join(folder, name)
            shown = path.encode("utf-8", "backslashreplace").decode()
            if shown != path:
                yield Finding(space.slug, shown, BAD_NAME)
                continue
            normal = unicodedata.normalize("NFC", name)
            if normal in seen:
                yield Finding(space.slug, shown, TWIN)
            seen.add(normal)
            if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
                yield Finding(space.slug, shown, NOT_SHOWN)


def _documents(connection: Connection, space: Space, root: Path) -> Iterator[Finding]:
    """What lies on the disk against what the traces tell."""
    difference = inventory.compare(root, inventory.recorded(connection, space.id))
    for paths, problem in (
        (difference.tops(), APPEARED),
        (difference.vanished, VANISHED),
        (difference.altered, ALTERED),
        (difference.too_long, TOO_LONG),
        (difference.unreadable, UNREADABLE),
    ):
        for path in sorted(paths):
            yield Finding(space.slug, path, problem)
    for path, to in sorted(difference.moved):
        yield Finding(space.slug, path, MOVED, to)


def _properties(connection: Connection, space: Space, root: Path) -> Iterator[Finding]:
    query = (
        sa.select(properties.c.path)
        .where(properties.c.space_id == space.id, properties.c.tree == LIVE)
        .distinct()
        .order_by(properties.c.path)
    )
    for path in connection.execute(query).scalars():
        if locate(root, path) is None:
            yield Finding(space.slug, path, NO_DOCUMENT)


def _locks(connection: Connection, space: Space, root: Path, now: datetime) -> Iterator[Finding]:
    for lock in locks.listing(connection, now, space_id=space.id):
        if lock.tree == LIVE and locate(root, lock.path) is None:
            yield Finding(space.slug, lock.path, LOCK_NOWHERE)


def _history(connection: Connection, space: Space, store: Store) -> Iterator[Finding]:
    """What history is said to keep against what it keeps."""
    query = sa.select(kept.c.uid, kept.c.path).where(kept.c.space_id == space.id)
    claimed = {row.uid: row.path for row in connection.execute(query)}
    root = store.history / space.slug
    found = {entry.name for shard in _shards(root) for entry in os.scandir(shard)}
    for uid in sorted(claimed.keys() - found):
        yield Finding(space.slug, claimed[uid], NO_HISTORY)
    for uid in sorted(found - claimed.keys()):
        yield Finding(space.slug, str(Path(uid[:2], uid)), NO_JOURNAL)


def _shards(root: Path) -> list[Path]:
    return [Path(entry.path) for entry in os.scandir(root)] if root.is_dir() else []


def _count(connection: Connection, space: Space, root: Path, store: Store) -> Iterator[Finding]:
    """What the space is said to use, and what of it is history, against what it does."""
    sizes = counts.of_history(store, space.slug)
    used = registered.shares(connection, (space.id,))[space.id]
    query = sa.select(kept.c.uid, kept.c.size).where(
        kept.c.space_id == space.id, kept.c.size.is_not(None)
    )
    counted = {row.uid: row.size for row in connection.execute(query)}
    agree = (
        used.total == walk.size(root) + sum(sizes.values())
        and used.history == sum(counted.values())
        and all(size == sizes[uid] for uid, size in counted.items())
    )
    if not agree:
        yield Finding(space.slug, "", MISCOUNTED)
