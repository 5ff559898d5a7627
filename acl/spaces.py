"""Spaces: what people work in. Their folders and agendas are made by the packages above."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl import names, registry
from acl.errors import BadQuota, NameTaken, UnknownName
from acl.journal import Act
from acl.registry import Space
from acl.tables import spaces


def add(
    act: Act,
    slug: str,
    *,
    title: str = "",
    confidential: bool = False,
    quota_bytes: int | None = None,
) -> Space:
    """Add a space without members. Raises `BadName`, `ReservedSlug`, `BadValue` or `NameTaken`."""
    names.check_slug(slug)
    names.check_title(title or slug)
    if quota_bytes is not None and quota_bytes < 0:
        raise BadQuota()
    registry.bump(act.connection)
    if act.connection.execute(sa.select(spaces.c.id).where(spaces.c.slug == slug)).first():
        raise NameTaken(kind="space", name=slug)
    new_id = act.connection.execute(
        spaces.insert()
        .values(
            slug=slug,
            title=title or slug,
            confidential=confidential,
            archived=False,
            quota_bytes=quota_bytes,
            used_bytes=0,
            created_at=act.now,
        )
        .returning(spaces.c.id)
    ).scalar_one()
    space = Space(
        new_id,
        slug,
        title or slug,
        confidential,
        quota_bytes=quota_bytes,
    )
    act.record("space.add", space_id=space.id, detail={"title": space.title})
    return space


def find(act: Act, slug: str) -> Space:
    """The space `slug`, without its members. Raises `UnknownName`."""
    row = act.connection.execute(sa.select(spaces).where(spaces.c.slug == slug)).first()
    if row is None:
        raise UnknownName(kind="space", name=slug)
    return Space(row.id, row.slug, row.title, row.confidential, row.archived, row.quota_bytes)


def set_archived(act: Act, slug: str, archived: bool) -> None:
    """Make the space readable only, or give it back to its members. Raises `UnknownName`."""
    space = find(act, slug)
    act.connection.execute(spaces.update().where(spaces.c.id == space.id).values(archived=archived))
    registry.bump(act.connection)
    act.record(
        "space.archive" if archived else "space.unarchive",
        space_id=space.id,
        detail={"archived": space.archived},
    )


def take(connection: Connection, space_ids: Iterable[int]) -> dict[int, int]:
    """Make this transaction the only one that changes these spaces, until it ends.

    Call it first in a write transaction, once. Returns the bytes that each space uses. On
    SQLite the transaction is alone already.
    """
    rows = connection.execute(
        sa.select(spaces.c.id, spaces.c.used_bytes)
        .where(spaces.c.id.in_(sorted(space_ids)))
        .order_by(spaces.c.id)
        # Not FOR UPDATE: others may go on to write journal rows that refer to the space.
        .with_for_update(key_share=True)
    )
    return {row.id: row.used_bytes for row in rows}


def charge(connection: Connection, space_id: int, size: int) -> None:
    """Add `size` bytes, which may be negative, to what the space uses."""
    if size:
        connection.execute(
            spaces.update()
            .where(spaces.c.id == space_id)
            .values(used_bytes=spaces.c.used_bytes + size)
        )


def usage(connection: Connection, space_ids: Iterable[int]) -> dict[int, int]:
    """The bytes that each space uses: live documents, and former ones kept in history."""
    query = sa.select(spaces.c.id, spaces.c.used_bytes).where(spaces.c.id.in_(list(space_ids)))
    # Below nothing where documents were changed directly on the disk; `check` tells.
    return {row.id: max(0, row.used_bytes) for row in connection.execute(query)}
