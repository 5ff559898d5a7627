"""`davserver restore`: everything from a backup, on an empty machine."""

from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import ByteSize

from config.settings import FILE, environment_settings
from davserver.backup import shelf
from davserver.backup.restore import Restored
from davserver.backup.restore import restore as bring_back
from davserver.cli import settings_file
from davserver.cli.command import Command, data_option
from davserver.cli.opened import console
from davserver.cli.output import printable, size
from davserver.cli.progress import watched
from davserver.cli.wording import _

_DAMAGED = 8


@click.command(
    cls=Command,
    help="Bring back a backup, TARGET or the newest one in it, as a new data directory.",
)
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--url",
    metavar="URL",
    help="The database to restore into, empty (that of the settings by default).",
)
@click.option("--skip-damaged", is_flag=True, help="Leave away what is damaged, not everything.")
@data_option
@click.pass_context
def restore(
    context: click.Context, target: Path, url: str | None, skip_damaged: bool, data: Path
) -> None:
    backup = shelf.find(target)
    data = data.resolve()

    def wanted(restored: Path) -> str:
        """What the settings say that will hold: the backup's, and those of this machine."""
        settings, _values = environment_settings(restored, {"database.url": url})
        return settings.model_copy(update={"data": data}).database_url

    with watched() as progress:
        done = bring_back(
            backup,
            data,
            wanted,
            console(),
            datetime.now(UTC),
            progress,
            skip_damaged=skip_damaged,
        )
    if url is not None and not settings_file.name_database(data, url):
        click.echo(_("Set database.url in {path} to the URL you gave.", path=data / FILE), err=True)
    _tell(done, data)
    context.exit(_DAMAGED if done.damaged else 0)


def _tell(done: Restored, data: Path) -> None:
    click.echo(
        _(
            "{data} holds everything as it was on {moment}: {files} files, {size}.",
            data=data,
            moment=f"{done.moment.astimezone():%Y-%m-%d %H:%M:%S}",
            files=done.files - len(done.damaged),
            size=size(ByteSize(done.size)),
        )
    )
    for path in done.damaged:
        click.echo(printable(_("{path} was damaged and is not there.", path=path)), err=True)
    click.echo(
        _("Start the server with `davserver serve`; devices synchronise anew by themselves.")
    )
