"""Groups: named sets of accounts."""

import sqlalchemy as sa

from acl import accounts, names, registry
from acl.errors import AlreadyInGroup, NameTaken, NotInGroup, UnknownName
from acl.journal import Act
from acl.registry import Group
from acl.tables import group_accounts, groups


def add(act: Act, name: str, *, title: str = "") -> Group:
    """Add an empty group. Raises `BadName`, `BadTitle` or `NameTaken`."""
    names.check("group", name)
    names.check_title(title or name)
    registry.bump(act.connection)
    if act.connection.execute(sa.select(groups.c.id).where(groups.c.name == name)).first():
        raise NameTaken(kind="group", name=name)
    new_id = act.connection.execute(
        groups.insert()
        .values(name=name, title=title or name, created_at=act.now)
        .returning(groups.c.id)
    ).scalar_one()
    act.record("group.add", path=name, detail={"title": title})
    return Group(new_id, name, title or name)


def find(act: Act, name: str) -> Group:
    """The group called `name`. Raises `UnknownName`."""
    row = act.connection.execute(sa.select(groups).where(groups.c.name == name)).first()
    if row is None:
        raise UnknownName(kind="group", name=name)
    return Group(row.id, row.name, row.title)


def join(act: Act, name: str, login: str) -> None:
    """Put an account into a group. Raises `UnknownName`, or `AlreadyInGroup`."""
    registry.bump(act.connection)
    pair = _pair(act, name, login)
    if act.connection.execute(sa.select(group_accounts).filter_by(**pair)).first():
        raise AlreadyInGroup(login=login, group=name)
    act.connection.execute(group_accounts.insert().values(**pair))
    act.record("group.join", path=name, detail={"login": login})


def leave(act: Act, name: str, login: str) -> None:
    """Take an account out of a group. Raises `UnknownName`, or `NotInGroup`."""
    pair = _pair(act, name, login)
    if not act.connection.execute(group_accounts.delete().filter_by(**pair)).rowcount:
        raise NotInGroup(login=login, group=name)
    registry.bump(act.connection)
    act.record("group.leave", path=name, detail={"login": login})


def _pair(act: Act, name: str, login: str) -> dict[str, int]:
    return {"group_id": find(act, name).id, "account_id": accounts.find(act, login).id}
