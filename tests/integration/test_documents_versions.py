"""However a program saves, the document's chain of versions is whole, and what belongs to it
stays: its properties, its lock, and who may know of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from tests.integration.documents_client import COLOUR, CONTRIBUTOR, MANAGER, Client, Hall, at, town
from tests.integration.saves import (
    ATTRIBUTES,
    STAMPS,
    Program,
    Session,
    check_exact,
    colour,
    history,
    programs,
    tokens,
    trash,
    versions,
)
from tests.integration.test_documents_time import shown
from tests.server.postgres import Postgres

PROGRAMS = programs()
CLUTTER = {"._procès-verbal.pdf"}
# Who saves, and how often.
SAVERS = {"bruno": 3, "carla": 2}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hall(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hall]:
    """One for all: each test has a folder of its own."""
    directory = tmp_path_factory.mktemp("hall")
    url = f"sqlite:///{directory}/davserver.db"
    if request.param == "postgresql":
        cluster = request.getfixturevalue("postgres")
        assert isinstance(cluster, Postgres)
        url = cluster.create_database()
    for hall in town(directory / "data", url):
        hall.account("carla")
        hall.join("conseil", {"carla": CONTRIBUTOR})
        yield hall


@pytest.fixture
def bruno(hall: Hall) -> Client:
    # Nothing that another test did has happened within the last minutes.
    hall.now = hall.now.replace(second=0, microsecond=0)
    hall.later(hours=1)
    return hall.client("bruno")


# The chain


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.name for program in PROGRAMS])
def test_every_save_is_one_version(hall: Hall, bruno: Client, program: Program) -> None:
    folder = program.name.replace(",", "")
    path = f"{folder}/{program.document}"
    bruno.mkcol(at(folder))
    hall.restrict("conseil", folder, {login: CONTRIBUTOR for login in SAVERS} | {"chloe": MANAGER})
    assert bruno.put(at(path), b"first").status == 201
    assert bruno.proppatch(at(path), {COLOUR: "red", **STAMPS}).status == 207
    before = trash(hall)
    was: list[tuple[datetime, bytes]] = []
    for login, saves in SAVERS.items():
        session = Session(hall.client(login), program, folder)
        session.open()
        for number in range(saves):
            content = f"{login}'s version {number}\n".encode() * (number + 1)
            hall.now = hall.now.replace(microsecond=0) + timedelta(seconds=45)
            was.append((hall.now, session.client.get(at(path)).body))
            hall.later(seconds=1)
            session.save(content)
            assert session.client.get(at(path)).body == content
            check_belongings(hall, session, path)
        session.close()
        assert tokens(session.client, at(path)) == []
        hall.later(hours=3)
        check_exact(hall)
    assert versions(hall, path) == [content for _, content in was]
    for moment, content in was:
        assert bruno.get(history(moment, path)).body == content, moment
    # Nobody finds anything in the trash that nobody has put there, nor beside the document.
    assert trash(hall) == before
    assert set(bruno.list(at(folder))) - CLUTTER == {program.document, *program.leaves}
    check_hidden(hall, folder, [moment for moment, _ in was])


def check_belongings(hall: Hall, session: Session, path: str) -> None:
    """The properties are still there, and the lock locks everybody else out."""
    client, held = session.client, session.program.held
    assert colour(client, at(path)) == "red"
    assert ATTRIBUTES in client.propfind(at(path), ATTRIBUTES).props()
    if held:
        token = session.tokens[held]
        assert tokens(client, at(path)) == [token]
        for login in {*SAVERS, "chloe"} - {client.login}:
            assert hall.client(login).put(at(path), b"other").status == 423
        assert client.proppatch(at(path), {COLOUR: "red"}, if_=f"({token})").status == 207


def check_hidden(hall: Hall, folder: str, moments: list[datetime]) -> None:
    """Who is not on the folder's list finds nothing of it, now or then."""
    rita = hall.client("rita")
    assert folder not in rita.list(at(""))
    assert rita.get(at(folder)).status == 404
    for moment in moments:
        assert folder not in rita.list(history(moment, ""))
        assert rita.get(history(moment, folder)).status == 404
    assert trash(hall, "rita") == []


def test_what_lay_elsewhere_for_a_moment_is_hidden_again(hall: Hall, bruno: Client) -> None:
    """TextEdit saves by a folder that all members of the space see, and what it deletes with
    that folder is no more theirs than what stays."""
    (program,) = [one for one in PROGRAMS if one.name == "TextEdit"]
    bruno.mkcol(at("Personnel"))
    hall.restrict("conseil", "Personnel", {"bruno": CONTRIBUTOR, "chloe": MANAGER})
    bruno.put(at("Personnel/note.txt"), b"salaries")
    session = Session(bruno, program, "Personnel")
    began = hall.now
    session.open()
    session.save(b"more salaries")
    session.close()
    rita, moment = hall.client("rita"), began
    while moment <= hall.now:
        assert not any(shown(rita, history(moment, "")).values()), moment
        moment += timedelta(seconds=1)
    check_exact(hall)
