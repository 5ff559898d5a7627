"""Many documents and folders go elsewhere in one act, with all that belongs to them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from acl import members, spaces
from acl.journal import new_uid
from acl.registry import Space
from davserver import paths
from davserver.documents import belongings, kept, locks, store, walk
from davserver.documents.arrangement import Node
from davserver.documents.change import Change
from davserver.documents.intents import Step, Touch
from davserver.documents.inversion import Annotation
from davserver.documents.itinerary import Itinerary, Piece
from davserver.documents.kept import TRASH, VERSION
from davserver.documents.outcome import Outcome
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE
from davserver.documents.traces import ARRIVED, LEFT, Spot, Trace


class Resettlement:
    """Lets `change`, which holds all spaces concerned, bring about `outcome`."""

    def __init__(self, change: Change, outcome: Outcome) -> None:
        self._change = change
        self._outcome = outcome
        self._kept = outcome.ground.kept
        self._trees = {one.origin.tree for one in outcome.departures} - {LIVE}
        self._updates = outcome.updates()
        self._spaces = self._concerned()
        self._properties = belongings.properties(
            change.connection, [space.id for space in self._spaces], self._trees
        )
        self._lists = belongings.lists(
            change.act, self._spaces, [self._kept[uid] for uid in self._trees]
        )

    def carry_out(self) -> list[Annotation]:
        """Do it all, but for the row of the journal.

        Returns what inverts the updates of what was not moved, as annotations.
        """
        prepared = self._prepare()
        self._charge()
        pieces = self._take()
        self._forget_kept()
        itinerary = Itinerary(
            self._change.store, self._change.act.uid, self._outcome, pieces, prepared
        )
        touches, former = self._update(itinerary)
        belongings.write_properties(self._change.connection, self._properties)
        belongings.write_lists(self._change.act, self._lists, self._kept)
        self._unlock()
        steps = [*itinerary.steps(), *touches]
        if steps:
            self._change.carry_out(steps, *self._spaces)
        self._tell(former)
        return former

    def _concerned(self) -> list[Space]:
        spots = [self._outcome.inversion.wanted.spot(one.node) for one in self._updates]
        spots += [one.origin for one in self._outcome.departures]
        spots += [one.target for one in self._outcome.arrivals]
        ids = {spot.space_id for spot in spots if spot is not None}
        return [self._change.registry.space_by_id[one] for one in sorted(ids)]

    def _prepare(self) -> dict[Node, str]:
        """Stage what is not there yet: copies of documents, and new folders."""
        change, prepared = self._change, {}
        for number, one in enumerate(self._outcome.arrivals):
            source = self._outcome.inversion.copies.get(one.origin) if one.origin else None
            if one.origin is not None and source is None:
                continue
            staged = change.store.staging / f"{change.act.uid}.new{number}"
            if source is None:
                staged.mkdir(mode=0o700)
                change.undo.append(staged.rmdir)
            else:
                change.undo.append(partial(staged.unlink, missing_ok=True))
                size = store.copy_file(self._outcome.ground.there(source).disk, staged)
                spaces.charge(change.connection, one.target.space_id, size)
            prepared[one.node] = str(staged.relative_to(change.store.data))
        return prepared

    def _charge(self) -> None:
        """Let what goes to another space count there. No quota keeps anything from coming back."""
        for one in self._outcome.departures:
            if one.target is not None and one.origin.space_id != one.target.space_id:
                size = self._size(one.origin)
                spaces.charge(self._change.connection, one.origin.space_id, -size)
                spaces.charge(self._change.connection, one.target.space_id, size)

    def _size(self, origin: Spot) -> int:
        """The bytes of what lies at `origin`, but for what departs by itself."""
        there = self._outcome.ground.there
        own = [one.origin for one in self._outcome.departures if _is_inside(one.origin, origin)]
        outermost = [one for one in own if not any(_is_inside(one, other) for other in own)]
        return walk.size(there(origin).disk) - sum(walk.size(there(one).disk) for one in outermost)

    def _take(self) -> list[Piece]:
        """Let each thing go, with its properties and its lists."""
        pieces, taken = [], []
        for one in self._outcome.departures:
            values, lists = self._properties.take(one.origin), self._lists.take(one.origin)
            piece = Piece(one, self._outcome.ground.there(one.origin))
            target = one.target
            if target is None:
                own = {spot.path: lines for spot, lines in lists.items()}
                place = self._keep(piece, own)
                piece = replace(piece, kept=self._change.kept_at(place))
                # A version has none of its own: its successor has them.
                target = None if one.origin in self._outcome.superseded else Spot.of(place)
                lists = {}
            else:
                self._change.left_behind.append(Trace(LEFT, one.origin, target))
            pieces.append(piece)
            if target is not None:
                taken.append((one.origin, target, values, lists))
        for arrival in self._outcome.arrivals:
            # Some may be left over from what was removed on the disk.
            self._properties.take(arrival.target)
            self._lists.take(arrival.target)
        for origin, target, values, lists in taken:
            for spot, value in values.items():
                self._properties.put(spot.below(origin.path, target), value)
            for spot, lines in lists.items():
                self._lists.put(spot.below(origin.path, target), lines)
        for spot, source in self._outcome.inheritors():
            self._properties.put(spot, self._properties.before(source) or {})
        return pieces

    def _keep(self, piece: Piece, lists: members.Lists) -> Place:
        """Let it go to history; return its place there."""
        if piece.departure.origin.tree == LIVE:
            reason = VERSION if piece.departure.origin in self._outcome.superseded else TRASH
            return self._change.keep(piece.resource, reason, lists)
        # It stays behind in history when what it is in comes back.
        change, resource = self._change, piece.resource
        size = None if resource.is_collection else resource.size
        one = replace(
            self._kept[piece.departure.origin.tree],
            uid=new_uid() if change.keeping else change.act.uid,
            at=change.now,
            path=piece.departure.origin.path,
            reason=TRASH,
            collection=resource.is_collection,
            size=size,
            restricted=lists,
        )
        change.keeping.append(one)
        spaces.charge(change.connection, one.space_id, 0, history=size or 0)
        place = Place(resource.place.space, one.path, one.uid)
        change.left_behind.append(Trace(LEFT, piece.departure.origin, Spot.of(place)))
        return place

    def _forget_kept(self) -> None:
        """What leaves history is kept no longer, and counts as history no longer."""
        connection = self._change.connection
        origins = {one.origin for one in self._outcome.departures}
        history: defaultdict[int, int] = defaultdict(int)
        for uid in self._trees:
            one = self._kept[uid]
            history[one.space_id] -= one.size or 0
            if Spot(one.space_id, uid, one.path) in origins:
                kept.remove(connection, uid)
            elif one.size is not None:
                # What is left of it is counted anew.
                kept.set_size(connection, uid, None)
        for space_id, size in history.items():
            spaces.charge(connection, space_id, 0, history=size)

    def _update(self, itinerary: Itinerary) -> tuple[list[Step], list[Annotation]]:
        """Give back properties and times; return the steps for that, and what inverts it."""
        touches: list[Step] = []
        inverse = []
        for one in self._updates:
            spot = self._outcome.inversion.wanted.spot(one.node)
            assert spot is not None and one.node.origin is not None
            now = dict(self._properties.after(spot) or {})
            former = {
                name: now.get(name)
                for name, value in one.properties.items()
                if now.get(name) != value
            }
            origin = self._outcome.inversion.copies.get(one.node.origin, one.node.origin)
            modified = self._outcome.ground.there(origin).status.st_mtime_ns
            touched = one.modified_ns is not None and one.modified_ns != modified
            if not former and not touched:
                continue
            for name in former:
                now.pop(name, None)
            kept_values = {n: v for n, v in one.properties.items() if n in former and v is not None}
            self._properties.put(spot, now | kept_values)
            if touched and one.modified_ns is not None:
                touches.append(Touch(itinerary.disk(one.node), modified, one.modified_ns))
            inverse.append(Annotation(spot, former, modified if touched else None))
        return touches, inverse

    def _unlock(self) -> None:
        """A lock is on a name: it ends where something goes from it, or comes to it."""
        spots = {one.origin for one in self._outcome.departures}
        spots |= {one.target for one in self._outcome.arrivals}
        connection, now = self._change.connection, self._change.now
        for space in self._spaces:
            locks.remove(
                connection,
                [
                    lock.token
                    for lock in locks.listing(connection, now, space_id=space.id)
                    if lock.tree == LIVE
                    and any(
                        Spot(space.id, LIVE, path) in spots
                        for path in (*paths.ancestors(lock.path), lock.path)
                    )
                ],
            )

    def _tell(self, altered: Iterable[Annotation]) -> None:
        """Leave the traces of what has come, and of what was touched."""
        copies, change = self._outcome.inversion.copies, self._change
        for one in self._outcome.arrivals:
            if one.origin is None or one.origin in copies:
                change.born(self._now_at(one.target))
            else:
                change.left_behind.append(Trace(ARRIVED, one.target, one.origin))
        for annotation in altered:
            if annotation.modified_ns is not None:
                change.altered(self._now_at(annotation.spot))

    def _now_at(self, spot: Spot) -> Resource:
        return self._change.now_at(
            Place(self._change.registry.space_by_id[spot.space_id], spot.path)
        )


def _is_inside(spot: Spot, folder: Spot) -> bool:
    same = (spot.space_id, spot.tree) == (folder.space_id, folder.tree)
    return same and spot.path != folder.path and paths.is_within(spot.path, folder.path)
