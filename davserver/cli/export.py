"""`davserver export`: a space as plain files."""

from pathlib import Path

import click
from pydantic import ByteSize

from davserver.cli.backup import tell_left_out
from davserver.cli.command import Command, data_option
from davserver.cli.opened import console, opened
from davserver.cli.output import printable, size
from davserver.cli.progress import watched
from davserver.cli.wording import _
from davserver.exchange.export import export as write_out

_LEFT_OUT = 8


@click.command(
    cls=Command,
    help="Write all that a space holds into DIR, new or empty: documents, .ics and .vcf files.",
)
@click.argument("slug", metavar="SPACE")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@data_option
@click.pass_context
def export(context: click.Context, slug: str, directory: Path, data: Path) -> None:
    with opened(data) as place, watched() as progress:
        done = write_out(place.documents(), console(), slug, directory, progress)
    click.echo(
        _(
            "{directory}: {documents} documents, {size}; {entries} entries of agendas and "
            "contacts.",
            directory=directory,
            documents=done.documents,
            size=size(ByteSize(done.size)),
            entries=done.entries,
        )
    )
    for path in done.restricted:
        sentence = _("{folder} is restricted, and is in it as well.", folder=f"{slug}/{path}")
        click.echo(printable(sentence))
    tell_left_out(done.left_out)
    context.exit(_LEFT_OUT if done.left_out else 0)
