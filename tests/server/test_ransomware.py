"""The drill: a stolen device password encrypts, renames and deletes all it can, while a colleague
goes on working. One command brings everything back but what the colleague has done."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from config.settings import Tripwire
from tests.server.town import SPACE, Town, event
from tests.server.wire import Answer, Wire, head

FOLDERS, DOCUMENTS = 200, 10
EVENTS = 30
AGENDA = "/calendars/{login}/conseil"
SHARED = "Partage"
NOTE = b"All your files are encrypted. Pay, and you shall have them back."
LETTERS = "La séance du conseil municipal est ouverte à dix-huit heures. ".encode()


def paths() -> list[str]:
    """All documents of the town hall, below the space."""
    return [f"Dossier {i:03}/Pièce {n}.odt" for i in range(FOLDERS) for n in range(DOCUMENTS)]


def content(path: str) -> bytes:
    """What is in a document: text, of another length in each."""
    return f"{path}\n".encode() + LETTERS * (20 + len(path) % 7)


def plant(town: Town) -> dict[str, bytes]:
    """Put the documents there before the server starts, and let the journal know of them."""
    root = town.server.data / "spaces" / "conseil"
    planted = {path: content(path) for path in paths()}
    planted |= {f"{SHARED}/Note {n}.odt": content(f"note {n}") for n in range(20)}
    for path, text in planted.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(text)
    town.cli("check", "--adopt")
    return planted


class Session:
    """A device of an account on one connection."""

    def __init__(self, town: Town, login: str) -> None:
        self.town = town
        self.login = login
        self._wire = Wire(town.server.port)

    def ask(self, method: str, address: str, body: bytes = b"", **headers: str) -> Answer:
        given = [self.town.as_(self.login), ("Content-Length", str(len(body)))]
        given += list(headers.items())
        answer = self._wire.ask(head(method, quote(address), given) + body, method)
        if answer.closes:
            self._wire.close()
            self._wire = Wire(self.town.server.port)
        return answer

    def close(self) -> None:
        self._wire.close()


@dataclass
class Attacker:
    """A program with the device password of `anne`: what it has hit, and what was refused to it."""

    session: Session
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    hit: set[str] = field(default_factory=set)
    refused: list[int] = field(default_factory=list)

    def do(self, method: str, path: str, body: bytes = b"", to: str = "") -> bool:
        headers = {"Destination": quote(f"{SPACE}/{to}")} if to else {}
        answer = self.session.ask(method, f"{SPACE}/{path}", body, **headers)
        if answer.status >= 400:
            self.refused.append(answer.status)
            return False
        self.hit.add(path.removesuffix(".locked"))
        return True

    def encrypt(self, number: int, path: str) -> None:
        """In one of the ways that such programs have."""
        noise, locked = self.chance.randbytes(2000), f"{path}.locked"
        match number % 4:
            case 0:
                _ = self.do("PUT", path, noise) and self.do("MOVE", path, to=locked)
            case 1:
                _ = self.do("MOVE", path, to=locked) and self.do("PUT", locked, noise)
            case 2:
                _ = self.do("PUT", locked, noise) and self.do("DELETE", path)
            case _:
                self.do("PUT", path, noise)

    def ruin_agenda(self) -> None:
        for number in range(EVENTS):
            address = f"{AGENDA.format(login=self.session.login)}/{number}.ics"
            if number % 2:
                self.session.ask("DELETE", address)
            else:
                self.session.ask("PUT", address, event(f"séance {number}", "HA HA HA"))

    def rage(self, documents: list[str]) -> None:
        """All of it, until nothing is allowed any more."""
        self.ruin_agenda()
        for number, path in enumerate(documents):
            folder = path.partition("/")[0]
            if number % DOCUMENTS == 0:
                self.do("PUT", f"{folder}/HOW TO DECRYPT.txt", NOTE)
            self.encrypt(number, path)
            if len(self.refused) > 20:
                return
        for i in range(0, FOLDERS, 10):
            folder = f"Dossier {i:03}"
            if i % 20:
                self.do("DELETE", folder)
            else:
                self.do("MOVE", folder, to=f"{folder}.locked")


class Colleague(threading.Thread):
    """`bruno`, who saves documents and events all the while; also what the attacker is after."""

    def __init__(self, town: Town) -> None:
        super().__init__()
        self.session = Session(town, "bruno")
        self.over = threading.Event()
        self.documents: dict[str, bytes] = {}
        self.events: dict[str, bytes] = {}
        self.failed: list[Answer] = []

    def run(self) -> None:
        number = 0
        while not self.over.is_set() or number < 60:
            number += 1
            self._save(f"{SHARED}/Note {number % 20}.odt", f"bruno {number}\n".encode() * 30)
            self._save(f"{SHARED}/Neuf {number % 7}.odt", f"neuf {number}\n".encode() * 30)
            name = f"bruno-{number % 9}.ics"
            text = event(f"bruno {number % 9}", f"Réunion {number}")
            self._check(self.session.ask("PUT", f"{AGENDA.format(login='bruno')}/{name}", text))
            self.events[name] = text
            # A person, and not a load test.
            time.sleep(0.02)
        self.session.close()

    def _save(self, path: str, text: bytes) -> None:
        self._check(self.session.ask("PUT", f"{SPACE}/{path}", text))
        self.documents[path] = text

    def _check(self, answer: Answer) -> None:
        if answer.status not in (201, 204):
            self.failed.append(answer)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.over.set()
            self.join()
        assert not self.failed


@dataclass
class Drill:
    """What there was before, and the moment."""

    town: Town
    planted: dict[str, bytes]
    events: dict[str, bytes]
    moment: str

    @classmethod
    def prepare(cls, directory: Path, environment: dict[str, str]) -> Drill:
        town = Town.found(directory / "data", environment=environment)
        planted = plant(town)
        town.server.start()
        session = Session(town, "bruno")
        events = {}
        for number in range(EVENTS):
            name, text = f"{number}.ics", event(f"séance {number}", f"Séance {number}")
            address = f"{AGENDA.format(login='bruno')}/{name}"
            assert session.ask("PUT", address, text).status == 201
            events[name] = text
        session.close()
        return cls(town, planted, events, datetime.now(UTC).isoformat())

    def attack(self) -> tuple[Attacker, Colleague]:
        """Let both work at the same time."""
        attacker = Attacker(Session(self.town, "anne"))
        colleague = Colleague(self.town)
        with colleague.at_work():
            attacker.rage([path for path in self.planted if not path.startswith(SHARED)])
            # In what the colleague works on too.
            for path in self.planted:
                if path.startswith(SHARED):
                    attacker.do("PUT", path, attacker.chance.randbytes(2000))
        attacker.session.close()
        return attacker, colleague

    def rewind(self) -> None:
        """The one command."""
        began = time.monotonic()
        arguments = ("--account", "anne", "--device", "poste", "--apply")
        done = self.town.server.cli("rewind", "conseil", "--to", self.moment, *arguments)
        print(f"the rewind took {time.monotonic() - began:.1f} s")
        print(*done.stdout.splitlines()[-7:], sep="\n")

    def check(self, colleague: Colleague) -> None:
        """Everything is as it was, but for what the colleague has done."""
        expected = self.planted | colleague.documents
        found = {
            path.removeprefix("conseil/"): text
            for path, text in self.town.documents().items()
            if path.startswith("conseil/")
        }
        assert digests(found) == digests(expected)
        session = Session(self.town, "bruno")
        for name, text in (self.events | colleague.events).items():
            answer = session.ask("GET", f"{AGENDA.format(login='bruno')}/{name}")
            assert (answer.status, answer.body) == (200, text), name
        for path, text in list(expected.items())[::97]:
            assert session.ask("GET", f"{SPACE}/{path}").body == text
        session.close()
        assert self.town.findings() == []
        assert "Traceback" not in self.town.logged()


def digests(documents: dict[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(text).hexdigest() for path, text in documents.items()}


@contextmanager
def drill(directory: Path, **environment: str) -> Iterator[Drill]:
    prepared = Drill.prepare(directory, environment)
    try:
        yield prepared
    finally:
        prepared.town.server.stop()


def test_the_tripwire_stops_it_and_one_rewind_brings_everything_back(tmp_path: Path) -> None:
    with drill(tmp_path) as prepared:
        attacker, colleague = prepared.attack()
        limits = Tripwire()
        hit = attacker.hit & prepared.planted.keys()
        print(f"{len(hit)} of {len(prepared.planted)} documents were hit before the stop")
        # Each way to encrypt one counts, and the last one may have been renamed already.
        assert 0 < len(hit) <= limits.scrambled + 1
        assert set(attacker.refused) <= {401, 403} and attacker.refused
        assert prepared.town.ask("anne", "PUT", f"{SPACE}/again.txt", b"again").status == 401
        prepared.rewind()
        prepared.check(colleague)


def test_a_rewind_undoes_it_even_when_nothing_stops_it(tmp_path: Path) -> None:
    with drill(tmp_path, DAVSERVER_TRIPWIRE__ENABLED="false") as prepared:
        attacker, colleague = prepared.attack()
        assert attacker.hit >= prepared.planted.keys()
        prepared.rewind()
        prepared.check(colleague)
