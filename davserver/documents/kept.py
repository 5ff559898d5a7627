"""What history keeps: former contents (versions), what was deleted (trash), and what passed.

Each lies at history/<slug>/<uid[:2]>/<uid> as it was, and is a tree of its own (see tables.py),
with the member lists that were in force for it. What may be read of it is what could be read
then and may be read now.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl import members
from acl.actor import Actor
from acl.policy import decide
from acl.privileges import Privilege
from acl.registry import Member, Space
from acl.roles import Role
from acl.tables import journal
from davserver.documents.resource import Place
from davserver.documents.tables import kept
from davserver.documents.traces import Spot

VERSION, TRASH, PASSING = "version", "trash", "passing"
"""Why something is kept: it was replaced; it was deleted; or a program made and removed it while
it saved, which nobody asks for, but that nothing is lost."""

_BATCH = 500  # parameters of one statement


@dataclass(frozen=True)
class Kept:
    """One thing that history keeps, and how it came there.

    `uid` names it on the disk and is its tree; in that, it has the `path` that it had before.
    `size` is in bytes, None if it has not been counted. `lines` are those of the member list in
    force for it then, None if that is not known, and `restricted` the lists of the restricted
    folders that it is or has in it. `login` is who put it there.
    """

    uid: str
    journal_id: int
    at: datetime
    space_id: int
    path: str
    reason: str
    collection: bool
    size: int | None
    lines: members.Lines | None
    restricted: members.Lists
    login: str = ""

    @property
    def spot(self) -> Spot:
        """Where it lies."""
        return Spot(self.space_id, self.uid, self.path)

    def readable(self, actor: Actor, space: Space, path: str) -> bool:
        """Whether `actor` could read `path` (as in the tree) then, and still may.

        `space` is the one it was in, as it is now.
        """
        if not decide(actor, Privilege.READ, space, path):
            return False
        return self.lines is None or bool(decide(actor, Privilege.READ, self._then(space), path))

    def _then(self, space: Space) -> Space:
        lists = {path: _members(lines) for path, lines in self.restricted.items()}
        return replace(space, members=_members(self.lines or []), restricted=lists)


def _members(lines: members.Lines) -> tuple[Member, ...]:
    return tuple(Member(Role(line["role"]), line["account"], line["group"]) for line in lines)


def lines(space: Space, path: str) -> members.Lines:
    """The lines of the member list that counts at `path` now."""
    nearest = space.nearest(path)
    counting = space.members if nearest is None else space.restricted[nearest]
    return [
        {"account": line.account_id, "group": line.group_id, "role": line.role.value}
        for line in counting
    ]


def add(connection: Connection, one: Kept) -> None:
    """Write down that history keeps it."""
    values = {
        "uid": one.uid,
        "journal_id": one.journal_id,
        "at": one.at,
        "space_id": one.space_id,
        "path": one.path,
        "reason": one.reason,
        "collection": one.collection,
        "size": one.size,
        "members": one.lines,
        "restricted": one.restricted,
    }
    connection.execute(kept.insert().values(values))


def find(connection: Connection, uid: str) -> Kept | None:
    """What history keeps as `uid`."""
    row = connection.execute(_SELECT.where(kept.c.uid == uid)).first()
    return None if row is None else _kept(row)


def several(connection: Connection, uids: Iterable[str]) -> dict[str, Kept]:
    """What history keeps as these uids, by uid."""
    found: dict[str, Kept] = {}
    wanted = sorted(uids)
    for first in range(0, len(wanted), _BATCH):
        some = kept.c.uid.in_(wanted[first : first + _BATCH])
        for row in connection.execute(_SELECT.where(some)):
            found[row.uid] = _kept(row)
    return found


def listing(
    connection: Connection,
    space: Space,
    reason: str,
    *,
    since: datetime | None = None,
    before: datetime | None = None,
    path: str | None = None,
) -> Iterator[Kept]:
    """What is kept of a space for one reason, the oldest first.

    `since` and `before` bound when it came there, `path` is the name it had.
    """
    query = _SELECT.where(kept.c.space_id == space.id, kept.c.reason == reason)
    if since is not None:
        query = query.where(kept.c.at >= since)
    if before is not None:
        query = query.where(kept.c.at < before)
    if path is not None:
        query = query.where(kept.c.path == path)
    for row in connection.execute(query.order_by(kept.c.journal_id, kept.c.uid)):
        yield _kept(row)


def set_reason(connection: Connection, uid: str, reason: str) -> None:
    """Keep it for another reason from now on."""
    connection.execute(kept.update().where(kept.c.uid == uid).values(reason=reason))


def rename(connection: Connection, uid: str, place: Place) -> None:
    """Keep it as something of `place`, in its space, with the rights that hold there."""
    values = {"path": place.path, "members": lines(place.space, place.path)}
    connection.execute(kept.update().where(kept.c.uid == uid).values(**values))


def set_size(connection: Connection, uid: str, size: int | None) -> None:
    """Say how large it is; None: it will be counted again."""
    connection.execute(kept.update().where(kept.c.uid == uid).values(size=size))


def reduce(connection: Connection, uid: str, restricted: members.Lists) -> None:
    """Say that a part of it has left: these lists are left, and it will be counted again."""
    values = {"size": None, "restricted": restricted}
    connection.execute(kept.update().where(kept.c.uid == uid).values(values))


def remove(connection: Connection, uid: str) -> None:
    """Say that history keeps it no longer."""
    connection.execute(kept.delete().where(kept.c.uid == uid))


_SELECT = sa.select(kept, journal.c.login).join(journal, kept.c.journal_id == journal.c.id)


def _kept(row: sa.Row[Any]) -> Kept:
    values = dict(row._mapping)
    values["lines"] = values.pop("members")
    return Kept(**values)
