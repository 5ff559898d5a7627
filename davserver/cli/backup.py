"""`davserver backup`: everything, as it is at one moment, while the server runs."""

from importlib.metadata import version
from pathlib import Path

import click
from pydantic import ByteSize

from davserver.backup.disk import LeftOut
from davserver.backup.shelf import Shelf
from davserver.backup.snapshot import Done, back_up
from davserver.cli.command import Command, data_option, json_option
from davserver.cli.opened import console, opened
from davserver.cli.output import printable, show_json, size
from davserver.cli.progress import watched
from davserver.cli.wording import _, say

_LEFT_OUT = 8


@click.command(
    cls=Command,
    help="Make a backup in the directory TARGET, on another disk, while the server runs.\n\n"
    "Each backup is complete in itself; what has not changed shares its room with the one before.",
)
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Afterwards remove all backups but this many, the newest.",
)
@click.option("--full", is_flag=True, help="Copy everything anew; share nothing with the others.")
@json_option
@data_option
@click.pass_context
def backup(
    context: click.Context, target: Path, keep: int | None, full: bool, as_json: bool, data: Path
) -> None:
    with opened(data) as place, watched() as progress:
        done = back_up(
            place.documents(),
            console(),
            Shelf(target),
            progress,
            version("davserver"),
            full=full,
            keep=keep,
        )
    if as_json:
        show_json(_record(done))
    else:
        _tell(done)
    context.exit(_LEFT_OUT if done.left_out else 0)


def _tell(done: Done) -> None:
    click.echo(
        _(
            "{backup}: {files} files, {size}; {copied} of them copied, {copied_size}.",
            backup=printable(str(done.backup)),
            files=done.files,
            size=size(ByteSize(done.size)),
            copied=done.copied,
            copied_size=size(ByteSize(done.copied_size)),
        )
    )
    for removed in done.removed:
        click.echo(_("{backup} was removed.", backup=printable(str(removed))))
    tell_left_out(done.left_out)


def tell_left_out(left_out: LeftOut) -> None:
    """Say what is not in a copy, and why."""
    for path, reason in sorted(left_out.items()):
        sentence = _("{path} was left out: {reason}", path=path, reason=say(reason))
        click.echo(printable(sentence), err=True)


def _record(done: Done) -> dict[str, object]:
    return {
        "backup": done.backup,
        "moment": done.moment,
        "files": done.files,
        "bytes": done.size,
        "copied": done.copied,
        "copied_bytes": done.copied_size,
        "seconds": done.seconds,
        "held_seconds": done.held.total_seconds(),
        "left_out": [
            {"path": path, "reason": say(reason)} for path, reason in sorted(done.left_out.items())
        ],
        "removed": done.removed,
    }
