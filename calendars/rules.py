"""Recurrence rules (RFC 5545, 3.3.10) that nobody could ever walk through.

A rule is evaluated by walking from its first occurrence to the time that is asked for. One that
repeats every second since 1900, or waits for a 30 February, would take minutes, or never end, at
every query of every member. No calendar program writes such a rule.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]  # it has none

_STEPS_MAX = 1_000_000
_SECONDS = {
    "SECONDLY": 1,
    "MINUTELY": 60,
    "HOURLY": 3600,
    "DAILY": 86400,
    "WEEKLY": 7 * 86400,
    "MONTHLY": 28 * 86400,
    "YEARLY": 365 * 86400,
}
# As far as anybody looks ahead.
_HORIZON = datetime(2100, 1, 1, tzinfo=UTC)
_MULTIPLIERS = ("BYHOUR", "BYMINUTE", "BYSECOND")
# The last years there are, in which days and weekdays repeat after 28 years without exception.
_LAST_YEARS = range(9944, 9972)


def is_endless(rule: Mapping[str, list[Any]], start: datetime) -> bool:
    """Whether walking through `rule`, as icalendar reads it, takes too long.

    `start` is the first occurrence, aware.
    """
    if not rule:
        return False
    frequency = str(rule.get("FREQ", ["YEARLY"])[0]).upper()
    interval = int(rule.get("INTERVAL", [1])[0])
    if interval < 1 or frequency not in _SECONDS:
        return True
    steps = (_HORIZON - start).total_seconds() / (_SECONDS[frequency] * interval)
    selective = any(name.startswith("BY") for name in rule)
    if selective:
        for name in _MULTIPLIERS:
            steps *= max(1, len(rule.get(name, ())))
    else:
        steps = min(steps, _ends(rule, start, _SECONDS[frequency] * interval))
    return steps > _STEPS_MAX or (selective and _never(rule, start))


def _ends(rule: Mapping[str, list[Any]], start: datetime, seconds: int) -> float:
    """After how many steps a rule that takes every one of them ends."""
    if "COUNT" in rule:
        return int(rule["COUNT"][0])
    if "UNTIL" in rule:
        until = rule["UNTIL"][0]
        return (datetime(until.year, until.month, until.day, tzinfo=UTC) - start).days * (
            86400 / seconds
        )
    return float("inf")


def _never(rule: Mapping[str, list[Any]], start: datetime) -> bool:
    """Whether nothing ever satisfies the rule.

    Tried at the end of time, so that it ends soon: in a year there that is like the first one.
    """
    parts = ";".join(
        f"{name}={','.join(_text(value) for value in values)}"
        for name, values in rule.items()
        if name not in ("UNTIL", "COUNT")
    )
    like = next(year for year in _LAST_YEARS if _kind(year) == _kind(start.year))
    try:
        walk = rrulestr(parts, dtstart=start.replace(year=like, tzinfo=None))
        return next(iter(walk), None) is None
    except ValueError:
        # Radicale cannot read it either, and then gives the object as it is.
        return False


def _kind(year: int) -> tuple[int, bool]:
    """What decides on which weekdays a year's days fall."""
    return datetime(year, 1, 1).weekday(), year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _text(value: Any) -> str:
    written = value.to_ical() if hasattr(value, "to_ical") else str(value)
    return written.decode() if isinstance(written, bytes) else str(written)
