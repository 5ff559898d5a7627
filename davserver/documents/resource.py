"""What is where: names in spaces, and what lies on the disk under them."""

import mimetypes
import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from acl.registry import Space
from davserver import paths
from davserver.documents.tables import LIVE

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What a date can say; a file's time may lie far outside.
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_000_000


@dataclass(frozen=True)
class Place:
    """A name in a space, whether or not there is anything. `tree`: see tables.py."""

    space: Space
    path: str
    tree: str = LIVE

    @property
    def name(self) -> str:
        """The last segment; the space's slug for its root."""
        return paths.name(self.path) or self.space.slug

    def href(self, *, collection: bool = False) -> str:
        """The place's address on this server."""
        return paths.href("spaces", self.space.slug, self.path, collection=collection)


@dataclass(frozen=True)
class Resource:
    """A document or folder as it is on the disk at this moment."""

    place: Place
    disk: Path
    status: os.stat_result

    @property
    def is_collection(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def href(self) -> str:
        return self.place.href(collection=self.is_collection)

    @property
    def size(self) -> int:
        """The content's length in bytes."""
        return self.status.st_size

    @property
    def modified(self) -> datetime:
        microseconds = self.status.st_mtime_ns // 1000
        return _EPOCH + timedelta(microseconds=min(max(microseconds, _EARLIEST), _LATEST))

    @property
    def etag(self) -> str:
        """A strong entity tag, quoted.

        Two contents never share one: a former content keeps its inode while it is in history,
        and when that is freed at last, the time in nanoseconds differs. The link count and the
        time of change are left out, so that a backup by hard links does not change it.
        """
        status = self.status
        return f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'

    @property
    def content_type(self) -> str:
        """The media type that the name suggests."""
        guessed, encoding = mimetypes.guess_type(self.place.name, strict=False)
        return guessed if guessed and not encoding else "application/octet-stream"


def locate(root: Path, path: str) -> tuple[Path, os.stat_result] | None:
    """Find `path` below `root`: where it lies and what it is, or None.

    Each name is found in whatever Unicode form the disk has it. Symbolic links and special
    files are nothing: a link could lead out of the space, or around a restricted folder.
    """
    disk = root
    try:
        status = os.lstat(disk)
        for segment in path.split("/") if path else ():
            if not stat.S_ISDIR(status.st_mode):
                return None
            disk, status = _member(disk, segment)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (disk, status) if _is_plain(status) else None


def _member(folder: Path, name: str) -> tuple[Path, os.stat_result]:
    disk = folder / name
    try:
        return disk, os.lstat(disk)
    except FileNotFoundError:
        # Copied in by a Mac's tools, perhaps: the same name in another form. ASCII has one.
        if not name.isascii():
            with os.scandir(folder) as entries:
                for entry in entries:
                    if unicodedata.normalize("NFC", entry.name) == name:
                        return Path(entry.path), entry.stat(follow_symlinks=False)
        raise
    except OSError as error:
        # ENAMETOOLONG: no name of this length exists.
        raise FileNotFoundError from error


def is_obstructed(folder: Path, name: str) -> bool:
    """Whether `name` in `folder` is that of a symbolic link or a special file, which is nothing
    and yet must not be replaced."""
    try:
        return not _is_plain(_member(folder, name)[1])
    except FileNotFoundError:
        return False


def scan(resource: Resource) -> Iterator[Resource]:
    """The members of a collection, from one scan of its directory, in no particular order.

    What has no name in Unicode, or is neither document nor folder, is not shown.
    """
    seen: set[str] = set()
    with os.scandir(resource.disk) as entries:
        for entry in entries:
            name = entry.name
            if not name.isascii():
                name = unicodedata.normalize("NFC", name)
                if not _is_text(name) or name in seen:
                    continue
                seen.add(name)
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                # Gone, or too deep to be found by its path: no reason to show nothing at all.
                continue
            if _is_plain(status):
                place = Place(
                    resource.place.space, paths.join(resource.place.path, name), resource.place.tree
                )
                yield Resource(place, Path(entry.path), status)


def _is_plain(status: os.stat_result) -> bool:
    return stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
