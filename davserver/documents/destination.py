"""What COPY and MOVE have in common: something comes to lie at a destination."""

from acl import members
from acl.privileges import Privilege
from config.errors import DestinationExists, SameResource
from davserver import paths
from davserver.documents import deeds, locks, properties, succession
from davserver.documents.change import Change
from davserver.documents.conditions import Conditions
from davserver.documents.intents import Rename, Replace, Step
from davserver.documents.kept import TRASH, VERSION
from davserver.documents.locks import Lock
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE
from davserver.documents.view import View
from davserver.errors import Forbidden


def check_apart(source: Place, destination: Place) -> None:
    """Raise `SameResource` if one is, or lies in, the other."""
    if source.space.id == destination.space.id and (
        paths.is_within(destination.path, source.path)
        or paths.is_within(source.path, destination.path)
    ):
        raise SameResource()
    if source.tree != LIVE or destination.tree != LIVE:
        # Clutter becomes no document, nor a document clutter.
        if source.tree != destination.tree:
            raise Forbidden()


def allowed(
    view: View, destination: Place, *, collection: bool, overwrite: bool, conditions: Conditions
) -> tuple[Resource | None, list[Lock]]:
    """Raise unless the actor may put a document or a `collection` at `destination` now.

    Returns what is there, and the locks in use. Raises what `View.new_member` raises, and
    `DestinationExists`, `NeedPrivileges`, `Locked`.
    """
    occupant = view.new_member(destination)
    if occupant is not None:
        if not overwrite:
            raise DestinationExists()
        if collection or occupant.is_collection:
            view.require_tree(Privilege.DELETE, occupant)
            view.require(Privilege.CREATE, view.parent(destination))
        else:
            view.require(Privilege.WRITE, destination, occupant)
    held = view.unlocked(
        destination, conditions, below=occupant is not None, membership=occupant is None
    )
    return occupant, held


def arrive(
    change: Change,
    source: str,
    collection: bool,
    target: Place,
    occupant: Resource | None,
    origin: Place | None = None,
) -> tuple[list[Step], dict[str, object]]:
    """Make way at `target` for what lies at `source` (as steps name it).

    `origin` is the place that it has so far, None if it is only staged. Returns the steps that
    bring it there and its occupant into history, and what the journal says of the occupant. A
    document that replaces one is its next version, and inherits its properties; anything else
    that was there goes to the trash with what belonged to it.
    """
    deeds.note_arrival(change, source, collection, target, occupant)
    if occupant is None:
        properties.remove_tree(change.connection, target)
        inherited: list[Step] = []
        detail: dict[str, object] = {"history": None}
        if not collection:
            inherited, detail = succession.succeed(change, target, source, origin)
        return [*inherited, Rename(source, change.relative(target))], detail
    there = change.relative(target, occupant)
    if collection or occupant.is_collection:
        kept, restricted = _put_away(change, occupant)
        detail = {
            "history": kept.tree,
            "collection": occupant.is_collection,
            "restricted": restricted,
        }
        return [Rename(there, change.kept_at(kept)), Rename(source, there)], detail
    if succession.is_worthless(change, occupant, change.store.data / source):
        change.drop(occupant)
        return [Replace(source, there, change.dropped())], {"history": None}
    version = succession.version_of(change, occupant) if occupant.status.st_nlink > 1 else None
    if version is not None:
        change.drop(occupant, version)
        detail = {"history": None, "version": version.uid}
        return [Replace(source, there, change.dropped())], detail
    kept = change.keep(occupant, VERSION)
    detail = {"history": kept.tree, "collection": False, "restricted": {}}
    return [Replace(source, there, change.kept_at(kept))], detail


def _put_away(change: Change, occupant: Resource) -> tuple[Place, members.Lists]:
    place = occupant.place
    restricted = members.dump(change.act, place.space.id, place.path)
    members.drop(change.act, place.space.id, restricted)
    kept = change.keep(occupant, TRASH, restricted)
    properties.move_tree(change.connection, place, kept)
    # What was locked inside is there no more; the destination's own name stays locked.
    below = locks.below(change.connection, place, change.now)
    locks.remove(change.connection, (lock.token for lock in below))
    return kept, restricted


def restrict(change: Change, lists: members.Lists, source: Place, destination: Place) -> None:
    """Give the member lists of the tree `source` to the same one at `destination`."""
    moved = {
        destination.path + path.removeprefix(source.path): lines for path, lines in lists.items()
    }
    # One may be left over from a folder that was removed on the disk.
    members.drop(change.act, destination.space.id, moved)
    members.load(change.act, destination.space.id, moved)
