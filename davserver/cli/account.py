"""`davserver account`: the people who can log in."""

import shlex
from datetime import date, datetime, time, timedelta
from pathlib import Path

import click

from acl import accounts, tripwire
from acl.registry import Account, Registry
from config.language import LANGUAGES
from davserver import organisation
from davserver.cli import password
from davserver.cli.command import (
    Date,
    Group,
    data_option,
    generate_option,
    json_option,
    password_option,
)
from davserver.cli.errors import ExpiresInPast
from davserver.cli.opened import opened
from davserver.cli.output import show
from davserver.cli.wording import _


@click.group(cls=Group, help="The people who can log in.")
def account() -> None:
    pass


@account.command(help="Add an account.")
@click.argument("login")
@click.option("--name", metavar="NAME", help="The person's name, as others see it.")
@click.option("--email", default="", metavar="ADDRESS", help="For invitations.")
@click.option("--language", type=click.Choice(LANGUAGES), help="The language of messages.")
@click.option("--administrator", is_flag=True, help="May manage accounts and spaces.")
@click.option("--expires", type=Date(), metavar="DATE", help="The last day it can be used.")
@password_option
@generate_option
@data_option
def add(
    login: str,
    name: str | None,
    email: str,
    language: str | None,
    administrator: bool,
    expires: date | None,
    password_stdin: bool,
    generate: bool,
    data: Path,
) -> None:
    with opened(data) as place:
        ends = _end_of(expires, place.now)
        chosen = password.choose(login, from_input=password_stdin, made_up=generate)
        hashed = place.passwords().hash(chosen)
        with place.write() as act:
            organisation.add_account(
                act,
                login,
                name=name or login,
                email=email,
                locale=language or place.settings.organisation.language,
                administrator=administrator,
                expires_at=ends,
                password_hash=hashed,
            )
    click.echo(_("The account {login} was added.", login=login))
    if generate:
        click.echo(_("Its password, shown this once: {password}", password=chosen))


@account.command("list", help="List the accounts.")
@json_option
@data_option
def list_(as_json: bool, data: Path) -> None:
    with opened(data) as place:
        registry = place.registry()
    listed = sorted(registry.accounts.values(), key=lambda account: account.login)
    show(
        [_record(registry, account, place.now, as_json=as_json) for account in listed],
        {
            "login": _("Login"),
            "name": _("Name"),
            "email": _("E-mail"),
            "groups": _("Groups"),
            "administrator": _("Administrator"),
            "state": _("State"),
            "expires_at": _("Expires"),
        },
        as_json=as_json,
    )


@account.command("password", help="Change an account's password. Device passwords stay good.")
@click.argument("login")
@password_option
@generate_option
@data_option
def password_(login: str, password_stdin: bool, generate: bool, data: Path) -> None:
    with opened(data) as place:
        with place.read() as act:
            accounts.find(act, login)
        chosen = password.choose(login, from_input=password_stdin, made_up=generate)
        hashed = place.passwords().hash(chosen)
        with place.write() as act:
            accounts.set_password(act, login, hashed)
    click.echo(_("The password of {login} was changed.", login=login))
    if generate:
        click.echo(_("Its password, shown this once: {password}", password=chosen))


@account.command(help="Refuse an account from now on, with all its devices.")
@click.argument("login")
@data_option
def disable(login: str, data: Path) -> None:
    with opened(data) as place, place.write() as act:
        accounts.set_disabled(act, login, True)
    click.echo(_("The account {login} can no longer log in.", login=login))


@account.command(help="Let a disabled account in again.")
@click.argument("login")
@data_option
def enable(login: str, data: Path) -> None:
    with opened(data) as place, place.write() as act:
        accounts.set_disabled(act, login, False)
    click.echo(_("The account {login} can log in again.", login=login))


@account.command(help="Let an account that the tripwire stopped write again.")
@click.argument("login")
@data_option
def release(login: str, data: Path) -> None:
    with opened(data) as place, place.write() as act:
        lifted = tripwire.release(act, login)
    click.echo(_("The account {login} can write again.", login=login))
    for device in sorted({stop.device for stop in lifted}):
        if device:
            command = shlex.join(["davserver", "device", "add", login, device])
            click.echo(
                _("{device} stays locked out; make it a new password:", device=device)
                + f"\n  {command}"
            )
        else:
            command = shlex.join(["davserver", "account", "password", login])
            click.echo(
                _("It was done with the account's own password; change that:") + f"\n  {command}"
            )


def _end_of(day: date | None, now: datetime) -> datetime | None:
    """The moment `day` is over where the server stands."""
    if day is None:
        return None
    end = datetime.combine(day + timedelta(days=1), time()).astimezone()
    if end <= now:
        raise ExpiresInPast(day=day.isoformat())
    return end


def _state(account: Account, now: datetime) -> str:
    if not account.active(now):
        return "disabled" if account.disabled else "expired"
    return "stopped" if account.stopped else "active"


def _record(
    registry: Registry, account: Account, now: datetime, *, as_json: bool
) -> dict[str, object]:
    state = _state(account, now)
    words = {
        "active": _("active"),
        "disabled": _("disabled"),
        "expired": _("expired"),
        "stopped": _("stopped"),
    }
    return {
        "login": account.login,
        "name": account.name,
        "email": account.email,
        "language": account.locale,
        "groups": sorted(registry.groups[group].name for group in account.groups),
        "administrator": account.administrator,
        "state": state if as_json else words[state],
        "expires_at": account.expires_at,
    }
