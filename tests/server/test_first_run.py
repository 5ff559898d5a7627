"""The first five minutes: what `make run` founds and serves, met as a newcomer meets it."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from tests.clients.dav import Dav
from tests.clients.program import Account
from tests.server.process import Server

# The passwords that are printed: five groups of four, the login at the line's beginning.
_PASSWORD = re.compile(r"^([a-z]+) .*?((?:[a-z2-9]{4}-){4}[a-z2-9]{4})\s*$", re.MULTILINE)
INIT = ("init", "--if-empty", "--template", "commune")

EVERYBODY = {"associations", "informations"}
SPACES = {
    "maire": {
        *("associations", "bureau", "commission-ecoles", "commission-finances", "conseil"),
        *("informations", "ressources-humaines", "salle-polyvalente"),
    },
    "adjointe": {
        *("associations", "bureau", "commission-ecoles", "commission-finances", "conseil"),
        *("informations", "salle-polyvalente"),
    },
    "conseiller": {
        *("commission-ecoles", "commission-finances", "conseil"),
        *("informations", "salle-polyvalente"),
    },
    "secretaire": {
        *("associations", "bureau", "conseil"),
        *("informations", "ressources-humaines", "salle-polyvalente"),
    },
    "fetes": {"associations"},
}


def collections(dav: Dav, path: str) -> set[str]:
    """The names of the members of a collection that answers PROPFIND."""
    reply = dav("PROPFIND", path, headers={"Depth": "1"})
    assert reply.status == 207, reply
    hrefs = {
        unquote(found.text or "")
        for found in ElementTree.fromstring(reply.body).iterfind("{DAV:}response/{DAV:}href")
    }
    return {href.removeprefix(path).rstrip("/") for href in hrefs if href != path}


def test_a_town_hall_out_of_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    printed = server.cli(*INIT).stdout
    passwords = dict(_PASSWORD.findall(printed))
    assert passwords.keys() == SPACES.keys()

    # Once more, as `make run` does at every start: nothing happens, and nothing is shown again.
    again = server.cli(*INIT).stdout
    assert not any(password in again for password in passwords.values())

    with server:
        announced = server.log.read_text()
        assert f"{server.url}/spaces/" in announced and f"{server.url}/" in announced
        for login, password in passwords.items():
            dav = Dav(server.url, Account(login, password))
            assert collections(dav, "/spaces/") == SPACES[login], login
            agendas = collections(dav, f"/calendars/{login}/")
            assert {"agenda", "tasks", "contacts"} <= agendas
            own = {"agenda", "tasks", "contacts"}
            assert {
                name for name in agendas - own if not name.endswith(("-tasks", "-contacts"))
            } == (SPACES[login]), login
        secretary = Dav(server.url, Account("secretaire", passwords["secretaire"]))
        secretary.put("/spaces/conseil/Ordre du jour.txt".replace(" ", "%20"), b"1. Budget")
        councillor = Dav(server.url, Account("conseiller", passwords["conseiller"]))
        assert councillor.get("/spaces/conseil/Ordre%20du%20jour.txt") == b"1. Budget"
        assert not councillor.exists("/spaces/ressources-humaines/")
        festival = Dav(server.url, Account("fetes", passwords["fetes"]))
        assert festival.names("/spaces/associations/") == {"Comité des fêtes/"}
        assert server.cli("check").returncode == 0
        assert server.stop() == 0


def test_a_port_that_is_taken_is_said_plainly(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.init()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        failed = server.cli("serve", "--port", port, check=False)
    assert failed.returncode == 3
    assert port in failed.stderr and "Traceback" not in failed.stderr


@pytest.mark.parametrize("command", [("serve",), ("account", "list"), ("check",)])
def test_without_an_organisation_there_is_nothing_to_serve(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    server = Server(tmp_path / "data")
    failed = server.cli(*command, check=False)
    assert failed.returncode == 6
    assert "davserver init" in failed.stderr and "Traceback" not in failed.stderr
    assert not server.data.exists()
