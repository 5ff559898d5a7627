"""What a request makes its act depend on: RFC 9110, 13 and the If header of RFC 4918, 10.4.

Parsed before anything else happens, and evaluated inside the transaction that acts.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from config.errors import MalformedRequest, PreconditionFailed
from davserver.errors import NotModified


@dataclass(frozen=True)
class State:
    """What conditions are about: a resource's ETag (quoted), time of modification, and the
    tokens of the locks that protect it. Nothing there: no ETag."""

    etag: str | None = None
    modified: datetime | None = None
    tokens: Collection[str] = ()


@dataclass(frozen=True)
class Condition:
    """One condition of an If header: a state token or an entity tag, perhaps negated."""

    negated: bool
    token: str | None = None
    etag: str | None = None

    def holds(self, state: State) -> bool:
        """Whether it is true of `state`."""
        if self.token is not None:
            return (self.token in state.tokens) != self.negated
        return (self.etag == state.etag) != self.negated


@dataclass(frozen=True)
class StateList:
    """Conditions that must all hold, of the resource `href` or of the request's own (None)."""

    href: str | None
    conditions: tuple[Condition, ...]


_IF = re.compile(
    r"""[\s,]*(?:
        (?P<angle><[^<>]*>)
      | (?P<open>\()
      | (?P<close>\))
      | (?P<negated>Not)\b
      | \[(?P<etag>(?:W/)?"[^"\[\]]*"|[^"\[\]]+)\]
    )""",
    re.VERBOSE | re.IGNORECASE,
)


def parse_if(header: str) -> tuple[StateList, ...]:
    """Parse an If header (RFC 4918, 10.4.2). Raises `MalformedRequest`."""
    lists: list[StateList] = []
    href: str | None = None
    inside: list[Condition] | None = None
    # A resource was named, and nothing has been said of it yet.
    named = False
    negated = False
    position = 0
    text = header.rstrip()
    while position < len(text):
        match = _IF.match(text, position)
        if match is None:
            raise MalformedRequest(what="If header")
        position = match.end()
        kind = match.lastgroup
        if inside is None:
            # Either all lists are of named resources, or none is.
            if kind == "angle" and not named and (href is not None or not lists):
                href, named = match["angle"][1:-1], True
            elif kind == "open":
                inside, named = [], False
            else:
                raise MalformedRequest(what="If header")
        elif kind == "close" and inside and not negated:
            lists.append(StateList(href, tuple(inside)))
            inside = None
        elif kind == "negated" and not negated:
            negated = True
        elif kind in ("angle", "etag"):
            token = match["angle"][1:-1] if kind == "angle" else None
            inside.append(Condition(negated, token, match["etag"]))
            negated = False
        else:
            raise MalformedRequest(what="If header")
    if inside is not None or not lists or named:
        raise MalformedRequest(what="If header")
    return tuple(lists)


def parse_date(header: str) -> datetime | None:
    """Parse an HTTP date; one that is none is to be ignored (RFC 9110, 13.1.3)."""
    try:
        date = parsedate_to_datetime(header)
    # A number can be too large for a date, and for what dates are made of.
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Conditions:
    """All conditions of one request, and the lock tokens it submits."""

    if_match: tuple[str, ...] = ()
    if_none_match: tuple[str, ...] = ()
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None
    lists: tuple[StateList, ...] = ()
    tokens: frozenset[str] = frozenset()

    @property
    def are_there(self) -> bool:
        """Whether there is anything to check; lock tokens alone are no condition."""
        return self != Conditions(tokens=self.tokens)

    def check(self, own: State, of: Callable[[str], State], *, reading: bool = False) -> None:
        """Raise `PreconditionFailed`, or `NotModified` when `reading`, unless all hold.

        `own` is the state of the request's resource; `of` gives that of another one by its
        href, an empty state for one that the actor may not know.
        """
        if self.lists and not any(
            all(c.holds(own if one.href is None else of(one.href)) for c in one.conditions)
            for one in self.lists
        ):
            raise PreconditionFailed()
        self._check_match(own)
        self._check_none_match(own, reading)

    def _check_match(self, own: State) -> None:
        if self.if_match:
            # Strong comparison; a weak tag never matches (RFC 9110, 8.8.3.2).
            if own.etag is None or not {own.etag, "*"} & set(self.if_match):
                raise PreconditionFailed()
        elif self.if_unmodified_since is not None and own.modified is not None:
            if _seconds(own.modified) > self.if_unmodified_since:
                raise PreconditionFailed()

    def _check_none_match(self, own: State, reading: bool) -> None:
        if self.if_none_match:
            known = {etag.removeprefix("W/") for etag in self.if_none_match}
            matches = own.etag is not None and bool({own.etag, "*"} & known)
        elif reading and self.if_modified_since is not None and own.modified is not None:
            matches = _seconds(own.modified) <= self.if_modified_since
        else:
            return
        if matches and reading and own.etag is not None:
            raise NotModified(own.etag)
        if matches:
            raise PreconditionFailed()


def _seconds(moment: datetime) -> datetime:
    """`moment` as an HTTP date can say it."""
    return moment.replace(microsecond=0)


NONE = Conditions()
"""A request that depends on nothing."""
