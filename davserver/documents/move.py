"""MOVE: a document or folder gets another name, in its space or in another one."""

import os

from acl import members, spaces
from acl.privileges import Privilege
from davserver import paths
from davserver.documents import clutter, deeds, destination, locks, properties, walk
from davserver.documents.change import Change
from davserver.documents.conditions import Conditions
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE
from davserver.errors import Forbidden


def move(
    change: Change, source: Place, target: Place, *, overwrite: bool, conditions: Conditions
) -> bool:
    """Move what is at `source`, with all that is in it, to `target` (RFC 4918, 9.9).

    Its properties and member lists go along; its locks do not (7.7). Returns whether the name
    is new. Needs to read and delete at the source, and to create at the target. Raises what
    `destination.allowed` raises, and `NotFound`, `Forbidden`, `SameResource`, `NameTooLong`,
    `PreconditionFailed`, `Locked`, `QuotaExceeded`.
    """
    resource = change.get(source)
    if not source.path:
        raise Forbidden()
    change.require_tree(Privilege.READ, resource)
    change.require_tree(Privilege.DELETE, resource)
    destination.check_apart(source, target)
    change.check(source, conditions)
    held = change.unlocked(source, conditions, below=True, membership=True)
    occupant, held_there = destination.allowed(
        change,
        target,
        collection=resource.is_collection,
        overwrite=overwrite,
        conditions=conditions,
    )
    if len(target.path) > len(source.path):
        check_lengths(resource, target)
    locks.extend(change.connection, [*held, *held_there], change.now)
    if source.tree != LIVE:
        _move_clutter(change, resource, target)
    else:
        _move(change, resource, target, occupant)
    return occupant is None


def _move(change: Change, resource: Resource, target: Place, occupant: Resource | None) -> None:
    source = resource.place
    if source.space.id != target.space.id:
        size = walk.size(resource.disk)
        change.charge(target.space, size)
        spaces.charge(change.connection, source.space.id, -size)
    deeds.note_move(change, resource, target)
    broken = locks.dump(change.connection, resource, change.now)
    locks.remove_tree(change.connection, source)
    steps, replaced = destination.arrive(
        change,
        change.relative(source, resource),
        resource.is_collection,
        target,
        occupant,
        source,
    )
    restricted = members.dump(change.act, source.space.id, source.path)
    members.drop(change.act, source.space.id, restricted)
    destination.restrict(change, restricted, source, target)
    properties.move_tree(change.connection, source, target)
    change.moved(source, target)
    change.carry_out(steps, source.space, target.space)
    detail = {"to_space": target.space.slug, "to": target.path, **broken, **replaced}
    change.record("document.move", source, detail)


def check_lengths(resource: Resource, target: Place) -> None:
    """Raise `NameTooLong` if something in the tree could not be found below its new name."""
    for folder, directories, files in os.walk(resource.disk):
        inside = os.path.relpath(folder, resource.disk)
        for name in (*directories, *files):
            paths.check_length(os.path.normpath(os.path.join(target.path, inside, name)))


def _move_clutter(change: Change, resource: Resource, target: Place) -> None:
    disk = change.store.data / change.relative(target)
    clutter.make_way(disk)
    resource.disk.replace(disk)
    locks.remove_tree(change.connection, resource.place)
    properties.remove_tree(change.connection, target)
    properties.move_tree(change.connection, resource.place, target)
