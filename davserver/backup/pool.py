"""Contents on their way into a copy: each fetched once, before it is known what it is called.

While a copy is made, documents get other names, go to history, come and go; but a content is
never written over in place. So the contents are fetched first, whatever they are called, without
keeping anybody waiting. The names follow, as they were at one instant.
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from davserver.backup import disk
from davserver.backup.disk import LeftOut, Seen, Unreadable
from davserver.backup.progress import Progress

Signature = tuple[int, int, int, int]
"""See `Seen.signature`."""

# File systems without hard links, or with no more of them for this file; files of others.
NO_LINKS = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.EACCES, errno.ENOSYS}
)

# Nanoseconds; not every disk keeps a time as exactly as it was set.
_COARSE = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Former:
    """A content that an earlier copy has: where, and its checksum."""

    file: str
    sha256: str


@dataclass(slots=True)
class Content:
    """A content that was fetched: where it lies for now, and what it is."""

    file: str
    size: int
    sha256: str
    linked: bool = False
    placed: bool = False


@dataclass
class Pool:
    """The contents, in the directory `room` on the disk of the copy that is made.

    `former` are those of an earlier copy on that disk, which are linked to instead. `left_out`
    tells of what could not be read.
    """

    room: Path
    former: dict[Signature, Former] = field(default_factory=dict)
    contents: dict[Signature, Content] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def fetch(self, seen: Seen, file: Path, progress: Progress) -> None:
        """Fetch the content that was `seen` and lies at `file`; harmless when repeated.

        What is gone meanwhile is not fetched.
        """
        if seen.signature not in self.contents and not self._link(seen):
            self._copy(seen, file, progress)
        else:
            progress.advance(size=seen.size)
        progress.advance(files=1)

    def _link(self, seen: Seen) -> bool:
        former = self.former.pop(seen.signature, None)
        if former is None:
            return False
        room = f"{self.room}/{next(self._numbers)}"
        try:
            status = os.lstat(former.file)
            if status.st_size != seen.size or abs(status.st_mtime_ns - seen.mtime_ns) >= _COARSE:
                # Somebody has been at it.
                return False
            os.link(former.file, room, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            return False
        self.contents[seen.signature] = Content(room, seen.size, former.sha256, linked=True)
        return True

    def _copy(self, seen: Seen, file: Path, progress: Progress) -> None:
        room = self.room / str(next(self._numbers))
        try:
            copied = disk.copy(file, room, lambda size: progress.advance(size=size))
        except (FileNotFoundError, NotADirectoryError, Unreadable) as error:
            room.unlink(missing_ok=True)
            if isinstance(error, Unreadable):
                self.left_out[seen.path] = error.reason
            return
        signature = seen.signature
        if copied.original.st_ino != seen.inode:
            # Another document has this name since.
            signature = Seen.of(seen.path, copied.original).signature
        else:
            # Its time may have been set since.
            os.utime(room, ns=(seen.mtime_ns, seen.mtime_ns))
        self.contents[signature] = Content(str(room), copied.size, copied.sha256)

    def place(self, seen: Seen, target: Path) -> Content | None:
        """Give the content that was `seen` the name `target`; None if it was not fetched."""
        content = self.contents.get(seen.signature)
        if content is None:
            return None
        if content.placed:
            _twin(content.file, target)
        else:
            os.rename(content.file, target)
            content.file, content.placed = str(target), True
        return content


def _twin(file: str, target: Path) -> None:
    """Let the content of `file` have the name `target` as well."""
    try:
        os.link(file, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        disk.copy(Path(file), target, lambda size: None)
