"""Making a backup: everything as it is at one instant, while others go on working.

It takes three rounds. The first two fetch contents, and what is linked or copied then is most of
it. The third one holds all spaces for a moment (see instant.py), after which only the rest has
to be fetched, the database written out, and the names given.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from acl.actor import Actor
from acl.journal import Act, new_uid
from config.language import Phrase
from config.settings import FILE
from davserver.backup import manifest, rows
from davserver.backup.disk import LeftOut, Seen, checksum, sync_disk
from davserver.backup.errors import DamagedManifest, TargetFull, UnknownFormat
from davserver.backup.instant import Instant, Scope, fetch_secured, gather, instant
from davserver.backup.manifest import DATABASE, Entry, Header, Kind
from davserver.backup.pool import Former, Pool, Signature
from davserver.backup.progress import Progress
from davserver.backup.shelf import Shelf
from davserver.documents.documents import Documents
from davserver.documents.store import sync_directory

EVERYTHING = Scope(lambda registry: registry.spaces.keys(), (FILE, "secrets", "history", "spaces"))

_ROUNDS = 2
_POOL = "pool"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# A file that was written to while it was copied may have got the same time again: that of ext4
# ticks every few milliseconds, of others every two seconds.
_TICK = timedelta(seconds=2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Done:
    """A backup that is complete. Sizes are in bytes; `held` is how long nobody could write.

    `copied` and `copied_size` are of the files that are not shared with an earlier backup, the
    database not among them. `left_out` could not be read. `removed` are older backups.
    """

    backup: Path
    moment: datetime
    files: int
    size: int
    copied: int
    copied_size: int
    seconds: float
    held: timedelta
    left_out: LeftOut
    removed: list[Path] = field(default_factory=list)


def back_up(
    documents: Documents,
    actor: Actor,
    shelf: Shelf,
    progress: Progress,
    version: str,
    *,
    full: bool = False,
    keep: int | None = None,
) -> Done:
    """Make a backup of everything on `shelf`, and record it in the journal.

    `version` is this program's. `full`: everything is copied, and nothing shared with an earlier
    backup. `keep`: only so many backups, the newest ones, are left. Raises `TargetOverlaps`,
    `BackupRunning`, `TargetFull`, `StorageFull`, `DatabaseUnavailable`, or an `OSError` of the
    shelf's disk; nothing is left of the backup then.
    """
    shelf.check_apart(documents.store.data)
    with shelf.alone():
        for uid in shelf.clear():
            documents.store.discard(uid)
        begun, uid = documents.clock(), new_uid()
        room = shelf.begin(uid)
        try:
            former = {} if full else _former(shelf)
            making = _Making(documents, actor, room, former, progress)
            made = making.make(uid, version, begun)
            made = replace(made, backup=shelf.finish(room, made.moment))
        except BaseException as error:
            shutil.rmtree(room, ignore_errors=True)
            if isinstance(error, OSError):
                if error.errno in _FULL:
                    raise TargetFull(target=shelf.path) from error
                # Of a write, the system does not say where it was to.
                error.filename = error.filename or str(shelf.path)
            raise
        _record(documents, actor, made)
        return made if keep is None else replace(made, removed=shelf.keep(keep))


def _former(shelf: Shelf) -> dict[Signature, Former]:
    """The contents of the newest backup that can be relied on."""
    for backup in reversed(shelf.backups()):
        try:
            read = manifest.read(backup)
        except (DamagedManifest, UnknownFormat):
            continue
        latest = (read.header.begun - _TICK - _EPOCH) // timedelta(microseconds=1) * 1000
        return {
            (one.inode, one.size, one.mtime_ns, stat.S_IFREG | one.mode): Former(
                f"{backup}/{one.path}", one.sha256
            )
            for one in read.entries
            if one.kind == "file" and one.inode and one.mtime_ns < latest
        }
    return {}


def _record(documents: Documents, actor: Actor, done: Done) -> None:
    with documents.database.write() as connection:
        Act(connection, actor, documents.clock()).record(
            "backup.done",
            detail={
                "backup": os.fsencode(done.backup).decode("utf-8", "backslashreplace"),
                "moment": done.moment.isoformat(),
                "files": done.files,
                "bytes": done.size,
                "copied_bytes": done.copied_size,
                "seconds": round(done.seconds, 3),
                "held_seconds": round(done.held.total_seconds(), 3),
                "left_out": len(done.left_out),
            },
        )


class _Making:
    """One backup that is being made in the directory `room`."""

    def __init__(
        self,
        documents: Documents,
        actor: Actor,
        room: Path,
        former: dict[Signature, Former],
        progress: Progress,
    ) -> None:
        self._documents = documents
        self._actor = actor
        self._room = room
        self._progress = progress
        self._pool = Pool(room / _POOL, former)
        self._left_out: LeftOut = {}

    def make(self, uid: str, version: str, begun: datetime) -> Done:
        """Make it, durably; `uid` is a name for what is staged meanwhile."""
        pool, progress = self._pool, self._progress
        pool.room.mkdir(mode=0o700)
        for _ in range(_ROUNDS):
            gather(self._documents, EVERYTHING, pool, progress)
        with instant(self._documents, self._actor, EVERYTHING, pool, uid) as now:
            progress.begin(Phrase("Writing the database"))
            revision = rows.dump(now.reading, self._room / DATABASE)
            fetch_secured(now, pool, progress)
        entries = [*self._place(now), self._database()]
        shutil.rmtree(pool.room)
        files = [entry for entry in entries if entry.kind == "file"]
        size = sum(entry.size for entry in files)
        progress.begin(Phrase("Writing to the disk"))
        sync_disk(self._room)
        header = Header(version, revision, now.moment, begun, len(files), size)
        manifest.write(self._room, header, entries)
        sync_directory(self._room)
        copied = [one for one in pool.contents.values() if one.placed and not one.linked]
        return Done(
            self._room,
            now.moment,
            len(files),
            size,
            len(copied),
            sum(one.size for one in copied),
            (self._documents.clock() - begun).total_seconds(),
            now.held,
            {**now.left_out, **self._left_out},
        )

    def _place(self, now: Instant) -> Iterator[Entry]:
        """Give everything its name."""
        self._progress.begin(Phrase("Arranging"), len(now.seen))
        folders = []
        # A folder's name is the beginning of the names in it, and comes before them.
        for seen in sorted(now.seen):
            target = self._room / seen.path
            self._progress.advance(files=1)
            if stat.S_ISDIR(seen.mode):
                target.mkdir(mode=0o700)
                folders.append(seen)
                yield _entry(seen, "folder")
            elif stat.S_ISLNK(seen.mode):
                os.symlink(seen.target, target)
                yield replace(_entry(seen, "link"), target=seen.target)
            else:
                content = self._pool.place(seen, target)
                if content is not None:
                    yield replace(_entry(seen, "file"), size=content.size, sha256=content.sha256)
                elif seen.path in self._pool.left_out:
                    self._left_out[seen.path] = self._pool.left_out[seen.path]
        for seen in reversed(folders):
            target = self._room / seen.path
            # Whatever else its mode says, a backup can be removed.
            target.chmod(stat.S_IMODE(seen.mode) | stat.S_IRWXU)
            os.utime(target, ns=(seen.mtime_ns, seen.mtime_ns))

    def _database(self) -> Entry:
        file = self._room / DATABASE
        status = file.stat()
        size, mode = status.st_size, stat.S_IMODE(status.st_mode)
        # It has an inode of no other: every backup has a database of its own.
        digest = checksum(file, lambda size: None)
        return Entry(DATABASE, "file", mode, 0, size, status.st_mtime_ns, digest)


def _entry(seen: Seen, kind: Kind) -> Entry:
    return Entry(seen.path, kind, stat.S_IMODE(seen.mode), seen.inode, seen.size, seen.mtime_ns)
