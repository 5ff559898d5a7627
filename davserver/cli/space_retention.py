"""`davserver space retention`: for how long history keeps what was."""

from pathlib import Path

import click

from acl import spaces
from acl.errors import LessDaily
from davserver.cli.command import Command, data_option, json_option
from davserver.cli.opened import opened
from davserver.cli.output import show
from davserver.cli.wording import _
from davserver.documents.retention import Rules


@click.command(
    cls=Command,
    help="Say for how many days a space keeps what was, or change that. Nothing goes before seven.",
)
@click.argument("slug", metavar="SPACE")
@click.option("--keep", type=int, metavar="DAYS", help="Days every version is kept.")
@click.option("--daily", type=int, metavar="DAYS", help="Days one version a day is kept.")
@click.option("--trash", type=int, metavar="DAYS", help="Days what was deleted is kept.")
@click.option("--default", is_flag=True, help="Do as the settings say again.")
@json_option
@data_option
def retention(
    slug: str,
    keep: int | None,
    daily: int | None,
    trash: int | None,
    default: bool,
    as_json: bool,
    data: Path,
) -> None:
    given = {"keep_days": keep, "daily_days": daily, "trash_days": trash}
    # Those that are not given stay, but for --default, after which only those given are set.
    changed = {name: days for name, days in given.items() if default or days is not None}
    with opened(data) as place:
        settings = place.settings.retention
        with place.read() as act:
            space = spaces.find(act, slug)
        if changed:
            with place.write() as act:
                spaces.set_retention(act, slug, changed)
                own = spaces.retention(act.connection, space.id)
                days = settings.model_dump() | {n: d for n, d in own.items() if d is not None}
                if days["daily_days"] < days["keep_days"]:
                    raise LessDaily(daily=days["daily_days"], keep=days["keep_days"])
        with place.database.read() as connection:
            own = spaces.retention(connection, space.id)
    rules = Rules.of(settings, own)
    words = {
        "keep_days": _("every version"),
        "daily_days": _("one version a day"),
        "trash_days": _("what was deleted"),
    }
    show(
        [
            {
                "kept": name if as_json else words[name],
                "days": period.days,
                "of_space": own[name] is not None,
            }
            for name, period in zip(words, (rules.keep, rules.daily, rules.trash), strict=True)
        ],
        {"kept": _("What is kept"), "days": _("Days"), "of_space": _("Of this space")},
        as_json=as_json,
    )
