"""What a listing consists of: resources, and the two collections that are no folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from acl.privileges import Privilege
from acl.registry import Account, Space
from davserver.documents.locks import Lock
from davserver.documents.resource import Resource


@dataclass(frozen=True)
class Item:
    """One response of a PROPFIND. `resource` is None for collections that are no folder; what is
    `past` can only be read."""

    href: str
    name: str
    is_collection: bool
    modified: datetime
    resource: Resource | None = None
    dead: Mapping[str, str] = field(default_factory=dict)
    past: bool = False

    @property
    def space(self) -> Space | None:
        return self.resource.place.space if self.resource else None


@dataclass(frozen=True)
class Surroundings:
    """What is the same for all items of one reply.

    `locks` are all that may protect one of them; `usage` is the bytes used by each space, empty
    for a client that must not be told. `privileges` are those on what is no exception below.
    """

    account: Account
    locks: Sequence[Lock] = ()
    usage: Mapping[int, int] = field(default_factory=dict)
    privileges: Mapping[str, frozenset[Privilege]] = field(default_factory=dict)

    def locks_on(self, item: Item) -> list[Lock]:
        """The locks that protect `item`."""
        if item.resource is None or not self.locks:
            return []
        place = item.resource.place
        return [
            lock
            for lock in self.locks
            if lock.space_id == place.space.id
            and lock.tree == place.tree
            and lock.covers(place.path)
        ]
