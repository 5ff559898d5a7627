"""PUT: content becomes a document, whole or not at all."""

from collections.abc import Callable
from dataclasses import dataclass

from acl import spaces
from acl.actor import Actor
from acl.journal import new_uid
from davserver.documents import clutter, destination, locks, upload
from davserver.documents.change import Change, check_quota
from davserver.documents.conditions import Conditions
from davserver.documents.documents import Documents, disk_trouble
from davserver.documents.locks import Lock
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE
from davserver.documents.upload import Announced
from davserver.documents.view import View
from davserver.errors import IsCollection, QuotaExceeded, TooLarge


@dataclass(frozen=True)
class Published:
    """What became of it: the resource as it is now, and whether its name is new."""

    resource: Resource
    created: bool


def put(
    documents: Documents,
    actor: Actor,
    slug: str,
    path: str,
    read: Callable[[int], bytes],
    announced: Announced,
    conditions: Conditions,
) -> Published:
    """Take in the content that `read` gives and publish it at `path` of the space `slug`.

    Everything that can refuse it is asked before a byte is read, and again, with the space
    held, when all has arrived. See `upload.receive` for `read`. Raises what `View.new_member`
    raises, and `NotFound`, `NeedPrivileges`, `IsCollection`, `PreconditionFailed`, `Locked`,
    `QuotaExceeded`, `StorageFull`, `TooLarge`, `IncompleteUpload`.
    """
    uid = new_uid()
    room = _room(documents, actor, slug, path, announced, conditions)
    try:
        with disk_trouble():
            size = upload.receive(documents.store, uid, read, announced, room.limit)
    except TooLarge as error:
        raise room.by_quota or error from None
    with documents.change(actor, (slug,), uid) as change:
        place = change.destination(slug, path)
        occupant, held = _allowed(change, place, conditions)
        locks.extend(change.connection, held, change.now)
        return publish(change, place, occupant, size)


@dataclass(frozen=True)
class _Room:
    """How many bytes may come, and the quota's refusal if it is the quota that says so."""

    limit: int
    by_quota: QuotaExceeded | None = None


def _room(
    documents: Documents,
    actor: Actor,
    slug: str,
    path: str,
    announced: Announced,
    conditions: Conditions,
) -> _Room:
    """Ask before the body is read whether it could be published, and how large it may be."""
    with documents.view(actor) as view:
        place = view.destination(slug, path)
        _allowed(view, place, conditions)
        used = spaces.usage(view.connection, (place.space.id,))[place.space.id]
    live = place.tree == LIVE
    limit = documents.limits.document if live else documents.limits.clutter
    if announced.length is not None and announced.length > limit:
        raise TooLarge()
    quota = place.space.quota_bytes
    if quota is None or not live:
        return _Room(limit)
    check_quota(place.space, used, announced.length or 0)
    free = max(0, quota - used)
    if free >= limit:
        return _Room(limit)
    return _Room(free, QuotaExceeded(space=place.space.title, free=free))


def _allowed(
    view: View, place: Place, conditions: Conditions
) -> tuple[Resource | None, list[Lock]]:
    """Raise unless the actor may put a document at `place` now.

    Returns the document that is there, and the locks in use.
    """
    occupant = view.new_member(place)
    if occupant is not None:
        if occupant.is_collection:
            raise IsCollection()
        view.writable(occupant)
    view.check(place, conditions)
    return occupant, view.unlocked(place, conditions, membership=occupant is None)


def publish(change: Change, place: Place, occupant: Resource | None, size: int) -> Published:
    """Make the staged file the document at `place`, in the act of `change`.

    `occupant` is the document that is there, whose content is kept in history.
    """
    source = change.staged()
    if place.tree != LIVE:
        target = change.store.data / change.relative(place, occupant)
        clutter.make_way(target)
        (change.store.data / source).replace(target)
        return Published(change.now_at(place), occupant is None)
    change.charge(place.space, size)
    steps, replaced = destination.arrive(change, source, False, place, occupant)
    change.carry_out(steps, place.space)
    resource = change.now_at(place)
    change.born(resource)
    told: dict[str, object] = {
        key: replaced[key] for key in ("history", "succeeds", "version") if key in replaced
    }
    detail: dict[str, object] = {"inode": resource.status.st_ino, "size": size, **told}
    change.record("document.put", place, detail)
    return Published(resource, occupant is None)


def put_empty(change: Change, place: Place) -> Resource:
    """Publish an empty document at `place`, where nothing is: for LOCK (RFC 4918, 7.3)."""
    change.store.staged(change.act.uid).open("xb").close()
    return publish(change, place, None, 0).resource
