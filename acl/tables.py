"""The registry's tables, and the journal's.

Rows of accounts, groups and spaces are never deleted: the journal speaks of them.
"""

import sqlalchemy as sa

from config.database import Instant, Key, Path_, metadata

accounts = sa.Table(
    "accounts",
    metadata,
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
    # Since when the tripwire lets it read only.
    sa.Column("stopped_at", Instant),
)

groups = sa.Table(
    "groups",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

group_accounts = sa.Table(
    "group_accounts",
    metadata,
    sa.Column("group_id", sa.ForeignKey(groups.c.id), primary_key=True),
    sa.Column("account_id", sa.ForeignKey(accounts.c.id), primary_key=True),
)

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("account_id", sa.ForeignKey(accounts.c.id), nullable=False, index=True),
    sa.Column("name", sa.String, nullable=False),
    # SHA-256 of the device password, which has the entropy that needs no slow hash.
    sa.Column("digest", sa.String, nullable=False, unique=True),
    sa.Column("documents", sa.Boolean, nullable=False),
    sa.Column("agendas", sa.Boolean, nullable=False),
    sa.Column("read_only", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("last_used_at", Instant),
    sa.Column("revoked_at", Instant),
)
sa.Index(
    "uq_devices_active_name",
    devices.c.account_id,
    devices.c.name,
    unique=True,
    sqlite_where=devices.c.revoked_at.is_(None),
    postgresql_where=devices.c.revoked_at.is_(None),
)

spaces = sa.Table(
    "spaces",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("slug", sa.String, nullable=False, unique=True),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("confidential", sa.Boolean, nullable=False),
    sa.Column("archived", sa.Boolean, nullable=False),
    sa.Column("quota_bytes", sa.BigInteger),
    # Live documents and what history keeps of former ones. Moves with every verb.
    sa.Column("used_bytes", sa.BigInteger, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    # What of it is history, as far as that has been counted: of a trashed folder, later.
    sa.Column("history_bytes", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    # How many days history keeps everything, one version a day, and the trash. NULL: as the
    # settings say.
    sa.Column("keep_days", sa.Integer),
    sa.Column("daily_days", sa.Integer),
    sa.Column("trash_days", sa.Integer),
)

restricted_folders = sa.Table(
    "restricted_folders",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("space_id", sa.ForeignKey(spaces.c.id), nullable=False),
    # Below the space's root, NFC, without slashes at its ends.
    sa.Column("path", Path_, nullable=False),
    sa.UniqueConstraint("space_id", "path"),
)

members = sa.Table(
    "members",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("space_id", sa.ForeignKey(spaces.c.id), nullable=False, index=True),
    # NULL: a member of the space itself.
    sa.Column("folder_id", sa.ForeignKey(restricted_folders.c.id, ondelete="CASCADE")),
    sa.Column("account_id", sa.ForeignKey(accounts.c.id)),
    sa.Column("group_id", sa.ForeignKey(groups.c.id)),
    sa.Column("role", sa.String, nullable=False),
    sa.CheckConstraint("(account_id IS NULL) <> (group_id IS NULL)", name="one_principal"),
)
sa.Index(
    "uq_members_principal",
    members.c.space_id,
    sa.func.coalesce(members.c.folder_id, 0),
    sa.func.coalesce(members.c.account_id, 0),
    sa.func.coalesce(members.c.group_id, 0),
    unique=True,
)

# One row. Every change to the tables above raises it, in the same transaction; what a process
# remembers of them is valid for one value only.
registry_revision = sa.Table(
    "registry_revision",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.BigInteger, nullable=False),
)

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("id", Key, primary_key=True),
    # Chosen before the row is written: it also names what the act leaves in history/.
    sa.Column("uid", sa.String, nullable=False, unique=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("account_id", sa.ForeignKey(accounts.c.id)),
    # As they were then, for the reader of the journal.
    sa.Column("login", sa.String, nullable=False),
    sa.Column("device", sa.String, nullable=False),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("space_id", sa.ForeignKey(spaces.c.id)),
    # Documents: below the space's root. Agendas: <collection>/<object>. Else empty.
    sa.Column("path", Path_, nullable=False),
    # What is needed to invert the act; its form is the action's.
    sa.Column("detail", sa.JSON, nullable=False),
)
sa.Index("ix_journal_account_at", journal.c.account_id, journal.c.at)
sa.Index("ix_journal_space_path", journal.c.space_id, journal.c.path, journal.c.id)

# How often an account, with one device, did what ransomware does often: by kind and minute.
tallies = sa.Table(
    "tallies",
    metadata,
    sa.Column("account_id", sa.ForeignKey(accounts.c.id), primary_key=True),
    # 0: without a device password.
    sa.Column("device_id", Key, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String, primary_key=True),
    # Minutes since 1970 UTC.
    sa.Column("minute", sa.BigInteger, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)
