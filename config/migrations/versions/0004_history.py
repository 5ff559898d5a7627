"""What history keeps, where things went, and who is stopped."""

import sqlalchemy as sa
from alembic import op

from config.database import Instant, Key, Path_

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_VERSIONS = frozenset({"document.put", "document.copy", "document.move"})


def upgrade() -> None:
    op.add_column("accounts", sa.Column("stopped_at", Instant))
    op.add_column(
        "spaces",
        sa.Column("history_bytes", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    )
    for name in ("keep_days", "daily_days", "trash_days"):
        op.add_column("spaces", sa.Column(name, sa.Integer))
    op.create_table(
        "tallies",
        sa.Column("account_id", Key, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("device_id", Key, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("job", sa.String, primary_key=True),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("until", Instant, nullable=False),
    )
    kept = op.create_table(
        "kept",
        sa.Column("uid", sa.String, primary_key=True),
        sa.Column("journal_id", Key, sa.ForeignKey("journal.id"), nullable=False, index=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("space_id", Key, sa.ForeignKey("spaces.id"), nullable=False),
        sa.Column("path", Path_, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("collection", sa.Boolean, nullable=False),
        sa.Column("size", sa.BigInteger),
        sa.Column("members", sa.JSON),
        sa.Column("restricted", sa.JSON, nullable=False),
    )
    op.create_index("ix_kept_path", "kept", ["space_id", "path", "at"])
    op.create_index("ix_kept_reason", "kept", ["space_id", "reason", "at"])
    traces = op.create_table(
        "traces",
        sa.Column("id", Key, primary_key=True),
        sa.Column("journal_id", Key, sa.ForeignKey("journal.id"), nullable=False, index=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("space_id", Key, sa.ForeignKey("spaces.id"), nullable=False),
        sa.Column("tree", sa.String, nullable=False),
        sa.Column("path", Path_, nullable=False),
        sa.Column("parent", Path_, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("other_space_id", Key, sa.ForeignKey("spaces.id")),
        sa.Column("other_tree", sa.String),
        sa.Column("other_path", Path_),
        sa.Column("inode", sa.BigInteger),
        sa.Column("size", sa.BigInteger),
        sa.Column("mtime_ns", sa.BigInteger),
    )
    op.create_index("ix_traces_path", "traces", ["space_id", "tree", "path", "journal_id"])
    op.create_index("ix_traces_parent", "traces", ["space_id", "tree", "parent", "journal_id"])
    op.create_index("ix_traces_at", "traces", ["space_id", "at"])
    _fill(kept, traces)


def _fill(kept: sa.Table, traces: sa.Table) -> None:
    """Index what the journal of an older version says."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT slug, id FROM spaces"))
    spaces = {row.slug: row.id for row in rows}
    journal = sa.Table(
        "journal",
        sa.MetaData(),
        sa.Column("id", Key),
        sa.Column("uid", sa.String),
        sa.Column("at", Instant),
        sa.Column("action", sa.String),
        sa.Column("space_id", Key),
        sa.Column("path", Path_),
        sa.Column("detail", sa.JSON),
    )
    actions = ("document.delete", "folder.create", *sorted(_VERSIONS))
    query = sa.select(journal).where(journal.c.action.in_(actions)).order_by(journal.c.id)
    for row in connection.execute(query).all():
        ends, keeping = _of(row, spaces)
        connection.execute(
            traces.insert(), [{"journal_id": row.id, "at": row.at, **end} for end in ends]
        )
        if keeping is not None:
            connection.execute(kept.insert().values(journal_id=row.id, at=row.at, **keeping))


def _of(
    row: sa.Row[tuple[object, ...]], spaces: dict[str, int]
) -> tuple[list[dict[str, object]], dict[str, object] | None]:
    """The traces that an act left, and what it keeps."""
    detail = row.detail
    here = {"space_id": row.space_id, "tree": "", "path": row.path}
    there = here
    if row.action == "document.move":
        there = {"space_id": spaces[detail["to_space"]], "tree": "", "path": detail["to"]}
    ends, keeping = [], None
    if detail.get("history"):
        ends.append(_end("left", there, {**there, "tree": row.uid}))
        keeping = {
            "uid": row.uid,
            "space_id": there["space_id"],
            "path": there["path"],
            "reason": "version" if row.action in _VERSIONS else "trash",
            "collection": bool(detail.get("collection")),
            "restricted": detail.get("restricted", {}),
        }
    if row.action == "document.move":
        ends += [_end("left", here, there), _end("arrived", there, here)]
    elif row.action != "document.delete":
        born = {"inode": detail["inode"], "size": detail.get("size")}
        ends.append({**_end("arrived", here), **born})
    return ends, keeping


def _end(
    kind: str, place: dict[str, object], other: dict[str, object] | None = None
) -> dict[str, object]:
    other = other or {}
    return {
        **place,
        "parent": str(place["path"]).rpartition("/")[0],
        "kind": kind,
        "other_space_id": other.get("space_id"),
        "other_tree": other.get("tree"),
        "other_path": other.get("path"),
        "inode": None,
        "size": None,
    }


def downgrade() -> None:
    for table in ("traces", "kept", "leases", "tallies"):
        op.drop_table(table)
    with op.batch_alter_table("spaces") as spaces:
        for name in ("trash_days", "daily_days", "keep_days", "history_bytes"):
            spaces.drop_column(name)
    with op.batch_alter_table("accounts") as accounts:
        accounts.drop_column("stopped_at")
