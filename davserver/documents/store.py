"""The data directory: where things lie, and what makes them stay there.

spaces/<slug>/…            the live documents
history/<slug>/<uid>       former contents and trashed trees, by the act that replaced them
staging/<uid>              what is not published yet, on the same file system
staging/intents/<uid>.…    see intents.py
staging/clutter/…          see clutter.py
secrets/                   keys, for the server alone
"""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from davserver import paths
from davserver.documents import walk

_BLOCK = 1 << 20


class Store:
    """The data directory `data`, an absolute path. It is made by `prepare`."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.spaces = data / "spaces"
        self.history = data / "history"
        self.staging = data / "staging"
        self.intents = self.staging / "intents"
        self.clutter = self.staging / "clutter"
        self.secrets = data / "secrets"

    def prepare(self) -> None:
        """Make the directories that are missing, for the server's own user only."""
        for directory in (
            self.data,
            self.spaces,
            self.history,
            self.staging,
            self.intents,
            self.clutter,
            self.secrets,
        ):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_directory(self.data)

    def space_root(self, slug: str) -> Path:
        """Where the live documents of a space lie."""
        return self.spaces / slug

    def changed(self) -> datetime:
        """When a space's directory was last made or removed."""
        return datetime.fromtimestamp(int(self.spaces.stat().st_mtime), UTC)

    def make_space(self, slug: str) -> None:
        """Make a space's directory; harmless when repeated."""
        self.space_root(slug).mkdir(mode=0o700, exist_ok=True)
        sync_directory(self.spaces)

    def make_folder(self, slug: str, path: str) -> None:
        """Make a folder and those around it in a space that nobody uses yet."""
        for folder in (*paths.ancestors(path)[1:], path):
            directory = self.space_root(slug) / folder
            directory.mkdir(mode=0o700, exist_ok=True)
            sync_directory(directory.parent)

    def kept(self, slug: str, uid: str) -> Path:
        """Where the act `uid` keeps what it replaces or trashes. Makes the way there."""
        directory = self.history / slug / uid[:2]
        if not directory.is_dir():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_directory(directory.parent)
            sync_directory(self.history)
        return directory / uid

    def staged(self, uid: str) -> Path:
        """Where the act `uid` prepares what it will publish."""
        return self.staging / uid

    def dropped(self, uid: str) -> Path:
        """Where the act `uid` puts what is not worth keeping, until it is over."""
        return self.staging / f"{uid}.dropped"

    def discard(self, uid: str) -> None:
        """Remove what the act `uid` staged, if it is still there."""
        walk.remove(self.staged(uid))

    def discard_dropped(self, uid: str) -> None:
        """Remove what the act `uid` dropped: it is committed, or undone."""
        walk.remove(self.dropped(uid))


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` last beyond a power failure."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_file(source: Path, target: Path) -> int:
    """Copy a regular file to `target`, which must not exist, and sync it; return its size.

    The file system shares the blocks where it can (`copy_file_range` makes reflinks on Btrfs,
    XFS and bcachefs, and copies on the server's side over NFS). The time of modification goes
    along.
    """
    with open(source, "rb", opener=_no_follow) as old, open(target, "xb") as new:
        os.fchmod(new.fileno(), 0o600)
        size = _copy_range(old.fileno(), new.fileno())
        if size is None:
            shutil.copyfileobj(old, new, _BLOCK)
            new.flush()
            size = os.fstat(new.fileno()).st_size
        status = os.fstat(old.fileno())
        os.utime(new.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(new.fileno())
    return size


def _copy_range(source: int, target: int) -> int | None:
    """Copy inside the kernel; None if this file system cannot."""
    copied = 0
    while True:
        try:
            count = os.copy_file_range(source, target, 1 << 30)
        except OSError:
            if copied:
                raise
            return None
        if not count:
            # Some kernels answer 0 at once for files without a size, as those in /proc.
            return copied if copied or not os.fstat(source).st_size else None
        copied += count


def _no_follow(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)


def open_file(path: Path) -> int:
    """Open a regular file for reading, never through a symbolic link; return the descriptor."""
    return _no_follow(str(path), os.O_RDONLY | os.O_NONBLOCK)
