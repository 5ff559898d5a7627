"""The quota of a space, against many writers, a kill, and somebody at the disk: never beyond it,
and what is counted is what is there."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.server.postgres import Postgres
from tests.server.process import Server
from tests.server.test_kill import GONE, Executioner
from tests.server.town import SPACE, Town
from tests.server.wire import Wire, head

QUOTA = 300_000
WRITERS = 6
ROUNDS = 25
SIZES = (1, 1000, 7000, 20_000, 50_000)


@pytest.fixture(params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    url = None
    if request.param == "postgresql":
        cluster = request.getfixturevalue("postgres")
        assert isinstance(cluster, Postgres)
        url = cluster.create_database()
    town = Town.found(tmp_path / "data", url)
    town.cli("space", "quota", "conseil", str(QUOTA))
    yield town
    town.server.kill()


def used(town: Town) -> dict[str, int]:
    """What `davserver space quota` says of the space."""
    (row,) = json.loads(town.cli("space", "quota", "conseil", "--json"))
    return {name: row[f"{name}_bytes"] for name in ("live", "history", "used", "free")}


def lying(town: Town) -> dict[str, int]:
    """What lies on the disk."""
    sizes = {}
    for name, root in (("live", "spaces"), ("history", "history")):
        sizes[name] = sum(
            os.lstat(os.path.join(folder, file)).st_size
            for folder, _, files in os.walk(town.server.data / root / "conseil")
            for file in files
        )
    return sizes


def agree(town: Town) -> dict[str, int]:
    """What is counted is what is there, and within the quota; returns it."""
    counted, there = used(town), lying(town)
    assert there == {name: counted[name] for name in there}
    assert counted["used"] == sum(there.values()) <= QUOTA
    assert counted["free"] == QUOTA - counted["used"]
    assert town.findings() == []
    return counted


def write(town: Town, servers: tuple[Server, ...], writer: int) -> Counter[int]:
    """Put, overwrite, copy, move and delete, in everybody's way, whatever the answer is."""
    chance = random.Random(writer)
    statuses: Counter[int] = Counter()
    for _ in range(ROUNDS):
        server = chance.choice(servers)
        path, other = (f"{SPACE}/{chance.choice('abcdef')}" for _ in range(2))
        content = chance.randbytes(chance.choice(SIZES))
        to = ("Destination", other)
        match chance.randrange(8):
            case 0:
                answer = town.ask("anne", "DELETE", path, server=server)
            case 1:
                answer = town.ask("anne", "MOVE", path, None, to, server=server)
            case 2 | 3:
                answer = town.ask("anne", "COPY", path, None, to, server=server)
            case _:
                answer = town.ask("anne", "PUT", path, content, server=server)
        assert answer.status in (201, 204, 403, 404, 507), answer
        if answer.status == 507:
            assert b"quota-not-exceeded" in answer.body
        statuses[answer.status] += 1
    return statuses


def test_many_writers_never_go_beyond_it(town: Town) -> None:
    with town.server, town.another() as other:
        both = (town.server, other)
        with ThreadPoolExecutor(WRITERS) as pool:
            runs = list(pool.map(partial(write, town, both), range(WRITERS)))
        statuses = sum(runs, Counter[int]())
        assert statuses[507] > 10 and statuses[201] + statuses[204] > 10, statuses
        counted = agree(town)
        # To the last byte, and not one more.
        free = counted["free"]
        assert town.ask("anne", "PUT", f"{SPACE}/last", bytes(free + 1)).status == 507
        assert town.ask("anne", "PUT", f"{SPACE}/last", bytes(free), server=other).status == 201
        assert agree(town)["free"] == 0
        refused = town.ask("anne", "PUT", f"{SPACE}/one-more", b"x", ("Accept-Language", "en"))
        assert refused.status == 507 and b"0 bytes are left" in refused.body
        assert town.ask("anne", "PUT", f"{SPACE}/empty", b"").status == 201


def test_many_who_all_want_the_last_room(town: Town) -> None:
    """Each alone would fit; each announces its length, or does not."""
    with town.server, town.another() as other:
        both, size = (town.server, other), QUOTA // 3

        def put(number: int) -> int:
            path, server = f"{SPACE}/{number}", both[number // 2 % 2]
            if number % 2:
                return town.ask("anne", "PUT", path, bytes(size), server=server).status
            headers = [town.as_("anne"), ("Transfer-Encoding", "chunked")]
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, bytes(size))
            with Wire(server.port) as wire:
                return wire.ask(head("PUT", path, headers) + body).status

        with ThreadPoolExecutor(10) as pool:
            statuses = Counter(pool.map(put, range(10)))
        assert statuses == {201: 3, 507: 7}
        assert agree(town)["live"] == 3 * size
        assert town.staged() == []


@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_kill(town: Town, seed: int) -> None:
    chance = random.Random(seed)
    executioner = Executioner(town.server)

    def work(number: int) -> None:
        own = random.Random(f"{seed} {number}")
        while not executioner.done.is_set():
            path = f"{SPACE}/{own.choice('abc')}"
            try:
                content = own.randbytes(own.choice(SIZES))
                town.ask("anne", own.choice(("PUT", "PUT", "DELETE")), path, content)
            except GONE:
                return
            executioner.acknowledged()

    town.server.start()
    for _ in range(4):
        executioner.load(chance.randint(5, 40))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        town.server.start()
        agree(town)


def test_after_somebody_was_at_the_disk(town: Town) -> None:
    with town.server:
        for name in "abc":
            town.put(f"{SPACE}/{name}", bytes(10_000))
        town.put(f"{SPACE}/a", bytes(20_000))
        assert used(town) == {
            "live": 40_000,
            "history": 10_000,
            "used": 50_000,
            "free": QUOTA - 50_000,
        }
        root = town.server.data / "spaces/conseil"
        (root / "b").unlink()
        (root / "c").write_bytes(bytes(200_000))
        (root / "new").mkdir()
        (root / "new/d").write_bytes(bytes(100))
        # It is served at once; only the count is not what is there.
        assert town.ask("bruno", "GET", f"{SPACE}/new/d").body == bytes(100)
        assert used(town)["used"] == 50_000
        done = town.server.cli("check", check=False)
        assert done.returncode == 8 and "new" in done.stdout
        assert "conseil" in town.server.cli("check", "--repair-counts", check=False).stdout
        counted = used(town)
        assert (counted["live"], counted["history"]) == (220_100, 10_000)
        assert town.ask("anne", "PUT", f"{SPACE}/e", bytes(QUOTA - 230_100 + 1)).status == 507
        assert town.ask("anne", "PUT", f"{SPACE}/e", bytes(QUOTA - 230_100)).status == 201
        town.cli("check", "--adopt")
        agree(town)
        actions = Counter(entry.action for entry in town.journal())
        assert (actions["space.recount"], actions["document.adopt"]) == (1, 1)


def test_a_quota_counts_at_the_next_request(town: Town) -> None:
    with town.server, town.another() as other:
        town.put(f"{SPACE}/a", bytes(1000))
        town.cli("space", "quota", "conseil", "1500")
        for server in (town.server, other):
            assert town.ask("anne", "PUT", f"{SPACE}/b", bytes(501), server=server).status == 507
        town.cli("space", "quota", "conseil", "500")
        answer = town.ask("anne", "PUT", f"{SPACE}/b", b"x", server=other)
        assert answer.status == 507 and b"0 " in answer.body
        assert town.ask("anne", "DELETE", f"{SPACE}/a", server=other).status == 204
        town.cli("space", "quota", "conseil", "none")
        for server in (town.server, other):
            assert town.ask("anne", "PUT", f"{SPACE}/b", bytes(5000), server=server).status < 300
