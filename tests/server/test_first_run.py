"""The first minutes: what `make run` does, and what the demonstration is like to use."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from tests.server.process import Server
from tests.server.wire import Answer, Header, ask, basic

# Who sees which spaces, as the template's member lists have it.
COUNCIL = {
    *("conseil", "informations", "commission-finances", "commission-ecoles", "salle-polyvalente"),
}
SPACES = {
    "maire": COUNCIL | {"bureau", "ressources-humaines", "associations"},
    "adjointe": COUNCIL | {"bureau", "associations"},
    "conseiller": COUNCIL,
    "secretaire": {
        *("conseil", "bureau", "informations", "ressources-humaines", "salle-polyvalente"),
        "associations",
    },
    "fetes": {"associations"},
}
PASSWORD = re.compile(r"[a-z2-9]{4}(?:-[a-z2-9]{4}){4}")


class Demonstration:
    """A server with the template `commune`, founded as `make run` does it."""

    def __init__(self, data: Path) -> None:
        self.server = Server(data)
        self.output = self.init()
        self.passwords = {
            line.split()[0]: match[0]
            for line in self.output.splitlines()
            if (match := PASSWORD.search(line))
        }

    def init(self) -> str:
        options = ("--if-empty", "--template", "commune", "--data", str(self.server.data))
        return self.server.cli("init", *options).stdout

    def ask(
        self, login: str, method: str, path: str, *headers: Header, body: bytes | None = None
    ) -> Answer:
        known = basic(login, self.passwords[login])
        return ask(self.server.port, method, path, [known, *headers], body)

    def members(self, login: str, path: str) -> dict[str, ElementTree.Element]:
        """What is in a collection, by name."""
        answer = self.ask(login, "PROPFIND", path, ("Depth", "1"))
        assert answer.status == 207, answer
        found = {}
        for response in ElementTree.fromstring(answer.body).iterfind("{DAV:}response"):
            href = unquote(response.findtext("{DAV:}href", ""))
            assert href.startswith(path), href
            found[href.removeprefix(path).rstrip("/")] = response
        assert "" in found, "the collection itself"
        del found[""]
        return found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    # A place with a name that people give to places.
    demonstration = Demonstration(tmp_path_factory.mktemp("first") / "Données d'essai")
    with demonstration.server:
        yield demonstration
    assert "Traceback" not in demonstration.server.log.read_text()


def test_passwords_are_shown_once(shown: Demonstration) -> None:
    assert set(shown.passwords) == set(SPACES)
    assert len(set(shown.passwords.values())) == len(SPACES)
    # The second time there is an organisation, and nothing is done and nothing is said.
    before = shown.server.cli("journal", "--json", "--limit", "100000").stdout
    assert shown.init() == ""
    assert shown.server.cli("journal", "--json", "--limit", "100000").stdout == before


def test_server_says_where_it_is(shown: Demonstration) -> None:
    text = shown.server.log.read_text()
    assert f"{shown.server.url}/spaces/" in text
    for login in SPACES:
        assert shown.passwords[login] not in text


@pytest.mark.parametrize("login", SPACES)
def test_account_mounts_just_its_spaces(shown: Demonstration, login: str) -> None:
    assert ask(shown.server.port, "OPTIONS", "/")["DAV"].startswith("1, 2")
    assert ask(shown.server.port, "PROPFIND", "/spaces/").status == 401
    assert set(shown.members(login, "/")) == {"history", "spaces"}
    assert set(shown.members(login, "/spaces/")) == SPACES[login]
    everywhere = set().union(*SPACES.values())
    for slug in everywhere:
        status = shown.ask(login, "PROPFIND", f"/spaces/{slug}/", ("Depth", "1")).status
        assert status == (207 if slug in SPACES[login] else 404), slug


@pytest.mark.parametrize("login", SPACES)
def test_account_finds_its_agendas(shown: Demonstration, login: str) -> None:
    """From the address of the server alone, as a phone does."""
    port = shown.server.port
    found = ask(port, "PROPFIND", "/.well-known/caldav")
    assert (found.status, found["Location"]) == (301, "/calendars/")
    answer = shown.ask(login, "PROPFIND", "/calendars/", ("Depth", "0"))
    assert f"/calendars/{login}/" in answer.text, answer
    members = shown.members(login, f"/calendars/{login}/")
    for slug in SPACES[login]:
        assert {slug, f"{slug}-tasks", f"{slug}-contacts"} <= set(members), slug
    of_spaces = {name for name in members if name in set().union(*SPACES.values())}
    assert of_spaces == SPACES[login]
    kinds = {
        name: {kind.tag for kind in response.iterfind(".//{DAV:}resourcetype/*")}
        for name, response in members.items()
    }
    for slug in SPACES[login]:
        assert "{urn:ietf:params:xml:ns:caldav}calendar" in kinds[slug]
        assert "{urn:ietf:params:xml:ns:carddav}addressbook" in kinds[f"{slug}-contacts"]


def test_people_work_together(shown: Demonstration) -> None:
    """A document that one puts another one reads, and a third one has never heard of."""
    path = "/spaces/conseil/Ordre%20du%20jour.txt"
    assert shown.ask("secretaire", "PUT", path, body=b"1. Budget").status == 201
    assert shown.ask("conseiller", "GET", path).body == b"1. Budget"
    assert shown.ask("fetes", "GET", path).status == 404
    assert set(shown.members("fetes", "/spaces/associations/")) == {"Comité des fêtes"}


def test_someone_elses_password_is_of_no_use(shown: Demonstration) -> None:
    for login in SPACES:
        for other in SPACES.keys() - {login}:
            header = basic(login, shown.passwords[other])
            assert ask(shown.server.port, "GET", "/spaces/", [header]).status == 401


def test_port_that_is_taken(shown: Demonstration) -> None:
    """Said in one sentence, with an exit code of its own, and the one that is there goes on."""
    port = shown.server.port
    done = shown.server.cli("serve", "--port", str(port), check=False)
    assert done.returncode == 3, done
    assert str(port) in done.stderr and len(done.stderr.strip().splitlines()) == 1, done
    assert "Traceback" not in done.stdout + done.stderr
    assert shown.ask("maire", "GET", "/spaces/").status == 200


def test_port_of_another_program(shown: Demonstration) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = shown.server.cli("serve", "--port", port, check=False)
    assert done.returncode == 3 and port in done.stderr, done


def test_address_of_another_machine(shown: Demonstration) -> None:
    done = shown.server.cli("serve", "--host", "192.0.2.1", "--port", "8080", check=False)
    assert done.returncode == 3 and "192.0.2.1" in done.stderr, done
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "account list", "check"])
def test_without_an_organisation_there_is_nothing_to_serve(tmp_path: Path, command: str) -> None:
    done = Server(tmp_path / "data").cli(*command.split(), check=False)
    assert done.returncode == 6 and "davserver init" in done.stderr, done
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_sigterm_ends_it_in_order(tmp_path: Path) -> None:
    """With 0, also while clients hold connections; and what was written is there afterwards."""
    shown = Demonstration(tmp_path / "data")
    server = shown.server
    server.start()
    with socket.create_connection((server.host, server.port)):
        made = shown.ask("maire", "MKCOL", "/spaces/conseil/S%C3%A9ances")
        assert made.status == 201, made
        assert server.stop() == 0
    server.start()
    assert set(shown.members("maire", "/spaces/conseil/")) == {"Séances"}
    assert server.stop() == 0
    server.cli("check")
