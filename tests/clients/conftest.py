"""A town hall for each client: one space, a contributor and a reader, both with devices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.clients.dav import Dav
from tests.clients.program import Account, Home
from tests.server.postgres import Postgres
from tests.server.process import Server


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with the space `conseil`; on SQLite, or on what `indirect` parametrising names."""
    url = None
    if getattr(request, "param", "sqlite") == "postgresql":
        cluster = request.getfixturevalue("postgres")
        assert isinstance(cluster, Postgres)
        url = cluster.create_database()
    server = Server(tmp_path_factory.mktemp("server") / "data", url)
    server.init()
    server.account("anne", "Mot de passe, assez long 1", "Anne Durand")
    server.account("rene", "Mot de passe, assez long 2", "René Petit")
    server.cli("space", "add", "conseil", "--title", "Conseil municipal")
    server.cli("member", "add", "conseil", "anne", "--role", "contributor")
    server.cli("member", "add", "conseil", "rene", "--role", "reader")
    with server:
        yield server


def device(server: Server, login: str) -> Account:
    """What a client is given: the password of a device, as people do it."""
    added = server.cli("device", "add", login, "client", "--json")
    return Account(login, json.loads(added.stdout)["password"])


@pytest.fixture(scope="module")
def anne(server: Server) -> Account:
    """A contributor."""
    return device(server, "anne")


@pytest.fixture(scope="module")
def rene(server: Server) -> Account:
    """A reader."""
    return device(server, "rene")


@pytest.fixture(scope="module")
def dav(server: Server, anne: Account) -> Dav:
    """The contributor's second client."""
    return Dav(server.url, anne)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    # A short name: sockets are made below it, and theirs may have 107 bytes at most.
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def folder(dav: Dav) -> str:
    """The path of a new folder of the space, for one test alone."""
    path = f"/spaces/conseil/{uuid4().hex[:8]}/"
    dav.mkcol(path)
    return path


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A folder on the client's own disk."""
    path = tmp_path / "local"
    path.mkdir()
    return path
