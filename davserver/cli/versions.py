"""`davserver versions`: the former contents of a document, for who helps somebody find one."""

from pathlib import Path

import click
from pydantic import ByteSize

from davserver import paths
from davserver.cli import places
from davserver.cli.command import Command, data_option, json_option
from davserver.cli.errors import NoDocument
from davserver.cli.opened import opened
from davserver.cli.output import show
from davserver.cli.wording import _
from davserver.documents.history import moment_name
from davserver.documents.resource import locate
from davserver.documents.versions import versions as listed


@click.command(
    cls=Command,
    help="List the former contents of a document, and where people find them.",
)
@click.argument("slug", metavar="SPACE")
@click.argument("path", metavar="PATH")
@json_option
@data_option
def versions(slug: str, path: str, as_json: bool, data: Path) -> None:
    path = paths.normalise(path)
    with opened(data) as place:
        space = places.space(place.registry(), slug)
        with place.database.read() as connection:
            found = list(listed(connection, space, path))
        if not found and locate(place.store.space_root(slug), path) is None:
            raise NoDocument(place=places.joined(slug, path))
        zone = place.settings.zone
    show(
        [
            {
                "replaced_at": one.at,
                "login": one.login,
                "size": ByteSize(one.size),
                "found_at": one.moment
                and f"/{paths.HISTORY}/{slug}/{moment_name(one.moment, zone)}/{path}",
            }
            for one in found
        ],
        {
            "replaced_at": _("Replaced"),
            "login": _("Who"),
            "size": _("Size"),
            "found_at": _("Where to find it"),
        },
        as_json=as_json,
    )
