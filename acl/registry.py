"""The registry as it is at one revision: accounts, groups, devices, spaces, members.

It is small (some hundred accounts and spaces) and asked for by every request, so each process
keeps the last one it read and asks the database only whether it still holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl import tables
from acl.roles import Role


@dataclass(frozen=True)
class Account:
    """A person who can log in. `groups` holds the ids of the groups it is in.

    `stopped`: the tripwire lets it read only.
    """

    id: int
    login: str
    name: str
    email: str
    locale: str
    administrator: bool = False
    disabled: bool = False
    expires_at: datetime | None = None
    password_hash: str | None = field(default=None, repr=False)
    groups: frozenset[int] = frozenset()
    stopped: bool = False

    def active(self, now: datetime) -> bool:
        """Whether the account may log in at `now` (aware)."""
        return not self.disabled and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class Group:
    """A named set of accounts, written `@name`."""

    id: int
    name: str
    title: str


@dataclass(frozen=True)
class Device:
    """A device password: for one device of one account, scoped. `digest` is its SHA-256."""

    id: int
    account_id: int
    name: str
    documents: bool
    agendas: bool
    read_only: bool
    digest: str = field(default="", repr=False)


@dataclass(frozen=True)
class Member:
    """One line of a member list: an account or a group, and its role."""

    role: Role
    account_id: int | None = None
    group_id: int | None = None

    def includes(self, account: Account) -> bool:
        """Whether this line speaks of `account`, by itself or through a group."""
        return self.account_id == account.id or self.group_id in account.groups


@dataclass(frozen=True)
class Space:
    """A space with its member list, and those of its restricted folders by path."""

    id: int
    slug: str
    title: str
    confidential: bool = False
    archived: bool = False
    quota_bytes: int | None = None
    members: tuple[Member, ...] = ()
    restricted: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)

    def nearest(self, path: str) -> str | None:
        """The restricted folder that `path` is or lies in, the innermost; None: the space."""
        if not self.restricted:
            return None
        while path:
            if path in self.restricted:
                return path
            path = path.rpartition("/")[0]
        return None

    def restricted_below(self, path: str) -> Iterator[str]:
        """The restricted folders strictly below `path` ("" is the space's root)."""
        prefix = f"{path}/" if path else ""
        return (
            folder for folder in self.restricted if folder != path and folder.startswith(prefix)
        )


@dataclass(frozen=True)
class Registry:
    """Everything above, at one revision."""

    revision: int
    accounts: Mapping[int, Account]
    groups: Mapping[int, Group]
    devices: Mapping[str, Device]
    spaces: Mapping[str, Space]

    @cached_property
    def by_login(self) -> Mapping[str, Account]:
        return {account.login: account for account in self.accounts.values()}

    @cached_property
    def by_group_name(self) -> Mapping[str, Group]:
        return {group.name: group for group in self.groups.values()}

    @cached_property
    def space_by_id(self) -> Mapping[int, Space]:
        return {space.id: space for space in self.spaces.values()}

    def name_of(self, member: Member) -> str:
        """`login` or `@group`, as the command line writes it."""
        if member.account_id is not None:
            return self.accounts[member.account_id].login
        assert member.group_id is not None
        return f"@{self.groups[member.group_id].name}"


class RegistryCache:
    """The registry as this process last read it. Safe to share between threads."""

    def __init__(self) -> None:
        self._registry: Registry | None = None

    def current(self, connection: Connection) -> Registry:
        """The registry as `connection`'s transaction sees it."""
        known = self._registry
        if known is not None and known.revision == revision(connection):
            return known
        # Two threads may both read it; either result is right.
        self._registry = registry = read(connection)
        return registry


def revision(connection: Connection) -> int:
    """The revision of the registry as the transaction sees it."""
    return int(connection.execute(_REVISION).scalar_one())


def bump(connection: Connection) -> None:
    """Say, in the transaction that changes the registry, that it has changed.

    Said before looking whether a name is taken, it makes others wait who would take the same.
    """
    table = tables.registry_revision
    connection.execute(table.update().values(value=table.c.value + 1))


_REVISION = sa.select(tables.registry_revision.c.value)


def read(connection: Connection) -> Registry:
    """Read the whole registry in the transaction of `connection`."""
    groups_of: dict[int, set[int]] = {}
    for row in connection.execute(sa.select(tables.group_accounts)):
        groups_of.setdefault(row.account_id, set()).add(row.group_id)
    return Registry(
        revision=revision(connection),
        accounts={
            row.id: Account(
                row.id,
                row.login,
                row.name,
                row.email,
                row.locale,
                row.administrator,
                row.disabled,
                row.expires_at,
                row.password_hash,
                frozenset(groups_of.get(row.id, ())),
                row.stopped_at is not None,
            )
            for row in connection.execute(sa.select(tables.accounts))
        },
        groups={
            row.id: Group(row.id, row.name, row.title)
            for row in connection.execute(sa.select(tables.groups))
        },
        devices={
            row.digest: Device(
                row.id,
                row.account_id,
                row.name,
                row.documents,
                row.agendas,
                row.read_only,
                row.digest,
            )
            for row in connection.execute(
                sa.select(tables.devices).where(tables.devices.c.revoked_at.is_(None))
            )
        },
        spaces={space.slug: space for space in _spaces(connection)},
    )


def _spaces(connection: Connection) -> Iterator[Space]:
    lists: dict[tuple[int, int | None], list[Member]] = {}
    for row in connection.execute(sa.select(tables.members).order_by(tables.members.c.id)):
        member = Member(Role(row.role), row.account_id, row.group_id)
        lists.setdefault((row.space_id, row.folder_id), []).append(member)
    folders: dict[int, dict[str, tuple[Member, ...]]] = {}
    for row in connection.execute(sa.select(tables.restricted_folders)):
        members = tuple(lists.get((row.space_id, row.id), ()))
        folders.setdefault(row.space_id, {})[row.path] = members
    for row in connection.execute(sa.select(tables.spaces).order_by(tables.spaces.c.slug)):
        yield Space(
            row.id,
            row.slug,
            row.title,
            row.confidential,
            row.archived,
            row.quota_bytes,
            tuple(lists.get((row.id, None), ())),
            folders.get(row.id, {}),
        )
