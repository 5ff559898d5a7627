"""What was done in a space since a moment: its acts as they are to be undone."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl.journal import before
from acl.tables import journal
from davserver.documents import traces
from davserver.documents.inversion import Annotation, Done
from davserver.documents.tables import LIVE
from davserver.documents.tables import traces as rows
from davserver.documents.traces import ALTERED, LEFT, Spot, Trace


@dataclass(frozen=True)
class Chronicle:
    """What was done in the spaces `space_ids` since a moment, the first first.

    One space leads to another if something went from one to the other meanwhile.
    """

    space_ids: frozenset[int]
    acts: tuple[Done, ...]

    def trees(self) -> set[str]:
        """The uids of all that went to history, or came from there."""
        spots = [
            spot
            for act in self.acts
            for trace in (*act.left, *act.arrived)
            for spot in (trace.spot, trace.other)
        ]
        return {spot.tree for spot in spots if spot is not None and spot.tree != LIVE}


def since(connection: Connection, space_id: int, moment: datetime) -> Chronicle:
    """All that was done since `moment` in the space, and in those it leads to."""
    known: dict[int, list[sa.Row[Any]]] = {}
    pending = {space_id}
    while pending:
        one = pending.pop()
        position = traces.position(connection, one, moment)
        parameters = {"space": one, "position": position}
        known[one] = list(connection.execute(_TRACES, parameters))
        # An act may have done something in two spaces without moving anything between them.
        pending |= set(connection.execute(_SPACES, parameters).scalars()) - known.keys()
    acts: dict[int, Done] = {}
    found = sorted((row for each in known.values() for row in each), key=_order)
    for _, group in groupby(found, key=lambda row: row.journal_id):
        act = _moves(list(group))
        acts[act.id] = act
    annotations = _ANNOTATIONS.where(journal.c.id > before(connection, moment))
    for row in connection.execute(annotations, {"spaces": list(known), "moment": moment}):
        act = acts.get(row.id) or _done(row)
        own = tuple(one for one in _annotations(row) if one.spot.space_id in known)
        apart = frozenset(Spot(one, LIVE, path) for one, path in row.detail.get("apart", ()))
        acts[row.id] = replace(act, annotations=own, apart=apart)
    return Chronicle(frozenset(known), tuple(acts[each] for each in sorted(acts)))


def former(annotations: Iterable[Annotation]) -> list[dict[str, object]]:
    """Annotations as the journal has them; see `_annotations`."""
    return [
        {
            "space": one.spot.space_id,
            "path": one.spot.path,
            "former": dict(one.former),
            "modified_ns": one.modified_ns,
        }
        for one in annotations
    ]


_WHO = (journal.c.account_id, journal.c.login, journal.c.device)
_TRACES = (
    sa.select(rows, *_WHO)
    .join(journal, rows.c.journal_id == journal.c.id)
    .where(
        rows.c.space_id == sa.bindparam("space"),
        rows.c.journal_id > sa.bindparam("position"),
        rows.c.kind != ALTERED,
    )
)
_elsewhere = rows.alias()
_SPACES = (
    sa.select(_elsewhere.c.space_id)
    .distinct()
    .join(rows, rows.c.journal_id == _elsewhere.c.journal_id)
    .where(rows.c.space_id == sa.bindparam("space"), rows.c.journal_id > sa.bindparam("position"))
)
_ANNOTATIONS = sa.select(journal).where(
    (
        (journal.c.action == "document.properties")
        & journal.c.space_id.in_(sa.bindparam("spaces", expanding=True))
    )
    # One of another space may have followed something here.
    | (journal.c.action == "space.rewind"),
    journal.c.at > sa.bindparam("moment"),
)


def _order(row: sa.Row[Any]) -> tuple[int, int]:
    return (row.journal_id, row.id)


def _moves(group: list[sa.Row[Any]]) -> Done:
    """An act by its traces."""
    left = tuple(_trace(row) for row in group if row.kind == LEFT)
    arrived = tuple(_trace(row) for row in group if row.kind != LEFT)
    row = group[0]
    return Done(row.journal_id, row.at, row.account_id, row.login, row.device, left, arrived)


def _trace(row: sa.Row[Any]) -> Trace:
    there = None if row.other_space_id is None else traces.other(row)
    return Trace(row.kind, Spot(row.space_id, row.tree, row.path), there)


def _done(row: sa.Row[Any]) -> Done:
    return Done(row.id, row.at, row.account_id, row.login, row.device)


def _annotations(row: sa.Row[Any]) -> Iterator[Annotation]:
    """What an act changed without moving it: one thing with PROPPATCH, any number in a rewind."""
    each: list[Mapping[str, Any]] = row.detail.get("annotations") or []
    if "former" in row.detail:
        each = [{"space": row.space_id, "path": row.path, **row.detail}]
    for one in each:
        spot = Spot(one["space"], LIVE, one["path"])
        yield Annotation(spot, one["former"], one.get("modified_ns"))
