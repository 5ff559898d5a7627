"""Agendas, task lists and address books, and those of the accounts and spaces there are."""

import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from config.database import Instant, Key, Path_

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    collections = op.create_table(
        "collections",
        sa.Column("id", Key, primary_key=True),
        sa.Column("uuid", sa.String, nullable=False, unique=True),
        sa.Column("space_id", Key, sa.ForeignKey("spaces.id"), index=True),
        sa.Column("account_id", Key, sa.ForeignKey("accounts.id")),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("name", Path_, nullable=False),
        sa.Column("tag", sa.String, nullable=False),
        sa.Column("components", sa.String, nullable=False),
        sa.Column("props", sa.JSON, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.CheckConstraint("(space_id IS NULL) <> (account_id IS NULL)", name="one_owner"),
    )
    _unique("uq_collections_account_name", ["name", "account_id"], "deleted_at IS NULL")
    _unique("uq_collections_space_name", ["name"], "space_id IS NOT NULL AND deleted_at IS NULL")
    op.create_table(
        "objects",
        sa.Column("id", Key, primary_key=True),
        sa.Column("collection_id", Key, sa.ForeignKey("collections.id"), nullable=False),
        sa.Column("name", Path_, nullable=False),
        sa.Column("uid", sa.String, nullable=False),
        sa.Column("component", sa.String, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("etag", sa.String, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("modified_at", Instant, nullable=False),
        sa.Column("starts", sa.BigInteger, nullable=False),
        sa.Column("ends", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("collection_id", "name"),
        sa.UniqueConstraint("collection_id", "uid"),
    )
    op.create_index("ix_objects_revision", "objects", ["collection_id", "revision"])
    op.create_index("ix_objects_range", "objects", ["collection_id", "ends", "starts"])
    op.create_table(
        "tombstones",
        sa.Column("collection_id", Key, sa.ForeignKey("collections.id"), primary_key=True),
        sa.Column("name", Path_, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_tombstones_revision", "tombstones", ["collection_id", "revision"])
    op.create_table(
        "views",
        sa.Column("collection_id", Key, sa.ForeignKey("collections.id"), primary_key=True),
        sa.Column("account_id", Key, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("props", sa.JSON, nullable=False),
    )
    _fill(collections)


def downgrade() -> None:
    for table in ("views", "tombstones", "objects", "collections"):
        op.drop_table(table)


def _unique(name: str, columns: list[str], where: str) -> None:
    op.create_index(
        name,
        "collections",
        columns,
        unique=True,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


_KINDS = (
    ("agenda", "", "VCALENDAR", "VEVENT"),
    ("tasks", "-tasks", "VCALENDAR", "VTODO"),
    ("contacts", "-contacts", "VADDRESSBOOK", "VCARD"),
)


def _fill(collections: sa.Table) -> None:
    """Make the collections of accounts and spaces from before this version."""
    connection = op.get_bind()
    owners = [
        {"account_id": row.id, "space_id": None, "slug": None}
        for row in connection.execute(sa.text("SELECT id FROM accounts"))
    ] + [
        {"account_id": None, "space_id": row.id, "slug": row.slug}
        for row in connection.execute(sa.text("SELECT id, slug FROM spaces"))
    ]
    rows = [
        {
            "uuid": str(uuid.uuid4()),
            "account_id": owner["account_id"],
            "space_id": owner["space_id"],
            "kind": kind,
            "name": kind if owner["slug"] is None else owner["slug"] + suffix,
            "tag": tag,
            "components": components,
            "props": {},
            "revision": 0,
            "created_at": datetime.now(UTC),
        }
        for owner in owners
        for kind, suffix, tag, components in _KINDS
    ]
    if rows:
        connection.execute(collections.insert(), rows)
