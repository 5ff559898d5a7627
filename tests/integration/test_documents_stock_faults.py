"""The faults of stock WsgiDAV 4.4 that clients suffer from, one test each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.documents_client import COLOUR, DAV, HOST, Client, Hall, at, plant, town

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", f"sqlite:///{tmp_path}/davserver.db", propfind_max=50):
        plant(hall.client("bruno"))
        yield hall


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


def test_w1_copy_with_depth_0_copies_no_members(bruno: Client) -> None:
    assert bruno.copy(at("dossier"), at("copy"), depth="0").status == 201
    assert bruno.list(at("copy"), "infinity") == []


def test_w2_getetag_is_quoted_as_the_header_is(bruno: Client) -> None:
    for path in ("lettre.txt", "dossier/note.txt"):
        shown = bruno.propfind(at(path), "getetag").text("getetag")
        assert shown == bruno.get(at(path)).etag == bruno.request("HEAD", at(path)).etag
        assert shown and shown[0] == shown[-1] == '"'


def test_w3_a_document_has_no_quota(bruno: Client) -> None:
    """KDE takes an empty answer for a full disk and refuses to overwrite."""
    names = ("quota-available-bytes", "quota-used-bytes")
    reply = bruno.propfind(at("lettre.txt"), *names)
    assert not reply.props()
    assert set(reply.props(404)) == {DAV + name for name in names}
    shown = bruno.propfind(at(""), *names, depth="1")
    assert set(shown.props(404, "lettre.txt")) == {DAV + name for name in names}
    used = shown.text("quota-used-bytes")
    assert used is not None and int(used) > 0


@pytest.mark.parametrize(
    "before",
    [
        f"http://bruno:secret@{HOST}",
        f"http://bruno@{HOST}",
        f"https://{HOST}",
        f"http://{HOST}:80",
        f"https://{HOST}:443",
        f"HTTP://{HOST.upper()}",
        "",
    ],
)
def test_w4_a_destination_is_ours_by_its_host_alone(bruno: Client, before: str) -> None:
    assert bruno.move(at("lettre.txt"), before + at("new.txt")).status == 201
    assert bruno.get(at("new.txt")).body == b"lettre"


def test_w5_the_lock_token_header_alone_will_do_for_the_holder(hall: Hall, bruno: Client) -> None:
    token = bruno.lock(at("lettre.txt")).token
    assert bruno.put(at("lettre.txt"), b"no").status == 423
    assert bruno.put(at("lettre.txt"), b"yes", lock_token=token).status == 204
    assert hall.client("chloe").put(at("lettre.txt"), b"no", lock_token=token).status == 423
    assert bruno.move(at("lettre.txt"), at("new.txt"), lock_token=token).status == 201


def test_w6_the_time_that_a_client_wants_is_the_documents(hall: Hall, bruno: Client) -> None:
    reply = bruno.request("PUT", at("lettre.txt"), b"new", {"X-OC-Mtime": "784111777"})
    assert reply.headers["X-OC-Mtime"] == "accepted"
    assert reply.headers["Last-Modified"] == DATE
    assert bruno.propfind(at("lettre.txt")).text("getlastmodified") == DATE
    for name in (
        f"{DAV}getlastmodified",
        "{urn:schemas-microsoft-com:}Win32LastModifiedTime",
    ):
        bruno.put(at("dossier/note.txt"), b"now")
        assert bruno.get(at("dossier/note.txt")).headers["Last-Modified"] != DATE
        bruno.proppatch(at("dossier/note.txt"), {name: DATE})
        assert bruno.get(at("dossier/note.txt")).headers["Last-Modified"] == DATE
        assert hall.disk("conseil", "dossier/note.txt").stat().st_mtime_ns // 10**9 == 784111777


def test_w7_properties_and_locks_outlast_the_process(hall: Hall, bruno: Client) -> None:
    token = bruno.lock(at("lettre.txt"), owner="Bruno").token
    hall.restart()
    shown = bruno.propfind(at("lettre.txt"))
    assert shown.props()[COLOUR].text == "red"
    (lock,) = shown.props()[f"{DAV}lockdiscovery"]
    assert lock.findtext(f"{DAV}locktoken/{DAV}href") == token.strip("<>")
    assert lock.findtext(f"{DAV}owner") == "Bruno"
    assert hall.client("chloe").put(at("lettre.txt")).status == 423
    assert bruno.put(at("lettre.txt"), if_=f"({token})").status == 204


def test_w8_everything_below_a_large_folder_is_not_listed_at_once(
    hall: Hall, bruno: Client
) -> None:
    for number in range(60):
        hall.write("conseil", f"large/{number}")
    reply = bruno.propfind(at(""), depth="infinity")
    assert (reply.status, reply.precondition) == (403, f"{DAV}propfind-finite-depth")
    assert len(bruno.list(at("large"))) == 60


@pytest.mark.parametrize(
    "name",
    [
        *(".wsgidav", ".dav", ".props", ".locks", ".lock", ".metadata", ".davserver"),
        *("history", "staging", "secrets", "intents", "trash", "davserver.db", "davserver.toml"),
        *("spaces", "calendars", "link", "admin", "me", "healthz", ".well-known", ".git"),
        *(".properties.shelve", ":dir_browser", "0" * 32),
    ],
)
def test_w9_no_name_in_a_space_is_special(hall: Hall, bruno: Client, name: str) -> None:
    if ":" in name:
        # Nor is this one to us, but Windows cannot show it.
        assert bruno.put(at(name)).status == 403
        hall.write("conseil", name, b"mine")
    else:
        assert bruno.put(at(name), b"mine").status == 201
    assert bruno.get(at(name)).body == b"mine"
    assert name in bruno.list(at(""))
    assert bruno.proppatch(at(name)).status == 207
    assert bruno.move(at(name), at("dossier/away")).status == 201
    if ":" not in name:
        assert bruno.mkcol(at(name)).status == 201
        assert bruno.put(at(f"{name}/inside"), b"inside").status == 201
        assert hall.client("rita").get(at(f"{name}/inside")).body == b"inside"
        assert bruno.delete(at(name)).status == 204
    hall.consistent()
