"""COPY and MOVE out of `/history`: what was deleted or replaced comes back to a space."""

from collections.abc import Iterator
from dataclasses import dataclass

from acl import members, spaces
from acl.actor import Actor
from acl.errors import NotFound
from acl.journal import new_uid
from davserver import paths
from davserver.documents import copy, destination, kept, locks, properties
from davserver.documents.change import Change, check_quota
from davserver.documents.conditions import Conditions, State
from davserver.documents.documents import Documents
from davserver.documents.history import Exhibit, History
from davserver.documents.kept import Kept
from davserver.documents.move import check_lengths
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE
from davserver.documents.view import View
from davserver.errors import Forbidden


@dataclass(frozen=True)
class Restoration:
    """What is to be restored, from a path below `/history/<slug>`, to a place in a space.

    `moving`: it leaves the trash of its space. The past itself stays as it was, and nothing
    leaves the history of a space for another one: what is moved so is copied.
    """

    slug: str
    path: str
    target: tuple[str, str]
    deep: bool
    overwrite: bool
    moving: bool


def restore(
    documents: Documents, actor: Actor, wanted: Restoration, conditions: Conditions
) -> bool:
    """Bring back what was deleted or replaced; return whether the name is new.

    Needs to have been allowed to read it, to be so still, and to create at the target. Raises
    what `destination.allowed` raises, and `NotFound`, `Forbidden` for the collections that are
    there only to show others, `PreconditionFailed`, `NameTooLong`, `QuotaExceeded`,
    `StorageFull`.
    """
    with documents.view(actor) as view:
        exhibit, resource = _find(view, documents, wanted)
        own = wanted.slug == wanted.target[0]
        whole = wanted.moving and own and exhibit.kept is not None
        if not whole:
            plan = _plan(view, documents, wanted, exhibit, conditions)
    if whole:
        return _move(documents, actor, wanted, conditions)
    return _copy(documents, actor, wanted, plan, conditions)


def _find(view: View, documents: Documents, wanted: Restoration) -> tuple[Exhibit, Resource]:
    exhibit = _history(view, documents, wanted.slug).get(wanted.path)
    if exhibit.resource is None or (exhibit.relic and not exhibit.relic.path):
        raise Forbidden()
    return exhibit, exhibit.resource


def _history(view: View, documents: Documents, slug: str) -> History:
    return History(view, view.place(slug, "").space, documents.zone)


def _allowed(
    view: View, wanted: Restoration, resource: Resource, conditions: Conditions
) -> tuple[Place, Resource | None, list[locks.Lock]]:
    target = view.destination(*wanted.target)
    if target.tree != LIVE:
        raise Forbidden()
    conditions.check(State(resource.etag, resource.modified), view.state_of)
    occupant, held = destination.allowed(
        view,
        target,
        collection=resource.is_collection,
        overwrite=wanted.overwrite,
        conditions=conditions,
    )
    return target, occupant, held


# Out of the trash: one rename, whatever its size


def _move(documents: Documents, actor: Actor, wanted: Restoration, conditions: Conditions) -> bool:
    with documents.change(actor, {wanted.slug, wanted.target[0]}) as change:
        exhibit, resource = _find(change, documents, wanted)
        if exhibit.kept is None:
            raise NotFound()
        target, occupant, held = _allowed(change, wanted, resource, conditions)
        locks.extend(change.connection, held, change.now)
        take_out(change, exhibit.kept, resource, target, occupant)
        return occupant is None


def take_out(
    change: Change, one: Kept, resource: Resource, target: Place, occupant: Resource | None
) -> None:
    """Move `resource`, which is kept in `one`, to `target` in the same space, and record it."""
    source = resource.place
    if len(target.path) > len(source.path):
        check_lengths(resource, target)
    steps, replaced = destination.arrive(
        change,
        change.relative(source, resource),
        resource.is_collection,
        target,
        occupant,
        source,
    )
    inner = {
        path: lines for path, lines in one.restricted.items() if paths.is_within(path, source.path)
    }
    destination.restrict(change, inner, source, target)
    properties.move_tree(change.connection, source, target)
    change.moved(source, target)
    change.carry_out(steps, target.space)
    if source.path == one.path:
        kept.remove(change.connection, one.uid)
    else:
        rest = {path: lines for path, lines in one.restricted.items() if path not in inner}
        kept.reduce(change.connection, one.uid, rest)
    spaces.charge(change.connection, source.space.id, 0, history=-(one.size or 0))
    detail = {"from_space": source.space.slug, "from": source.path, "from_tree": one.uid}
    change.record("document.restore", target, {**detail, **replaced})


# A copy of what was


@dataclass(frozen=True)
class _Plan:
    """What will be copied: by its path below the top, with the member lists that go along."""

    found: dict[str, Resource]
    restricted: members.Lists
    size: int


def _plan(
    view: View,
    documents: Documents,
    wanted: Restoration,
    exhibit: Exhibit,
    conditions: Conditions,
) -> _Plan:
    assert exhibit.resource is not None
    target, _, _ = _allowed(view, wanted, exhibit.resource, conditions)
    history = _history(view, documents, wanted.slug)
    found: dict[str, Resource] = {}
    restricted: members.Lists = {}
    for path, one in _walk(history, exhibit, "", deep=wanted.deep):
        assert one.resource is not None
        found[path] = one.resource
        paths.check_length(paths.join(target.path, path))
        lines = _own_list(view, one)
        if lines is not None:
            restricted[path] = lines
    size = sum(one.size for one in found.values() if not one.is_collection)
    used = spaces.usage(view.connection, (target.space.id,))[target.space.id]
    check_quota(target.space, used, size)
    return _Plan(found, restricted, size)


def _walk(
    history: History, exhibit: Exhibit, path: str, *, deep: bool
) -> Iterator[tuple[str, Exhibit]]:
    """What is shown at and below an exhibit, collections before their members."""
    pending = [(path, exhibit)]
    while pending:
        below, one = pending.pop()
        yield below, one
        if deep and one.is_collection:
            pending += [(paths.join(below, each.name), each) for each in history.members(one)]


def _own_list(view: View, exhibit: Exhibit) -> members.Lines | None:
    """The member list that a folder has of its own where it lies now."""
    resource = exhibit.resource
    if resource is None or not resource.is_collection:
        return None
    place = resource.place
    if place.tree == LIVE:
        own = place.path in place.space.restricted
        return kept.lines(place.space, place.path) if own else None
    one = exhibit.kept or kept.find(view.connection, place.tree)
    return None if one is None else one.restricted.get(place.path)


def _copy(
    documents: Documents, actor: Actor, wanted: Restoration, plan: _Plan, conditions: Conditions
) -> bool:
    uid = new_uid()
    copy.stage(documents, uid, plan.found)
    with documents.change(actor, {wanted.slug, wanted.target[0]}, uid) as change:
        exhibit, resource = _find(change, documents, wanted)
        target, occupant, held = _allowed(change, wanted, resource, conditions)
        locks.extend(change.connection, held, change.now)
        change.charge(target.space, plan.size)
        steps, replaced = destination.arrive(
            change, change.staged(), resource.is_collection, target, occupant
        )
        top = Place(target.space, "")
        lists = {paths.join(target.path, path): plan.restricted[path] for path in plan.restricted}
        destination.restrict(change, lists, top, top)
        _copy_properties(change, plan, target)
        change.carry_out(steps, target.space)
        change.born_tree(target)
        detail = {
            "from_space": wanted.slug,
            "from_history": exhibit.path,
            "inode": change.now_at(target).status.st_ino,
        }
        change.record("document.restore", target, {**detail, **replaced})
        return occupant is None


def _copy_properties(change: Change, plan: _Plan, target: Place) -> None:
    """Give each copy the properties that its original has where it lies."""
    top = plan.found[""].place
    copied = set()
    for path, resource in plan.found.items():
        place = resource.place
        new = Place(target.space, paths.join(target.path, path))
        if Place(top.space, paths.join(top.path, path), top.tree) == place:
            copied.add(place.path)
        else:
            properties.write(change.connection, new, properties.of(change.connection, place))
    properties.copy_tree(change.connection, top, target, copied)
