"""A space's agenda, tasks and contacts go back to what they were, object by object.

The journal has the former text of each object that was changed. What is to be undone of one are
the acts after the last one that is to stay; its text before them comes back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any

import sqlalchemy as sa

from acl.journal import Act, before
from acl.tables import journal
from calendars import collections, content, objects
from calendars.content import Content
from calendars.desk import Desk
from calendars.home import Place
from calendars.tables import objects as rows
from config.errors import DavserverError
from config.language import Phrase


class Reason(Enum):
    """Why an object is left as it is."""

    CHANGED = Phrase("It was changed since.")
    UNKNOWN = Phrase("The journal does not have its former text.")
    TAKEN = Phrase("There is another entry with this UID here now.")


@dataclass(frozen=True)
class Former:
    """What an object was before an act: `text`, None if it was not there or is not known."""

    collection_id: int
    name: str
    text: str | None
    known: bool = True


@dataclass(frozen=True)
class Restoration:
    """What becomes of the object `name` of `place`: `text` again, None if it is taken away.

    `now` is its text of now, None if there is none. `logins` are whose acts are undone, the
    latest first, `at` is when the last one was. `reason` says why it is left alone, if it is;
    `logins` are then those of who changed it since.
    """

    place: Place
    name: str
    text: str | None
    now: str | None
    logins: tuple[str, ...]
    at: datetime
    reason: Reason | None = None

    @property
    def key(self) -> tuple[int, str]:
        """What identifies it."""
        return (self.place.id, self.name)

    @property
    def path(self) -> str:
        """Where it is, as the journal has it."""
        return f"{self.place.name}/{self.name}"


@dataclass(frozen=True)
class _Now:
    """An object as it is: its text and its UID."""

    text: str
    uid: str


_Key = tuple[int, str]
"""An object: its collection and its name."""


def hold(desk: Desk) -> None:
    """Let nobody else change the collections until the transaction ends. Before `plan`, if
    `carry_out` is to follow."""
    collections.take(desk.connection, [place.id for place in desk.places().values()])


def plan(
    desk: Desk, moment: datetime, choose: Callable[[int | None, str], bool]
) -> list[Restoration]:
    """What undoing acts since `moment` comes to, in the collections that `desk` has.

    `choose` says of an account's id (None: the command line) and the name of a device whether
    what was done with them is to be undone.
    """
    places = {place.id: place for place in desk.places().values()}
    now = {
        (row.collection_id, row.name): _Now(row.data.decode(), row.uid)
        for row in desk.connection.execute(sa.select(rows).where(rows.c.collection_id.in_(places)))
    }
    found = []
    for (collection_id, name), acts in _changed(desk, places, moment).items():
        there = now.get((collection_id, name))
        text = None if there is None else there.text
        one = _restoration(places[collection_id], name, text, acts, choose)
        if one is not None:
            found.append(one)
    found.sort(key=lambda one: one.path)
    return _without_conflicts(now, found)


def _changed(
    desk: Desk, places: Mapping[int, Place], moment: datetime
) -> dict[_Key, list[tuple[sa.Row[Any], Former]]]:
    """The acts since `moment`, the latest first, by the objects that they changed."""
    query = (
        sa.select(journal)
        .where(
            journal.c.id > before(desk.connection, moment),
            journal.c.at > moment,
            journal.c.action.in_(_ACTIONS),
            # What came from elsewhere has its row there.
            (journal.c.space_id == desk.space.id) | (journal.c.action == _MOVE),
        )
        .order_by(journal.c.id.desc())
    )
    changed: dict[_Key, list[tuple[sa.Row[Any], Former]]] = {}
    for row in desk.connection.execute(query):
        for former in formers(row):
            if former.collection_id in places:
                key = (former.collection_id, former.name)
                changed.setdefault(key, []).append((row, former))
    return changed


_MOVE = "agenda.move"
_ACTIONS = ("agenda.put", "agenda.delete", _MOVE, "space.rewind")


def formers(row: sa.Row[Any]) -> Iterator[Former]:
    """What a row of the journal says that objects were before it."""
    detail = row.detail
    if row.action == "space.rewind":
        for one in detail["agenda"]:
            yield Former(one["collection"], one["name"], one["former"])
        return
    if row.action == _MOVE:
        # Rows of earlier versions do not say what was moved.
        moved = detail.get("moved")
        yield Former(detail["collection"], _name(row.path), moved, moved is not None)
        yield Former(detail["to_collection"], _name(detail["to"]), detail["former"])
    else:
        yield Former(detail["collection"], _name(row.path), detail["former"])


def _name(path: str) -> str:
    return path.partition("/")[2]


def _restoration(
    place: Place,
    name: str,
    now: str | None,
    acts: Sequence[tuple[sa.Row[Any], Former]],
    choose: Callable[[int | None, str], bool],
) -> Restoration | None:
    """What becomes of an object that these acts changed, the latest first."""
    chosen = []
    for row, former in acts:
        if not choose(row.account_id, row.device):
            break
        chosen.append((row, former))
    if not chosen:
        if not any(choose(row.account_id, row.device) for row, _ in acts):
            return None
        row, _ = acts[0]
        return Restoration(place, name, now, now, (row.login,), row.at, Reason.CHANGED)
    logins = tuple(dict.fromkeys(row.login for row, _ in chosen))
    _, former = chosen[-1]
    one = Restoration(place, name, former.text, now, logins, chosen[0][0].at)
    if not former.known:
        return replace(one, text=now, reason=Reason.UNKNOWN)
    return None if former.text == now else one


def _without_conflicts(now: Mapping[_Key, _Now], found: Sequence[Restoration]) -> list[Restoration]:
    """The same, but what cannot come back is left alone: what cannot be read any more, and what
    would be a second object of one UID."""
    due: dict[_Key, Content | None] = {}
    left: dict[_Key, Reason] = {}
    for one in found:
        if one.reason is None:
            restored = _content(one)
            due[one.key] = restored
            if restored is None and one.text is not None:
                left[one.key] = Reason.UNKNOWN
    while True:
        for key in left:
            # It keeps the UID it has, which may be in the way of another one.
            due.pop(key, None)
        taken = {(key[0], one.uid) for key, one in now.items() if key not in due}
        known = len(left)
        for key, restored in due.items():
            if restored is not None and (key[0], restored.uid) in taken:
                left[key] = Reason.TAKEN
            elif restored is not None:
                taken.add((key[0], restored.uid))
        if len(left) == known:
            break
    return [
        replace(one, text=one.now, reason=left[one.key]) if one.key in left else one
        for one in found
    ]


def _content(one: Restoration) -> Content | None:
    """What it will be; None if it will not be, or cannot be read any more."""
    if one.text is None:
        return None
    try:
        return content.read(one.text.encode(), one.place.tag)
    except DavserverError:
        return None


def carry_out(act: Act, planned: Sequence[Restoration]) -> list[dict[str, object]]:
    """Do what `plan` has planned in the same transaction; return what inverts it, as the journal
    has it (see `formers`)."""
    due = [one for one in planned if one.reason is None]
    for one in due:
        if one.now is not None:
            # All of them first: two may have exchanged their UIDs.
            objects.remove(act.connection, one.place, one.name)
    for one in due:
        restored = _content(one)
        if restored is not None:
            objects.write(act, one.place, one.name, restored, None)
    return [{"collection": one.place.id, "name": one.name, "former": one.now} for one in due]
