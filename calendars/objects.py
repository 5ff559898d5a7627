"""The verbs on calendar objects and contacts: put, delete, move.

Each asks the policy, takes its collections for itself, checks the request's conditions,
changes the object, raises the revision, and writes one row of the journal that holds the
former text. All in the transaction of its act, so all of it happens or nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl.deeds import Deed, Kind
from acl.errors import NotFound
from acl.journal import Act
from acl.privileges import Privilege
from calendars import collections
from calendars.conditions import Conditions
from calendars.content import Content
from calendars.errors import NAME_MAX, UidConflict, UnsupportedAddressData, UnsupportedComponent
from calendars.home import Place
from calendars.tables import objects, tombstones
from config.errors import DestinationExists, NameTooLong, SameResource


class Gate(Protocol):
    """Where the policy is asked: the `Home` of an account, or a `Desk` on the command line."""

    @property
    def connection(self) -> Connection: ...

    def href(self, name: str = "", member: str | None = None) -> str: ...

    def require(self, privilege: Privilege, place: Place, member: str | None = None) -> None: ...


@dataclass(frozen=True)
class Put:
    """What a put has done."""

    etag: str
    created: bool


def find(connection: Connection, place: Place, name: str) -> sa.Row[Any] | None:
    """The row of the object `name`, if there is one, whoever asks."""
    return connection.execute(
        sa.select(objects).where(objects.c.collection_id == place.id, objects.c.name == name)
    ).first()


def read(home: Gate, place: Place, name: str) -> sa.Row[Any]:
    """The row of the object `name`. Raises `NeedPrivileges` or `NotFound`."""
    home.require(Privilege.READ, place)
    row = find(home.connection, place, name)
    if row is None:
        raise NotFound()
    return row


def put(
    act: Act, home: Gate, place: Place, name: str, content: Content, conditions: Conditions
) -> Put:
    """Store `content` as `name`, whether something was there or not.

    Raises `NeedPrivileges`, `PreconditionFailed`, `UnsupportedComponent`, `UidConflict` or
    `NameTooLong`, and `NotFound` if the collection has just gone.
    """
    _take(act.connection, place)
    former = find(act.connection, place, name)
    home.require(Privilege.CREATE if former is None else Privilege.WRITE, place, name)
    conditions.check(former.etag if former else None)
    if former is not None and former.data == content.data:
        return Put(former.etag, created=False)
    _check_new(act.connection, home, place, name, content)
    write(act, place, name, content, former)
    act.record(
        "agenda.put",
        space_id=place.space.id if place.space else None,
        path=f"{place.name}/{name}",
        detail={
            "collection": place.id,
            "former": None if former is None else former.data.decode(),
            "etag": content.etag,
        },
    )
    return Put(content.etag, created=former is None)


def delete(act: Act, home: Gate, place: Place, name: str, conditions: Conditions) -> None:
    """Take the object `name` out of its collection; the journal keeps it.

    Raises `NotFound`, `NeedPrivileges` or `PreconditionFailed`.
    """
    _take(act.connection, place)
    former = read(home, place, name)
    home.require(Privilege.DELETE, place, name)
    conditions.check(former.etag)
    remove(act.connection, place, name)
    space_id, path = place.space.id if place.space else None, f"{place.name}/{name}"
    act.deeds.append(Deed(Kind.DELETED, space_id, path))
    act.record(
        "agenda.delete",
        space_id=space_id,
        path=path,
        detail={"collection": place.id, "former": former.data.decode(), "etag": former.etag},
    )


@dataclass(frozen=True)
class Target:
    """Where an object is moved to."""

    place: Place
    name: str
    overwrite: bool


def move(
    act: Act, home: Gate, place: Place, name: str, target: Target, conditions: Conditions
) -> bool:
    """Move an object within its collection, or to another one; tell whether it replaced one.

    Raises what `put` and `delete` raise, `DestinationExists` and `SameResource`.
    """
    if (place.id, name) == (target.place.id, target.name):
        raise SameResource()
    _take(act.connection, place, target.place)
    moved = read(home, place, name)
    home.require(Privilege.DELETE, place, name)
    conditions.check(moved.etag)
    former = find(act.connection, target.place, target.name)
    privilege = Privilege.CREATE if former is None else Privilege.WRITE
    home.require(privilege, target.place, target.name)
    if former is not None and not target.overwrite:
        raise DestinationExists()
    content = Content(moved.data, moved.uid, moved.component, moved.starts, moved.ends)
    remove(act.connection, place, name)
    _check_new(act.connection, home, target.place, target.name, content)
    write(act, target.place, target.name, content, former)
    act.record(
        "agenda.move",
        space_id=place.space.id if place.space else None,
        path=f"{place.name}/{name}",
        detail={
            "collection": place.id,
            "to_collection": target.place.id,
            "to_space": target.place.space.id if target.place.space else None,
            "to": f"{target.place.name}/{target.name}",
            "former": None if former is None else former.data.decode(),
            "moved": moved.data.decode(),
            "etag": moved.etag,
        },
    )
    return former is not None


def _take(connection: Connection, *places: Place) -> None:
    ids: Iterable[int] = {place.id for place in places}
    if set(collections.take(connection, ids)) != set(ids):
        raise NotFound()


def _check_new(
    connection: Connection, home: Gate, place: Place, name: str, content: Content
) -> None:
    """Refuse what the collection does not hold, and a second object of one UID."""
    if len(name.encode()) > NAME_MAX:
        raise NameTooLong()
    if content.component not in place.components:
        if place.tag == "VADDRESSBOOK":
            raise UnsupportedAddressData()
        raise UnsupportedComponent(
            component=content.component, components=", ".join(place.components)
        )
    for row in connection.execute(
        sa.select(objects.c.name, objects.c.uid).where(
            objects.c.collection_id == place.id,
            (objects.c.uid == content.uid) | (objects.c.name == name),
        )
    ):
        if (row.name, row.uid) != (name, content.uid):
            raise UidConflict(place.tag, home.href(place.name, row.name))


def write(act: Act, place: Place, name: str, content: Content, former: sa.Row[Any] | None) -> None:
    """Let `content` be the object `name`, which is `former` now, as part of `act`.

    The collection is taken, and what may be in it has been asked.
    """
    values = {
        "uid": content.uid,
        "component": content.component,
        "data": content.data,
        "etag": content.etag,
        "revision": collections.advance(act.connection, place.id),
        "modified_at": act.now,
        "starts": content.starts,
        "ends": content.ends,
    }
    if former is not None:
        act.connection.execute(objects.update().where(objects.c.id == former.id).values(values))
        return
    act.connection.execute(objects.insert().values(**values, collection_id=place.id, name=name))
    act.connection.execute(
        tombstones.delete().where(tombstones.c.collection_id == place.id, tombstones.c.name == name)
    )


def remove(connection: Connection, place: Place, name: str) -> None:
    """Take the object `name` out of its collection, which is taken."""
    revision = collections.advance(connection, place.id)
    connection.execute(
        objects.delete().where(objects.c.collection_id == place.id, objects.c.name == name)
    )
    connection.execute(
        tombstones.insert().values(collection_id=place.id, name=name, revision=revision)
    )
