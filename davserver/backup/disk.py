"""Trees of files as a backup sees them: what is there, and copies whose checksum is known."""

import ctypes
import errno
import fcntl
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from config.language import Phrase

_BLOCK = 1 << 20
_LIBC = ctypes.CDLL(None, use_errno=True)
# ioctl_ficlone(2): the file shares the blocks of the other one, and is a file of its own.
_FICLONE = 0x40049409
# What keeps one file from being read, as opposed to all of them.
_UNREADABLE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EIO, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG}
)
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE})


class Seen(NamedTuple):
    """One name below the data directory, and what lstat says of it. `target`: of a link."""

    path: str
    mode: int
    inode: int
    size: int
    mtime_ns: int
    target: str = ""

    @property
    def signature(self) -> tuple[int, int, int, int]:
        """What tells one content from any other: a content is never written over in place."""
        return (self.inode, self.size, self.mtime_ns, self.mode)

    @classmethod
    def of(cls, path: str, status: os.stat_result, target: str = "") -> "Seen":
        """What `status` says of `path`."""
        return cls(path, status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, target)


class Unreadable(Exception):
    """A file that cannot be read, or is none; `reason` says why."""

    def __init__(self, reason: Phrase) -> None:
        super().__init__(str(reason))
        self.reason = reason


LeftOut = dict[str, Phrase]
"""What is not in a copy, by its path, and why."""

SPECIAL = Phrase("It is neither a file nor a folder.")


def walk(data: Path, root: str, left_out: LeftOut) -> Iterator[Seen]:
    """All that is at and below `root`, a path below `data`: folders before what is in them.

    Of symbolic links only `root` itself is followed. What cannot be looked at is `left_out`.
    What vanishes meanwhile was not there.
    """
    # Text, not `Path`: this is done a million times while people wait to write.
    top = str(data)
    try:
        status = os.stat(f"{top}/{root}")
    except OSError as error:
        _forgive(error, root, left_out)
        return
    yield from _seen(top, root, status, left_out)
    pending = [root] if stat.S_ISDIR(status.st_mode) else []
    while pending:
        folder = pending.pop()
        try:
            entries = os.scandir(f"{top}/{folder}")
        except OSError as error:
            _forgive(error, folder, left_out)
            continue
        with entries:
            for entry in entries:
                path = f"{folder}/{entry.name}"
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError as error:
                    _forgive(error, path, left_out)
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield Seen.of(path, status)
                else:
                    yield from _seen(top, path, status, left_out)
                    if stat.S_ISDIR(status.st_mode):
                        pending.append(path)


def _seen(top: str, path: str, status: os.stat_result, left_out: LeftOut) -> Iterator[Seen]:
    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
        yield Seen.of(path, status)
    elif stat.S_ISLNK(status.st_mode):
        try:
            yield Seen.of(path, status, os.readlink(f"{top}/{path}"))
        except OSError as error:
            _forgive(error, path, left_out)
    else:
        left_out[path] = SPECIAL


def _forgive(error: OSError, path: str, left_out: LeftOut) -> None:
    if error.errno in _UNREADABLE:
        left_out[path] = _reason(error)
    elif error.errno not in _GONE:
        raise error


def _reason(error: OSError) -> Phrase:
    return Phrase("{reason}.", reason=error.strerror)


@dataclass(frozen=True)
class Copied:
    """A copy: what the original was when it was read, and the checksum of what was written."""

    original: os.stat_result
    size: int
    sha256: str


def copy(source: Path, target: Path, on_read: Callable[[int], None]) -> Copied:
    """Copy the file `source` to the new file `target`, with its mode and time of modification.

    Blocks are shared where the file system can. `on_read` is told of bytes as they are read.
    Raises `FileNotFoundError` if there is no source (any more), `Unreadable` if it cannot be
    read, and any other `OSError` of the target. The copy is not synced.
    """
    with _opened(source) as old, open(target, "x+b", buffering=0, opener=_private) as new:
        status = os.fstat(old.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(SPECIAL)
        cloned = _clone(old, new)
        digest, size = hashlib.sha256(), 0
        while block := new.read(_BLOCK) if cloned else _read(old):
            digest.update(block)
            size += len(block)
            if not cloned:
                _write(new, block)
            on_read(len(block))
        # Without what would let others act as its owner.
        os.fchmod(new.fileno(), status.st_mode & 0o777)
        os.utime(new.fileno(), ns=(status.st_mtime_ns, status.st_mtime_ns))
    return Copied(status, size, digest.hexdigest())


def _opened(source: Path) -> io.FileIO:
    """`source` for reading, never through a symbolic link, and without waiting for a pipe."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with _reading():
        return io.FileIO(os.open(source, flags))


def _read(file: io.FileIO) -> bytes | None:
    with _reading():
        return file.read(_BLOCK)


@contextmanager
def _reading() -> Iterator[None]:
    """Tell an error that concerns one file from those that concern all."""
    try:
        yield
    except OSError as error:
        if error.errno in _UNREADABLE:
            raise Unreadable(_reason(error)) from error
        raise


def _write(file: io.FileIO, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[file.write(view) or 0 :]


def _clone(old: io.FileIO, new: io.FileIO) -> bool:
    """Let `new` share the blocks of `old`; tell whether the file system could."""
    try:
        fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
    except OSError:
        return False
    return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def checksum(file: Path, on_read: Callable[[int], None]) -> str:
    """The SHA-256 of a file's content, hexadecimal. Raises as `copy` does of its source."""
    digest = hashlib.sha256()
    with _opened(file) as opened:
        while block := _read(opened):
            digest.update(block)
            on_read(len(block))
    return digest.hexdigest()


def sync_file(file: Path) -> None:
    """Make the content of `file` last beyond a power failure."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_disk(directory: Path) -> None:
    """Make all that was written to the disk of `directory` last beyond a power failure.

    One syncfs(2), where to ask for file after file would take a hundred times as long.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _LIBC.syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(directory))
    finally:
        os.close(descriptor)
