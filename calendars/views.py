"""How each account sees a collection: the properties that it has set."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from acl.journal import Act
from acl.privileges import Privilege
from calendars import collections as rows
from calendars.home import Home, Place
from calendars.tables import collections, views


def patch(act: Act, home: Home, place: Place, changes: Mapping[str, Any]) -> None:
    """Set dead properties of `place`, by Clark name; None removes one.

    What is set on a space's collection is the account's own, so a reader may, and nobody else
    sees it. Raises `NeedPrivileges`.
    """
    home.require_own(Privilege.WRITE, place)
    former = _own_props(act, home, place)
    props = {**former, **changes}
    props = {name: value for name, value in props.items() if value is not None}
    if props == former:
        return
    if place.space is None:
        act.connection.execute(
            collections.update().where(collections.c.id == place.id).values(props=props)
        )
    else:
        _save_view(act, home, place, props)
    act.record(
        "agenda.properties",
        space_id=place.space.id if place.space else None,
        path=place.name,
        detail={
            "collection": place.id,
            "former": {name: former.get(name) for name in changes},
        },
    )


def _own_props(act: Act, home: Home, place: Place) -> dict[str, Any]:
    """What the account itself has set, as nobody else can change it until the act ends."""
    # Also makes two devices of one account, that both have no view yet, go one after the other.
    rows.take(act.connection, [place.id])
    if place.space is None:
        query = sa.select(collections.c.props).where(collections.c.id == place.id)
    else:
        query = sa.select(views.c.props).where(*_key(home, place))
    return dict(act.connection.scalar(query) or {})


def _save_view(act: Act, home: Home, place: Place, props: dict[str, Any]) -> None:
    saved = act.connection.execute(views.update().where(*_key(home, place)).values(props=props))
    if not saved.rowcount:
        act.connection.execute(
            views.insert().values(collection_id=place.id, account_id=home.account.id, props=props)
        )


def _key(home: Home, place: Place) -> tuple[sa.ColumnElement[bool], ...]:
    return (views.c.collection_id == place.id, views.c.account_id == home.account.id)
