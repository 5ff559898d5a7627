"""A space as it was at a moment: where what it held then lies now.

Nothing is stored for this. From the traces that were left since, each name of then leads to its
content of then, which is still in the space, perhaps under another name, or in history.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from acl.policy import decide
from acl.privileges import Privilege
from acl.registry import Space
from davserver import paths
from davserver.documents import kept, traces
from davserver.documents.kept import Kept
from davserver.documents.resource import Place, Resource, locate, scan
from davserver.documents.tables import LIVE
from davserver.documents.traces import Spot
from davserver.documents.view import View


@dataclass(frozen=True)
class Relic:
    """A document or folder of the past: the `path` it had, and the resource it is now.

    The place of the resource is where it lies now, in the live tree of a space or in history.
    """

    path: str
    resource: Resource


@dataclass
class Past:
    """The space `space` at `moment`, as far as the actor of `view` may know of it.

    That is what could be read when it was deleted or replaced, and may be read now. Of what was
    neither, it is what may be read where it lies now.
    """

    view: View
    space: Space
    moment: datetime
    _position: int = field(init=False)
    _kept: dict[str, Kept | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._position = traces.position(self.view.connection, self.space.id, self.moment)

    def find(self, path: str) -> Relic | None:
        """What was at `path`; None for what was not there, or is not for the actor."""
        # From the top: what is in a folder that one may not enter is not to be found by its name.
        for name in (*paths.ancestors(path), path):
            spot = traces.follow(self.view.connection, self._then(name), self._position)
            resource = None if spot is None else self._resource(spot)
            if resource is None or not self._readable(resource.place):
                return None
        assert resource is not None
        return Relic(path, resource)

    def members(self, folder: Relic) -> Iterator[Relic]:
        """What was in a folder, in no particular order."""
        connection = self.view.connection
        there: dict[str, Spot | None] = {}
        for residence in traces.residences(connection, self._then(folder.path), self._position):
            for row in traces.within(connection, residence):
                name = paths.name(row.path)
                if name not in there:
                    # What happened first to a name since tells whether anything had it.
                    former = Spot(row.space_id, row.tree, row.path)
                    arrived = row.kind == traces.ARRIVED
                    before = row.journal_id - 1
                    there[name] = None if arrived else traces.follow(connection, former, before)
        for resource in scan(folder.resource):
            name = resource.place.name
            if name not in there and self._readable(resource.place):
                yield Relic(paths.join(folder.path, name), resource)
        for name, found in there.items():
            moved = None if found is None else self._resource(found)
            if moved is not None and self._readable(moved.place):
                yield Relic(paths.join(folder.path, name), moved)

    def _then(self, path: str) -> Spot:
        return Spot(self.space.id, LIVE, path)

    def _resource(self, spot: Spot) -> Resource | None:
        """What lies at `spot` on the disk."""
        space = self.view.registry.space_by_id[spot.space_id]
        place = Place(space, spot.path, spot.tree)
        if spot.tree == LIVE:
            return self.view.occupant(place)
        one = self._kept_as(spot.tree)
        return None if one is None else inside(self.view, space, one, spot.path)

    def _readable(self, place: Place) -> bool:
        if place.tree == LIVE:
            return bool(decide(self.view.actor, Privilege.READ, place.space, place.path))
        one = self._kept_as(place.tree)
        return one is not None and one.readable(self.view.actor, place.space, place.path)

    def _kept_as(self, uid: str) -> Kept | None:
        if uid not in self._kept:
            self._kept[uid] = kept.find(self.view.connection, uid)
        return self._kept[uid]


def inside(view: View, space: Space, one: Kept, path: str) -> Resource | None:
    """What history keeps at `path` of the tree of `one`, as on the disk."""
    root = view.store.kept(space.slug, one.uid)
    found = locate(root, paths.below(path, one.path))
    return Resource(Place(space, path, one.uid), *found) if found else None
