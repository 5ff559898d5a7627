"""COPY, MOVE, DELETE, MKCOL and PUT over something: what is there then, what is kept of what was
there, and the one row that each leaves in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acl.journal import Entry
from davserver.documents import properties
from davserver.documents.resource import Place
from tests.integration.documents_client import (
    COLOUR,
    CONTRIBUTOR,
    HOST,
    MANAGER,
    READER,
    Client,
    Hall,
    at,
    href,
    plant,
    town,
)

SHAPE = "{urn:x}shape"


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", database_url):
        hall.space("projet", {"bruno": CONTRIBUTOR, "chloe": MANAGER, "rita": READER})
        yield hall


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


def colour(client: Client, address: str) -> str | None:
    found = client.propfind(address, COLOUR).props().get(COLOUR)
    return None if found is None else found.text


def last(hall: Hall, before: int) -> Entry:
    """The one row that was written since there were `before`."""
    rows = hall.journal()
    assert len(rows) == before + 1, rows[before:]
    return rows[-1]


def trashed(hall: Hall, slug: str, uid: str, path: str) -> dict[str, dict[str, str]]:
    """The properties kept of what the act `uid` replaced at `path`, by path."""
    with hall.database.read() as connection:
        space = hall.app.documents.registry.current(connection).spaces[slug]
        found = properties.of_members(connection, Place(space, path, uid), deep=True)
    return {where: dict(values) for where, values in found.items()}


# COPY


def test_copy_of_a_document(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    rows = len(hall.journal())
    reply = bruno.copy(at("lettre.txt"), at("copie.txt"))
    assert (reply.status, reply.headers["Location"]) == (201, at("copie.txt"))
    assert bruno.get(at("copie.txt")).body == bruno.get(at("lettre.txt")).body == b"lettre"
    assert bruno.get(at("copie.txt")).etag != bruno.get(at("lettre.txt")).etag
    assert colour(bruno, at("copie.txt")) == "red"
    row = last(hall, rows)
    assert (row.action, row.space, row.path) == ("document.copy", "conseil", "copie.txt")
    inode = hall.app.documents.store.space_root("conseil").joinpath("copie.txt").stat().st_ino
    assert row.detail == {
        "inode": inode,
        "from_space": "conseil",
        "from": "lettre.txt",
        "history": None,
    }
    # They are two from now on.
    bruno.put(at("copie.txt"), b"other")
    bruno.proppatch(at("copie.txt"), {COLOUR: "grey"})
    assert (bruno.get(at("lettre.txt")).body, colour(bruno, at("lettre.txt"))) == (b"lettre", "red")
    hall.consistent()


@pytest.mark.parametrize(
    "depth, members",
    [("infinity", ["fiche.txt", "note.txt", "sous"]), (None, ["fiche.txt", "note.txt", "sous"])],
)
def test_copy_of_a_folder_with_all_that_is_in_it(
    hall: Hall, bruno: Client, depth: str | None, members: list[str]
) -> None:
    plant(bruno)
    rows = len(hall.journal())
    headers = {} if depth is None else {"depth": depth}
    assert bruno.copy(at("dossier"), at("copie"), **headers).status == 201
    assert bruno.list(at("copie"), "infinity") == members
    assert colour(bruno, at("copie")) == "green"
    assert colour(bruno, at("copie/sous/fiche.txt")) == "blue"
    assert last(hall, rows).action == "document.copy"
    hall.consistent()


def test_copy_of_a_folder_itself_only(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    assert bruno.copy(at("dossier"), at("copie"), depth="0").status == 201
    assert bruno.list(at("copie"), "infinity") == []
    assert colour(bruno, at("copie")) == "green"
    # What is below the new name has no properties left over from the source.
    bruno.mkcol(at("copie/sous"))
    bruno.put(at("copie/sous/fiche.txt"))
    assert colour(bruno, at("copie/sous/fiche.txt")) is None
    hall.consistent()


def test_copy_is_dated_as_the_source_is(hall: Hall, bruno: Client) -> None:
    bruno.request("PUT", at("lettre.txt"), b"lettre", {"X-OC-Mtime": "1700000000"})
    bruno.copy(at("lettre.txt"), at("copie.txt"))
    modified = bruno.get(at("lettre.txt")).headers["Last-Modified"]
    assert bruno.get(at("copie.txt")).headers["Last-Modified"] == modified


# MOVE


def test_move_of_a_document(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    etag = bruno.get(at("lettre.txt")).etag
    rows = len(hall.journal())
    reply = bruno.move(at("lettre.txt"), at("autre.txt"))
    assert (reply.status, reply.headers["Location"]) == (201, at("autre.txt"))
    assert bruno.get(at("lettre.txt")).status == 404
    assert bruno.get(at("autre.txt")).etag == etag
    assert colour(bruno, at("autre.txt")) == "red"
    row = last(hall, rows)
    assert (row.action, row.path) == ("document.move", "lettre.txt")
    assert row.detail == {"to_space": "conseil", "to": "autre.txt", "history": None}
    # A new one of the former name has nothing of it.
    bruno.put(at("lettre.txt"), b"new")
    assert colour(bruno, at("lettre.txt")) is None
    hall.consistent()


def test_move_of_a_folder_to_another_space(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    rows = len(hall.journal())
    target = href("projet", "dossier")
    assert bruno.move(at("dossier"), f"http://{HOST}{target}").status == 201
    assert bruno.list(target, "infinity") == ["fiche.txt", "note.txt", "sous"]
    assert colour(bruno, f"{target}/sous/fiche.txt") == "blue"
    row = last(hall, rows)
    assert (row.space, row.path) == ("conseil", "dossier")
    assert row.detail == {"to_space": "projet", "to": "dossier", "history": None}
    used = {
        slug: bruno.propfind(href(slug), "quota-used-bytes").text("quota-used-bytes")
        for slug in ("conseil", "projet")
    }
    assert used == {"conseil": str(len(b"lettre")), "projet": str(len(b"notefiche"))}
    hall.consistent()


def test_move_within_a_name(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    # Only the case changes: another name to us, the same one to Windows and macOS.
    assert bruno.move(at("dossier"), at("Dossier")).status == 201
    assert bruno.list(at("")) == ["Dossier", "lettre.txt"]
    assert bruno.move(at("lettre.txt"), at("Lettre.txt")).status == 201
    assert bruno.get(at("Lettre.txt")).body == b"lettre"
    hall.consistent()


# What is replaced


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("source", ["lettre.txt", "dossier"])
@pytest.mark.parametrize("target", ["there.txt", "there"])
def test_what_is_replaced_is_kept(
    hall: Hall, bruno: Client, method: str, source: str, target: str
) -> None:
    plant(bruno)
    bruno.put(at("there.txt"), b"\x00former\xff")
    bruno.mkcol(at("there"))
    bruno.put(at("there/inside"), b"inside")
    for path in ("there.txt", "there", "there/inside"):
        bruno.proppatch(at(path), {SHAPE: "round"})
    before = hall.snapshot()
    refused = bruno.request(
        method, at(source), headers={"Destination": at(target), "Overwrite": "F"}
    )
    assert (refused.status, hall.snapshot()) == (412, before)

    rows = len(hall.journal())
    reply = bruno.request(method, at(source), headers={"Destination": at(target)})
    assert (reply.status, "Location" in reply.headers) == (204, False)
    row = last(hall, rows)
    uid = row.detail["history"]
    history = hall.history("conseil")
    if target == "there":
        assert (history[uid], history[f"{uid}/inside"]) == ("folder", b"inside")
    else:
        assert history[uid] == b"\x00former\xff"
    assert row.detail["collection"] is (target == "there")
    # What comes has its own properties, and a document those of the one that it succeeds.
    expected = "red" if source == "lettre.txt" else "green"
    assert colour(bruno, at(target)) == expected
    succeeds = source == "lettre.txt" and target == "there.txt"
    assert (SHAPE in bruno.propfind(at(target), SHAPE).props()) is succeeds
    kept = trashed(hall, "conseil", uid, target)
    if target == "there":
        assert set(kept) == {"there", "there/inside"}
    else:
        assert set(kept) == (set() if succeeds else {"there.txt"})
    assert all(SHAPE in values for values in kept.values())
    assert bruno.get(at(source)).status == (404 if method == "MOVE" else 200)
    hall.consistent()


def test_what_is_overwritten_is_kept_byte_for_byte(hall: Hall, bruno: Client) -> None:
    contents = [b"first\r\n", b"\xff\xfe\x00", b" ", "dernière".encode()]
    for content in contents:
        bruno.put(at("lettre.txt"), content)
    history = hall.history("conseil")
    puts = [row for row in hall.journal() if row.action == "document.put"]
    assert [row.detail["history"] is None for row in puts] == [True, False, False, False]
    assert [history[row.detail["history"]] for row in puts[1:]] == contents[:-1]
    assert [row.detail["size"] for row in puts] == [len(content) for content in contents]
    # Nobody can change it there, not even through an open document.
    assert bruno.get(at("lettre.txt")).body == contents[-1]
    hall.consistent()


def test_the_properties_of_what_is_overwritten_stay(bruno: Client) -> None:
    plant(bruno)
    bruno.put(at("lettre.txt"), b"new")
    assert colour(bruno, at("lettre.txt")) == "red"


def test_what_is_deleted_is_kept_with_all_that_was_in_it(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    rows = len(hall.journal())
    assert bruno.delete(at("dossier/")).status == 204
    assert bruno.list(at("")) == ["lettre.txt"]
    row = last(hall, rows)
    assert (row.action, row.path) == ("document.delete", "dossier")
    uid = row.detail["history"]
    assert {
        path.removeprefix(uid): content
        for path, content in hall.history("conseil").items()
        if path.startswith(uid)
    } == {"": "folder", "/note.txt": b"note", "/sous": "folder", "/sous/fiche.txt": b"fiche"}
    kept = trashed(hall, "conseil", uid, "dossier")
    assert set(kept) == {"dossier", "dossier/sous/fiche.txt"}
    # A new one of the name begins anew.
    bruno.mkcol(at("dossier"))
    assert colour(bruno, at("dossier")) is None
    bruno.delete(at("dossier"))
    assert len({row.detail["history"] for row in hall.journal() if "delete" in row.action}) == 2
    hall.consistent()


def test_mkcol(hall: Hall, bruno: Client) -> None:
    rows = len(hall.journal())
    assert bruno.mkcol(at("new/")).status == 201
    row = last(hall, rows)
    assert (row.action, row.path) == ("folder.create", "new")
    before = hall.snapshot()
    for address, body, status in (
        (at("new"), b"", 405),
        (at("new/a/b"), b"", 409),
        (at("other"), b"<D:mkcol xmlns:D='DAV:'/>", 415),
        (at("._other"), b"", 403),
    ):
        reply = bruno.request("MKCOL", address, body)
        assert (reply.status, hall.snapshot()) == (status, before), address


# The journal

# Each verb, and the row it leaves: the action and the names of what inverts it.
REPLACED = {"collection", "history", "restricted"}
ROWS: list[tuple[str, str, dict[str, str], str, set[str]]] = [
    ("PUT", "new", {}, "document.put", {"history", "inode", "size"}),
    ("PUT", "lettre.txt", {}, "document.put", {"history", "inode", "size"}),
    ("MKCOL", "new", {}, "folder.create", {"inode"}),
    ("LOCK", "new", {}, "document.put", {"history", "inode", "size"}),
    ("PROPPATCH", "lettre.txt", {}, "document.properties", {"former", "modified_ns"}),
    ("DELETE", "dossier", {}, "document.delete", REPLACED),
    ("DELETE", "lettre.txt", {}, "document.delete", REPLACED),
    ("COPY", "lettre.txt", {"Destination": at("new")}, "document.copy", {"from", "from_space"}),
    ("COPY", "dossier", {"Destination": at("lettre.txt")}, "document.copy", {"from", *REPLACED}),
    ("MOVE", "lettre.txt", {"Destination": at("new")}, "document.move", {"to", "to_space"}),
    ("MOVE", "lettre.txt", {"Destination": at("dossier")}, "document.move", {"to", *REPLACED}),
    ("MOVE", "dossier", {"Destination": href("projet", "new")}, "document.move", {"to_space"}),
]


@pytest.mark.parametrize(
    "method, path, headers, action, detail",
    ROWS,
    ids=[f"{row[0]}-{n}" for n, row in enumerate(ROWS)],
)
def test_every_change_is_one_row(
    hall: Hall,
    bruno: Client,
    method: str,
    path: str,
    headers: dict[str, str],
    action: str,
    detail: set[str],
) -> None:
    plant(bruno)
    rows = len(hall.journal())
    body = {
        "PUT": "new",
        "LOCK": (
            '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope>'
            "<locktype><write/></locktype></lockinfo>"
        ),
        "PROPPATCH": (
            '<propertyupdate xmlns="DAV:"><set><prop><colour xmlns="urn:x">grey</colour>'
            "</prop></set></propertyupdate>"
        ),
    }
    reply = bruno.request(method, at(path), body.get(method, ""), headers)
    assert reply.status < 300
    row = last(hall, rows)
    where = headers["Destination"] if method == "COPY" else at(path)
    assert (row.action, href(row.space, row.path)) == (action, where)
    assert detail <= set(row.detail)
    assert (row.login, row.device, row.address, row.at) == (
        "bruno",
        "laptop",
        "192.0.2.1",
        hall.now,
    )


def test_former_properties_are_in_the_row(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    modified = hall.disk("conseil", "lettre.txt").stat().st_mtime_ns
    bruno.proppatch(
        at("lettre.txt"),
        {COLOUR: None, SHAPE: "round", "{DAV:}getlastmodified": "Sun, 06 Nov 1994 08:49:37 GMT"},
    )
    detail: dict[str, Any] = dict(hall.journal()[-1].detail)
    assert detail["modified_ns"] == modified
    assert ">red<" in detail["former"][COLOUR] and detail["former"][SHAPE] is None


def test_what_reads_or_locks_leaves_no_row(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    size = hall.journal_size()
    bruno.get(at("lettre.txt"))
    bruno.propfind(at(""), depth="infinity")
    token = bruno.lock(at("lettre.txt")).token
    bruno.refresh(at("lettre.txt"), token)
    bruno.unlock(at("lettre.txt"), token)
    bruno.delete(at("nothing"))
    assert hall.journal_size() == size


# What somebody did on the disk


def test_what_was_copied_in_is_there_at_the_next_request(hall: Hall, bruno: Client) -> None:
    hall.write("conseil", "copied/in.txt", b"in")
    assert bruno.list(at(""), "infinity") == ["copied", "in.txt"]
    assert bruno.put(at("copied/in.txt"), b"over").status == 204
    assert b"in" in hall.history("conseil").values()
    hall.consistent()


@pytest.mark.parametrize("method", ["PUT", "MKCOL", "LOCK", "COPY", "MOVE"])
def test_what_was_removed_on_the_disk_leaves_nothing_to_its_successor(
    hall: Hall, bruno: Client, method: str
) -> None:
    plant(bruno)
    bruno.put(at("gone"), b"gone")
    bruno.proppatch(at("gone"), {SHAPE: "round", COLOUR: "grey"})
    hall.disk("conseil", "gone").unlink()
    hall.recount("conseil")
    if method in ("COPY", "MOVE"):
        reply = bruno.request(method, at("lettre.txt"), headers={"Destination": at("gone")})
    elif method == "LOCK":
        reply = bruno.lock(at("gone"))
    else:
        reply = bruno.request(method, at("gone"))
    assert reply.status == 201
    assert SHAPE not in bruno.propfind(at("gone"), SHAPE).props()
    assert colour(bruno, at("gone")) == ("red" if method in ("COPY", "MOVE") else None)
    hall.consistent()


def test_a_restricted_folder_that_was_removed_on_the_disk_still_keeps_its_name(
    hall: Hall, bruno: Client
) -> None:
    hall.restrict("conseil", "Paie", {"chloe": MANAGER})
    hall.disk("conseil", "Paie").rmdir()
    plant(bruno)
    before = hall.snapshot()
    hall.known.add("The restricted folder does not exist on the disk.")
    for reply in (
        bruno.mkcol(at("Paie")),
        bruno.put(at("Paie")),
        bruno.move(at("dossier"), at("Paie")),
        bruno.copy(at("dossier"), at("Paie")),
    ):
        assert (reply.status, hall.snapshot()) == (403, before)
    chloe = hall.client("chloe")
    assert chloe.move(at("dossier"), at("Paie")).status == 201
    assert chloe.get(at("Paie/note.txt")).body == b"note"
    assert bruno.get(at("Paie/note.txt")).status == 404
    hall.known.clear()
