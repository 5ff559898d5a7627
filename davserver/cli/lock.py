"""`davserver lock`: what is being edited, and by whom."""

from pathlib import Path

import click

from davserver.cli import places
from davserver.cli.command import Group, data_option, json_option
from davserver.cli.opened import opened
from davserver.cli.output import show
from davserver.cli.wording import _
from davserver.documents import locks


@click.group(cls=Group, help="What is being edited at the moment.")
def lock() -> None:
    pass


@lock.command("list", help="List the locks of one space, or of all.")
@click.argument("slug", metavar="SPACE", required=False)
@json_option
@data_option
def list_(slug: str | None, as_json: bool, data: Path) -> None:
    with opened(data) as place:
        registry = place.registry()
        space_id = None if slug is None else places.space(registry, slug).id
        with place.database.read() as connection:
            listed = list(locks.listing(connection, place.now, space_id=space_id))
    show(
        [
            {
                "place": places.joined(registry.space_by_id[lock.space_id].slug, lock.path),
                "login": lock.login,
                "exclusive": lock.exclusive,
                "depth": "infinity" if lock.infinite else "0",
                "owner": lock.owner,
                "created_at": lock.created_at,
                "expires_at": lock.expires_at,
                "token": lock.token,
            }
            for lock in listed
        ],
        {
            "place": _("Place"),
            "login": _("Login"),
            "created_at": _("Since"),
            "expires_at": _("Until"),
            "token": _("Token"),
        },
        as_json=as_json,
    )


@lock.command("break", help="Take a lock away from whoever holds it.")
@click.argument("token")
@data_option
def break_(token: str, data: Path) -> None:
    with opened(data) as place, place.write() as act:
        locks.break_lock(act, token)
    click.echo(_("The lock is gone."))
