"""`davserver device`: one password for each device of an account."""

from datetime import datetime
from pathlib import Path

import click

from acl import devices
from davserver.cli.command import Group, data_option, json_option
from davserver.cli.opened import Opened, opened
from davserver.cli.output import show, show_json
from davserver.cli.wording import _


@click.group(cls=Group, help="A password for each device, which can be revoked by itself.")
def device() -> None:
    pass


@device.command(help="Make a password for one device, and print it once.")
@click.argument("login")
@click.argument("name")
@click.option("--documents-only", is_flag=True, help="Not for agendas, tasks and contacts.")
@click.option("--agendas-only", is_flag=True, help="Not for documents.")
@click.option("--read-only", is_flag=True, help="Changes nothing, whatever the account may do.")
@json_option
@data_option
def add(
    login: str,
    name: str,
    documents_only: bool,
    agendas_only: bool,
    read_only: bool,
    as_json: bool,
    data: Path,
) -> None:
    with opened(data) as place, place.write() as act:
        made, password = devices.add(
            act,
            login,
            name,
            documents=not agendas_only,
            agendas=not documents_only,
            read_only=read_only,
        )
    if as_json:
        show_json(
            {
                "login": login,
                "device": name,
                "password": password,
                "documents": made.documents,
                "agendas": made.agendas,
                "read_only": made.read_only,
            }
        )
        return
    click.echo(_("{login}: the password of {device}, shown this once:", login=login, device=name))
    click.echo(password)


@device.command("list", help="List the devices of one account, or of all.")
@click.argument("login", required=False)
@json_option
@data_option
def list_(login: str | None, as_json: bool, data: Path) -> None:
    with opened(data) as place:
        logins = [login] if login else sorted(place.registry().by_login)
        records = [record for each in logins for record in _records(place, each)]
    show(
        records,
        {
            "login": _("Login"),
            "device": _("Device"),
            "documents": _("Documents"),
            "agendas": _("Agendas"),
            "read_only": _("Read only"),
            "created_at": _("Made"),
            "last_used_at": _("Last used"),
            "revoked_at": _("Revoked"),
        },
        as_json=as_json,
    )


@device.command(help="End a device's password at once.")
@click.argument("login")
@click.argument("name")
@data_option
def revoke(login: str, name: str, data: Path) -> None:
    with opened(data) as place, place.write() as act:
        devices.revoke(act, login, name)
    click.echo(_("{device} of {login} can no longer log in.", device=name, login=login))


def _records(place: Opened, login: str) -> list[dict[str, str | bool | datetime | None]]:
    with place.read() as act:
        return [
            {
                "login": login,
                "device": use.device.name,
                "documents": use.device.documents,
                "agendas": use.device.agendas,
                "read_only": use.device.read_only,
                "created_at": use.created_at,
                "last_used_at": use.last_used_at,
                "revoked_at": use.revoked_at,
            }
            for use in devices.of_account(act, login)
        ]
