"""`davserver folder`: folders with a member list of their own."""

import stat
from pathlib import Path

import click

from acl import members, spaces
from davserver.cli import places
from davserver.cli.command import Group, data_option
from davserver.cli.errors import NoFolder
from davserver.cli.opened import opened
from davserver.cli.wording import _
from davserver.documents.resource import locate

_place = click.argument("place", metavar="SPACE/FOLDER")


@click.group(cls=Group, help="Folders with a member list of their own.")
def folder() -> None:
    pass


@folder.command(help="Give a folder a member list of its own, empty at first.")
@_place
@data_option
def restrict(place: str, data: Path) -> None:
    slug, path = places.split(place)
    where = places.joined(slug, path)
    with opened(data) as here, here.write() as act:
        space = spaces.find(act, slug)
        # Nobody moves the folder between this look and the commit.
        spaces.take(act.connection, [space.id])
        found = locate(here.store.space_root(slug), path)
        if found is None or not stat.S_ISDIR(found[1].st_mode):
            raise NoFolder(place=where)
        members.restrict(act, slug, path)
    click.echo(
        _("Nobody may enter {place} now but those you add with `davserver member`.", place=where)
    )


@folder.command(help="Let a folder have the members of what is around it again.")
@_place
@data_option
def unrestrict(place: str, data: Path) -> None:
    slug, path = places.split(place)
    with opened(data) as here, here.write() as act:
        members.unrestrict(act, slug, path)
    where = places.joined(slug, path)
    click.echo(_("{place} has the members of what is around it again.", place=where))
