"""COPY: what the actor may read of a document or folder, once more under another name."""

from collections.abc import Mapping
from dataclasses import dataclass

from acl import members, spaces
from acl.actor import Actor
from acl.errors import NotFound
from acl.journal import new_uid
from davserver import paths
from davserver.documents import clutter, destination, locks, properties, store
from davserver.documents.change import Change, check_quota
from davserver.documents.conditions import Conditions
from davserver.documents.documents import Documents, disk_trouble
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE
from davserver.documents.view import View


@dataclass(frozen=True)
class Copied:
    """What is copied: the paths of the source, and the bytes they hold."""

    collection: bool
    paths: frozenset[str]
    size: int


def copy(
    documents: Documents,
    actor: Actor,
    source: tuple[str, str],
    target: tuple[str, str],
    *,
    deep: bool,
    overwrite: bool,
    conditions: Conditions,
) -> bool:
    """Copy what is at `source` to `target`, each a slug and a path (RFC 4918, 9.8).

    Not `deep`: of a folder itself only, without its members. What the actor may not read is not
    copied. Properties and member lists are copied too, locks are not. Returns whether the name
    is new. The content is copied before the spaces are held, so that a large folder keeps
    nobody waiting. Raises what `destination.allowed` raises, and `NotFound`, `SameResource`,
    `PreconditionFailed`, `NameTooLong`, `QuotaExceeded`, `StorageFull`.
    """
    uid = new_uid()
    with documents.view(actor) as view:
        resource, place = view.get(view.place(*source)), view.destination(*target)
        _allowed(view, resource, place, overwrite=overwrite, conditions=conditions)
        found = _found(view, resource, deep=deep)
        for one in found:
            paths.check_length(place.path + one.place.path.removeprefix(resource.place.path))
        copied = Copied(
            resource.is_collection,
            frozenset(one.place.path for one in found),
            sum(one.size for one in found if not one.is_collection),
        )
        used = spaces.usage(view.connection, (place.space.id,))[place.space.id]
        check_quota(place.space, used, copied.size)
    root = resource.place.path
    stage(documents, uid, {paths.below(one.place.path, root): one for one in found})
    with documents.change(actor, {source[0], target[0]}, uid) as change:
        place, origin = change.destination(*target), change.get(change.place(*source))
        occupant, held = _allowed(change, origin, place, overwrite=overwrite, conditions=conditions)
        locks.extend(change.connection, held, change.now)
        _publish(change, origin.place, place, occupant, copied)
        return occupant is None


def _allowed(
    view: View, resource: Resource, target: Place, *, overwrite: bool, conditions: Conditions
) -> tuple[Resource | None, list[locks.Lock]]:
    destination.check_apart(resource.place, target)
    view.check(resource.place, conditions)
    return destination.allowed(
        view,
        target,
        collection=resource.is_collection,
        overwrite=overwrite,
        conditions=conditions,
    )


def _found(view: View, resource: Resource, *, deep: bool) -> list[Resource]:
    """What the actor may read of `resource`, collections before their members."""
    found, pending = [], [resource]
    while pending:
        one = pending.pop()
        found.append(one)
        if deep and one.is_collection:
            members = view.members(one)
            pending += (member for member in members if member.place.tree == one.place.tree)
    return found


def stage(documents: Documents, uid: str, found: Mapping[str, Resource]) -> None:
    """Copy what was found to what the act `uid` stages, and make it durable.

    `found` has each thing by its path below the top, which is "", collections before their
    members. Raises `NotFound` if some of it has gone meanwhile, and `StorageFull`.
    """
    staged = documents.store.staged(uid)
    folders = []
    try:
        with disk_trouble():
            for path, one in found.items():
                target = staged / path
                if one.is_collection:
                    target.mkdir(mode=0o700)
                    folders.append(target)
                else:
                    store.copy_file(one.disk, target)
            for folder in folders:
                store.sync_directory(folder)
    except BaseException as error:
        documents.store.discard(uid)
        if isinstance(error, FileNotFoundError):
            # Somebody moved or deleted a part of it just now.
            raise NotFound() from None
        raise


def _publish(
    change: Change, source: Place, target: Place, occupant: Resource | None, copied: Copied
) -> None:
    if target.tree != LIVE:
        disk = change.store.data / change.relative(target)
        clutter.make_way(disk)
        (change.store.data / change.staged()).replace(disk)
        return
    change.charge(target.space, copied.size)
    steps, replaced = destination.arrive(
        change, change.staged(), copied.collection, target, occupant
    )
    restricted = {
        path: lines
        for path, lines in members.dump(change.act, source.space.id, source.path).items()
        if path in copied.paths
    }
    destination.restrict(change, restricted, source, target)
    properties.copy_tree(change.connection, source, target, copied.paths)
    change.carry_out(steps, target.space)
    detail = {
        "inode": change.now_at(target).status.st_ino,
        "from_space": source.space.slug,
        "from": source.path,
        **replaced,
    }
    change.born_tree(target)
    change.record("document.copy", target, detail)
