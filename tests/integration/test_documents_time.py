"""Time travel: whatever happens, the space as it was at any moment is what it was then."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acl.actor import Actor
from davserver.documents.rewind import Order, rewind
from tests.integration.documents_client import CONTRIBUTOR, DAV, MANAGER, Client, Hall, href
from tests.server.postgres import Postgres

SPACES = ("conseil", "projet")
NAMES = ("a", "b", "c")
STEP = 20.0  # seconds; three to the minute in which a name waits for its next version

Tree = dict[str, bytes | None]
"""What a space holds: content by path, None for a folder."""

paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
places = st.tuples(st.sampled_from(SPACES), paths)
# Twice the same content now and then; never an empty one, of which no version is kept.
contents = st.one_of(st.sampled_from([b"same", b"other"]), st.binary(min_size=1, max_size=8))
picks = st.integers(0, 1_000)
steps = st.one_of(
    st.tuples(st.just("put"), places, contents),
    st.tuples(st.just("put"), places, contents),
    st.tuples(st.just("mkcol"), places),
    st.tuples(st.just("delete"), picks),
    st.tuples(st.just("MOVE"), picks, places),
    st.tuples(st.just("MOVE"), picks, places),
    st.tuples(st.just("COPY"), picks, places),
    st.tuples(st.just("untrash MOVE"), picks, places),
    st.tuples(st.just("untrash COPY"), picks, places),
    st.tuples(st.just("recall"), picks, picks, places),
    st.tuples(st.just("rewind"), picks),
)


def history(slug: str, path: str = "") -> str:
    return quote(f"/history/{slug}/{path}", safe="/:(,)")


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}"


def shown(client: Client, address: str) -> Tree:
    """All that is to be seen below an address, as a client finds it."""
    found: Tree = {}
    pending = [(address.rstrip("/") + "/", "")]
    while pending:
        folder, path = pending.pop()
        reply = client.propfind(folder, "resourcetype", "getcontentlength", depth="1")
        assert reply.status == 207, (folder, reply)
        (own, _), *rest = reply.responses().items()
        assert own == folder
        for one, response in rest:
            name = path + unquote(one.removeprefix(folder)).rstrip("/")
            if one.endswith("/"):
                found[name] = None
                pending.append((one, f"{name}/"))
            else:
                got = client.get(one)
                assert got.status == 200
                length = response.findtext(f".//{DAV}getcontentlength")
                assert length == got.headers["Content-Length"]
                found[name] = got.body
    return found


class Traveller:
    """Two people at work in two spaces, who remember every state there was."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.clients = [hall.client("bruno"), hall.client("chloe")]
        self.states: list[tuple[datetime, dict[str, Tree]]] = []
        self.remember()

    def remember(self) -> None:
        self.states.append((self.hall.now, {slug: self.hall.documents(slug) for slug in SPACES}))
        self.hall.later(seconds=STEP)

    def pick(self, number: int) -> tuple[str, str] | None:
        """One of the things that are there now."""
        there = [(slug, path) for slug in SPACES for path in sorted(self.states[-1][1][slug])]
        return there[number % len(there)] if there else None

    def step(self, client: Client, kind: str, *arguments: Any) -> None:
        if kind == "put":
            (slug, path), content = arguments
            assert client.put(href(slug, path), content).status in (201, 204, 405, 409)
        elif kind == "mkcol":
            ((slug, path),) = arguments
            assert client.mkcol(href(slug, path)).status in (201, 405, 409)
        elif kind == "delete":
            if source := self.pick(*arguments):
                assert client.delete(href(*source)).status == 204
        elif kind in ("MOVE", "COPY"):
            number, target = arguments
            if source := self.pick(number):
                self.bring(client, kind, href(*source), target)
        elif kind == "recall":
            self.recall(client, *arguments)
        elif kind == "rewind":
            self.take_back(*arguments)
        else:
            self.untrash(client, kind.split()[1], *arguments)
        self.remember()
        self.hall.consistent()

    def untrash(self, client: Client, method: str, number: int, target: tuple[str, str]) -> None:
        """Bring something back from the trash."""
        slug = SPACES[number % 2]
        if entries := client.list(history(slug, "trash")):
            entry = entries[number % len(entries)]
            self.bring(client, method, history(slug, f"trash/{entry}"), target)

    def recall(self, client: Client, when: int, number: int, target: tuple[str, str]) -> None:
        """Bring something back from a moment of the past."""
        at, state = self.states[when % len(self.states)]
        there = [(slug, path) for slug in SPACES for path in sorted(state[slug])]
        if there:
            slug, path = there[number % len(there)]
            address = history(slug, f"{moment(at)}/{path}")
            if self.bring(client, "COPY", address, target) == 201:
                assert shown_one(client, href(*target)) == below(state[slug], path)

    def take_back(self, when: int) -> None:
        """Take one space back; the other one keeps what was never in this one."""
        at, state = self.states[when % len(self.states)]
        slug = SPACES[when % 2]
        rewind(self.hall.app.documents, Actor.console("root"), Order(slug, at))
        assert self.hall.documents(slug) == state[slug]

    def bring(self, client: Client, method: str, source: str, target: tuple[str, str]) -> int:
        reply = client.request(method, source, headers={"Destination": href(*target)})
        assert reply.status in (201, 204, 403, 409), reply
        return reply.status

    def check(self, number: int) -> None:
        at, state = self.states[number]
        for slug in SPACES:
            assert shown(self.clients[1], history(slug, moment(at))) == state[slug], at


def below(tree: Tree, path: str) -> Tree:
    """What a tree has at and below a path, by the paths in it."""
    return {
        one.removeprefix(path): content
        for one, content in tree.items()
        if one == path or one.startswith(f"{path}/")
    }


def shown_one(client: Client, address: str) -> Tree:
    """What is at an address, and all below it."""
    reply = client.propfind(address, "resourcetype")
    (one,) = reply.responses()
    if not one.endswith("/"):
        return {"": client.get(address).body}
    return {"": None} | {f"/{path}": what for path, what in shown(client, address).items()}


@contextmanager
def hall(database_url: str | None) -> Iterator[Hall]:
    with TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        hall = Hall(data, database_url or f"sqlite:///{directory}/davserver.db")
        hall.account("bruno", "chloe")
        for slug in SPACES:
            hall.space(slug, {"bruno": CONTRIBUTOR, "chloe": MANAGER})
        yield hall
        hall.app.database.close()


def travel(traveller: Traveller, todo: list[tuple[object, ...]], seed: int) -> None:
    chance = random.Random(seed)
    for number, (kind, *arguments) in enumerate(todo):
        traveller.step(traveller.clients[number % 2], str(kind), *arguments)
        traveller.check(chance.randrange(len(traveller.states)))
    for number in range(len(traveller.states)):
        traveller.check(number)


@settings(
    max_examples=int(__import__("os").environ.get("EX", "8")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(todo=st.lists(steps, min_size=3, max_size=14), seed=st.integers(0, 10_000))
def test_the_past_is_what_it_was(todo: list[tuple[object, ...]], seed: int) -> None:
    with hall(None) as there:
        travel(Traveller(there), todo, seed)


@pytest.mark.parametrize("seed", range(4))
def test_the_past_is_what_it_was_on_postgresql(postgres: Postgres, seed: int) -> None:
    """Long walks, each with a database of its own."""
    chance = random.Random(seed)
    with hall(postgres.create_database()) as there:
        traveller = Traveller(there)
        travel(traveller, [drawn(chance) for _ in range(40)], seed)


def drawn(chance: random.Random) -> tuple[object, ...]:
    """One step, without hypothesis."""

    def place() -> tuple[str, str]:
        depth = chance.choice((1, 1, 2, 3))
        return chance.choice(SPACES), "/".join(chance.choice(NAMES) for _ in range(depth))

    kind = chance.choice(
        ("put", "put", "put", "mkcol", "delete", "MOVE", "MOVE", "COPY")
        + ("untrash MOVE", "untrash COPY", "recall", "rewind")
    )
    match kind:
        case "put":
            return kind, place(), chance.choice((b"same", chance.randbytes(6)))
        case "mkcol":
            return kind, place()
        case "delete" | "rewind":
            return kind, chance.randrange(1000)
        case "recall":
            return kind, chance.randrange(1000), chance.randrange(1000), place()
    return kind, chance.randrange(1000), place()
