"""Locks, journal, check, settings, and the server with commands beside it."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from acl import registry
from config.database import Database
from davserver.cli import serve
from davserver.cli.main import main
from davserver.documents.tables import locks
from tests.integration.console import CHEAP, ENGLISH, FRENCH, PASSWORD, Console, snapshot
from tests.server.process import Server


def lock(console: Console, slug: str, path: str, token: str) -> None:
    now = datetime.now(UTC)
    database = Database(f"sqlite:///{console.data}/davserver.db")
    with database.write() as connection:
        known = registry.read(connection)
        connection.execute(
            locks.insert().values(
                token=token,
                space_id=known.spaces[slug].id,
                tree="",
                path=path,
                infinite=False,
                exclusive=True,
                account_id=known.by_login["maire"].id,
                login="maire",
                owner="",
                seconds=3600,
                created_at=now,
                expires_at=now + timedelta(hours=1),
            )
        )
    database.close()


def test_locks(mairie: Console) -> None:
    lock(mairie, "conseil", "budget.ods", "urn:uuid:1")
    lock(mairie, "bureau", "note.odt", "urn:uuid:2")
    assert [each["place"] for each in mairie.json("lock", "list")] == [
        "conseil/budget.ods",
        "bureau/note.odt",
    ]
    (listed,) = mairie.json("lock", "list", "conseil")
    assert (listed["token"], listed["login"], listed["depth"]) == ("urn:uuid:1", "maire", "0")
    assert "budget.ods" in mairie("lock", "list")
    assert mairie("lock", "break", "urn:uuid:1") == "The lock is gone.\n"
    assert mairie.json("lock", "list", "conseil") == []
    assert mairie.json("journal", "conseil")[0]["action"] == "lock.break"


def test_the_journal(mairie: Console) -> None:
    mairie("space", "add", "voirie", "--title", "Voirie")
    mairie("member", "add", "voirie", "maire", "--role", "reader")
    newest, before = mairie.json("journal", "voirie")
    assert (newest["action"], before["action"]) == ("member.add", "space.add")
    assert newest["address"] == "console" and newest["login"]
    assert newest["detail"] == {"former": None, "member": "maire", "role": "reader"}
    assert mairie.json("journal", "--limit", "1") == [newest]
    assert "member.add" in mairie("journal")


def test_names_from_clients_do_not_command_the_terminal(mairie: Console) -> None:
    lock(mairie, "conseil", "a\x1b[2J\nb", "urn:uuid:1")
    table = mairie("lock", "list")
    assert "\x1b" not in table
    assert "conseil/a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b" in table


def test_check(mairie: Console) -> None:
    assert mairie("check") == "Documents and database agree.\n"
    assert mairie.json("check") == []
    (mairie.data / "spaces" / "commission-ecoles").rmdir()
    before = snapshot(mairie.data)
    result = mairie.run("check", "--json")
    assert result.exit_code == 8
    assert json.loads(result.stdout) == [
        {
            "space": "commission-ecoles",
            "path": "",
            "to": "",
            "problem": "The space has no folder on the disk.",
        }
    ]
    result = mairie.run("check", **FRENCH)
    assert result.exit_code == 8
    assert "L’espace n’a pas de dossier sur le disque." in result.stdout
    assert snapshot(mairie.data) == before


def test_config_show(mairie: Console) -> None:
    mairie.environment["DAVSERVER_SERVER__PORT"] = "81"
    shown = {value["key"]: value for value in mairie.json("config", "show")}
    assert (shown["server.port"]["value"], shown["server.port"]["source"]) == (
        81,
        "environment, DAVSERVER_SERVER__PORT",
    )
    assert shown["data"]["source"] == "command line, --data"
    assert shown["limits.xml_max"]["value"] == 1024**2
    table = mairie("config", "show")
    assert "1 MiB" in table and "environment, DAVSERVER_SERVER__PORT" in table


def test_config_show_masks_the_password_of_the_database(mairie: Console) -> None:
    mairie.environment["DAVSERVER_DATABASE__URL"] = "postgresql+psycopg://dav:s3cret@db/dav"
    for args in ((), ("--json",)):
        said = mairie("config", "show", *args)
        assert "s3cret" not in said and "dav:***@db" in said


@pytest.mark.parametrize(
    "environment, args, source",
    [
        ({}, (), "default"),
        ({"DAVSERVER_DATA": "there"}, (), "environment, DAVSERVER_DATA"),
        ({"DAVSERVER_DATA": "there"}, ("--data", "here"), "command line, --data"),
    ],
)
def test_config_show_says_where_the_data_directory_was_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    args: tuple[str, ...],
    source: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    env = {**ENGLISH, "DAVSERVER_DATA": None, **environment}
    result = CliRunner().invoke(main, ["config", "show", "--json", *args], env=env)
    data = json.loads(result.stdout)[0]
    assert data["source"] == source
    name = {"default": "data"}.get(source) or (args[-1] if args else "there")
    assert data["value"] == str(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_output_that_nobody_reads_to_its_end(mairie: Console) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "davserver", "journal", "--json"],
        env={**os.environ, **mairie.environment, "DAVSERVER_DATA": str(mairie.data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 1


def test_a_terminal_without_accents(mairie: Console) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "davserver", "account", "list"],
        env={
            **os.environ,
            **mairie.environment,
            "DAVSERVER_DATA": str(mairie.data),
            "PYTHONIOENCODING": "ascii",
        },
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"Ren? Petit" in done.stdout and done.stderr == b""


ADDRESSES: list[tuple[str, list[str], list[str]]] = [
    # listening at, said, not said
    (
        "http://127.0.0.1:8080/",
        [
            "http://127.0.0.1:8080/spaces/",
            "dav://127.0.0.1:8080/spaces/",
            "Only this machine can reach it",
        ],
        ["in the clear"],
    ),
    ("http://[::1]:81/", ["http://[::1]:81/spaces/", "Only this machine"], ["in the clear"]),
    ("http://192.0.2.7:80/", ["http://192.0.2.7:80/", "in the clear"], ["Only this machine"]),
    ("http://0.0.0.0:80/", ["http://{host}:80/spaces/", "in the clear"], ["0.0.0.0"]),
    ("http://[::]:80/", ["http://{host}:80/spaces/"], ["[::]"]),
    (
        "https://dav.example.org/",
        ["https://dav.example.org/spaces/", "davs://dav.example.org/spaces/"],
        ["in the clear", "Only this machine"],
    ),
]


@pytest.mark.parametrize("url, said, unsaid", ADDRESSES)
def test_the_addresses_that_are_announced(
    monkeypatch: pytest.MonkeyPatch, url: str, said: list[str], unsaid: list[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setattr("socket.gethostname", lambda: "mairie")
    text = serve.addresses(url)
    assert all(each.format(host="mairie") in text for each in said), text
    assert not any(each in text for each in unsaid), text


def test_serve_takes_host_and_port_from_the_command_line(
    mairie: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pretend(settings: Any, ready: Callable[[str], None]) -> int:
        ready(f"http://{settings.server.host}:{settings.server.port}/")
        return 5

    monkeypatch.setattr("davserver.server.serve", pretend)
    result = mairie.run("serve", "--host", "192.0.2.7", "--port", "8123")
    assert result.exit_code == 5
    assert "http://192.0.2.7:8123/spaces/" in result.stdout
    assert "server.port" in mairie.refused(2, "serve", "--port", "0")


def test_every_command_works_while_the_server_runs(database_url: str, tmp_path: Path) -> None:
    """On both databases: what a command changes holds at the next request."""
    server = Server(tmp_path / "data", database_url, {**CHEAP, **ENGLISH})
    server.init("commune")
    with server:
        assert f"http://127.0.0.1:{server.port}/spaces/" in server.tail()
        server.account("anne", PASSWORD.strip())
        server.cli("space", "add", "voirie", "--title", "Voirie")
        assert status(server, "anne", "/spaces/voirie/") == 404
        server.cli("member", "add", "voirie", "anne", "--role", "contributor")
        assert status(server, "anne", "/spaces/voirie/") == 207
        (tmp_path / "data" / "spaces" / "voirie" / "Paie").mkdir()
        server.cli("folder", "restrict", "voirie/Paie")
        assert status(server, "anne", "/spaces/voirie/Paie/") == 404
        server.cli("folder", "unrestrict", "voirie/Paie")
        assert status(server, "anne", "/spaces/voirie/Paie/") == 207
        server.cli("account", "disable", "anne")
        assert status(server, "anne", "/spaces/voirie/") == 401
        server.cli("account", "enable", "anne")
        server.cli("check", "--adopt")
        for command in (("who-can", "voirie"), ("lock", "list"), ("journal",), ("check",)):
            server.cli(*command)
        refused = server.cli("init", check=False)
        assert refused.returncode == 7
        assert server.stop() == 0


def status(server: Server, login: str, path: str) -> int:
    pair = base64.b64encode(f"{login}:{PASSWORD.strip()}".encode()).decode()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    try:
        headers = {"Authorization": f"Basic {pair}", "Depth": "0"}
        connection.request("PROPFIND", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()
