"""`davserver init`: found an organisation in a data directory."""

import os
from pathlib import Path

import click

from acl.passwords import generate
from config.language import LANGUAGES
from config.settings import FILE
from davserver import organisation
from davserver.cli import settings_file
from davserver.cli.command import Command, data_option
from davserver.cli.errors import DirectoryInUse, SettingsExist
from davserver.cli.opened import Opened, holds_organisation, unfounded
from davserver.cli.output import show
from davserver.cli.wording import _
from davserver.organisation import AlreadyFounded, Template

_DOCUMENTS = frozenset({"spaces", "history"})
_DATABASE = ("davserver.db", "davserver.db-journal", "davserver.db-shm", "davserver.db-wal")
_OURS = frozenset({FILE, *_DATABASE, "staging", "secrets"})
# What a new file system has at its root.
_NOBODYS = frozenset({"lost+found"})


@click.command(cls=Command, help="Found an organisation in the data directory.")
@click.option(
    "--template",
    type=click.Choice(organisation.TEMPLATES),
    default="empty",
    help="What to begin with (empty by default).",
)
@click.option("--name", metavar="NAME", help="The organisation's name.")
@click.option("--language", type=click.Choice(LANGUAGES), help="Its language (fr by default).")
@click.option("--if-empty", is_flag=True, help="Do nothing if there is an organisation already.")
@data_option
def init(template: str, name: str | None, language: str | None, if_empty: bool, data: Path) -> None:
    chosen = organisation.template(template)
    written = (data / FILE).exists()
    options = {} if written else {"organisation.name": name or chosen.name}
    if language is not None and not written:
        options["organisation.language"] = language
    with unfounded(data, options) as place:
        if holds_organisation(place):
            if if_empty:
                return
            raise AlreadyFounded(place=place.settings.data)
        if written and (name is not None or language is not None):
            raise SettingsExist(path=data / FILE)
        _check_unused(place.settings.data)
        _prepare(place, written=written)
        try:
            passwords = _found(place, chosen)
        except AlreadyFounded:
            # Another machine began at the same moment, and was first.
            if if_empty:
                return
            raise
        settings = place.settings
    name = settings.organisation.name
    click.echo(_("The organisation {name} is founded in {data}.", name=name, data=settings.data))
    if passwords:
        _show_passwords(chosen, passwords)
    else:
        click.echo(_("Add the first account with `davserver account add`."))


def _check_unused(data: Path) -> None:
    """Refuse a directory with what is not ours, or with documents whose database is lost.

    What an `init` that was cut short has left is no obstacle to the next one.
    """
    if not data.exists():
        return
    for entry in sorted(data.iterdir()):
        if entry.name in _DOCUMENTS and entry.is_dir():
            for directory, _folders, names in os.walk(entry):
                if names:
                    raise DirectoryInUse(data=data, name=Path(directory, names[0]))
        elif entry.name not in _OURS | _NOBODYS:
            raise DirectoryInUse(data=data, name=entry.name)


def _prepare(place: Opened, *, written: bool) -> None:
    place.store.prepare()
    place.settings.data.chmod(0o700)
    if not written:
        settings_file.write(place.settings, place.store)
    place.database.migrate()
    if place.database.is_sqlite:
        # The log beside it gets the same mode.
        Path(place.database.url.database or "").chmod(0o600)


def _found(place: Opened, chosen: Template) -> dict[str, str]:
    """Found it; the accounts' passwords by login."""
    passwords = {login: generate() for login in chosen.accounts}
    hasher = place.passwords()
    hashes = {login: hasher.hash(password) for login, password in passwords.items()}
    with place.write() as act:
        organisation.found(
            act, place.store, chosen, hashes, locale=place.settings.organisation.language
        )
    return passwords


def _show_passwords(chosen: Template, passwords: dict[str, str]) -> None:
    click.echo(_("These passwords are shown this once; write them down:"))
    show(
        [
            {"login": login, "name": account.name, "password": passwords[login]}
            for login, account in chosen.accounts.items()
        ],
        {"login": _("Login"), "name": _("Name"), "password": _("Password")},
        as_json=False,
    )
