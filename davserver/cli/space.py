"""`davserver space`: what people work in."""

from pathlib import Path

import click
from pydantic import ByteSize

from acl import spaces
from davserver import organisation
from davserver.cli.command import Group, Size, data_option, json_option
from davserver.cli.opened import opened
from davserver.cli.output import show
from davserver.cli.space_quota import of_space, quota
from davserver.cli.space_retention import retention
from davserver.cli.wording import _


@click.group(cls=Group, help="The spaces people work in.")
def space() -> None:
    pass


@space.command(help="Add a space, without members.")
@click.argument("slug", metavar="SPACE")
@click.option("--title", default="", metavar="TITLE", help="What people call it.")
@click.option("--confidential", is_flag=True, help="Not even administrators manage its members.")
@click.option("--quota", type=Size(), metavar="SIZE", help="The most it may hold, as 20G.")
@data_option
def add(slug: str, title: str, confidential: bool, quota: ByteSize | None, data: Path) -> None:
    with opened(data) as place, place.write() as act:
        organisation.add_space(
            act,
            place.store,
            slug,
            title=title,
            confidential=confidential,
            quota_bytes=quota,
        )
    click.echo(_("The space {space} was added; it has no members yet.", space=slug))


@space.command("list", help="List the spaces.")
@json_option
@data_option
def list_(as_json: bool, data: Path) -> None:
    with opened(data) as place:
        registry = place.registry()
        with place.database.read() as connection:
            used = spaces.shares(connection, registry.space_by_id)
    records = [
        {
            "space": slug,
            "title": space.title,
            "confidential": space.confidential,
            "archived": space.archived,
            **of_space(space, used[space.id]),
        }
        for slug, space in registry.spaces.items()
    ]
    show(
        records,
        {
            "space": _("Space"),
            "title": _("Title"),
            "confidential": _("Confidential"),
            "archived": _("Archived"),
            "live_bytes": _("Documents"),
            "history_bytes": _("History"),
            "used_bytes": _("Used"),
            "quota_bytes": _("Quota"),
        },
        as_json=as_json,
    )


@space.command(help="Make a space readable only, or give it back with --undo.")
@click.argument("slug", metavar="SPACE")
@click.option("--undo", is_flag=True, help="Let its members work in it again.")
@data_option
def archive(slug: str, undo: bool, data: Path) -> None:
    with opened(data) as place, place.write() as act:
        spaces.set_archived(act, slug, not undo)
    if undo:
        click.echo(_("The space {space} can be changed again.", space=slug))
    else:
        click.echo(_("The space {space} can only be read from now on.", space=slug))


space.add_command(quota)
space.add_command(retention)
