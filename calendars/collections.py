"""The collections of spaces and accounts: made with them, and by people with MKCALENDAR."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl.errors import NameTaken, NotFound
from acl.journal import Act
from acl.privileges import Privilege
from acl.registry import Account, Space
from calendars.conditions import Conditions
from calendars.errors import NAME_MAX, AlreadyMapped, Kept, NoPlaceForCollection, Tag
from calendars.home import Home, Place
from calendars.tables import Kind, collections
from config.errors import NameTooLong

_HOLDS: dict[Kind, tuple[Tag, str]] = {
    Kind.AGENDA: ("VCALENDAR", "VEVENT"),
    Kind.TASKS: ("VCALENDAR", "VTODO"),
    Kind.CONTACTS: ("VADDRESSBOOK", "VCARD"),
}
_SUFFIXES = {Kind.AGENDA: "", Kind.TASKS: "-tasks", Kind.CONTACTS: "-contacts"}


def create_for_space(act: Act, space: Space) -> None:
    """Make the agenda, task list and address book of a new space, as part of `act`.

    Raises `NameTaken` if one of them would have the name of another space's.
    """
    names = {kind: space.slug + suffix for kind, suffix in _SUFFIXES.items()}
    taken = sa.select(collections.c.name).where(
        collections.c.space_id.is_not(None),
        collections.c.deleted_at.is_(None),
        collections.c.name.in_(names.values()),
    )
    if (name := act.connection.scalar(taken)) is not None:
        raise NameTaken(kind="space", name=name)
    for kind, name in names.items():
        _insert(act, kind, name, *_HOLDS[kind], space_id=space.id)


def create_for_account(act: Act, account: Account) -> None:
    """Make the account's own agenda, task list and address book, as part of `act`."""
    for kind, holds in _HOLDS.items():
        _insert(act, kind, kind.value, *holds, account_id=account.id)


@dataclass(frozen=True)
class NewCollection:
    """What MKCALENDAR or MKCOL asks for; `props` are dead properties by Clark name."""

    tag: Tag
    components: tuple[str, ...]
    props: Mapping[str, Any]


def create_own(act: Act, home: Home, name: str, new: NewCollection) -> None:
    """Make one more collection of the account's own.

    Raises `NeedPrivileges`, `NameTooLong`, `AlreadyMapped`, or `NoPlaceForCollection` for a
    name that the actor may not know to be taken.
    """
    home.require_own(Privilege.CREATE)
    if len(name.encode()) > NAME_MAX:
        raise NameTooLong()
    if home.occupied(name):
        home.find(name, NoPlaceForCollection())
        raise AlreadyMapped()
    holds = ",".join(new.components)
    account_id = home.account.id
    try:
        new_id = _insert(act, Kind.OWN, name, new.tag, holds, new.props, account_id=account_id)
    except sa.exc.IntegrityError:
        # Another device of the same account was faster.
        raise AlreadyMapped() from None
    act.record(
        "agenda.create",
        path=name,
        detail={"collection": new_id, "tag": new.tag, "components": holds},
    )


def remove(act: Act, home: Home, place: Place, conditions: Conditions, etag: str) -> None:
    """Take away a collection that the account has made itself; all that is in it is kept.

    Raises `NeedPrivileges`, and `Kept` for one of a space or one that came with the account:
    a phone's DELETE shall not take an agenda from everybody.
    """
    home.require_own(Privilege.DELETE, place)
    if place.kind is not Kind.OWN:
        raise Kept(home.href(place.name))
    if not take(act.connection, [place.id]):
        raise NotFound()
    conditions.check(etag)
    act.connection.execute(
        collections.update().where(collections.c.id == place.id).values(deleted_at=act.now)
    )
    act.record("agenda.remove", path=place.name, detail={"collection": place.id})


def take(connection: Connection, collection_ids: Iterable[int]) -> dict[int, int]:
    """Make this transaction the only one that changes these collections, until it ends.

    Returns the revision of each, but of those that have gone. On SQLite the transaction is
    alone already.
    """
    rows = connection.execute(
        sa.select(collections.c.id, collections.c.revision)
        .where(collections.c.id.in_(sorted(collection_ids)), collections.c.deleted_at.is_(None))
        .order_by(collections.c.id)
        # Not FOR UPDATE: rows that refer to the collection may be written beside.
        .with_for_update(key_share=True)
    )
    return {row.id: row.revision for row in rows}


def advance(connection: Connection, collection_id: int) -> int:
    """Raise the revision, in the transaction that changes what is in the collection."""
    revision = connection.execute(
        collections.update()
        .where(collections.c.id == collection_id)
        .values(revision=collections.c.revision + 1)
        .returning(collections.c.revision)
    ).scalar_one()
    return int(revision)


def _insert(
    act: Act,
    kind: Kind,
    name: str,
    tag: Tag,
    components: str,
    props: Mapping[str, Any] | None = None,
    *,
    space_id: int | None = None,
    account_id: int | None = None,
) -> int:
    new_id = act.connection.execute(
        collections.insert()
        .values(
            uuid=str(uuid.uuid4()),
            space_id=space_id,
            account_id=account_id,
            kind=kind.value,
            name=name,
            tag=tag,
            components=components,
            props=dict(props or {}),
            revision=0,
            created_at=act.now,
        )
        .returning(collections.c.id)
    ).scalar_one()
    return int(new_id)
