"""A folder of 10,000 documents: renamed, deleted, restored. `python -m tests.bench.trees`

Ours beside `rclone serve webdav` (which has no trash, so nothing to restore) and beside the bare
system calls, in rounds one after the other over the same data; medians and ratios, in Markdown.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.server.process import free_port
from tests.server.town import SPACE, Town
from tests.server.wire import NoAnswer, ask

DOCUMENTS = 10_000
FOLDERS = 100
ROUNDS = 5
ACTS = ("rename", "delete", "restore")

Seconds = dict[str, list[float]]


def plant(root: Path) -> None:
    """The folder `dossier` in `root`."""
    for number in range(FOLDERS):
        folder = root / "dossier" / f"{number:03}"
        folder.mkdir(parents=True)
        for document in range(DOCUMENTS // FOLDERS):
            (folder / f"{document:03}.txt").write_bytes(b"x" * 100)


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def ours(directory: Path) -> Seconds:
    """Through the real server, durability as it comes."""
    town = Town.found(directory / "data")
    plant(town.server.data / "spaces" / "conseil")
    town.cli("check", "--adopt")
    taken: Seconds = {act: [] for act in ACTS}
    with town.server:

        def move(source: str, target: str) -> None:
            answer = town.ask("anne", "MOVE", source, None, ("Destination", target))
            assert answer.status == 201, answer

        for _ in range(ROUNDS):
            rows = len(town.journal())
            taken["rename"].append(timed(lambda: move(f"{SPACE}/dossier", f"{SPACE}/classeur")))
            move(f"{SPACE}/classeur", f"{SPACE}/dossier")
            taken["delete"].append(timed(lambda: town.ask("anne", "DELETE", f"{SPACE}/dossier")))
            assert not (town.server.data / "spaces/conseil/dossier").exists()
            listed = town.ask("anne", "GET", "/history/conseil/trash").body.decode()
            entry = f"/history/conseil/trash/{listed.strip().rstrip('/')}".replace(" ", "%20")
            taken["restore"].append(timed(partial(move, entry, f"{SPACE}/dossier")))
            assert len(town.journal()) == rows + 4
    return taken


@contextmanager
def rclone(root: Path) -> Iterator[int]:
    port = free_port()
    command = ["rclone", "serve", "webdav", "--addr", f"127.0.0.1:{port}", str(root)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                ask(port, "OPTIONS", "/")
                break
            except (OSError, NoAnswer):
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def theirs(directory: Path) -> Seconds:
    """The same through `rclone serve webdav`."""
    root = directory / "rclone"
    taken: Seconds = {"rename": [], "delete": []}
    for _ in range(ROUNDS):
        shutil.rmtree(root, ignore_errors=True)
        plant(root)
        with rclone(root) as port:

            def move(source: str, target: str, port: int = port) -> None:
                url = f"http://127.0.0.1:{port}/{target}"
                answer = ask(port, "MOVE", f"/{source}", [("Destination", url)])
                assert answer.status in (201, 204), answer

            def delete(port: int = port) -> None:
                assert ask(port, "DELETE", "/dossier").status == 204

            taken["rename"].append(timed(lambda: move("dossier", "classeur")))
            move("classeur", "dossier")
            taken["delete"].append(timed(delete))
    return taken


def bare(directory: Path) -> Seconds:
    """One rename, and unlinking everything: what the file system takes for it."""
    root = directory / "bare"
    taken: Seconds = {"rename": [], "delete": []}
    for _ in range(ROUNDS):
        plant(root)
        folder, other = root / "dossier", root / "classeur"
        taken["rename"].append(timed(partial(folder.rename, other)))
        taken["delete"].append(timed(partial(shutil.rmtree, other)))
    return taken


def main() -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        columns = {"davserver": ours(directory)}
        if shutil.which("rclone"):
            columns["rclone serve webdav"] = theirs(directory)
        columns["rename(2), rm -r"] = bare(directory)
    print(f"{DOCUMENTS:,} documents in {FOLDERS} folders, medians of {ROUNDS} rounds, ms\n")
    print("| | " + " | ".join(columns) + " |")
    print("| --- |" + " ---: |" * len(columns))
    for act in ACTS:
        cells = [
            f"{statistics.median(taken[act]) * 1000:.1f}" if act in taken else "–"
            for taken in columns.values()
        ]
        print(f"| {act} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
