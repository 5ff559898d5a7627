"""What lies below a directory, however deep: deeper than the kernel takes a path, or Python calls.

A path may have 4,095 bytes, but directories can be made in one another without end. So each is
opened from one that is around it, and none is held open while those in it are visited.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_STEP = 2000  # bytes of a path that are opened at once
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Entry = tuple[str, os.stat_result]


def members(root: Path, folder: str = "") -> list[Entry]:
    """What is in the directory `folder`, a path below `root`, by the names that the disk has.

    Raises `FileNotFoundError` or `NotADirectoryError` if it is none.
    """
    with _opened(root, folder) as descriptor, os.scandir(descriptor) as entries:
        found = []
        for entry in entries:
            # What is gone since the directory was read is not in it.
            with contextlib.suppress(FileNotFoundError):
                found.append((entry.name, entry.stat(follow_symlinks=False)))
        return found


def folders(root: Path) -> Iterator[tuple[str, list[Entry]]]:
    """`root` and all directories below it, each before those in it, with what they hold.

    They are named by their paths below `root`, itself by "".
    """
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            found = members(root, folder)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        yield folder, found
        pending += [join(folder, name) for name, status in found if stat.S_ISDIR(status.st_mode)]


def size(disk: Path) -> int:
    """The bytes of all that lies at `disk` and below it, directories left out."""
    try:
        status = os.lstat(disk)
    except FileNotFoundError:
        return 0
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size
    return sum(
        member.st_size
        for _, found in folders(disk)
        for _, member in found
        if not stat.S_ISDIR(member.st_mode)
    )


def remove(disk: Path) -> None:
    """Remove what lies at `disk`, if anything, with all that is in it, as far as possible."""
    for folder, found in reversed(list(folders(disk))):
        with contextlib.suppress(OSError), _opened(disk, folder) as descriptor:
            for name, status in found:
                with contextlib.suppress(OSError):
                    if stat.S_ISDIR(status.st_mode):
                        os.rmdir(name, dir_fd=descriptor)
                    else:
                        os.unlink(name, dir_fd=descriptor)
    with contextlib.suppress(OSError):
        if disk.is_dir() and not disk.is_symlink():
            disk.rmdir()
        else:
            disk.unlink()


def join(folder: str, name: str) -> str:
    """The path of `name` in `folder`, as the disk has them."""
    return f"{folder}/{name}" if folder else name


@contextlib.contextmanager
def _opened(root: Path, folder: str) -> Iterator[int]:
    descriptor = os.open(root, _DIRECTORY)
    try:
        for step in _steps(folder):
            inner = os.open(step, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _steps(folder: str) -> Iterator[str]:
    """A path in pieces that are short enough to be opened."""
    if len(os.fsencode(folder)) <= _STEP:
        if folder:
            yield folder
        return
    step = ""
    for name in folder.split("/"):
        longer = join(step, name)
        if step and len(os.fsencode(longer)) > _STEP:
            yield step
            longer = name
        step = longer
    yield step
