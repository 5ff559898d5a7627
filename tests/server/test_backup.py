"""Backups of a server that is at work, whatever becomes of them; and the server brought back."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from davserver.backup.shelf import Shelf
from tests.server.postgres import Postgres
from tests.server.process import COMMAND_SECONDS, Server
from tests.server.test_kill import Client, Tree
from tests.server.town import SPACE, Town, until
from tests.server.wire import Answer

CLIENTS = 4
TRIES = 60


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def new_database(kind: str, request: pytest.FixtureRequest) -> str | None:
    """Another empty database of this kind; None: SQLite in the data directory."""
    if kind == "sqlite":
        return None
    cluster = request.getfixturevalue("postgres")
    assert isinstance(cluster, Postgres)
    return cluster.create_database()


@pytest.fixture
def town(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    # These clients do overwrite whatever there is with what looks encrypted.
    calm = {"DAVSERVER_TRIPWIRE__ENABLED": "false"}
    town = Town.found(tmp_path / "data", new_database(kind, request), calm)
    yield town
    town.server.kill()


@dataclass(frozen=True)
class Step:
    """One request that was acknowledged: when it was sent and answered, and what was then there."""

    sent: float
    answered: float
    documents: Tree
    events: Tree


@dataclass
class Worker(Client):
    """Works until it is told to stop, and remembers every step. `by`: through this server."""

    by: Server | None = None
    steps: list[Step] = field(default_factory=list)

    def _ask(self, method: str, path: str, body: bytes | None = None, to: str = "") -> Answer:
        headers = [("Destination", to)] if to else []
        return self.town.ask("anne", method, path, body, *headers, server=self.by)

    def work(self, stop: Event) -> None:
        self.steps.append(Step(0.0, time.time(), {}, {}))
        while not stop.is_set():
            sent = time.time()
            answer, self.documents, self.events = self._something()
            assert answer.status < 300, answer
            self.steps.append(Step(sent, time.time(), dict(self.documents), dict(self.events)))

    def reached(self) -> int:
        """Which of its steps what the server holds now is the state after."""
        found = self._found()
        states = [(step.documents, step.events) for step in self.steps]
        assert found in states, self._differences(*found)
        return states.index(found)


@dataclass
class Work:
    """Several clients at work at the same time."""

    workers: list[Worker]
    stop: Event = field(default_factory=Event)
    threads: list[Thread] = field(default_factory=list)

    def __enter__(self) -> Work:
        for worker in self.workers:
            worker.begin()
        self.threads = [Thread(target=worker.work, args=[self.stop]) for worker in self.workers]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def go_on(self, steps: int) -> None:
        """Wait until every client has done some more."""
        goals = [len(worker.steps) + steps for worker in self.workers]
        until(
            lambda: all(
                len(worker.steps) >= goal for worker, goal in zip(self.workers, goals, strict=True)
            ),
            "all go on working",
        )


def working(town: Town, seed: int) -> Work:
    return Work([Worker(town, n, random.Random(10 * seed + n)) for n in range(CLIENTS)])


def backup(town: Town, shelf: Path, *options: str) -> dict[str, Any]:
    """Make a backup in a process of its own, as the administrator does; what it reports."""
    done = town.server.cli("backup", str(shelf), "--json", *options)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def restored(town: Town, directory: str, data: Path, url: str | None) -> Town:
    """The town brought back from a backup, on a machine where there is nothing."""
    again = Town(Server(data, url), dict(town.devices))
    again.cli("restore", directory)
    return again


def token(town: Town, agenda: str, known: str = "") -> tuple[int, bytes]:
    body = (
        f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{known}</D:sync-token>'
        "<D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
    )
    answer = town.ask("anne", "REPORT", agenda, body.encode())
    return answer.status, answer.body


def test_equal_to_the_state_at_the_backup(
    town: Town, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    shelf, agenda = tmp_path / "shelf", "/calendars/anne/agenda-0"
    reports = []
    with town.server, town.another() as second, working(town, 1) as work:
        # Half of them by way of another process.
        for worker in work.workers[::2]:
            worker.by = second
        for _ in range(3):
            work.go_on(10)
            reports.append(backup(town, shelf))
        work.go_on(5)
        status, body = token(town, agenda)
        assert status == 207
        known = body.decode().split("sync-token>")[1].partition("</")[0]
        assert token(town, agenda, known)[0] == 207
    assert "Traceback" not in town.logged() + second.log.read_text()
    assert [report["left_out"] for report in reports] == [[], [], []]
    # The later ones share what has not changed meanwhile.
    assert reports[2]["copied"] < reports[2]["files"]
    town.cli("check")
    town.cli("verify", str(shelf), "--all")
    shutil.rmtree(town.server.data)

    for number, report in enumerate(reports):
        data = tmp_path / f"new {number}"
        again = restored(town, report["backup"], data, new_database(kind, request))
        assert again.findings() == []
        with again.server:
            for worker in work.workers:
                worker.town, worker.by = again, None
                check_instant(worker, report)
                before = worker.reached()
                # It goes on from there.
                worker.documents = dict(worker.steps[before].documents)
                worker.events = dict(worker.steps[before].events)
                assert worker._something()[0].status < 300
            assert token(again, agenda, known)[0] == 403
            assert b"valid-sync-token" in token(again, agenda, known)[1]
            assert token(again, agenda)[0] == 207
        assert again.findings() == []
        assert "Traceback" not in again.logged()


def check_instant(worker: Worker, report: dict[str, Any]) -> None:
    """All that was answered before the moment is there, and nothing that was sent after it."""
    moment = datetime.fromisoformat(report["moment"]).timestamp()
    reached = worker.reached()
    least = sum(step.answered < moment for step in worker.steps) - 1
    most = sum(step.sent <= moment + report["held_seconds"] for step in worker.steps) - 1
    # Two steps may lead to one state, of which the first one is found.
    states = [(step.documents, step.events) for step in worker.steps]
    candidates = [n for n, state in enumerate(states) if state == states[reached]]
    assert any(least <= n <= most for n in candidates), (least, candidates, most)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with little room."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, timeout=COMMAND_SECONDS).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True, timeout=COMMAND_SECONDS)


@pytest.mark.parametrize("size", [0, 100_000, 300_000])
@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_full_disk_leaves_no_half_backup(town: Town, small_disk: Path, size: int) -> None:
    """Wherever it ends: in the documents, in the database, in the manifest."""
    fill(town, 20)
    (town.server.data / "spaces" / "conseil" / "large").write_bytes(os.urandom(size))
    town.cli("check", "--adopt", "--repair-counts")
    shelf = small_disk / "shelf"
    with town.server:
        filler = small_disk / "filler"
        filler.write_bytes(bytes(1_800_000))
        refused = town.server.cli("backup", str(shelf), check=False)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(f"The disk of {shelf} is full")
        assert os.listdir(shelf) == [".lock"]
        assert (town.staged(), town.findings()) == ([], [])
        town.put(f"{SPACE}/next.txt", b"next")
        filler.unlink()
        if not size:
            backup(town, shelf)
            town.cli("verify", str(shelf))
    assert "Traceback" not in town.logged()


# Killed


def fill(town: Town, number: int) -> None:
    """Give the space documents that a backup takes some time for."""
    root = town.server.data / "spaces" / "conseil"
    for n in range(number):
        folder = root / f"folder {n % 50}"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / f"{n}.txt").write_bytes(b"content %d" % n)
    town.cli("check", "--adopt", "--repair-counts")


Moment = Callable[[Path, Path], bool]


def inside(path: Path, least: int = 0) -> bool:
    try:
        return len(os.listdir(path)) >= least
    except FileNotFoundError:
        return False


MOMENTS: dict[str, Moment] = {
    # given the data directory, and the backup that is not finished
    "it has begun": lambda data, room: room.exists(),
    "it copies": lambda data, room: inside(room / "pool", 20),
    "everything is held": lambda data, room: inside(data / "staging", 3),
    "it writes the database": lambda data, room: (room / "davserver.db").exists(),
    "it gives the names": lambda data, room: (room / "spaces").exists(),
    "it is nearly done": lambda data, room: (room / "manifest").exists(),
}


def kill_when(
    moment: Callable[[], bool], args: list[str], town: Town, reset: Callable[[], None]
) -> None:
    """Kill the command at this moment: it is stopped first, so that it stays at it."""
    for _ in range(TRIES):
        process = subprocess.Popen(
            [sys.executable, "-m", "davserver", *args],
            cwd=town.server.data.parent,
            env=town.server.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and not moment():
            continue
        if process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            if moment():
                process.kill()
                process.wait(COMMAND_SECONDS)
                return
            process.send_signal(signal.SIGCONT)
        assert process.wait(COMMAND_SECONDS) == 0
        reset()
    raise AssertionError("it was never at this moment")


# PostgreSQL matters where it is asked for something.
_ASKED = ("everything is held", "it writes the database")


@pytest.mark.parametrize(
    "kind, when",
    [*(("sqlite", when) for when in MOMENTS), *(("postgresql", when) for when in _ASKED)],
)
def test_killed_backup_harms_nobody(town: Town, tmp_path: Path, when: str) -> None:
    fill(town, 400)
    shelf = tmp_path / "shelf"
    data = town.server.data

    def at_the_moment() -> bool:
        return any(MOMENTS[when](data, room) for room in shelf.glob(".unfinished-*"))

    def another_shelf() -> None:
        shutil.rmtree(shelf)

    with town.server:
        kill_when(at_the_moment, ["backup", str(shelf)], town, another_shelf)
        assert Shelf(shelf).backups() == []
        assert len(list(shelf.glob(".unfinished-*"))) == 1
        # Nobody waits for what is no more.
        town.put(f"{SPACE}/next.txt", b"next")
        made = json.loads(town.cli("backup", str(shelf), "--json"))
        assert sorted(os.listdir(shelf)) == [".lock", Path(made["backup"]).name]
        assert town.staged() == []
        town.cli("verify", str(shelf))
        town.cli("check")
    assert "Traceback" not in town.logged()
    again = restored(town, made["backup"], tmp_path / "new", None)
    assert again.findings() == []
    assert again.documents()["conseil/next.txt"] == b"next"


RESTORING: dict[str, Callable[[Path], bool]] = {
    "it has begun": lambda new: (new / ".restoring").exists(),
    "it copies": lambda new: inside(new / ".restoring" / "spaces" / "conseil", 10),
    "the tree is there": lambda new: (new / ".restoring" / "staging").exists(),
}


@pytest.mark.parametrize("kind, when", [("sqlite", when) for when in RESTORING])
def test_killed_restore_looks_like_none(town: Town, tmp_path: Path, when: str) -> None:
    fill(town, 400)
    shelf, new = tmp_path / "shelf", tmp_path / "new"
    backup(town, shelf)
    args = ["restore", str(shelf), "--data", str(new), "--url", f"sqlite:///{new}/davserver.db"]
    kill_when(lambda: RESTORING[when](new), args, town, lambda: shutil.rmtree(new))
    again = Town(Server(new), dict(town.devices))
    for command, exit_code in (("check", 6), ("serve", 6), ("init", 7)):
        refused = again.server.cli(command, check=False)
        assert refused.returncode == exit_code, refused
    # The next one begins anew.
    again.cli("restore", str(shelf))
    assert again.findings() == []
    assert again.documents() == town.documents()
    assert not (new / ".restoring").exists()
