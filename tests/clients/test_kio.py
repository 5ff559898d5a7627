"""KIO, the network drive of Dolphin and of every KDE program, through `kioclient5`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.clients.dav import Dav
from tests.clients.front import Front
from tests.clients.program import Account, Finished, Home
from tests.server.process import Server

pytestmark = pytest.mark.needs("kioclient5", "dbus-run-session", "nginx")


class Kio:
    """The program, and the folder's address in two ways.

    `root` holds the login and the password. KIO does not always send them again after a 401
    (never with a PUT): it opens a window to ask. `front` is the way through nginx, which adds
    them.
    """

    def __init__(
        self, home: Home, server: Server, front: Front, account: Account, folder: str
    ) -> None:
        self.home = home
        # It would ask in a window for a wallet to put the password into, and wait for ever.
        home.write(".config/kwalletrc", "[Wallet]\nEnabled=false\n")
        pair = f"{quote(account.login, safe='')}:{quote(account.password, safe='')}"
        self.root = f"webdav://{pair}@{server.host}:{server.port}{folder}"
        self.front = f"webdav://{front.address}{folder}"

    def __call__(self, *args: str) -> Finished:
        # KIO keeps what its caller gave it to write to open: Home.run gives it files.
        return self.home.run(
            *("dbus-run-session", "--", "kioclient5", "--noninteractive", *args),
            timeout=60,
            environment={"QT_QPA_PLATFORM": "offscreen"},
        )


@pytest.fixture
def kio(home: Home, server: Server, anne: Account, folder: str) -> Iterator[Kio]:
    with Front(home, server, anne) as front:
        yield Kio(home, server, front, anne, folder)


def test_copy_there_and_back(kio: Kio, dav: Dav, folder: str, local: Path) -> None:
    content = bytes(range(256)) * 4_000
    (local / "plan.bin").write_bytes(content)
    (local / "à lire.txt").write_text("noté\n")
    kio("copy", str(local / "plan.bin"), kio.front + "plan.bin")
    kio("copy", str(local / "à lire.txt"), kio.front + "%C3%A0%20lire.txt")
    assert dav.names(folder) == {"plan.bin", "à lire.txt"}
    assert dav.get(folder + "plan.bin") == content
    assert kio("cat", kio.front + "%C3%A0%20lire.txt").output == "noté\n"
    assert set(kio("ls", kio.front).output.split("\n")) >= {"plan.bin", "à lire.txt"}
    kio("copy", kio.front + "plan.bin", str(local / "back.bin"))
    assert (local / "back.bin").read_bytes() == content


def test_overwrite(kio: Kio, dav: Dav, folder: str, local: Path) -> None:
    """KIO asks for the free space of the file itself first, and believes an empty answer."""
    dav.put(folder + "note.txt", b"before")
    (local / "note.txt").write_bytes(b"after, and longer")
    kio("--overwrite", "copy", str(local / "note.txt"), kio.front + "note.txt")
    assert dav.get(folder + "note.txt") == b"after, and longer"


def test_move(kio: Kio, dav: Dav, folder: str) -> None:
    """Its Destination holds the login and the password too: only the host may be compared."""
    dav.mkcol(folder + "dossier/")
    dav.put(folder + "note.txt", b"text")
    kio("move", kio.root + "note.txt", kio.root + "dossier/d%C3%A9plac%C3%A9e.txt")
    assert dav.names(folder) == {"dossier/"}
    assert dav.get(folder + "dossier/d%C3%A9plac%C3%A9e.txt") == b"text"
    kio("move", kio.root + "dossier", kio.root + "archives")
    assert dav.names(folder) == {"archives/"}
    assert dav.names(folder + "archives/") == {"déplacée.txt"}


def test_a_folder_and_remove(kio: Kio, dav: Dav, folder: str, local: Path) -> None:
    tree = local / "séance"
    (tree / "annexes").mkdir(parents=True)
    (tree / "ordre du jour.txt").write_text("1. budget\n")
    (tree / "annexes/vide.txt").write_bytes(b"")
    kio("copy", str(tree), kio.front)
    assert dav.names(folder + "s%C3%A9ance/") == {"annexes/", "ordre du jour.txt"}
    assert dav.get(folder + "s%C3%A9ance/annexes/vide.txt") == b""
    kio("remove", kio.front + "s%C3%A9ance/ordre%20du%20jour.txt")
    assert dav.names(folder + "s%C3%A9ance/") == {"annexes/"}
    kio("remove", kio.front + "s%C3%A9ance")
    assert dav.names(folder) == set()
