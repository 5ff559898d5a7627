"""COPY, MOVE and their like, asked for what cannot be: a clear answer, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.documents_client import (
    CONTRIBUTOR,
    HOST,
    Client,
    Hall,
    at,
    plant,
    town,
)


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", f"sqlite:///{tmp_path}/davserver.db"):
        hall.space("projet", {"bruno": CONTRIBUTOR})
        yield hall


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    "source, target, status",
    [
        ("lettre.txt", "lettre.txt", 403),
        ("dossier", "dossier", 403),
        ("dossier", "dossier/", 403),
        ("dossier", "dossier/sous/new", 403),
        ("dossier/sous", "dossier", 403),
        ("dossier/sous/fiche.txt", "dossier", 403),
        ("lettre.txt", "lettre.txt/new", 403),
        ("lettre.txt", "dossier/note.txt/new", 409),
        ("lettre.txt", "nowhere/new", 409),
        ("lettre.txt", "", 403),
        ("", "dossier/new", 403),
        ("", "", 403),
        ("lettre.txt", "a:b", 403),
    ],
)
def test_what_cannot_be_copied_or_moved(
    hall: Hall, bruno: Client, method: str, source: str, target: str, status: int
) -> None:
    plant(bruno)
    before = hall.snapshot()
    for overwrite in ("T", "F"):
        headers = {"Destination": at(target), "Overwrite": overwrite}
        reply = bruno.request(method, at(source), headers=headers)
        assert (reply.status, hall.snapshot()) == (status, before)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    "headers, status",
    [
        ({}, 400),
        ({"Destination": ""}, 400),
        ({"Destination": "relative"}, 400),
        ({"Destination": "http://elsewhere.example/spaces/conseil/new"}, 502),
        ({"Destination": f"ftp://{HOST}/spaces/conseil/new"}, 502),
        ({"Destination": f"http://{HOST}"}, 400),
        ({"Destination": f"http://{HOST}/"}, 403),
        ({"Destination": "/"}, 403),
        ({"Destination": "/spaces"}, 403),
        ({"Destination": "/calendars/bruno/new.ics"}, 403),
        ({"Destination": "/elsewhere/new"}, 403),
        ({"Destination": "/spaces/conseil/new?x=1"}, 400),
        ({"Destination": "/spaces/conseil/new#x"}, 400),
        ({"Destination": "/spaces/conseil/../projet/new"}, 400),
        ({"Destination": "/spaces/conseil/%2e%2e/projet/new"}, 400),
        ({"Destination": "/spaces/conseil/a%2Fb"}, 400),
        ({"Destination": "/spaces/conseil/%ff"}, 400),
        ({"Destination": "/spaces/conseil/%zz"}, 400),
        ({"Destination": "/spaces/conseil/a%00b"}, 400),
        ({"Destination": "/spaces/conseil/a\tb"}, 400),
        ({"Destination": "http://[::1/new"}, 400),
        ({"Destination": "/spaces/conseil/new", "Overwrite": "maybe"}, 400),
        ({"Destination": "/spaces/conseil/new", "Depth": "2"}, 400),
    ],
    ids=str,
)
def test_malformed_copies_and_moves(
    hall: Hall, bruno: Client, method: str, headers: dict[str, str], status: int
) -> None:
    plant(bruno)
    before = hall.snapshot()
    reply = bruno.request(method, at("dossier"), headers=headers)
    assert (reply.status, hall.snapshot()) == (status, before)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "COPY", "MOVE", "MKCOL", "UNLOCK"])
def test_a_body_where_none_belongs(hall: Hall, bruno: Client, method: str) -> None:
    plant(bruno)
    before = hall.snapshot()
    headers = {"Destination": at("new"), "Lock-Token": "<urn:x>"}
    address = at("new") if method == "MKCOL" else at("lettre.txt")
    reply = bruno.request(method, address, b"<x/>", headers)
    assert (reply.status, hall.snapshot()) == (415, before)


@pytest.mark.parametrize("method", ["POST", "PATCH", "REPORT", "TRACE", "ACL", "NONSENSE"])
def test_a_method_that_documents_do_not_have(hall: Hall, bruno: Client, method: str) -> None:
    before = hall.snapshot()
    reply = bruno.request(method, at("new"))
    assert (reply.status, hall.snapshot()) == (405, before)
    assert "PROPFIND" in reply.headers["Allow"]
