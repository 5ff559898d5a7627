"""The tripwire: an account that does what ransomware does loses the right to write, at once.

What the verbs note as deeds is counted by account, device and minute, in the transaction of the
act and for all processes together. The act that goes beyond what the settings allow is refused
and undone; then, in a transaction of its own, its device password is revoked and its account
may only read, until an administrator releases it. No document is touched.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from acl import accounts, devices, registry
from acl.actor import Actor
from acl.deeds import Deed, Kind
from acl.errors import NotStopped
from acl.journal import Act
from acl.policy import Reason
from acl.tables import accounts as account_rows
from acl.tables import journal, spaces, tallies
from config.database import Database
from config.errors import DavserverError
from config.settings import Tripwire as Limits

_STOP = "tripwire.stop"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


class Tripped(DavserverError):
    """One deed too many: the act of `actor` at `now` is undone, and the account stopped.

    `count` of the kind of `deed` would have been done within the last `minutes`.
    """

    status = HTTPStatus.FORBIDDEN
    exit_code = 5
    message = Reason.STOPPED.value

    def __init__(self, actor: Actor, now: datetime, deed: Deed, count: int, minutes: int) -> None:
        super().__init__()
        self.actor = actor
        self.now = now
        self.deed = deed
        self.count = count
        self.minutes = minutes


class Tripwire:
    """Counts, and stops. Safe to share between threads; `limits` are those of the settings.

    Whoever begins a transaction in which accounts act does so inside `guard`, and has the act
    counted when all else of it is done.
    """

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits
        self._most = {kind: int(getattr(limits, kind.value)) for kind in Kind}

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Around a transaction: when that has been undone by `Tripped`, stop the account."""
        try:
            yield
        except Tripped as tripped:
            with self._database.write() as connection:
                _stop(connection, tripped)
            raise

    def count(self, act: Act) -> None:
        """Count the deeds of `act`, in its transaction. Raises `Tripped`.

        Called last: of two acts of one device at the same moment the second one waits here for
        the end of the first, and must hold nothing that the first still needs.
        """
        if act.actor.account is None or not act.deeds or not self._limits.enabled:
            return
        latest = {deed.tally: deed for deed in act.deeds}
        # Always in the same order, for the same reason.
        for tally, number in sorted(Counter(deed.tally for deed in act.deeds).items()):
            total = self._add(act, tally, number)
            if total > self._most[latest[tally].kind]:
                minutes = self._limits.minutes
                raise Tripped(act.actor, act.now, latest[tally], total, minutes)
        act.connection.execute(
            tallies.delete().where(
                tallies.c.account_id == act.actor.account.id,
                tallies.c.minute <= self._before(act.now),
            )
        )

    def _add(self, act: Act, tally: str, number: int) -> int:
        """Add to a tally of the actor; return what it has come to in the last minutes."""
        assert act.actor.account is not None
        key = {
            "account_id": act.actor.account.id,
            "device_id": act.actor.device.id if act.actor.device else 0,
            "kind": tally,
        }
        is_sqlite = act.connection.dialect.name == "sqlite"
        insert = sqlite.insert(tallies) if is_sqlite else postgresql.insert(tallies)
        act.connection.execute(
            insert.values(**key, minute=_minute(act.now), count=number).on_conflict_do_update(
                index_elements=list(tallies.primary_key),
                set_={"count": tallies.c.count + insert.excluded.count},
            )
        )
        total = sa.select(sa.func.sum(tallies.c.count)).where(
            *(tallies.c[name] == value for name, value in key.items()),
            tallies.c.minute > self._before(act.now),
        )
        return int(act.connection.execute(total).scalar_one())

    def _before(self, now: datetime) -> int:
        """The last minute that no longer counts."""
        return _minute(now) - self._limits.minutes


def _minute(now: datetime) -> int:
    return (now - _EPOCH) // _MINUTE


def _stop(connection: Connection, tripped: Tripped) -> None:
    """Take from the account what `tripped` shows to be in wrong hands.

    Harmless when repeated, and when several processes come to it at the same moment.
    """
    account, device = tripped.actor.account, tripped.actor.device
    assert account is not None
    # Before looking: whoever stops it at the same moment waits here.
    registry.bump(connection)
    query = sa.select(account_rows.c.stopped_at).where(account_rows.c.id == account.id)
    since = connection.execute(query).scalar_one()
    # Not before the stop itself, so that all that belongs to it is found by its time.
    act = Act(connection, tripped.actor, max(tripped.now, since or tripped.now))
    revoked = device is not None and devices.end(act, device.id)
    if since is not None and not revoked:
        return
    if since is None:
        _set_stopped(connection, account.id, act.now)
    act.record(
        _STOP,
        space_id=tripped.deed.space_id,
        path=tripped.deed.path,
        detail={
            "kind": tripped.deed.kind.value,
            "ending": tripped.deed.ending,
            "count": tripped.count,
            "minutes": tripped.minutes,
            "device": act.actor.device_name,
            "revoked": revoked,
            "former": {"stopped_at": None if since is None else since.isoformat()},
        },
    )


@dataclass(frozen=True)
class Stop:
    """An account that may only read: since when, and what it did, where, from which device.

    `device` is "" where the account's own password was used; `space` is a slug, "" for what
    belongs to the account alone. `spaces` are the slugs of all spaces that it changed with this
    device in the `minutes` before.
    """

    login: str
    at: datetime
    device: str
    address: str
    space: str
    path: str
    kind: Kind
    ending: str
    count: int
    minutes: int
    spaces: tuple[str, ...]


def stops(connection: Connection, *, login: str | None = None) -> list[Stop]:
    """What the accounts that are stopped now, or `login` alone, were stopped for; by time.

    An account has more than one where several of its devices tripped at the same moment.
    """
    query = (
        sa.select(journal, sa.func.coalesce(spaces.c.slug, "").label("slug"))
        .join(account_rows, journal.c.account_id == account_rows.c.id)
        .outerjoin(spaces, journal.c.space_id == spaces.c.id)
        .where(
            account_rows.c.stopped_at.is_not(None),
            journal.c.at >= account_rows.c.stopped_at,
            journal.c.action == _STOP,
        )
        .order_by(journal.c.id)
    )
    if login is not None:
        query = query.where(account_rows.c.login == login)
    return [
        Stop(
            row.login,
            row.at,
            row.device,
            row.address,
            row.slug,
            row.path,
            Kind(row.detail["kind"]),
            row.detail["ending"],
            row.detail["count"],
            row.detail["minutes"],
            _changed(connection, row),
        )
        for row in connection.execute(query).all()
    ]


def _changed(connection: Connection, stop: sa.Row[Any]) -> tuple[str, ...]:
    theirs = (
        journal.c.account_id == stop.account_id,
        journal.c.device == stop.device,
        journal.c.at >= stop.at - stop.detail["minutes"] * _MINUTE,
        journal.c.id <= stop.id,
    )
    here = sa.select(spaces.c.slug).join(journal, journal.c.space_id == spaces.c.id).where(*theirs)
    # What went to another space is recorded where it came from.
    there = sa.select(journal.c.detail["to_space"].as_string()).where(
        *theirs, journal.c.action == "document.move"
    )
    return tuple(sorted(connection.execute(here.union(there)).scalars()))


def release(act: Act, login: str) -> list[Stop]:
    """Let the account `login` write again, and count anew; return what it was stopped for.

    Revoked device passwords stay revoked. Raises `UnknownName` or `NotStopped`.
    """
    registry.bump(act.connection)
    account = accounts.find(act, login)
    if not account.stopped:
        raise NotStopped(login=login)
    lifted = stops(act.connection, login=login)
    _set_stopped(act.connection, account.id, None)
    act.connection.execute(tallies.delete().where(tallies.c.account_id == account.id))
    act.record(
        "account.release",
        path=login,
        detail={"stopped_at": min(stop.at for stop in lifted).isoformat() if lifted else None},
    )
    return lifted


def _set_stopped(connection: Connection, account_id: int, at: datetime | None) -> None:
    connection.execute(
        account_rows.update().where(account_rows.c.id == account_id).values(stopped_at=at)
    )
