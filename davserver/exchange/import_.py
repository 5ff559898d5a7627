"""Plain files into a space, through the verbs that the server has: as `export` writes them, or as
somebody has put them together.

documents/…        what is in it becomes documents and folders of the space
*.ics, *.vcf       each entry goes to the agenda, the tasks or the contacts
"""

import os
import re
import stat
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from acl.actor import Actor
from acl.errors import UnknownName
from acl.journal import Act
from calendars import content, objects
from calendars.conditions import Conditions as EntryConditions
from calendars.content import Content
from calendars.desk import Desk
from calendars.errors import ObjectTooLarge, Tag
from calendars.home import Place
from calendars.tables import Kind
from calendars.tables import objects as rows
from config.errors import DatabaseUnavailable, DavserverError, StorageFailed, StorageFull
from config.language import Phrase
from davserver import paths
from davserver.backup.disk import LeftOut, Seen, walk
from davserver.backup.progress import Progress
from davserver.documents import clutter, folder
from davserver.documents.conditions import Conditions
from davserver.documents.documents import Documents
from davserver.documents.put import put
from davserver.documents.store import open_file
from davserver.documents.upload import Announced
from davserver.errors import AlreadyMapped
from davserver.exchange import entries
from davserver.exchange.entries import Entry, Unbalanced
from davserver.exchange.export import DOCUMENTS, UNREADABLE

_BILLION = 1_000_000_000
_ENDINGS = (".ics", ".vcf")
_CLUTTER = Phrase("Operating systems leave it everywhere; it is no document.")
_LINK = Phrase("Symbolic links are not followed.")
_NOT_READ = Phrase("Only the folder documents and files ending in .ics or .vcf are imported.")
_NOT_UTF8 = Phrase("It is not UTF-8.")
# Names that most programs give to what they put.
_PLAIN = re.compile(r"[A-Za-z0-9@_+-][A-Za-z0-9@._+-]{0,199}")
_NAMESPACE = uuid.UUID("c0b6a4e4-2e64-4d24-8f5a-3c0f6c1b7d52")
# What concerns everything that would follow as well.
_FATAL = (DatabaseUnavailable, StorageFailed, StorageFull)


@dataclass
class Imported:
    """How many documents, folders and entries are new, how many replaced a former one, and how
    many were there and stay as they are. `refused` are the rest, each with its reason."""

    documents: int = 0
    folders: int = 0
    entries: int = 0
    replaced: int = 0
    kept: int = 0
    refused: dict[str, Phrase | DavserverError] = field(default_factory=dict)


def import_(
    documents: Documents,
    actor: Actor,
    slug: str,
    directory: Path,
    progress: Progress,
    *,
    object_max: int,
    overwrite: bool = False,
) -> Imported:
    """Put what is in `directory` into the space `slug`; each thing is an act of its own.

    `object_max` is the largest entry in bytes. `overwrite`: what is there already gets a new
    version. Raises `UnknownName`, `StorageFull`, `DatabaseUnavailable`, or an `OSError` of the
    directory itself.
    """
    with documents.view(actor) as view:
        if slug not in view.registry.spaces:
            raise UnknownName(kind="space", name=slug)
    importing = _Importing(documents, actor, slug, directory, progress, object_max, overwrite)
    importing.everything()
    return importing.done


@dataclass
class _Importing:
    """One import: what there is to do, and what is done of it."""

    documents: Documents
    actor: Actor
    slug: str
    directory: Path
    progress: Progress
    object_max: int
    overwrite: bool
    done: Imported = field(default_factory=Imported)
    _taken: set[str] = field(default_factory=set)

    def everything(self) -> None:
        files = []
        for entry in sorted(self.directory.iterdir()):
            if entry.name == DOCUMENTS and entry.is_dir():
                self._tree()
            elif entry.suffix.lower() in _ENDINGS and stat.S_ISREG(entry.lstat().st_mode):
                files.append(entry)
            else:
                self.done.refused[entry.name] = _NOT_READ
        for file in files:
            self._file(file)

    # Documents

    def _tree(self) -> None:
        left_out: LeftOut = {}
        _, *found = sorted(walk(self.directory, DOCUMENTS, left_out))
        self.done.refused.update(left_out)
        size = sum(seen.size for seen in found if stat.S_ISREG(seen.mode))
        self.progress.begin(Phrase("Documents"), len(found), size)
        closed: set[str] = set()
        for seen in found:
            self.progress.advance(1, seen.size if stat.S_ISREG(seen.mode) else 0)
            # What is in a folder that was refused would be refused as well.
            if os.path.dirname(seen.path) not in closed:
                try:
                    self._one(seen)
                    continue
                except _FATAL:
                    raise
                except DavserverError as error:
                    self.done.refused[seen.path] = error
                except OSError as error:
                    self.done.refused[seen.path] = Phrase("{reason}.", reason=error.strerror)
            if stat.S_ISDIR(seen.mode):
                closed.add(seen.path)

    def _one(self, seen: Seen) -> None:
        path = paths.normalise(seen.path.partition("/")[2])
        if stat.S_ISDIR(seen.mode):
            self._folder(path)
        elif stat.S_ISLNK(seen.mode):
            self.done.refused[seen.path] = _LINK
        elif clutter.is_clutter(paths.name(path)):
            self.done.refused[seen.path] = _CLUTTER
        else:
            self._document(seen.path, path)

    def _folder(self, path: str) -> None:
        with self.documents.view(self.actor) as view:
            there = view.find(view.place(self.slug, path))
        if there is None:
            with self.documents.change(self.actor, (self.slug,)) as change:
                folder.create(change, change.destination(self.slug, path), Conditions())
            self.done.folders += 1
        elif not there.is_collection:
            raise AlreadyMapped()

    def _document(self, file: str, path: str) -> None:
        if path in self._taken:
            # Another form of the same name is there: not a former version of this one.
            raise AlreadyMapped()
        self._taken.add(path)
        with self.documents.view(self.actor) as view:
            there = view.find(view.place(self.slug, path))
        if there is not None and not there.is_collection and not self.overwrite:
            self.done.kept += 1
            return
        with open(open_file(self.directory / file), "rb", buffering=0) as opened:
            status = os.fstat(opened.fileno())
            published = put(
                self.documents,
                self.actor,
                self.slug,
                path,
                opened.read,
                Announced(status.st_size, status.st_mtime_ns // _BILLION),
                Conditions() if self.overwrite else Conditions(if_none_match=("*",)),
            )
        if published.created:
            self.done.documents += 1
        else:
            self.done.replaced += 1

    # Agenda, tasks, contacts

    def _file(self, file: Path) -> None:
        try:
            found = list(entries.apart(file.read_bytes().decode("utf-8-sig")))
        except UnicodeDecodeError:
            self.done.refused[file.name] = _NOT_UTF8
            return
        except Unbalanced:
            found = []
        if not found:
            self.done.refused[file.name] = UNREADABLE
        self.progress.begin(Phrase("{name}", name=file.name), len(found))
        for entry in found:
            try:
                self._entry(entry)
            except _FATAL:
                raise
            except DavserverError as error:
                self.done.refused[f"{file.name}: {entry.title}"] = error
            self.progress.advance(1)

    def _entry(self, entry: Entry) -> None:
        tag: Tag = "VADDRESSBOOK" if entry.component == "VCARD" else "VCALENDAR"
        data = entry.text.encode()
        if len(data) > self.object_max:
            raise ObjectTooLarge(tag, maximum=self.object_max)
        read = content.read(data, tag)
        with self.documents.database.write() as connection:
            space = self.documents.registry.current(connection).spaces[self.slug]
            desk = Desk(connection, self.actor, space)
            place = _place(desk, read)
            former = desk.connection.execute(
                sa.select(rows.c.name, rows.c.data).where(
                    rows.c.collection_id == place.id, rows.c.uid == read.uid
                )
            ).first()
            if former is not None and (former.data == data or not self.overwrite):
                self.done.kept += 1
                return
            act = Act(connection, self.actor, self.documents.clock())
            name = former.name if former else _name(read)
            objects.put(act, desk, place, name, read, EntryConditions())
        if former is None:
            self.done.entries += 1
        else:
            self.done.replaced += 1


def _place(desk: Desk, read: Content) -> Place:
    """Where such an entry belongs; the agenda refuses what belongs nowhere."""
    places = desk.places()
    fitting = (place for place in places.values() if read.component in place.components)
    return next(fitting, places[Kind.AGENDA])


def _name(read: Content) -> str:
    """What a new entry is to be called: as most programs would."""
    name = read.uid if _PLAIN.fullmatch(read.uid) else str(uuid.uuid5(_NAMESPACE, read.uid))
    return name + (".vcf" if read.component == "VCARD" else ".ics")
