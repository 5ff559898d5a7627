"""What a rewind does, told to people: what comes back, what goes, what is left alone, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from calendars.rewind import Restoration
from config.language import Phrase
from davserver.documents.arrangement import Node
from davserver.documents.inversion import Done, Reason, Remark
from davserver.documents.kept import TRASH
from davserver.documents.outcome import Arrival, Outcome
from davserver.documents.tables import LIVE
from davserver.documents.traces import Spot


class What(Enum):
    """What becomes of something."""

    RETURNS = Phrase("comes back")
    CONTENT = Phrase("gets its former content")
    NAME = Phrase("gets its former name")
    TRASH = Phrase("goes to the trash")
    REMOVED = Phrase("is taken out")
    FOLDER = Phrase("is made anew")
    PROPERTIES = Phrase("gets its former properties")
    LEFT = Phrase("is left alone")


@dataclass(frozen=True)
class Entry:
    """What becomes of one document or folder, or of one entry of an agenda.

    `place` is where it comes to lie, or lies: a path after the slug of its space, or the name of
    an object after that of its collection. `now` is where it lies now, "" if that is the same or
    in history. `logins` are whose acts are undone (or, of what is left alone, who has changed it
    since), the latest first, and `at` is when the last of them was, if that can be told. `reason`
    is why it is left alone.
    """

    what: What
    place: str
    now: str
    logins: tuple[str, ...]
    at: datetime | None
    reason: Phrase | None = None


@dataclass(frozen=True)
class Plan:
    """All that a rewind does. `at` is when it was looked for, or done."""

    at: datetime
    documents: tuple[Entry, ...]
    agenda: tuple[Entry, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        return (*self.documents, *self.agenda)

    @property
    def slugs(self) -> list[str]:
        """The spaces in which documents move."""
        spots = (spot for one in self.documents for spot in (one.place, one.now) if spot)
        return sorted({spot.partition("/")[0] for spot in spots})

    @property
    def changes(self) -> bool:
        """Whether anything changes."""
        return any(one.what is not What.LEFT for one in self.entries)


def plan(outcome: Outcome, restorations: Sequence[Restoration], at: datetime) -> Plan:
    """What this outcome for the documents, and these for the agenda, come to."""
    documents = [*_Telling(outcome).entries()]
    documents.sort(key=lambda one: (one.place, one.what.name))
    return Plan(at, tuple(documents), tuple(_of_agenda(one) for one in restorations))


class _Telling:
    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._inversion = outcome.inversion
        self._spaces = outcome.ground.view.registry.space_by_id

    def entries(self) -> Iterator[Entry]:
        for arrival in self._outcome.arrivals:
            yield self._arrival(arrival)
        for departure in self._outcome.departures:
            if departure.target is None and departure.origin.tree == LIVE:
                if departure.origin not in self._outcome.superseded:
                    place = self._place(departure.origin)
                    yield _entry(What.TRASH, place, self._acts(departure.node))
        moved = {one.node for one in self._outcome.arrivals}
        for update in self._outcome.updates():
            spot = self._inversion.wanted.spot(update.node)
            if update.node not in moved and spot is not None:
                yield _entry(What.PROPERTIES, self._place(spot), update.acts)
        yield from self._remarks()

    def _arrival(self, arrival: Arrival) -> Entry:
        place, acts = self._place(arrival.target), self._acts(arrival.node)
        if arrival.origin is None:
            return _entry(What.FOLDER, place, acts)
        if arrival.origin.tree == LIVE:
            return _entry(What.NAME, place, acts, self._place(arrival.origin))
        # Whose properties it has is what it replaces.
        source = arrival.node.properties
        if source is None or source.tree != LIVE:
            return _entry(What.RETURNS, place, acts)
        now = self._place(source)
        return _entry(What.CONTENT, place, acts, "" if now == place else now)

    def _remarks(self) -> Iterator[Entry]:
        told: set[tuple[Spot, Reason]] = set()
        for remark in self._inversion.remarks:
            if (remark.spot, remark.reason) not in told and self._holds(remark):
                told.add((remark.spot, remark.reason))
                yield self._remark(remark)

    def _holds(self, remark: Remark) -> bool:
        """Whether it still matters in the end."""
        if remark.reason in (Reason.GONE, Reason.HOLDS) and remark.node is not None:
            return self._inversion.wanted.is_live(remark.node)
        return True

    def _remark(self, remark: Remark) -> Entry:
        reason, who, at = remark.reason, remark.done.login, remark.done.at
        origin = remark.node.origin if remark.node else None
        since = self._outcome.ground.kept.get(origin.tree) if origin else None
        if reason is Reason.CHANGED and since is not None:
            who, at = since.login, since.at
            reason = Reason.REMOVED if since.reason == TRASH else reason
        return Entry(What.LEFT, self._place(remark.spot), "", (who,), at, reason.value)

    def _acts(self, node: Node) -> list[Done]:
        """What was undone about it, the latest first; of a folder that is made for what comes
        back into it, about that."""
        found: list[Done] = []
        pending = [node]
        while pending:
            one = pending.pop()
            found += self._inversion.undone.get(one, [])
            if one.origin is None:
                pending += [child for child in one.children.values() if child is not None]
        return sorted(found, key=lambda done: -done.id)

    def _place(self, spot: Spot) -> str:
        slug = self._spaces[spot.space_id].slug
        return f"{slug}/{spot.path}" if spot.path else slug


def _entry(what: What, place: str, acts: Sequence[Done], now: str = "") -> Entry:
    logins = tuple(dict.fromkeys(act.login for act in acts))
    return Entry(what, place, now, logins, max((act.at for act in acts), default=None))


def _of_agenda(one: Restoration) -> Entry:
    if one.reason is not None:
        return Entry(What.LEFT, one.path, "", one.logins, one.at, one.reason.value)
    if one.text is None:
        return Entry(What.REMOVED, one.path, "", one.logins, one.at)
    what = What.RETURNS if one.now is None else What.CONTENT
    return Entry(what, one.path, "", one.logins, one.at)
