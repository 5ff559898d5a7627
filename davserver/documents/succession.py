"""One document, many contents: what is its next version, and what is none.

A version belongs to the name in the space. Programs save in many ways: over the document, or
beside it and then the one in place of the other, with the document deleted or moved away in
between. However it is done, what lies at the name afterwards is the next version of what lay
there before, and inherits its properties and its lock. What a program made and removed for that
clutters neither the versions nor the trash.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from acl import spaces
from davserver.documents import kept, locks, properties, temporaries, traces
from davserver.documents.change import Change
from davserver.documents.intents import Link, Step
from davserver.documents.kept import PASSING, TRASH, VERSION, Kept
from davserver.documents.resource import Place, Resource, scan
from davserver.documents.tables import LIVE
from davserver.documents.traces import ARRIVED, Spot

# Made and not yet filled, or filled and not yet where it belongs.
_NEW = timedelta(minutes=5)
# So often is it moved at most until it is there.
_MOVES_MAX = 4
# Bytes. Those of LibreOffice and Word have some hundred; a document could have such a name.
_LOCK_FILE_MAX = 4096
# Bytes: comparing more would keep others waiting for longer than the room is worth.
_COMPARED_MAX = 16 * 1024 * 1024
_BLOCK = 1024 * 1024
# What programs put into the folders that they save by; in a larger one nobody looks.
_HELD_MAX = 20


# What is not worth keeping


def is_passing(change: Change, resource: Resource) -> bool:
    """Whether it is a lock file of LibreOffice or Word: a sign for people, not a document.

    That is what came to be under such a name. A document that was given it is a document still.
    """
    if not temporaries.is_lock_file(resource.place.name) or resource.is_collection:
        return False
    return resource.size <= _LOCK_FILE_MAX and _is_born(change, resource.place)


def is_worthless(change: Change, former: Resource, following: Path) -> bool:
    """Whether the content of `former`, which the file `following` is to replace, need not be kept.

    That is a lock file, an empty document that the actor has just made in order to fill it, or
    the same content.
    """
    if is_passing(change, former):
        return True
    if not former.size:
        return _is_placeholder(change, former)
    return _is_same(former.disk, following)


def is_trifle(change: Change, resource: Resource) -> bool:
    """Whether a document that is deleted need not be kept: a lock file, or an empty one that the
    actor has just made and that has nothing else to hand on either."""
    if is_passing(change, resource):
        return True
    return _is_placeholder(change, resource) and not properties.of(
        change.connection, resource.place
    )


def _is_placeholder(change: Change, resource: Resource) -> bool:
    """Whether it is an empty document that the actor has just made."""
    if resource.is_collection or resource.size:
        return False
    return _is_new(change, Spot.of(resource.place))


def _is_new(change: Change, spot: Spot) -> bool:
    """Whether the actor has just made what lies there, there or under another name."""
    account, before = change.actor.account, None
    for _ in range(_MOVES_MAX):
        row = traces.last(change.connection, spot, before)
        if row is None or row.kind != ARRIVED or change.now - row.at > _NEW:
            return False
        if account is None or row.account_id != account.id:
            return False
        if row.other_space_id is None:
            return True
        spot, before = traces.other(row), row.journal_id
    return False


def _is_same(one: Path, other: Path) -> bool:
    if one.samefile(other):
        return True
    size = one.stat().st_size
    if size > _COMPARED_MAX or size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while block := first.read(_BLOCK):
            if block != second.read(_BLOCK):
                return False
    return True


# The next version


def succeed(
    change: Change, place: Place, source: str, origin: Place | None
) -> tuple[list[Step], dict[str, object]]:
    """Let the document that comes to `place`, where nothing is, follow the one that was there.

    `source` is where it lies now, as steps name it, and `origin` the place it has, None if it is
    only staged. If the actor deleted the former one within the last minute, that is a version of
    `place` and no longer in the trash. If it moved it away, as what will be its backup, history
    keeps a second name of it. Returns the steps for that, and what the journal says of it.
    """
    nothing: tuple[list[Step], dict[str, object]] = [], {"history": None}
    account = change.actor.account
    row = account and traces.departure(change.connection, Spot.of(place), account.id, change.now)
    if not row:
        return nothing
    predecessor = traces.follow(change.connection, traces.other(row), row.journal_id)
    if predecessor is None or (origin is not None and Spot.of(origin) == predecessor):
        return nothing
    if predecessor.path != place.path and not _is_swap(change, predecessor, place, origin):
        return nothing
    following = change.store.data / source
    if predecessor.tree == LIVE:
        steps = _link(change, predecessor, place, following)
    else:
        steps = _reattach(change, predecessor, place, following)
    if steps is None:
        return nothing
    own = [lock for lock in row.detail.get("locks", ()) if lock["account"] == row.account_id]
    locks.revive(change.connection, place, own, change.now)
    history = change.keeping[-1].uid if steps else None
    return steps, {"history": history, "succeeds": row.journal_id}


def _is_swap(change: Change, predecessor: Spot, place: Place, origin: Place | None) -> bool:
    """Whether the actor, who moved the former one away, did so to save, and not because it is to
    have another name: what comes is new, and if it is only now put at `place`, the former one
    has a name for backups."""
    if origin is not None:
        return _is_new(change, Spot.of(origin))
    return temporaries.is_backup(predecessor.path, place.path)


def _link(change: Change, predecessor: Spot, place: Place, following: Path) -> list[Step] | None:
    """It was moved away, and lies at `predecessor` now."""
    space = change.registry.space_by_id[predecessor.space_id]
    backup = change.occupant(Place(space, predecessor.path))
    if backup is None or backup.is_collection:
        return None
    properties.copy_tree(change.connection, backup.place, place, {backup.place.path})
    if _is_placeholder(change, backup) or _is_same(backup.disk, following):
        return []
    version = Resource(place, backup.disk, backup.status)
    there = change.kept_at(change.keep_twin(version, VERSION))
    spaces.charge(change.connection, place.space.id, backup.size)
    return [Link(change.relative(place, backup), there)]


def _reattach(
    change: Change, predecessor: Spot, place: Place, following: Path
) -> list[Step] | None:
    """It was deleted, perhaps under a name that it had been given before."""
    former = kept.find(change.connection, predecessor.tree)
    if former is None or former.collection or former.reason == VERSION:
        return None
    if predecessor != former.spot or former.space_id != place.space.id:
        return None
    if former.login != change.actor.name:
        return None
    former_place = Place(place.space, former.path, former.uid)
    is_none = former.reason == PASSING and not former.size
    if is_none or _is_same(change.store.kept(place.space.slug, former.uid), following):
        # No version, then, but a copy: who goes back in time finds its properties, too.
        kept.set_reason(change.connection, former.uid, PASSING)
        handed_on = properties.of(change.connection, former_place)
        properties.write(change.connection, place, handed_on)
        return []
    kept.set_reason(change.connection, former.uid, VERSION)
    properties.move_tree(change.connection, former_place, place)
    if former.path != place.path:
        now = Spot(place.space.id, former.uid, place.path)
        kept.rename(change.connection, former.uid, place)
        change.left_behind.append(traces.Trace(traces.LEFT, predecessor, now))
    return []


# What a program leaves when it has saved


def version_of(change: Change, backup: Resource) -> Kept | None:
    """What history keeps already of a document that was moved away so that another one could
    have its name: the content of `backup`, as a version of that name."""
    row = _moved(change, backup)
    if row is None:
        return None
    listed = kept.listing(
        change.connection, backup.place.space, VERSION, since=row.at, path=row.other_path
    )
    one = next((each for each in listed if each.journal_id > row.journal_id), None)
    if one is None or one.collection:
        return None
    there = change.store.kept(backup.place.space.slug, one.uid)
    return one if _is_same(backup.disk, there) else None


def spent_version(change: Change, resource: Resource) -> Kept | None:
    """As `version_of`, of a document that the actor deletes, if that is the end of saving.

    A minute later it has become a document of its own, unless its name tells otherwise.
    """
    one = None if resource.is_collection else version_of(change, resource)
    if one is None or one.login != change.actor.name:
        return None
    place = resource.place
    late = change.now - one.at > traces.SUCCESSION
    return None if late and not temporaries.is_temporary(place.path, collection=False) else one


def spent(change: Change, folder: Resource) -> list[tuple[Resource, Kept | None]] | None:
    """What is in a folder that a program has made to save by, once nothing in it is of use: each
    document, with the version that it is. None if that is another folder, or if there is more."""
    if not temporaries.is_temporary(folder.place.path, collection=True):
        return None
    found: list[tuple[Resource, Kept | None]] = []
    pending, seen = [folder], 0
    while pending:
        for member in scan(pending.pop()):
            seen += 1
            version = spent_version(change, member)
            if member.is_collection:
                pending.append(member)
            elif version is not None or is_trifle(change, member):
                found.append((member, version))
            else:
                return None
            if seen == _HELD_MAX:
                return None
    return found


def reason(change: Change, resource: Resource) -> str:
    """Why history keeps what is deleted: as trash, or only so that nothing is lost."""
    place = resource.place
    if resource.is_collection:
        return TRASH
    if temporaries.is_temporary(place.path, collection=False):
        # Who gives a document such a name to delete it may look for it.
        return PASSING if _is_born(change, place) else TRASH
    if _is_placeholder(change, resource) or _is_spare(change, resource):
        return PASSING
    return TRASH


def _is_born(change: Change, place: Place) -> bool:
    """Whether what lies there was made there, and did not come under another name."""
    row = traces.last(change.connection, Spot.of(place))
    return row is not None and row.kind == ARRIVED and row.other_space_id is None


def _is_spare(change: Change, resource: Resource) -> bool:
    """Whether it was moved away, just now, for another one with the same content."""
    row = _moved(change, resource)
    account = change.actor.account
    if row is None or account is None or row.account_id != account.id:
        return False
    origin = traces.other(row)
    arrival = traces.last(change.connection, origin)
    if arrival is None or arrival.detail.get("succeeds") != row.journal_id:
        return False
    heir = change.occupant(Place(resource.place.space, origin.path))
    if heir is None or heir.is_collection or change.now - arrival.at > traces.SUCCESSION:
        return False
    return _is_same(resource.disk, heir.disk)


def _moved(change: Change, resource: Resource) -> sa.Row[Any] | None:
    """How it came to its name, if that was from another one in the space."""
    place = resource.place
    row = traces.last(change.connection, Spot.of(place))
    if row is None or row.kind != ARRIVED or row.other_tree != LIVE:
        return None
    return row if row.other_space_id == place.space.id else None
