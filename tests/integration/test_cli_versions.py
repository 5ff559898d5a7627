"""`davserver versions`, for the administrator who is on the phone with somebody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from davserver.documents.history import moment_name
from tests.integration.console import CHEAP, ENGLISH, FRENCH, Console
from tests.integration.documents_client import CONTRIBUTOR, Client, Hall, at

PATH = "Comptes rendus/séance.odt"


@pytest.fixture
def console(tmp_path: Path, database_url: str) -> Console:
    environment = {
        **CHEAP,
        **ENGLISH,
        "DAVSERVER_DATABASE__URL": database_url,
        "DAVSERVER_ORGANISATION__TIMEZONE": "UTC",
    }
    console = Console(tmp_path / "data", environment)
    console("init", "--template", "empty")
    return console


@pytest.fixture
def hall(console: Console) -> Iterator[Hall]:
    hall = Hall(console.data, console.environment["DAVSERVER_DATABASE__URL"])
    hall.account("anne", "bruno")
    hall.space("conseil", {"anne": CONTRIBUTOR, "bruno": CONTRIBUTOR})
    yield hall
    hall.app.database.close()


@pytest.fixture
def anne(hall: Hall) -> Client:
    anne = hall.client("anne")
    anne.mkcol(at("Comptes rendus"))
    return anne


def test_where_former_contents_are_to_be_found(console: Console, hall: Hall, anne: Client) -> None:
    contents = [b"draft", b"as discussed", b"as corrected", b"as corrected again"]
    pauses = [timedelta(seconds=seconds) for seconds in (86_400, 20, 0.03, 0.01)]
    replaced = []
    for content, pause in zip(contents, pauses, strict=True):
        client = hall.client("bruno") if content == b"as corrected" else anne
        if client.put(at(PATH), content).status == 204:
            replaced.append(hall.now)
        hall.now += pause
    # Once more, as Word does it.
    anne.put(at("new.tmp"), b"as decided")
    anne.move(at(PATH), at("old.tmp"))
    replaced.append(hall.now)
    hall.later(seconds=2)
    anne.move(at("new.tmp"), at(PATH))
    anne.delete(at("old.tmp"))
    listed = console.json("versions", "conseil", PATH)
    assert [one["size"] for one in listed] == [len(content) for content in contents]
    assert [one["login"] for one in listed] == ["anne", "bruno", "anne", "anne"]
    assert [one["replaced_at"] for one in listed[:-1]] == [at.isoformat() for at in replaced[:-1]]
    # As round as they can be: a minute, a second, and less.
    assert [one["found_at"] for one in listed] == [
        f"/history/conseil/{moment}/{PATH}"
        for moment in (
            "2026-11-24T11:59",
            "2026-11-24T12:00",
            "2026-11-24T12:00:20",
            "2026-11-24T12:00:20.039999",
        )
    ]
    for one, content in zip(listed, contents, strict=True):
        assert anne.get(quote(one["found_at"], safe="/:")).body == content
    said = console("versions", "conseil", f"/{PATH}/")
    assert "as discussed" not in said and "/history/conseil/2026-11-24T11:59/" in said
    assert "Où le retrouver" in console.run("versions", "conseil", PATH, **FRENCH).stdout


def test_of_what_there_are_none(console: Console, hall: Hall, anne: Client) -> None:
    anne.put(at("new.odt"), b"new")
    assert console.json("versions", "conseil", "new.odt") == []
    assert console.refused(6, "versions", "conseil", "no.odt") == (
        "There is no document conseil/no.odt, nor is a former content of one kept."
    )
    assert console.refused(6, "versions", "nowhere", "new.odt")
    assert console.refused(2, "versions", "conseil", "../new.odt")
    # Of what was deleted they are still there.
    anne.put(at("new.odt"), b"newer")
    anne.delete(at("new.odt"))
    assert len(console.json("versions", "conseil", "new.odt")) == 1


def test_no_moment_means_two() -> None:
    paris = ZoneInfo("Europe/Paris")
    for hour, name in ((0, "2026-10-25T02:30"), (1, "2026-10-25T01:30Z"), (2, "2026-10-25T03:30")):
        assert moment_name(datetime(2026, 10, 25, hour, 30, tzinfo=UTC), paris) == name
    west = ZoneInfo("America/Cayenne")
    moment = datetime(2026, 11, 23, 12, 0, 5, 70_000, tzinfo=UTC)
    assert moment_name(moment, west) == "2026-11-23T09:00:05.070000"
