"""`davserver serve`: serve until it is stopped."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import click

from config.language import Phrase
from davserver.cli.command import Command, data_option
from davserver.cli.opened import opened
from davserver.cli.wording import say

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_EVERYWHERE = ("0.0.0.0", "::")


@click.command(cls=Command, help="Serve documents, agendas, tasks and contacts until stopped.")
@click.option("--host", metavar="ADDRESS", help="The address to listen on.")
@click.option("--port", type=int, metavar="NUMBER", help="The TCP port to listen on.")
@data_option
@click.pass_context
def serve(context: click.Context, host: str | None, port: int | None, data: Path) -> None:
    # Not at the top: no other command needs what the server imports.
    from davserver import server

    options = {"server.host": host, "server.port": port}
    with opened(data, options, upgrade=True) as place:
        settings = place.settings
    context.exit(server.serve(settings, ready=announce))


def announce(url: str) -> None:
    """Print what to type where, for people who were never told."""
    click.echo(addresses(url))


def addresses(url: str) -> str:
    """The addresses of the server that listens at `url`, for each kind of client."""
    parts = urlsplit(url)
    listening = parts.hostname or ""
    host = socket.gethostname() if listening in _EVERYWHERE else listening
    place = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        place = f"{place}:{parts.port}"
    secure = parts.scheme == "https"
    lines = [
        Phrase("davserver is serving at {url}", url=f"{parts.scheme}://{place}/"),
        Phrase("Documents, with your login and a password:"),
        Phrase("  Windows, Map network drive:   {url}", url=f"{parts.scheme}://{place}/spaces/"),
        Phrase("  macOS, Connect to Server:     {url}", url=f"{parts.scheme}://{place}/spaces/"),
        Phrase(
            "  GNOME Files, Other Locations: {url}",
            url=f"{'davs' if secure else 'dav'}://{place}/spaces/",
        ),
        Phrase("Agendas, tasks and contacts (phone, Thunderbird, Evolution, DAVx5):"),
        Phrase("  CalDAV and CardDAV server:    {url}", url=f"{parts.scheme}://{place}/"),
    ]
    if listening in _LOOPBACK:
        lines.append(Phrase("Only this machine can reach it: it listens on {host}.", host=host))
    elif not secure:
        lines.append(
            Phrase("Passwords cross the network in the clear: put TLS in front before real use.")
        )
    return "\n".join(say(line) for line in lines)
