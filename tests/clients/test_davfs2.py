"""davfs2: the space as a folder of the file system, used with ordinary shell commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.dav import Dav
from tests.clients.mount import Mount, mounted, mounting
from tests.clients.program import Account, Home
from tests.server.process import Server

pytestmark = [pytest.mark.needs("mount.davfs"), mounting]


@pytest.fixture
def mount(
    home: Home, server: Server, anne: Account, folder: str, tmp_path: Path
) -> Iterator[Mount]:
    with mounted(home, server, anne, folder, tmp_path / "mnt") as mount:
        yield mount


def test_ordinary_commands(mount: Mount, dav: Dav, folder: str, local: Path) -> None:
    content = os.urandom(3_000_000)
    (local / "plan.bin").write_bytes(content)
    mount.sh(f"""
        cp {local}/plan.bin .
        mkdir -p 'Conseil municipal/séance du 3/annexes'
        echo première > 'Conseil municipal/séance du 3/ordre du jour.txt'
        cat >> 'Conseil municipal/séance du 3/ordre du jour.txt' <<END
seconde
END
        cp plan.bin 'Conseil municipal/séance du 3/annexes/ça & là.bin'
        mv plan.bin plan-définitif.bin
        : > vide
        mkdir éphémère
        echo x > éphémère/x
        cmp plan-définitif.bin {local}/plan.bin
    """)
    assert set(mount.sh("ls -1A").split("\n")) - {""} >= {
        "Conseil municipal",
        "plan-définitif.bin",
        "vide",
        "éphémère",
    }
    mount.sh("rm -r éphémère")
    mount.unmount()

    seen = folder + "Conseil%20municipal/s%C3%A9ance%20du%203/"
    assert dav.names(folder) == {"Conseil municipal/", "plan-définitif.bin", "vide"}
    assert dav.names(seen) == {"ordre du jour.txt", "annexes/"}
    assert dav.get(seen + "ordre%20du%20jour.txt").decode() == "première\nseconde\n"
    assert dav.get(seen + "annexes/%c3%a7a%20&%20l%c3%a0.bin") == content
    assert dav.get(folder + "plan-d%C3%A9finitif.bin") == content
    assert dav.get(folder + "vide") == b""


def test_an_overwrite_and_a_rename_over(mount: Mount, dav: Dav, folder: str) -> None:
    """What editors do when they save: write beside, then rename over."""
    mount.sh("""
        echo one > note.txt
        echo two > note.txt
        echo three > .note.txt.new
        mv -f .note.txt.new note.txt
        test "$(cat note.txt)" = three
    """)
    mount.unmount()
    assert dav.get(folder + "note.txt") == b"three\n"
    assert dav.names(folder) == {"note.txt"}
    assert dav.locks(folder + "note.txt") == 0


@pytest.fixture
def put_before(dav: Dav, folder: str) -> None:
    """What another client put before the folder is mounted."""
    dav.put(folder + "par%20un%20autre.txt", b"from another client")


def test_free_space_and_what_others_put(put_before: None, mount: Mount) -> None:
    assert mount.sh("cat 'par un autre.txt'") == "from another client"
    columns = mount.sh("df -k --output=size,used,avail .").splitlines()[1].split()
    assert all(column.isdecimal() for column in columns), columns
