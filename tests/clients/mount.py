"""davfs2: a folder of a space, as one of the file system."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.program import Account, Home
from tests.server.process import Server

mounting = pytest.mark.skipif(
    not os.access("/dev/fuse", os.W_OK) or os.geteuid() != 0,
    reason="mounting needs /dev/fuse and root; this machine gives only part of that",
)
"""What every test needs that mounts something."""

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


@contextmanager
def mounted(
    home: Home, server: Server, account: Account, folder: str, point: Path
) -> Iterator[Mount]:
    """Mount `folder`, the path of one on the server, at `point`."""
    # davfs2 serves the mount as an account of its own, to which pytest's folders are closed.
    with tempfile.TemporaryDirectory(prefix="davfs2-") as cache:
        shutil.chown(cache, "root", "davfs2")
        Path(cache).chmod(0o775)
        url = server.url + folder
        secrets = home.write("secrets", f'"{url}" "{account.login}" "{account.password}"\n')
        conf = home.write("davfs2.conf", CONF.format(cache=cache, secrets=secrets))
        point.mkdir()
        # Home.run ends what it leaves behind in its session: it must have a session of its own.
        served = Path("/run/mount.davfs") / f"{str(point).strip('/').replace('/', '-')}.pid"
        wait = f"until test -s {served}; do sleep 0.1; done"
        home.run("sh", "-euc", f"mount.davfs -o conf={conf} {url} {point}; {wait}")
        mount = Mount(home, point)
        try:
            yield mount
        finally:
            if point.is_mount():
                mount.unmount()
