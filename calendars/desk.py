"""The collections of one space, for whoever runs the server: there is no home that they are in."""

from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl.actor import Actor
from acl.errors import NeedPrivileges
from acl.privileges import Privilege
from acl.registry import Space
from calendars.home import Place
from calendars.tables import Kind, collections


class Desk:
    """The agenda, the task list and the address book of `space`, in one transaction.

    `actor` is the command line; the policy is asked here as it is in a `Home`.
    """

    def __init__(self, connection: Connection, actor: Actor, space: Space) -> None:
        self.connection = connection
        self.actor = actor
        self.space = space

    def href(self, name: str = "", member: str | None = None) -> str:
        """A path for messages: nobody can send a request to it."""
        return quote(f"{name}/{member or ''}")

    def require(self, privilege: Privilege, place: Place, member: str | None = None) -> None:
        """Raise `NeedPrivileges` unless the policy allows it."""
        decision = place.decide(self.actor, privilege)
        if not decision:
            raise NeedPrivileges(decision.reason, self.href(place.name, member), privilege)

    def places(self) -> dict[Kind, Place]:
        """The collections of the space, by what they are to it."""
        query = sa.select(collections).where(
            collections.c.space_id == self.space.id, collections.c.deleted_at.is_(None)
        )
        return {
            Kind(row.kind): Place(
                id=row.id,
                uuid=row.uuid,
                name=row.name,
                kind=Kind(row.kind),
                tag=row.tag,
                components=tuple(row.components.split(",")),
                revision=row.revision,
                space=self.space,
                props=row.props,
            )
            for row in self.connection.execute(query)
        }
