"""davfs2: the space as a folder of the file system, used with ordinary shell commands."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.dav import Dav
from tests.clients.program import Account, Home
from tests.server.process import Server

pytestmark = [
    pytest.mark.needs("mount.davfs"),
    pytest.mark.skipif(
        not os.access("/dev/fuse", os.W_OK) or os.geteuid() != 0,
        reason="mounting needs /dev/fuse and root; this machine gives only part of that",
    ),
]

CONF = """\
ask_auth 0
delay_upload 0
gui_optimize 0
# With the default of 16 kB, ls fails (EINVAL) on kernels from 6.18 on.
buf_size 64
cache_dir {cache}
secrets {secrets}
"""


class Mount:
    """A mounted folder."""

    def __init__(self, home: Home, point: Path) -> None:
        self.home = home
        self.point = point

    def sh(self, script: str) -> str:
        """Run shell commands in it; the first that fails ends them."""
        return self.home.run("sh", "-euc", script, cwd=self.point).output

    def unmount(self) -> None:
        """Unmount; returns when everything is uploaded."""
        self.home.run("umount", str(self.point))


@pytest.fixture
def cache() -> Iterator[Path]:
    """davfs2 serves the mount as an account of its own, to which pytest's folders are closed."""
    with tempfile.TemporaryDirectory(prefix="davfs2-") as made:
        shutil.chown(made, "root", "davfs2")
        Path(made).chmod(0o775)
        yield Path(made)


@pytest.fixture
def mount(
    home: Home, server: Server, anne: Account, folder: str, cache: Path, tmp_path: Path
) -> Iterator[Mount]:
    url = server.url + folder
    secrets = home.write("secrets", f'"{url}" "{anne.login}" "{anne.password}"\n')
    conf = home.write("davfs2.conf", CONF.format(cache=cache, secrets=secrets))
    point = tmp_path / "mnt"
    point.mkdir()
    home.run("mount.davfs", "-o", f"conf={conf}", url, str(point))
    mounted = Mount(home, point)
    try:
        yield mounted
    finally:
        if point.is_mount():
            mounted.unmount()


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
