"""Each verb wholly or not at all, whatever fails meanwhile: the journal, the commit, the disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from acl.journal import Act
from tests.integration.documents_client import (
    CONTRIBUTOR,
    LOCKINFO,
    Client,
    Hall,
    Reply,
    Snapshot,
    at,
    href,
    plant,
    town,
)

PROPERTY = (
    '<propertyupdate xmlns="DAV:"><set><prop><colour xmlns="urn:x">grey</colour>'
    "<getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</getlastmodified></prop></set></propertyupdate>"
)
# Each verb that changes something: method, source, destination.
VERBS = {
    "put a new document": ("PUT", "new.txt", ""),
    "put over a document": ("PUT", "lettre.txt", ""),
    "make a folder": ("MKCOL", "new", ""),
    "lock what is not there": ("LOCK", "new.txt", ""),
    "set properties": ("PROPPATCH", "lettre.txt", ""),
    "delete a document": ("DELETE", "lettre.txt", ""),
    "delete a folder": ("DELETE", "dossier", ""),
    "copy a document": ("COPY", "lettre.txt", at("new.txt")),
    "copy a folder": ("COPY", "dossier", at("new")),
    "copy over a document": ("COPY", "lettre.txt", at("dossier/note.txt")),
    "copy over a folder": ("COPY", "lettre.txt", at("dossier")),
    "move a document": ("MOVE", "lettre.txt", at("new.txt")),
    "move a folder": ("MOVE", "dossier", at("new")),
    "move over a document": ("MOVE", "lettre.txt", at("dossier/note.txt")),
    "move over a folder": ("MOVE", "lettre.txt", at("dossier")),
    "move a folder over a document": ("MOVE", "dossier", at("lettre.txt")),
    "move to another space": ("MOVE", "dossier", href("projet", "new")),
    "move over a document of another space": ("MOVE", "lettre.txt", href("projet", "there.txt")),
}


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", f"sqlite:///{tmp_path}/davserver.db"):
        hall.space("projet", {"bruno": CONTRIBUTOR})
        plant(hall.client("bruno"))
        hall.client("bruno").put(href("projet", "there.txt"), b"there")
        yield hall


def carry_out(client: Client, verb: str) -> Reply:
    method, source, destination = VERBS[verb]
    body = {
        "PUT": "new content",
        "LOCK": LOCKINFO.format(scope="exclusive", owner=""),
        "PROPPATCH": PROPERTY,
    }
    headers = {"Destination": destination} if destination else {}
    return client.request(method, at(source), body.get(method, ""), headers)


def modified(hall: Hall) -> dict[str, int]:
    """When each document was last modified."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in hall.store.spaces.rglob("*")
        if path.is_file()
    }


class Killed(BaseException):
    """The process ends here: nothing that follows happens."""


@contextmanager
def failing(
    patch: pytest.MonkeyPatch, target: Any, name: str, error: BaseException
) -> Iterator[None]:
    def fail(*arguments: object, **options: object) -> object:
        raise error

    with patch.context() as patched:
        patched.setattr(target, name, fail)
        yield


@pytest.mark.parametrize("verb", VERBS)
def test_a_failure_at_the_last_step_leaves_everything_as_it_was(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    before, times = hall.snapshot(), modified(hall)
    full = OSError(errno.ENOSPC, "No space left on device")
    with failing(monkeypatch, Act, "record", full):
        reply = carry_out(hall.client("bruno"), verb)
    assert (reply.status, reply.precondition) == (507, "{DAV:}sufficient-disk-space")
    assert _visible(hall.snapshot()) == _visible(before)
    assert modified(hall) == times
    hall.consistent()
    assert carry_out(hall.client("bruno"), verb).status < 300
    hall.consistent()


@pytest.mark.parametrize("verb", VERBS)
def test_a_disk_that_fills_up_leaves_everything_as_it_was(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """At any of the moments when the system is asked to make something last."""
    client, real = hall.client("bruno"), os.fsync
    before = hall.snapshot()
    for fatal in range(1, 30):
        calls = 0

        def fsync(descriptor: int, fatal: int = fatal) -> None:
            nonlocal calls
            calls += 1
            if calls == fatal:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fsync)
            reply = carry_out(client, verb)
        if reply.status < 300:
            break
        assert reply.status == 507
        _swept(hall)
        assert _visible(hall.snapshot()) == _visible(before), fatal
    assert reply.status < 300
    hall.consistent()


def _swept(hall: Hall) -> None:
    """What is done by whoever holds the space next, and by the next start."""
    hall.later(days=2)
    hall.app.recover()


def _visible(snapshot: Snapshot) -> tuple[object, ...]:
    """But for the empty directories of history, which are made on the way."""
    disk = {
        path: content
        for path, content in snapshot.disk.items()
        if not (path.startswith("history/") and content == "folder")
    }
    return disk, snapshot.journal, snapshot.tables


def kill_at(moment: str) -> Callable[[], None]:
    """Let the process end before or after the commit; gives what ends that."""
    patched = pytest.MonkeyPatch()
    if moment == "before":
        patched.setattr(Act, "record", _killed)
    else:
        patched.setattr("davserver.documents.intents.Intent.forget", _killed)
    # A dead process undoes nothing either.
    patched.setattr("davserver.documents.intents.Intent.undo", _killed)
    patched.setattr("davserver.documents.store.Store.discard", _killed)
    return patched.undo


def _killed(*arguments: object, **options: object) -> None:
    raise Killed


# What takes no more than rows has nothing to settle.
ON_DISK = [verb for verb in VERBS if verb != "set properties"]


@pytest.mark.parametrize("verb", ON_DISK)
@pytest.mark.parametrize("healed_by", ["the next start", "the next change"])
def test_killed_before_the_commit_it_has_never_been(hall: Hall, verb: str, healed_by: str) -> None:
    before = hall.snapshot()
    alive = kill_at("before")
    with pytest.raises(Killed):
        carry_out(hall.client("bruno"), verb)
    alive()
    if healed_by == "the next start":
        hall.restart()
        assert _visible(hall.snapshot()) == _visible(before)
    else:
        assert hall.client("chloe").put(at("other.txt"), b"other").status == 201
        assert hall.disk("conseil", "lettre.txt").read_bytes() == b"lettre"
        assert hall.client("bruno").list(at("dossier"), "infinity") == [
            "fiche.txt",
            "note.txt",
            "sous",
        ]
    hall.consistent()
    assert carry_out(hall.client("bruno"), verb).status < 300
    hall.consistent()


@pytest.mark.parametrize("verb", ON_DISK)
def test_killed_after_the_commit_it_has_been_done(hall: Hall, verb: str) -> None:
    rows = hall.journal_size()
    alive = kill_at("after")
    with pytest.raises(Killed):
        carry_out(hall.client("bruno"), verb)
    alive()
    done = hall.snapshot()
    assert done.journal == rows + 1
    hall.restart()
    settled = hall.snapshot()
    assert not list(hall.store.intents.iterdir())
    assert {path: what for path, what in done.disk.items() if "intents/" not in path} == dict(
        settled.disk
    )
    hall.consistent()


def test_a_database_that_is_busy_is_said_to_be(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*arguments: object, **options: object) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("database is locked"))

    before = hall.snapshot()
    monkeypatch.setattr("acl.spaces.charge", busy)
    client = hall.client("bruno")
    reply = client.request("PUT", at("new.txt"), b"new", unavailable=True)
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert hall.snapshot() == before
