"""What COPY and MOVE have in common: something comes to lie at a destination."""

from acl import members
from acl.privileges import Privilege
from config.errors import DestinationExists, SameResource
from davserver import paths
from davserver.documents import locks, properties
from davserver.documents.change import Change
from davserver.documents.conditions import Conditions
from davserver.documents.intents import Rename, Replace, Step
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


def steps(
    change: Change, source: str, collection: bool, destination: Place, occupant: Resource | None
) -> list[Step]:
    """What brings `source` to `destination` on the disk, and its occupant into history."""
    target = change.relative(destination, occupant)
    if occupant is None:
        return [Rename(source, target)]
    kept = change.kept(destination.space)
    if not collection and not occupant.is_collection:
        return [Replace(source, target, kept)]
    return [Rename(target, kept), Rename(source, target)]


def clear(change: Change, destination: Place, occupant: Resource | None) -> dict[str, object]:
    """Put away what belonged to the occupant; return what the journal keeps of it."""
    if occupant is None:
        properties.remove_tree(change.connection, destination)
        return {"history": None}
    restricted = members.dump(change.act, destination.space.id, destination.path)
    members.drop(change.act, destination.space.id, restricted)
    trashed = Place(destination.space, destination.path, change.act.uid)
    properties.move_tree(change.connection, destination, trashed)
    if occupant.is_collection:
        # What was locked inside is there no more; the destination's own name stays locked.
        below = locks.below(change.connection, destination, change.now)
        locks.remove(change.connection, (lock.token for lock in below))
    return {
        "history": change.act.uid,
        "collection": occupant.is_collection,
        "restricted": restricted,
    }


def restrict(change: Change, lists: members.Lists, source: Place, destination: Place) -> None:
    """Give the member lists of the tree `source` to the same one at `destination`."""
    moved = {
        destination.path + path.removeprefix(source.path): lines for path, lines in lists.items()
    }
    # One may be left over from a folder that was removed on the disk.
    members.drop(change.act, destination.space.id, moved)
    members.load(change.act, destination.space.id, moved)
