"""In which order many things go elsewhere on the disk, in one act.

First goes what has to make room, and what is in something else before that; then everything
comes to its place, a folder before what goes into it. What would meet something on its way waits
in staging. So folders may change places, or go into one another.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from davserver import paths
from davserver.documents.arrangement import Node
from davserver.documents.intents import Rename, Replace, Step, Turn
from davserver.documents.outcome import Arrival, Departure, Outcome
from davserver.documents.resource import Resource
from davserver.documents.store import Store
from davserver.documents.traces import Spot


@dataclass(frozen=True)
class Piece:
    """What departs, as it lies on the disk.

    `kept` is its place in history, below the data directory, if that is where it goes.
    """

    departure: Departure
    resource: Resource
    kept: str = ""


class Itinerary:
    """What becomes of `outcome` on the disk, in the act `uid`.

    `pieces` are what departs, in the order of the outcome; `prepared` are the copies and the new
    folders that the act has staged already. Paths are those of steps (see intents.py).
    """

    def __init__(
        self,
        store: Store,
        uid: str,
        outcome: Outcome,
        pieces: Sequence[Piece],
        prepared: Mapping[Node, str],
    ) -> None:
        self._store = store
        self._uid = uid
        self._outcome = outcome
        self._pieces = {piece.departure.origin: piece for piece in pieces}
        self._arrivals = {one.node: one for one in outcome.arrivals}
        self._targets = {one.target for one in outcome.arrivals}
        # Where what comes waits, or is taken from.
        self._waiting = dict(prepared)

    def steps(self) -> list[Step]:
        """The steps, in their order."""
        out, into = list(self._out()), list(self._in())
        turn = Turn(self._relative(self._store.staging / f"{self._uid}.turn"))
        return [*out, turn, *into] if out and into else [*out, *into]

    def disk(self, node: Node) -> str:
        """Where what is in a space comes to lie."""
        names: list[str] = []
        while node.parent is not None:
            arrival = self._arrivals.get(node)
            former = self._replaced(arrival) if arrival else None
            if former is not None:
                return self._relative(former.resource.disk)
            if arrival is not None:
                names.append(node.name)
            else:
                assert node.origin is not None
                names.append(self._outcome.ground.there(node.origin).disk.name)
            node = node.parent
        assert node.origin is not None
        space = self._outcome.ground.view.registry.space_by_id[node.origin.space_id]
        root = self._store.space_root(space.slug)
        return self._relative(root.joinpath(*reversed(names)))

    def _out(self) -> Iterator[Step]:
        for number, (origin, piece) in enumerate(self._pieces.items()):
            disk = self._relative(piece.resource.disk)
            if piece.departure.target is None:
                following = self._outcome.superseded.get(origin)
                if following is None or self._replaced(following) is None:
                    yield Rename(disk, piece.kept)
            elif self._meets_nothing(origin):
                self._waiting[piece.departure.node] = disk
            else:
                staged = self._relative(self._store.staging / f"{self._uid}.{number}")
                self._waiting[piece.departure.node] = staged
                yield Rename(disk, staged)

    def _in(self) -> Iterator[Step]:
        for one in self._outcome.arrivals:
            disk, former = self.disk(one.node), self._replaced(one)
            source = self._waiting[one.node]
            if former is not None:
                yield Replace(source, disk, former.kept)
            else:
                yield Rename(source, disk)

    def _replaced(self, arrival: Arrival) -> Piece | None:
        """The former content, if what comes can take its place at once: then there is no moment
        without a document."""
        if self._outcome.superseded.get(arrival.target) is not arrival or arrival.origin is None:
            return None
        former, piece = self._pieces[arrival.target], self._pieces.get(arrival.origin)
        if piece is None or self._goes_along(arrival.target):
            return None
        # Two names of one file: to rename one to the other does nothing.
        same = os.path.samestat(piece.resource.status, former.resource.status)
        return None if same else former

    def _meets_nothing(self, origin: Spot) -> bool:
        """Whether it can stay where it is until its place is free."""
        return origin not in self._targets and not self._goes_along(origin)

    def _goes_along(self, spot: Spot) -> bool:
        """Whether a folder around it departs."""
        return any(
            Spot(spot.space_id, spot.tree, path) in self._pieces
            for path in paths.ancestors(spot.path)
        )

    def _relative(self, disk: Path) -> str:
        return str(disk.relative_to(self._store.data))
