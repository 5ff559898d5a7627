"""A space as plain files: its documents, and what is in its agenda, tasks and contacts.

documents/…                the documents, under their own names
agenda.ics, tasks.ics      one calendar each
contacts.vcf               the contacts, one after another
"""

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from acl.actor import Actor
from acl.errors import UnknownName
from acl.journal import Act, new_uid
from acl.privileges import Privilege
from calendars.content import BOM, text_of
from calendars.desk import Desk
from calendars.home import Place
from calendars.tables import Kind, objects
from config.language import Phrase
from davserver.backup.disk import SPECIAL, LeftOut
from davserver.backup.errors import NotEmpty
from davserver.backup.instant import Instant, Scope, fetch_secured, gather, instant
from davserver.backup.pool import Content, Pool
from davserver.backup.progress import Progress
from davserver.backup.shelf import Shelf
from davserver.documents.documents import Documents
from davserver.exchange import entries
from davserver.exchange.entries import Unbalanced

DOCUMENTS = "documents"
FILES = {Kind.AGENDA: "agenda.ics", Kind.TASKS: "tasks.ics", Kind.CONTACTS: "contacts.vcf"}
UNREADABLE = Phrase("It is cut short, or it is something else.")

_WORK = ".exporting"


@dataclass(frozen=True)
class Exported:
    """What was exported: documents and their bytes, entries of agendas and contacts; the
    `restricted` folders that are among them; and what was left out, and why."""

    documents: int
    size: int
    entries: int
    restricted: list[str]
    left_out: LeftOut


def export(
    documents: Documents, actor: Actor, slug: str, directory: Path, progress: Progress
) -> Exported:
    """Write all that the space `slug` holds now into `directory`, which is new or empty.

    Raises `UnknownName`, `NotEmpty`, `TargetOverlaps`, or an `OSError`; nothing is there then.
    """
    Shelf(directory).check_apart(documents.store.data)
    with documents.view(actor) as view:
        if slug not in view.registry.spaces:
            raise UnknownName(kind="space", name=slug)
    directory.mkdir(mode=0o700, exist_ok=True)
    work = directory / _WORK
    shutil.rmtree(work, ignore_errors=True)
    for there in sorted(directory.iterdir()):
        raise NotEmpty(data=directory, name=there.name)
    try:
        work.mkdir(mode=0o700)
        exported = _Exporting(documents, actor, slug, work, progress).export()
        for there in work.iterdir():
            there.rename(directory / there.name)
        work.rmdir()
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return exported


class _Exporting:
    """One export, to the directory `work`."""

    def __init__(
        self, documents: Documents, actor: Actor, slug: str, work: Path, progress: Progress
    ) -> None:
        self._documents = documents
        self._actor = actor
        self._slug = slug
        self._work = work
        self._progress = progress
        self._pool = Pool(work / "pool")
        self._left_out: LeftOut = {}

    def export(self) -> Exported:
        scope = Scope(lambda registry: {self._slug} & registry.spaces.keys(), (self._root,))
        self._pool.room.mkdir()
        gather(self._documents, scope, self._pool, self._progress)
        with instant(self._documents, self._actor, scope, self._pool, new_uid()) as now:
            fetch_secured(now, self._pool, self._progress)
            space = now.registry.spaces[self._slug]
            count = self._entries(Desk(now.reading, self._actor, space))
        exported = self._place(now)
        shutil.rmtree(self._pool.room)
        left_out = {**now.left_out, **self._left_out}
        done = Exported(
            len(exported),
            sum(content.size for content in exported),
            count,
            sorted(space.restricted),
            {path.removeprefix(f"{self._root}/"): why for path, why in left_out.items()},
        )
        with self._documents.database.write() as connection:
            detail = {"documents": done.documents, "bytes": done.size, "entries": count}
            act = Act(connection, self._actor, self._documents.clock())
            act.record("space.export", space_id=space.id, detail=detail)
        return done

    @property
    def _root(self) -> str:
        return f"spaces/{self._slug}"

    def _place(self, now: Instant) -> list[Content]:
        """Give the documents their names; return what was exported."""
        exported, folders = [], []
        for seen in sorted(now.seen):
            target = self._work / (DOCUMENTS + seen.path.removeprefix(self._root))
            if stat.S_ISDIR(seen.mode):
                target.mkdir(mode=0o700)
                folders.append((target, seen.mtime_ns))
            elif stat.S_ISLNK(seen.mode):
                self._left_out[seen.path] = SPECIAL
            elif content := self._pool.place(seen, target):
                exported.append(content)
            elif seen.path in self._pool.left_out:
                self._left_out[seen.path] = self._pool.left_out[seen.path]
        for target, mtime_ns in reversed(folders):
            os.utime(target, ns=(mtime_ns, mtime_ns))
        return exported

    def _entries(self, desk: Desk) -> int:
        """Write the agenda, the tasks and the contacts; return how many entries they have."""
        count = 0
        for kind, place in desk.places().items():
            desk.require(Privilege.READ, place)
            texts = list(self._texts(desk, place))
            if texts:
                text = "".join(texts) if kind is Kind.CONTACTS else entries.together(texts)
                (self._work / FILES[kind]).write_bytes(text.encode())
            count += len(texts)
        return count

    def _texts(self, desk: Desk, place: Place) -> Iterator[str]:
        query = sa.select(objects.c.name, objects.c.data)
        query = query.where(objects.c.collection_id == place.id).order_by(objects.c.id)
        for row in desk.connection.execute(query):
            try:
                yield entries.sound(text_of(row.data).removeprefix(BOM))
            except Unbalanced:
                self._left_out[f"{place.name}/{row.name}"] = UNREADABLE
