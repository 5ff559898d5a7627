"""Where things would lie if some moves had not been: tried out in memory, then read off as moves.

An arrangement begins as what is there now: each thing lies where it lies. Things are then taken
away and put elsewhere, over and over, at no cost. What comes out in the end is where each thing
has to go, once, whatever way it took.

Pure: all that it asks of the disk is what lies at a spot.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from davserver import paths
from davserver.documents.tables import LIVE
from davserver.documents.traces import Spot


class Kind(Enum):
    """What lies at a spot."""

    NOTHING = "nothing"
    DOCUMENT = "document"
    FOLDER = "folder"
    OBSTACLE = "obstacle"
    """Neither, and yet in the way: a symbolic link, a special file."""


class Ground(Protocol):
    """What is there now."""

    def kind(self, spot: Spot) -> Kind:
        """What lies at `spot`."""

    def names(self, spot: Spot) -> Iterable[str]:
        """The names in the folder at `spot`."""


@dataclass(eq=False)
class Node:
    """A document or folder that somebody has asked for.

    `origin` is where it lies now; None: a folder that has to be made. What nobody has asked for
    needs no node: it lies in `parent` under the name it has in that one's origin. A child that is
    None is a gap: what lies there now is elsewhere. `properties` is where its dead properties
    are, if not at its origin: a document's belong to its name, and its next version has them.
    """

    name: str
    origin: Spot | None
    parent: "Node | None" = None
    children: dict[str, "Node | None"] = field(default_factory=dict)
    properties: Spot | None = None

    @property
    def annotated(self) -> Spot | None:
        """Where its dead properties are."""
        return self.properties or self.origin

    def implied(self, name: str) -> Spot | None:
        """Where its member `name` lies now, if it is what lies there."""
        return None if self.origin is None else inside(self.origin, name)


@dataclass(frozen=True)
class Slot:
    """A name in a folder."""

    folder: Node
    name: str


@dataclass(frozen=True)
class Relocation:
    """What has to go somewhere, with all in it that has no relocation of its own.

    It lies at `origin` now (None: a folder is to be made), and comes to lie at `target` (None: it
    leaves the space).
    """

    node: Node
    origin: Spot | None
    target: Spot | None


class Arrangement:
    """All trees of all spaces, as `ground` has them until something is moved."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._roots: dict[tuple[int, str], Node] = {}
        self._by_origin: dict[Spot, Node] = {}

    # Looking

    def root(self, space_id: int, tree: str = LIVE) -> Node:
        """The top of a tree."""
        node = self._roots.get((space_id, tree))
        if node is None:
            origin = Spot(space_id, tree, "")
            node = self._roots[space_id, tree] = self._by_origin[origin] = Node("", origin)
        return node

    def at(self, spot: Spot) -> Node | None:
        """What has this name; None for nothing."""
        return self._descend(self.root(spot.space_id, spot.tree), spot.path)

    def holding(self, origin: Spot) -> Node | None:
        """What lies at `origin` now, wherever it may be here; None if nothing lies there."""
        known = self._by_origin.get(origin)
        if known is not None:
            return known
        nearest = self._nearest(origin)
        assert nearest.origin is not None
        found = self._descend(nearest, paths.below(origin.path, nearest.origin.path))
        return found if found is not None and found.origin == origin else None

    def spot(self, node: Node) -> Spot | None:
        """The name that it has; None if it is nowhere."""
        names = []
        while node.parent is not None:
            names.append(node.name)
            node = node.parent
        if node.origin is None or self._roots.get((node.origin.space_id, node.origin.tree)) != node:
            return None
        return Spot(node.origin.space_id, node.origin.tree, "/".join(reversed(names)))

    def is_live(self, node: Node) -> bool:
        """Whether it is in a space, and neither in history nor nowhere."""
        spot = self.spot(node)
        return spot is not None and spot.tree == LIVE

    def is_folder(self, node: Node) -> bool:
        """Whether it is a folder."""
        return node.origin is None or self._ground_kind(node.origin) is Kind.FOLDER

    def is_empty(self, folder: Node) -> bool:
        """Whether nothing is in it."""
        if any(child is not None for child in folder.children.values()):
            return False
        if folder.origin is None:
            return True
        return all(name in folder.children for name in self._ground.names(folder.origin))

    def is_free(self, slot: Slot) -> bool:
        """Whether something may be put there."""
        if slot.name in slot.folder.children:
            return slot.folder.children[slot.name] is None
        implied = slot.folder.implied(slot.name)
        return implied is None or self._ground_kind(implied) is Kind.NOTHING

    # Moving

    def detach(self, node: Node) -> Slot | None:
        """Take it away, with all that is in it; return where it was, if it was anywhere."""
        folder, node.parent = node.parent, None
        if folder is None:
            return None
        folder.children[node.name] = None
        return Slot(folder, node.name)

    def attach(self, node: Node, slot: Slot) -> None:
        """Put what was taken away at a free name."""
        node.parent, node.name = slot.folder, slot.name
        slot.folder.children[slot.name] = node

    def make(self, slot: Slot) -> Node:
        """A folder at a free name, that is to be made."""
        node = Node(slot.name, None)
        self.attach(node, slot)
        return node

    def way(self, spot: Spot, aside: Callable[[Slot], Slot]) -> Slot:
        """The name `spot`, with folders made where none lead there any more.

        `aside` says what to do with a name that should be a folder's, and is not: which name to
        use instead.
        """
        folder = self.root(spot.space_id, spot.tree)
        for name in paths.parent(spot.path).split("/") if paths.parent(spot.path) else ():
            found = self._descend(folder, name)
            if found is None or not self.is_folder(found):
                slot = Slot(folder, name)
                found = self.make(slot if self.is_free(slot) else aside(slot))
            folder = found
        return Slot(folder, paths.name(spot.path))

    def stand_in(self, origin: Spot) -> Node:
        """A document that nothing lies of yet: it is nowhere, and `origin` is a name for it."""
        node = self._by_origin[origin] = Node("", origin)
        return node

    # What comes of it

    def nodes(self) -> Iterator[Node]:
        """All that somebody has asked for and that is not to be made, in no particular order."""
        return iter(self._by_origin.values())

    def relocations(self) -> Iterator[Relocation]:
        """All that has to go somewhere, in no particular order, and the folders to make for it."""
        made: dict[Node, Spot] = {}
        for origin, node in list(self._by_origin.items()):
            if not origin.path:
                continue
            spot = self.spot(node)
            target = spot if spot is not None and spot.tree == LIVE else None
            if target != self._taken_along(origin):
                yield Relocation(node, origin, target)
                made |= self._made_around(node, target)
        yield from (Relocation(node, None, spot) for node, spot in made.items())

    def _made_around(self, node: Node, spot: Spot | None) -> dict[Node, Spot]:
        """The folders around it that are to be made: one that nothing came to is none."""
        found = {}
        while spot is not None and node.parent is not None and node.parent.origin is None:
            node, spot = node.parent, Spot(spot.space_id, spot.tree, paths.parent(spot.path))
            found[node] = spot
        return found

    def _taken_along(self, origin: Spot) -> Spot | None:
        """Where what lies at `origin` comes to lie when only what is around it goes somewhere;
        None if that is not in a space."""
        nearest = self._nearest(origin)
        spot = self.spot(nearest)
        if spot is None or spot.tree != LIVE or nearest.origin is None:
            return None
        return origin.below(nearest.origin.path, spot)

    def _nearest(self, origin: Spot) -> Node:
        """The innermost node that what lies at `origin` lies in now."""
        for path in reversed(paths.ancestors(origin.path)):
            node = self._by_origin.get(Spot(origin.space_id, origin.tree, path))
            if node is not None:
                return node
        return self.root(origin.space_id, origin.tree)

    def _descend(self, node: Node, path: str) -> Node | None:
        """What is at `path` in `node`."""
        for name in path.split("/") if path else ():
            if name in node.children:
                child = node.children[name]
            else:
                child = self._ask_for(node, name)
            if child is None:
                return None
            node = child
        return node

    def _ask_for(self, folder: Node, name: str) -> Node | None:
        implied = folder.implied(name)
        if implied is None or implied in self._by_origin:
            return None
        if self._ground_kind(implied) not in (Kind.DOCUMENT, Kind.FOLDER):
            return None
        node = self._by_origin[implied] = Node(name, implied, folder)
        folder.children[name] = node
        return node

    def _ground_kind(self, spot: Spot) -> Kind:
        return Kind.FOLDER if not spot.path else self._ground.kind(spot)


def inside(folder: Spot, name: str) -> Spot:
    """The spot of the member `name` of what is at `folder`."""
    return Spot(folder.space_id, folder.tree, paths.join(folder.path, name))
