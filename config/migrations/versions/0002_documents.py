"""Locks and dead properties of documents."""

import sqlalchemy as sa
from alembic import op

from config.database import Instant, Key, Path_

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "locks",
        sa.Column("id", Key, primary_key=True),
        sa.Column("token", sa.String, nullable=False, unique=True),
        sa.Column("space_id", Key, sa.ForeignKey("spaces.id"), nullable=False),
        sa.Column("tree", sa.String, nullable=False),
        sa.Column("path", Path_, nullable=False),
        sa.Column("infinite", sa.Boolean, nullable=False),
        sa.Column("exclusive", sa.Boolean, nullable=False),
        sa.Column("account_id", Key, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("login", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("seconds", sa.Integer, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
    )
    op.create_index("ix_locks_path", "locks", ["space_id", "tree", "path"])
    op.create_table(
        "properties",
        sa.Column("space_id", Key, sa.ForeignKey("spaces.id"), primary_key=True),
        sa.Column("tree", sa.String, primary_key=True),
        sa.Column("path", Path_, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("parent", Path_, nullable=False),
        sa.Column("value", sa.String, nullable=False),
    )
    op.create_index("ix_properties_parent", "properties", ["space_id", "tree", "parent"])


def downgrade() -> None:
    op.drop_table("properties")
    op.drop_table("locks")
