"""Locks and dead properties, for all processes alike.

Both are keyed by the document's name: its space, the tree it is in, and its path there. The
tree is "" for the live documents, `~<account id>` for that account's clutter (see clutter.py),
and the uid of the act that trashed them for what has gone to history.
"""

import sqlalchemy as sa

from acl.tables import accounts, spaces
from config.database import Instant, Key, Path_, metadata

LIVE = ""

locks = sa.Table(
    "locks",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("token", sa.String, nullable=False, unique=True),
    sa.Column("space_id", sa.ForeignKey(spaces.c.id), nullable=False),
    sa.Column("tree", sa.String, nullable=False),
    sa.Column("path", Path_, nullable=False),
    sa.Column("infinite", sa.Boolean, nullable=False),
    sa.Column("exclusive", sa.Boolean, nullable=False),
    sa.Column("account_id", sa.ForeignKey(accounts.c.id), nullable=False),
    sa.Column("login", sa.String, nullable=False),
    # The DAV:owner element as the client sent it, "" if it sent none.
    sa.Column("owner", sa.String, nullable=False),
    sa.Column("seconds", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)
sa.Index("ix_locks_path", locks.c.space_id, locks.c.tree, locks.c.path)

properties = sa.Table(
    "properties",
    metadata,
    sa.Column("space_id", sa.ForeignKey(spaces.c.id), primary_key=True),
    sa.Column("tree", sa.String, primary_key=True),
    sa.Column("path", Path_, primary_key=True),
    # In Clark notation, {namespace}name.
    sa.Column("name", sa.String, primary_key=True),
    # The collection that `path` is a member of: a listing asks for its members at once.
    sa.Column("parent", Path_, nullable=False),
    # The property's element, serialised.
    sa.Column("value", sa.String, nullable=False),
)
sa.Index("ix_properties_parent", properties.c.space_id, properties.c.tree, properties.c.parent)
