"""`kill -9` at any moment: what was acknowledged is there, and nothing is there by halves."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Lock, Thread

import pytest

from tests.server.postgres import Postgres
from tests.server.process import Server
from tests.server.town import SPACE, Town, event, until
from tests.server.wire import Answer, Malformed, NoAnswer, Wire, head

CLIENTS = 4
ROUNDS = 6
TRIES = 200

# What a client sees whose server is killed.
GONE = (OSError, NoAnswer, Malformed)

Tree = dict[str, bytes]
"""The documents in one client's folder by their paths in it."""


@pytest.fixture(params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    url = None
    if request.param == "postgresql":
        cluster = request.getfixturevalue("postgres")
        assert isinstance(cluster, Postgres)
        url = cluster.create_database()
    town = Town.found(tmp_path / "data", url)
    yield town
    town.server.kill()


class Executioner:
    """Kills the server at the n-th acknowledgement, whatever else is under way then."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._left = 0
        self._lock = Lock()
        self.done = Event()

    def load(self, after: int) -> None:
        self._left = after
        self.done.clear()

    def acknowledged(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._server.kill()
                self.done.set()


@dataclass
class Client:
    """Writes to a folder and to an agenda of its own, and knows what must be in them.

    `documents` and `events` are what was acknowledged; `pending` is what they are if the last
    request, of which nobody knows what became of it, was carried out.
    """

    town: Town
    number: int
    chance: random.Random
    documents: Tree = field(default_factory=dict)
    events: Tree = field(default_factory=dict)
    pending: tuple[Tree, Tree] | None = None
    sent: set[bytes] = field(default_factory=set)

    @property
    def folder(self) -> str:
        return f"{SPACE}/{self.number}"

    @property
    def agenda(self) -> str:
        return f"/calendars/anne/agenda-{self.number}"

    def begin(self) -> None:
        for folder in (self.folder, f"{self.folder}/sub"):
            assert self.town.ask("anne", "MKCOL", folder).status == 201
        assert self.town.ask("anne", "MKCALENDAR", self.agenda).status == 201

    def run(self, executioner: Executioner) -> None:
        """Work until the server is killed."""
        while not executioner.done.is_set():
            try:
                answer, documents, events = self._something()
            except GONE:
                return
            assert answer.status < 300, answer
            self.documents, self.events, self.pending = documents, events, None
            executioner.acknowledged()

    def _something(self) -> tuple[Answer, Tree, Tree]:
        """One change that must succeed, and what is there after it."""
        documents, events = dict(self.documents), dict(self.events)
        name = self.chance.choice("abcdef")
        path = self.chance.choice(("", "sub/")) + name
        there = self.chance.choice(sorted(documents)) if documents else ""
        kind = self.chance.randrange(6 if there and there != path else 2)
        if kind == 0:
            uid = f"{self.number}-{name}"
            events[name] = event(uid, f"{self.chance.random()} {'x' * 3000}")
            self.pending = documents, events
            answer = self._ask("PUT", f"{self.agenda}/{name}.ics", events[name])
        elif kind in (1, 2):
            content = self.chance.randbytes(self.chance.choice((0, 1, 5000, 300_000)))
            documents[path] = content
            self.sent.add(content)
            self.pending = documents, events
            answer = self._ask("PUT", f"{self.folder}/{path}", content)
        elif kind == 5:
            del documents[there]
            self.pending = documents, events
            answer = self._ask("DELETE", f"{self.folder}/{there}")
        else:
            documents[path] = documents[there]
            if kind == 3:
                del documents[there]
            self.pending = documents, events
            to = f"{self.folder}/{path}"
            answer = self._ask("COPY" if kind == 4 else "MOVE", f"{self.folder}/{there}", to=to)
        return answer, documents, events

    def _ask(self, method: str, path: str, body: bytes | None = None, to: str = "") -> Answer:
        headers = [("Destination", to)] if to else []
        return self.town.ask("anne", method, path, body, *headers)

    def check(self) -> None:
        """All that was acknowledged is there, the last request wholly or not at all."""
        documents, events = self._found()
        expected = [(self.documents, self.events)]
        if self.pending is not None:
            expected.append(self.pending)
        assert set(documents.values()) <= self.sent
        assert (documents, events) in expected, self._differences(documents, events)
        self.documents, self.events, self.pending = documents, events, None

    def _found(self) -> tuple[Tree, Tree]:
        """What the server gives back, and the disk holds."""
        prefix = self.folder.removeprefix("/spaces/") + "/"
        documents = {
            path.removeprefix(prefix): content
            for path, content in self.town.documents().items()
            if path.startswith(prefix)
        }
        for path, content in documents.items():
            got = self.town.ask("anne", "GET", f"{self.folder}/{path}")
            assert (got.status, got.body) == (200, content), path
        events = {}
        for name in "abcdef":
            got = self.town.ask("anne", "GET", f"{self.agenda}/{name}.ics")
            assert got.status in (200, 404), got
            if got.status == 200:
                events[name] = got.body
        return documents, events

    def _differences(self, documents: Tree, events: Tree) -> str:
        lost = [path for path in self.documents if documents.get(path) != self.documents[path]]
        more = documents.keys() - self.documents.keys()
        other = [name for name in self.events if events.get(name) != self.events[name]]
        return f"client {self.number}: {lost} differ, {more} are new, events {other} differ"


@pytest.mark.parametrize("seed", [1, 2])
def test_acknowledged_is_kept(town: Town, seed: int) -> None:
    chance = random.Random(seed)
    clients = [Client(town, n, random.Random(100 * seed + n)) for n in range(CLIENTS)]
    town.server.start()
    executioner = Executioner(town.server)
    for client in clients:
        client.begin()
    for _ in range(ROUNDS):
        executioner.load(chance.randint(1, 40))
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda client: client.run(executioner), clients))
        assert executioner.done.is_set()
        town.server.start()
        # What was cut short is settled by the time it serves, at the latest.
        assert town.intents() == []
        assert town.findings() == []
        for client in clients:
            client.check()
    assert "Traceback" not in town.logged()
    town.server.stop()
    town.server.cli("check")


def test_upload_cut_by_the_kill_leaves_nothing_that_counts(town: Town) -> None:
    with town.server:
        town.put(f"{SPACE}/a.txt", b"former")
        with Wire(town.server.port) as wire:
            length = ("Content-Length", "1000000")
            wire.send(head("PUT", f"{SPACE}/a.txt", [town.as_("anne"), length]) + bytes(500_000))
            until(town.staged, "the upload has begun")
            town.server.kill()
            # It may go on in another process, which serves at once.
            town.server.start()
            assert town.ask("anne", "GET", f"{SPACE}/a.txt").body == b"former"
            assert town.findings() == []
        # Old remains are removed when the server starts, young ones may be somebody's.
        assert len(town.staged()) == 1
        town.server.restart()
        assert len(town.staged()) == 1
    town.start_in(timedelta(days=2))
    assert town.staged() == []


# One of two


@dataclass(frozen=True)
class Act:
    """A request about `/spaces/conseil/NAME`, and the documents before and after it.

    "" is NAME itself, other paths begin with it.
    """

    method: str
    before: Tree
    after: Tree
    to: bool = False

    @property
    def action(self) -> str:
        """What the journal calls it."""
        return f"document.{self.method.lower()}"


ACTS = {
    "new": Act("PUT", {}, {"": b"later"}),
    "overwrite": Act("PUT", {"": b"former"}, {"": b"later"}),
    "move": Act("MOVE", {"": b"former"}, {".to": b"former"}, to=True),
    "move over": Act("MOVE", {"": b"former", ".to": b"other"}, {".to": b"former"}, to=True),
    "move a folder": Act("MOVE", {"/a": b"former"}, {".to/a": b"former"}, to=True),
    "copy": Act("COPY", {"": b"former"}, {"": b"former", ".to": b"former"}, to=True),
    "copy over": Act(
        "COPY", {"": b"former", ".to": b"other"}, {"": b"former", ".to": b"former"}, to=True
    ),
    "copy a folder": Act("COPY", {"/a": b"former"}, {"/a": b"former", ".to/a": b"former"}, to=True),
    "delete": Act("DELETE", {"": b"former"}, {}),
    "delete a folder": Act("DELETE", {"/a": b"former"}, {}),
}


@dataclass
class Attempts:
    """One act after another, through a server that is to be killed in the middle of one."""

    town: Town
    act: Act
    survivor: Server
    name: str = ""

    def prepare(self, name: str) -> None:
        """Put what must be there before the act, through the other server."""
        self.name = name
        for path, content in self.act.before.items():
            if path.startswith("/"):
                self._must("MKCOL", name)
            self._must("PUT", name + path, content)

    def _must(self, method: str, path: str, body: bytes | None = None) -> None:
        answer = self.town.ask("anne", method, f"{SPACE}/{path}", body, server=self.survivor)
        assert answer.status == 201, answer

    def request(self) -> None:
        body = b"later" if self.act.method == "PUT" else None
        to = [("Destination", f"{SPACE}/{self.name}.to")] if self.act.to else []
        with contextlib.suppress(*GONE):
            self.town.ask("anne", self.act.method, f"{SPACE}/{self.name}", body, *to)

    def found(self) -> Tree:
        prefix = f"conseil/{self.name}"
        return {
            path.removeprefix(prefix): content
            for path, content in self.town.documents().items()
            if path.startswith(prefix)
        }

    def check(self) -> Tree:
        """What is there is what the journal says, whole; returns it.

        Nearly always the act is undone: but SQLite may have written all of its commit, and not
        yet shown it to others, and it counts when the last process is gone.
        """
        prepared = len(self.act.before) if self.act.method == "PUT" else 0
        done = self.recorded() - prepared
        assert done in (0, 1)
        found = self.found()
        assert found == (self.act.after if done else self.act.before)
        return found

    def seen(self) -> list[int]:
        """What lies at the two names; told at once, unlike `found`."""
        root = self.town.server.data / "spaces/conseil"
        inodes = []
        for name in (self.name, f"{self.name}.to"):
            try:
                inodes.append(os.lstat(root / name).st_ino)
            except FileNotFoundError:
                inodes.append(0)
        return inodes

    def recorded(self) -> int:
        """How many of these acts the journal has."""
        names = (self.name, f"{self.name}.to")
        return sum(
            entry.action == self.act.action and entry.path in names for entry in self.town.journal()
        )


def kill_in_the_act(attempts: Attempts) -> None:
    """Kill the server when the disk is changed already and the database is not: it has written
    down what it does, done it, and not committed it.

    It is stopped first, so that what is looked at stays as it is.
    """
    town = attempts.town
    victim = town.server.process
    assert victim is not None
    for number in range(TRIES):
        attempts.prepare(f"try{number:03}")
        before, recorded = attempts.seen(), attempts.recorded()
        worker = Thread(target=attempts.request)
        worker.start()
        while worker.is_alive() and attempts.seen() == before:
            continue
        victim.send_signal(signal.SIGSTOP)
        if town.intents() and attempts.recorded() == recorded:
            town.server.kill()
            worker.join()
            return
        victim.send_signal(signal.SIGCONT)
        worker.join()
    raise AssertionError("it was never in the act")


@pytest.mark.parametrize("name", ACTS)
def test_survivor_undoes_what_the_other_left(town: Town, name: str) -> None:
    act = ACTS[name]
    with town.server, town.another() as survivor:
        attempts = Attempts(town, act, survivor)
        kill_in_the_act(attempts)
        assert len(town.intents()) == 1
        assert attempts.found() == act.after
        # Reading goes on, and the next write in this space settles it.
        assert town.ask("anne", "PROPFIND", SPACE, server=survivor).status == 207
        assert town.ask("anne", "PUT", f"{SPACE}/next", b"x", server=survivor).status == 201
        assert (town.intents(), town.staged(), town.findings()) == ([], [], [])
        attempts.check()
        assert "Traceback" not in survivor.log.read_text()


@pytest.mark.parametrize("name", ["overwrite", "move over", "copy a folder"])
def test_start_undoes_what_a_crash_left(town: Town, name: str) -> None:
    act = ACTS[name]
    with town.server:
        attempts = Attempts(town, act, town.server)
        kill_in_the_act(attempts)
        assert [finding.problem for finding in town.findings()] != []
        town.server.start()
        assert (town.intents(), town.staged(), town.findings()) == ([], [], [])
        for path, content in attempts.check().items():
            assert town.ask("anne", "GET", f"{SPACE}/{attempts.name}{path}").body == content


def test_survivor_settles_for_every_space_concerned(town: Town) -> None:
    """A move between two spaces, of which the survivor then writes in the other one alone."""
    town.space("annexe", anne="contributor")
    act = Act("MOVE", {"": b"former"}, {}, to=True)
    with town.server, town.another() as survivor:
        attempts = Between(town, act, survivor)
        kill_in_the_act(attempts)
        assert attempts.found() == {}
        path = "/spaces/annexe/next"
        assert town.ask("anne", "PUT", path, b"x", server=survivor).status == 201
        assert (town.intents(), town.staged(), town.findings()) == ([], [], [])
        moved = not attempts.check()
        assert (f"annexe/{attempts.name}" in town.documents()) == moved


class Between(Attempts):
    """Moves to another space."""

    def request(self) -> None:
        to = ("Destination", f"/spaces/annexe/{self.name}")
        with contextlib.suppress(*GONE):
            self.town.ask("anne", "MOVE", f"{SPACE}/{self.name}", None, to)
