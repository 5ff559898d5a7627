"""Locks, dead properties, and what history holds, for all processes alike.

All are keyed by the document's name: its space, the tree it is in, and its path there. The
tree is "" for the live documents, `~<account id>` for that account's clutter (see clutter.py),
and the uid of what is kept for what has gone to history; there it has the path it had before.
"""

import sqlalchemy as sa

from acl.tables import accounts, journal, spaces
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

# What history keeps: a former content (a version), or what was deleted (trash). It lies at
# history/<slug>/<uid[:2]>/<uid>, and its tree is <uid>.
kept = sa.Table(
    "kept",
    metadata,
    sa.Column("uid", sa.String, primary_key=True),
    # The act that put it there.
    sa.Column("journal_id", sa.ForeignKey(journal.c.id), nullable=False, index=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("space_id", sa.ForeignKey(spaces.c.id), nullable=False),
    sa.Column("path", Path_, nullable=False),
    # "version", "trash" or "passing" (see kept.py).
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("collection", sa.Boolean, nullable=False),
    # Bytes, as counted in the space's history_bytes; NULL: not counted yet.
    sa.Column("size", sa.BigInteger),
    # The lines of the member list in force for it then; NULL: not known.
    sa.Column("members", sa.JSON),
    # The lists of the restricted folders that it is or has in it, by path (`acl.members.Lists`).
    sa.Column("restricted", sa.JSON, nullable=False),
)
sa.Index("ix_kept_path", kept.c.space_id, kept.c.path, kept.c.at)
sa.Index("ix_kept_reason", kept.c.space_id, kept.c.reason, kept.c.at)

# Where things went and came from: the journal as an index by name. An act has a row for each
# name that something left, before those of the names where something arrived.
traces = sa.Table(
    "traces",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("journal_id", sa.ForeignKey(journal.c.id), nullable=False, index=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("space_id", sa.ForeignKey(spaces.c.id), nullable=False),
    sa.Column("tree", sa.String, nullable=False),
    sa.Column("path", Path_, nullable=False),
    sa.Column("parent", Path_, nullable=False),
    # "left", "arrived", or "altered" in its place.
    sa.Column("kind", sa.String, nullable=False),
    # Where it went to, or came from. NULL: it is gone, or new.
    sa.Column("other_space_id", sa.ForeignKey(spaces.c.id)),
    sa.Column("other_tree", sa.String),
    sa.Column("other_path", Path_),
    # What a new or altered one was on the disk; a folder has no size.
    sa.Column("inode", sa.BigInteger),
    sa.Column("size", sa.BigInteger),
    sa.Column("mtime_ns", sa.BigInteger),
)
sa.Index("ix_traces_path", traces.c.space_id, traces.c.tree, traces.c.path, traces.c.journal_id)
sa.Index("ix_traces_parent", traces.c.space_id, traces.c.tree, traces.c.parent, traces.c.journal_id)
sa.Index("ix_traces_at", traces.c.space_id, traces.c.at)

# Which process does a job that one at a time may do, and until when at the latest.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("job", sa.String, primary_key=True),
    sa.Column("holder", sa.String, nullable=False),
    sa.Column("until", Instant, nullable=False),
)
