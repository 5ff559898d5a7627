"""Two people at work, in any order, against a dictionary that says how it should come out.

After each step: listing, contents and properties are the dictionary's, disk and database agree,
and the journal has one row for each change that was acknowledged.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.integration.documents_client import COLOUR, CONTRIBUTOR, MANAGER, Hall, href
from tests.server.postgres import Postgres

SLUGS = ("conseil", "projet")
NAMES = ("a", "b", "é")


@dataclass(frozen=True)
class Node:
    """A document with its content, or a folder (None), and the colour it was given."""

    content: bytes | None
    colour: str | None = None


@dataclass
class Model:
    """What there is: nodes by slug and path. Each verb returns the status that is due."""

    nodes: dict[tuple[str, str], Node] = field(default_factory=dict)
    changes: int = 0

    def is_folder(self, slug: str, path: str) -> bool:
        if not path:
            return True
        node = self.nodes.get((slug, path))
        return node is not None and node.content is None

    def below(self, slug: str, path: str) -> dict[str, Node]:
        """The node and all below it, by the rest of the path."""
        return {
            where.removeprefix(path): node
            for (space, where), node in self.nodes.items()
            if space == slug and (where == path or where.startswith(f"{path}/"))
        }

    def remove(self, slug: str, path: str) -> None:
        for rest in self.below(slug, path):
            del self.nodes[slug, path + rest]

    def _due(self, status: int) -> int:
        self.changes += status < 300
        return status

    def put(self, slug: str, path: str, content: bytes) -> int:
        if not self.is_folder(slug, parent(path)):
            return 409
        former = self.nodes.get((slug, path))
        if former is not None and former.content is None:
            return 405
        self.nodes[slug, path] = Node(content, former.colour if former else None)
        return self._due(204 if former else 201)

    def mkcol(self, slug: str, path: str) -> int:
        if not self.is_folder(slug, parent(path)):
            return 409
        if (slug, path) in self.nodes:
            return 405
        self.nodes[slug, path] = Node(None)
        return self._due(201)

    def delete(self, slug: str, path: str) -> int:
        if (slug, path) not in self.nodes:
            return 404
        self.remove(slug, path)
        return self._due(204)

    def proppatch(self, slug: str, path: str, colour: str | None) -> int:
        if (slug, path) not in self.nodes:
            return 404
        self.nodes[slug, path] = Node(self.nodes[slug, path].content, colour)
        return self._due(207)

    def bring(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        *,
        move: bool,
        deep: bool,
        over: bool,
    ) -> int:
        """COPY or MOVE."""
        if source not in self.nodes:
            return 404
        if source[0] == target[0] and (
            is_within(source[1], target[1]) or is_within(target[1], source[1])
        ):
            return 403
        if not self.is_folder(target[0], parent(target[1])):
            return 409
        occupied = target in self.nodes
        if occupied and not over:
            return 412
        tree = self.below(*source)
        if not deep:
            tree = {"": tree[""]}
        if move:
            self.remove(*source)
        self.remove(*target)
        for rest, node in tree.items():
            self.nodes[target[0], target[1] + rest] = node
        return self._due(204 if occupied else 201)


def parent(path: str) -> str:
    return path.rpartition("/")[0]


def is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
places = st.tuples(st.sampled_from(SLUGS), paths)
people = st.sampled_from(["bruno", "chloe"])
contents = st.sampled_from([b"", b"one", b"two", b"\x00\xff"])
colours = st.sampled_from(["red", "blue", None])


class Documents(RuleBasedStateMachine):
    """The steps. `open_hall` is set by the test: it makes a new, empty database."""

    open_hall: Callable[[Path], Hall]

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.hall = type(self).open_hall(self.directory)
        self.hall.account("bruno", "chloe")
        for slug in SLUGS:
            self.hall.space(slug, {"bruno": CONTRIBUTOR, "chloe": MANAGER})
        self.model = Model()
        self.etags: dict[tuple[str, str], str] = {}

    def teardown(self) -> None:
        self.hall.app.database.close()
        shutil.rmtree(self.directory)

    @initialize()
    def something_to_begin_with(self) -> None:
        client = self.hall.client("chloe")
        for slug in SLUGS:
            assert client.mkcol(href(slug, "a")).status == self.model.mkcol(slug, "a")
            assert client.put(href(slug, "a/b"), b"one").status == self.model.put(
                slug, "a/b", b"one"
            )

    @rule(login=people, place=places, content=contents)
    def put(self, login: str, place: tuple[str, str], content: bytes) -> None:
        reply = self.hall.client(login).put(href(*place), content)
        assert reply.status == self.model.put(*place, content)

    @rule(login=people, place=places)
    def mkcol(self, login: str, place: tuple[str, str]) -> None:
        assert self.hall.client(login).mkcol(href(*place)).status == self.model.mkcol(*place)

    @rule(login=people, place=places)
    def delete(self, login: str, place: tuple[str, str]) -> None:
        assert self.hall.client(login).delete(href(*place)).status == self.model.delete(*place)

    @rule(login=people, place=places, colour=colours)
    def proppatch(self, login: str, place: tuple[str, str], colour: str | None) -> None:
        reply = self.hall.client(login).proppatch(href(*place), {COLOUR: colour})
        assert reply.status == self.model.proppatch(*place, colour)

    @rule(login=people, source=places, to=places, over=st.booleans())
    def move(self, login: str, source: tuple[str, str], to: tuple[str, str], over: bool) -> None:
        reply = self.hall.client(login).move(
            href(*source), href(*to), overwrite="T" if over else "F"
        )
        due = self.model.bring(source, to, move=True, deep=True, over=over)
        assert reply.status == due

    @rule(login=people, source=places, to=places, deep=st.booleans(), over=st.booleans())
    def copy(
        self,
        login: str,
        source: tuple[str, str],
        to: tuple[str, str],
        deep: bool,
        over: bool,
    ) -> None:
        reply = self.hall.client(login).copy(
            href(*source),
            href(*to),
            overwrite="T" if over else "F",
            depth="infinity" if deep else "0",
        )
        due = self.model.bring(source, to, move=False, deep=deep, over=over)
        assert reply.status == due

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        rita = self.hall.client("bruno")
        for slug in SLUGS:
            expected = {
                path: node for (space, path), node in self.model.nodes.items() if space == slug
            }
            assert self.hall.documents(slug) == {p: node.content for p, node in expected.items()}
            reply = rita.propfind(href(slug), COLOUR, "resourcetype", depth="infinity")
            listed = {
                # Empty where it was not found.
                one.findtext("{DAV:}href"): one.findtext(f".//{COLOUR}") or None
                for one in list(reply.responses().values())[1:]
            }
            assert listed == {
                href(slug, path) + "/" * (node.content is None): node.colour
                for path, node in expected.items()
            }

    @invariant()
    def disk_and_database_agree(self) -> None:
        self.hall.consistent()

    @invariant()
    def each_change_is_one_row(self) -> None:
        assert len(self.hall.journal()) == self.model.changes

    @invariant()
    def what_is_replaced_is_kept(self) -> None:
        for slug in SLUGS:
            kept = self.hall.history(slug)
            uids = {path.partition("/")[0] for path in kept}
            assert len(uids) == sum(
                row.detail.get("history") is not None
                and row.detail.get("to_space", row.space) == slug
                for row in self.hall.journal()
            )


def machine(make: Callable[[Path], Hall]) -> type[Documents]:
    class Machine(Documents):
        open_hall = staticmethod(make)

    return Machine


def bounded(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def test_any_order_of_changes() -> None:
    def make(directory: Path) -> Hall:
        return Hall(directory / "data", f"sqlite:///{directory}/davserver.db")

    run_state_machine_as_test(machine(make), settings=bounded(20, 25))


def test_any_order_of_changes_on_postgresql(postgres: Postgres) -> None:
    def make(directory: Path) -> Hall:
        return Hall(directory / "data", postgres.create_database())

    run_state_machine_as_test(machine(make), settings=bounded(5, 20))


@pytest.mark.parametrize("move", [True, False])
def test_the_model_itself(move: bool) -> None:
    model = Model()
    assert [model.mkcol("s", "a"), model.put("s", "a/x", b"1"), model.put("s", "b", b"")] == [
        201
    ] * 3
    assert model.bring(("s", "a"), ("s", "a/c"), move=move, deep=True, over=True) == 403
    assert model.bring(("s", "a"), ("s", "b"), move=move, deep=True, over=False) == 412
    assert model.bring(("s", "a"), ("s", "b"), move=move, deep=True, over=True) == 204
    assert (("s", "a/x") in model.nodes, model.nodes["s", "b/x"].content) == (not move, b"1")
