"""cadaver: commands typed at its prompt, and a password from ~/.netrc."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.dav import Dav
from tests.clients.program import Account, Finished, Home
from tests.server.process import Server

pytestmark = pytest.mark.needs("cadaver")


@pytest.fixture
def netrc(home: Home, server: Server, anne: Account) -> None:
    home.write(".netrc", f"machine {server.host}\nlogin {anne.login}\npassword {anne.password}\n")


def typed(home: Home, url: str, *lines: str) -> Finished:
    """Type the lines; cadaver's status is always 0, so what it says is judged."""
    ran = home.run("cadaver", url, input="".join(f"{line}\n" for line in (*lines, "quit")))
    assert "failed" not in ran.output.lower(), str(ran)
    return ran


@pytest.mark.usefixtures("netrc")
def test_documents(home: Home, server: Server, dav: Dav, folder: str, local: Path) -> None:
    content = "Procès-verbal de la séance\n".encode() * 1000
    (local / "note.txt").write_bytes(content)
    typed(
        home,
        server.url + folder,
        f"lcd {local}",
        "put note.txt",
        "get note.txt back.txt",
        "mkcol dossier",
        "copy note.txt dossier/copie.txt",
        "move note.txt dossier/déplacé.txt",
        "ls dossier",
    )
    assert (local / "back.txt").read_bytes() == content
    assert dav.names(folder) == {"dossier/"}
    assert dav.names(folder + "dossier/") == {"copie.txt", "déplacé.txt"}
    assert dav.get(folder + "dossier/copie.txt") == content

    typed(home, server.url + folder, "delete dossier/copie.txt", "rmcol dossier")
    assert dav.names(folder) == set()


@pytest.mark.usefixtures("netrc")
def test_properties(home: Home, server: Server, dav: Dav, folder: str) -> None:
    dav.put(folder + "note.txt", b"text")
    ran = typed(
        home,
        server.url + folder,
        "set namespace http://example.org/town/",
        "propset note.txt sujet budget",
        "propget note.txt sujet",
    )
    assert "Value of sujet is: budget" in ran.output, str(ran)
    again = typed(
        home,
        server.url + folder,
        "set namespace http://example.org/town/",
        "propget note.txt sujet",
        "propdel note.txt sujet",
        "propget note.txt sujet",
    )
    assert again.output.count("Value of sujet is: budget") == 1, str(again)


@pytest.mark.usefixtures("netrc")
def test_locks(home: Home, server: Server, dav: Dav, folder: str, local: Path) -> None:
    dav.put(folder + "note.txt", b"before")
    (local / "note.txt").write_bytes(b"after")
    ran = typed(home, server.url + folder, "lock note.txt", "discover note.txt")
    assert "Scope: exclusive  Type: write" in ran.output, str(ran)
    assert dav.locks(folder + "note.txt") == 1
    assert dav("PUT", folder + "note.txt", b"without the token").status == 423

    # A new session has forgotten the token: steal finds it again.
    typed(
        home,
        server.url + folder,
        f"lcd {local}",
        "steal note.txt",
        "put note.txt",
        "showlocks",
        "unlock note.txt",
    )
    assert dav.get(folder + "note.txt") == b"after"
    assert dav.locks(folder + "note.txt") == 0
