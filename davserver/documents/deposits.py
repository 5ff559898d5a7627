"""What an account deposited itself within the last day, from the journal."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl.registry import Account, Space
from acl.tables import journal

WITHIN = timedelta(hours=24)
_ACTIONS = ("document.put", "document.copy", "folder.create")


def recent(connection: Connection, space: Space, account: Account, now: datetime) -> dict[str, int]:
    """The paths that `account` deposited at in the last 24 hours, each with its inode.

    What is there now is the deposit only while the inode is the same one: anything else that
    was put or moved there since is somebody else's.
    """
    query = (
        sa.select(journal.c.path, journal.c.detail)
        .where(
            journal.c.space_id == space.id,
            journal.c.account_id == account.id,
            journal.c.action.in_(_ACTIONS),
            journal.c.at > now - WITHIN,
        )
        .order_by(journal.c.id)
    )
    return {row.path: row.detail["inode"] for row in connection.execute(query)}
