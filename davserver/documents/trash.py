"""DELETE: a document or a whole folder goes to history in one rename, whatever its size."""

from acl import members
from acl.privileges import Privilege
from davserver.documents import locks, properties
from davserver.documents.change import Change
from davserver.documents.conditions import Conditions
from davserver.documents.intents import Rename
from davserver.documents.resource import Place
from davserver.documents.tables import LIVE
from davserver.errors import Forbidden


def delete(change: Change, place: Place, conditions: Conditions) -> None:
    """Take what is at `place` out of the space, with all that is in it (RFC 4918, 9.6).

    Its properties and member lists go along, its locks end. Raises `NotFound`,
    `NeedPrivileges`, `PreconditionFailed`, `Locked`, and `Forbidden` for a whole space.
    """
    resource = change.get(place)
    if not place.path:
        raise Forbidden()
    change.require_tree(Privilege.DELETE, resource)
    change.check(place, conditions)
    held = change.unlocked(place, conditions, below=True, membership=True)
    locks.extend(change.connection, held, change.now)
    locks.remove_tree(change.connection, place)
    if place.tree != LIVE:
        properties.remove_tree(change.connection, place)
        resource.disk.unlink()
        return
    restricted = members.dump(change.act, place.space.id, place.path)
    members.drop(change.act, place.space.id, restricted)
    trashed = Place(place.space, place.path, change.act.uid)
    properties.move_tree(change.connection, place, trashed)
    step = Rename(change.relative(place, resource), change.kept(place.space))
    change.carry_out((step,), place.space)
    change.act.record(
        "document.delete",
        space_id=place.space.id,
        path=place.path,
        detail={
            "history": change.act.uid,
            "collection": resource.is_collection,
            "restricted": restricted,
        },
    )
