"""What lies at a spot now: on the disk, in the spaces and in history."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from davserver import paths
from davserver.documents import kept
from davserver.documents.arrangement import Kind
from davserver.documents.kept import Kept
from davserver.documents.past import inside
from davserver.documents.resource import Place, Resource, is_obstructed, scan
from davserver.documents.tables import LIVE
from davserver.documents.traces import Spot
from davserver.documents.view import View


@dataclass
class DiskGround:
    """The disk as `view` finds it, whoever may know of it.

    Looked at once for each spot: what happens to it later is not seen. `kept` is what history
    keeps of what will be asked for, by uid.
    """

    view: View
    kept: dict[str, Kept]
    _resources: dict[Spot, Resource | None] = field(default_factory=dict)

    def kind(self, spot: Spot) -> Kind:
        """What lies at `spot`."""
        resource = self.resource(spot)
        if resource is not None:
            return Kind.FOLDER if resource.is_collection else Kind.DOCUMENT
        if spot.tree != LIVE:
            one = self.kept.get(spot.tree)
            # What is kept lies in history by itself, but has the path it had.
            around = one is not None and one.path != spot.path
            around = around and one is not None and paths.is_within(one.path, spot.path)
            return Kind.FOLDER if around else Kind.NOTHING
        folder = self.resource(Spot(spot.space_id, LIVE, paths.parent(spot.path)))
        if folder is None or not folder.is_collection:
            return Kind.NOTHING
        obstructed = is_obstructed(folder.disk, paths.name(spot.path))
        return Kind.OBSTACLE if obstructed else Kind.NOTHING

    def names(self, spot: Spot) -> Iterable[str]:
        """The names in the folder at `spot`."""
        resource = self.resource(spot)
        return [member.place.name for member in scan(resource)] if resource is not None else []

    def resource(self, spot: Spot) -> Resource | None:
        """The document or folder at `spot`."""
        if spot not in self._resources:
            self._resources[spot] = self._look(spot)
        return self._resources[spot]

    def there(self, spot: Spot) -> Resource:
        """As `resource`, of what is known to be there."""
        resource = self.resource(spot)
        assert resource is not None
        return resource

    def _look(self, spot: Spot) -> Resource | None:
        space = self.view.registry.space_by_id[spot.space_id]
        if spot.tree == LIVE:
            return self.view.occupant(Place(space, spot.path))
        one = self.kept.get(spot.tree)
        if one is None or not paths.is_within(spot.path, one.path):
            return None
        return inside(self.view, space, one, spot.path)


def ground(view: View, trees: Iterable[str]) -> DiskGround:
    """The disk, of which these trees of history will be asked for."""
    return DiskGround(view, kept.several(view.connection, trees))
