"""Where things went and came from: the journal as an index by name.

Every act leaves a trace for each name that something left, and one for each name where something
arrived. With them a thing is followed from the name it had at any moment to where it lies now,
at a cost that does not depend on how much else the journal holds.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl.tables import journal
from davserver import paths
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE, kept, traces

LEFT, ARRIVED, ALTERED = "left", "arrived", "altered"

SUCCESSION = timedelta(minutes=1)
"""For how long a name waits for the next version of the document that has left it."""


@dataclass(frozen=True)
class Spot:
    """A name in a tree of a space (see tables.py): where something lies, or lay."""

    space_id: int
    tree: str
    path: str

    @classmethod
    def of(cls, place: Place) -> "Spot":
        """The spot of `place`."""
        return cls(place.space.id, place.tree, place.path)

    def below(self, path: str, target: "Spot") -> "Spot":
        """Where this spot is when `path`, around it or itself, has become `target`."""
        return Spot(target.space_id, target.tree, target.path + self.path[len(path) :])


@dataclass(frozen=True)
class Trace:
    """Something left `spot`, arrived there, or was altered there.

    `other` is where it went to or came from; None: it is gone, or new. A new one is described
    by its `inode`, its `size` in bytes (None for a folder) and its time of modification.
    """

    kind: str
    spot: Spot
    other: Spot | None = None
    inode: int | None = None
    size: int | None = None
    mtime_ns: int | None = None


def moved(source: Spot, target: Spot) -> list[Trace]:
    """What a move leaves behind."""
    return [Trace(LEFT, source, target), Trace(ARRIVED, target, source)]


def born(resource: Resource) -> Trace:
    """What a new document or folder leaves behind."""
    return _described(ARRIVED, resource)


def altered(resource: Resource) -> Trace:
    """What a change in its place leaves behind."""
    return _described(ALTERED, resource)


def _described(kind: str, resource: Resource) -> Trace:
    status = resource.status
    return Trace(
        kind,
        Spot.of(resource.place),
        inode=status.st_ino,
        size=None if resource.is_collection else status.st_size,
        mtime_ns=status.st_mtime_ns,
    )


def record(
    connection: Connection, journal_id: int, at: datetime, left_behind: Sequence[Trace]
) -> None:
    """Write the traces of the act `journal_id`, what left before what arrived."""
    rows = [_row(trace, journal_id, at) for trace in left_behind if trace.kind == LEFT]
    rows += [_row(trace, journal_id, at) for trace in left_behind if trace.kind != LEFT]
    if rows:
        connection.execute(traces.insert(), rows)


def _row(trace: Trace, journal_id: int, at: datetime) -> dict[str, object]:
    spot, other = trace.spot, trace.other
    return {
        "journal_id": journal_id,
        "at": at,
        "space_id": spot.space_id,
        "tree": spot.tree,
        "path": spot.path,
        "parent": paths.parent(spot.path),
        "kind": trace.kind,
        "other_space_id": other and other.space_id,
        "other_tree": None if other is None else other.tree,
        "other_path": None if other is None else other.path,
        "inode": trace.inode,
        "size": trace.size,
        "mtime_ns": trace.mtime_ns,
    }


def position(connection: Connection, space_id: int, moment: datetime) -> int:
    """The last act in the space by `moment`, by its id in the journal; later ones follow it."""
    query = (
        sa.select(traces.c.journal_id)
        .where(traces.c.space_id == space_id, traces.c.at <= moment)
        .order_by(traces.c.at.desc(), traces.c.journal_id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() or 0


def follow(connection: Connection, spot: Spot, after: int) -> Spot | None:
    """Where that which was at `spot` after the act `after` lies now.

    None if nothing was there, or if it is gone. Of a version that was not worth keeping, or that
    retention has freed, what replaced it stands for it.
    """
    departed: list[tuple[Spot, sa.Row[Any]]] = []
    while True:
        row = _next(connection, spot, after)
        if row is not None and row.kind == ARRIVED:
            # Something came to lie here that was not there before.
            return None
        if row is not None:
            departed.append((spot, row))
            after = row.journal_id
            if row.other_space_id is not None:
                spot = spot.below(row.path, other(row))
                continue
        elif spot.tree == LIVE or is_kept(connection, spot.tree):
            return spot
        found = _replacement(connection, departed)
        if found is None:
            return None
        spot, after = found


def _replacement(
    connection: Connection, departed: list[tuple[Spot, sa.Row[Any]]]
) -> tuple[Spot, int] | None:
    """What has taken the place of something that is gone, the latest first: its spot, and the
    act by which it came there. `departed` are the spots that it left and how; those that are of
    no more use are taken away."""
    while departed:
        spot, row = departed.pop()
        moved = row.other_space_id is not None and row.other_tree == LIVE
        if not moved and _arrived(connection, spot, row.journal_id):
            return spot, row.journal_id
        successor = _successor(connection, spot, row.journal_id)
        if successor is not None:
            return spot, successor
    return None


def _next(connection: Connection, spot: Spot, after: int) -> sa.Row[Any] | None:
    """What happened next to `spot`, or to the names that lead to it."""
    query = (
        sa.select(traces)
        .where(
            traces.c.space_id == spot.space_id,
            traces.c.tree == spot.tree,
            traces.c.path.in_([*paths.ancestors(spot.path)[1:], spot.path]),
            traces.c.kind != ALTERED,
            traces.c.journal_id > after,
        )
        # What leaves in one act leaves at once, each thing for itself.
        .order_by(traces.c.journal_id, traces.c.kind.desc(), sa.func.length(traces.c.path).desc())
        .limit(1)
    )
    return connection.execute(query).first()


def _arrived(connection: Connection, spot: Spot, act: int) -> bool:
    """Whether something arrived at `spot` in the very act that took away what was there."""
    query = sa.select(traces.c.id).where(
        traces.c.journal_id == act,
        traces.c.space_id == spot.space_id,
        traces.c.tree == spot.tree,
        traces.c.path == spot.path,
        traces.c.kind == ARRIVED,
    )
    return connection.execute(query).first() is not None


def _successor(connection: Connection, spot: Spot, act: int) -> int | None:
    """The act by which the next version of what the act took away from `spot` came there."""
    query = (
        sa.select(traces.c.journal_id, journal.c.detail)
        .join(journal, traces.c.journal_id == journal.c.id)
        .where(
            traces.c.space_id == spot.space_id,
            traces.c.tree == spot.tree,
            traces.c.path == spot.path,
            traces.c.kind == ARRIVED,
            traces.c.journal_id > act,
        )
        .order_by(traces.c.journal_id)
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None or row.detail.get("succeeds") != act:
        return None
    return int(row.journal_id)


def is_kept(connection: Connection, uid: str) -> bool:
    """Whether history still keeps `uid`."""
    return connection.execute(sa.select(kept.c.uid).where(kept.c.uid == uid)).first() is not None


def other(row: sa.Row[Any]) -> Spot:
    """Where that which left went to, or that which arrived came from."""
    return Spot(row.other_space_id, row.other_tree, row.other_path)


@dataclass(frozen=True)
class Residence:
    """A name that a folder had, from the act `since`, by which it came to have it (or after
    which it is looked at), until the act `until`, by which it got another one; 0: until now."""

    spot: Spot
    since: int
    until: int
    moved_in: bool


def residences(connection: Connection, spot: Spot, after: int) -> Iterator[Residence]:
    """The names of the folder that was at `spot` after the act `after`, in their order."""
    moved_in = False
    while True:
        row = _next(connection, spot, after)
        if row is None or row.kind == ARRIVED or row.other_space_id is None:
            yield Residence(spot, after, 0, moved_in)
            return
        yield Residence(spot, after, row.journal_id, moved_in)
        spot, after, moved_in = spot.below(row.path, other(row)), row.journal_id, True


def within(connection: Connection, residence: Residence) -> Iterator[sa.Row[Any]]:
    """What left the names in a folder or arrived there, while it resided there, the first first."""
    act, folder = traces.c.journal_id, residence.spot
    left, arrived = act > residence.since, act > residence.since
    if residence.moved_in:
        # The act that moved the folder may have moved something into it as well.
        arrived = act >= residence.since
    if residence.until:
        left, arrived = left & (act <= residence.until), arrived & (act < residence.until)
    query = sa.select(traces).where(
        traces.c.space_id == folder.space_id,
        traces.c.tree == folder.tree,
        traces.c.parent == folder.path,
        traces.c.path != "",
        ((traces.c.kind == LEFT) & left) | ((traces.c.kind == ARRIVED) & arrived),
    )
    yield from connection.execute(query.order_by(act, traces.c.kind.desc()))


def last(
    connection: Connection, spot: Spot, before: int | None = None, kind: str = ""
) -> sa.Row[Any] | None:
    """The latest trace at exactly this spot, of an act before `before` and of `kind` if those are
    given, with its act's account and detail."""
    query = (
        sa.select(traces, journal.c.account_id, journal.c.detail)
        .join(journal, traces.c.journal_id == journal.c.id)
        .where(
            traces.c.space_id == spot.space_id,
            traces.c.tree == spot.tree,
            traces.c.path == spot.path,
            traces.c.kind != ALTERED,
        )
        .order_by(traces.c.journal_id.desc(), traces.c.id.desc())
        .limit(1)
    )
    if before is not None:
        query = query.where(traces.c.journal_id < before)
    if kind:
        query = query.where(traces.c.kind == kind)
    return connection.execute(query).first()


def departure(
    connection: Connection, spot: Spot, account_id: int, now: datetime
) -> sa.Row[Any] | None:
    """As `last`, if it tells of a departure that the spot still waits for the next version after:
    the account took away what was there a moment ago, and nothing has come there since."""
    row = last(connection, spot)
    if row is None or row.kind != LEFT or row.other_space_id is None:
        return None
    if row.account_id != account_id or now - row.at > SUCCESSION:
        return None
    return row


def is_vacated(connection: Connection, spot: Spot, since: datetime) -> bool:
    """Whether nothing was at the spot for a while, however short, after `since`."""
    arrived = traces.alias()
    query = sa.select(traces.c.id).where(
        traces.c.space_id == spot.space_id,
        traces.c.tree == spot.tree,
        traces.c.path == spot.path,
        traces.c.kind == LEFT,
        traces.c.at > since,
        ~sa.exists().where(
            arrived.c.journal_id == traces.c.journal_id,
            arrived.c.space_id == traces.c.space_id,
            arrived.c.tree == traces.c.tree,
            arrived.c.path == traces.c.path,
            arrived.c.kind == ARRIVED,
        ),
    )
    return connection.execute(query.limit(1)).first() is not None


def moments(connection: Connection, space_id: int) -> Iterable[sa.Row[Any]]:
    """When the space's documents changed and where, the latest first."""
    query = (
        sa.select(traces.c.at, traces.c.parent, traces.c.path)
        .where(traces.c.space_id == space_id, traces.c.tree == LIVE)
        .order_by(traces.c.at.desc())
    )
    return connection.execute(query)
