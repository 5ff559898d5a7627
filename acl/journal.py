"""The journal: one row per change, with what inverts it, in the change's own transaction."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl.actor import Actor
from acl.deeds import Deed
from acl.tables import journal, spaces


def new_uid() -> str:
    """A name for an act that has not happened yet: 32 hexadecimal digits."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Act:
    """One act of one actor: the transaction it happens in, who acts, when, and its name.

    A verb is handed an act, changes what it changes through `connection`, and calls `record`
    once. What of it counts for the tripwire it adds to `deeds`; whoever began the transaction
    has them counted.
    """

    connection: Connection
    actor: Actor
    now: datetime
    uid: str = field(default_factory=new_uid)
    deeds: list[Deed] = field(default_factory=list)

    def record(
        self,
        action: str,
        *,
        space_id: int | None = None,
        path: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> int:
        """Write the act's row; its id orders it after every earlier change of the same space.

        `action` is "<what>.<verb>", as "document.put". `detail` is JSON: what inverts the act.
        """
        new_id = self.connection.execute(
            journal.insert()
            .values(
                uid=self.uid,
                at=self.now,
                account_id=self.actor.account.id if self.actor.account else None,
                login=self.actor.name,
                device=self.actor.device_name,
                address=self.actor.address,
                action=action,
                space_id=space_id,
                path=path,
                detail=dict(detail or {}),
            )
            .returning(journal.c.id)
        ).scalar_one()
        return int(new_id)


@dataclass(frozen=True)
class Entry:
    """One row of the journal. `space` is a slug, "" where the act concerns none."""

    id: int
    at: datetime
    login: str
    device: str
    address: str
    action: str
    space: str
    path: str
    detail: Mapping[str, Any]


def entries(
    connection: Connection, *, space_id: int | None = None, limit: int | None = None
) -> Iterator[Entry]:
    """The rows of one space or of all, newest first, `limit` at most."""
    query = (
        sa.select(journal, sa.func.coalesce(spaces.c.slug, "").label("space"))
        .outerjoin(spaces, journal.c.space_id == spaces.c.id)
        .order_by(journal.c.id.desc())
        .limit(limit)
    )
    if space_id is not None:
        query = query.where(journal.c.space_id == space_id)
    for row in connection.execute(query):
        yield Entry(
            row.id,
            row.at,
            row.login,
            row.device,
            row.address,
            row.action,
            row.space,
            row.path,
            row.detail,
        )


def before(connection: Connection, moment: datetime) -> int:
    """An id that every row of after `moment` is above, and few others are."""
    query = (
        sa.select(journal.c.id)
        .where(journal.c.at <= moment - _OUT_OF_ORDER)
        .order_by(journal.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() or 0


# How much later a row may be written than it says: it waits for others, and clocks differ.
_OUT_OF_ORDER = timedelta(minutes=5)


def exists(connection: Connection, uid: str) -> bool:
    """Whether the act `uid` has been committed."""
    return (
        connection.execute(sa.select(journal.c.id).where(journal.c.uid == uid)).first() is not None
    )
