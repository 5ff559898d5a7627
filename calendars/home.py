"""The home of one account: the collections it sees, and what it may do with each.

Nothing is stored of it: joining a space makes its collections appear, leaving it removes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl import policy
from acl.actor import Actor
from acl.errors import NeedPrivileges, NotFound
from acl.policy import Area, Decision
from acl.privileges import Privilege
from acl.registry import Account, Registry, Space
from calendars.errors import Tag
from calendars.tables import Kind, collections, views
from config.errors import DavserverError
from config.language import translate


@dataclass(frozen=True)
class Place:
    """A collection as one account finds it in its home.

    `space` is None for the account's own. `props` are the dead properties by Clark name, the
    account's own ones before those that all see.
    """

    id: int
    uuid: str
    name: str
    kind: Kind
    tag: Tag
    components: tuple[str, ...]
    revision: int
    space: Space | None
    props: Mapping[str, Any]

    def decide(self, actor: Actor, privilege: Privilege) -> Decision:
        """What the policy says."""
        if self.space is None:
            return policy.decide_own(actor, privilege)
        return policy.decide(actor, privilege, self.space, area=Area.AGENDA)

    def busy_only(self, actor: Actor) -> bool:
        """Whether all that `actor` may see here is when somebody is busy."""
        decision = self.decide(actor, Privilege.READ)
        return self.kind is Kind.AGENDA and not decision and decision.busy_only

    def title(self, locale: str) -> str:
        """What to call it, unless the account has chosen a name itself."""
        space = self.space.title if self.space else None
        match self.kind:
            case Kind.OWN:
                return self.name
            case Kind.AGENDA:
                return space or translate(locale, "Agenda")
            case Kind.TASKS:
                return (
                    translate(locale, "{space} – tasks", space=space)
                    if space
                    else translate(locale, "Tasks")
                )
            case Kind.CONTACTS:
                return (
                    translate(locale, "{space} – contacts", space=space)
                    if space
                    else translate(locale, "Contacts")
                )


class Home:
    """The home of the actor's account, in one transaction.

    `prefix` is the URL path that `/<login>/` is mounted at. Here the policy is asked, for
    every verb: what is not to be read is not found.
    """

    def __init__(
        self,
        connection: Connection,
        registry: Registry,
        actor: Actor,
        account: Account,
        prefix: str,
    ) -> None:
        self.connection = connection
        self.registry = registry
        self.actor = actor
        self.account = account
        self._prefix = prefix
        self._found: dict[str, Place] = {}

    def href(self, name: str = "", member: str | None = None) -> str:
        """The URL path of the home, of a collection in it, or of an object in that."""
        path = f"{self._prefix}/{self.account.login}/"
        if name:
            path += f"{name}/"
        return quote(path + (member or ""))

    def enter(self) -> None:
        """Raise `NotFound` if there is no home for this actor: its device is for documents."""
        if not policy.decide_own(self.actor, Privilege.READ):
            raise NotFound()

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """All collections that the account may read: its own first, then by name.

        A collection of which only busy times may be seen is not listed: clients would try to
        read it, and complain at every poll.
        """
        spaces = {
            space.id: space
            for space in self.registry.spaces.values()
            if policy.decide(self.actor, Privilege.READ, space, area=Area.AGENDA)
        }
        own = collections.c.account_id == self.account.id
        rows = self._rows(own | collections.c.space_id.in_(list(spaces)))
        by_name: dict[str, Place] = {}
        for place in rows:
            by_name.setdefault(place.name, place)
        self._found.update(by_name)
        return tuple(by_name.values())

    def find(self, name: str, error: DavserverError | None = None) -> Place:
        """The collection `name`, if it is there for the actor. Raises `NotFound`, or `error`."""
        place = self._found.get(name)
        if place is None:
            place = next(iter(self._named(name)), None)
        if place is None or not self._visible(place):
            raise error or NotFound()
        self._found[name] = place
        return place

    def open(self, name: str) -> Place:
        """As `find`, of what may be read. Raises `NotFound` or `NeedPrivileges`."""
        place = self.find(name)
        self.require(Privilege.READ, place)
        return place

    def occupied(self, name: str) -> bool:
        """Whether something has this name here, or may come to have it when a space is joined."""
        return bool(self._named(name))

    def require(self, privilege: Privilege, place: Place, member: str | None = None) -> None:
        """Raise `NeedPrivileges` unless the policy allows it; `place` was found."""
        decision = place.decide(self.actor, privilege)
        if not decision:
            raise NeedPrivileges(decision.reason, self.href(place.name, member), privilege)

    def require_own(self, privilege: Privilege, place: Place | None = None) -> None:
        """As `require`, for what each account decides for itself: how it sees `place`, and
        what its home holds."""
        decision = policy.decide_own(self.actor, privilege)
        if not decision:
            href = self.href(place.name if place else "")
            raise NeedPrivileges(decision.reason, href, privilege)

    def _visible(self, place: Place) -> bool:
        return bool(place.decide(self.actor, Privilege.READ)) or place.busy_only(self.actor)

    def _named(self, name: str) -> list[Place]:
        own = collections.c.account_id == self.account.id
        visible = own | collections.c.space_id.is_not(None)
        return self._rows((collections.c.name == name) & visible)

    def _rows(self, which: sa.ColumnElement[bool]) -> list[Place]:
        """These collections, the account's own before others'."""
        query = (
            sa.select(collections, views.c.props.label("view"))
            .outerjoin(
                views,
                (views.c.collection_id == collections.c.id)
                & (views.c.account_id == self.account.id),
            )
            .where(which, collections.c.deleted_at.is_(None))
            .order_by(collections.c.space_id.is_not(None), collections.c.id)
        )
        return [
            Place(
                id=row.id,
                uuid=row.uuid,
                name=row.name,
                kind=Kind(row.kind),
                tag=row.tag,
                components=tuple(row.components.split(",")),
                revision=row.revision,
                space=None if row.space_id is None else self.registry.space_by_id[row.space_id],
                props={**row.props, **(row.view or {})},
            )
            for row in self.connection.execute(query)
        ]
