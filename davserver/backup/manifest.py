"""The manifest of a backup: what is in it, and the checksum of each file.

It is a file of lines, each a JSON value: the header, then an entry for every folder, file and
symbolic link, a folder before what is in it, and last the checksum of all the lines before. So a
line that was changed, added or taken away is found. Names are text in which a byte that is no
UTF-8 stands as a lone surrogate, escaped (PEP 383).
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

from davserver.backup.errors import DamagedManifest, UnknownFormat

NAME = "manifest"
FORMAT = 1

DATABASE = "davserver.db"
"""The database in a backup, as SQLite, whatever it was kept in."""

ROOTS = frozenset({DATABASE, "davserver.toml", "history", "secrets", "spaces"})
"""What lies at the top of a backup."""


@dataclass(frozen=True)
class Header:
    """What a backup is: its `moment`, when it was `begun`, what wrote it, how much it holds.

    `revision` is the database's, as its migrations name it. `size` is in bytes.
    """

    version: str
    revision: str
    moment: datetime
    begun: datetime
    files: int
    size: int
    format: int = FORMAT


Kind = Literal["file", "folder", "link"]
_KINDS = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in the backup, by its path below the top.

    `mode` has the permissions, `inode` is the one it had where it came from. `sha256` is of a
    file's content, hexadecimal; `target` is where a symbolic link points to.
    """

    path: str
    kind: Kind
    mode: int
    inode: int
    size: int
    mtime_ns: int
    sha256: str = ""
    target: str = ""


@dataclass(frozen=True)
class Manifest:
    """All of it."""

    header: Header
    entries: tuple[Entry, ...]


def write(backup: Path, header: Header, entries: Iterable[Entry]) -> None:
    """Write the manifest of the directory `backup`, durably."""
    digest = hashlib.sha256()
    with open(backup / NAME, "xb", opener=_private) as file:
        for line in chain((_header_line(header),), map(_entry_line, entries)):
            digest.update(line)
            file.write(line)
        file.write(_line({"sha256": digest.hexdigest()}))
        file.flush()
        os.fsync(file.fileno())


def read(backup: Path) -> Manifest:
    """The manifest of the directory `backup`. Raises `DamagedManifest` or `UnknownFormat`."""
    try:
        lines = _sound_lines(backup)
        header = _header(json.loads(next(lines)), backup)
        return Manifest(header, tuple(_checked(Entry(**json.loads(line)) for line in lines)))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, StopIteration):
        raise DamagedManifest(backup=backup) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _line(record: object) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def _header_line(header: Header) -> bytes:
    written = {"moment": header.moment.isoformat(), "begun": header.begun.isoformat()}
    return _line({**asdict(header), **written})


def _entry_line(entry: Entry) -> bytes:
    record = {name: getattr(entry, name) for name in Entry.__slots__}
    return _line({name: value for name, value in record.items() if value != ""})


def _sound_lines(backup: Path) -> Iterator[bytes]:
    """The lines but the last; raises `ValueError` at their end if they are not as written."""
    digest = hashlib.sha256()
    with open(backup / NAME, "rb") as file:
        line = file.readline()
        for following in file:
            digest.update(line)
            yield line
            line = following
    if json.loads(line) != {"sha256": digest.hexdigest()}:
        raise ValueError


def _header(record: dict[str, Any], backup: Path) -> Header:
    if record["format"] != FORMAT:
        raise UnknownFormat(backup=backup)
    moments = {name: datetime.fromisoformat(record[name]) for name in ("moment", "begun")}
    return Header(**{**record, **moments})


def _checked(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, if none leads out of the backup: whoever can write a manifest is not
    thereby to write anywhere at all when it is restored."""
    folders = {""}
    for entry in entries:
        parent, _, name = entry.path.rpartition("/")
        if name in ("", ".", "..") or "\0" in entry.path or parent not in folders:
            raise ValueError
        if not parent and name not in ROOTS:
            raise ValueError
        numbers = (entry.mode, entry.inode, entry.size, entry.mtime_ns)
        if entry.kind not in _KINDS or not all(isinstance(number, int) for number in numbers):
            raise ValueError
        if entry.kind == "folder":
            folders.add(entry.path)
        yield entry
