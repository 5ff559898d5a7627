"""A space is taken back while several people save through two servers: nobody's work is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count

import pytest

from tests.server.postgres import Postgres
from tests.server.process import Server
from tests.server.town import SPACE, Town, event, until
from tests.server.wire import Wire, head

WRITERS = 4
DOCUMENTS = 60


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    url = None
    if request.param == "postgresql":
        cluster = request.getfixturevalue("postgres")
        assert isinstance(cluster, Postgres)
        url = cluster.create_database()
    town = Town.found(tmp_path_factory.mktemp("meanwhile") / "data", url)
    with town.server:
        yield town
    assert town.findings() == []


@pytest.fixture(scope="module")
def other(town: Town) -> Iterator[Server]:
    with town.another() as other:
        yield other
    assert "Traceback" not in town.logged() + other.log.read_text()


class Saving:
    """Somebody who saves one document and one event again and again, through one server."""

    def __init__(self, town: Town, server: Server, number: int) -> None:
        self.town = town
        self.server = server
        self.path = f"Mes notes/{number}.txt"
        self.event = f"/calendars/bruno/conseil/note-{number}.ics"
        self.acknowledged = (b"", b"")
        self.saved = 0

    def until(self, over: threading.Event) -> None:
        with Wire(self.server.port) as wire:
            for number in count(1):
                text = f"{self.path}, {number}".encode()
                entry = event(self.event, str(number))
                for address, body in ((f"{SPACE}/{self.path}", text), (self.event, entry)):
                    sent = [self.town.as_("bruno"), ("Content-Length", str(len(body)))]
                    target = address.replace(" ", "%20")
                    answer = wire.ask(head("PUT", target, sent) + body, "PUT")
                    assert answer.status in (201, 204), answer
                self.acknowledged = text, entry
                self.saved += 1
                if over.is_set():
                    return


def test_what_others_save_meanwhile_stays(town: Town, other: Server) -> None:
    for number in range(DOCUMENTS):
        town.put(f"{SPACE}/{number}.txt", f"good {number}".encode())
    town.ask("bruno", "MKCOL", f"{SPACE}/Mes%20notes")
    moment = datetime.now(UTC).isoformat()
    for number in range(DOCUMENTS):
        town.put(f"{SPACE}/{number}.txt", b"bad")
        if number % 3 == 0:
            moved = ("Destination", f"{SPACE}/{number}.locked")
            town.ask("anne", "MOVE", f"{SPACE}/{number}.txt", None, moved)
    town.ask("anne", "DELETE", f"{SPACE}/1.txt")
    people = [Saving(town, (town.server, other)[n % 2], n) for n in range(WRITERS)]
    over = threading.Event()
    with ThreadPoolExecutor(WRITERS) as pool:
        working = [pool.submit(one.until, over) for one in people]
        try:
            until(lambda: all(one.saved > 3 for one in people), "everybody works")
            order = ("--to", moment, "--account", "anne", "--apply")
            town.server.cli("rewind", "conseil", *order)
            done = [one.saved for one in people]
            until(
                lambda: all(one.saved > n + 3 for one, n in zip(people, done, strict=True)),
                "everybody goes on",
            )
        finally:
            over.set()
        for worker in working:
            worker.result()
    due = {f"{number}.txt": f"good {number}".encode() for number in range(DOCUMENTS)}
    due |= {one.path: one.acknowledged[0] for one in people}
    assert town.documents() == {f"conseil/{path}": text for path, text in due.items()}
    for one in people:
        assert town.ask("bruno", "GET", one.event).body == one.acknowledged[1]
