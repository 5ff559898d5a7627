"""Retention: what goes when, as tables."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from config.settings import Retention
from davserver.documents.kept import PASSING, TRASH, VERSION
from davserver.documents.retention import LEAST, Rules, Version, freed

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RULES = Rules.of(Retention(), {})
DAY = timedelta(days=1)


def kept(
    *moments: str, path: str = "a.txt", reason: str = VERSION, passing: bool = False
) -> list[Version]:
    """What history keeps of one name, each named by the moment it came there, in UTC."""
    return [
        Version(text, path, reason, datetime.fromisoformat(f"2026-{text}Z"), passing)
        for text in moments
    ]


GOING: dict[str, tuple[list[Version], list[str]]] = {
    "nothing": ([], []),
    "all of the last 30 days": (
        kept("10-24T12:00:00", "10-24T12:00:01", "11-01T08:00:00", "11-23T11:59:59"),
        [],
    ),
    "of an older day all but the last one": (
        kept("09-10T08:00:00", "09-10T09:00:00", "09-10T18:00:00", "09-11T08:00:00"),
        ["09-10T08:00:00", "09-10T09:00:00"],
    ),
    "of a day that is half over 30 days ago, the older half goes for the younger": (
        kept("10-24T08:00:00", "10-24T11:00:00", "10-24T13:00:00", "10-24T20:00:00"),
        ["10-24T08:00:00", "10-24T11:00:00"],
    ),
    # 2026-09-10T22:00Z is midnight in Paris.
    "a day is one of the organisation's": (
        kept("09-10T21:59:59", "09-10T22:00:00", "09-11T21:59:59", "09-11T22:00:00"),
        ["09-10T22:00:00"],
    ),
    "each name for itself": (
        kept("09-10T08:00:00", path="a.txt") + kept("09-10T09:00:00", path="b.txt"),
        [],
    ),
    "a year later all": (
        [
            Version("old", "a.txt", VERSION, NOW - 366 * DAY),
            Version("young", "a.txt", VERSION, NOW - 365 * DAY),
        ],
        ["old"],
    ),
    "the trash after 90 days": (
        kept("08-25T11:59:59", "08-25T12:00:00", "11-22T12:00:00", reason=TRASH),
        ["08-25T11:59:59"],
    ),
    "the trash of one day goes at its own time": (
        kept("09-10T08:00:00", "09-10T09:00:00", reason=TRASH),
        [],
    ),
    "the trash is no version of the day": (
        kept("09-10T08:00:00") + kept("09-10T09:00:00", reason=TRASH),
        [],
    ),
    "what programs left behind after 30 days": (
        kept("10-24T11:59:59", "10-24T12:00:00", reason=PASSING),
        ["10-24T11:59:59"],
    ),
    "what programs left behind is no version of the day": (
        kept("09-10T08:00:00") + kept("09-10T09:00:00", reason=PASSING),
        ["09-10T09:00:00"],
    ),
    "saves in a row after 7 days": (
        kept("11-16T11:59:00", "11-16T11:59:30", "11-16T12:00:00", passing=True),
        ["11-16T11:59:00", "11-16T11:59:30"],
    ),
    "saves in a row are not the version of a day": (
        kept("09-10T08:00:00") + kept("09-10T09:00:00", passing=True),
        ["09-10T09:00:00"],
    ),
}


@pytest.mark.parametrize("name", GOING)
def test_what_goes(name: str) -> None:
    versions, going = GOING[name]
    assert freed(versions, RULES, NOW, PARIS) == going


OWN = [
    # of the space, then: every version, one a day, the trash
    ({}, 30, 365, 90),
    ({"keep_days": None, "daily_days": None, "trash_days": None}, 30, 365, 90),
    ({"keep_days": 7}, 7, 365, 90),
    ({"keep_days": 60, "trash_days": 7}, 60, 365, 7),
    # Below what the commands accept: somebody wrote it into the database.
    ({"keep_days": 0, "daily_days": -1, "trash_days": 6}, 7, 7, 7),
    # The settings were changed after the space's own.
    ({"keep_days": 400}, 400, 400, 90),
]


@pytest.mark.parametrize("own, keep, daily, trash", OWN)
def test_rules_of_a_space(own: dict[str, int | None], keep: int, daily: int, trash: int) -> None:
    assert Rules.of(Retention(), own) == Rules(keep * DAY, daily * DAY, trash * DAY)


def test_settings_below_seven_days_count_for_nothing() -> None:
    settings = Retention.model_construct(keep_days=1, daily_days=2, trash_days=0)
    assert Rules.of(settings, {}) == Rules(7 * DAY, 7 * DAY, 7 * DAY)


def history(chance: random.Random) -> list[Version]:
    """Anything, sorted as it is kept."""
    versions = [
        Version(
            f"{number}",
            chance.choice("abc"),
            chance.choice((VERSION, VERSION, TRASH)),
            NOW - timedelta(minutes=chance.randrange(60 * 24 * 400)),
            chance.random() < 0.3,
        )
        for number in range(300)
    ]
    return sorted(versions, key=lambda version: (version.path, version.at))


def days(versions: Iterable[Version]) -> set[tuple[str, object]]:
    return {(version.path, version.at.astimezone(PARIS).date()) for version in versions}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_there_is(seed: int) -> None:
    chance = random.Random(seed)
    own: dict[str, int | None] = {
        name: chance.choice((None, -3, 0, 7, 20, 90))
        for name in ("keep_days", "daily_days", "trash_days")
    }
    rules = Rules.of(Retention(), own)
    versions = history(chance)
    going = set(freed(versions, rules, NOW, PARIS))
    for version in versions:
        age = NOW - version.at
        if age <= LEAST or (
            age <= rules.keep and not version.passing and version.reason == VERSION
        ):
            assert version.uid not in going
        if version.reason == TRASH:
            assert (version.uid in going) == (age > rules.trash)
    # No day loses its last version, but for saves in a row and what is too old.
    lasting = [
        version
        for version in versions
        if version.reason == VERSION and not version.passing and NOW - version.at <= rules.daily
    ]
    assert days(lasting) == days(version for version in lasting if version.uid not in going)
    # What has been done need not be done again, and an hour later hardly anything is.
    left = [version for version in versions if version.uid not in going]
    assert freed(left, rules, NOW, PARIS) == []
