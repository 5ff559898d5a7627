"""rclone 1.60: a tree of real documents synchronised up, changed, and down again."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from tests.clients.mount import Mount
from tests.clients.program import Account, Finished, Home
from tests.server.process import Server
from tests.server.town import WITHIN, until

pytestmark = pytest.mark.needs("rclone")

# What every Debian machine has, in part: rclone waits 10 ms between two requests to a
# WebDAV server, so that more files would only take more time.
DOCUMENTS = Path("/usr/share/doc")
DOCUMENT_COUNT = 120
DOCUMENT_SIZE = 100_000

ODD_NAMES = [
    "Arrêtés 2024/Délibération n°12 – budget (définitif).odt",
    "Arrêtés 2024/100 % & plus; tarif=5€, [à valider] 'x' ~.ods",
    "Arrêtés 2024/question #3 !.txt",
    "vide/rien.txt",
    "a+b/c%20d.txt",
    ".caché/.profil",
    "日本語/🌳 arbre.txt",
    "deux  espaces/fin.txt",
]


def documents() -> Iterator[Path]:
    """Plain files of the folders that hold a good few of them, at most ten of each."""
    for folder, _, names in sorted(os.walk(DOCUMENTS)):
        paths = (Path(folder, name) for name in sorted(names))
        plain = [
            path
            for path in paths
            if path.is_file()
            and not path.is_symlink()
            and path.stat().st_size <= DOCUMENT_SIZE
            # Names that Windows could not show are not taken.
            and not set(str(path)) & set('<>:"\\|?*')
        ]
        if len(plain) >= 5:
            yield from plain[:10]


def fill(tree: Path) -> None:
    """Make the tree: real documents, and names that an office gives its own."""
    for number, source in enumerate(islice(documents(), DOCUMENT_COUNT)):
        target = tree / "doc" / source.relative_to(DOCUMENTS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        os.utime(target, (1_600_000_000 + number, 1_600_000_000 + number))
    for number, name in enumerate(ODD_NAMES):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if path.parent.name == "vide" else name.encode() * (number + 1))
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    # For a machine that was installed without its documentation.
    for number in range(40):
        path = tree / f"séances/{number // 10}/compte rendu {number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Compte rendu {number}\n" * number)
        os.utime(path, (1_650_000_000 + number, 1_650_000_000 + number))
    # Larger than any buffer on the way.
    (tree / "plan.bin").write_bytes(bytes(range(256)) * 20_000)


class Rclone:
    """The program, with one remote named `town`."""

    def __init__(self, home: Home, server: Server, account: Account, vendor: str) -> None:
        self.home = home
        obscured = home.run("rclone", "obscure", account.password).output.strip()
        self.environment = {
            "RCLONE_CONFIG": str(home.write("rclone.conf", "")),
            "RCLONE_CONFIG_TOWN_TYPE": "webdav",
            "RCLONE_CONFIG_TOWN_URL": server.url,
            "RCLONE_CONFIG_TOWN_VENDOR": vendor,
            "RCLONE_CONFIG_TOWN_USER": account.login,
            "RCLONE_CONFIG_TOWN_PASS": obscured,
            # Once: a fault that goes away by itself is a fault too.
            "RCLONE_RETRIES": "1",
            "RCLONE_LOW_LEVEL_RETRIES": "1",
        }

    def __call__(self, *args: str) -> Finished:
        return self.home.run("rclone", *args, timeout=300, environment=self.environment)

    @contextmanager
    def mounted(self, source: str, point: Path) -> Iterator[Mount]:
        """Mount `source` at `point`: what is written there is uploaded a second later."""
        point.mkdir()
        options = ("--vfs-cache-mode", "writes", "--vfs-write-back", "1s", "--dir-cache-time", "1s")
        with (point.parent / "rclone.log").open("wb") as log:
            process = subprocess.Popen(
                ["rclone", "mount", *options, source, str(point)],
                env={**self.home.environment, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            until(point.is_mount, f"{source} is mounted")
            yield Mount(self.home, point)
        finally:
            # It unmounts, and ends.
            process.terminate()
            process.wait(WITHIN)

    def sync(self, source: str, target: str) -> list[str]:
        """Synchronise; what was done to each file, as rclone tells it."""
        ran = self("sync", "--verbose", "--create-empty-src-dirs", source, target)
        assert "ERROR" not in ran.errors, str(ran)
        return re.findall(r"INFO +: (.+: (?:Copied|Deleted|Updated|Moved|Renamed).*)", ran.errors)


def times(tree: Path) -> dict[str, int]:
    return {
        str(path.relative_to(tree)): int(path.stat().st_mtime)
        for path in tree.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("vendor", ["other", "nextcloud"])
def test_sync_both_ways(
    vendor: str, server: Server, anne: Account, home: Home, folder: str, tmp_path: Path
) -> None:
    rclone = Rclone(home, server, anne, vendor)
    here, there, back = tmp_path / "here", f"town:{folder}tree", tmp_path / "back"
    fill(here)
    count = len(times(here))

    assert len(rclone.sync(str(here), there)) == count
    assert rclone.sync(str(here), there) == []
    rclone("check", "--download", str(here), there)

    # Changed, renamed, removed and new. Sizes change too: with vendor `other`
    # rclone knows nothing of times, and compares sizes alone.
    (here / "plan.bin").write_bytes(b"smaller")
    (here / "a+b").rename(here / "a-b")
    (here / "vide/rien.txt").write_text("plus vide")
    shutil.rmtree(here / "日本語")
    (here / "doc/nouveau.txt").write_text("nouveau")
    done = rclone.sync(str(here), there)
    assert len([line for line in done if "Copied" in line]) == 4, done
    rclone("check", "--download", str(here), there)
    assert rclone.sync(str(here), there) == []

    rclone.sync(there, str(back))
    assert times(back).keys() == times(here).keys()
    rclone("check", str(here), str(back))
    assert rclone.sync(there, str(back)) == []
    if vendor == "nextcloud":
        assert times(back) == times(here)


def test_nextcloud_keeps_times(
    server: Server, anne: Account, home: Home, folder: str, local: Path
) -> None:
    rclone = Rclone(home, server, anne, "nextcloud")
    there = f"town:{folder}"
    note = local / "note.txt"
    note.write_text("one")
    os.utime(note, (1_234_567_890, 1_234_567_890))
    rclone.sync(str(local), there)
    (listed,) = json.loads(rclone("lsjson", there).output)
    assert listed["ModTime"].startswith("2009-02-13T23:31:30"), listed

    # The same size: only the time tells that it changed.
    note.write_text("two")
    os.utime(note, (1_234_567_899, 1_234_567_899))
    assert len(rclone.sync(str(local), there)) == 1
    rclone("check", "--download", str(local), there)

    rclone("moveto", f"{there}note.txt", f"{there}dossier/renommé.txt")
    (moved,) = json.loads(rclone("lsjson", f"{there}dossier").output)
    assert (moved["Name"], moved["ModTime"][:19]) == ("renommé.txt", "2009-02-13T23:31:39")


def test_a_reader_reads_and_changes_nothing(
    server: Server, anne: Account, rene: Account, home: Home, folder: str, local: Path
) -> None:
    (local / "note.txt").write_text("text")
    Rclone(home, server, anne, "other").sync(str(local), f"town:{folder}")
    reader = Rclone(home, server, rene, "other")
    assert reader("cat", f"town:{folder}note.txt").output == "text"
    for refused in (
        ("copyto", str(local / "note.txt"), f"town:{folder}other.txt"),
        ("deletefile", f"town:{folder}note.txt"),
        ("mkdir", f"town:{folder}dossier"),
    ):
        ran = home.run("rclone", *refused, environment=reader.environment, check=False)
        assert ran.status != 0, str(ran)
        assert "403" in ran.errors, str(ran)
    listed = json.loads(reader("lsjson", f"town:{folder}").output)
    assert [entry["Name"] for entry in listed] == ["note.txt"]
