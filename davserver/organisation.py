"""Founding an organisation, and what an account or a space is made of in all packages together."""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from importlib.resources import files

import sqlalchemy as sa
from pydantic import BaseModel, ByteSize, ConfigDict
from sqlalchemy.engine import Connection

from acl import accounts, groups, members, registry, spaces
from acl.actor import Actor
from acl.journal import Act
from acl.registry import Account, Space
from acl.roles import Role
from acl.tables import journal
from calendars import collections
from config.errors import DavserverError
from davserver import paths
from davserver.documents import traces
from davserver.documents.resource import Place, Resource
from davserver.documents.store import Store

TEMPLATES = ("commune", "association", "firm", "empty")

_FOUNDED = "organisation.found"


class AlreadyFounded(DavserverError):
    """A second organisation in one database."""

    status = HTTPStatus.CONFLICT
    exit_code = 7
    message = "There is an organisation already in {place}."


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GroupTemplate(_Part):
    """A group to make, empty."""

    title: str


class AccountTemplate(_Part):
    """An account to make, and the groups it joins."""

    name: str
    groups: tuple[str, ...] = ()
    administrator: bool = False


class SpaceTemplate(_Part):
    """A space to make: roles by `login` or `@group`, and those of its restricted folders."""

    title: str
    confidential: bool = False
    quota: ByteSize | None = None
    members: dict[str, Role] = {}
    restricted: dict[str, dict[str, Role]] = {}


class Template(_Part):
    """A ready-made organisation: everything by login, group name or slug."""

    name: str
    groups: dict[str, GroupTemplate] = {}
    accounts: dict[str, AccountTemplate] = {}
    spaces: dict[str, SpaceTemplate] = {}


def template(name: str) -> Template:
    """The ready-made organisation `name`, one of `TEMPLATES`."""
    text = files("config").joinpath("templates", f"{name}.toml").read_text("utf-8")
    return Template.model_validate(tomllib.loads(text))


def founded(connection: Connection) -> bool:
    """Whether the database holds an organisation."""
    query = sa.select(journal.c.id).where(journal.c.action == _FOUNDED).limit(1)
    return connection.execute(query).first() is not None


def found(
    act: Act, store: Store, chosen: Template, hashes: Mapping[str, str], *, locale: str
) -> None:
    """Make everything that the template names; `hashes` are the password hashes by login.

    The act is the founding itself; each thing made is an act of its own in its transaction.
    Raises `AlreadyFounded`.
    """
    # Before looking: whoever founds at the same moment waits here.
    registry.bump(act.connection)
    if founded(act.connection):
        raise AlreadyFounded(place=store.data)
    act.record(_FOUNDED, detail={"name": chosen.name})
    maker = _Maker(act.connection, act.actor, act.now, store)
    for name, group in chosen.groups.items():
        groups.add(maker.act(), name, title=group.title)
    for login, account in chosen.accounts.items():
        maker.account(login, account, hashes[login], locale)
    for slug, space in chosen.spaces.items():
        maker.space(slug, space)


class _Maker:
    """Makes what a template names, one act each, in one transaction."""

    def __init__(self, connection: Connection, actor: Actor, now: datetime, store: Store) -> None:
        self._connection = connection
        self._actor = actor
        self._now = now
        self._store = store

    def act(self) -> Act:
        return Act(self._connection, self._actor, self._now)

    def account(self, login: str, account: AccountTemplate, hashed: str, locale: str) -> None:
        add_account(
            self.act(),
            login,
            name=account.name,
            administrator=account.administrator,
            locale=locale,
            password_hash=hashed,
        )
        for group in account.groups:
            groups.join(self.act(), group, login)

    def space(self, slug: str, space: SpaceTemplate) -> None:
        made = add_space(
            self.act(),
            self._store,
            slug,
            title=space.title,
            confidential=space.confidential,
            quota_bytes=space.quota,
        )
        for principal, role in space.members.items():
            members.add(self.act(), slug, principal, role)
        folders: set[str] = set()
        for text, lines in space.restricted.items():
            folder = paths.normalise(text)
            for path in (*paths.ancestors(folder)[1:], folder):
                if path not in folders:
                    self._folder(Place(made, path))
                    folders.add(path)
            members.restrict(self.act(), slug, folder)
            for principal, role in lines.items():
                members.add(self.act(), slug, principal, role, folder=folder)

    def _folder(self, place: Place) -> None:
        slug, act = place.space.slug, self.act()
        # An earlier attempt may have left it.
        self._store.make_folder(slug, place.path)
        disk = self._store.space_root(slug) / place.path
        folder = Resource(place, disk, disk.lstat())
        journal_id = act.record(
            "folder.create",
            space_id=place.space.id,
            path=place.path,
            detail={"inode": folder.status.st_ino},
        )
        traces.record(self._connection, journal_id, self._now, [traces.born(folder)])


def add_account(
    act: Act,
    login: str,
    *,
    name: str,
    email: str = "",
    locale: str,
    administrator: bool = False,
    expires_at: datetime | None = None,
    password_hash: str,
) -> Account:
    """Add an account with its own agenda. Raises as `acl.accounts.add` does."""
    account = accounts.add(
        act,
        login,
        name=name,
        email=email,
        locale=locale,
        administrator=administrator,
        expires_at=expires_at,
        password_hash=password_hash,
    )
    collections.create_for_account(act, account)
    return account


def add_space(
    act: Act,
    store: Store,
    slug: str,
    *,
    title: str = "",
    confidential: bool = False,
    quota_bytes: int | None = None,
) -> Space:
    """Add a space with its folder and its agenda. Raises as `acl.spaces.add` does."""
    space = spaces.add(act, slug, title=title, confidential=confidential, quota_bytes=quota_bytes)
    collections.create_for_space(act, space)
    # Before the commit: a space without its folder would fail, a folder without its space waits.
    store.make_space(slug)
    return space
