"""Write locks (RFC 4918, 6 and 7), in the database: all processes see the same ones.

A lock is on a name, not on what lies there: a move leaves none behind and carries none along.
"""

import secrets
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl.journal import Act
from acl.registry import Account
from davserver import paths
from davserver.documents import traces
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import locks
from davserver.documents.traces import Spot
from davserver.errors import UnknownLock


@dataclass(frozen=True)
class Lock:
    """A write lock. `owner` is the DAV:owner element as it was sent, "" for none."""

    token: str
    space_id: int
    tree: str
    path: str
    infinite: bool
    exclusive: bool
    account_id: int
    login: str
    owner: str
    seconds: int
    created_at: datetime
    expires_at: datetime

    def covers(self, path: str) -> bool:
        """Whether it protects what is at `path` of its tree."""
        return path == self.path or (self.infinite and paths.is_within(path, self.path))


def new_token() -> str:
    """A lock token: a URI that nobody can guess (RFC 4918, 6.5)."""
    return uuid.UUID(bytes=secrets.token_bytes(16), version=4).urn


def around(
    connection: Connection, place: Place, now: datetime, *, below: bool = False
) -> list[Lock]:
    """The locks on `place`, and the infinite ones on the collections around it.

    `below`: also all that are on what lies in it.
    """
    path = locks.c.path
    wanted = (path == place.path) | (path.in_(paths.ancestors(place.path)) & locks.c.infinite)
    if below:
        wanted |= subtree(path, place.path)
    query = (
        sa.select(locks)
        .where(
            locks.c.space_id == place.space.id,
            locks.c.tree == place.tree,
            locks.c.expires_at > now,
            wanted,
        )
        .order_by(locks.c.id)
    )
    return [_lock(row) for row in connection.execute(query)]


def below(connection: Connection, place: Place, now: datetime) -> list[Lock]:
    """The locks on what lies below `place`."""
    return [
        lock
        for lock in around(connection, place, now, below=True)
        if lock.path != place.path and paths.is_within(lock.path, place.path)
    ]


def subtree(column: sa.Column[str], path: str) -> sa.ColumnElement[bool]:
    """The paths strictly below `path`: a range of the index, as "0" follows "/"."""
    if not path:
        return column != ""
    return (column > f"{path}/") & (column < f"{path}0")


def insert(
    connection: Connection,
    place: Place,
    account: Account,
    now: datetime,
    *,
    infinite: bool,
    exclusive: bool,
    owner: str,
    seconds: int,
) -> Lock:
    """Take a lock that nothing forbids. Expired ones of the space go on this occasion."""
    connection.execute(
        locks.delete().where(locks.c.space_id == place.space.id, locks.c.expires_at <= now)
    )
    lock = Lock(
        new_token(),
        place.space.id,
        place.tree,
        place.path,
        infinite,
        exclusive,
        account.id,
        account.login,
        owner,
        seconds,
        now,
        now + timedelta(seconds=seconds),
    )
    connection.execute(locks.insert().values(**lock.__dict__))
    return lock


def refresh(connection: Connection, tokens: Iterable[str], now: datetime, seconds: int) -> None:
    """Let these locks last `seconds` from now on."""
    connection.execute(
        locks.update()
        .where(locks.c.token.in_(list(tokens)), locks.c.expires_at > now)
        .values(seconds=seconds, expires_at=now + timedelta(seconds=seconds))
    )


def extend(connection: Connection, held: Collection[Lock], now: datetime) -> None:
    """A write by the holder shows that the lock is in use: it starts anew."""
    for lock in held:
        refresh(connection, (lock.token,), now, lock.seconds)


def remove(connection: Connection, tokens: Iterable[str]) -> None:
    """Release these locks."""
    connection.execute(locks.delete().where(locks.c.token.in_(list(tokens))))


def remove_tree(connection: Connection, place: Place) -> None:
    """Release the locks on `place` and on all below it: nothing is there any more."""
    connection.execute(
        locks.delete().where(
            locks.c.space_id == place.space.id,
            locks.c.tree == place.tree,
            (locks.c.path == place.path) | subtree(locks.c.path, place.path),
        )
    )


def listing(
    connection: Connection, now: datetime, *, space_id: int | None = None
) -> Iterator[Lock]:
    """All locks in force, of one space or of all, oldest first."""
    query = sa.select(locks).where(locks.c.expires_at > now).order_by(locks.c.id)
    if space_id is not None:
        query = query.where(locks.c.space_id == space_id)
    return (_lock(row) for row in connection.execute(query))


def dump(connection: Connection, resource: Resource, now: datetime) -> dict[str, object]:
    """The locks on a document itself, as the journal has them, if there are any."""
    place = resource.place
    if resource.is_collection:
        return {}
    dumped = [
        {
            "token": lock.token,
            "exclusive": lock.exclusive,
            "account": lock.account_id,
            "login": lock.login,
            "owner": lock.owner,
            "seconds": lock.seconds,
            "created_at": lock.created_at.isoformat(),
            "expires_at": lock.expires_at.isoformat(),
        }
        for lock in around(connection, place, now)
        if lock.path == place.path
    ]
    return {"locks": dumped} if dumped else {}


def revive(
    connection: Connection, place: Place, dumped: Iterable[Mapping[str, Any]], now: datetime
) -> None:
    """Let locks as `dump` gave them protect `place` again, as long as they would have lasted.

    None comes back if somebody has locked the place since. See `is_let_go`.
    """
    if around(connection, place, now):
        return
    for one in dumped:
        lock = Lock(
            one["token"],
            place.space.id,
            place.tree,
            place.path,
            False,
            one["exclusive"],
            one["account"],
            one["login"],
            one["owner"],
            one["seconds"],
            datetime.fromisoformat(one["created_at"]),
            datetime.fromisoformat(one["expires_at"]),
        )
        if lock.expires_at > now:
            connection.execute(locks.insert().values(**lock.__dict__))


def awaited(connection: Connection, place: Place, account: Account, now: datetime) -> set[str]:
    """The tokens of the account's locks that will be back with the next version of what it has
    just taken away from `place`."""
    row = traces.departure(connection, Spot.of(place), account.id, now)
    dumped = row.detail.get("locks", ()) if row is not None else ()
    return {one["token"] for one in dumped if one["account"] == account.id}


def is_let_go(connection: Connection, lock: Lock) -> bool:
    """Whether the document that was locked has been deleted or moved away since.

    The lock is back with its next version, and keeps others out. But its holder may take it for
    gone (RFC 4918, 7.7 and 9.6): it need not submit its token, and may lock anew. So does
    Windows, which puts, locks, deletes, puts and locks.
    """
    return traces.is_vacated(connection, Spot(lock.space_id, lock.tree, lock.path), lock.created_at)


def break_lock(act: Act, token: str) -> None:
    """Release somebody's lock for them. Raises `UnknownLock`."""
    query = sa.select(locks).where(locks.c.token == token, locks.c.expires_at > act.now)
    row = act.connection.execute(query).first()
    if row is None:
        raise UnknownLock()
    remove(act.connection, (token,))
    act.record("lock.break", space_id=row.space_id, path=row.path, detail={"holder": row.login})


def _lock(row: sa.Row[tuple[object, ...]]) -> Lock:
    values = dict(row._mapping)
    del values["id"]
    return Lock(**values)
