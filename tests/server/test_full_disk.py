"""A disk that is full, a real one of a few MiB: every verb is refused or done, and all goes on.

Mounting it takes a superuser, who need not be one of this machine: where the tests run as
somebody else, they run once more as the superuser of a user namespace.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from davserver.documents import check, counts, retention
from davserver.upkeep import SERVER
from tests.integration.documents_client import COLOUR, DAV, Client, Hall, at, plant, town
from tests.integration.verbs import CASES, Deed, ask, furnish, put
from tests.server.postgres import Postgres
from tests.server.town import SPACE, Town, event

MIB = 1 << 20
SIZE = 12 * MIB
# A block, as large disks have them. With smaller ones SQLite, which maps its shared memory, is
# killed by the kernel when a page of it cannot be filled.
STEP = 4096
# With so much room each of the verbs succeeds.
ENOUGH = 2 * MIB
FULL = "{DAV:}sufficient-disk-space"


def run(*command: str) -> bool:
    """Run a command as an administrator would; tell whether it succeeded."""
    return subprocess.run(command, capture_output=True, timeout=60).returncode == 0


@functools.cache
def may_mount() -> bool:
    return os.geteuid() == 0 and run("unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt")


@functools.cache
def may_have_a_namespace() -> bool:
    return run(*_NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt")


_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@dataclass
class Disk:
    """A small disk, mounted at `root`."""

    root: Path

    @property
    def free(self) -> int:
        status = os.statvfs(self.root)
        return status.f_bfree * status.f_frsize

    def fill(self, left: int = 0) -> None:
        """Leave so many bytes free."""
        self.clear()
        with (self.root / "ballast").open("wb", buffering=0) as file:
            size = self.free - left
            while size > 0:
                # What the file itself takes is not known beforehand.
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                    break
                except OSError:
                    size -= STEP
            with suppress(OSError):
                while not left:
                    file.write(bytes(STEP))

    def clear(self) -> None:
        """Make room again."""
        (self.root / "ballast").unlink(missing_ok=True)


@contextmanager
def mounted(root: Path, kind: str) -> Iterator[Disk]:
    """A disk of `SIZE` bytes, in memory or in a file."""
    if not may_mount():
        elsewhere = "they ran in a namespace" if may_have_a_namespace() else "nobody may mount one"
        pytest.skip(f"a small disk: {elsewhere} on this machine")
    root.mkdir()
    if kind == "tmpfs":
        assert run("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(root))
    else:
        image = root.with_suffix(".img")
        image.write_bytes(b"")
        os.truncate(image, SIZE)
        assert run("mkfs.ext4", "-q", "-m", "0", "-b", str(STEP), str(image))
        if not run("mount", "-o", "loop", str(image), str(root)):
            pytest.skip("a disk in a file: this machine has no loop device to spare")
    try:
        yield Disk(root)
    finally:
        assert run("umount", str(root)) or run("umount", "--lazy", str(root))


def test_in_a_namespace_who_may_not_mount_here() -> None:
    if may_mount() or not may_have_a_namespace():
        return
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    # PostgreSQL refuses to run as root, and there is nobody else in there.
    done = subprocess.run(
        [*_NAMESPACE, *command, "-k", "not postgresql"],
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1], done.stdout


# Everything that changes something

EVENT = "/calendars/bruno/conseil/e.ics"
ICAL = {"Content-Type": "text/calendar; charset=utf-8"}
AGENDA: dict[str, tuple[tuple[Deed, ...], Deed]] = {
    "put an event": ((), ask("PUT", EVENT, body=event("e", "x" * 3000), headers=ICAL)),
    "put over an event": (
        (ask("PUT", EVENT, body=event("e", "first"), headers=ICAL),),
        ask("PUT", EVENT, body=event("e", "x" * 3000), headers=ICAL),
    ),
    "delete an event": (
        (ask("PUT", EVENT, body=event("e", "first"), headers=ICAL),),
        ask("DELETE", EVENT),
    ),
    "move an event": (
        (ask("PUT", EVENT, body=event("e", "first"), headers=ICAL),),
        ask("MOVE", EVENT, "/calendars/bruno/projet/e.ics"),
    ),
    "make a calendar": ((), ask("MKCALENDAR", "/calendars/bruno/own")),
    "delete a calendar": (
        (ask("MKCALENDAR", "/calendars/bruno/own"),),
        ask("DELETE", "/calendars/bruno/own"),
    ),
    "rename a calendar": (
        (ask("MKCALENDAR", "/calendars/bruno/own"),),
        ask(
            "PROPPATCH",
            "/calendars/bruno/own",
            body='<propertyupdate xmlns="DAV:"><set><prop><displayname>Mine</displayname></prop>'
            "</set></propertyupdate>",
        ),
    ),
}
VERBS: dict[str, tuple[tuple[Deed, ...], Deed]] = {
    name: (case.before, case.deed) for name, case in CASES.items() if not case.lacking
} | AGENDA
# One of each kind, for where each takes long.
SOME = [
    *("put a large document", "put over a document", "make a folder", "lock what is not there"),
    *("set a property", "delete a folder", "move over a folder", "copy a folder"),
    *("restore a folder", "copy a folder from the past", "rewind a rewind", "put an event"),
]
DISKS = [
    *(("tmpfs", "sqlite", name) for name in VERBS),
    *(("tmpfs", "postgresql", name) for name in VERBS if name not in AGENDA),
    *(("ext4", "sqlite", name) for name in SOME),
]


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", getattr(request, "param", "tmpfs")) as disk:
        yield disk


def database(request: pytest.FixtureRequest, kind: str, disk: Disk) -> str:
    if kind == "sqlite":
        return f"sqlite:///{disk.root}/davserver.db"
    cluster = request.getfixturevalue("postgres")
    assert isinstance(cluster, Postgres)
    return cluster.create_database()


@pytest.mark.parametrize(("disk", "kind", "name"), DISKS, indirect=["disk"])
def test_verb_on_a_full_disk(
    request: pytest.FixtureRequest, disk: Disk, kind: str, name: str
) -> None:
    """With ever more room, until there is enough."""
    before, deed = VERBS[name]
    for hall in town(disk.root / "data", database(request, kind, disk)):
        furnish(hall)
        for one in before:
            assert one(hall) < 300
        state = visible(hall)
        for left in range(0, ENOUGH, STEP):
            # SQLite's log begins anew: else it would have room in what it has used already.
            hall.restart()
            read_all(hall)
            disk.fill(left)
            status = deed(hall)
            read_all(hall)
            if status < 300:
                break
            assert (status, visible(hall)) == (507, state), left
            disk.clear()
        assert status < 300
        assert found(hall) == set()
        disk.clear()
        assert put(at("afterwards.txt"))(hall) == 201
        hall.later(days=2)
        hall.app.recover()


def visible(hall: Hall) -> tuple[object, ...]:
    """All that must be as it was, and what `check` finds. Empty directories are made on the way,
    and what was staged may have to wait for the next start."""
    snapshot = hall.snapshot()
    disk = {
        path: what
        for path, what in snapshot.disk.items()
        if what != "folder" and not path.startswith("staging/")
    }
    documents = {slug: hall.documents(slug) for slug in ("conseil", "projet")}
    return disk, documents, snapshot.tables, snapshot.journal, found(hall)


def found(hall: Hall) -> set[str]:
    return {one.problem for one in check.findings(hall.database, hall.store, hall.now)}


def read_all(hall: Hall) -> None:
    """Reading goes on, however full the disk is."""
    bruno = hall.client("bruno")
    for path, content in hall.documents("conseil").items():
        if content is not None:
            reply = bruno.get(at(path))
            assert (reply.status, reply.body) == (200, content)
    assert bruno.propfind(at(""), depth="infinity").status == 207
    assert bruno.propfind("/calendars/bruno/", depth="1").status == 207
