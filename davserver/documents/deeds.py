"""What the verbs on documents note for the tripwire (`acl.tripwire`)."""

from datetime import timedelta
from pathlib import Path

from acl.deeds import Deed, Kind
from davserver.documents import endings, kept, samples, succession
from davserver.documents.change import Change
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE

# For how long what has left a name still counts as what was there before: to empty a document
# first, or to delete it, makes no difference.
_LATELY = timedelta(minutes=10)


def note_arrival(
    change: Change, source: str, collection: bool, target: Place, occupant: Resource | None
) -> None:
    """Note that what lies at `source` (as steps name it) is about to come to `target`.

    `occupant` is what is there.
    """
    if occupant is not None and (occupant.is_collection or occupant.size):
        _note(change, Kind.OVERWRITTEN, target)
    if not collection and _is_scrambled(change, source, target, occupant):
        _note(change, Kind.SCRAMBLED, target)


def note_move(change: Change, resource: Resource, target: Place) -> None:
    """Note that `resource` is about to get the name of `target`."""
    ending = endings.ending(target.name)
    if resource.is_collection or ending == endings.ending(resource.place.name):
        return
    if endings.is_foreign(ending):
        _note(change, Kind.RENAMED, resource.place, ending)


def note_delete(change: Change, resource: Resource) -> None:
    """Note that `resource` is about to be deleted."""
    if resource.place.tree == LIVE and not succession.is_passing(change, resource):
        _note(change, Kind.DELETED, resource.place)


def _note(change: Change, kind: Kind, place: Place, ending: str = "") -> None:
    change.act.deeds.append(Deed(kind, place.space.id, place.path, ending))


def _is_scrambled(change: Change, source: str, target: Place, occupant: Resource | None) -> bool:
    staged = source == change.staged()
    if staged and change.suspect is None:
        return False
    former = _former(change, target, occupant)
    if former is None and staged:
        former = _original(change, target)
    was = samples.take(former) if former else None
    if was is None:
        return False
    new = change.suspect if staged else samples.suspect(change.store.data / source)
    return new is not None and samples.is_scrambled(was, new)


def _original(change: Change, target: Place) -> Path | None:
    """Of a new `name.odt.locked`: the content of the `name.odt` beside it."""
    if not endings.is_foreign(endings.ending(target.name)):
        return None
    beside = Place(target.space, target.path.rpartition(".")[0])
    return _former(change, beside, change.occupant(beside))


def _former(change: Change, place: Place, occupant: Resource | None) -> Path | None:
    """The content that is at `place`, or was there a moment ago."""
    if occupant is not None and (occupant.is_collection or occupant.size):
        return None if occupant.is_collection else occupant.disk
    since = change.now - _LATELY
    left = [
        one
        for reason in (kept.VERSION, kept.TRASH)
        for one in kept.listing(
            change.connection, place.space, reason, since=since, path=place.path
        )
        if one.size
    ]
    if not left:
        return None
    latest = max(left, key=lambda one: one.journal_id)
    return change.store.kept(place.space.slug, latest.uid)
