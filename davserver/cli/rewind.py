"""`davserver rewind`: a space goes back to how it was, or what one device did to it is undone."""

import shlex
from collections import Counter
from datetime import timedelta, tzinfo
from pathlib import Path

import click

from davserver import paths
from davserver.cli import places
from davserver.cli.command import Command, data_option, json_option
from davserver.cli.moment import moment
from davserver.cli.opened import console, opened
from davserver.cli.output import show, show_json
from davserver.cli.wording import _, say
from davserver.documents.plan import Entry, Plan, What
from davserver.documents.rewind import Order, preview
from davserver.documents.rewind import rewind as carry_out


@click.command(
    cls=Command,
    help="Show what would take a space back to how it was at a moment, or do it with --apply.",
)
@click.argument("slug", metavar="SPACE")
@click.option(
    "--to",
    "when",
    required=True,
    metavar="TIME",
    help="The moment to go back to: 2026-11-23T14:04, or 14:04 for today.",
)
@click.option("--account", metavar="LOGIN", help="Undo only what this account did since.")
@click.option(
    "--device", metavar="NAME", help="Undo only what this device of the account did since."
)
@click.option(
    "--path", default="", metavar="FOLDER", help="Undo only what was done in this folder since."
)
@click.option("--apply", is_flag=True, help="Do it; without this, it is only shown.")
@json_option
@data_option
def rewind(
    slug: str,
    when: str,
    account: str | None,
    device: str | None,
    path: str,
    apply: bool,
    as_json: bool,
    data: Path,
) -> None:
    if device and not account:
        problem = _("Two accounts may have a device of the same name: add --account.")
        raise click.BadParameter(problem, param_hint="--device")
    with opened(data) as place:
        zone = place.settings.zone
        to = moment(when, zone, place.now)
        places.space(place.registry(), slug)
        order = Order(slug, to, account or "", device or "", paths.normalise(path))
        act = carry_out if apply else preview
        plan = act(place.documents(), console(), order)
    if as_json:
        show_json({"space": slug, "to": to, "applied": apply, "at": plan.at, **_records(plan)})
    else:
        _show(plan, slug, zone, applied=apply)


def _records(plan: Plan) -> dict[str, object]:
    return {
        "documents": [_record(one) for one in plan.documents],
        "agenda": [_record(one) for one in plan.agenda],
    }


def _record(entry: Entry) -> dict[str, object]:
    return {
        "what": entry.what.name.lower(),
        "place": entry.place,
        "now": entry.now or None,
        "logins": list(entry.logins),
        "at": entry.at,
        "reason": str(entry.reason) if entry.reason else None,
    }


def _row(entry: Entry, place: str, zone: tzinfo | None) -> dict[str, object]:
    return {
        "place": place,
        "what": say(entry.reason or entry.what.value),
        "now": entry.now,
        "logins": entry.logins,
        # By the clocks that the moment was typed by.
        "at": entry.at and entry.at.astimezone(zone).replace(tzinfo=None),
    }


def _show(plan: Plan, slug: str, zone: tzinfo | None, *, applied: bool) -> None:
    if not plan.entries:
        click.echo(_("Nothing has changed there since."))
        return
    rows = [_row(one, one.place, zone) for one in plan.documents]
    rows += [_row(one, _("{name} (agenda)", name=one.place), zone) for one in plan.agenda]
    titles = {
        "place": _("Place"),
        "what": _("What becomes of it"),
        "now": _("Now at"),
        "logins": _("Changed by"),
        "at": _("When"),
    }
    show(rows, titles, as_json=False)
    counts = Counter(one.what for one in plan.entries)
    for what in What:
        if counts[what]:
            click.echo(f"{say(what.value)}: {counts[what]}")
    if not plan.changes:
        click.echo(_("Nothing is left to undo."))
    elif not applied:
        click.echo(_("Nothing was changed: add --apply to do it."))
    else:
        before = (plan.at - timedelta(microseconds=1)).astimezone(zone).isoformat()
        click.echo(_("It is done. To undo it:"))
        for each in sorted({slug, *plan.slugs}):
            click.echo(shlex.join(["davserver", "rewind", each, "--to", before, "--apply"]))
