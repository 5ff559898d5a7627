"""`davserver check`: whether the documents and the database agree."""

from pathlib import Path

import click

from davserver.cli.command import Command, data_option, json_option
from davserver.cli.opened import Opened, console, opened
from davserver.cli.output import show
from davserver.cli.wording import _
from davserver.documents import counts
from davserver.documents.adopt import adopt as adopt_changes
from davserver.documents.check import findings

_FOUND = 8


@click.command(
    cls=Command,
    help="Compare the documents with the database, and change nothing unless told to.",
)
@click.option(
    "--adopt", is_flag=True, help="Let the journal know of what was changed directly on the disk."
)
@click.option("--repair-counts", is_flag=True, help="Count anew what the spaces use.")
@json_option
@data_option
@click.pass_context
def check(
    context: click.Context, adopt: bool, repair_counts: bool, as_json: bool, data: Path
) -> None:
    with opened(data) as place:
        done = [*(_adopt(place) if adopt else []), *(_repair(place) if repair_counts else [])]
        found = list(findings(place.database, place.store, place.now))
    if not as_json:
        for sentence in done:
            click.echo(sentence)
    if not found and not as_json:
        click.echo(_("Documents and database agree."))
        return
    show(
        [
            {
                "space": finding.space,
                "path": finding.path,
                "to": finding.to,
                "problem": finding.problem if as_json else _(finding.problem),
            }
            for finding in found
        ],
        {"space": _("Space"), "path": _("Path"), "to": _("Now at"), "problem": _("Problem")},
        as_json=as_json,
    )
    context.exit(_FOUND if found else 0)


def _adopt(place: Opened) -> list[str]:
    said = []
    for slug in place.registry().spaces:
        difference = adopt_changes(place.documents(), console(), slug)
        if difference:
            said.append(
                _(
                    "{space}: {appeared} new, {altered} changed, {moved} moved, {vanished} gone; "
                    "the journal knows now.",
                    space=slug,
                    appeared=len(difference.appeared),
                    altered=len(difference.altered),
                    moved=len(difference.moved),
                    vanished=len(difference.vanished),
                )
            )
    return said


def _repair(place: Opened) -> list[str]:
    documents = place.documents()
    return [
        _("{space}: what it uses was counted anew.", space=slug)
        for slug in place.registry().spaces
        if counts.repair(documents, console(), slug)
    ]
