"""Changes that were made directly on the disk become part of the journal."""

import os

from acl import members
from acl.actor import Actor
from davserver.documents import counts, destination, inventory, locks, properties, traces
from davserver.documents.change import Change
from davserver.documents.documents import Documents
from davserver.documents.inventory import Difference
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE
from davserver.documents.traces import Spot, Trace


def adopt(documents: Documents, actor: Actor, slug: str) -> Difference | None:
    """Let the journal of a space say what lies on the disk, as one act of `actor`.

    What was moved keeps its properties and member lists. What is gone is gone, and what was
    overwritten too: nobody asked history to keep it. Returns what was adopted, None if there is
    no space of this name, or no directory for it: then a disk is missing, and not documents.
    """
    with documents.change(actor, (slug,)) as change:
        space = change.registry.spaces.get(slug)
        if space is None or not change.store.space_root(slug).is_dir():
            return None
        root = Place(space, "")
        expected = inventory.recorded(change.connection, space.id)
        difference = inventory.compare(change.root(root), expected)
        _carry_over(change, root, difference)
        _note(change, root, difference)
        detail = {
            "appeared": len(difference.appeared),
            "vanished": len(difference.vanished),
            "moved": len(difference.moved),
            "altered": len(difference.altered),
            # Also without a difference: what was put there may have been deleted since.
            "forgotten": _forget(change, root),
            # What cannot be looked into cannot be counted either.
            "recount": None if difference.unreadable else counts.recount(change, space),
        }
        if any(detail.values()):
            change.record("document.adopt", root, detail)
        return difference


def _carry_over(change: Change, root: Place, difference: Difference) -> None:
    """Take along what the database keeps by name."""
    space = root.space
    # Two may have changed places: so all leave first, the innermost before what is around it.
    aside = change.act.uid
    lists: members.Lists = {}
    left = dict.fromkeys(difference.vanished) | dict(difference.moved)
    for path in sorted(left, key=len, reverse=True):
        place, target = Place(space, path), left[path]
        locks.remove_tree(change.connection, place)
        if target is None:
            properties.remove_tree(change.connection, place)
            continue
        properties.move_tree(change.connection, place, Place(space, target, aside))
        restricted = members.dump(change.act, space.id, path)
        members.drop(change.act, space.id, restricted)
        for folder, lines in restricted.items():
            lists[target + folder.removeprefix(path)] = lines
    targets = [target for _, target in difference.moved]
    for path in (*difference.tops(), *targets):
        # What is left over from something that lay there long ago.
        properties.remove_tree(change.connection, Place(space, path))
    for path in targets:
        arriving = Place(space, path, aside)
        properties.move_tree(change.connection, arriving, Place(space, path))
    destination.restrict(change, lists, root, root)


def _forget(change: Change, root: Place) -> int:
    """Forget the properties and locks of what does not exist; return of how many names."""
    space, now = root.space, change.now
    named = {
        lock.path
        for lock in locks.listing(change.connection, now, space_id=space.id)
        if lock.tree == LIVE
    }
    named |= properties.of_members(change.connection, root, deep=True).keys()
    gone = [path for path in named if change.occupant(Place(space, path)) is None]
    for path in gone:
        locks.remove_tree(change.connection, Place(space, path))
        properties.remove_tree(change.connection, Place(space, path))
    return len(gone)


def _note(change: Change, root: Place, difference: Difference) -> None:
    """Let the change leave the traces that it would have left over DAV."""
    for path in difference.vanished:
        left = Spot.of(Place(root.space, path))
        change.left_behind.append(Trace(traces.LEFT, left))
    for source, target in difference.moved:
        change.moved(Place(root.space, source), Place(root.space, target))
    for path, status in difference.appeared.items():
        change.born(_resource(change, root, path, status))
    for path, status in difference.altered.items():
        change.altered(_resource(change, root, path, status))


def _resource(change: Change, root: Place, path: str, status: os.stat_result) -> Resource:
    return Resource(Place(root.space, path), change.root(root) / path, status)
