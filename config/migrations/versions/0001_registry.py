"""Accounts, groups, devices, spaces, members, and the journal."""

import sqlalchemy as sa
from alembic import op

from config.database import Instant, Key, Path_

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", Key, primary_key=True),
        sa.Column("login", sa.String, nullable=False, unique=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("email", sa.String, nullable=False),
        sa.Column("locale", sa.String, nullable=False),
        sa.Column("administrator", sa.Boolean, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("expires_at", Instant),
        sa.Column("password_hash", sa.String),
        sa.Column("created_at", Instant, nullable=False),
    )
    op.create_table(
        "groups",
        sa.Column("id", Key, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
    )
    op.create_table(
        "group_accounts",
        sa.Column("group_id", Key, sa.ForeignKey("groups.id"), primary_key=True),
        sa.Column("account_id", Key, sa.ForeignKey("accounts.id"), primary_key=True),
    )
    op.create_table(
        "devices",
        sa.Column("id", Key, primary_key=True),
        sa.Column("account_id", Key, sa.ForeignKey("accounts.id"), nullable=False, index=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False, unique=True),
        sa.Column("documents", sa.Boolean, nullable=False),
        sa.Column("agendas", sa.Boolean, nullable=False),
        sa.Column("read_only", sa.Boolean, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("last_used_at", Instant),
        sa.Column("revoked_at", Instant),
    )
    op.create_index(
        "uq_devices_active_name",
        "devices",
        ["account_id", "name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "spaces",
        sa.Column("id", Key, primary_key=True),
        sa.Column("slug", sa.String, nullable=False, unique=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("confidential", sa.Boolean, nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("quota_bytes", sa.BigInteger),
        sa.Column("used_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
    )
    op.create_table(
        "restricted_folders",
        sa.Column("id", Key, primary_key=True),
        sa.Column("space_id", Key, sa.ForeignKey("spaces.id"), nullable=False),
        sa.Column("path", Path_, nullable=False),
        sa.UniqueConstraint("space_id", "path"),
    )
    op.create_table(
        "members",
        sa.Column("id", Key, primary_key=True),
        sa.Column("space_id", Key, sa.ForeignKey("spaces.id"), nullable=False, index=True),
        sa.Column("folder_id", Key, sa.ForeignKey("restricted_folders.id", ondelete="CASCADE")),
        sa.Column("account_id", Key, sa.ForeignKey("accounts.id")),
        sa.Column("group_id", Key, sa.ForeignKey("groups.id")),
        sa.Column("role", sa.String, nullable=False),
        sa.CheckConstraint("(account_id IS NULL) <> (group_id IS NULL)", name="one_principal"),
    )
    op.create_index(
        "uq_members_principal",
        "members",
        [
            "space_id",
            sa.text("coalesce(folder_id, 0)"),
            sa.text("coalesce(account_id, 0)"),
            sa.text("coalesce(group_id, 0)"),
        ],
        unique=True,
    )
    revision_table = op.create_table(
        "registry_revision",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(revision_table, [{"id": 1, "value": 0}])
    op.create_table(
        "journal",
        sa.Column("id", Key, primary_key=True),
        sa.Column("uid", sa.String, nullable=False, unique=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("account_id", Key, sa.ForeignKey("accounts.id")),
        sa.Column("login", sa.String, nullable=False),
        sa.Column("device", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("space_id", Key, sa.ForeignKey("spaces.id")),
        sa.Column("path", Path_, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    op.create_index("ix_journal_account_at", "journal", ["account_id", "at"])
    op.create_index("ix_journal_space_path", "journal", ["space_id", "path", "id"])


def downgrade() -> None:
    for table in (
        "journal",
        "registry_revision",
        "members",
        "restricted_folders",
        "spaces",
        "devices",
        "group_accounts",
        "groups",
        "accounts",
    ):
        op.drop_table(table)
