"""The versions of a document: its former contents, each with a moment that `/history` has it at."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.engine import Connection

from acl.registry import Space
from davserver.documents import kept, traces
from davserver.documents.kept import VERSION, Kept
from davserver.documents.tables import LIVE
from davserver.documents.traces import LEFT, Spot

_UNITS = (timedelta(minutes=1), timedelta(seconds=1), timedelta(microseconds=1))


@dataclass(frozen=True)
class Version:
    """A former content of `size` bytes, which `login` replaced at `at`.

    `moment` is one at which it was the document's content, as round as possible; None if what
    happened then is no longer known.
    """

    at: datetime
    login: str
    size: int
    moment: datetime | None


def versions(connection: Connection, space: Space, path: str) -> Iterator[Version]:
    """What history keeps of a document's former contents, the oldest first."""
    for one in kept.listing(connection, space, VERSION, path=path):
        yield Version(one.at, one.login, one.size or 0, _moment(connection, one))


def _moment(connection: Connection, one: Kept) -> datetime | None:
    name = Spot(one.space_id, LIVE, one.path)
    # Some programs move it away first, and put the next one there a little later.
    left = traces.last(connection, name, one.journal_id + 1, kind=LEFT)
    if left is None:
        return None
    came = traces.last(connection, name, left.journal_id)
    for unit in _UNITS:
        moment: datetime = left.at - (left.at - datetime.min.replace(tzinfo=UTC)) % unit
        if moment == left.at:
            moment -= unit
        if came is not None and moment < came.at:
            continue
        # What is around it may have had another name then.
        position = traces.position(connection, one.space_id, moment)
        if traces.follow(connection, name, position) is not None:
            return moment
    return None
