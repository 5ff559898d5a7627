"""What Windows, Finder and iOS send, as they were seen to send it: every step is served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.process import Server
from tests.server.sequences import Sequence
from tests.server.town import SPACE, Town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town.found(tmp_path_factory.mktemp("town") / "data")
    with town.server:
        yield town


@pytest.fixture(scope="module")
def other(town: Town) -> Iterator[Server]:
    """A second process over the same data."""
    with town.another() as other:
        yield other
    assert "Traceback" not in other.log.read_text()


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("client", ["windows", "finder"])
def test_a_drive_is_mounted_and_used(
    town: Town, other: Server, client: str, processes: int
) -> None:
    """Also when each request meets another process than the one before."""
    base = f"{SPACE}/{client}-{processes}"
    assert town.ask("anne", "MKCOL", base).status == 201
    _play(town, Sequence.read(client, base=base), *[other] * (processes - 1))
    assert not {path for path in town.documents() if path.startswith(f"{base[8:]}/")}
    assert f"{client}-{processes}" not in town.cli("lock", "list", "--json")
    assert town.staged() == []
    assert town.findings() == []


@pytest.mark.parametrize("agenda", ["conseil", "agenda"], ids=["the space's", "one's own"])
def test_agenda_and_contacts_are_found_and_synchronised(town: Town, agenda: str) -> None:
    contacts = "contacts" if agenda == "agenda" else f"{agenda}-contacts"
    home = "/calendars/anne/"
    values = {"cal": f"{home}{agenda}/", "ab": f"{home}{contacts}/"}
    _play(town, Sequence.read("ios", principal=home, home=home, **values))


def test_agenda_is_synchronised_through_two_processes(town: Town, other: Server) -> None:
    home = "/calendars/anne/"
    values = {"cal": f"{home}conseil/", "ab": f"{home}conseil-contacts/"}
    _play(town, Sequence.read("ios", principal=home, home=home, **values), other)


def test_twins_are_for_their_owner_alone(town: Town) -> None:
    """What Finder puts beside each file comes back to it; others see none, nor does the journal."""
    before = town.journal()
    for path in (f"{SPACE}/._a.txt", f"{SPACE}/.DS_Store"):
        assert town.ask("anne", "PUT", path, b"twin").status == 201
        assert town.ask("anne", "GET", path).body == b"twin"
        assert town.ask("bruno", "GET", path).status == 404
        assert town.ask("anne", "DELETE", path).status == 204
    assert town.journal() == before


def _play(town: Town, sequence: Sequence, *others: Server) -> None:
    ports = [server.port for server in (town.server, *others)]
    faults = [
        f"{step.name} ({step.send}): {fault}"
        for step, found in sequence.play(ports, town.as_("anne"))
        for fault in found
    ]
    assert not faults, "\n".join(faults)
    town.check_alive()
