"""Rewind, at random: whatever happened, a rewound space is what it was; one that was rewound by
mistake is, once that is undone; and what only one person did is undone without loss to others."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acl.actor import Actor
from acl.tables import members, restricted_folders, spaces
from davserver.documents import rewind, tables
from davserver.documents.rewind import Order
from tests.integration.documents_client import COLOUR, CONTRIBUTOR, MANAGER, Hall, href
from tests.integration.test_documents_time import SPACES, Traveller, drawn
from tests.server.postgres import Postgres

CONSOLE = Actor.console("root")
PEOPLE = ("bruno", "chloe")


class Rewinder(Traveller):
    """Two people at work, and somebody who takes a space back now and then."""

    def __init__(self, hall: Hall, chance: random.Random) -> None:
        self.belongings: list[tuple[object, object]] = []
        self.chance = chance
        super().__init__(hall)

    def remember(self) -> None:
        self.belongings.append((colours(self.hall), lists(self.hall)))
        super().remember()

    def act(self, number: int) -> None:
        client = self.clients[number % 2]
        kind = self.chance.random()
        if kind < 0.2:
            self.rewind()
        elif kind < 0.3:
            self.undo_one()
        elif kind < 0.4 and (place := self.pick(self.chance.randrange(1000))):
            client.proppatch(href(*place), {COLOUR: self.chance.choice(["red", "blue", None])})
            self.remember()
        elif kind < 0.45:
            self.restrict()
        else:
            step, *arguments = drawn(self.chance)
            self.step(client, str(step), *arguments)
        self.hall.consistent()
        self.check(self.chance.randrange(len(self.states)))

    def restrict(self) -> None:
        """Give a folder a member list, in which nobody loses anything."""
        place = self.pick(self.chance.randrange(1000))
        if place is None or self.states[-1][1][place[0]][place[1]] is not None:
            return
        if place not in restricted(self.hall):
            self.hall.restrict(*place, {"bruno": CONTRIBUTOR, "chloe": MANAGER})
            # The moments before it are not those of these lists.
            self.belongings = [(colour, None) for colour, _ in self.belongings]
            self.remember()

    def rewind(self) -> None:
        """Everything back to any moment."""
        slug, number = self.chance.choice(SPACES), self.chance.randrange(len(self.states))
        at, state = self.states[number]
        rewind.rewind(self.hall.app.documents, CONSOLE, Order(slug, at))
        assert self.hall.documents(slug) == state[slug], (slug, at)
        self.remember()

    def undo_one(self) -> None:
        """What one person did, or what was done in one folder; and back again."""
        slug = self.chance.choice(SPACES)
        at, state = self.states[self.chance.randrange(len(self.states))]
        login, path = self.chance.choice([*PEOPLE, ""]), ""
        folders = sorted(path for path, content in state[slug].items() if content is None)
        if folders and (not login or self.chance.random() < 0.2):
            path = self.chance.choice(folders)
        before, contents, known = self.states[-1][1], everything(self.hall), self.belongings[-1]
        documents = self.hall.app.documents
        rewind.rewind(documents, CONSOLE, Order(slug, at, login, path=path))
        assert contents.keys() <= everything(self.hall).keys()
        self.remember()
        self.hall.consistent()
        moment = self.states[-1][0] - timedelta(microseconds=1)
        for slug in SPACES:
            self.hall.later(seconds=1)
            rewind.rewind(documents, CONSOLE, Order(slug, moment))
        self.remember()
        assert self.states[-1][1] == before
        if known[1] is not None:
            assert self.belongings[-1] == known


def colours(hall: Hall) -> dict[tuple[int, str], str]:
    """The property of each live document."""
    table = tables.properties
    query = sa.select(table).where(table.c.tree == tables.LIVE)
    with hall.database.read() as connection:
        return {(row.space_id, row.path): row.value for row in connection.execute(query)}


def lists(hall: Hall) -> dict[tuple[int, str], list[tuple[int, str]]]:
    """The member lists of the restricted folders."""
    query = sa.select(restricted_folders, members.c.account_id, members.c.role).outerjoin(
        members, members.c.folder_id == restricted_folders.c.id
    )
    found: dict[tuple[int, str], list[tuple[int, str]]] = {}
    with hall.database.read() as connection:
        for row in connection.execute(query):
            found.setdefault((row.space_id, row.path), []).append((row.account_id, row.role))
    return {place: sorted(lines) for place, lines in found.items()}


def restricted(hall: Hall) -> set[tuple[str, str]]:
    with hall.database.read() as connection:
        query = sa.select(spaces.c.slug, restricted_folders.c.path).join(spaces)
        return {(row.slug, row.path) for row in connection.execute(query)}


def everything(hall: Hall) -> Mapping[object, int]:
    """All contents that are there somewhere, in the spaces or in history."""
    found: Counter[object] = Counter()
    for slug in SPACES:
        found.update(hall.documents(slug).values())
        found.update(hall.history(slug).values())
    del found[None]
    found.pop("folder", None)
    return found


@contextmanager
def hall(database_url: str | None) -> Iterator[Hall]:
    with TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        hall = Hall(data, database_url or f"sqlite:///{directory}/davserver.db")
        hall.account(*PEOPLE)
        for slug in SPACES:
            hall.space(slug, {"bruno": CONTRIBUTOR, "chloe": MANAGER})
        hall.later(seconds=20)
        yield hall
        hall.app.database.close()


def walk(there: Hall, chance: random.Random, length: int) -> None:
    rewinder = Rewinder(there, chance)
    for number in range(length):
        rewinder.act(number)
    for number in range(len(rewinder.states)):
        rewinder.check(number)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False), length=st.integers(3, 25))
def test_a_walk(chance: random.Random, length: int) -> None:
    with hall(None) as there:
        walk(there, chance, length)


@pytest.mark.parametrize("seed", range(4))
def test_a_long_walk(seed: int) -> None:
    with hall(None) as there:
        walk(there, random.Random(seed), 40)


@pytest.mark.parametrize("seed", range(100, 103))
def test_a_walk_on_postgresql(postgres: Postgres, seed: int) -> None:
    with hall(postgres.create_database()) as there:
        walk(there, random.Random(seed), 30)
