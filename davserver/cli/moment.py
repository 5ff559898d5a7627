"""A moment as people type it: 2026-11-23T14:04, 14:04."""

import re
from datetime import UTC, datetime, tzinfo

import click

from davserver.cli.wording import _

_FORM = re.compile(
    r"(?:(\d{4}-\d\d-\d\d)[T ])?(\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?) ?(Z|[+-]\d\d:?\d\d)?",
    re.ASCII | re.IGNORECASE,
)


def moment(text: str, zone: tzinfo | None, now: datetime) -> datetime:
    """The moment that `text` means, aware, in UTC: of today if it names no day.

    Without an offset the clocks of `zone` count (None: the system's); of an hour that they show
    twice, the first one. Raises `click.BadParameter`.
    """
    match = _FORM.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        day, time, offset = match.groups()
        day = day or f"{now.astimezone(zone):%Y-%m-%d}"
        meant = datetime.fromisoformat(f"{day}T{time}{(offset or '').upper()}")
        if meant.tzinfo is None and zone is not None:
            meant = meant.replace(tzinfo=zone)
        return meant.astimezone(UTC)
    except (ValueError, OverflowError):
        problem = _("{value} is not a moment such as 2026-11-23T14:04.", value=repr(text))
        raise click.BadParameter(problem, param_hint="--to") from None
