"""A backup of 10,000 documents while somebody works. `python -m tests.bench.backup`

How long it takes, how long nobody can write, and how long the slowest save took meanwhile beside
one without a backup; then proof and restore. Medians of several rounds, in Markdown.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from tests.bench.trees import DOCUMENTS, plant, timed
from tests.server.postgres import Postgres
from tests.server.town import SPACE, Town

ROUNDS = 3
QUIET = 5.0  # seconds of saves without a backup

Figures = dict[str, list[float]]


class Saving:
    """Somebody who saves one document after another; `slowest` is the longest they waited."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._stop = Event()
        self._thread = Thread(target=self._save)
        self.slowest = 0.0

    def __enter__(self) -> Saving:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        self._thread.join()

    def _save(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            path, content = f"{SPACE}/saved-{number % 50}", b"%d" % number
            self.slowest = max(self.slowest, timed(lambda: self._town.put(path, content)))  # noqa: B023


def measured(directory: Path, url: str | None) -> Figures:
    """All figures of one kind of database, in seconds."""
    town = Town.found(directory / "data", url, {"DAVSERVER_TRIPWIRE__ENABLED": "false"})
    plant(town.server.data / "spaces" / "conseil")
    town.cli("check", "--adopt", "--repair-counts")
    time.sleep(3)
    taken: Figures = {}
    with town.server:
        for number in range(ROUNDS):
            shelf = directory / f"shelf {number}"
            with Saving(town) as quiet:
                time.sleep(QUIET)
            for name in ("first", "second"):
                with Saving(town) as saving:
                    report = json.loads(town.server.cli("backup", str(shelf), "--json").stdout)
                for what, seconds in (
                    (f"{name} backup", report["seconds"]),
                    (f"{name} backup: nobody can write", report["held_seconds"]),
                    (f"{name} backup: the slowest save", saving.slowest),
                ):
                    taken.setdefault(what, []).append(seconds)
            taken.setdefault("no backup: the slowest save", []).append(quiet.slowest)
            taken.setdefault("verify", []).append(timed(lambda: town.cli("verify", str(shelf))))  # noqa: B023
            new = directory / "new"
            into = ("--data", str(new), "--url", f"sqlite:///{new}/davserver.db")
            taken.setdefault("restore", []).append(
                timed(lambda: town.cli("restore", str(shelf), *into))  # noqa: B023
            )
            shutil.rmtree(new)
            shutil.rmtree(shelf)
    return taken


def main() -> None:
    cluster = Postgres()
    cluster.start()
    try:
        with TemporaryDirectory() as one, TemporaryDirectory() as other:
            sqlite = measured(Path(one), None)
            postgresql = measured(Path(other), cluster.create_database())
    finally:
        cluster.stop()
    print(f"{DOCUMENTS} documents, {ROUNDS} rounds, medians in seconds\n")
    print("| what | SQLite | PostgreSQL |\n| --- | ---: | ---: |")
    for what, seconds in sqlite.items():
        figures = (statistics.median(seconds), statistics.median(postgresql[what]))
        print(f"| {what} | {figures[0]:.3f} | {figures[1]:.3f} |")


if __name__ == "__main__":
    main()
