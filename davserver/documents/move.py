"""MOVE: a document or folder gets another name, in its space or in another one."""

import os
from pathlib import Path

from acl import members, spaces
from acl.privileges import Privilege
from davserver import paths
from davserver.documents import clutter, destination, locks, properties
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
        _check_lengths(resource, target)
    locks.extend(change.connection, [*held, *held_there], change.now)
    if source.tree != LIVE:
        _move_clutter(change, resource, target)
    else:
        _move(change, resource, target, occupant)
    return occupant is None


def _move(change: Change, resource: Resource, target: Place, occupant: Resource | None) -> None:
    source = resource.place
    if source.space.id != target.space.id:
        size = tree_size(resource.disk)
        change.charge(target.space, size)
        spaces.charge(change.connection, source.space.id, -size)
    replaced = destination.clear(change, target, occupant)
    restricted = members.dump(change.act, source.space.id, source.path)
    members.drop(change.act, source.space.id, restricted)
    destination.restrict(change, restricted, source, target)
    locks.remove_tree(change.connection, source)
    properties.move_tree(change.connection, source, target)
    steps = destination.steps(
        change, change.relative(source, resource), resource.is_collection, target, occupant
    )
    change.carry_out(steps, source.space, target.space)
    change.act.record(
        "document.move",
        space_id=source.space.id,
        path=source.path,
        detail={"to_space": target.space.slug, "to": target.path, **replaced},
    )


def _check_lengths(resource: Resource, target: Place) -> None:
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


def tree_size(disk: Path) -> int:
    """The bytes of the documents at `disk` and below it."""
    if not os.path.isdir(disk):
        return os.lstat(disk).st_size
    return sum(
        os.lstat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(disk)
        for name in names
    )
