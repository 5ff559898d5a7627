"""Real programs save a document several times over: each time it has one version more, which the
history gives back as it was, and keeps its property and its secrecy."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from tests.clients.dav import Dav
from tests.clients.front import Front
from tests.clients.mount import Mount, mounted, mounting
from tests.clients.program import Account, Home
from tests.clients.test_libreoffice import odt, text_of
from tests.clients.test_rclone import Rclone
from tests.server.process import Server
from tests.server.town import WITHIN

COLOUR = "{urn:x}colour"
PROPPATCH = b"""<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>
<colour xmlns="urn:x">red</colour></D:prop></D:set></D:propertyupdate>"""
PROPFIND = b"""<D:propfind xmlns:D="DAV:"><D:prop><colour xmlns="urn:x"/></D:prop></D:propfind>"""


@dataclass
class Document:
    """A document in a restricted folder, and who may and may not know of it."""

    server: Server
    dav: Dav
    outsider: Dav
    folder: str
    name: str = "note.txt"

    @property
    def path(self) -> str:
        return self.folder + self.name

    def make(self, content: bytes) -> None:
        self.first = content
        self.dav.put(self.path, content)
        assert self.dav("PROPPATCH", self.path, PROPPATCH).status == 207
        self.trash = self.dav.names("/history/conseil/trash/")

    def wait(self, content: bytes) -> None:
        """Until this is its content: a mount uploads in its own time."""
        deadline = time.monotonic() + WITHIN
        while (reply := self.dav("GET", self.path)).status != 200 or reply.body != content:
            assert time.monotonic() < deadline, reply
            time.sleep(0.1)

    def versions(self) -> list[bytes]:
        """The former contents, from the places where people are told to look for them."""
        slug, path = self.path.removeprefix("/spaces/").split("/", 1)
        listed = json.loads(self.server.cli("versions", slug, path, "--json").stdout)
        addresses = [quote(one["found_at"]) for one in listed]
        for address in (self.folder, self.path, *addresses):
            assert self.outsider("GET", address).status == 404
        return [self.dav.get(address) for address in addresses]

    def check(self, *leaves: str) -> None:
        """Nothing has gone astray: the property, the names in the folder, the trash, the locks."""
        reply = self.dav("PROPFIND", self.path, PROPFIND, {"Depth": "0"})
        assert ElementTree.fromstring(reply.body).findtext(f".//{COLOUR}") == "red"
        assert self.dav.names(self.folder) == {self.name, *leaves}
        assert self.dav.names("/history/conseil/trash/") == self.trash
        assert self.dav.locks(self.path) == 0
        assert self.server.cli("check").returncode == 0


@pytest.fixture
def document(server: Server, dav: Dav, rene: Account, folder: str) -> Document:
    place = folder.removeprefix("/spaces/").rstrip("/")
    server.cli("folder", "restrict", place)
    server.cli("member", "add", place, "anne", "--role", "contributor")
    return Document(server, dav, Dav(server.url, rene), folder)


@pytest.fixture
def mount(document: Document, home: Home, anne: Account, tmp_path: Path) -> Iterator[Mount]:
    document.make(b"0\n")
    point = tmp_path / "mnt"
    with mounted(home, document.server, anne, document.folder, point) as mount:
        yield mount


# LibreOffice

SAVES = [" adoptée", " à l’unanimité", " le 23 novembre", " 2026"]


@pytest.mark.needs("soffice", "/usr/lib/python3/dist-packages/uno.py", "nginx")
def test_libreoffice(document: Document, home: Home, anne: Account) -> None:
    document.name = "note.odt"
    document.make(odt())
    with Front(home, document.server, anne) as front:
        url = f"http://{front.address}{document.folder}"
        _write(home, url + document.name, url + "copie.odt")
    _check_texts(document)
    document.check("copie.odt")


@pytest.mark.needs("soffice", "/usr/lib/python3/dist-packages/uno.py", "mount.davfs")
@mounting
def test_libreoffice_on_a_mount(
    document: Document, home: Home, anne: Account, tmp_path: Path
) -> None:
    document.name = "note.odt"
    document.make(odt())
    point = tmp_path / "mnt"
    with mounted(home, document.server, anne, document.folder, point) as mount:
        _write(home, f"file://{point}/note.odt", f"file://{point}/copie.odt")
        mount.unmount()
    _check_texts(document)
    document.check("copie.odt")


def _write(home: Home, url: str, url_as: str) -> None:
    script = str(Path(__file__).with_name("writer.py"))
    ran = home.run("/usr/bin/python3", script, url, url_as, *SAVES, timeout=240)
    assert ran.output.split("\n").count("stored") == len(SAVES), str(ran)


def _check_texts(document: Document) -> None:
    """Each version says what had been added until then."""
    contents = [*document.versions(), document.dav.get(document.path)]
    for number, content in enumerate(contents):
        said = text_of(content)
        assert [text in said for text in SAVES] == [n < number for n in range(len(SAVES))], said
    assert len(contents) == len(SAVES) + 1
    assert contents[0] == document.first


# davfs2

EDITORS = {
    "vim": ("touch 4913; rm 4913; mv {0} {0}~; echo {1} > {0}; rm {0}~", ()),
    "Emacs": ("mv -f {0} {0}~; echo {1} > {0}", ("note.txt~",)),
    "gedit": ("echo {1} > .goutputstream-AB12CD; mv -f .goutputstream-AB12CD {0}", ()),
    "gedit with backups": (
        "echo {1} > .goutputstream-AB12CD; mv -f {0} {0}~; mv .goutputstream-AB12CD {0}",
        ("note.txt~",),
    ),
    "Word": (
        "echo {1} > '~WRD0001.tmp'; mv {0} '~WRL0001.tmp'; mv '~WRD0001.tmp' {0}; "
        "rm '~WRL0001.tmp'",
        (),
    ),
    "what deletes first": ("echo {1} > new.tmp; rm {0}; mv new.tmp {0}", ()),
    "what writes over": ("echo {1} > {0}", ()),
}


@pytest.mark.parametrize("editor", EDITORS)
@pytest.mark.needs("mount.davfs")
@mounting
def test_editors_on_davfs2(editor: str, document: Document, mount: Mount) -> None:
    script, leaves = EDITORS[editor]
    for number in range(1, 4):
        mount.sh(script.format(document.name, number))
        # It uploads in its own time.
        document.wait(f"{number}\n".encode())
    mount.unmount()
    assert document.versions() == [b"0\n", b"1\n", b"2\n"]
    document.check(*leaves)


@pytest.mark.parametrize("editor", EDITORS)
@pytest.mark.needs("rclone", "fusermount3")
@mounting
def test_editors_on_a_mount_that_uploads_later(
    editor: str, document: Document, home: Home, anne: Account, tmp_path: Path
) -> None:
    """By then the backup has been deleted already."""
    document.make(b"0\n")
    script, leaves = EDITORS[editor]
    rclone = Rclone(home, document.server, anne, "nextcloud")
    with rclone.mounted(f"town:{document.folder}", tmp_path / "mnt") as mount:
        for number in range(1, 4):
            mount.sh(script.format(document.name, number))
            document.wait(f"{number}\n".encode())
    assert document.versions() == [b"0\n", b"1\n", b"2\n"]
    document.check(*leaves)


# Others


@pytest.mark.needs("gio", "/usr/lib/gvfs/gvfsd-dav", "dbus-run-session")
def test_gvfs(document: Document, home: Home, anne: Account, local: Path) -> None:
    document.make(b"0")
    (local / "copied").write_bytes(b"2")
    url = document.server.url.replace("http://", "dav://") + document.folder.rstrip("/")
    address = shlex.quote(f"{url}/{document.name}")
    script = f"""set -eu
        printf '%s\\n%s\\n' {anne.login} {shlex.quote(anne.password)} | gio mount {url}
        printf 1 | gio save {address}
        gio copy {shlex.quote(str(local))}/copied {address}
        etag=$(gio info -a etag::value {address} | sed -n 's/.*etag::value: //p')
        printf 3 | gio save --etag "$etag" {address}
        printf 4 | gio save {url}/.goutputstream-AB12CD
        gio move {url}/.goutputstream-AB12CD {address}
        gio mount -u {url}"""
    home.run(
        *("dbus-run-session", "--", "sh", "-c", script),
        timeout=120,
        environment={"GVFS_DISABLE_FUSE": "1", "GIO_USE_VFS": "gvfs"},
    )
    assert document.versions() == [b"0", b"1", b"2", b"3"]
    assert document.dav.get(document.path) == b"4"
    document.check()


@pytest.mark.needs("rclone")
@pytest.mark.parametrize("vendor", ["other", "nextcloud"])
def test_rclone(vendor: str, document: Document, home: Home, anne: Account, local: Path) -> None:
    document.make(b"0" * 100)
    rclone = Rclone(home, document.server, anne, vendor)
    note = local / document.name
    contents = [f"{number}".encode() * (100 + number) for number in range(1, 4)]
    for number, content in enumerate(contents):
        note.write_bytes(content)
        os.utime(note, (1_700_000_000 + number, 1_700_000_000 + number))
        rclone("copy", str(local), f"town:{document.folder}")
    # Once more, of what is there already.
    rclone("copyto", "--ignore-times", str(note), f"town:{document.path}")
    assert document.versions() == [b"0" * 100, *contents[:-1]]
    assert document.dav.get(document.path) == contents[-1]
    document.check()


# It is by the time, in seconds, that cadaver sees a change.
EDITOR = """#!/bin/sh
n=$(cat "$1")
echo $((n + 1)) > "$1"
touch -d '1 minute' "$1"
"""


@pytest.mark.needs("cadaver")
def test_cadaver(document: Document, home: Home, anne: Account) -> None:
    document.make(b"0\n")
    home.write(
        ".netrc",
        f"machine {document.server.host}\nlogin {anne.login}\npassword {anne.password}\n",
    )
    editor = home.write("editor", EDITOR, 0o755)
    edits = f"edit {document.name}\n" * 3
    ran = home.run(
        "cadaver",
        document.server.url + document.folder,
        input=f"{edits}quit\n",
        environment={"EDITOR": str(editor)},
    )
    assert document.versions() == [b"0\n", b"1\n", b"2\n"], str(ran)
    assert document.dav.get(document.path) == b"3\n"
    document.check()
