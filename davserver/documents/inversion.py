"""Acts undone, the latest first, by what they did and not by the names they did it to.

Names change hands: what an act put at a name may have another one since, and the name may be
somebody else's now. So there are two arrangements. In one, *then*, every act is undone, whoever
did it: it leads from the names of that time to what lies where now. In the other, *wanted*, only
the chosen acts are undone: what they did to a thing, to that thing, wherever it is.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from config.language import Phrase
from davserver import paths
from davserver.documents.arrangement import Arrangement, Ground, Node, Slot
from davserver.documents.tables import LIVE
from davserver.documents.traces import Spot, Trace


@dataclass(frozen=True)
class Annotation:
    """What an act changed about the document or folder at a live spot without moving it.

    `former` are the dead properties it set, as they were (None: there was none), and
    `modified_ns` the time of modification, None if it left that.
    """

    spot: Spot
    former: Mapping[str, str | None]
    modified_ns: int | None = None


@dataclass(frozen=True)
class Done:
    """An act as it is to be undone: who did it, from which device, and what.

    `apart` are the spots at which a document took the place of another one, which is none of its
    versions.
    """

    id: int
    at: datetime
    account_id: int | None
    login: str
    device: str
    left: tuple[Trace, ...] = ()
    arrived: tuple[Trace, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    apart: frozenset[Spot] = frozenset()

    @property
    def kept(self) -> Iterator[tuple[Spot, Spot]]:
        """What went to history: where it was, and where it is there."""
        for trace in self.left:
            if trace.other is not None and trace.other.tree != LIVE:
                yield trace.spot, trace.other


class Reason(Enum):
    """Why something is left as it is."""

    CHANGED = Phrase("It was changed since; what it was before is one of its versions.")
    REMOVED = Phrase("It was deleted since; it is in the trash.")
    BACK = Phrase("It was brought back already.")
    GONE = Phrase("What was there before is no longer kept.")
    MISSING = Phrase("It is no longer there: somebody removed it directly on the disk.")
    HOLDS = Phrase("There is something in it that is to stay.")


@dataclass(frozen=True)
class Remark:
    """Something that cannot be undone: what, where it was then, why, and whose act it was."""

    node: Node | None
    spot: Spot
    reason: Reason
    done: Done


@dataclass
class _Going:
    """What has been taken away, and where it is to go: to a slot, or to a name of then."""

    node: Node
    spot: Spot
    slot: Slot | None = None


@dataclass
class Inversion:
    """Undoes acts in two arrangements of the same ground.

    `choose` says whether an act is one to be undone, as far as that is a question of who did it.
    It must have done something in one of the `areas`, which are named by where they lie now,
    whatever name they had then; or at the name `within`. `exact`: all that was done there is to
    be undone, so that nothing is anybody's to stay. `aside` gives the names to put something at,
    beside a name that is taken.
    """

    ground: Ground
    choose: Callable[[Done], bool]
    areas: tuple[Spot, ...]
    within: Spot
    exact: bool
    aside: Callable[[str, bool], Iterator[str]]
    then: Arrangement = field(init=False)
    wanted: Arrangement = field(init=False)
    remarks: list[Remark] = field(init=False, default_factory=list)
    # What stands for a document that nothing is kept of: a copy of what lies there now.
    copies: dict[Spot, Spot] = field(init=False, default_factory=dict)
    # Dead properties and times of modification that become what they were.
    updates: dict[Spot, dict[str, str | None]] = field(init=False, default_factory=dict)
    modified: dict[Spot, int] = field(init=False, default_factory=dict)
    # The acts that were undone: by what they moved, and by where what they changed otherwise is.
    undone: dict[Node, list[Done]] = field(init=False, default_factory=dict)
    annotators: defaultdict[Spot, list[Done]] = field(
        init=False, default_factory=lambda: defaultdict(list)
    )
    _settled: set[tuple[Spot, str]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.then, self.wanted = Arrangement(self.ground), Arrangement(self.ground)

    def undo(self, done: Done) -> None:
        """Undo the act: all acts after it have been through here, and none before it."""
        chosen = self.choose(done)
        lost = self._lost(done)
        self._annotate(done, chosen)
        if not chosen:
            self._undo_then(done, lost)
            return
        found = self._found(done)
        partly = self._partly(done)
        arrived = {trace for trace in done.arrived if self._is_inside(trace.spot)}
        self._undo_then(done, lost)
        left = {trace for trace in done.left if self._is_inside(trace.spot)}
        self._undo_wanted(_of(done, left, arrived), found, lost)
        for node, spot in partly:
            self._settle_down(list(self._from_history(done, spot, node)))

    # What the act is about

    def _is_inside(self, spot: Spot) -> bool:
        """Whether a name of then is in one of the areas."""
        for area in (self.within, *self._areas_then()):
            same = (spot.space_id, spot.tree) == (area.space_id, area.tree)
            if same and paths.is_within(spot.path, area.path):
                return True
        return False

    def _areas_then(self) -> Iterator[Spot]:
        """The names that the areas have then."""
        for area in self.areas:
            node = self.then.holding(area)
            spot = None if node is None else self.then.spot(node)
            if spot is not None:
                yield spot

    def _found(self, done: Done) -> dict[Spot, Node | None]:
        """What arrived, and what went to history, as it is in the arrangement wanted so far."""
        spots = [trace.spot for trace in done.arrived] + [there for _, there in done.kept]
        return {spot: self._now(spot) for spot in spots}

    def _now(self, spot: Spot) -> Node | None:
        """What had a name then, in the arrangement wanted so far."""
        node = self.then.at(spot)
        if node is None or node.origin is None:
            return None
        now = self.wanted.holding(node.origin)
        if now is None and node.origin in self.copies:
            # What it stands for was not undone: it is what it would be a copy of.
            now = self.wanted.holding(self.copies[node.origin])
        return now

    def _lost(self, done: Done) -> frozenset[Spot]:
        """The names of which history does not keep what left them."""
        kept = {there for there in done.kept if self.then.at(there[1]) is not None}
        away = {trace.spot for trace in done.left if trace.other and trace.other.tree == LIVE}
        away |= {spot for spot, _ in kept}
        return frozenset(trace.spot for trace in done.left) - away

    def _partly(self, done: Done) -> list[tuple[Node, Spot]]:
        """The areas that went to history with what is around them: each as it is now wanted, and
        the name it had."""
        found = []
        for area in self._areas_then():
            for spot, there in done.kept:
                around = (there.space_id, there.tree) == (area.space_id, area.tree)
                node = self._now(area)
                if around and node is not None and area.path != there.path:
                    found.append((node, area.below(there.path, spot)))
        return found

    # Then

    def _undo_then(self, done: Done, lost: frozenset[Spot]) -> None:
        going: list[_Going] = []
        replaced: dict[Spot, Node] = {}
        for trace in _deepest_first(done.arrived):
            node = self.then.at(trace.spot)
            if node is None:
                continue
            if trace.spot in lost and not self.then.is_folder(node):
                # It stands for what it replaced; what it was before needs a stand-in.
                if trace.other is not None:
                    going.append(_Going(self._copy(self.then, done, trace, node), trace.other))
                continue
            self.then.detach(node)
            replaced[trace.spot] = node
            if trace.other is not None:
                going.append(_Going(node, trace.other))
        for spot, there in done.kept:
            node = self.then.at(there)
            if node is not None:
                self.then.detach(node)
                if spot in replaced and spot not in done.apart:
                    self._inherit(self.then, node, replaced[spot])
                going.append(_Going(node, spot))
        for one in _shallowest_first(going):
            slot = self.then.way(one.spot, self._clear)
            self.then.attach(one.node, slot if self.then.is_free(slot) else self._clear(slot))

    def _clear(self, slot: Slot) -> Slot:
        """Make a name of then free: what is there now was never put there by an act."""
        known = slot.folder.children.get(slot.name)
        if known is not None:
            self.then.detach(known)
        slot.folder.children[slot.name] = None
        return slot

    def _copy(self, arrangement: Arrangement, done: Done, trace: Trace, node: Node) -> Node:
        assert node.origin is not None
        origin = Spot(trace.spot.space_id, f"={done.id}", trace.spot.path)
        # Of a copy of a copy, what both are copies of.
        self.copies[origin] = self.copies.get(node.origin, node.origin)
        copy = arrangement.stand_in(origin)
        copy.properties = node.annotated
        return copy

    @staticmethod
    def _inherit(arrangement: Arrangement, former: Node, node: Node) -> None:
        """A document's properties are those of its former content as well."""
        if not arrangement.is_folder(node) and not arrangement.is_folder(former):
            former.properties = node.annotated

    # Wanted

    def _undo_wanted(
        self, done: Done, found: Mapping[Spot, Node | None], lost: frozenset[Spot]
    ) -> None:
        going: list[_Going] = []
        settled: set[Spot] = set()
        history = dict(done.kept)
        for trace in _deepest_first(done.arrived):
            node = found[trace.spot]
            if node is None:
                self._remark(None, trace.spot, Reason.MISSING, done)
                continue
            settled.add(trace.spot)
            if trace.spot in lost and not self.wanted.is_folder(node):
                self._keep_replacement(done, trace, node, going)
                continue
            if not self._may_go(done, trace, node):
                continue
            slot = self._take(done, node)
            if trace.other is not None:
                going.append(_Going(node, trace.other))
            former = found.get(history[trace.spot]) if trace.spot in history else None
            if former is None:
                continue
            if self._is_back(former):
                self._remark(former, trace.spot, Reason.BACK, done)
                continue
            self._take(done, former)
            if trace.spot not in done.apart:
                self._inherit(self.wanted, former, node)
            going.append(_Going(former, trace.spot, slot))
        for spot, there in done.kept:
            if spot not in settled:
                going += self._from_history(done, spot, found[there])
        self._settle_down(going)

    def _keep_replacement(self, done: Done, trace: Trace, node: Node, going: list[_Going]) -> None:
        """Nothing is kept of what it replaced, so it stays; what it was before is a copy of it."""
        if trace.other is not None and (self.exact or self.wanted.is_live(node)):
            copy = self._copy(self.wanted, done, trace, node)
            self.undone[copy] = [done]
            going.append(_Going(copy, trace.other))
        if trace.spot in dict(done.kept):
            self._remark(node, trace.spot, Reason.GONE, done)

    def _may_go(self, done: Done, trace: Trace, node: Node) -> bool:
        """Whether what arrived may be taken from where it is."""
        if self.exact and (trace.other is not None or self.wanted.is_live(node)):
            return True
        if not self.wanted.is_live(node):
            self._remark(node, trace.spot, Reason.CHANGED, done)
            return False
        if trace.other is None and self.wanted.is_folder(node) and not self.wanted.is_empty(node):
            self._remark(node, trace.spot, Reason.HOLDS, done)
            return False
        return True

    def _is_back(self, node: Node) -> bool:
        """Whether what went to history has been brought back, and may stay where it is."""
        return not self.exact and self.wanted.is_live(node)

    def _from_history(self, done: Done, spot: Spot, node: Node | None) -> Iterator[_Going]:
        if node is None:
            self._remark(None, spot, Reason.GONE, done)
        elif self._is_back(node):
            self._remark(node, spot, Reason.BACK, done)
        else:
            self._take(done, node)
            yield _Going(node, spot)

    def _take(self, done: Done, node: Node) -> Slot | None:
        self.undone.setdefault(node, []).append(done)
        return self.wanted.detach(node)

    def _settle_down(self, going: Iterable[_Going]) -> None:
        for one in _shallowest_first(going):
            slot = one.slot
            if slot is None or not self.wanted.is_live(slot.folder):
                slot = self._slot(one.spot)
            if not self.wanted.is_free(slot):
                slot = self._beside(slot, self.wanted.is_folder(one.node))
            self.wanted.attach(one.node, slot)

    def _slot(self, spot: Spot) -> Slot:
        """The name of then in the folder that it was in, wherever that is."""
        if spot.tree == LIVE:
            folder = self._now(Spot(spot.space_id, spot.tree, paths.parent(spot.path)))
            if folder is not None and self.wanted.is_live(folder) and self.wanted.is_folder(folder):
                return Slot(folder, paths.name(spot.path))
        return self.wanted.way(spot, lambda taken: self._beside(taken, True))

    def _beside(self, slot: Slot, folder: bool) -> Slot:
        for name in self.aside(slot.name, folder):
            other = Slot(slot.folder, name)
            if self.wanted.is_free(other):
                return other
        raise AssertionError("names do not end")

    # What does not move

    def _annotate(self, done: Done, chosen: bool) -> None:
        for one in done.annotations:
            node = self.then.at(one.spot)
            if node is None or node.origin is None or node.annotated is None:
                continue
            undo = chosen and self._is_inside(one.spot)
            for name, value in one.former.items():
                if not undo:
                    # What is older than somebody else's change is not in force.
                    self._settled.add((node.annotated, name))
                elif (node.annotated, name) not in self._settled:
                    self.updates.setdefault(node.annotated, {})[name] = value
                    self.annotators[node.annotated].append(done)
            if one.modified_ns is not None:
                if not undo:
                    self._settled.add((node.origin, ""))
                elif (node.origin, "") not in self._settled:
                    self.modified[node.origin] = one.modified_ns
                    self.annotators[node.origin].append(done)

    def _remark(self, node: Node | None, spot: Spot, reason: Reason, done: Done) -> None:
        self.remarks.append(Remark(node, spot, reason, done))


def _of(done: Done, left: Set[Trace], arrived: Set[Trace]) -> Done:
    """What of an act has to do with these traces: a move leaves two, and what comes out of history
    may leave something there that was in it."""
    sources = {trace.other for trace in arrived} | {trace.spot for trace in left}
    targets = {trace.other for trace in left} | {trace.spot for trace in arrived}
    trees = {spot.tree for spot in sources if spot is not None and spot.tree != LIVE}
    return replace(
        done,
        left=tuple(
            one
            for one in done.left
            if one in left or one.other in targets or one.spot.tree in trees
        ),
        arrived=tuple(one for one in done.arrived if one in arrived or one.other in sources),
    )


def _deepest_first(left_behind: Iterable[Trace]) -> list[Trace]:
    return sorted(left_behind, key=lambda trace: -trace.spot.path.count("/"))


def _shallowest_first(going: Iterable[_Going]) -> list[_Going]:
    return sorted(going, key=lambda one: one.spot.path.count("/"))
