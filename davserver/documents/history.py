"""What `/history/<space>/` shows: the trash, and the space as it was at any moment. Read-only.

trash/<name (when, who)>/…        what was deleted, with all that was in it
<YYYY-MM-DDTHH:MM>/…              the space as it was then; those at which something changed are
                                  listed, any other can be asked for
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import chain, islice

from acl.errors import NotFound
from acl.policy import decide
from acl.privileges import Privilege
from acl.registry import Space
from davserver import paths
from davserver.documents import kept, traces
from davserver.documents.kept import TRASH, Kept
from davserver.documents.past import Past, Relic, inside
from davserver.documents.resource import Resource, scan
from davserver.documents.view import View

BIN = "trash"
_LISTED_MAX = 1000
# A space in which nobody may see much could have any number of others' changes.
_SEARCHED_MAX = 100_000
_MINUTE = timedelta(minutes=1)
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d)[:.h](\d\d)(?:[:.](\d\d)(\.\d{1,6})?)?(Z|[+-]\d\d[:.]?\d\d)?"
)
_ENTRY = re.compile(r".* \((\d{4}-\d\d-\d\d) (\d\d)\.(\d\d), .*", re.DOTALL)


@dataclass(frozen=True)
class Exhibit:
    """One thing that is shown: its path below `/history/<space>`, and what it is.

    `resource` is where its content lies; None for the collections that are there to show others.
    `modified` is aware. `kept` is what history keeps it in, if it is shown as trash, and
    `past` the time it is shown of, with `relic`, otherwise.
    """

    path: str
    modified: datetime
    resource: Resource | None = None
    kept: Kept | None = None
    past: Past | None = None
    relic: Relic | None = None

    @property
    def name(self) -> str:
        """The last segment of its path; "" for the whole history."""
        return paths.name(self.path)

    @property
    def is_collection(self) -> bool:
        return self.resource is None or self.resource.is_collection


@dataclass(frozen=True)
class History:
    """The history of `space` as the actor of `view` may see it.

    Moments are those of the clocks in `zone` (None: the system's). `plain`: for Windows, which
    has no colons in names.
    """

    view: View
    space: Space
    zone: tzinfo | None
    plain: bool = False

    def get(self, path: str) -> Exhibit:
        """What is shown at `path`. Raises `NotFound`."""
        if not decide(self.view.actor, Privilege.READ, self.space):
            raise NotFound()
        first, _, rest = path.partition("/")
        if not path or path == BIN:
            return Exhibit(path, self.view.now)
        found = self._in_trash(path, rest) if first == BIN else self._then(first, rest)
        if found is None:
            raise NotFound()
        return found

    def members(self, exhibit: Exhibit) -> Iterator[Exhibit]:
        """What is shown in a collection, in no particular order."""
        if not exhibit.path:
            yield Exhibit(BIN, self.view.now)
            for moment in self._moments():
                yield Exhibit(self._name_of(moment), moment)
        elif exhibit.path == BIN:
            for name, one in self._entries(kept.listing(self.view.connection, self.space, TRASH)):
                found = self._kept(f"{BIN}/{name}", one, one.path)
                if found is not None:
                    yield found
        elif exhibit.kept is not None and exhibit.resource is not None:
            for member in scan(exhibit.resource):
                if exhibit.kept.readable(self.view.actor, self.space, member.place.path):
                    path = paths.join(exhibit.path, member.place.name)
                    yield Exhibit(path, member.modified, member, exhibit.kept)
        elif exhibit.past is not None and exhibit.relic is not None:
            for relic in exhibit.past.members(exhibit.relic):
                path = paths.join(exhibit.path, paths.name(relic.path))
                yield _of(path, exhibit.past, relic)

    # The trash

    def _in_trash(self, path: str, rest: str) -> Exhibit | None:
        entry, _, below = rest.partition("/")
        one = self._entry(entry)
        return None if one is None else self._kept(path, one, paths.join(one.path, below))

    def _kept(self, path: str, one: Kept, inner: str) -> Exhibit | None:
        if not one.readable(self.view.actor, self.space, inner):
            return None
        found = inside(self.view, self.space, one, inner)
        return None if found is None else Exhibit(path, found.modified, found, one)

    def _entry(self, name: str) -> Kept | None:
        """What is shown in the trash as `name`, which tells the minute it went there."""
        match = _ENTRY.fullmatch(name)
        began = match and self._moment(f"{match[1]}T{match[2]}:{match[3]}")
        if not began:
            return None
        # The hour that summer time ends is there twice.
        again = began.astimezone(self.zone).replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        minutes = dict.fromkeys((began, again))
        listed = chain.from_iterable(
            kept.listing(self.view.connection, self.space, TRASH, since=at, before=at + _MINUTE)
            for at in minutes
        )
        return next((one for known, one in self._entries(listed) if known == name), None)

    def _entries(self, listed: Iterable[Kept]) -> Iterator[tuple[str, Kept]]:
        """Names that a person understands, each once: what, when, by whom."""
        given: dict[str, int] = {}
        for one in listed:
            at = one.at.astimezone(self.zone)
            stem, dot, ending = paths.name(one.path).rpartition(".")
            if one.collection or not stem or len(ending) > _ENDING_MAX:
                stem, dot, ending = paths.name(one.path), "", ""
            told = f"{at:%Y-%m-%d %H.%M}, {one.login}"
            name = _fitting(stem, f" ({told}){dot}{ending}")
            number = given[name] = given.get(name, 0) + 1
            if number > 1:
                name = _fitting(stem, f" ({told}, {number}){dot}{ending}")
            yield name, one

    # The space as it was

    def _then(self, name: str, path: str) -> Exhibit | None:
        moment = self._moment(name)
        if moment is None or moment > self.view.now:
            return None
        past = Past(self.view, self.space, moment)
        relic = past.find(path)
        return None if relic is None else _of(paths.join(name, path), past, relic)

    def _moment(self, name: str) -> datetime | None:
        match = _MOMENT.fullmatch(name)
        if match is None:
            return None
        day, hour, minute, second, fraction, offset = match.groups()
        text = f"{day}T{hour}:{minute}:{second or '00'}{fraction or ''}"
        try:
            moment = datetime.fromisoformat(text + (offset or "").replace(".", ":"))
            if moment.tzinfo is None and self.zone is not None:
                moment = moment.replace(tzinfo=self.zone)
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def _name_of(self, moment: datetime) -> str:
        name = moment_name(moment, self.zone)
        return name.replace(":", ".") if self.plain else name

    def _moments(self) -> Iterator[datetime]:
        """The full minutes after which something had changed that the actor may see, the latest
        first."""
        previous = self.view.now
        found = 0
        for row in islice(traces.moments(self.view.connection, self.space.id), _SEARCHED_MAX):
            whole = row.at.replace(second=0, microsecond=0)
            moment = whole if whole == row.at else whole + _MINUTE
            if moment >= previous and not (moment == previous and not found):
                continue
            if decide(self.view.actor, Privilege.READ, self.space, row.path):
                yield moment
                previous, found = moment, found + 1
                if found == _LISTED_MAX:
                    return


def moment_name(moment: datetime, zone: tzinfo | None) -> str:
    """What `/history` calls the moment, by the clocks of `zone` (None: the system's)."""
    local, mark = moment.astimezone(zone), ""
    if local.replace(tzinfo=zone, fold=0).astimezone(UTC) != moment:
        # An hour that is there twice, when summer time ends.
        local, mark = moment, "Z"
    precision = "microseconds" if local.microsecond else "seconds"
    return local.replace(tzinfo=None).isoformat(timespec=precision).removesuffix(":00") + mark


_ENDING_MAX = 10


def _fitting(stem: str, told: str) -> str:
    """`stem` and what is told of it, as long as a name may be."""
    room = paths.SEGMENT_MAX - len(told.encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + told


def _of(path: str, past: Past, relic: Relic) -> Exhibit:
    return Exhibit(path, relic.resource.modified, relic.resource, past=past, relic=relic)
