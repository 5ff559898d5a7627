"""Names: whatever people call things, in whatever form their systems write it; what no system
could show is refused; links and special files are not there."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.documents_client import HOST, Client, Hall, at, href, town


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    yield from town(tmp_path / "data", f"sqlite:///{tmp_path}/davserver.db")


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


NAMES = [
    "a",
    "with space",
    " leading",
    "séance du 3 décembre.odt",
    "#1",
    "a;b",
    "100%",
    "%41",
    "a&b",
    "a+b",
    "a=b,c",
    "it's (here) [there] {now}!",
    "tilde~$and.~lock.x#",
    ".hidden",
    "...three dots first",
    "😀 emoji",
    "日本語",
    "ﬁ ligature",
    "𝒷eyond",
    "a" * 255,
    "é" * 127,
    "spaces",
    "calendars",
    "console",
    "com10",
    "@",
    "$",
    "`^`",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_goes_through_every_method(hall: Hall, bruno: Client, name: str) -> None:
    address = at(name)
    assert bruno.put(address, b"content").status == 201
    assert hall.disk("conseil", unicodedata.normalize("NFC", name)).read_bytes() == b"content"
    assert bruno.list(at("")) == [unicodedata.normalize("NFC", name)]
    # The href of the listing is one that gives it back.
    _, shown = bruno.propfind(at(""), "displayname", depth="1").responses()
    assert bruno.get(shown).body == b"content"
    reply = bruno.propfind(shown, "displayname")
    assert reply.text("displayname") == unicodedata.normalize("NFC", name)
    assert bruno.proppatch(address).status == 207
    token = bruno.lock(address).token
    assert bruno.put(address, b"new", if_=f"<{address}> ({token})").status == 204
    assert bruno.unlock(address, token).status == 204
    assert bruno.mkcol(at("into")).status == 201
    # In a Destination too, absolute or not.
    there = at(f"into/{name}")
    assert bruno.copy(address, f"http://{HOST}{there}").status == 201
    assert bruno.move(address, there).status == 204
    assert bruno.get(there).body == b"new"
    assert bruno.delete(there).status == 204
    hall.consistent()


REFUSED = [
    # What Windows cannot show: 403 and a sentence.
    *((f"a{character}b", 403) for character in '<>:"\\|?*'),
    ("trailing dot.", 403),
    ("trailing space ", 403),
    ("...", 403),
    (" ", 403),
    ("CON", 403),
    ("con", 403),
    ("nul.txt", 403),
    ("Com1.tar.gz", 403),
    ("LPT9", 403),
    ("aux .txt", 403),
    ("conin$", 403),
    ("com¹", 403),
    ("a" * 256, 403),
    ("é" * 128, 403),
    # What no name has: 400.
    ("a\x00b", 400),
    ("a\nb", 400),
    ("a\x7fb", 400),
    ("a\x85b", 400),
    ("a\u2028b", 400),
    ("a\ufffeb", 400),
    (".", 400),
    ("..", 400),
]
RAW = [
    ("a%2Fb", 400),
    ("a%2fb", 400),
    ("%2e%2e", 400),
    ("%2E", 400),
    ("%2e%2e/%2e%2e/secrets", 400),
    ("../conseil/x", 400),
    ("%ff", 400),
    ("caf%e9", 400),
    ("%c3%28", 400),
    ("%ed%a0%80", 400),
    ("%c0%af", 400),
    ("%zz", 400),
    ("100%", 400),
    ("%", 400),
]
EVERY = [(quote(name, safe=""), status) for name, status in REFUSED if "/" not in name] + RAW


@pytest.mark.parametrize("name, status", EVERY)
def test_names_that_are_refused(hall: Hall, bruno: Client, name: str, status: int) -> None:
    bruno.put(at("there"), b"there")
    bruno.mkcol(at("folder"))
    before = hall.snapshot()
    address = f"/spaces/conseil/{name}"
    for reply in (
        bruno.put(address, b"new"),
        bruno.mkcol(address),
        bruno.lock(address),
        bruno.copy(at("there"), address),
        bruno.move(at("there"), address),
        bruno.copy(at("folder"), address),
        bruno.move(at("folder"), address),
    ):
        # WebDAV has no precondition for it, so the sentence must do.
        assert (reply.status, hall.snapshot()) == (status, before), reply
        assert reply.body.endswith(b".\n")
    for method in ("GET", "DELETE", "PROPFIND"):
        reply = bruno.request(method, address)
        assert reply.status == (404 if status == 403 else 400), method
    assert hall.snapshot() == before


def test_what_has_such_a_name_on_the_disk_is_served(hall: Hall, bruno: Client) -> None:
    for name in ("a:b", "trailing.", "CON", "?"):
        hall.write("conseil", name, b"content")
        assert name in bruno.list(at(""))
        assert bruno.get(at(name)).body == b"content"
        assert bruno.put(at(name), b"new").status == 204
        assert bruno.move(at(name), at("renamed")).status == 201
        assert bruno.delete(at("renamed")).status == 204
    hall.consistent()


@pytest.fixture
def either(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    yield from town(tmp_path / "data", database_url)


def test_a_path_can_be_long_and_no_longer(either: Hall) -> None:
    bruno = either.client("bruno")
    # Letters that no index makes shorter.
    letters = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(70))
    path, status = "", 201
    while status == 201:
        path = f"{path}/{letters[len(path) % 60 :]}{letters[: len(path) % 60]}".lstrip("/")
        status = bruno.mkcol(at(path)).status
    assert (status, len(path.encode()) > 2_000) == (403, True)
    assert bruno.put(at(path)).status == 403
    inside = at(f"{path.rpartition('/')[0]}/y")
    assert bruno.put(inside, b"y").status == 201
    assert bruno.get(inside).body == b"y"
    assert bruno.proppatch(inside, {"{urn:x}" + letters: "long"}).status == 207
    assert bruno.lock(inside).status == 200
    first = at(path.partition("/")[0])
    assert bruno.copy(first, at("short")).status == 201
    assert bruno.delete(at("short")).status == 204


def test_nothing_is_moved_to_where_it_could_not_be_found(hall: Hall, bruno: Client) -> None:
    path = ""
    for letter in "abcdefghi":
        path = f"{path}/{letter * 200}".lstrip("/")
        assert bruno.mkcol(at(path)).status == 201
    bruno.mkcol(at("z" * 200))
    before = hall.snapshot()
    for request in (bruno.move, bruno.copy):
        reply = request(at("a" * 200), at(f"{'z' * 200}/{'y' * 200}"))
        assert (reply.status, hall.snapshot()) == (403, before)
    assert bruno.copy(at("a" * 200), at(f"{'z' * 200}/y"), depth="0").status == 201
    assert bruno.move(at("a" * 200), at(f"{'z' * 100}")).status == 201
    hall.consistent()


# The two forms of Unicode

NFC, NFD = (unicodedata.normalize(form, "Délibération.odt") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("on_disk", [NFC, NFD], ids=["NFC", "NFD"])
@pytest.mark.parametrize("sent", [NFC, NFD], ids=["NFC sent", "NFD sent"])
def test_both_forms_are_one_name_in_every_method(
    hall: Hall, bruno: Client, on_disk: str, sent: str
) -> None:
    hall.write("conseil", on_disk, b"old")
    hall.disk("conseil", unicodedata.normalize("NFD", "été")).mkdir()
    address, other = at(sent), at(NFD if sent == NFC else NFC)
    # It is found, and listed once.
    assert bruno.get(address).body == b"old"
    assert bruno.list(at("")) == [NFC, "été"]
    assert bruno.propfind(address, "getetag").status == 207
    assert bruno.put(address, b"new").status == 204
    assert sorted(os.listdir(hall.disk("conseil"))) == sorted(
        [on_disk, unicodedata.normalize("NFD", "été")]
    )
    assert bruno.mkcol(address).status == 405
    # What is said of it in one form holds in the other.
    bruno.proppatch(address)
    assert "{urn:x}colour" in bruno.propfind(other, "{urn:x}colour").props()
    token = bruno.lock(address).token
    assert bruno.put(other, b"newer").status == 423
    assert bruno.put(other, b"newer", if_=f"<{address}> ({token})").status == 204
    assert bruno.unlock(other, token).status == 204
    assert bruno.copy(address, other).status == 403
    assert bruno.move(address, other).status == 403
    # In a Destination, and on the way to what is asked for.
    inside = at(f"{unicodedata.normalize('NFC', 'été')}/{sent}")
    assert bruno.copy(address, inside).status == 201
    assert bruno.move(address, inside).status == 204
    assert bruno.get(at(f"{unicodedata.normalize('NFD', 'été')}/{sent}")).body == b"newer"
    assert bruno.delete(inside).status == 204
    assert bruno.list(at(""), "infinity") == ["été"]
    hall.consistent()


def test_two_of_one_name_on_the_disk_are_shown_once(hall: Hall, bruno: Client) -> None:
    for name in (NFC, NFD):
        hall.write("conseil", name, name.encode())
    hall.known.add("There are two of this name, of which one is seen.")
    assert bruno.list(at("")) == [NFC]
    shown = bruno.propfind(at(""), "getetag", depth="1").text("getetag", NFC)
    assert bruno.get(at(NFC)).etag == shown
    hall.disk("conseil", NFD).unlink()
    hall.known.clear()
    hall.recount("conseil")


def test_what_is_no_text_on_the_disk_is_not_shown(hall: Hall, bruno: Client) -> None:
    (Path(os.fsdecode(bytes(hall.disk("conseil")) + b"/caf\xe9"))).write_bytes(b"")
    hall.write("conseil", "café", b"text")
    hall.known.add("This name cannot be written in Unicode, so that nobody sees it.")
    assert bruno.list(at("")) == ["café"]
    assert bruno.list(at(""), "infinity") == ["café"]
    assert bruno.get(at("")).body.decode() == "café\n"


# Links and special files

TARGETS = {
    "file": "there.txt",
    "folder": "folder",
    "outside": "/etc",
    "outside file": "/etc/passwd",
    "up": "..",
    "other space": "../secret",
    "dangling": "nothing",
    "itself": "link",
    "special": None,
}


@pytest.mark.parametrize("kind", TARGETS)
def test_links_and_special_files_are_not_there(hall: Hall, bruno: Client, kind: str) -> None:
    hall.known.add("This is no document and no folder, so that nobody sees it.")
    hall.space("secret", {})
    hall.write("secret", "inside.txt", b"secret")
    hall.write("conseil", "there.txt", b"there")
    hall.write("conseil", "folder/inside.txt", b"inside")
    link, target = hall.disk("conseil", "link"), TARGETS[kind]
    if target is None:
        os.mkfifo(link)
    else:
        link.symlink_to(target)
    hall.recount("conseil")
    before = hall.snapshot()

    assert bruno.list(at("")) == ["folder", "there.txt"]
    assert bruno.list(at(""), "infinity") == ["folder", "inside.txt", "there.txt"]
    assert bruno.get(at("")).body == b"folder/\nthere.txt\n"
    for path in ("link", "link/", "link/inside.txt", "link/passwd", "link/secret/inside.txt"):
        for method in ("GET", "HEAD", "PROPFIND", "DELETE", "PROPPATCH", "UNLOCK"):
            body = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><a/></D:prop></D:set>"
            reply = bruno.request(
                method,
                at(path),
                f"{body}</D:propertyupdate>" if method == "PROPPATCH" else "",
                {"Lock-Token": "<urn:x>"},
            )
            assert reply.status == 404, (method, path)
        for method in ("COPY", "MOVE"):
            reply = bruno.request(method, at(path), headers={"Destination": at("new")})
            assert reply.status == 404, (method, path)
    # Nothing is put in its place, nor through it.
    for path, status in (("link", 403), ("link/new", 409), ("link/inside.txt", 409)):
        for reply in (
            bruno.put(at(path), b"new"),
            bruno.mkcol(at(path)),
            bruno.lock(at(path)),
            bruno.copy(at("there.txt"), at(path)),
            bruno.copy(at("folder"), at(path)),
            bruno.move(at("there.txt"), at(path)),
            bruno.move(at("folder"), at(path)),
        ):
            assert (reply.status, hall.snapshot()) == (status, before), path
    hall.consistent()


def test_a_tree_with_links_is_copied_without_them_and_moved_with_them(
    hall: Hall, bruno: Client
) -> None:
    hall.known.add("This is no document and no folder, so that nobody sees it.")
    hall.write("conseil", "folder/inside.txt", b"inside")
    hall.disk("conseil", "folder/link").symlink_to("/etc")
    os.mkfifo(hall.disk("conseil", "folder/pipe"))
    hall.recount("conseil")
    assert bruno.copy(at("folder"), at("copy")).status == 201
    assert os.listdir(hall.disk("conseil", "copy")) == ["inside.txt"]
    assert bruno.move(at("folder"), at("moved")).status == 201
    assert os.readlink(hall.disk("conseil", "moved/link")) == "/etc"
    assert bruno.delete(at("moved")).status == 204
    assert "/etc" in str(hall.history("conseil"))
    assert Path("/etc/passwd").exists()
    hall.consistent()


def test_a_space_whose_folder_is_a_link_is_not_followed(hall: Hall, bruno: Client) -> None:
    hall.disk("conseil").rmdir()
    hall.disk("conseil").symlink_to("/etc")
    for address in (at(""), at("passwd"), href("conseil")):
        assert bruno.get(address).status == 404
    assert bruno.list("/spaces/") == []
    assert bruno.put(at("new")).status == 409
    hall.disk("conseil").unlink()
    hall.disk("conseil").mkdir()
