"""Sync tokens (RFC 6578): a collection's revision, and what changed since an earlier one."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calendars.errors import InvalidSyncToken
from calendars.tables import objects, tombstones

PREFIX = "http://davserver/ns/sync/"


def token(uuid: str, revision: int) -> str:
    """The token of the collection `uuid` at `revision`."""
    return f"{PREFIX}{uuid}/{revision}"


def since(old: str, uuid: str, revision: int) -> int:
    """The revision that the token `old` stands for; 0 for "", the state before everything.

    `uuid` and `revision` are the collection's. Raises `InvalidSyncToken` for a token that it
    has not given out.
    """
    if not old:
        return 0
    number = old.removeprefix(token(uuid, 0)[:-1])
    # isdecimal alone would let other scripts' digits through.
    if number == old or not (number.isascii() and number.isdecimal()) or len(number) > 18:
        raise InvalidSyncToken()
    if int(number) > revision:
        raise InvalidSyncToken()
    return int(number)


def changed(connection: Connection, collection_id: int, since: int) -> Iterator[str]:
    """The names of the objects put or removed after the revision `since`; 0: of all there are."""
    rows = sa.select(objects.c.name).where(
        objects.c.collection_id == collection_id, objects.c.revision > since
    )
    yield from connection.scalars(rows)
    if since:
        yield from connection.scalars(
            sa.select(tombstones.c.name).where(
                tombstones.c.collection_id == collection_id, tombstones.c.revision > since
            )
        )
