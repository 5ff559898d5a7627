"""Accounts, devices, groups, spaces, members and folders, by command."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from tests.integration.console import PASSWORD, Console, opens, snapshot


def test_accounts(mairie: Console) -> None:
    mairie(
        *("account", "add", "anne", "--name", "Anne Durand", "--email", "anne@example.org"),
        *("--language", "en", "--administrator", "--password-stdin"),
        input=PASSWORD,
    )
    (anne,) = [each for each in mairie.json("account", "list") if each["login"] == "anne"]
    assert anne == {
        "login": "anne",
        "name": "Anne Durand",
        "email": "anne@example.org",
        "language": "en",
        "groups": [],
        "administrator": True,
        "state": "active",
        "expires_at": None,
    }
    mairie("account", "disable", "anne")
    assert state(mairie, "anne") == "disabled"
    mairie("account", "enable", "anne")
    assert state(mairie, "anne") == "active"
    assert PASSWORD.strip() not in json.dumps(mairie.json("journal"))


def state(console: Console, login: str) -> str:
    (found,) = [each for each in console.json("account", "list") if each["login"] == login]
    return str(found["state"])


def test_an_account_expires_at_the_end_of_its_last_day(mairie: Console) -> None:
    today = datetime.now().astimezone().date()
    last, past = today + timedelta(days=1), today - timedelta(days=1)
    mairie("account", "add", "guest", "--expires", last.isoformat(), "--generate")
    (guest,) = [each for each in mairie.json("account", "list") if each["login"] == "guest"]
    ends = datetime.fromisoformat(guest["expires_at"]).astimezone()
    assert (ends.date() - last, ends.hour, ends.minute) == (timedelta(days=1), 0, 0)
    said = mairie.refused(2, "account", "add", "late", "--expires", past.isoformat(), "--generate")
    assert said == f"{past} is over: choose a day to come."


def test_a_made_up_password_is_printed_and_opens(mairie: Console) -> None:
    for args in (("account", "add", "anne"), ("account", "password", "anne")):
        said = mairie(*args, "--generate")
        (password,) = re.findall(r"(?:\w{4}-){4}\w{4}", said)
        assert opens(mairie, "anne", password)
    mairie("account", "password", "anne", "--password-stdin", input=PASSWORD)
    assert opens(mairie, "anne", PASSWORD.strip())
    assert not opens(mairie, "anne", password)


def test_a_password_is_asked_for_twice(mairie: Console) -> None:
    result = mairie.run("account", "add", "anne", input=PASSWORD * 2)
    assert result.exit_code == 0
    assert "Password for anne" in result.stdout and "The same again" in result.stdout
    assert PASSWORD.strip() not in result.output
    assert opens(mairie, "anne", PASSWORD.strip())


PASSWORDS = [
    # arguments, input, exit code, what is said
    (("--password-stdin",), "", 2, "No password was given."),
    (("--password-stdin",), "\n", 2, "No password was given."),
    (("--password-stdin",), "short\n", 2, "A password has 10 to 1024 characters"),
    (("--password-stdin",), "x" * 1025, 2, "A password has 10 to 1024 characters"),
    ((), PASSWORD + "another one altogether\n", 2, "The two passwords are not the same"),
    ((), PASSWORD, 1, "Stopped; nothing was changed."),
    ((), "", 1, "Stopped; nothing was changed."),
]


@pytest.mark.parametrize("args, typed, exit_code, said", PASSWORDS)
def test_passwords_that_will_not_do(
    mairie: Console, args: tuple[str, ...], typed: str, exit_code: int, said: str
) -> None:
    before = snapshot(mairie.data)
    for command in (("account", "add", "anne"), ("account", "password", "maire")):
        result = mairie.run(*command, *args, input=typed)
        assert (result.exit_code, said in result.stderr) == (exit_code, True), result.output
    assert snapshot(mairie.data) == before


def test_a_password_typed_at_a_terminal_is_not_shown(mairie: Console) -> None:
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "davserver", "account", "password", "maire"],
        env={**os.environ, **mairie.environment, "DAVSERVER_DATA": str(mairie.data)},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    for prompt in (b"Password for maire: ", b"The same again: "):
        while not shown.endswith(prompt):
            shown += os.read(master, 1024)
        os.write(master, PASSWORD.encode())
    while chunk := read(master):
        shown += chunk
    os.close(master)
    assert process.wait(60) == 0, shown
    assert PASSWORD.strip().encode() not in shown
    assert opens(mairie, "maire", PASSWORD.strip())


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1024)
    except OSError:
        # How a terminal says that nobody is at its other end.
        return b""


SCOPES = [
    ((), {"documents": True, "agendas": True, "read_only": False}),
    (("--documents-only",), {"documents": True, "agendas": False, "read_only": False}),
    (("--agendas-only",), {"documents": False, "agendas": True, "read_only": False}),
    (("--read-only",), {"documents": True, "agendas": True, "read_only": True}),
    (
        ("--agendas-only", "--read-only"),
        {"documents": False, "agendas": True, "read_only": True},
    ),
]


@pytest.mark.parametrize("args, scope", SCOPES)
def test_devices(mairie: Console, args: tuple[str, ...], scope: dict[str, bool]) -> None:
    added = mairie.json("device", "add", "maire", "Téléphone de Claire", *args)
    password = added.pop("password")
    assert re.fullmatch("dav-[a-z2-7]{32}", password)
    assert added == {"login": "maire", "device": "Téléphone de Claire", **scope}
    (listed,) = mairie.json("device", "list", "maire")
    assert listed["revoked_at"] is None and scope.items() <= listed.items()
    assert mairie.json("device", "list") == [listed]
    mairie("device", "revoke", "maire", "Téléphone de Claire")
    (listed,) = mairie.json("device", "list", "maire")
    assert listed["revoked_at"] is not None
    assert password not in json.dumps([listed, mairie.json("journal")])


def test_a_device_password_stands_on_a_line_of_its_own(mairie: Console) -> None:
    said = mairie("device", "add", "maire", "portable").splitlines()
    assert re.fullmatch("dav-[a-z2-7]{32}", said[-1])


def test_groups(mairie: Console) -> None:
    mairie("group", "add", "agents", "--title", "Agents de la commune")
    mairie("group", "join", "agents", "maire")
    (agents,) = [each for each in mairie.json("group", "list") if each["name"] == "agents"]
    assert agents == {"name": "agents", "title": "Agents de la commune", "accounts": ["maire"]}
    mairie("group", "leave", "agents", "maire")
    assert "agents" in mairie("group", "list")


def test_spaces(mairie: Console) -> None:
    mairie(
        *("space", "add", "voirie", "--title", "Voirie", "--confidential", "--quota", "20G"),
    )
    (voirie,) = [each for each in mairie.json("space", "list") if each["space"] == "voirie"]
    assert voirie == {
        "space": "voirie",
        "title": "Voirie",
        "confidential": True,
        "archived": False,
        "live_bytes": 0,
        "history_bytes": 0,
        "used_bytes": 0,
        "quota_bytes": 20 * 10**9,
        "free_bytes": 20 * 10**9,
    }
    assert (mairie.data / "spaces" / "voirie").is_dir()
    assert "20 GB" in mairie("space", "list")
    assert "only be read" in mairie("space", "archive", "voirie")
    assert archived(mairie, "voirie")
    assert "changed again" in mairie("space", "archive", "voirie", "--undo")
    assert not archived(mairie, "voirie")
    assert mairie.run("check").exit_code == 0


def archived(console: Console, slug: str) -> bool:
    return bool({each["space"]: each for each in console.json("space", "list")}[slug]["archived"])


def test_members_and_restricted_folders(mairie: Console) -> None:
    (mairie.data / "spaces" / "conseil" / "Séances" / "Huis clos").mkdir(parents=True)
    assert "Nobody may enter" in mairie("folder", "restrict", "conseil/Séances/Huis clos")
    # However the accent is typed, and whatever slashes are around.
    mairie("member", "add", "conseil/Se\u0301ances/Huis clos/", "@bureau", "--role", "reader")
    mairie("member", "add", "conseil/Séances/Huis clos", "@bureau", "--role", "manager")
    mairie("member", "add", "conseil", "secretaire", "--role", "depositor")
    listed = mairie.json("member", "list", "conseil/Séances/Huis clos")
    assert [(line["place"], line["member"], line["role"]) for line in listed] == [
        ("conseil/Séances/Huis clos", "@bureau", "manager")
    ]
    assert {"secretaire"} < {line["member"] for line in mairie.json("member", "list", "conseil")}
    mairie("member", "remove", "conseil/Séances/Huis clos", "@bureau")
    assert mairie.json("member", "list", "conseil/Séances/Huis clos") == []
    mairie("folder", "unrestrict", "conseil/Séances/Huis clos")
    mairie.refused(6, "member", "list", "conseil/Séances/Huis clos")


def test_a_file_is_no_folder_to_restrict(mairie: Console) -> None:
    (mairie.data / "spaces" / "conseil" / "ordre du jour.odt").write_text("")
    (mairie.data / "spaces" / "conseil" / "sortie").symlink_to("/tmp")
    mairie.refused(6, "folder", "restrict", "conseil/ordre du jour.odt")
    mairie.refused(6, "folder", "restrict", "conseil/sortie")


def test_who_can_names_everyone_with_role_group_list_and_reason(mairie: Console) -> None:
    answers = mairie.json("who-can", "associations/Comité des fêtes")
    may: dict[str, set[str]] = {}
    for answer in answers:
        assert answer["allowed"] and answer["reason"] == "role"
        assert answer["list"] == "associations/Comité des fêtes"
        may.setdefault(answer["account"], set()).add(answer["privilege"])
    content = {"read", "create", "write", "delete"}
    assert may == {"fetes": content, "secretaire": content | {"manage"}}
    (one,) = {tuple(answer["through"]) for answer in answers if answer["account"] == "fetes"}
    assert one == ("@comite-des-fetes",)
    table = mairie("who-can", "/spaces/associations/Comité des fêtes/")
    (line,) = [line for line in table.splitlines() if line.strip().startswith("fetes")]
    assert re.sub(" {2,}", " | ", line.strip()) == (
        "fetes | René Petit (comité des fêtes) | read, add, change, delete | contributor"
        " | @comite-des-fetes | associations/Comité des fêtes | The role allows it."
    )


def test_who_can_gives_each_reason_a_line(mairie: Console) -> None:
    mairie("space", "add", "voirie")
    mairie("member", "add", "voirie", "secretaire", "--role", "reader")
    table = mairie("who-can", "voirie").splitlines()
    lines = [re.sub(" {2,}", " | ", line.strip()) for line in table if "secretaire" in line]
    assert [line.split(" | ")[2] for line in lines] == ["read", "manage"]
    assert lines[1].endswith(
        "Administrators manage the member lists of spaces that are not confidential."
    )


def test_who_can_leaves_out_who_cannot_log_in(mairie: Console) -> None:
    mairie("account", "disable", "fetes")
    path = "associations/Comité des fêtes"
    assert {answer["account"] for answer in mairie.json("who-can", path)} == {"secretaire"}
    result = mairie.run("who-can", path, "--account", "fetes")
    assert result.exit_code == 0
    assert result.stderr == "fetes cannot log in: disabled or expired.\n"


def test_who_can_explains_one_account(mairie: Console) -> None:
    answers = {
        answer["privilege"]: (answer["allowed"], answer["hidden"], answer["reason"])
        for answer in mairie.json("who-can", "ressources-humaines", "--account", "adjointe")
    }
    privileges = ("read", "create", "write", "delete", "manage")
    assert answers == dict.fromkeys(privileges, (False, True, "no_member"))
    table = mairie("who-can", "conseil", "--account", "maire")
    assert table.count("The role allows it.") == 5


def test_who_can_about_an_agenda(mairie: Console) -> None:
    mairie("member", "add", "conseil", "fetes", "--role", "depositor")
    (answer, *rest) = [
        answer
        for answer in mairie.json("who-can", "conseil", "--agenda")
        if answer["account"] == "fetes"
    ]
    assert (answer["allowed"], answer["busy_only"]) == (False, True)
    assert "Depositors see when the agenda is busy" in mairie("who-can", "conseil", "--agenda")


def test_who_can_says_where_nothing_is(mairie: Console) -> None:
    result = mairie.run("who-can", "conseil/Nulle part")
    assert result.exit_code == 0
    assert result.stderr == "Nothing is there; this is what would hold.\n"
