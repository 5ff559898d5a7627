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
from acl.registry import Registry, Space
from acl.tables import journal, spaces
from config.database import Database
from davserver.documents import intents, locks
from davserver.documents.move import tree_size
from davserver.documents.resource import locate
from davserver.documents.store import Store
from davserver.documents.tables import LIVE, properties


@dataclass(frozen=True)
class Finding:
    """Something that does not agree: where, and what. `problem` is a gettext key."""

    space: str
    path: str
    problem: str


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
MISCOUNTED = "The bytes that the space uses are not what was counted."


def findings(database: Database, store: Store, now: datetime) -> Iterator[Finding]:
    """All that does not agree, space by space.

    While the server runs, a change that is just being made may be reported as cut short.
    """
    with database.read() as connection:
        known = registry.read(connection)
        yield from _directories(known, store)
        for space in known.spaces.values():
            root = store.space_root(space.slug)
            if not root.is_dir():
                yield Finding(space.slug, "", NO_FOLDER)
                continue
            yield from _restricted(space, root)
            yield from _names(space, root)
            yield from _properties(connection, space, root)
            yield from _locks(connection, space, root, now)
            yield from _history(connection, space, store)
            yield from _count(connection, space, store)
    for concerned in intents.concerned_spaces(store):
        for space_id in sorted(concerned):
            yield Finding(known.space_by_id[space_id].slug, "", UNSETTLED)


def _directories(known: Registry, store: Store) -> Iterator[Finding]:
    for entry in sorted(os.scandir(store.spaces), key=lambda entry: entry.name):
        if entry.name not in known.spaces:
            yield Finding(entry.name, "", NO_SPACE)


def _restricted(space: Space, root: Path) -> Iterator[Finding]:
    for path in sorted(space.restricted):
        found = locate(root, path)
        if found is None or not stat.S_ISDIR(found[1].st_mode):
            yield Finding(space.slug, path, NO_RESTRICTED)


def _names(space: Space, root: Path) -> Iterator[Finding]:
    for folder, directories, files in os.walk(root):
        seen: set[str] = set()
        for name in sorted([*directories, *files]):
            disk = Path(folder, name)
            path = os.path.relpath(disk, root)
            shown = path.encode("utf-8", "backslashreplace").decode()
            if shown != path:
                yield Finding(space.slug, shown, BAD_NAME)
                continue
            normal = unicodedata.normalize("NFC", name)
            if normal in seen:
                yield Finding(space.slug, shown, TWIN)
            seen.add(normal)
            mode = os.lstat(disk).st_mode
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                yield Finding(space.slug, shown, NOT_SHOWN)


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
    """What acts say they kept against what is kept. An act that moved something to another
    space is recorded where it came from, and keeps what it replaced where it went to."""
    query = sa.select(journal.c.uid, journal.c.path, journal.c.detail).where(
        journal.c.action.in_(("document.put", "document.delete", "document.copy"))
        & (journal.c.space_id == space.id)
        | (journal.c.action == "document.move")
    )
    claimed: dict[str, str] = {}
    for row in connection.execute(query):
        if row.detail.get("history") and row.detail.get("to_space", space.slug) == space.slug:
            claimed[row.uid] = row.detail.get("to", row.path)
    root = store.history / space.slug
    kept = {entry.name for shard in _shards(root) for entry in os.scandir(shard)}
    for uid in sorted(claimed.keys() - kept):
        yield Finding(space.slug, claimed[uid], NO_HISTORY)
    for uid in sorted(kept - claimed.keys()):
        yield Finding(space.slug, str(Path(uid[:2], uid)), NO_JOURNAL)


def _shards(root: Path) -> list[Path]:
    return [Path(entry.path) for entry in os.scandir(root)] if root.is_dir() else []


def _count(connection: Connection, space: Space, store: Store) -> Iterator[Finding]:
    query = sa.select(spaces.c.used_bytes).where(spaces.c.id == space.id)
    counted = connection.execute(query).scalar_one()
    history = store.history / space.slug
    used = tree_size(store.space_root(space.slug))
    used += tree_size(history) if history.is_dir() else 0
    if used != counted:
        yield Finding(space.slug, "", MISCOUNTED)
