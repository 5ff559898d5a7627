"""Whether a backup is readable, complete and unaltered. Looks, and changes nothing."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from acl.tables import spaces
from config.database import Database
from config.language import Phrase
from davserver.backup import disk, manifest, rows
from davserver.backup.disk import LeftOut, Seen, Unreadable, walk
from davserver.backup.errors import DamagedManifest
from davserver.backup.manifest import DATABASE, Entry, Manifest
from davserver.backup.pool import Signature
from davserver.backup.progress import Progress
from davserver.documents import check
from davserver.documents.tables import kept

MISSING = Phrase("It is missing.")
ADDED = Phrase("It is not in the manifest.")
ALTERED = Phrase("It is not what was backed up.")
OTHER_REVISION = Phrase("Its tables are not those that the manifest names.")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a backup: at which path in it, and what."""

    path: str
    what: Phrase


@dataclass
class Verifier:
    """Verifies backups that may share files: what has been read is not read again."""

    progress: Progress
    _known: dict[Signature, str] = field(default_factory=dict)

    def problems(self, backup: Path) -> Iterator[Problem]:
        """All that is wrong with the backup in the directory `backup`.

        Raises `UnknownFormat` or `DatabaseTooNew`.
        """
        try:
            read = manifest.read(backup)
        except DamagedManifest as error:
            yield Problem(manifest.NAME, Phrase(error.message, **error.fields))
            return
        self.progress.begin(Phrase("Reading"), read.header.files, read.header.size)
        found = list(self._of_files(backup, read))
        yield from found
        # Else what it says is not worth a look.
        if not any(problem.path == DATABASE for problem in found):
            self.progress.begin(Phrase("Looking into the database"))
            yield from _of_database(backup, read)

    def _of_files(self, backup: Path, read: Manifest) -> Iterator[Problem]:
        left_out: LeftOut = {}
        tops = sorted(name for name in os.listdir(backup) if name != manifest.NAME)
        there = {seen.path: seen for top in tops for seen in walk(backup, top, left_out)}
        for entry in read.entries:
            seen = there.pop(entry.path, None)
            if seen is not None:
                what = self._wrong(backup, entry, seen)
            else:
                what = left_out.pop(entry.path, MISSING)
            if what is not None:
                yield Problem(entry.path, what)
        for path in sorted(there.keys() | left_out.keys()):
            yield Problem(path, ADDED)

    def _wrong(self, backup: Path, entry: Entry, seen: Seen) -> Phrase | None:
        """What is wrong with one file, folder or link."""
        if entry.kind == "folder":
            return None if stat.S_ISDIR(seen.mode) else ALTERED
        if entry.kind == "link":
            return None if seen.target == entry.target else ALTERED
        if not stat.S_ISREG(seen.mode) or seen.size != entry.size:
            return ALTERED
        self.progress.advance(files=1)
        digest = self._known.get(seen.signature)
        if digest is not None:
            self.progress.advance(size=seen.size)
        else:
            try:
                file = backup / entry.path
                digest = disk.checksum(file, lambda size: self.progress.advance(size=size))
            except Unreadable as error:
                return error.reason
            self._known[seen.signature] = digest
        return None if digest == entry.sha256 else ALTERED


def _of_database(backup: Path, read: Manifest) -> Iterator[Problem]:
    """What is wrong with the database, and what it speaks of that is not there.

    Looked at in a copy: to open a database is to write to it.
    """
    with TemporaryDirectory(prefix="davserver-") as scratch:
        file = Path(scratch, DATABASE)
        shutil.copyfile(backup / DATABASE, file)
        wrong = [Problem(DATABASE, what) for what in _wrong_in(file, read.header.revision)]
        if wrong:
            yield from wrong
            return
        with closing(rows.sqlite(file)) as database:
            database.migrate()
            yield from _lacking(database, {entry.path for entry in read.entries})


def _lacking(database: Database, there: Collection[str]) -> Iterator[Problem]:
    """What the database speaks of and is not `there`: spaces, and what history keeps."""
    with database.read() as connection:
        for slug in connection.scalars(sa.select(spaces.c.slug)):
            if f"spaces/{slug}" not in there:
                yield Problem(f"spaces/{slug}", Phrase(check.NO_FOLDER))
        query = sa.select(spaces.c.slug, kept.c.uid).join(spaces, kept.c.space_id == spaces.c.id)
        for slug, uid in connection.execute(query):
            path = f"history/{slug}/{uid[:2]}/{uid}"
            if path not in there:
                yield Problem(path, Phrase(check.NO_HISTORY))


def _wrong_in(file: Path, revision: str) -> Iterator[Phrase]:
    """What SQLite itself, and its tables, have to say of the database `file`."""
    with closing(sqlite3.connect(file)) as connection:
        try:
            for (said,) in connection.execute("PRAGMA integrity_check"):
                if said != "ok":
                    yield Phrase("{problem}.", problem=said)
            for table, *_ in connection.execute("PRAGMA foreign_key_check"):
                yield Phrase("A row of {table} refers to none.", table=table)
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        except sqlite3.DatabaseError as error:
            yield Phrase("{problem}.", problem=error)
            return
    if found != [(revision,)]:
        yield OTHER_REVISION
