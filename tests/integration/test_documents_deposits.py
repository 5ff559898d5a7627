"""What is shown to nobody but its author: the deposits of a depositor, for a day, and the files
that operating systems leave everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from davserver.documents import clutter
from tests.integration.documents_client import (
    CONTRIBUTOR,
    DEPOSITOR,
    READER,
    Client,
    Hall,
    at,
    href,
    town,
)


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", f"sqlite:///{tmp_path}/davserver.db"):
        hall.account("doris")
        hall.join("conseil", {"doris": DEPOSITOR})
        yield hall


@pytest.fixture
def denis(hall: Hall) -> Client:
    return hall.client("denis")


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


def test_a_deposit_is_its_authors_for_a_day(hall: Hall, denis: Client, bruno: Client) -> None:
    bruno.put(at("other.pdf"), b"other")
    assert denis.put(at("offer.pdf"), b"offer").status == 201
    # What a client asks after a PUT.
    assert denis.get(at("offer.pdf")).body == b"offer"
    assert denis.propfind(at("offer.pdf")).status == 207
    assert denis.list(at("")) == ["offer.pdf"]
    assert bruno.list(at("")) == ["offer.pdf", "other.pdf"]
    assert hall.client("doris").list(at("")) == []
    assert hall.client("doris").get(at("offer.pdf")).status == 404
    hall.later(hours=23, minutes=59)
    assert denis.list(at("")) == ["offer.pdf"]
    hall.later(minutes=1)
    assert denis.list(at("")) == []
    assert denis.get(at("offer.pdf")).status == 404
    assert denis.put(at("offer.pdf"), b"again").status == 403
    assert bruno.get(at("offer.pdf")).body == b"offer"


def test_a_deposit_cannot_be_taken_back(hall: Hall, denis: Client) -> None:
    denis.put(at("offer.pdf"), b"offer")
    before = hall.snapshot()
    for reply in (
        denis.put(at("offer.pdf"), b"better"),
        denis.delete(at("offer.pdf")),
        denis.move(at("offer.pdf"), at("new.pdf")),
        denis.copy(at("offer.pdf"), at("offer.pdf")),
    ):
        assert (reply.status, hall.snapshot()) == (403, before)


def test_a_copy_of_a_deposit_is_one_too(denis: Client, bruno: Client) -> None:
    bruno.put(at("other.pdf"), b"other")
    denis.put(at("offer.pdf"), b"offer")
    assert denis.copy(at("offer.pdf"), at("twice.pdf")).status == 201
    assert denis.get(at("twice.pdf")).body == b"offer"
    assert denis.list(at("")) == ["offer.pdf", "twice.pdf"]
    assert denis.copy(at("other.pdf"), at("mine.pdf")).status == 404


def test_what_somebody_replaced_is_a_deposit_no_more(denis: Client, bruno: Client) -> None:
    denis.put(at("offer.pdf"), b"offer")
    bruno.put(at("offer.pdf"), b"annotated")
    assert denis.get(at("offer.pdf")).status == 404
    assert denis.list(at("")) == []
    denis.put(at("second.pdf"), b"second")
    bruno.move(at("second.pdf"), at("filed.pdf"))
    bruno.put(at("second.pdf"), b"other")
    assert denis.list(at("")) == []
    # The same one, back in its place.
    bruno.delete(at("second.pdf"))
    bruno.move(at("filed.pdf"), at("second.pdf"))
    assert denis.get(at("second.pdf")).body == b"second"


def test_what_explorer_does_to_deposit_a_file(hall: Hall, denis: Client) -> None:
    win32 = "{urn:schemas-microsoft-com:}Win32LastModifiedTime"
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    address = at("offre é.pdf")
    assert denis.propfind(address).status == 404
    assert denis.put(address).status == 201
    token = denis.lock(address, timeout="Second-3600").token
    condition = f"({token})"
    assert denis.proppatch(address, {win32: date}, if_=condition).status == 207
    assert denis.request("HEAD", address).status == 200
    assert denis.put(address, b"content", if_=condition).status == 204
    assert denis.proppatch(address, {win32: date}, if_=condition).status == 207
    assert denis.unlock(address, token).status == 204
    assert denis.propfind(address).text("getlastmodified") == date
    assert denis.list(at("")) == ["offre é.pdf"]
    assert hall.client("chloe").get(address).body == b"content"
    # Now that it has content, it is deposited.
    assert denis.put(address, b"other").status == 403


def test_office_locks_what_it_deposits_first(denis: Client) -> None:
    token = denis.lock(at("offer.docx")).token
    assert denis.put(at("offer.docx"), b"content", if_=f"({token})").status == 204
    assert denis.unlock(at("offer.docx"), token).status == 204
    assert denis.get(at("offer.docx")).body == b"content"


def test_a_folder_can_be_deposited_with_what_is_in_it(hall: Hall, denis: Client) -> None:
    """A folder one has made is a place to put things, as Explorer copies a tree."""
    assert denis.mkcol(at("dossier")).status == 201
    assert denis.list(at("")) == ["dossier"]
    assert denis.list(at("dossier")) == []
    hall.client("bruno").put(at("dossier/other.txt"), b"other")
    assert denis.list(at("dossier")) == []
    assert denis.put(at("dossier/offer.pdf"), b"offer").status == 201
    assert denis.list(at("dossier")) == ["offer.pdf"]
    assert denis.put(at("dossier/other.txt"), b"mine").status == 403
    hall.later(days=1)
    assert denis.list(at("")) == []
    assert denis.put(at("dossier/late.pdf")).status == 409


def test_depositors_of_a_restricted_folder(hall: Hall) -> None:
    hall.account("dora", "rene")
    hall.restrict("conseil", "Boîte", {"dora": DEPOSITOR, "rene": READER, "chloe": CONTRIBUTOR})
    dora = hall.client("dora")
    assert dora.list(at("")) == ["Boîte"]
    assert dora.put(at("Boîte/offer.pdf"), b"offer").status == 201
    assert dora.list(at("Boîte")) == ["offer.pdf"]
    assert dora.put(at("offer.pdf")).status == 403
    assert hall.client("rene").get(at("Boîte/offer.pdf")).body == b"offer"
    assert hall.client("bruno").get(at("Boîte/offer.pdf")).status == 404


# Clutter

CLUTTER = ["._letter.odt", ".DS_Store", "Thumbs.db", "desktop.ini", "DESKTOP.INI", "._"]


@pytest.mark.parametrize("name", CLUTTER)
def test_clutter_is_kept_for_its_owner_alone(hall: Hall, bruno: Client, name: str) -> None:
    chloe = hall.client("chloe")
    bruno.mkcol(at("dossier"))
    address = at(f"dossier/{name}")
    journal, used = hall.journal_size(), bruno.propfind(at(""), "quota-used-bytes").body
    assert bruno.put(address, b"mac").status == 201
    assert bruno.get(address).body == b"mac"
    assert bruno.put(address, b"macos").status == 204
    assert bruno.list(at("dossier")) == [name]
    assert bruno.propfind(address, "getcontentlength").text("getcontentlength") == "5"
    assert bruno.proppatch(address).status == 207
    token = bruno.lock(address).token
    assert bruno.put(address, b"locked", if_=f"({token})").status == 204
    assert bruno.unlock(address, token).status == 204
    # For all others it does not exist, by any method.
    assert chloe.list(at("dossier")) == []
    assert chloe.list(at(""), "infinity") == ["dossier"]
    before = hall.snapshot()
    for method in ("GET", "HEAD", "PROPFIND", "DELETE", "PROPPATCH", "UNLOCK"):
        body = '<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:x"/></prop></set>'
        reply = chloe.request(
            method,
            address,
            f"{body}</propertyupdate>" if method == "PROPPATCH" else "",
            {"Lock-Token": token},
        )
        assert reply.status == 404, method
    for method in ("COPY", "MOVE"):
        reply = chloe.request(method, address, headers={"Destination": at("dossier/stolen")})
        assert (reply.status, hall.snapshot()) == (404, before)
    # Two Macs at once, each with its own.
    assert chloe.put(address, b"another").status == 201
    assert (bruno.get(address).body, chloe.get(address).body) == (b"locked", b"another")
    assert bruno.delete(address).status == 204
    assert (bruno.get(address).status, chloe.get(address).status) == (404, 200)
    assert bruno.list(at("dossier")) == []
    # Nothing of it is in the space, its history, its journal or its quota.
    assert hall.journal_size() == journal
    assert hall.documents("conseil") == {"dossier": None}
    assert hall.history("conseil") == {}
    assert bruno.propfind(at(""), "quota-used-bytes").body == used


def test_who_may_not_create_leaves_no_clutter(hall: Hall) -> None:
    for login, status in (("rita", 403), ("sven", 409), ("alice", 409)):
        before = hall.snapshot()
        client = hall.client(login)
        for reply in (client.put(at("._x")), client.copy(at("._x"), at("._y"))):
            assert reply.status in (status, 404)
        assert hall.snapshot() == before
    denis = hall.client("denis")
    assert denis.put(at("._x"), b"x").status == 201
    assert denis.get(at("._x")).body == b"x"


def test_clutter_becomes_no_document_nor_a_document_clutter(hall: Hall, bruno: Client) -> None:
    bruno.put(at("._x"), b"clutter")
    bruno.put(at("x"), b"document")
    bruno.mkcol(at("folder"))
    before = hall.snapshot()
    for reply in (
        bruno.move(at("._x"), at("new")),
        bruno.copy(at("._x"), at("new")),
        bruno.move(at("x"), at("._new")),
        bruno.copy(at("x"), at("._new")),
        bruno.move(at("folder"), at(".DS_Store")),
        bruno.copy(at("folder"), at(".DS_Store")),
        bruno.mkcol(at("._folder")),
    ):
        assert (reply.status, hall.snapshot()) == (403, before)
    # Finder renames the one with the other.
    assert bruno.move(at("._x"), at("._y")).status == 201
    assert bruno.copy(at("._y"), at("._z")).status == 201
    assert (bruno.get(at("._y")).body, bruno.get(at("._z")).body) == (b"clutter", b"clutter")
    assert bruno.get(at("._x")).status == 404


def test_clutter_does_not_last(hall: Hall, bruno: Client) -> None:
    bruno.put(at("._x"), b"clutter")
    (file,) = (path for path in hall.store.clutter.rglob("*") if path.is_file())
    written = file.stat().st_mtime
    clutter.sweep(hall.store, 7, written + 7 * 86_400)
    assert bruno.get(at("._x")).status == 200
    clutter.sweep(hall.store, 7, written + 7 * 86_400 + 1)
    assert bruno.get(at("._x")).status == 404
    assert bruno.put(at("._x"), b"again").status == 201


def test_clutter_has_its_own_limit(hall: Hall, bruno: Client) -> None:
    assert bruno.put(at("._x"), b"x" * 5_001).status == 413
    assert bruno.request("PUT", at("._x"), b"x" * 5_001, chunked=True).status == 413
    assert bruno.put(at("._x"), b"x" * 5_000).status == 201


def test_a_full_space_still_takes_what_a_mac_leaves(hall: Hall, bruno: Client) -> None:
    hall.space("etroit", {"bruno": CONTRIBUTOR}, quota_bytes=0)
    assert bruno.put(href("etroit", "x"), b"x").status == 507
    assert bruno.put(href("etroit", "._x"), b"x").status == 201


def test_what_looks_like_clutter_on_the_disk_is_not_shown(hall: Hall, bruno: Client) -> None:
    hall.write("conseil", ".DS_Store", b"copied in")
    hall.write("conseil", "._folder/inside.txt", b"inside")
    hall.write("conseil", "folder/Thumbs.db", b"copied in")
    listed = bruno.list(at(""), "infinity")
    assert ".DS_Store" not in listed and "Thumbs.db" not in listed
    # Whatever is listed can be had: a folder of such a name is a folder.
    assert "._folder" in listed and "inside.txt" in listed
    for name in bruno.list(at("")):
        assert bruno.get(at(name)).status == 200, name
    assert bruno.put(at(".DS_Store"), b"mine").status == 201
    assert hall.disk("conseil", ".DS_Store").read_bytes() == b"copied in"


def test_what_people_are_to_see_of_locks_is_no_clutter(hall: Hall, bruno: Client) -> None:
    for name in ("~$letter.docx", ".~lock.letter.odt#", ".hidden"):
        assert bruno.put(at(name), b"bruno").status == 201
        assert name in hall.client("rita").list(at(""))
