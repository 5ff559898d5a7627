"""Backups: everything as it was at one instant, whatever went on, and all of it back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from acl import registry
from acl.actor import Actor
from config.database import metadata
from davserver.backup import disk
from davserver.backup.disk import LeftOut, Seen
from davserver.backup.shelf import Shelf
from davserver.backup.snapshot import EVERYTHING
from davserver.documents import check, trash
from davserver.documents.conditions import Conditions
from davserver.documents.tables import LIVE
from tests.integration.calendars_client import event
from tests.integration.documents_client import (
    COLOUR,
    CONTRIBUTOR,
    DAV,
    READER,
    Hall,
    at,
    href,
    town,
)
from tests.integration.vault import Meanwhile, Vault, done, furnish, state, stored
from tests.server.postgres import Postgres

WIN32 = "{urn:schemas-microsoft-com:}Win32LastModifiedTime"


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", database_url):
        furnish(hall)
        yield hall


@pytest.fixture
def vault(hall: Hall, tmp_path: Path) -> Iterator[Vault]:
    vault = Vault(hall, tmp_path / "shelf")
    yield vault
    vault.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest) -> str:
    """Where to restore to: "" is SQLite in the data directory."""
    if request.param == "sqlite":
        return ""
    cluster = request.getfixturevalue("postgres")
    assert isinstance(cluster, Postgres)
    return cluster.create_database()


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new" / "data"


# What comes back


def test_everything_comes_back(vault: Vault, new: Path, new_url: str) -> None:
    was, lay = stored(vault.hall.database), state(vault.hall.store.data)
    assert {name for name in metadata.tables if not was[name]} <= {"leases", "tallies"}
    made = vault.back_up()
    assert vault.problems(made.backup) == []
    restored = vault.reopened(made.backup, new, new_url)
    assert state(new) == lay
    now = stored(restored.database)
    for name, changed in CHANGED.items():
        was[name], now[name] = changed(was[name]), changed(now[name])
    assert now == was
    (row,) = [row for row in stored(restored.database)["journal"] if row not in was["journal"]]
    assert (row["action"], row["address"]) == ("restore.done", "console")
    assert json.loads(row["detail"]) == {"moment": made.moment.isoformat()}


def without(*columns: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda rows: [
        {name: value for name, value in row.items() if name not in columns} for row in rows
    ]


CHANGED: dict[str, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {
    # Other sync tokens, another disk, another revision; no locks and no clutter.
    "collections": without("uuid"),
    "traces": without("inode"),
    "registry_revision": without("value"),
    "locks": lambda rows: [],
    "leases": lambda rows: [],
    "properties": lambda rows: [row for row in rows if not row["tree"].startswith("~")],
    "journal": lambda rows: [row for row in rows if row["action"] != "restore.done"],
}


def test_the_journal_knows_the_disk_that_there_is_now(vault: Vault, new: Path) -> None:
    def known(hall: Hall) -> set[tuple[str, int]]:
        """What lies where the traces say that something was born: by path, and by inode."""
        return {
            (row["path"], row["inode"])
            for row in stored(hall.database)["traces"]
            if row["tree"] == LIVE and row["inode"] is not None
        }

    assert {path for path, _ in known(vault.hall)} >= {"lettre.txt", "copy", "~$passing.docx"}
    restored = vault.reopened(vault.back_up().backup, new)
    root = restored.disk("conseil")
    after = known(restored)
    for path in ("lettre.txt", "copy", "dossier/sous/fiche.txt"):
        assert (path, os.lstat(root / path).st_ino) in after
    # Of what is nowhere any more, a number that nothing has.
    assert all(inode < 0 for path, inode in after if path == "~$passing.docx")


def test_rows_can_be_added_afterwards(vault: Vault, new: Path, new_url: str) -> None:
    """The generators of numbers go on after those that were loaded."""
    restored = vault.reopened(vault.back_up().backup, new, new_url)
    bruno = restored.client("bruno")
    done(bruno.put(at("after.txt"), b"after"))
    done(bruno.put(at("versions.txt"), b"after"))
    done(bruno.proppatch(at("after.txt"), {COLOUR: "green"}))
    done(bruno.put("/calendars/bruno/conseil/after.ics", event("after")))
    done(bruno.lock(at("versions.txt")))
    restored.account("nouveau")
    restored.group("nouveaux", "nouveau")
    restored.space("nouvel-espace", {"nouveau": READER})
    restored.restrict("conseil", "dossier", {"nouveau": READER})
    restored.consistent()


def test_a_restored_organisation_is_backed_up_again(
    vault: Vault, new: Path, tmp_path: Path
) -> None:
    restored = vault.reopened(vault.back_up().backup, new)
    again = Vault(restored, tmp_path / "other shelf")
    made = again.back_up()
    twice = again.reopened(made.backup, tmp_path / "twice")
    assert state(tmp_path / "twice") == state(vault.hall.store.data)
    again.close()
    assert len([r for r in stored(twice.database)["journal"] if r["action"] == "restore.done"]) == 2


def test_agendas_begin_to_synchronise_anew(vault: Vault, new: Path, new_url: str) -> None:
    """A token of before the restore is refused (RFC 6578, 3.2), also one that is of a state which
    the restored agenda reaches again."""
    home = "/calendars/bruno"
    bruno = vault.hall.client("bruno")
    paths = [
        f"{home}/{name}/" for name in ("conseil", "conseil-tasks", "conseil-contacts", "agenda")
    ]
    tokens = {path: sync(bruno, path) for path in paths}
    made = vault.back_up()
    done(bruno.put(f"{home}/conseil/lost.ics", event("lost")))
    late = sync(bruno, paths[0])
    restored = vault.reopened(made.backup, new, new_url)
    bruno = restored.client("bruno")
    done(bruno.put(f"{home}/conseil/other.ics", event("other")))
    for path, token in [*tokens.items(), (paths[0], late)]:
        reply = bruno.request("REPORT", path, SYNC.format(token=token))
        assert (reply.status, reply.precondition) == (403, f"{DAV}valid-sync-token")
    reply = bruno.request("REPORT", paths[0], SYNC.format(token=""))
    assert {href.rpartition("/")[2] for href in reply.responses()} == {
        "1.ics",
        "2.ics",
        "other.ics",
    }
    token = reply.xml.findtext(f"{DAV}sync-token", "")
    done(bruno.put(f"{home}/conseil/more.ics", event("more")))
    reply = bruno.request("REPORT", paths[0], SYNC.format(token=token))
    assert [href.rpartition("/")[2] for href in reply.responses()] == ["more.ics"]


SYNC = (
    '<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token>'
    "<D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
)


def sync(client: Any, path: str) -> str:
    reply = client.request("REPORT", path, SYNC.format(token=""))
    assert reply.status == 207, reply
    return str(reply.xml.findtext(f"{DAV}sync-token"))


# One instant


def changes(hall: Hall, name: str) -> Callable[[], None]:
    """Something of all that can be done, with names of its own."""

    def change() -> None:
        hall.later(minutes=20)
        bruno = hall.client("bruno")
        done(bruno.put(at(f"new {name}.txt"), name))
        done(bruno.put(at("versions.txt"), f"overwritten {name}"))
        done(bruno.put(at("dossier/sous/fiche.txt"), f"overwritten {name}"))
        done(bruno.mkcol(at(f"folder {name}")))
        done(bruno.copy(at("dossier"), at(f"folder {name}/copy")))
        done(bruno.move(at("copy/note.txt"), at(f"folder {name}/note.txt")))
        done(bruno.copy(at("dossier/note.txt"), at("copy/note.txt")))
        done(bruno.move(at("copy"), at(f"moved {name}")))
        done(bruno.move(at(f"moved {name}"), at("copy")))
        done(bruno.delete(at(f"folder {name}/copy/sous")))
        done(bruno.put(at("lost.txt"), name))
        done(bruno.delete(at("lost.txt")))
        done(bruno.proppatch(at("dossier/note.txt"), {WIN32: f"Sun, 06 Nov 1994 08:49:{name} GMT"}))
        done(bruno.proppatch(at("dossier"), {COLOUR: name}))
        done(bruno.put("/calendars/bruno/conseil/1.ics", event("1", name)))
        done(bruno.put(f"/calendars/bruno/conseil/{name}.ics", event(name)))
        hall.space(f"espace-{name}", {"bruno": READER})

    return change


BEFORE = [("Copying", 0), ("Copying", 1)]
AFTER = [
    ("Writing the database", 0),
    ("Copying the latest changes", 0),
    ("Arranging", 0),
    ("Writing to the disk", 0),
]


@pytest.mark.parametrize("stage", [*BEFORE, *AFTER], ids=str)
def test_what_happens_meanwhile_is_in_it_or_not(
    vault: Vault, new: Path, stage: tuple[str, int]
) -> None:
    hall, expected = vault.hall, list[Any]()

    def now() -> None:
        expected[:] = [state(hall.store.data), stored(hall.database)["objects"]]

    def meanwhile() -> None:
        change()
        if stage in BEFORE:
            now()

    change = changes(hall, "10")
    now()
    watched = Meanwhile({stage: meanwhile})
    made = vault.back_up(watched)
    assert watched.stages == [*BEFORE, *AFTER]
    restored = vault.reopened(made.backup, new)
    assert [state(new), stored(restored.database)["objects"]] == expected
    assert vault.problems(made.backup) == []


def test_whatever_goes_on_all_the_time(vault: Vault, tmp_path: Path) -> None:
    """At every stage of several backups, each linked to the one before."""
    hall, seen = vault.hall, list[Any]()
    for number in range(3):
        acts = {
            stage: changes(hall, f"{number}{n}") for n, stage in enumerate([*BEFORE, *AFTER], 1)
        }

        def last_before(act: Callable[[], None] = acts[BEFORE[-1]]) -> None:
            act()
            seen[:] = [state(hall.store.data)]

        made = vault.back_up(Meanwhile({**acts, BEFORE[-1]: last_before}))
        new = tmp_path / f"new {number}"
        vault.reopened(made.backup, new)
        assert [state(new)] == seen
    for backup in Shelf(vault.shelf).backups():
        assert vault.problems(backup) == []


def test_a_space_that_is_being_added_is_in_it_or_not(vault: Vault, new: Path) -> None:
    """Its folder is there before it is."""
    hall = vault.hall
    hall.store.make_space("about-to-be")
    made = vault.back_up()
    assert not (made.backup / "spaces" / "about-to-be").exists()
    (hall.store.space_root("about-to-be") / "kept.txt").write_bytes(b"somebody put it here")
    hall.known.add(check.NO_SPACE)
    made = vault.back_up()
    vault.reopened(made.backup, new)
    assert (new / "spaces" / "about-to-be" / "kept.txt").read_bytes() == b"somebody put it here"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_space_that_is_added_while_the_others_are_held(
    vault: Vault, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is kept from that; and as it is not held, somebody may write to it at once."""
    hall, roots = vault.hall, list[str]()

    def walk(data: Path, root: str, left_out: LeftOut) -> Iterator[Seen]:
        roots.append(root)
        if len(roots) == 2 * len(EVERYTHING.roots) + 1:
            hall.space("nouveau", {"bruno": CONTRIBUTOR})
            done(hall.client("bruno").put(href("nouveau", "a.txt"), b"written at once"))
        yield from disk.walk(data, root, left_out)

    monkeypatch.setattr("davserver.backup.instant.walk", walk)
    made = vault.back_up()
    # Two rounds without holding anything, and two instants: in the first it was not held.
    assert roots == [*EVERYTHING.roots] * 4
    vault.reopened(made.backup, new)
    assert state(new) == state(hall.store.data)


def test_what_a_crash_has_left_is_settled_first(vault: Vault, new: Path) -> None:
    hall = vault.hall
    hall.later(minutes=20)
    before = hall.documents("conseil")
    with pytest.raises(Killed), hall.app.documents.change(actor(hall, "bruno"), ["conseil"]) as one:
        trash.delete(one, one.place("conseil", "dossier"), Conditions())
        # Whoever is killed undoes nothing.
        one.undo.clear()
        raise Killed
    assert hall.documents("conseil") != before
    restored = vault.reopened(vault.back_up().backup, new)
    assert restored.documents("conseil") == before == hall.documents("conseil")


class Killed(BaseException):
    """The process is no more."""


def actor(hall: Hall, login: str) -> Actor:
    with hall.database.read() as connection:
        return Actor.of(registry.read(connection).by_login[login])
