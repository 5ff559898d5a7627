"""MKCOL: a new, empty folder."""

from davserver.documents import properties
from davserver.documents.change import Change
from davserver.documents.conditions import Conditions
from davserver.documents.intents import Rename
from davserver.documents.locks import extend
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE
from davserver.errors import AlreadyMapped, Forbidden


def create(change: Change, place: Place, conditions: Conditions) -> Resource:
    """Make a folder at `place` (RFC 4918, 9.3).

    Raises what `View.new_member` raises, `AlreadyMapped`, `PreconditionFailed`, `Locked`, and
    `Forbidden` for a name that only clutter has.
    """
    if not place.path:
        raise AlreadyMapped()
    if place.tree != LIVE:
        raise Forbidden()
    if change.new_member(place) is not None:
        raise AlreadyMapped()
    change.check(place, conditions)
    held = change.unlocked(place, conditions, membership=True)
    extend(change.connection, held, change.now)
    properties.remove_tree(change.connection, place)
    change.store.staged(change.act.uid).mkdir(mode=0o700)
    change.carry_out((Rename(change.staged(), change.relative(place)),), place.space)
    folder = change.now_at(place)
    change.born(folder)
    change.record("folder.create", place, {"inode": folder.status.st_ino})
    return folder
