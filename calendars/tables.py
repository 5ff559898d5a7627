"""The tables of agendas, task lists and address books: collections, and what they hold.

The journal keeps what an object was before a change; here is only what is there now.
"""

from enum import StrEnum

import sqlalchemy as sa

from acl.tables import accounts, spaces
from config.database import Instant, Key, Path_, metadata


class Kind(StrEnum):
    """What a collection is to its space or account."""

    AGENDA = "agenda"
    TASKS = "tasks"
    CONTACTS = "contacts"
    OWN = "own"
    """One more, that the account made itself."""


collections = sa.Table(
    "collections",
    metadata,
    sa.Column("id", Key, primary_key=True),
    # Names the collection in sync tokens: another one makes every client start afresh.
    sa.Column("uuid", sa.String, nullable=False, unique=True),
    sa.Column("space_id", sa.ForeignKey(spaces.c.id), index=True),
    sa.Column("account_id", sa.ForeignKey(accounts.c.id)),
    sa.Column("kind", sa.String, nullable=False),
    # In the home of whoever sees it.
    sa.Column("name", Path_, nullable=False),
    # VCALENDAR or VADDRESSBOOK.
    sa.Column("tag", sa.String, nullable=False),
    # What it may hold: "VEVENT", "VEVENT,VTODO"; "VCARD" for an address book.
    sa.Column("components", sa.String, nullable=False),
    # By Clark name; see `calendars.properties.Value`.
    sa.Column("props", sa.JSON, nullable=False),
    # Raised by every change to its objects, in the same transaction.
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("deleted_at", Instant),
    sa.CheckConstraint("(space_id IS NULL) <> (account_id IS NULL)", name="one_owner"),
)
sa.Index(
    "uq_collections_account_name",
    # The name first: it is how a collection is looked up, whoever it belongs to.
    collections.c.name,
    collections.c.account_id,
    unique=True,
    sqlite_where=collections.c.deleted_at.is_(None),
    postgresql_where=collections.c.deleted_at.is_(None),
)
_OF_SPACE = collections.c.space_id.is_not(None) & collections.c.deleted_at.is_(None)
sa.Index(
    "uq_collections_space_name",
    collections.c.name,
    unique=True,
    sqlite_where=_OF_SPACE,
    postgresql_where=_OF_SPACE,
)

objects = sa.Table(
    "objects",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("collection_id", sa.ForeignKey(collections.c.id), nullable=False),
    sa.Column("name", Path_, nullable=False),
    sa.Column("uid", sa.String, nullable=False),
    # VEVENT, VTODO, VJOURNAL or VCARD.
    sa.Column("component", sa.String, nullable=False),
    # As it was sent, to the byte.
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("etag", sa.String, nullable=False),
    # That of the collection, when this object last changed.
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("modified_at", Instant, nullable=False),
    # Seconds since 1970 UTC. All occurrences lie within; it may be wider than needed.
    sa.Column("starts", sa.BigInteger, nullable=False),
    sa.Column("ends", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("collection_id", "name"),
    sa.UniqueConstraint("collection_id", "uid"),
    sa.Index("ix_objects_revision", "collection_id", "revision"),
    sa.Index("ix_objects_range", "collection_id", "ends", "starts"),
)

# Names that a client may still have, and since which revision there is nothing there.
tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("collection_id", sa.ForeignKey(collections.c.id), primary_key=True),
    sa.Column("name", Path_, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Index("ix_tombstones_revision", "collection_id", "revision"),
)

# A space's collection as one member sees it: the name, colour and order it chose.
views = sa.Table(
    "views",
    metadata,
    sa.Column("collection_id", sa.ForeignKey(collections.c.id), primary_key=True),
    sa.Column("account_id", sa.ForeignKey(accounts.c.id), primary_key=True),
    sa.Column("props", sa.JSON, nullable=False),
)
