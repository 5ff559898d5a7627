"""`davserver check`: whether the documents and the database agree."""

from pathlib import Path

import click

from davserver.cli.command import Command, data_option, json_option
from davserver.cli.opened import opened
from davserver.cli.output import show
from davserver.cli.wording import _
from davserver.documents.check import findings

_FOUND = 8


@click.command(cls=Command, help="Compare the documents with the database; change nothing.")
@json_option
@data_option
@click.pass_context
def check(context: click.Context, as_json: bool, data: Path) -> None:
    with opened(data) as place:
        found = list(findings(place.database, place.store, place.now))
    if not found and not as_json:
        click.echo(_("Documents and database agree."))
        return
    show(
        [
            {
                "space": finding.space,
                "path": finding.path,
                "problem": finding.problem if as_json else _(finding.problem),
            }
            for finding in found
        ],
        {"space": _("Space"), "path": _("Path"), "problem": _("Problem")},
        as_json=as_json,
    )
    context.exit(_FOUND if found else 0)
