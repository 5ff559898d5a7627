"""What Windows, Finder and iOS send, as they were seen to send it: every step is served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.sequences import Sequence
from tests.server.town import SPACE, Town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town.found(tmp_path_factory.mktemp("town") / "data")
    with town.server:
        yield town


@pytest.mark.parametrize("client", ["windows", "finder"])
def test_a_drive_is_mounted_and_used(town: Town, client: str) -> None:
    base = f"{SPACE}/{client}"
    assert town.ask("anne", "MKCOL", base).status == 201
    _play(town, Sequence.read(client, base=base))
    assert not {path for path in town.documents() if path.startswith(f"conseil/{client}/")}
    assert town.findings() == []


@pytest.mark.parametrize("agenda", ["conseil", "agenda"], ids=["the space's", "one's own"])
def test_agenda_and_contacts_are_found_and_synchronised(town: Town, agenda: str) -> None:
    contacts = "contacts" if agenda == "agenda" else f"{agenda}-contacts"
    home = "/calendars/anne/"
    values = {"cal": f"{home}{agenda}/", "ab": f"{home}{contacts}/"}
    _play(town, Sequence.read("ios", principal=home, home=home, **values))


def _play(town: Town, sequence: Sequence) -> None:
    faults = [
        f"{step.name} ({step.send}): {fault}"
        for step, found in sequence.play(town.server.port, town.as_("anne"))
        for fault in found
    ]
    assert not faults, "\n".join(faults)
    town.check_alive()
