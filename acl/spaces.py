"""Spaces: what people work in. Their folders and agendas are made by the packages above."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl import names, registry
from acl.errors import BadQuota, BadRetention, NameTaken, UnknownName
from acl.journal import Act
from acl.registry import Space
from acl.tables import spaces

_QUOTA_MAX = 2**63 - 1
RETENTION_MIN, RETENTION_MAX = 7, 36_500
"""Days: nothing that history keeps goes sooner, by any setting, nor need it stay longer."""


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
    _check_quota(quota_bytes)
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


def set_quota(act: Act, slug: str, quota_bytes: int | None) -> None:
    """Let the space hold so many bytes at most, or as many as there is room for (None).

    It may hold more already: then nothing can be added to it. Raises `UnknownName`, `BadQuota`.
    """
    _check_quota(quota_bytes)
    space = _held(act, slug)
    act.connection.execute(
        spaces.update().where(spaces.c.id == space.id).values(quota_bytes=quota_bytes)
    )
    registry.bump(act.connection)
    detail = {"quota": quota_bytes, "former": space.quota_bytes}
    act.record("space.quota", space_id=space.id, detail=detail)


def _check_quota(quota_bytes: int | None) -> None:
    if quota_bytes is not None and not 0 <= quota_bytes <= _QUOTA_MAX:
        raise BadQuota()


def retention(connection: Connection, space_id: int) -> dict[str, int | None]:
    """How many days history keeps every version of a document in the space (`keep_days`), one a
    day (`daily_days`), and the trash (`trash_days`). None: as the settings say."""
    columns = (spaces.c.keep_days, spaces.c.daily_days, spaces.c.trash_days)
    row = connection.execute(sa.select(*columns).where(spaces.c.id == space_id)).one()
    return dict(row._mapping)


def set_retention(act: Act, slug: str, days: Mapping[str, int | None]) -> None:
    """Keep the space's history for so long, by the names that `retention` gives; those that are
    not given stay. Raises `UnknownName`, `BadRetention`."""
    for number in days.values():
        if number is not None and not RETENTION_MIN <= number <= RETENTION_MAX:
            raise BadRetention(least=RETENTION_MIN, most=RETENTION_MAX, days=number)
    space = _held(act, slug)
    former = retention(act.connection, space.id)
    act.connection.execute(spaces.update().where(spaces.c.id == space.id).values(**days))
    act.record("space.retention", space_id=space.id, detail={**former, **days, "former": former})


def _held(act: Act, slug: str) -> Space:
    """The space as it is once nobody else changes it; before the registry, as the verbs do."""
    take(act.connection, (find(act, slug).id,))
    return find(act, slug)


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


def charge(connection: Connection, space_id: int, size: int, *, history: int = 0) -> None:
    """Add `size` bytes to what the space uses, and `history` to what of that is history.

    Either may be negative.
    """
    if size or history:
        connection.execute(
            spaces.update()
            .where(spaces.c.id == space_id)
            .values(
                used_bytes=spaces.c.used_bytes + size,
                history_bytes=spaces.c.history_bytes + history,
            )
        )


@dataclass(frozen=True)
class Usage:
    """The bytes that a space uses: its live documents, and what history keeps of former ones.

    What was deleted as a whole folder counts as live until it has been counted.
    """

    live: int
    history: int

    @property
    def total(self) -> int:
        return self.live + self.history


def shares(connection: Connection, space_ids: Iterable[int]) -> dict[int, Usage]:
    """What each space uses, live documents and history apart.

    Below nothing where documents were changed directly on the disk; `check` tells.
    """
    columns = (spaces.c.id, spaces.c.used_bytes, spaces.c.history_bytes)
    query = sa.select(*columns).where(spaces.c.id.in_(list(space_ids)))
    return {
        row.id: Usage(row.used_bytes - row.history_bytes, row.history_bytes)
        for row in connection.execute(query)
    }


def set_usage(connection: Connection, space_id: int, used: Usage) -> None:
    """Say what the space uses, after it has been counted anew."""
    connection.execute(
        spaces.update()
        .where(spaces.c.id == space_id)
        .values(used_bytes=used.total, history_bytes=used.history)
    )


def usage(connection: Connection, space_ids: Iterable[int]) -> dict[int, int]:
    """The bytes that each space uses: live documents, and former ones kept in history."""
    query = sa.select(spaces.c.id, spaces.c.used_bytes).where(spaces.c.id.in_(list(space_ids)))
    # Below nothing where documents were changed directly on the disk; `check` tells.
    return {row.id: max(0, row.used_bytes) for row in connection.execute(query)}
