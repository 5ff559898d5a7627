"""What undoing some acts comes to: where each thing goes, once, and what else it gets back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from davserver.documents.arrangement import Kind, Node
from davserver.documents.ground import DiskGround
from davserver.documents.inversion import Done, Inversion
from davserver.documents.kept import VERSION
from davserver.documents.tables import LIVE
from davserver.documents.traces import Spot


@dataclass(frozen=True)
class Update:
    """What the document or folder `node`, in a space, gets back without being moved: the dead
    properties (None: to be removed) and the time of modification (None: to be left) that `acts`
    have changed."""

    node: Node
    properties: dict[str, str | None] = field(default_factory=dict)
    acts: list[Done] = field(default_factory=list)
    modified_ns: int | None = None


@dataclass(frozen=True)
class Departure:
    """What goes from where it lies, with all in it that does not depart by itself.

    `target` is the spot in a space that it comes to; None: history.
    """

    node: Node
    origin: Spot
    target: Spot | None


@dataclass(frozen=True)
class Arrival:
    """What comes to a spot in a space: from `origin`, or (None) a folder to be made."""

    node: Node
    target: Spot
    origin: Spot | None


class Outcome:
    """What `inversion` has come to, on the disk that `ground` has seen.

    `departures` begin with what is deepest, `arrivals` with what is not. Among these are the
    copies that the inversion asks for. `superseded` are the documents that become versions of
    what comes to lie in their place, by where they lie.
    """

    def __init__(self, inversion: Inversion, ground: DiskGround) -> None:
        self.inversion = inversion
        self.ground = ground
        relocations = list(inversion.wanted.relocations())
        self.departures = [
            Departure(one.node, one.origin, one.target)
            for one in relocations
            if one.origin is not None and one.origin not in inversion.copies
        ]
        self.departures.sort(key=lambda one: -one.origin.path.count("/"))
        self.arrivals = [
            Arrival(one.node, one.target, one.origin)
            for one in relocations
            if one.target is not None
        ]
        self.arrivals.sort(key=lambda one: one.target.path.count("/"))
        coming = {one.target: one for one in self.arrivals}
        self.superseded = {
            one.origin: coming[one.origin]
            for one in self.departures
            if one.target is None and one.origin in coming and self._is_next(one, coming)
        }

    def _is_next(self, leaving: Departure, coming: Mapping[Spot, Arrival]) -> bool:
        """Whether what comes is the same document as what leaves, with another content."""
        following = coming[leaving.origin]
        if leaving.origin.tree != LIVE or following.origin is None:
            return False
        if any(self.ground.kind(one) is Kind.FOLDER for one in (leaving.origin, following.origin)):
            return False
        if following.node.properties is None:
            one = self.ground.kept.get(following.origin.tree)
            if one is None or one.reason != VERSION:
                return False
            # It was deleted, and found its next version soon after: that has its properties.
            following.node.properties = leaving.origin
        return following.node.properties == leaving.origin

    def apart(self) -> list[Spot]:
        """Where a document takes the place of another one, which is none of its versions."""
        coming = {one.target for one in self.arrivals if one.origin is not None}
        return [
            one.origin
            for one in self.departures
            if one.target is None and one.origin in coming and one.origin not in self.superseded
        ]

    def space_ids(self) -> set[int]:
        """The spaces that something goes from, or comes to."""
        spots = [one.origin for one in self.departures] + [one.target for one in self.arrivals]
        return {spot.space_id for spot in spots}

    def updates(self) -> list[Update]:
        """What gets something back, wherever it comes to lie."""
        found: dict[Node, Update] = {}
        inversion = self.inversion
        for spot, values in inversion.updates.items():
            for node in self._annotated(spot):
                update = found.setdefault(node, Update(node))
                update.properties.update(values)
                update.acts.extend(inversion.annotators[spot])
        for spot, modified_ns in inversion.modified.items():
            holding = inversion.wanted.holding(spot)
            if holding is not None and inversion.wanted.is_live(holding):
                update = found.get(holding, Update(holding))
                acts = [*update.acts, *inversion.annotators[spot]]
                found[holding] = replace(update, acts=acts, modified_ns=modified_ns)
        return list(found.values())

    def inheritors(self) -> Iterator[tuple[Spot, Spot]]:
        """The documents that have the properties of another spot: where each comes to lie, and
        that spot."""
        for node in self.inversion.wanted.nodes():
            spot = self.inversion.wanted.spot(node)
            if node.properties is not None and spot is not None and spot.tree == LIVE:
                yield spot, node.properties

    def _annotated(self, spot: Spot) -> Iterator[Node]:
        """What has, in a space, the properties that are at `spot`."""
        wanted = self.inversion.wanted
        holding = wanted.holding(spot)
        if holding is not None and holding.properties is None and wanted.is_live(holding):
            yield holding
        for node in wanted.nodes():
            if node.properties == spot and wanted.is_live(node):
                yield node
