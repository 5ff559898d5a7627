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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from davserver.documents import check
from davserver.upkeep import Upkeep
from tests.integration.documents_client import Hall, at, plant, town
from tests.integration.verbs import CASES, Deed, ask, furnish, put
from tests.server.postgres import Postgres
from tests.server.town import LOCKINFO, SPACE, Town, event

MIB = 1 << 20
SIZE = 12 * MIB
# A block, as large disks have them. With smaller ones SQLite, which maps its shared memory, is
# killed by the kernel when a page of it cannot be filled.
STEP = 4096
# With the last of them each of the verbs succeeds.
LEFT = (*range(0, 12 * STEP, STEP), *range(12 * STEP, 2 * MIB, 8 * STEP))
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
def mounted(root: Path, kind: str, size: int = SIZE) -> Iterator[Disk]:
    """A disk of `size` bytes, in memory or in a file."""
    if not may_mount():
        elsewhere = "they ran in a namespace" if may_have_a_namespace() else "nobody may mount one"
        pytest.skip(f"a small disk: {elsewhere} on this machine")
    root.mkdir()
    if kind == "tmpfs":
        assert run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(root))
    else:
        image = root.with_suffix(".img")
        image.write_bytes(b"")
        os.truncate(image, size)
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
    # PostgreSQL refuses to run as root, and there is nobody else in there, nor a loop device.
    done = subprocess.run(
        [*_NAMESPACE, *command, "-k", "not postgresql and not ext4"],
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
# One of each kind; what each of them asks of the system is refused elsewhere, call by call.
DOCUMENTS = {
    name: (CASES[name].before, CASES[name].deed)
    for name in (
        *("put a new document", "put a large document", "put over a document"),
        *("make a folder", "lock what is not there", "set a property", "set the time of a folder"),
        *("delete a document", "delete a folder", "move a folder", "move over a document"),
        *("move to another space", "copy a document", "copy a folder", "copy over a folder"),
        *("restore a folder", "restore over a document", "copy a folder from the past"),
        *("copy the past over the present", "rewind a rewind"),
        *("free what history has kept", "adopt what was changed on the disk"),
    )
}
VERBS: dict[str, tuple[tuple[Deed, ...], Deed]] = DOCUMENTS | AGENDA
SOME = ("put over a document", "make a folder", "delete a folder", "copy a folder")
DISKS = [
    *(("tmpfs", "sqlite", name) for name in VERBS),
    *(("tmpfs", "postgresql", name) for name in SOME),
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
        for left in LEFT:
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


# The real server


@pytest.fixture
def city(disk: Disk) -> Iterator[Town]:
    """A town hall whose data, database and all, lies on a small disk."""
    town = Town.found(disk.root / "data")
    yield town
    town.server.kill()


def _requests() -> Iterator[tuple[str, str, bytes | None, dict[str, str]]]:
    """All that a client may ask for that changes something."""
    to = {"Destination": f"{SPACE}/to"}
    update = (
        b'<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:x">x</x></prop></set>'
        b"</propertyupdate>"
    )
    yield "PUT", f"{SPACE}/new", bytes(5000), {}
    yield "PUT", f"{SPACE}/a", bytes(5000), {}
    yield "MKCOL", f"{SPACE}/folder", None, {}
    yield "COPY", f"{SPACE}/a", None, to
    yield "MOVE", f"{SPACE}/a", None, to
    yield "DELETE", f"{SPACE}/a", None, {}
    yield "PROPPATCH", f"{SPACE}/a", update, {}
    yield "LOCK", f"{SPACE}/a", LOCKINFO, {"Depth": "0"}
    yield "PUT", "/calendars/anne/conseil/b.ics", event("b", "new"), {}
    yield "PUT", "/calendars/anne/conseil/a.ics", event("a", "x" * 5000), {}
    yield "DELETE", "/calendars/anne/conseil/a.ics", None, {}
    yield "MKCALENDAR", "/calendars/anne/own", None, {}


def test_the_server_goes_on(city: Town, disk: Disk) -> None:
    agenda = "/calendars/anne/conseil/a.ics"

    def reads() -> None:
        assert city.ask("bruno", "GET", f"{SPACE}/a").body == b"a document"
        assert city.ask("anne", "GET", agenda).body == event("a", "an event")
        for path in (SPACE, "/history/conseil", "/calendars/anne/conseil"):
            assert city.ask("anne", "PROPFIND", path, None, ("Depth", "1")).status == 207

    with city.server:
        city.put(f"{SPACE}/a", b"a document")
        city.put(agenda, event("a", "an event"))
        # Whoever comes for the first time is let in, too, though nobody can note it.
        city.account("claire", "Une phrase assez longue 1")
        city.cli("member", "add", "conseil", "claire", "--role", "reader")
        # What SQLite's log has room for is used up, so that nothing can be written any more.
        disk.fill()
        refused = 0
        for number in range(3000):
            answer = city.ask("anne", "PUT", f"{SPACE}/more-{number}", b"")
            if answer.status == 507:
                refused += 1
                if refused == 3:
                    break
            assert answer.status in (201, 507), answer
        assert refused == 3
        documents = city.documents()
        assert city.ask("claire", "GET", f"{SPACE}/a").body == b"a document"
        for method, path, body, headers in _requests():
            answer = city.ask("anne", method, path, body, *headers.items())
            assert answer.status == 507, (method, path, answer)
            assert FULL.partition("}")[2].encode() in answer.body
            reads()
        assert city.documents() == documents
        assert city.findings() == []
        # A kill changes nothing of that.
        city.server.kill()
        city.server.start()
        reads()
        # Its log begins anew then, in the room that it had.
        assert city.ask("anne", "PUT", f"{SPACE}/a", b"another").status in (204, 507)
        disk.clear()
        for method, path, body, headers in _requests():
            answer = city.ask("anne", method, path, body, *headers.items())
            # What one of them has moved or deleted is not there for the next one.
            assert answer.status in (200, 201, 204, 207, 404), (method, path, answer)
        assert city.findings() == []
        city.check_alive()


def test_commands_on_a_full_disk(city: Town, disk: Disk) -> None:
    """In one sentence, with an exit code that is documented."""
    with city.server:
        city.put(f"{SPACE}/a", b"a document")
        assert city.ask("anne", "MKCOL", f"{SPACE}/folder").status == 201
        city.put(f"{SPACE}/folder/b", b"another")
        assert city.ask("anne", "DELETE", f"{SPACE}/folder").status == 204
        disk.fill()
        for command in (
            ("space", "quota", "conseil"),
            ("check",),
            ("space", "list"),
            ("journal",),
        ):
            assert city.server.cli(*command).returncode == 0
        # There is always room for a few bytes in what the database has used already.
        text = "x" * 50
        codes = set()
        for number in range(300):
            done = city.server.cli("group", "add", f"g{number}", "--title", text, check=False)
            codes.add(done.returncode)
            if done.returncode:
                assert "Traceback" not in done.stderr
                assert len(done.stderr.splitlines()) == 1
                break
        assert 3 in codes and codes <= {0, 3}
    disk.clear()
    assert city.findings() == []


def test_the_upkeep_waits_for_room(disk: Disk) -> None:
    """Nothing is freed by halves, and what waits is done when there is room."""
    for hall in town(disk.root / "data", f"sqlite:///{disk.root}/davserver.db"):
        bruno = hall.client("bruno")
        plant(bruno)
        bruno.put(at("lettre.txt"), b"second")
        bruno.delete(at("dossier"))
        hall.later(days=400)
        before = hall.history("conseil")
        for left in LEFT:
            hall.restart()
            read_all(hall)
            disk.fill(left)
            upkeep = Upkeep(hall.app.documents, hall.settings)
            upkeep._try()
            left_over = hall.history("conseil")
            read_all(hall)
            disk.clear()
            hall.consistent()
            hall.later(hours=1)
            if not left_over:
                break
            assert left_over == before
        assert left_over == {}


# PostgreSQL says it in its own way


def test_a_postgresql_whose_disk_is_full(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The database alone is on the small disk, and its log is not: else PostgreSQL would stop."""
    cluster = request.getfixturevalue("postgres")
    assert isinstance(cluster, Postgres)
    # PostgreSQL's own user may not go through pytest's directories.
    root = cluster.directory / f"disk-{tmp_path.name}"
    with mounted(root, "tmpfs", 4 * SIZE) as disk:
        space = root / "tablespace"
        space.mkdir()
        shutil.chown(space, cluster.user)
        url = cluster.create_database()
        name = sa.make_url(url).database
        cluster.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
        cluster.execute(f"ALTER DATABASE {name} SET TABLESPACE small")
        try:
            _write_until_full(tmp_path, url, disk)
        finally:
            cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")
            cluster.execute("DROP TABLESPACE small")


def _write_until_full(tmp_path: Path, url: str, disk: Disk) -> None:
    for hall in town(tmp_path / "data", url):
        bruno = hall.client("bruno")
        plant(bruno)
        disk.fill()
        for number in range(3000):
            before = visible(hall) if number % 50 == 0 else None
            reply = bruno.put(at(f"{number}.txt"), b"content")
            if reply.status == 507:
                break
            assert reply.status == 201
        assert (reply.status, reply.precondition) == (507, FULL)
        before = visible(hall)
        for _ in range(3):
            assert bruno.put(at("one-more.txt"), b"content").status == 507
            assert visible(hall) == before
        assert bruno.get(at("lettre.txt")).body == b"lettre"
        assert bruno.list(at("dossier")) == ["note.txt", "sous"]
        disk.clear()
        assert bruno.put(at("one-more.txt"), b"content").status == 201
