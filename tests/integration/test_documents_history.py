"""`/history/<space>/`: the trash and the past, who may see them, and what comes back from them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from acl import groups, members
from acl.roles import Role
from config.settings import Organisation
from tests.integration.documents_client import (
    COLOUR,
    CONTRIBUTOR,
    DAV,
    DEPOSITOR,
    MANAGER,
    READER,
    Client,
    Hall,
    at,
    href,
    plant,
    town,
)

NOON = "2026-11-23T12:00"


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", database_url):
        hall.space("projet", {"bruno": CONTRIBUTOR})
        yield hall


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


def past(path: str = "", slug: str = "conseil") -> str:
    """The address of something in a space's history."""
    return quote(f"/history/{slug}/{path}", safe="/:(,)")


def colour(client: Client, address: str) -> str | None:
    found = client.propfind(address, COLOUR).props().get(COLOUR)
    return None if found is None else found.text


# What is shown


def test_the_way_in(hall: Hall, bruno: Client) -> None:
    assert bruno.list("/") == ["history", "spaces"]
    assert bruno.list("/history/") == ["conseil", "projet"]
    assert bruno.list("/history") == ["conseil", "projet"]
    assert hall.client("rita").list("/history/") == ["conseil"]
    assert hall.client("sven").list("/history/") == []
    assert bruno.list(past()) == ["trash"]
    assert bruno.list(past("trash")) == []
    # As text, to somebody with no DAV client.
    assert bruno.get("/").body == b"history/\nspaces/\n"
    assert bruno.get("/history").body == b"conseil/\nprojet/\n"
    assert bruno.get(past()).body == b"trash/\n"
    assert hall.client("sven").propfind(past()).status == 404


def test_who_asks_for_everything_does_not_get_the_past(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    everything = bruno.propfind("/", "resourcetype", depth="infinity")
    assert not [one for one in everything.responses() if "history" in one]
    for address in ("/history/", past(), past("trash"), past(NOON)):
        reply = bruno.propfind(address, "resourcetype", depth="infinity")
        assert (reply.status, reply.precondition) == (403, f"{DAV}propfind-finite-depth")


def test_moments_at_which_something_changed(hall: Hall, bruno: Client) -> None:
    bruno.put(at("a"), b"1")
    hall.later(seconds=30)
    bruno.put(at("a"), b"2")
    hall.later(seconds=10)
    # What has changed in a minute is in the next full one, which has not come yet.
    assert bruno.list(past()) == ["2026-11-23T12:00", "trash"]
    hall.later(minutes=5)
    bruno.mkcol(at("b"))
    hall.later(hours=2)
    assert bruno.list(past()) == [
        "2026-11-23T12:00",
        "2026-11-23T12:01",
        "2026-11-23T12:06",
        "trash",
    ]
    assert bruno.list(past("2026-11-23T12:03")) == ["a"]
    assert bruno.get(past("2026-11-23T12:00/a")).body == b"1"
    assert bruno.get(past("2026-11-23T12:00:29/a")).body == b"1"
    assert bruno.get(past("2026-11-23T12:00:30/a")).body == b"2"
    assert bruno.list(past("2026-11-23T11:59:59")) == []
    # Windows has no colons in names.
    listed = bruno.propfind(
        past(), "resourcetype", depth="1", agent="Microsoft-WebDAV-MiniRedir/10.0.19045"
    )
    assert listed.names() == ["2026-11-23T12.00", "2026-11-23T12.01", "2026-11-23T12.06", "trash"]
    assert bruno.get(past("2026-11-23T12.01/a")).body == b"2"


@pytest.mark.parametrize(
    "name",
    [
        *("2026-11-23", "2026-11-23T12", "2026-11-23T25:00", "2026-13-01T00:00", "hier"),
        *("2026-11-23T12:00:61", "0000-01-01T00:00", "2026-11-23T12:00+99:00", "TRASH"),
        # Nobody has been there yet.
        *("2026-11-23T12:01", "9999-12-31T23:59", "2026-11-23T12:00Zz"),
    ],
)
def test_what_is_no_moment_is_not_found(bruno: Client, name: str) -> None:
    for method in ("GET", "PROPFIND"):
        assert bruno.request(method, past(name), headers={"Depth": "0"}).status == 404
        assert bruno.request(method, past(f"{name}/a"), headers={"Depth": "0"}).status == 404


def test_moments_are_those_of_the_organisation(tmp_path: Path, database_url: str) -> None:
    for hall in town(tmp_path / "data", database_url):
        organisation = Organisation(language="en", timezone="Europe/Paris")
        hall.settings = hall.settings.model_copy(update={"organisation": organisation})
        # The hour that is there twice: 2:30 in summer time, and again an hour later.
        hall.now = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        hall.restart()
        bruno = hall.client("bruno")
        bruno.put(at("a"), b"summer")
        bruno.put(at("b"), b"summer")
        bruno.delete(at("b"))
        hall.later(hours=1)
        bruno.put(at("a"), b"winter")
        bruno.put(at("b"), b"winter")
        bruno.delete(at("b"))
        hall.later(hours=1)
        assert bruno.list(past()) == ["2026-10-25T01:30Z", "2026-10-25T02:30", "trash"]
        assert bruno.get(past("2026-10-25T02:30/a")).body == b"summer"
        assert bruno.get(past("2026-10-25T01:30Z/a")).body == b"winter"
        assert bruno.get(past("2026-10-25T02:30+01:00/a")).body == b"winter"
        deleted = ["b (2026-10-25 02.30, bruno)", "b (2026-10-25 02.30, bruno, 2)"]
        assert bruno.list(past("trash")) == deleted
        for name, content in zip(deleted, (b"summer", b"winter"), strict=True):
            assert bruno.get(past(f"trash/{name}")).body == content


def test_the_trash_has_names_that_a_person_understands(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    bruno.put(at("Procès-verbal du 3.odt"), b"first")
    hall.later(hours=1, minutes=5)
    bruno.delete(at("Procès-verbal du 3.odt"))
    hall.client("chloe").delete(at("dossier"))
    # Within a minute this would be its next version.
    hall.later(seconds=61)
    bruno.put(at("Procès-verbal du 3.odt"), b"second")
    bruno.delete(at("Procès-verbal du 3.odt"))
    bruno.mkcol(at("v1.2"))
    bruno.delete(at("v1.2"))
    bruno.put(at(".profile"), b"hidden")
    bruno.delete(at(".profile"))
    expected = {
        "Procès-verbal du 3 (2026-11-23 13.05, bruno).odt": b"first",
        "Procès-verbal du 3 (2026-11-23 13.06, bruno).odt": b"second",
        ".profile (2026-11-23 13.06, bruno)": b"hidden",
    }
    folders = {"dossier (2026-11-23 13.05, chloe)", "v1.2 (2026-11-23 13.06, bruno)"}
    assert set(bruno.list(past("trash"))) == expected.keys() | folders
    for name, content in expected.items():
        reply = bruno.get(past(f"trash/{name}"))
        assert (reply.status, reply.body) == (200, content)
    inside = past("trash/dossier (2026-11-23 13.05, chloe)")
    assert bruno.list(inside) == ["note.txt", "sous"]
    assert bruno.get(f"{inside}/sous/fiche.txt").body == b"fiche"
    assert bruno.get(f"{inside}/nothing").status == 404
    assert bruno.get(past("trash/note (2026-11-23 13.05, chloe).txt")).status == 404


def test_the_longest_name_fits_into_the_trash(hall: Hall, bruno: Client) -> None:
    name = "é" * 120 + ".ods"
    bruno.put(at(name), b"long")
    bruno.delete(at(name))
    (entry,) = bruno.list(past("trash"))
    assert len(entry.encode()) <= 255 and entry.endswith(" (2026-11-23 12.00, bruno).ods")
    assert bruno.get(past(f"trash/{entry}")).body == b"long"


def test_properties_of_what_was(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    etag = bruno.get(at("lettre.txt")).etag
    hall.later(minutes=1)
    bruno.delete(at("lettre.txt"))
    asked = ("displayname", "getetag", "getcontentlength", "getcontenttype", "supportedlock")
    for folder, name in (
        (f"{NOON}/", "lettre.txt"),
        ("trash/", "lettre (2026-11-23 12.01, bruno).txt"),
    ):
        reply = bruno.propfind(past(folder + name), *asked, "current-user-privilege-set")
        props = reply.props()
        assert props[f"{DAV}displayname"].text == name
        assert props[f"{DAV}getetag"].text == etag
        assert props[f"{DAV}getcontentlength"].text == "6"
        assert props[f"{DAV}getcontenttype"].text == "text/plain"
        assert len(props[f"{DAV}supportedlock"]) == 0
        held = {one[0].tag for one in props[f"{DAV}current-user-privilege-set"]}
        assert held == {f"{DAV}read", f"{DAV}read-current-user-privilege-set"}
    # No disk is full, and none is nearly so, because of what was.
    reply = bruno.propfind(past(NOON), "quota-used-bytes", "quota-available-bytes")
    assert len(reply.props(404)) == 2
    # A document can be asked for again in parts, and only if it changed.
    reply = bruno.get(past(f"{NOON}/lettre.txt"), Range="bytes=1-2")
    assert (reply.status, reply.body) == (206, b"et")
    assert bruno.get(past(f"{NOON}/lettre.txt"), if_none_match=etag).status == 304
    assert bruno.get(past(f"{NOON}/lettre.txt"), if_match='"x"').status == 412


@pytest.mark.parametrize("method", ["PUT", "MKCOL", "DELETE", "PROPPATCH", "LOCK", "UNLOCK"])
def test_the_past_can_only_be_read(hall: Hall, bruno: Client, method: str) -> None:
    plant(bruno)
    hall.later(minutes=1)
    bruno.delete(at("lettre.txt"))
    entry = "trash/lettre (2026-11-23 12.01, bruno).txt"
    before = hall.snapshot()
    for path in ("", "trash", NOON, entry, f"{NOON}/lettre.txt", f"{NOON}/new", "nothing"):
        for client in (bruno, hall.client("chloe"), hall.client("alice")):
            reply = client.request(method, past(path), headers={"Lock-Token": "<urn:x>"})
            assert reply.status == 403, (path, reply)
    for target in (past("trash/new"), past(f"{NOON}/new"), "/history/", past()):
        for verb in ("COPY", "MOVE"):
            reply = bruno.request(verb, at("dossier"), headers={"Destination": target})
            assert reply.status == 403
    assert hall.snapshot() == before
    options = bruno.request("OPTIONS", past(entry))
    assert (options.status, options.headers["DAV"]) == (200, "1, 3")
    assert "PUT" not in options.headers["Allow"]


# Who may see what


def test_rights_are_those_of_then_and_now(hall: Hall, bruno: Client) -> None:
    """`maire` could read the letter when it was replaced and deleted; `rita` came later."""
    hall.account("maire", "late")
    hall.restrict("conseil", "rh", {"maire": MANAGER, "bruno": CONTRIBUTOR})
    maire = hall.client("maire")
    bruno.put(at("rh/lettre"), b"1")
    hall.later(minutes=1)
    bruno.put(at("rh/lettre"), b"2")
    hall.later(minutes=1)
    bruno.delete(at("rh/lettre"))
    bruno.put(at("rh/autre"), b"3")
    entry = past("trash/lettre (2026-11-23 12.02, bruno)")
    former = past(f"{NOON}/rh/lettre")

    def sees(client: Client) -> tuple[bool, bool]:
        listed = client.propfind(past("trash"), "resourcetype", depth="1")
        in_trash = listed.status == 207 and bool(listed.names())
        assert (client.get(entry).status == 200) is in_trash
        return in_trash, client.get(former).status == 200

    assert sees(maire) == sees(bruno) == (True, True)
    for login in ("rita", "chloe", "alice", "late", "sven"):
        # Not even the managers of the space, as long as they cannot enter the folder.
        assert sees(hall.client(login)) == (False, False)
        assert "rh" not in hall.client(login).propfind(past(NOON), depth="1").body.decode()
    # Whoever is let in later sees what is there from then on, not what was deleted before.
    hall.join("conseil", {"late": READER}, "rh")
    late = hall.client("late")
    assert late.get(at("rh/autre")).status == 200
    assert late.list(past("trash")) == []
    assert late.get(former).status == 404
    # And who has to leave sees nothing any more.
    with hall.acting() as act:
        members.remove(act, "conseil", "bruno", folder="rh")
    assert sees(bruno) == (False, False)


def test_what_was_moved_into_a_restricted_folder_is_hidden_in_the_past_too(
    hall: Hall, bruno: Client
) -> None:
    rita = hall.client("rita")
    hall.restrict("conseil", "rh", {"bruno": MANAGER})
    plant(bruno)
    hall.later(minutes=1)
    bruno.move(at("dossier"), at("rh/dossier"))
    assert bruno.get(past(f"{NOON}/dossier/note.txt")).body == b"note"
    assert rita.get(past(f"{NOON}/dossier/note.txt")).status == 404
    assert rita.list(past(NOON)) == ["lettre.txt"]
    # A name below it tells nothing either.
    assert rita.propfind(past(f"{NOON}/dossier")).status == 404


def test_a_restricted_folder_keeps_its_list_in_the_trash(hall: Hall, bruno: Client) -> None:
    rita, chloe = hall.client("rita"), hall.client("chloe")
    plant(bruno)
    hall.restrict("conseil", "dossier/sous", {"bruno": MANAGER, "chloe": READER})
    hall.later(minutes=1)
    bruno.delete(at("dossier"))
    entry = "trash/dossier (2026-11-23 12.01, bruno)"
    assert bruno.list(past(entry)) == chloe.list(past(entry)) == ["note.txt", "sous"]
    assert rita.list(past(entry)) == ["note.txt"]
    assert rita.get(past(f"{entry}/sous/fiche.txt")).status == 404
    assert rita.list(past(f"{NOON}/dossier")) == ["note.txt"]
    # A copy of it is restricted as well: of what is copied, and by whom it may be read.
    reply = bruno.copy(past(entry), at("encore"))
    assert reply.status == 201
    assert rita.list(at("encore")) == ["note.txt"]
    assert chloe.list(at("encore")) == ["note.txt", "sous"]
    # Chloe manages the space, and may copy what she reads.
    assert chloe.copy(past(f"{NOON}/dossier"), at("d2")).status == 201
    assert rita.list(at("d2")) == ["note.txt"]
    # And so is the folder itself when it is back.
    assert bruno.move(past(entry), at("dossier")).status == 201
    assert rita.list(at("dossier")) == ["note.txt"]
    assert bruno.list(past("trash")) == []


def test_a_depositor_sees_no_past(hall: Hall) -> None:
    denis = hall.client("denis")
    assert denis.put(at("offre.pdf"), b"offre").status == 201
    hall.later(minutes=1)
    hall.client("bruno").delete(at("offre.pdf"))
    assert denis.list(past("trash")) == []
    assert denis.list(past(NOON)) == []
    assert denis.get(past(f"{NOON}/offre.pdf")).status == 404
    assert denis.get(past("trash/offre (2026-11-23 12.01, bruno).pdf")).status == 404


def test_groups_and_confidential_spaces(hall: Hall) -> None:
    hall.group("elus", "rita")
    hall.space("rh", {"@elus": READER, "bruno": CONTRIBUTOR}, confidential=True)
    bruno, rita, alice = (hall.client(login) for login in ("bruno", "rita", "alice"))
    bruno.put(href("rh", "a"), b"a")
    hall.later(minutes=1)
    bruno.delete(href("rh", "a"))
    entry = past("trash/a (2026-11-23 12.01, bruno)", "rh")
    assert rita.get(entry).body == b"a"
    assert alice.get(entry).status == alice.propfind(past("", "rh")).status == 404
    with hall.acting() as act:
        groups.leave(act, "elus", "rita")
    assert rita.get(entry).status == 404


def test_a_device_for_agendas_sees_no_documents_of_the_past(hall: Hall, bruno: Client) -> None:
    hall.device("bruno", "phone", documents=False)
    plant(bruno)
    phone = hall.client("bruno", "phone")
    assert phone.list("/history/") == []
    assert phone.propfind(past()).status == 404


# What comes back


def test_a_document_comes_back_from_the_trash(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    etag = bruno.get(at("lettre.txt")).etag
    hall.later(minutes=1)
    bruno.delete(at("lettre.txt"))
    hall.later(minutes=2)
    entry = past("trash/lettre (2026-11-23 12.01, bruno).txt")
    rows = len(hall.journal())
    reply = bruno.move(entry, at("lettre.txt"))
    assert (reply.status, reply.headers["Location"]) == (201, at("lettre.txt"))
    got = bruno.get(at("lettre.txt"))
    assert (got.body, got.etag) == (b"lettre", etag)
    assert colour(bruno, at("lettre.txt")) == "red"
    assert bruno.get(entry).status == 404
    assert bruno.list(past("trash")) == []
    assert hall.history("conseil") == {}
    (row,) = hall.journal()[rows:]
    assert (row.action, row.path, row.detail["from"]) == (
        "document.restore",
        "lettre.txt",
        "lettre.txt",
    )
    # When it was away it was away, and before it was there.
    assert bruno.list(past("2026-11-23T12:02")) == ["dossier"]
    assert bruno.list(past(NOON)) == ["dossier", "lettre.txt"]


def test_a_folder_comes_back_whole_in_one_rename(
    hall: Hall, bruno: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(bruno)
    for number in range(30):
        bruno.put(at(f"dossier/sous/{number}"), bytes([number]))
    before = hall.documents("conseil")
    renamed: list[object] = []
    real = os.rename

    def rename(*arguments: object) -> None:
        renamed.append(arguments)
        real(*arguments)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(os, "rename", rename)
    rows = hall.journal_size()
    bruno.delete(at("dossier"))
    assert (len(renamed), hall.journal_size()) == (1, rows + 1)
    entry = past("trash/dossier (2026-11-23 12.00, bruno)")
    assert bruno.move(entry, at("dossier")).status == 201
    assert (len(renamed), hall.journal_size()) == (2, rows + 2)
    assert hall.documents("conseil") == before
    assert colour(bruno, at("dossier")) == "green"
    assert colour(bruno, at("dossier/sous/fiche.txt")) == "blue"
    assert bruno.move(at("dossier"), at("classeur")).status == 201
    assert (len(renamed), hall.journal_size()) == (3, rows + 3)


def test_a_part_of_a_folder_comes_back(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    bruno.delete(at("dossier"))
    entry = past("trash/dossier (2026-11-23 12.00, bruno)")
    assert bruno.move(f"{entry}/sous/fiche.txt", at("fiche.txt")).status == 201
    assert bruno.get(at("fiche.txt")).body == b"fiche"
    assert colour(bruno, at("fiche.txt")) == "blue"
    assert bruno.list(f"{entry}/sous") == []
    hall.consistent()
    assert bruno.move(entry, at("dossier")).status == 201
    assert hall.documents("conseil").keys() == {
        *("dossier", "dossier/note.txt", "dossier/sous", "fiche.txt", "lettre.txt")
    }


def test_a_restricted_part_of_a_folder_comes_back(hall: Hall, bruno: Client) -> None:
    rita = hall.client("rita")
    plant(bruno)
    hall.restrict("conseil", "dossier/sous", {"bruno": MANAGER})
    bruno.delete(at("dossier"))
    entry = past("trash/dossier (2026-11-23 12.00, bruno)")
    assert bruno.move(f"{entry}/sous", at("sous")).status == 201
    assert rita.propfind(at("sous")).status == 404
    hall.consistent()
    assert bruno.move(entry, at("dossier")).status == 201
    assert rita.list(at("dossier")) == ["note.txt"]
    assert bruno.mkcol(at("dossier/sous")).status == 201
    assert rita.list(at("dossier")) == ["note.txt", "sous"]


def test_a_former_version_comes_back_as_the_next_one(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    hall.later(minutes=5)
    bruno.put(at("lettre.txt"), b"spoilt")
    hall.later(minutes=5)
    # A client that moves it gets it as well; the past stays what it was.
    for method in ("COPY", "MOVE"):
        reply = bruno.request(
            method,
            past(f"{NOON}/lettre.txt"),
            headers={"Destination": at("lettre.txt"), "Overwrite": "T"},
        )
        assert (reply.status, bruno.get(at("lettre.txt")).body) == (204, b"lettre")
        assert colour(bruno, at("lettre.txt")) == "red"
        hall.later(minutes=5)
    assert bruno.get(past(f"{NOON}/lettre.txt")).body == b"lettre"
    assert bruno.get(past("2026-11-23T12:05/lettre.txt")).body == b"spoilt"
    assert bruno.get(past("2026-11-23T12:10/lettre.txt")).body == b"lettre"
    refused = bruno.copy(past(f"{NOON}/lettre.txt"), at("lettre.txt"), Overwrite="F")
    assert refused.status == 412


def test_a_whole_folder_comes_back_as_it_was(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    before = hall.documents("conseil")
    hall.later(minutes=5)
    bruno.put(at("dossier/note.txt"), b"changed")
    bruno.move(at("dossier/sous/fiche.txt"), href("projet", "fiche.txt"))
    bruno.delete(at("dossier/sous"))
    bruno.put(at("dossier/new"), b"new")
    assert bruno.copy(past(f"{NOON}/dossier"), at("alors")).status == 201
    copied = {
        path.replace("alors", "dossier"): content
        for path, content in hall.documents("conseil").items()
        if path.startswith("alors")
    }
    assert copied == {path: before[path] for path in before if path.startswith("dossier")}
    assert colour(bruno, at("alors")) == "green"
    assert colour(bruno, at("alors/sous/fiche.txt")) == "blue"
    shallow = bruno.copy(past(f"{NOON}/dossier"), at("vide"), Depth="0")
    assert (shallow.status, bruno.list(at("vide"))) == (201, [])


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    ("login", "role", "status"),
    [
        ("rita", READER, 403),
        ("sven", None, 404),
        ("bruno", CONTRIBUTOR, 201),
        ("chloe", MANAGER, 201),
    ],
)
def test_restoring_needs_to_create_at_the_target(
    hall: Hall, bruno: Client, method: str, login: str, role: Role | None, status: int
) -> None:
    plant(bruno)
    bruno.delete(at("lettre.txt"))
    before = hall.snapshot()
    entry = past("trash/lettre (2026-11-23 12.00, bruno).txt")
    reply = hall.client(login).request(method, entry, headers={"Destination": at("encore.txt")})
    assert reply.status == status
    if status != 201:
        assert hall.snapshot() == before


def test_restoring_over_a_locked_document_is_refused(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    hall.later(minutes=1)
    bruno.put(at("lettre.txt"), b"new")
    token = hall.client("chloe").lock(at("lettre.txt")).token
    before = hall.snapshot()
    reply = bruno.copy(past(f"{NOON}/lettre.txt"), at("lettre.txt"))
    assert (reply.status, reply.precondition) == (423, f"{DAV}lock-token-submitted")
    assert hall.snapshot() == before
    chloe = hall.client("chloe")
    assert chloe.copy(past(f"{NOON}/lettre.txt"), at("lettre.txt"), if_=f"({token})").status == 412
    tagged = f"<{at('lettre.txt')}> ({token})"
    assert chloe.copy(past(f"{NOON}/lettre.txt"), at("lettre.txt"), if_=tagged).status == 204


@pytest.mark.parametrize(
    ("source", "target", "status"),
    [
        ("", at("new"), 403),
        ("trash", at("new"), 403),
        (NOON, at("new"), 403),
        ("trash/nothing (2026-11-23 12.00, bruno)", at("new"), 404),
        (f"{NOON}/nothing", at("new"), 404),
        (f"{NOON}/dossier", at("no/such"), 409),
        (f"{NOON}/dossier", href("unknown", "new"), 409),
        (f"{NOON}/dossier", at(""), 403),
        (f"{NOON}/dossier", "/elsewhere", 403),
        (f"{NOON}/dossier", "http://other.example/spaces/conseil/new", 502),
        (f"{NOON}/lettre.txt", at("nul.txt"), 403),
        (f"{NOON}/lettre.txt", at(".DS_Store"), 403),
        (f"{NOON}/lettre.txt", at("n" * 256), 403),
    ],
)
@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_what_cannot_come_back(
    hall: Hall, bruno: Client, method: str, source: str, target: str, status: int
) -> None:
    plant(bruno)
    before = hall.snapshot()
    reply = bruno.request(method, past(source), headers={"Destination": target})
    assert reply.status == status
    assert hall.snapshot() == before


def test_a_copy_counts_and_a_way_back_does_not(hall: Hall, bruno: Client) -> None:
    hall.space("petit", {"bruno": CONTRIBUTOR}, quota_bytes=100)
    bruno.mkcol(href("petit", "d"))
    bruno.put(href("petit", "d/a"), b"a" * 60)
    bruno.delete(href("petit", "d"))
    entry = past("trash/d (2026-11-23 12.00, bruno)", "petit")
    before = hall.snapshot()
    reply = bruno.copy(entry, href("petit", "d"))
    assert (reply.status, reply.precondition) == (507, f"{DAV}quota-not-exceeded")
    assert hall.snapshot() == before
    assert bruno.move(entry, href("petit", "d")).status == 201
    # Nor in a space that has no room for it.
    bruno.put(href("projet", "large"), b"l" * 90)
    bruno.delete(href("projet", "large"))
    entry = past("trash/large (2026-11-23 12.00, bruno)", "projet")
    assert bruno.move(entry, href("petit", "large")).status == 507
    assert bruno.move(entry, at("large")).status == 201


def test_an_archived_space_has_its_past(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    bruno.delete(at("lettre.txt"))
    hall.archive("conseil")
    entry = past("trash/lettre (2026-11-23 12.00, bruno).txt")
    assert bruno.get(entry).body == b"lettre"
    assert bruno.move(entry, at("lettre.txt")).status == 403
    assert bruno.copy(entry, href("projet", "lettre.txt")).status == 201


def test_nothing_leaves_the_trash_for_another_space(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    bruno.delete(at("dossier"))
    entry = past("trash/dossier (2026-11-23 12.00, bruno)")
    assert bruno.move(entry, href("projet", "dossier")).status == 201
    assert bruno.list(href("projet", "dossier")) == ["note.txt", "sous"]
    # Those who are in this one only still have it.
    assert hall.client("chloe").list(entry) == ["note.txt", "sous"]


def test_clutter_has_no_past(hall: Hall, bruno: Client) -> None:
    bruno.put(at(".DS_Store"), b"mac")
    bruno.delete(at(".DS_Store"))
    assert bruno.list(past("trash")) == []
    assert bruno.list(past()) == ["trash"]


def test_names_of_the_past_are_found_in_any_form(hall: Hall, bruno: Client) -> None:
    bruno.put(at("e\u0301te\u0301.txt"), b"summer")
    hall.later(minutes=1)
    bruno.delete(at("été.txt"))
    (entry,) = bruno.list(past("trash"))
    assert entry == "été (2026-11-23 12.01, bruno).txt"
    for form in ("été", "e\u0301te\u0301"):
        assert bruno.get(past(f"{NOON}/{form}.txt")).body == b"summer"
        assert bruno.get(past(f"trash/{form} (2026-11-23 12.01, bruno).txt")).body == b"summer"
    assert unquote(entry) == entry


def test_deposits_are_read_in_the_past_by_who_reads_the_folder(hall: Hall) -> None:
    hall.restrict("conseil", "offres", {"denis": DEPOSITOR, "rita": READER})
    hall.client("denis").put(at("offres/a.pdf"), b"a")
    hall.later(minutes=1)
    assert hall.client("rita").get(past(f"{NOON}/offres/a.pdf")).body == b"a"
    assert hall.client("denis").get(past(f"{NOON}/offres/a.pdf")).status == 404
