"""`davserver journal`: who changed what, and when."""

from dataclasses import asdict
from pathlib import Path

import click

from acl import journal as journal_
from davserver.cli import places
from davserver.cli.command import Command, data_option, json_option
from davserver.cli.opened import opened
from davserver.cli.output import show
from davserver.cli.wording import _


@click.command(cls=Command, help="List who changed what, newest first.")
@click.argument("slug", metavar="SPACE", required=False)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    metavar="NUMBER",
    help="How many changes to list (50 by default).",
)
@json_option
@data_option
def journal(slug: str | None, limit: int, as_json: bool, data: Path) -> None:
    with opened(data) as place:
        registry = place.registry()
        space_id = None if slug is None else places.space(registry, slug).id
        with place.database.read() as connection:
            entries = list(journal_.entries(connection, space_id=space_id, limit=limit))
    show(
        [asdict(entry) for entry in entries],
        {
            "at": _("When"),
            "login": _("Who"),
            "device": _("Device"),
            "address": _("From"),
            "action": _("What"),
            "space": _("Space"),
            "path": _("Path"),
        },
        as_json=as_json,
    )
