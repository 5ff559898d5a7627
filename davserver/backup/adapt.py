"""What a database must learn and forget when it begins anew, with documents on another disk."""

import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from acl import registry
from acl.journal import Act
from calendars.tables import collections
from davserver.documents.tables import leases, locks, properties, traces


@dataclass(frozen=True)
class Moved:
    """What a file or folder was, and what it is now: inode, time of modification."""

    inode: int
    mtime_ns: int
    new_inode: int
    new_mtime_ns: int


_moved = sa.Table(
    "moved",
    sa.MetaData(),
    sa.Column("inode", sa.BigInteger, primary_key=True),
    sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    sa.Column("new_inode", sa.BigInteger, nullable=False),
    sa.Column("new_mtime_ns", sa.BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
)


def adapt(act: Act, moved: Iterable[Moved]) -> None:
    """Make the rows of a backup those of a server that goes on from there, on SQLite.

    Of two of one inode in `moved` the last one counts.
    """
    connection = act.connection
    _moved.create(connection)
    rows = [asdict(one) for one in moved]
    if rows:
        connection.execute(_moved.insert().prefix_with("OR REPLACE"), rows)
    _relocate(connection)
    _moved.drop(connection)
    # What clients did between the backup and now is not known any more: their sync tokens must
    # not be taken for those of the days to come (RFC 6578, 3.2).
    for collection_id in connection.scalars(sa.select(collections.c.id)).all():
        connection.execute(
            collections.update()
            .where(collections.c.id == collection_id)
            .values(uuid=str(uuid.uuid4()))
        )
    # Nobody holds them any more.
    connection.execute(locks.delete())
    connection.execute(leases.delete())
    # Clutter is in no backup.
    connection.execute(properties.delete().where(properties.c.tree.startswith("~")))
    registry.bump(connection)


def _relocate(connection: sa.Connection) -> None:
    """Let the traces name the inodes that there are now."""
    inode = traces.c.inode
    new = sa.select(_moved.c.new_inode).where(_moved.c.inode == inode)
    when = sa.select(_moved.c.new_mtime_ns).where(
        _moved.c.inode == inode, _moved.c.mtime_ns == traces.c.mtime_ns
    )
    connection.execute(
        traces.update()
        .where(inode > 0)
        .values(
            # Of what is there no more, a number that nothing will have.
            inode=sa.func.coalesce(new.scalar_subquery(), -inode),
            mtime_ns=sa.func.coalesce(when.scalar_subquery(), traces.c.mtime_ns),
        )
    )
