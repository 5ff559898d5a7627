"""`davserver rewind`, at the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest

from acl.tables import spaces
from davserver.cli.moment import moment
from tests.integration.console import FRENCH, Console
from tests.integration.documents_client import CONTRIBUTOR, Hall, at, href, plant, town

NOW = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "zone", "meant"),
    [
        ("2026-11-23T14:04", UTC, datetime(2026, 11, 23, 14, 4, tzinfo=UTC)),
        ("2026-11-23 14:04", UTC, datetime(2026, 11, 23, 14, 4, tzinfo=UTC)),
        ("2026-11-23 14:04:05", UTC, datetime(2026, 11, 23, 14, 4, 5, tzinfo=UTC)),
        ("2026-11-23T14:04:05.250", UTC, datetime(2026, 11, 23, 14, 4, 5, 250_000, tzinfo=UTC)),
        ("14:04", UTC, datetime(2026, 11, 23, 14, 4, tzinfo=UTC)),
        (" 14:04 ", UTC, datetime(2026, 11, 23, 14, 4, tzinfo=UTC)),
        ("2026-11-23T14:04", PARIS, datetime(2026, 11, 23, 13, 4, tzinfo=UTC)),
        ("2026-07-14T14:04", PARIS, datetime(2026, 7, 14, 12, 4, tzinfo=UTC)),
        ("14:04Z", PARIS, datetime(2026, 11, 23, 14, 4, tzinfo=UTC)),
        ("14:04+01:00", UTC, datetime(2026, 11, 23, 13, 4, tzinfo=UTC)),
        ("14:04 -0500", UTC, datetime(2026, 11, 23, 19, 4, tzinfo=UTC)),
        ("2026-10-25T02:30", PARIS, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-10-25T02:30+01:00", PARIS, datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("01:00", timezone(timedelta(hours=9)), datetime(2026, 11, 23, 16, 0, tzinfo=UTC)),
    ],
)
def test_a_moment(text: str, zone: tzinfo, meant: datetime) -> None:
    assert moment(text, zone, NOW) == meant


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "25:00", "14:60", "2026-02-30T14:04", "2026-11-23", "14h04", "4:04"),
        *("2026-11-23T14:04T", "14:04+25:00", "1e3", "٣٤:٠٤", "9999-12-31T23:59-12:00"),
    ],
)
def test_no_moment(text: str) -> None:
    with pytest.raises(click.BadParameter):
        moment(text, UTC, NOW)


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    data = tmp_path / "data"
    for hall in town(data, f"sqlite:///{data}/davserver.db"):
        hall.now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        with hall.acting() as act:
            act.record("organisation.found")
            founded = {"created_at": hall.now - timedelta(days=1)}
            act.connection.execute(spaces.update().values(founded))
        yield hall


@pytest.fixture
def console(hall: Hall) -> Console:
    """The terminal, an hour after the documents came, and some minutes after they were spoilt."""
    plant(hall.client("bruno"))
    hall.later(minutes=30)
    hall.client("bruno").put(at("lettre.txt"), b"bad")
    hall.client("bruno").move(at("dossier/note.txt"), at("note.locked"))
    hall.client("chloe").put(at("chloe.txt"), b"good")
    hall.later(minutes=10)
    console = Console(hall.store.data)
    console.environment["DAVSERVER_ORGANISATION__TIMEZONE"] = "UTC"
    return console


def before(hall: Hall) -> str:
    """A moment before anything was spoilt, as it is typed."""
    return f"{hall.now - timedelta(minutes=15):%Y-%m-%dT%H:%M}"


def test_it_is_shown_and_then_done_and_then_undone(hall: Hall, console: Console) -> None:
    order = ("rewind", "conseil", "--to", before(hall), "--account", "bruno", "--device", "laptop")
    spoilt = hall.documents("conseil")
    shown = console(*order)
    assert hall.documents("conseil") == spoilt
    rows = [" ".join(line.split()) for line in shown.splitlines()]
    at_ = f"{hall.now - timedelta(minutes=10):%Y-%m-%d %H:%M}"
    assert f"conseil/lettre.txt gets its former content bruno {at_}" in rows
    assert f"conseil/dossier/note.txt gets its former name conseil/note.locked bruno {at_}" in rows
    assert shown.endswith("Nothing was changed: add --apply to do it.\n")
    done = console(*order, "--apply")
    assert hall.documents("conseil")["lettre.txt"] == b"lettre"
    assert hall.documents("conseil")["dossier/note.txt"] == b"note"
    assert hall.documents("conseil")["chloe.txt"] == b"good"
    *_, asked, command = done.splitlines()
    assert asked == "It is done. To undo it:"
    program, *again = command.split()
    assert program == "davserver"
    console(*again)
    assert hall.documents("conseil") == spoilt
    assert console(*again[:-1]).endswith("Nothing has changed there since.\n")
    hall.consistent()


def test_json(hall: Hall, console: Console) -> None:
    order = ("rewind", "conseil", "--to", before(hall), "--account", "bruno")
    shown = console.json(*order)
    assert (shown["space"], shown["applied"], shown["agenda"]) == ("conseil", False, [])
    assert [
        (one["what"], one["place"], one["now"], one["logins"], one["reason"])
        for one in shown["documents"]
    ] == [
        ("name", "conseil/dossier/note.txt", "conseil/note.locked", ["bruno"], None),
        ("content", "conseil/lettre.txt", None, ["bruno"], None),
    ]
    done = json.loads(console(*order, "--apply", "--json"))
    assert (done["applied"], done["documents"]) == (True, shown["documents"])


def test_it_speaks_french(hall: Hall, console: Console) -> None:
    shown = console.run("rewind", "conseil", "--to", before(hall), **FRENCH)
    assert "retrouve son ancien contenu" in shown.stdout
    assert "va à la corbeille: 1" in shown.stdout


def test_what_is_left_alone_is_said(hall: Hall, console: Console) -> None:
    hall.client("chloe").put(at("lettre.txt"), b"good")
    shown = console("rewind", "conseil", "--to", before(hall), "--account", "bruno")
    assert "It was changed since; what it was before is one of its versions." in shown
    assert "is left alone: 1" in shown


def test_each_space_concerned_is_named(hall: Hall, console: Console) -> None:
    hall.space("projet", {"bruno": CONTRIBUTOR})
    hall.client("bruno").move(at("lettre.txt"), href("projet", "l.txt"))
    hall.later(minutes=1)
    done = console("rewind", "conseil", "--to", before(hall), "--apply")
    commands = [line.split()[2] for line in done.splitlines() if line.startswith("davserver ")]
    assert commands == ["conseil", "projet"]


def test_what_cannot_be_done_is_said_in_one_sentence(hall: Hall, console: Console) -> None:
    day = ("--to", before(hall))
    later = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M}"
    assert console.refused(6, "rewind", "nowhere", *day) == "There is no space called nowhere."
    said = console.refused(6, "rewind", "conseil", *day, "--account", "nobody")
    assert said == "There is no account called nobody."
    said = console.refused(6, "rewind", "conseil", *day, "--account", "bruno", "--device", "none")
    assert said == "There is no device called none."
    said = console.refused(6, "rewind", "conseil", *day, "--path", "/nothing/")
    assert said == "There is no folder conseil/nothing, neither now nor at this moment."
    assert console.refused(2, "rewind", "conseil", "--to", later) == "This moment is still to come."
    said = console.refused(2, "rewind", "conseil", "--to", "1999-01-01T00:00")
    assert said == "The space Conseil municipal was not there yet at this moment."
    said = console.refused(2, "rewind", "conseil", *day, "--device", "laptop")
    assert said.endswith(
        "--device: Two accounts may have a device of the same name: add --account."
    )
    said = console.refused(2, "rewind", "conseil", "--to", "yesterday")
    assert said.endswith("--to: 'yesterday' is not a moment such as 2026-11-23T14:04.")
    assert console.refused(2, "rewind", "conseil").endswith("'--to' is missing.")
