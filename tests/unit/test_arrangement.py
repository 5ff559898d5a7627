"""Moves tried out in memory, against a dictionary that is moved in earnest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davserver.documents.arrangement import Arrangement, Kind, Node, Relocation, Slot
from davserver.documents.tables import LIVE
from davserver.documents.traces import Spot

SPACE = 1
UID = "f" * 32
Tree = dict[str, str]
"""What lies where: paths and what they hold, "/" for a folder. History's begin with the uid."""


def live(path: str) -> Spot:
    return Spot(SPACE, LIVE, path)


def kept(path: str) -> Spot:
    return Spot(SPACE, UID, path)


def key(spot: Spot) -> str:
    return f"{UID}/{spot.path}" if spot.tree else spot.path


@dataclass
class Paper:
    """A ground that is a dictionary."""

    tree: Tree

    def kind(self, spot: Spot) -> Kind:
        what = self.tree.get(key(spot))
        if what is None:
            return Kind.NOTHING
        return {"/": Kind.FOLDER, "!": Kind.OBSTACLE}.get(what, Kind.DOCUMENT)

    def names(self, spot: Spot) -> Iterable[str]:
        prefix = key(spot) + "/"
        inside = [path.removeprefix(prefix) for path in self.tree if path.startswith(prefix)]
        return [path for path in inside if "/" not in path]


TREE = {
    "a": "/",
    "a/x": "1",
    "a/b": "/",
    "a/b/y": "2",
    "z": "3",
    f"{UID}/t": "/",
    f"{UID}/t/u": "4",
}


def arrangement(tree: Tree | None = None) -> Arrangement:
    return Arrangement(Paper(TREE if tree is None else tree))


def move(there: Arrangement, source: Spot, target: Spot) -> Node:
    """Move what must be there to where nothing is."""
    node = there.at(source)
    assert node is not None
    there.detach(node)
    slot = there.way(target, aside)
    assert there.is_free(slot)
    there.attach(node, slot)
    return node


def aside(slot: Slot) -> Slot:
    return Slot(slot.folder, f"{slot.name} 2")


def moves(there: Arrangement) -> set[tuple[str | None, str | None]]:
    return {
        (
            None if one.origin is None else key(one.origin),
            None if one.target is None else key(one.target),
        )
        for one in there.relocations()
    }


def test_nothing_moves_by_itself() -> None:
    there = arrangement()
    for path in ("a", "a/x", "a/b/y", "z"):
        node = there.at(live(path))
        assert node is not None and there.spot(node) == live(path) == node.origin
        assert there.holding(live(path)) is node
    assert there.at(live("a/none")) is there.holding(live("a/none")) is None
    assert there.at(live("z/below")) is None
    assert moves(there) == set()


MOVES: list[tuple[str, list[tuple[Spot, Spot]], set[tuple[str | None, str | None]]]] = [
    ("a document", [(live("z"), live("a/z"))], {("z", "a/z")}),
    ("a folder, with all in it", [(live("a"), live("c"))], {("a", "c")}),
    (
        "something out of a folder that moves",
        [(live("a/b"), live("b")), (live("a"), live("c"))],
        {("a/b", "b"), ("a", "c")},
    ),
    (
        "something along with a folder, and away from it",
        [(live("a"), live("c")), (live("c/b/y"), live("y"))],
        {("a", "c"), ("a/b/y", "y")},
    ),
    ("there and back", [(live("a"), live("c")), (live("c"), live("a"))], set()),
    (
        "a folder into what was in it",
        [(live("a/b"), live("b")), (live("a"), live("b/a"))],
        {("a/b", "b"), ("a", "b/a")},
    ),
    (
        "two that change places",
        [(live("a"), live("t")), (live("z"), live("a")), (live("t"), live("z"))],
        {("a", "z"), ("z", "a")},
    ),
    ("out of history", [(kept("t"), live("t"))], {(f"{UID}/t", "t")}),
    ("a part out of history", [(kept("t/u"), live("u"))], {(f"{UID}/t/u", "u")}),
    (
        "out of history, but for a part",
        [(kept("t/u"), kept("v")), (kept("t"), live("t"))],
        {(f"{UID}/t", "t"), (f"{UID}/t/u", None)},
    ),
    ("to history", [(live("a/b"), kept("b"))], {("a/b", None)}),
    (
        "to history, but for a part",
        [(live("a/b"), live("b")), (live("a"), kept("a"))],
        {("a/b", "b"), ("a", None)},
    ),
    (
        "to history, part by part",
        [(live("a/x"), kept("x")), (live("a"), kept("a"))],
        {("a", None)},
    ),
    (
        "where no folder is",
        [(live("z"), live("n/m/z"))],
        {(None, "n"), (None, "n/m"), ("z", "n/m/z")},
    ),
    (
        "where a document is instead of the folder",
        [(live("a/x"), live("z/x"))],
        {(None, "z 2"), ("a/x", "z 2/x")},
    ),
]


@pytest.mark.parametrize("steps, due", [row[1:] for row in MOVES], ids=[row[0] for row in MOVES])
def test_what_has_to_move(
    steps: list[tuple[Spot, Spot]], due: set[tuple[str | None, str | None]]
) -> None:
    there = arrangement()
    for source, target in steps:
        move(there, source, target)
    assert moves(there) == due


def test_what_is_gone_is_nowhere() -> None:
    there = arrangement()
    node = there.at(live("a"))
    assert node is not None
    there.detach(node)
    assert there.spot(node) is None and not there.is_live(node)
    assert there.at(live("a/x")) is None
    inner = there.holding(live("a/x"))
    assert inner is not None and there.spot(inner) is None
    assert moves(there) == {("a", None)}


@pytest.mark.parametrize(
    "name, free", [("x", False), ("b", False), ("new", True), ("hidden", False)]
)
def test_a_name_is_free_if_nothing_at_all_is_there(name: str, free: bool) -> None:
    there = arrangement({**TREE, "a/hidden": "!"})
    folder = there.at(live("a"))
    assert folder is not None
    assert there.is_free(Slot(folder, name)) is free
    assert there.at(live("a/hidden")) is None


def test_a_folder_is_empty_when_all_in_it_is_elsewhere() -> None:
    there = arrangement()
    folder = there.at(live("a/b"))
    assert folder is not None and not there.is_empty(folder)
    move(there, live("a/b/y"), live("y"))
    assert there.is_empty(folder)
    move(there, live("z"), live("a/b/z"))
    assert not there.is_empty(folder)
    made = there.make(Slot(folder, "made"))
    assert there.is_folder(made) and there.is_empty(made)


def test_what_stands_for_something_goes_only_where_it_is_put() -> None:
    there = arrangement()
    copy = there.stand_in(Spot(SPACE, "=1", "z"))
    assert moves(there) == set()
    there.attach(copy, there.way(live("a/copy"), aside))
    assert [(one.origin, one.target) for one in there.relocations()] == [
        (Spot(SPACE, "=1", "z"), live("a/copy"))
    ]


# Against a dictionary

names = st.sampled_from("abc")
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
spots = st.one_of(paths.map(live), paths.map(kept))


def below(tree: Tree, path: str) -> Tree:
    """What a tree has at a path and below it, by the rest of the path."""
    return {
        one.removeprefix(path): what
        for one, what in tree.items()
        if one == path or one.startswith(f"{path}/")
    }


def parent(path: str) -> str:
    return path.rpartition("/")[0]


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Some tree, in which each document holds something else."""
    tree: Tree = {UID: "/"}
    for number, spot in enumerate(draw(st.lists(spots, max_size=12))):
        path = key(spot)
        if path not in tree and (parent(path) in ("", UID) or tree.get(parent(path)) == "/"):
            tree[path] = draw(st.sampled_from(["/", str(number)]))
    return tree


def carry_out(tree: Tree, relocations: list[Relocation]) -> Tree:
    """Do in earnest what an arrangement comes to: all out, and then all in."""
    tree, waiting = dict(tree), {}
    going = [one for one in relocations if one.origin is not None]
    for one in sorted(going, key=lambda one: -key(one.origin).count("/") if one.origin else 0):
        assert one.origin is not None
        waiting[one.node] = taken = below(tree, key(one.origin))
        for rest in taken:
            del tree[key(one.origin) + rest]
    coming = [one for one in relocations if one.target is not None]
    for one in sorted(coming, key=lambda one: one.target.path.count("/") if one.target else 0):
        assert one.target is not None and key(one.target) not in tree
        assert parent(key(one.target)) in ("", UID) or tree[parent(key(one.target))] == "/"
        for rest, what in waiting.get(one.node, {"": "/"}).items():
            tree[key(one.target) + rest] = what
    return tree


@given(tree=trees(), steps=st.lists(st.tuples(spots, st.one_of(spots, st.none())), max_size=12))
def test_what_it_comes_to_is_what_moving_in_earnest_comes_to(
    tree: Tree, steps: list[tuple[Spot, Spot | None]]
) -> None:
    there, model = arrangement(tree), dict(tree)
    for source, target in steps:
        node = there.at(source)
        assert (node is None) is (key(source) not in model)
        if node is None:
            continue
        taken = below(model, key(source))
        if target is not None:
            inside = key(target) in {key(source) + rest for rest in taken} or key(
                target
            ).startswith(f"{key(source)}/")
            above = parent(key(target))
            fits = above in ("", UID) or model.get(above) == "/"
            if inside or not fits or key(target) in model:
                continue
        for rest in taken:
            del model[key(source) + rest]
        there.detach(node)
        if target is not None:
            slot = there.way(target, aside)
            assert there.is_free(slot)
            there.attach(node, slot)
            model |= {key(target) + rest: what for rest, what in taken.items()}
    done = carry_out(tree, list(there.relocations()))
    assert {path: what for path, what in done.items() if not path.startswith(UID)} == {
        path: what for path, what in model.items() if not path.startswith(UID)
    }


@given(tree=trees(), steps=st.lists(st.tuples(spots, spots), max_size=8))
def test_everything_is_found_by_where_it_lies(tree: Tree, steps: list[tuple[Spot, Spot]]) -> None:
    there = arrangement(tree)
    for source, target in steps:
        node = there.at(source)
        slot = there.way(target, aside) if node is not None else None
        inside = slot and node and node in around(slot.folder)
        if node is not None and slot is not None and not inside and there.is_free(slot):
            there.detach(node)
            there.attach(node, slot)
    for path in tree:
        spot = kept(path.removeprefix(f"{UID}/")) if path.startswith(f"{UID}/") else live(path)
        if path == UID:
            continue
        node = there.holding(spot)
        assert node is not None and node.origin == spot
        now = there.spot(node)
        assert now is not None and there.at(now) is node


def around(node: Node) -> list[Node]:
    found = [node]
    while found[-1].parent is not None:
        found.append(found[-1].parent)
    return found
