"""What goes along with documents and folders that go elsewhere, many at once: their dead
properties, and the member lists of restricted folders."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl import members
from acl.journal import Act
from acl.registry import Space
from davserver import paths
from davserver.documents.kept import Kept
from davserver.documents.tables import LIVE
from davserver.documents.tables import kept as kept_rows
from davserver.documents.tables import properties as rows
from davserver.documents.traces import Spot

T = TypeVar("T")

_BATCH = 500  # parameters of one statement


class Belongings(Generic[T]):
    """Something of each of many spots, and what becomes of it."""

    def __init__(self, there: Mapping[Spot, T]) -> None:
        self._there = dict(there)
        self._after = dict(there)
        self._paths: dict[tuple[int, str], list[str]] = {}
        for spot in there:
            self._paths.setdefault((spot.space_id, spot.tree), []).append(spot.path)
        for found in self._paths.values():
            found.sort()

    def before(self, spot: Spot) -> T | None:
        """What was at exactly this spot."""
        return self._there.get(spot)

    def after(self, spot: Spot) -> T | None:
        """What is at exactly this spot now."""
        return self._after.get(spot)

    def take(self, spot: Spot) -> dict[Spot, T]:
        """Take what was at `spot` and below it, as far as nobody has taken it."""
        found = self._paths.get((spot.space_id, spot.tree), [])
        # "0" follows "/".
        first, last = (bisect_left(found, spot.path + end) for end in "/0")
        taken = (Spot(spot.space_id, spot.tree, path) for path in (spot.path, *found[first:last]))
        return {one: self._after.pop(one) for one in taken if one in self._after}

    def put(self, spot: Spot, one: T) -> None:
        """Let it be at `spot`."""
        self._after[spot] = one

    def remove(self, spot: Spot) -> None:
        """Let nothing be at exactly this spot."""
        self._after.pop(spot, None)

    def changes(self) -> Iterator[tuple[Spot, T | None]]:
        """Where there is something else now than there was, and what; None for nothing."""
        for spot in self._there.keys() | self._after.keys():
            if self._there.get(spot) != self._after.get(spot):
                yield spot, self._after.get(spot)


Properties = Belongings[Mapping[str, str]]
Lists = Belongings[members.Lines]


def properties(
    connection: Connection, space_ids: Iterable[int], trees: Iterable[str]
) -> Properties:
    """The dead properties of these spaces, and of these trees in their history."""
    found: dict[Spot, dict[str, str]] = {}
    wanted = [LIVE, *sorted(trees)]
    for first in range(0, len(wanted), _BATCH):
        some = rows.c.tree.in_(wanted[first : first + _BATCH])
        for row in connection.execute(sa.select(rows).where(rows.c.space_id.in_(space_ids), some)):
            spot = Spot(row.space_id, row.tree, row.path)
            found.setdefault(spot, {})[row.name] = row.value
    return Belongings(found)


def write_properties(connection: Connection, belongings: Properties) -> None:
    """Write down what has become of them."""
    changed = sorted(belongings.changes(), key=lambda change: change[0].path)
    gone = [
        {"space": spot.space_id, "in_tree": spot.tree, "at": spot.path}
        for spot, _ in changed
        if belongings.before(spot)
    ]
    if gone:
        connection.execute(_DELETE, gone)
    new = [
        {
            "space_id": spot.space_id,
            "tree": spot.tree,
            "path": spot.path,
            "parent": paths.parent(spot.path),
            "name": name,
            "value": value,
        }
        for spot, values in changed
        for name, value in (values or {}).items()
    ]
    if new:
        connection.execute(rows.insert(), new)


_DELETE = rows.delete().where(
    rows.c.space_id == sa.bindparam("space"),
    rows.c.tree == sa.bindparam("in_tree"),
    rows.c.path == sa.bindparam("at"),
)


def lists(act: Act, spaces: Iterable[Space], kept: Iterable[Kept]) -> Lists:
    """The member lists of the restricted folders of these spaces, and of what history keeps."""
    found: dict[Spot, members.Lines] = {}
    for space in spaces:
        for path in space.restricted:
            for inner, lines in members.dump(act, space.id, path, below=False).items():
                found[Spot(space.id, LIVE, inner)] = lines
    for one in kept:
        for path, lines in one.restricted.items():
            found[Spot(one.space_id, one.uid, path)] = lines
    return Belongings(found)


def write_lists(act: Act, belongings: Lists, kept: Mapping[str, Kept]) -> None:
    """Write down what has become of them. `kept` is what history keeps and may have lost some."""
    changed = dict(belongings.changes())
    for space_id in {spot.space_id for spot in changed}:
        live = {
            spot.path: lines
            for spot, lines in changed.items()
            if (spot.space_id, spot.tree) == (space_id, LIVE)
        }
        members.drop(act, space_id, live)
        members.load(act, space_id, {p: lines for p, lines in live.items() if lines is not None})
    for uid in {spot.tree for spot in changed} & kept.keys():
        left = {
            path: lines
            for path, lines in kept[uid].restricted.items()
            if Spot(kept[uid].space_id, uid, path) not in changed
        }
        act.connection.execute(
            kept_rows.update().where(kept_rows.c.uid == uid).values(restricted=left)
        )
