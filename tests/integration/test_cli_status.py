"""What the server holds, what needs attention, and the account that was stopped, by command."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from acl import registry
from acl.actor import Actor
from acl.deeds import Deed, Kind
from acl.journal import Act
from acl.tables import spaces
from acl.tripwire import Tripped, Tripwire
from config.database import Database
from config.settings import Tripwire as Limits
from tests.integration.console import CHEAP, ENGLISH, FRENCH, Console

# The tripwire's and the command's clock are one.
NOW = datetime.now(UTC)
PARIS = {"DAVSERVER_ORGANISATION__TIMEZONE": "Europe/Paris"}


@contextmanager
def opened(console: Console) -> Iterator[Database]:
    database = Database(
        console.environment.get("DAVSERVER_DATABASE__URL", f"sqlite:///{console.data}/davserver.db")
    )
    try:
        yield database
    finally:
        database.close()


def trip(console: Console, device: str = "poste de l'accueil") -> None:
    """Let the secretary's account do what ransomware does, with this device ("": with none)."""
    if device:
        console("device", "add", "secretaire", device)
    with opened(console) as database:
        with database.read() as connection:
            known = registry.read(connection)
        account, space = known.by_login["secretaire"], known.spaces["conseil"]
        devices = {one.name: one for one in known.devices.values()}
        actor = Actor.of(account, devices[device] if device else None, "192.0.2.7")
        with database.write() as connection:
            # They were there long before.
            connection.execute(spaces.update().values(created_at=NOW - timedelta(days=300)))
            for slug in ("conseil", "informations"):
                act = Act(connection, actor, NOW - timedelta(minutes=3))
                act.record("document.put", space_id=known.spaces[slug].id, path="a.odt")
        tripwire = Tripwire(database, Limits())
        with pytest.raises(Tripped), tripwire.guard(), database.write() as connection:
            act = Act(connection, actor, NOW)
            act.deeds.extend([Deed(Kind.RENAMED, space.id, "b.odt", "locked")] * 51)
            tripwire.count(act)


def test_nothing_needs_attention(mairie: Console) -> None:
    said = mairie.json("status")
    assert said.pop("free_bytes") > 0
    assert said == {
        "version": "0.1.0",
        "data": str(mairie.data),
        "database": "SQLite",
        "accounts": len(mairie.json("account", "list")),
        "spaces": len(mairie.json("space", "list")),
        "used_bytes": 0,
        "history_bytes": 0,
        "last_backup": None,
        "last_retention": None,
        "attention": [],
    }
    shown = mairie("status")
    assert shown.startswith("davserver") and shown.endswith("Nothing needs attention.\n")
    assert re.search(r"Last backup +never", shown)
    assert mairie.run("status", **FRENCH).stdout.endswith("Rien ne demande d’attention.\n")


def test_what_is_held_is_added_up(tmp_path: Path, database_url: str) -> None:
    environment = {**CHEAP, **ENGLISH, "DAVSERVER_DATABASE__URL": database_url}
    console = Console(tmp_path / "data", environment)
    console("init", "--template", "commune")
    at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    with opened(console) as database, database.write() as connection:
        connection.execute(spaces.update().values(used_bytes=2_000, history_bytes=500))
        for action in ("backup.done", "retention.run"):
            Act(connection, Actor.console("root"), at).record(action)
            Act(connection, Actor.console("root"), at - timedelta(days=1)).record(action)
    said = console.json("status")
    assert said["database"] == ("SQLite" if "sqlite" in database_url else "PostgreSQL")
    assert (said["used_bytes"], said["history_bytes"]) == (
        2_000 * said["spaces"],
        500 * said["spaces"],
    )
    assert said["last_backup"] == said["last_retention"] == at.isoformat()
    shown = console("status")
    assert f"{at.astimezone():%Y-%m-%d %H:%M}" in shown


def test_a_space_that_is_nearly_full(mairie: Console) -> None:
    with opened(mairie) as database, database.write() as connection:
        for slug, used in (("conseil", 900), ("informations", 901)):
            connection.execute(
                spaces.update()
                .where(spaces.c.slug == slug)
                .values(quota_bytes=1000, used_bytes=used, history_bytes=300)
            )
    result = mairie.run("status", "--json")
    assert result.exit_code == 8
    assert json.loads(result.stdout)["attention"] == [
        {
            "problem": "nearly_full",
            "space": "informations",
            "used_bytes": 901,
            "history_bytes": 300,
            "quota_bytes": 1000,
            "commands": [],
        }
    ]
    assert "informations is nearly full: 901 B of 1000 B." in mairie.run("status").stdout


def test_a_change_that_was_cut_short(mairie: Console) -> None:
    with opened(mairie) as database, database.read() as connection:
        known = registry.read(connection)
    ids = sorted(known.spaces[slug].id for slug in ("conseil", "informations"))
    intent = mairie.data / "staging" / "intents" / f"{'f' * 32}.{ids[0]}-{ids[1]}"
    intent.write_text("[]")
    # One that has just been written is under way.
    assert mairie.run("status").exit_code == 0
    os.utime(intent, (NOW.timestamp() - 120, NOW.timestamp() - 120))
    result = mairie.run("status", "--json")
    assert result.exit_code == 8
    assert json.loads(result.stdout)["attention"] == [
        {"problem": "cut_short", "spaces": ["conseil", "informations"], "commands": []}
    ]
    assert "conseil, informations: A change was cut short" in mairie.run("status").stdout


def test_a_stopped_account(mairie: Console) -> None:
    trip(mairie)
    mairie.environment |= PARIS
    result = mairie.run("status", "--json")
    assert (result.exit_code, result.stderr) == (8, "")
    (concern,) = json.loads(result.stdout)["attention"]
    commands = [shlex.split(command) for command in concern.pop("commands")]
    assert concern == {
        "problem": "stopped",
        "login": "secretaire",
        "at": NOW.isoformat(),
        "device": "poste de l'accueil",
        "address": "192.0.2.7",
        "space": "conseil",
        "path": "b.odt",
        "counted": "renamed",
        "ending": "locked",
        "count": 51,
        "minutes": 10,
    }
    *rewinds, release = commands
    assert [words[:3] for words in rewinds] == [
        ["davserver", "rewind", "conseil"],
        ["davserver", "rewind", "informations"],
    ]
    for words in rewinds:
        assert words[3] == "--to" and len(words[4]) == len("2026-11-23T13:55")
        assert words[5:] == ["--account", "secretaire", "--device", "poste de l'accueil"]
        assert mairie.run(*words[1:]).exit_code == 0
    assert release == ["davserver", "account", "release", "secretaire"]
    shown = mairie.run("status").stdout
    assert "51 documents renamed to .locked" in shown
    assert "  davserver account release secretaire\n" in shown
    french = mairie.run("status", **FRENCH).stdout
    assert "secretaire a été arrêté le" in french and "51 documents renommés en .locked" in french


def test_the_moment_to_go_back_to_is_local(mairie: Console) -> None:
    trip(mairie, "")
    commands = []
    for zone, hours in (("UTC", 0), ("Asia/Tokyo", 9)):
        mairie.environment["DAVSERVER_ORGANISATION__TIMEZONE"] = zone
        (concern,) = json.loads(mairie.run("status", "--json").stdout)["attention"]
        moment = NOW - timedelta(minutes=10) + timedelta(hours=hours)
        assert f"--to {moment:%Y-%m-%dT%H:%M} --account secretaire" in concern["commands"][0]
        assert "--device" not in concern["commands"][0]
        commands.append(concern["commands"])
    assert "the account's own password" in mairie.run("status").stdout


@pytest.mark.parametrize(
    "device, advice",
    [
        ("poste de l'accueil", """davserver device add secretaire 'poste de l'"'"'accueil'"""),
        ("", "davserver account password secretaire"),
    ],
)
def test_release(mairie: Console, device: str, advice: str) -> None:
    said = mairie.refused(2, "account", "release", "secretaire")
    assert said == "The account secretaire is not stopped."
    assert mairie.refused(6, "account", "release", "nobody").startswith("There is no account")
    trip(mairie, device)
    assert state(mairie) == "stopped"
    assert " stopped " in mairie("account", "list")
    assert " arrêté " in mairie.run("account", "list", **FRENCH).stdout
    said = mairie("account", "release", "secretaire")
    assert said.startswith("The account secretaire can write again.\n") and advice in said
    assert state(mairie) == "active"
    mairie.refused(2, "account", "release", "secretaire")
    assert mairie.run("status").exit_code == 0
    if device:
        (used,) = [
            one for one in mairie.json("device", "list", "secretaire") if one["device"] == device
        ]
        assert used["revoked_at"] == NOW.isoformat()
        # The advice can be followed.
        mairie(*shlex.split(advice)[1:])
    assert mairie.json("journal")[0]["action"] in ("account.release", "device.add")
    (row,) = [row for row in mairie.json("journal", "conseil") if row["action"] == "tripwire.stop"]
    assert (row["login"], row["device"], row["path"]) == ("secretaire", device, "b.odt")


def state(mairie: Console) -> str:
    listed = {each["login"]: each for each in mairie.json("account", "list")}
    return str(listed["secretaire"]["state"])


def test_a_disabled_account_that_is_stopped_is_disabled_first(mairie: Console) -> None:
    trip(mairie)
    mairie("account", "disable", "secretaire")
    assert state(mairie) == "disabled"
    mairie("account", "enable", "secretaire")
    assert state(mairie) == "stopped"


def test_who_can_explains_it(mairie: Console) -> None:
    def reasons() -> dict[str, str]:
        answers = mairie.json("who-can", "conseil", "--account", "secretaire")
        return {answer["privilege"]: answer["reason"] for answer in answers}

    before = reasons()
    trip(mairie)
    after = reasons()
    assert after["read"] == before["read"]
    assert {name for name, reason in after.items() if reason == "stopped"} == {
        name
        for name, reason in before.items()
        if reason in ("role", "administrator") and name != "read"
    }
    assert "ransomware" in mairie("who-can", "conseil", "--account", "secretaire")
    listed = mairie.json("who-can", "conseil")
    assert {one["privilege"] for one in listed if one["account"] == "secretaire"} == {"read"}
