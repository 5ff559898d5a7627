"""`davserver init`: what it makes, what it leaves alone, and what it is told."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys

import pytest

from acl import registry
from acl.passwords import Passwords
from config.database import Database
from davserver.organisation import TEMPLATES, template
from tests.integration.console import Console, snapshot


@pytest.mark.parametrize("name", TEMPLATES)
def test_init_founds_what_the_template_names(nothing: Console, name: str) -> None:
    chosen = template(name)
    said = nothing("init", "--template", name)
    assert chosen.name in said
    assert {account["login"] for account in nothing.json("account", "list")} == set(chosen.accounts)
    assert {space["space"] for space in nothing.json("space", "list")} == set(chosen.spaces)
    for slug, space in chosen.spaces.items():
        listed = nothing.json("member", "list", slug)
        expected = {("", member, role.value) for member, role in space.members.items()} | {
            (folder, member, role.value)
            for folder, lines in space.restricted.items()
            for member, role in lines.items()
        }
        assert {(line["folder"], line["member"], line["role"]) for line in listed} == expected
        for folder in space.restricted:
            assert (nothing.data / "spaces" / slug / folder).is_dir()
    assert nothing.run("check").exit_code == 0
    actions = [entry["action"] for entry in nothing.json("journal", "--limit", "1000")]
    assert actions[-1] == "organisation.found"


def test_the_commune_is_what_was_asked_for() -> None:
    commune = template("commune")
    assert len(commune.accounts) == 5
    assert [slug for slug, space in commune.spaces.items() if space.confidential] == [
        "ressources-humaines"
    ]
    assert len(commune.spaces["associations"].restricted) == 2
    assert [login for login, account in commune.accounts.items() if account.administrator]


def test_init_prints_each_password_once_and_it_opens(nothing: Console) -> None:
    said = nothing("init", "--template", "commune")
    shown = dict(re.findall(r"^\s*(\w+) .* ((?:\w{4}-){4}\w{4})\s*$", said, re.MULTILINE))
    assert set(shown) == set(template("commune").accounts)
    database = Database(f"sqlite:///{nothing.data}/davserver.db")
    with database.read() as connection:
        known = registry.read(connection).by_login
    database.close()
    hasher = Passwords(memory=8 * 1024, rounds=1)
    for login, password in shown.items():
        assert hasher.verify(password, known[login].password_hash)
    for path in nothing.data.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(password.encode() in content for password in shown.values())


def test_init_makes_everything_for_its_owner_alone(nothing: Console) -> None:
    nothing.data.mkdir(mode=0o755)
    nothing("init", "--template", "association")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in nothing.data.rglob("*")}
    assert {path: mode for path, mode in modes.items() if mode & 0o077} == {}
    assert stat.S_IMODE(nothing.data.stat().st_mode) == 0o700
    assert modes[nothing.data / "davserver.toml"] == 0o600


@pytest.mark.parametrize("language, comment", [("fr", "# Le port TCP"), ("en", "# The TCP port")])
def test_init_writes_the_settings(nothing: Console, language: str, comment: str) -> None:
    nothing("init", "--name", 'Mairie "du Val"', "--language", language)
    written = (nothing.data / "davserver.toml").read_text("utf-8")
    assert 'name = "Mairie \\"du Val\\""\n' in written
    assert comment in written
    shown = {value["key"]: value for value in nothing.json("config", "show")}
    assert shown["organisation.name"]["value"] == 'Mairie "du Val"'
    assert shown["organisation.language"]["value"] == language
    assert shown["organisation.name"]["source"] == str(nothing.data / "davserver.toml")
    nothing("account", "add", "anne", "--generate")
    assert nothing.json("account", "list")[0]["language"] == language


def test_init_refuses_a_second_organisation(mairie: Console) -> None:
    said = mairie.refused(7, "init")
    assert said == f"There is an organisation already in {mairie.data}."
    mairie.refused(7, "init", "--template", "firm")


def test_init_if_empty_does_nothing_the_second_time(mairie: Console) -> None:
    before = snapshot(mairie.data)
    assert mairie("init", "--if-empty", "--template", "commune") == ""
    assert snapshot(mairie.data) == before


def test_init_if_empty_founds_the_first_time(nothing: Console) -> None:
    assert "maire" in nothing("init", "--if-empty", "--template", "commune")


@pytest.mark.parametrize("path", ["report.odt", "a folder/report.odt", "spaces/old/report.odt"])
def test_init_leaves_a_directory_in_use_alone(nothing: Console, path: str) -> None:
    (nothing.data / path).parent.mkdir(parents=True)
    (nothing.data / path).write_text("mine")
    assert path.partition("/")[0] in nothing.refused(7, "init")
    nothing.refused(7, "init", "--if-empty")


def test_init_goes_on_where_another_was_cut_short(nothing: Console) -> None:
    nothing("init", "--template", "commune")
    # As if the machine had failed before the founding was committed, and after the rest.
    for log in nothing.data.glob("davserver.db*"):
        log.unlink()
    database = Database(f"sqlite:///{nothing.data}/davserver.db")
    database.migrate()
    database.close()
    (nothing.data / "lost+found").mkdir()
    nothing("init", "--template", "commune")
    assert len(nothing.json("account", "list")) == 5


def test_init_keeps_settings_that_were_written_before(nothing: Console) -> None:
    nothing.data.mkdir()
    written = "[organisation]\nname = 'Mine'\n[server]\nport = 81\n"
    (nothing.data / "davserver.toml").write_text(written)
    assert "davserver.toml" in nothing.refused(2, "init", "--name", "Other")
    assert "Mine" in nothing("init")
    assert (nothing.data / "davserver.toml").read_text() == written


def test_init_refuses_a_name_that_no_header_could_hold(nothing: Console) -> None:
    assert "organisation.name" in nothing.refused(2, "init", "--name", "a\nb")


@pytest.mark.parametrize("options, losers", [((), (7, 7)), (("--if-empty",), (0, 0))])
def test_init_at_the_same_time_founds_once(
    nothing: Console, options: tuple[str, ...], losers: tuple[int, ...]
) -> None:
    environment = {**os.environ, **nothing.environment, "DAVSERVER_DATA": str(nothing.data)}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "davserver", "init", "--template", "commune", *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120) for process in started]
    assert sorted(process.returncode for process in started) == [0, *losers], said
    assert len(nothing.json("account", "list")) == 5
