"""Member lists: of a space, and of its restricted folders."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from acl import accounts, groups, registry, spaces
from acl.errors import AlreadyRestricted, NotMember, UnknownName
from acl.journal import Act
from acl.registry import Space
from acl.roles import Role
from acl.tables import members, restricted_folders


def add(act: Act, slug: str, principal: str, role: Role, *, folder: str = "") -> None:
    """Make `principal` (a login or `@group`) a member, or give it another role.

    `folder` is the path of a restricted folder, "" for the space's own list. Raises
    `UnknownName`, also for a folder that is not restricted.
    """
    registry.bump(act.connection)
    space = spaces.find(act, slug)
    line = _line(act, space, principal, folder)
    former = act.connection.execute(sa.select(members.c.role).filter_by(**line)).scalar()
    if former is None:
        act.connection.execute(members.insert().values(**line, role=role.value))
    else:
        act.connection.execute(members.update().filter_by(**line).values(role=role.value))
    act.record(
        "member.add",
        space_id=space.id,
        path=folder,
        detail={"member": principal, "role": role.value, "former": former},
    )


def remove(act: Act, slug: str, principal: str, *, folder: str = "") -> None:
    """Take `principal` off the list. Raises `UnknownName`, or `NotMember`."""
    space = spaces.find(act, slug)
    line = _line(act, space, principal, folder)
    former = act.connection.execute(sa.select(members.c.role).filter_by(**line)).scalar()
    if former is None:
        raise NotMember(principal=principal, place=f"{slug}/{folder}".rstrip("/"))
    act.connection.execute(members.delete().filter_by(**line))
    registry.bump(act.connection)
    act.record(
        "member.remove",
        space_id=space.id,
        path=folder,
        detail={"member": principal, "former": former},
    )


def restrict(act: Act, slug: str, folder: str) -> None:
    """Give a folder a member list of its own, empty at first. `folder` is NFC, not "".

    Raises `UnknownName` for the space, or `AlreadyRestricted`.
    """
    space = spaces.find(act, slug)
    if not folder:
        raise AlreadyRestricted(place=slug)
    registry.bump(act.connection)
    where = {"space_id": space.id, "path": folder}
    if act.connection.execute(sa.select(restricted_folders.c.id).filter_by(**where)).first():
        raise AlreadyRestricted(place=f"{slug}/{folder}")
    act.connection.execute(restricted_folders.insert().values(**where))
    act.record("folder.restrict", space_id=space.id, path=folder)


def unrestrict(act: Act, slug: str, folder: str) -> None:
    """Let the folder inherit again; its member list goes. Raises `UnknownName`."""
    space = spaces.find(act, slug)
    detail = {"restricted": dump(act, space.id, folder, below=False)}
    folder_id = _folder_id(act, space, folder)
    act.connection.execute(restricted_folders.delete().filter_by(id=folder_id))
    registry.bump(act.connection)
    act.record("folder.unrestrict", space_id=space.id, path=folder, detail=detail)


Lines = list[dict[str, Any]]
"""A member list in a form that JSON can hold: of each line the account, the group, the role."""

Lists = dict[str, Lines]
"""Member lists of restricted folders by path."""


def dump(act: Act, space_id: int, folder: str, *, below: bool = True) -> Lists:
    """The member lists of the restricted folder `folder`, and of those `below` it."""
    inside = restricted_folders.c.path == folder
    if below:
        # Not BETWEEN: PostgreSQL cannot parse the COLLATE that its bounds would get.
        path = restricted_folders.c.path
        inside |= (path > f"{folder}/") & (path < f"{folder}0")
    rows = act.connection.execute(
        sa.select(restricted_folders.c.path, members)
        .outerjoin(members, members.c.folder_id == restricted_folders.c.id)
        .where(restricted_folders.c.space_id == space_id, inside)
        .order_by(restricted_folders.c.path, members.c.id)
    )
    lists: Lists = {}
    for row in rows:
        lines = lists.setdefault(row.path, [])
        if row.role is not None:
            lines.append({"account": row.account_id, "group": row.group_id, "role": row.role})
    return lists


def drop(act: Act, space_id: int, paths: Iterable[str]) -> None:
    """Forget the restricted folders at these paths, with their lists (see `dump`)."""
    paths = list(paths)
    if paths:
        act.connection.execute(
            restricted_folders.delete().where(
                restricted_folders.c.space_id == space_id, restricted_folders.c.path.in_(paths)
            )
        )
        registry.bump(act.connection)


def load(act: Act, space_id: int, lists: Lists) -> None:
    """Make restricted folders with these lists, as `dump` gave them."""
    for path, lines in lists.items():
        folder_id = act.connection.execute(
            restricted_folders.insert()
            .values(space_id=space_id, path=path)
            .returning(restricted_folders.c.id)
        ).scalar_one()
        for line in lines:
            act.connection.execute(
                members.insert().values(
                    space_id=space_id,
                    folder_id=folder_id,
                    account_id=line["account"],
                    group_id=line["group"],
                    role=line["role"],
                )
            )
    if lists:
        registry.bump(act.connection)


def _line(act: Act, space: Space, principal: str, folder: str) -> dict[str, int | None]:
    return {
        "space_id": space.id,
        "folder_id": _folder_id(act, space, folder) if folder else None,
        "account_id": None if principal.startswith("@") else accounts.find(act, principal).id,
        "group_id": groups.find(act, principal[1:]).id if principal.startswith("@") else None,
    }


def _folder_id(act: Act, space: Space, folder: str) -> int:
    where = {"space_id": space.id, "path": folder}
    query = sa.select(restricted_folders.c.id).filter_by(**where)
    folder_id = act.connection.execute(query).scalar()
    if folder_id is None:
        raise UnknownName(kind="restricted folder", name=f"{space.slug}/{folder}")
    return int(folder_id)
