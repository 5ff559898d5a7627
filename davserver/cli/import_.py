"""`davserver import`: plain files into a space."""

from pathlib import Path

import click

from davserver.cli.command import Command, data_option
from davserver.cli.opened import console, opened
from davserver.cli.output import printable
from davserver.cli.progress import watched
from davserver.cli.wording import _, say
from davserver.exchange.import_ import Imported
from davserver.exchange.import_ import import_ as take_in

_REFUSED = 8


@click.command(
    "import",
    cls=Command,
    help="Put the files in DIR into a space: what is in its folder documents, and the entries of "
    "its .ics and .vcf files, as `davserver export` writes them.",
)
@click.argument("slug", metavar="SPACE")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Give a new version to what is there already.")
@data_option
@click.pass_context
def import_(
    context: click.Context, slug: str, directory: Path, overwrite: bool, data: Path
) -> None:
    with opened(data) as place, watched() as progress:
        done = take_in(
            place.documents(),
            console(),
            slug,
            directory,
            progress,
            object_max=place.settings.limits.object_max,
            overwrite=overwrite,
        )
    _tell(done)
    context.exit(_REFUSED if done.refused else 0)


def _tell(done: Imported) -> None:
    click.echo(
        _(
            "New: {documents} documents, {folders} folders, {entries} entries of agendas and "
            "contacts. {replaced} replaced what was there.",
            documents=done.documents,
            folders=done.folders,
            entries=done.entries,
            replaced=done.replaced,
        )
    )
    if done.kept:
        click.echo(_("{count} were there already and stay as they are.", count=done.kept))
    for path, reason in done.refused.items():
        sentence = _("{path} was refused: {reason}", path=path, reason=say(reason))
        click.echo(printable(sentence), err=True)
