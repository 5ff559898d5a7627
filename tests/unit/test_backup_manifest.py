"""The manifest of a backup: whatever names there are, and no change that goes unnoticed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from davserver.backup import manifest
from davserver.backup.errors import DamagedManifest, UnknownFormat
from davserver.backup.manifest import NAME, Entry, Header

HEADER = Header(
    version="0.1.0",
    revision="0004",
    moment=datetime(2026, 11, 23, 14, 5, tzinfo=UTC),
    begun=datetime(2026, 11, 23, 14, 4, 59, 123456, tzinfo=UTC),
    files=1,
    size=3,
)
FOLDER = Entry("spaces", "folder", 0o700, 11, 4096, 1)
ODD = [
    "plain.txt",
    "with space",
    "séance.odt",
    "se\u0301ance.odt",
    'quote"quote',
    "back\\slash",
    "new\nline",
    "\x1b[2J",
    "\u2028",
    "😀",
    os.fsdecode(b"not utf-8 \xff\xfe"),
    "a" * 255,
]


def file(path: str, **other: Any) -> Entry:
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
    return Entry(path, "file", 0o600, 7, 3, -5_000_000_001, sha256=digest, **other)


def written(folder: Path, *entries: Entry) -> Path:
    manifest.write(folder, HEADER, (FOLDER, *entries))
    return folder / NAME


def test_what_is_written_is_read(tmp_path: Path) -> None:
    entries = [file(f"spaces/{name}") for name in ODD]
    entries.append(Entry("spaces/link", "link", 0o777, 9, 3, 5, target=os.fsdecode(b"/\xff")))
    assert written(tmp_path, *entries).read_bytes().isascii()
    read = manifest.read(tmp_path)
    assert read == manifest.Manifest(HEADER, (FOLDER, *entries))


def test_it_is_never_written_over(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(FileExistsError):
        written(tmp_path)


Lines = list[bytes]
DAMAGE: dict[str, Callable[[Lines], Lines]] = {
    "nothing": lambda lines: [],
    "without the header": lambda lines: lines[1:],
    "without a line": lambda lines: [*lines[:2], *lines[3:]],
    "without the last line": lambda lines: lines[:-1],
    "cut in the middle of a line": lambda lines: [*lines[:-1], lines[-1][:20]],
    "one line more": lambda lines: [*lines[:3], lines[2], *lines[3:]],
    "one line at the end": lambda lines: [*lines, lines[2]],
    "the order": lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
    "one digit": lambda lines: [line.replace(b'"size":3,', b'"size":4,') for line in lines],
    "a space": lambda lines: [lines[0].replace(b",", b", ", 1), *lines[1:]],
    "no JSON": lambda lines: [*lines[:2], b"{\n", *lines[3:]],
    "no object": lambda lines: [*lines[:2], b"[]\n", *lines[3:]],
    "bytes": lambda lines: [*lines[:2], b"\xff\xfe\n", *lines[3:]],
}


@pytest.mark.parametrize("what", DAMAGE)
def test_any_change_is_found(tmp_path: Path, what: str) -> None:
    path = written(tmp_path, file("spaces/a"), file("spaces/b"))
    path.write_bytes(b"".join(DAMAGE[what](path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(DamagedManifest):
        manifest.read(tmp_path)


def test_every_single_byte_counts(tmp_path: Path) -> None:
    path = written(tmp_path, file("spaces/a"))
    content = path.read_bytes()
    for position in range(len(content)):
        other = bytearray(content)
        other[position] ^= 1
        path.write_bytes(other)
        try:
            found = manifest.read(tmp_path)
        except (DamagedManifest, UnknownFormat):
            continue
        # Blanks that JSON does not mind, in the very last line.
        assert found.entries == (FOLDER, file("spaces/a")), position


def test_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(DamagedManifest):
        manifest.read(tmp_path)


OUT: list[list[Entry]] = [
    [file("spaces/..")],
    [file("spaces/.")],
    [file("spaces/")],
    [file("/etc/passwd")],
    [file("../davserver.toml")],
    [file("spaces/nowhere/a")],
    [file("elsewhere")],
    [file(".restoring")],
    [file("staging")],
    [file("spaces/a\0b")],
    [file("spaces/a"), file("spaces/a/b")],
    # Else it would be written through the link.
    [Entry("spaces/link", "link", 0o777, 9, 3, 5, target="/etc"), file("spaces/link/passwd")],
    [replace(file("spaces/a"), kind="device")],  # type: ignore[arg-type]
    [replace(file("spaces/a"), size="3")],  # type: ignore[arg-type]
]


@pytest.mark.parametrize("entries", OUT, ids=lambda entries: repr(entries[-1].path))
def test_nothing_leads_out_of_a_backup(tmp_path: Path, entries: list[Entry]) -> None:
    """Whoever forges one forges its checksum too."""
    written(tmp_path, *entries)
    with pytest.raises(DamagedManifest):
        manifest.read(tmp_path)


def test_one_of_a_later_version(tmp_path: Path) -> None:
    manifest.write(tmp_path, replace(HEADER, format=2), ())
    with pytest.raises(UnknownFormat):
        manifest.read(tmp_path)
    line = json.loads((tmp_path / NAME).read_bytes().splitlines()[0])
    assert line["format"] == 2
