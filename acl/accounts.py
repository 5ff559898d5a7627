"""Accounts: the people who can log in."""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from acl import names, registry
from acl.errors import BadEmail, BadLocale, NameTaken, UnknownName
from acl.journal import Act
from acl.registry import Account
from acl.tables import accounts
from config.language import LANGUAGES


def add(
    act: Act,
    login: str,
    *,
    name: str,
    email: str = "",
    locale: str = "fr",
    administrator: bool = False,
    expires_at: datetime | None = None,
    password_hash: str | None = None,
) -> Account:
    """Add an account. Raises `BadName`, `BadValue`, or `NameTaken`."""
    names.check("login", login)
    names.check_title(name)
    if locale not in LANGUAGES:
        raise BadLocale(locale=repr(locale))
    if email and ("@" not in email or any(c.isspace() for c in email)):
        raise BadEmail(email=repr(email))
    registry.bump(act.connection)
    if _row(act, login) is not None:
        raise NameTaken(kind="account", name=login)
    values = {
        "login": login,
        "name": name,
        "email": email,
        "locale": locale,
        "administrator": administrator,
        "expires_at": expires_at,
    }
    new_id = act.connection.execute(
        accounts.insert()
        .values(**values, disabled=False, password_hash=password_hash, created_at=act.now)
        .returning(accounts.c.id)
    ).scalar_one()
    act.record(
        "account.add",
        path=login,
        detail={"name": name, "email": email, "administrator": administrator},
    )
    return Account(
        new_id,
        login,
        name,
        email,
        locale,
        administrator,
        False,
        expires_at,
        password_hash,
    )


def find(act: Act, login: str) -> Account:
    """The account `login`, without its groups. Raises `UnknownName`."""
    row = _row(act, login)
    if row is None:
        raise UnknownName(kind="account", name=login)
    return Account(
        row.id,
        row.login,
        row.name,
        row.email,
        row.locale,
        row.administrator,
        row.disabled,
        row.expires_at,
        row.password_hash,
        stopped=row.stopped_at is not None,
    )


def set_password(act: Act, login: str, password_hash: str) -> None:
    """Replace the account's password; the old one ends at once. Raises `UnknownName`."""
    account = find(act, login)
    _update(act, account, password_hash=password_hash)
    # A hash is a secret too: the journal says that it changed, not what it was.
    act.record("account.password", path=login)


def set_disabled(act: Act, login: str, disabled: bool) -> Account:
    """Refuse the account from now on, or let it in again. Raises `UnknownName`."""
    account = find(act, login)
    _update(act, account, disabled=disabled)
    act.record(
        "account.disable" if disabled else "account.enable",
        path=login,
        detail={"disabled": account.disabled},
    )
    return replace(account, disabled=disabled)


def _update(act: Act, account: Account, **values: object) -> None:
    act.connection.execute(accounts.update().where(accounts.c.id == account.id).values(**values))
    registry.bump(act.connection)


def _row(act: Act, login: str) -> sa.Row[tuple[object, ...]] | None:
    return act.connection.execute(sa.select(accounts).where(accounts.c.login == login)).first()
