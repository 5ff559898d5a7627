"""`davserver group`: named sets of accounts."""

from pathlib import Path

import click

from acl import groups
from davserver.cli.command import Group, data_option, json_option
from davserver.cli.opened import opened
from davserver.cli.output import show
from davserver.cli.wording import _


@click.group(cls=Group, help="Named sets of accounts, written @NAME in member lists.")
def group() -> None:
    pass


@group.command(help="Add an empty group.")
@click.argument("name")
@click.option("--title", default="", metavar="TITLE", help="What people call it.")
@data_option
def add(name: str, title: str, data: Path) -> None:
    with opened(data) as place, place.write() as act:
        groups.add(act, name, title=title)
    click.echo(_("The group {group} was added.", group=name))


@group.command("list", help="List the groups and who is in them.")
@json_option
@data_option
def list_(as_json: bool, data: Path) -> None:
    with opened(data) as place:
        registry = place.registry()
    listed = sorted(registry.groups.values(), key=lambda group: group.name)
    show(
        [
            {
                "name": group.name,
                "title": group.title,
                "accounts": sorted(
                    account.login
                    for account in registry.accounts.values()
                    if group.id in account.groups
                ),
            }
            for group in listed
        ],
        {"name": _("Group"), "title": _("Title"), "accounts": _("Accounts")},
        as_json=as_json,
    )


@group.command(help="Put an account into a group.")
@click.argument("name")
@click.argument("login")
@data_option
def join(name: str, login: str, data: Path) -> None:
    with opened(data) as place, place.write() as act:
        groups.join(act, name, login)
    click.echo(_("{login} is in the group {group} now.", login=login, group=name))


@group.command(help="Take an account out of a group.")
@click.argument("name")
@click.argument("login")
@data_option
def leave(name: str, login: str, data: Path) -> None:
    with opened(data) as place, place.write() as act:
        groups.leave(act, name, login)
    click.echo(_("{login} is no longer in the group {group}.", login=login, group=name))
