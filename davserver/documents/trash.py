"""DELETE: a document or a whole folder goes to history in one rename, whatever its size."""

from collections.abc import Iterable

from acl import members
from acl.privileges import Privilege
from davserver.documents import deeds, locks, properties, succession
from davserver.documents.change import Change
from davserver.documents.conditions import Conditions
from davserver.documents.intents import Make, Rename, Step
from davserver.documents.kept import PASSING, Kept
from davserver.documents.resource import Place, Resource
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
    deeds.note_delete(change, resource)
    broken = locks.dump(change.connection, resource, change.now)
    locks.remove_tree(change.connection, place)
    if place.tree != LIVE:
        properties.remove_tree(change.connection, place)
        resource.disk.unlink()
        return
    version = succession.spent_version(change, resource)
    if version is not None or succession.is_trifle(change, resource):
        steps, detail = _drop(change, resource, version)
    else:
        steps, detail = _keep(change, resource)
    change.carry_out(steps, place.space)
    change.record(
        "document.delete", place, {**detail, "collection": resource.is_collection, **broken}
    )


def _drop(
    change: Change, resource: Resource, version: Kept | None
) -> tuple[list[Step], dict[str, object]]:
    """Let go of a lock file, an empty placeholder, or what is kept as `version` already."""
    properties.remove_tree(change.connection, resource.place)
    change.drop(resource, version)
    detail: dict[str, object] = {"history": None, "restricted": {}}
    if version is not None:
        detail["version"] = version.uid
    return [Rename(change.relative(resource.place, resource), change.dropped())], detail


def _keep(change: Change, resource: Resource) -> tuple[list[Step], dict[str, object]]:
    """Let it go to history, as a whole."""
    place = resource.place
    restricted = members.dump(change.act, place.space.id, place.path)
    members.drop(change.act, place.space.id, restricted)
    reason = succession.reason(change, resource)
    steps: list[Step] = []
    spent = succession.spent(change, resource) if resource.is_collection else None
    if spent is not None:
        reason = PASSING
    if spent:
        # What is a version now would count twice.
        steps = _empty(change, spent)
    kept = change.keep(resource, reason, restricted)
    properties.move_tree(change.connection, place, kept)
    steps.append(Rename(change.relative(place, resource), change.kept_at(kept)))
    return steps, {"history": kept.tree, "restricted": restricted}


def _empty(change: Change, spent: Iterable[tuple[Resource, Kept | None]]) -> list[Step]:
    """Let go of documents before their folder goes."""
    steps: list[Step] = [Make(change.dropped())]
    for number, (one, version) in enumerate(spent):
        properties.remove_tree(change.connection, one.place)
        change.drop(one, version)
        steps.append(Rename(change.relative(one.place, one), f"{change.dropped()}/{number}"))
    return steps
