"""`davserver member`: who has which role in a space or a restricted folder."""

from collections.abc import Iterator
from pathlib import Path

import click

from acl import members
from acl.errors import UnknownName
from acl.registry import Member, Registry, Space
from acl.roles import Role
from davserver.cli import places
from davserver.cli.command import Group, data_option, json_option
from davserver.cli.opened import opened
from davserver.cli.output import show
from davserver.cli.wording import _

_place = click.argument("place", metavar="SPACE[/FOLDER]")
_principal = click.argument("principal", metavar="LOGIN|@GROUP")


@click.group(cls=Group, help="Who has which role in a space or a restricted folder.")
def member() -> None:
    pass


@member.command(help="Give an account or a group a role, in place of the one it has.")
@_place
@_principal
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="What it may do there.",
)
@data_option
def add(place: str, principal: str, role: str, data: Path) -> None:
    slug, folder = places.split(place)
    with opened(data) as here, here.write() as act:
        members.add(act, slug, principal, Role(role), folder=folder)
    click.echo(
        _(
            "{member} is a {role} of {place} now.",
            member=principal,
            role=role,
            place=places.joined(slug, folder),
        )
    )


@member.command("list", help="List the members of a space and its folders, or of one folder.")
@_place
@json_option
@data_option
def list_(place: str, as_json: bool, data: Path) -> None:
    slug, folder = places.split(place)
    with opened(data) as here:
        registry = here.registry()
    show(
        list(_records(registry, places.space(registry, slug), folder)),
        {"place": _("Space or folder"), "member": _("Member"), "role": _("Role")},
        as_json=as_json,
    )


@member.command(help="Take an account or a group off a member list.")
@_place
@_principal
@data_option
def remove(place: str, principal: str, data: Path) -> None:
    slug, folder = places.split(place)
    with opened(data) as here, here.write() as act:
        members.remove(act, slug, principal, folder=folder)
    where = places.joined(slug, folder)
    click.echo(_("{member} is no longer a member of {place}.", member=principal, place=where))


def _records(registry: Registry, space: Space, folder: str) -> Iterator[dict[str, object]]:
    lists: dict[str, tuple[Member, ...]] = {"": space.members, **space.restricted}
    if folder:
        if folder not in space.restricted:
            name = places.joined(space.slug, folder)
            raise UnknownName(kind="restricted folder", name=name)
        lists = {folder: space.restricted[folder]}
    for path in sorted(lists):
        for line in lists[path]:
            yield {
                "place": places.joined(space.slug, path),
                "space": space.slug,
                "folder": path,
                "member": registry.name_of(line),
                "role": line.role.value,
            }
