"""`davserver verify`: whether a backup is readable, complete and unaltered."""

from pathlib import Path

import click

from davserver.backup import shelf
from davserver.backup.shelf import Shelf
from davserver.backup.verify import Verifier
from davserver.cli.command import Command, json_option
from davserver.cli.output import printable, show
from davserver.cli.progress import watched
from davserver.cli.wording import _, say

_FOUND = 8


@click.command(
    cls=Command,
    help="Prove a backup readable, complete and unaltered: TARGET, or the newest one in it.",
)
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--all", "every", is_flag=True, help="Verify all the backups in TARGET.")
@json_option
@click.pass_context
def verify(context: click.Context, target: Path, every: bool, as_json: bool) -> None:
    backups = (every and Shelf(target).backups()) or [shelf.find(target)]
    with watched() as progress:
        verifier = Verifier(progress)
        found = [(backup, problem) for backup in backups for problem in verifier.problems(backup)]
    if not found and not as_json:
        for backup in backups:
            where = printable(str(backup))
            click.echo(_("{backup} is complete and unaltered.", backup=where))
        return
    show(
        [
            {"backup": str(backup), "path": problem.path, "problem": say(problem.what)}
            for backup, problem in found
        ],
        {"backup": _("Backup"), "path": _("Path"), "problem": _("Problem")},
        as_json=as_json,
    )
    context.exit(_FOUND if found else 0)
