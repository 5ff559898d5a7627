"""Retention: how long history keeps what was, and the only thing that ever frees it.

It runs in the server, and nobody can ask for it: neither a client nor a command frees anything.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl import spaces
from acl.actor import Actor
from acl.registry import Space
from acl.tables import journal
from config.settings import Retention
from davserver.documents.change import Change
from davserver.documents.documents import Documents
from davserver.documents.intents import Make, Rename, Step
from davserver.documents.kept import PASSING, TRASH, VERSION
from davserver.documents.resource import Place
from davserver.documents.tables import LIVE, kept, properties, traces
from davserver.documents.traces import ARRIVED, Spot, other

LEAST = timedelta(days=spaces.RETENTION_MIN)
"""Nothing goes sooner, whatever the settings say."""

_SAVES = timedelta(minutes=2)
# So few go in one transaction that nobody waits long for the space.
_BATCH = 100


@dataclass(frozen=True)
class Rules:
    """For how long history keeps every version, one version a day, and the trash."""

    keep: timedelta
    daily: timedelta
    trash: timedelta

    @classmethod
    def of(cls, settings: Retention, own: Mapping[str, int | None]) -> "Rules":
        """Those of a space, from the settings and from what it has of its `own`
        (`acl.spaces.retention`)."""
        days = settings.model_dump() | {name: n for name, n in own.items() if n is not None}
        keep = max(LEAST, timedelta(days=days["keep_days"]))
        daily = max(keep, timedelta(days=days["daily_days"]))
        return cls(keep, daily, max(LEAST, timedelta(days=days["trash_days"])))


@dataclass(frozen=True)
class Version:
    """What history keeps, as the rules see it.

    It came there at `at`. `passing`: it is one of several saves in a row, which the same account
    had made hardly earlier.
    """

    uid: str
    path: str
    reason: str
    at: datetime
    passing: bool = False


def freed(
    versions: Iterable[Version], rules: Rules, now: datetime, zone: tzinfo | None
) -> list[str]:
    """The uids of what goes by `rules` at `now`. Days are those of `zone` (None: the system's).

    `versions` holds what is kept of one space, sorted by name, the oldest of a name first.
    """
    going = []
    for _, of_name in groupby(versions, key=lambda version: version.path):
        staying: dict[object, Version] = {}
        for version in of_name:
            age = now - version.at
            if version.reason == TRASH:
                if age > rules.trash:
                    going.append(version.uid)
            elif version.reason == PASSING:
                # Nobody would look for it as the version of a day.
                if age > rules.keep:
                    going.append(version.uid)
            elif age > rules.daily or (version.passing and age > LEAST):
                going.append(version.uid)
            else:
                day = version.at.astimezone(zone).date()
                former = staying.get(day)
                if former is not None and now - former.at > rules.keep:
                    going.append(former.uid)
                staying[day] = version
    return going


def run(
    documents: Documents,
    settings: Retention,
    zone: tzinfo | None,
    actor: Actor,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Free what has been kept for long enough, space by space.

    `settings` hold where a space has no rules of its own. `stopped` tells between two batches
    whether to leave the rest for another time.
    """
    with documents.database.read() as connection:
        known = documents.registry.current(connection).space_by_id
    for space in known.values():
        with documents.database.read() as connection:
            own = spaces.retention(connection, space.id)
            now = documents.clock()
            going = freed(_versions(connection, space, now), Rules.of(settings, own), now, zone)
        for begin in range(0, len(going), _BATCH):
            if stopped():
                return
            with documents.change(actor, (space.slug,)) as change:
                if spaces.retention(change.connection, space.id) != own:
                    # Somebody wants it to be kept for longer, perhaps.
                    break
                _free(change, space, going[begin : begin + _BATCH])


def _versions(connection: Connection, space: Space, now: datetime) -> Iterator[Version]:
    """What history keeps of the space, as `freed` wants it, but for the latest."""
    made = traces.alias()
    arrival = (
        sa.select(sa.func.max(made.c.id))
        .where(
            made.c.space_id == kept.c.space_id,
            made.c.tree == LIVE,
            made.c.path == kept.c.path,
            made.c.kind == ARRIVED,
            made.c.journal_id < kept.c.journal_id,
        )
        .scalar_subquery()
    )
    came, bringer = traces.alias(), journal.alias()
    query = (
        sa.select(
            kept,
            journal.c.account_id,
            came.c.id.label("arrival"),
            came.c.at.label("came_at"),
            bringer.c.account_id.label("brought_by"),
        )
        .join(journal, kept.c.journal_id == journal.c.id)
        .outerjoin(came, came.c.id == arrival)
        .outerjoin(bringer, bringer.c.id == came.c.journal_id)
        # What is younger does not go, nor does anything go for its sake: a day is over by then.
        .where(kept.c.space_id == space.id, kept.c.at <= now - LEAST + timedelta(days=2))
        .order_by(kept.c.path, kept.c.at, kept.c.journal_id)
    )
    for row in connection.execute(query).all():
        passing = (
            row.reason == VERSION
            and row.account_id is not None
            and row.brought_by == row.account_id
            and row.at - row.came_at < _SAVES
            and _is_passing(connection, row)
        )
        yield Version(row.uid, row.path, row.reason, row.at, passing)


def _is_passing(connection: Connection, version: sa.Row[Any]) -> bool:
    """Whether a version was made by the account that replaced it, hardly earlier.

    What only came to its name then may be far older.
    """
    arrival: int | None = version.arrival
    while arrival is not None:
        query = (
            sa.select(traces, journal.c.account_id)
            .join(journal, traces.c.journal_id == journal.c.id)
            .where(traces.c.id == arrival)
        )
        row = connection.execute(query).one()
        if row.account_id != version.account_id or version.at - row.at >= _SAVES:
            return False
        if row.other_space_id is None:
            return True
        arrival = _arrival(connection, other(row), row.journal_id)
    return False


def _arrival(connection: Connection, spot: Spot, before: int) -> int | None:
    """The trace of how that which was at `spot` before the act `before` had come there."""
    query = sa.select(sa.func.max(traces.c.id)).where(
        traces.c.space_id == spot.space_id,
        traces.c.tree == spot.tree,
        traces.c.path == spot.path,
        traces.c.kind == ARRIVED,
        traces.c.journal_id < before,
    )
    return connection.execute(query).scalar()


def _free(change: Change, space: Space, uids: Sequence[str]) -> None:
    """Let history keep these no longer; their content is removed when that is committed."""
    # What was restored meanwhile is not there any more, or not counted.
    query = sa.select(kept).where(
        kept.c.space_id == space.id, kept.c.uid.in_(uids), kept.c.size.is_not(None)
    )
    going = change.connection.execute(query).all()
    if not going:
        return
    found = [row.uid for row in going]
    size = sum(row.size for row in going)
    change.connection.execute(kept.delete().where(kept.c.uid.in_(found)))
    change.connection.execute(
        properties.delete().where(properties.c.space_id == space.id, properties.c.tree.in_(found))
    )
    spaces.charge(change.connection, space.id, -size, history=-size)
    change.carry_out(_steps(change, space, found), space)
    # Last, as it may take a while, and whoever finds the intent meanwhile would do it as well.
    change.done.append(lambda: change.store.discard_dropped(change.act.uid))
    reasons = [row.reason for row in going]
    change.act.record(
        "retention.run",
        space_id=space.id,
        detail={
            "versions": reasons.count(VERSION),
            "trash": reasons.count(TRASH),
            "bytes": size,
        },
    )


def _steps(change: Change, space: Space, uids: Iterable[str]) -> list[Step]:
    """Out of the way in one go, as a folder may hold any number of documents."""
    steps: list[Step] = [Make(change.dropped())]
    for uid in uids:
        source = change.kept_at(Place(space, "", uid))
        if os.path.lexists(change.store.data / source):
            steps.append(Rename(source, f"{change.dropped()}/{uid}"))
    return steps
