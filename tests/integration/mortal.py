"""What a process asks of the system that changes something, counted: it can end at any of it.

Every change on the disk, everything that makes one last, and every commit goes through here
while a `System` is watched. So a test can go through all of them, one after another, and let the
process be killed there, or the system refuse.
"""

from __future__ import annotations

import builtins
import errno
import importlib
import io
import os
import sqlite3
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

# Its writes go through `os`, where they can be seen. There are no stubs for it.
_pyio = importlib.import_module("_pyio")

COMMIT = "COMMIT"

_SYNCS = ("fdatasync", "fsync")
_WRITES = ("copy_file_range", "pwrite", "pwritev", "sendfile", "splice", "write", "writev")
# Here the file that is written to comes second.
_INTO = ("copy_file_range", "splice")
_MOVES = ("link", "rename", "replace")
_CHANGES = (
    *("chmod", "chown", "fchmod", "fchown", "ftruncate", "lchown", "mkdir", "mkfifo", "mknod"),
    *("open", "posix_fallocate", "remove", "rmdir", "symlink", "truncate", "unlink", "utime"),
)
_TO_CHANGE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# What the interpreter itself says of such calls, as far as it does: its audit events.
_AUDITED = {
    "chmod": "os.chmod",
    "chown": "os.chown",
    "fchmod": "os.chmod",
    "fchown": "os.chown",
    "ftruncate": "os.truncate",
    "lchown": "os.chown",
    "link": "os.link",
    "mkdir": "os.mkdir",
    "open": "open",
    "remove": "os.remove",
    "rename": "os.rename",
    "replace": "os.rename",
    "rmdir": "os.rmdir",
    "symlink": "os.symlink",
    "truncate": "os.truncate",
    "unlink": "os.remove",
    "utime": "os.utime",
}
# And of what could change something for us.
_FOREIGN = ("os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen")


class Killed(BaseException):
    """The process ends here: nothing that follows happens."""


@dataclass(frozen=True)
class Call:
    """Something that was asked of the system: `names` are paths below the data directory.

    `divisible`: it can be done in part.
    """

    what: str
    names: tuple[str, ...] = ()
    divisible: bool = False


@dataclass(frozen=True)
class Fate:
    """What befalls the call `number`, counted from 1: the process is killed right before it, or
    `halfway` through it; or else it fails with the error `code`, once."""

    number: int
    halfway: bool = False
    code: int = 0


@dataclass
class System:
    """Counts what is asked of it as `calls`; `heard` is what the interpreter says of them.

    `lacking`: what its file system cannot do, as "link".
    """

    data: Path
    fates: Collection[Fate] = ()
    lacking: Collection[str] = ()
    calls: list[Call] = field(default_factory=list)
    heard: list[tuple[str, str]] = field(default_factory=list)
    dead: bool = False
    _writing: bool = False

    @contextmanager
    def watched(self) -> Iterator[System]:
        """Let all calls of this process go through here in the block."""
        _listen()
        with pytest.MonkeyPatch.context() as patch:
            for name in (*_SYNCS, *_WRITES, *_MOVES, *_CHANGES):
                patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
            # These are written in Python on top of `os`: nothing is written behind our back.
            patch.setattr(builtins, "open", _pyio.open)
            patch.setattr(io, "open", _pyio.open)
            patch.setattr(DefaultDialect, "do_commit", self._committing(DefaultDialect.do_commit))
            sa.event.listen(sa.engine.Engine, "commit", self._note_commit)
            _listening.append(self)
            try:
                yield self
            finally:
                _listening.remove(self)
                sa.event.remove(sa.engine.Engine, "commit", self._note_commit)

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & _TO_CHANGE:
                return real(*arguments, **options)
            if name in self.lacking:
                raise OSError(errno.EPERM, os.strerror(errno.EPERM))
            names, half = self._names(name, arguments, options), _half(name, arguments)
            return self._ask(
                Call(name, names, half is not None),
                # The power does not fail here.
                (lambda: None) if name in _SYNCS else (lambda: real(*arguments, **options)),
                lambda: real(*half or ()),
                lambda code: OSError(code, os.strerror(code), names[0]),
            )

        return call

    def _committing(self, real: Callable[..., None]) -> Callable[..., None]:
        def commit(dialect: DefaultDialect, connection: Any) -> None:
            if not self._writing:
                return real(dialect, connection)
            self._writing = False
            self._ask(
                Call(COMMIT, divisible=True),
                lambda: real(dialect, connection),
                # It was done, and nobody is told.
                lambda: real(dialect, connection),
                lambda code: _database_error(dialect, code),
            )

        return commit

    def _note_commit(self, connection: sa.Connection) -> None:
        # The end of a transaction that only reads changes nothing.
        begun = connection.get_execution_options().get("davserver_begin")
        self._writing = begun == "BEGIN IMMEDIATE"

    def _ask(
        self,
        call: Call,
        do: Callable[[], Any],
        half: Callable[[], Any],
        error: Callable[[int], Exception],
    ) -> Any:
        if self.dead:
            # A process that has ended does nothing any more, whatever it was still to do.
            raise Killed
        self.calls.append(call)
        fate = next((one for one in self.fates if one.number == len(self.calls)), None)
        if fate is None:
            return do()
        if fate.halfway:
            half()
        if fate.code:
            raise error(fate.code)
        self.dead = True
        raise Killed

    def _names(
        self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[str, ...]:
        if name in _MOVES:
            source, target = options.get("src_dir_fd"), options.get("dst_dir_fd")
            return self.name(arguments[0], source), self.name(arguments[1], target)
        return (self.name(arguments[1 if name in _INTO else 0], options.get("dir_fd")),)

    def name(self, what: int | str | bytes | os.PathLike[str], directory: int | None) -> str:
        """A path, which may be relative to a `directory`, or a descriptor, by the path below
        the data directory."""
        if isinstance(what, int):
            path = os.readlink(f"/proc/self/fd/{what}")
        elif directory is not None and directory >= 0:
            path = os.path.join(os.readlink(f"/proc/self/fd/{directory}"), os.fsdecode(what))
        else:
            path = os.path.abspath(os.fsdecode(what))
        return os.path.relpath(path, self.data)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take notice of an audit event."""
        if event == "open" and not arguments[2] & _TO_CHANGE:
            return
        if event in _AUDITED.values():
            # The last one, if there are any, is of a directory: of what was named last.
            relative = event in ("os.mkdir", "os.rmdir", "os.remove", "os.utime", "os.chown")
            self.heard.append((event, self.name(arguments[0], arguments[-1] if relative else None)))
        elif event.startswith(_FOREIGN):
            self.heard.append((event, ""))

    def to_be_heard(self) -> list[tuple[str, str]]:
        """What the interpreter must have said, if nothing has gone past `calls`."""
        return [
            (_AUDITED[call.what], call.names[0]) for call in self.calls if call.what in _AUDITED
        ]


_listening: list[System] = []
_hooked = False


def _listen() -> None:
    global _hooked
    if not _hooked:
        # There is no taking it away: so it is one, for whoever is listening.
        sys.addaudithook(_hear)
        _hooked = True


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    for system in _listening:
        system.hear(event, arguments)


def _half(name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The arguments to do the first half of it with, if there is one."""
    if name == "write" and len(arguments[1]) > 1:
        return arguments[0], arguments[1][: len(arguments[1]) // 2]
    if name == "copy_file_range":
        left = os.fstat(arguments[0]).st_size - os.lseek(arguments[0], 0, os.SEEK_CUR)
        return (*arguments[:2], left // 2) if left > 1 else None
    return None


def _database_error(dialect: DefaultDialect, code: int) -> Exception:
    """What the database says of its disk if that fails with `code`."""
    full = code == errno.ENOSPC
    if dialect.name == "sqlite":
        error = sqlite3.OperationalError(os.strerror(code))
        error.sqlite_errorcode = sqlite3.SQLITE_FULL if full else sqlite3.SQLITE_IOERR_FSYNC
        return error
    return psycopg.errors.DiskFull() if full else psycopg.errors.IoError()
