"""`davserver status`: what the server holds, and what somebody should see to."""

import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import click
import sqlalchemy as sa
from pydantic import ByteSize
from sqlalchemy.engine import Connection

from acl import registry, tripwire
from acl.deeds import Kind
from acl.registry import Registry
from acl.tables import journal, spaces
from acl.tripwire import Stop
from config.language import Phrase
from davserver.cli.command import Command, data_option, json_option
from davserver.cli.opened import Opened, opened
from davserver.cli.output import printable, show, show_json, size
from davserver.cli.wording import _
from davserver.documents import intents
from davserver.documents.check import UNSETTLED

_FOUND = 8
_NEARLY_FULL = 0.9
# A change that is under way takes less.
_CUT_SHORT = timedelta(minutes=1)
_COUNTED = {
    Kind.SCRAMBLED: Phrase("{count} documents replaced by what looks encrypted"),
    Kind.RENAMED: Phrase("{count} documents renamed to .{ending}"),
    Kind.DELETED: Phrase("{count} deletions"),
    Kind.OVERWRITTEN: Phrase("{count} documents overwritten"),
}


@dataclass(frozen=True)
class Concern:
    """What somebody should see to: for a program by its `kind` and `facts`, for a person in a
    sentence, with the commands to type."""

    kind: str
    sentence: str
    facts: dict[str, object]
    commands: list[str] = field(default_factory=list)


@click.command(cls=Command, help="Say what the server holds, and what needs attention.")
@json_option
@data_option
@click.pass_context
def status(context: click.Context, as_json: bool, data: Path) -> None:
    with opened(data) as place, place.database.read() as connection:
        known = registry.read(connection)
        facts = _facts(place, connection, known)
        concerns = [
            *_stopped(place, connection),
            *_nearly_full(connection),
            *_cut_short(place, known),
        ]
    if as_json:
        attention = [
            {"problem": concern.kind, **concern.facts, "commands": concern.commands}
            for concern in concerns
        ]
        show_json({**facts, "attention": attention})
    else:
        _show(facts, concerns)
    context.exit(_FOUND if concerns else 0)


def _facts(place: Opened, connection: Connection, known: Registry) -> dict[str, object]:
    total = sa.select(sa.func.sum(spaces.c.used_bytes), sa.func.sum(spaces.c.history_bytes))
    used, history = connection.execute(total).one()
    return {
        "version": version("davserver"),
        "data": str(place.settings.data),
        "database": "SQLite" if place.database.is_sqlite else "PostgreSQL",
        "accounts": len(known.accounts),
        "spaces": len(known.spaces),
        # Below nothing where documents were changed directly on the disk; `check` tells.
        "used_bytes": max(0, int(used or 0)),
        "history_bytes": max(0, int(history or 0)),
        "free_bytes": shutil.disk_usage(place.settings.data).free,
        "last_backup": _last(connection, "backup.done"),
        "last_retention": _last(connection, "retention.run"),
    }


def _last(connection: Connection, action: str) -> datetime | None:
    query = sa.select(sa.func.max(journal.c.at)).where(journal.c.action == action)
    at: datetime | None = connection.execute(query).scalar()
    return at


def _stopped(place: Opened, connection: Connection) -> Iterator[Concern]:
    for stop in tripwire.stops(connection):
        counted = _COUNTED[stop.kind]
        sentence = _(
            "{login} was stopped at {at}: {counted} in {minutes} minutes or less, from {device} "
            "({address}).",
            login=stop.login,
            at=f"{stop.at.astimezone(place.settings.zone):%Y-%m-%d %H:%M}",
            counted=Phrase(counted.message, count=stop.count, ending=stop.ending),
            minutes=stop.minutes,
            device=stop.device or Phrase("the account's own password"),
            address=stop.address,
        )
        facts: dict[str, object] = {
            "login": stop.login,
            "at": stop.at,
            "device": stop.device,
            "address": stop.address,
            "space": stop.space,
            "path": stop.path,
            "counted": stop.kind.value,
            "ending": stop.ending,
            "count": stop.count,
            "minutes": stop.minutes,
        }
        yield Concern("stopped", sentence, facts, list(_remedies(place, stop)))


def _remedies(place: Opened, stop: Stop) -> Iterator[str]:
    """The commands that undo what was done, and let the account write again."""
    before = (stop.at - timedelta(minutes=stop.minutes)).astimezone(place.settings.zone)
    device = ["--device", stop.device] if stop.device else []
    for slug in stop.spaces:
        moment = ["--to", f"{before:%Y-%m-%dT%H:%M}"]
        yield _command("rewind", slug, *moment, "--account", stop.login, *device)
    yield _command("account", "release", stop.login)


def _command(*words: str) -> str:
    return shlex.join(["davserver", *words])


def _nearly_full(connection: Connection) -> Iterator[Concern]:
    query = sa.select(spaces).where(spaces.c.quota_bytes.is_not(None)).order_by(spaces.c.slug)
    for row in connection.execute(query):
        if row.used_bytes > _NEARLY_FULL * row.quota_bytes:
            sentence = _(
                "{space} is nearly full: {used} of {quota}.",
                space=row.slug,
                used=size(ByteSize(row.used_bytes)),
                quota=size(ByteSize(row.quota_bytes)),
            )
            facts = {
                "space": row.slug,
                "used_bytes": row.used_bytes,
                "history_bytes": row.history_bytes,
                "quota_bytes": row.quota_bytes,
            }
            yield Concern("nearly_full", sentence, facts)


def _cut_short(place: Opened, known: Registry) -> Iterator[Concern]:
    for concerned in intents.cut_short(place.store, place.now - _CUT_SHORT):
        slugs = sorted(known.space_by_id[space_id].slug for space_id in concerned)
        sentence = f"{', '.join(slugs)}: {_(UNSETTLED)}"
        yield Concern("cut_short", sentence, {"spaces": slugs})


def _show(facts: dict[str, object], concerns: list[Concern]) -> None:
    never = _("never")
    rows = {
        _("Data"): facts["data"],
        _("Database"): facts["database"],
        _("Accounts"): facts["accounts"],
        _("Spaces"): facts["spaces"],
        _("Used"): _bytes(facts["used_bytes"]),
        _("of which history"): _bytes(facts["history_bytes"]),
        _("Free on the disk"): _bytes(facts["free_bytes"]),
        _("Last backup"): facts["last_backup"] or never,
        _("History last thinned"): facts["last_retention"] or never,
    }
    show(
        [{"name": name, "value": value} for name, value in rows.items()],
        {"name": "davserver", "value": str(facts["version"])},
        as_json=False,
    )
    click.echo()
    if not concerns:
        click.echo(_("Nothing needs attention."))
        return
    for concern in concerns:
        click.echo(printable(concern.sentence))
        for command in concern.commands:
            click.echo(f"  {printable(command)}")


def _bytes(value: object) -> ByteSize:
    assert isinstance(value, int)
    return ByteSize(value)
