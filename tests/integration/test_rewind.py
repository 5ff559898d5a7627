"""Rewind: every kind of change undone, whole or in part, and what is left to those who stay."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from acl.actor import Actor
from acl.errors import NeedPrivileges, NotFound, UnknownName
from acl.tables import restricted_folders, spaces
from config.errors import DavserverError
from davserver.documents import check, locks, rewind, tables
from davserver.documents.inversion import Reason
from davserver.documents.plan import Plan, What
from davserver.documents.rewind import Order
from davserver.errors import MomentToCome, MomentTooEarly, NeverThere
from tests.integration.documents_client import (
    COLOUR,
    CONTRIBUTOR,
    MANAGER,
    READER,
    START,
    Client,
    Hall,
    at,
    href,
    plant,
    town,
)

CONSOLE = Actor.console("root")
Act = Callable[[Hall, Client], object]

LONG_AGO = (
    '<propertyupdate xmlns="DAV:"><set><prop>'
    "<getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</getlastmodified></prop></set></propertyupdate>"
)


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", database_url):
        hall.space("projet", {"bruno": CONTRIBUTOR, "chloe": MANAGER})
        hall.device("bruno", "phone")
        plant(hall.client("bruno"))
        hall.client("bruno").put(href("projet", "there.txt"), b"there")
        hall.client("bruno").mkcol(at("commission"))
        hall.restrict("conseil", "commission", {"bruno": CONTRIBUTOR, "chloe": MANAGER})
        hall.client("bruno").put(at("commission/pv.txt"), b"the minutes")
        hall.later(minutes=10)
        yield hall


@dataclass(frozen=True)
class State:
    """What a rewind gives back."""

    documents: Mapping[str, bytes | None]
    modified: Mapping[str, int]
    properties: frozenset[tuple[object, ...]]
    restricted: frozenset[str]


def state(hall: Hall, slug: str = "conseil") -> State:
    root = hall.disk(slug)
    with hall.database.read() as connection:
        space_id = connection.scalar(sa.select(spaces.c.id).where(spaces.c.slug == slug))
        rows = connection.execute(
            sa.select(tables.properties).where(
                tables.properties.c.space_id == space_id, tables.properties.c.tree == tables.LIVE
            )
        )
        properties = frozenset((row.path, row.name, row.value) for row in rows)
        folders = connection.scalars(
            sa.select(restricted_folders.c.path).where(restricted_folders.c.space_id == space_id)
        )
        restricted = frozenset(folders)
    modified = {
        str(file.relative_to(root)): file.stat().st_mtime_ns
        for file in root.rglob("*")
        if file.is_file()
    }
    return State(hall.documents(slug), modified, properties, restricted)


def undo(
    hall: Hall,
    moment: datetime,
    login: str = "",
    device: str = "",
    path: str = "",
    slug: str = "conseil",
) -> Plan:
    """Look at the plan, and do it."""
    order = Order(slug, moment, login, device, path)
    before = hall.snapshot()
    planned = rewind.preview(hall.app.documents, CONSOLE, order)
    assert hall.snapshot() == before
    hall.later(seconds=10)
    done = rewind.rewind(hall.app.documents, CONSOLE, order)
    assert done.entries == planned.entries
    hall.consistent()
    return done


def now(hall: Hall) -> datetime:
    """This moment; what follows is later."""
    moment = hall.now
    hall.later(seconds=10)
    return moment


# Each kind of change


def dance(hall: Hall, client: Client) -> None:
    client.move(at("dossier"), at("t"))
    client.move(at("lettre.txt"), at("dossier"))
    client.move(at("t"), at("lettre.txt"))


def save_beside(hall: Hall, client: Client) -> None:
    client.put(at("lettre.tmp"), b"saved")
    client.move(at("lettre.txt"), at("lettre.bak"))
    client.move(at("lettre.tmp"), at("lettre.txt"))
    client.delete(at("lettre.bak"))


def in_itself(hall: Hall, client: Client) -> None:
    client.move(at("dossier/sous"), at("sous"))
    client.move(at("dossier"), at("sous/dossier"))
    client.put(at("sous/dossier/note.txt"), b"deeper")


def restored(hall: Hall, client: Client) -> None:
    client.delete(at("dossier"))
    (entry,) = client.list("/history/conseil/trash")
    client.move(quote(f"/history/conseil/trash/{entry}/note.txt", safe="/(),"), at("note.txt"))
    (entry,) = client.list("/history/conseil/trash")
    client.move(quote(f"/history/conseil/trash/{entry}", safe="/(),"), at("back"))


def recalled(hall: Hall, client: Client) -> None:
    client.put(at("lettre.txt"), b"worse")
    client.copy(f"/history/conseil/{START:%Y-%m-%dT%H:%M:%S}/lettre.txt", at("lettre.txt"))


def saved_often(hall: Hall, client: Client) -> None:
    for number in range(50):
        hall.later(seconds=200)
        client.put(at("lettre.txt"), b"%d" % number)


def made_anew(hall: Hall, client: Client) -> None:
    client.delete(at("lettre.txt"))
    hall.later(minutes=5)
    client.put(at("lettre.txt"), b"anew")
    client.proppatch(at("lettre.txt"), {"{urn:x}other": "new"})


def remove(*paths: str) -> Callable[[Hall], None]:
    """Remove folders and documents directly."""

    def meddle(hall: Hall) -> None:
        for path in paths:
            disk = hall.disk("conseil", path)
            if disk.is_dir():
                shutil.rmtree(disk)
            else:
                disk.unlink()

    return meddle


def replace_folder(hall: Hall) -> None:
    remove("dossier")(hall)
    hall.disk("conseil", "dossier").write_bytes(b"by hand")


def empty_history(hall: Hall) -> None:
    for file in hall.store.history.rglob("*"):
        if file.is_file():
            file.unlink()


# Of a document that takes the place of another one, the properties are theirs together; and one
# that was not worth keeping is not as old as it was.
INEXACT = {"a document moved over another", "the same content", "everything"}

CHANGES: dict[str, Act] = {
    "a new document": lambda hall, client: client.put(at("new.txt"), b"new"),
    "a document overwritten": lambda hall, client: client.put(at("lettre.txt"), b"other"),
    "a document saved often": saved_often,
    "the same content": lambda hall, client: client.put(at("lettre.txt"), b"lettre"),
    "a new folder": lambda hall, client: client.mkcol(at("new")),
    "a document deleted": lambda hall, client: client.delete(at("lettre.txt")),
    "a folder deleted": lambda hall, client: client.delete(at("dossier")),
    "a restricted folder deleted": lambda hall, client: client.delete(at("commission")),
    "a document moved": lambda hall, client: client.move(at("lettre.txt"), at("dossier/l.txt")),
    "a folder moved": lambda hall, client: client.move(at("dossier"), at("moved")),
    "a restricted folder moved": lambda hall, client: client.move(
        at("commission"), at("dossier/commission")
    ),
    "a document moved over another": lambda hall, client: client.move(
        at("lettre.txt"), at("dossier/note.txt")
    ),
    "a document moved over a folder": lambda hall, client: client.move(
        at("lettre.txt"), at("dossier")
    ),
    "a folder moved over a document": lambda hall, client: client.move(
        at("dossier"), at("lettre.txt")
    ),
    "a document moved away": lambda hall, client: client.move(
        at("lettre.txt"), href("projet", "l.txt")
    ),
    "a restricted folder moved away": lambda hall, client: client.move(
        at("commission"), href("projet", "c")
    ),
    "a document moved here": lambda hall, client: client.move(
        href("projet", "there.txt"), at("lettre.txt")
    ),
    "a document copied": lambda hall, client: client.copy(at("lettre.txt"), at("copy.txt")),
    "a folder copied": lambda hall, client: client.copy(at("dossier"), at("copy")),
    "a folder copied over another": lambda hall, client: client.copy(
        at("commission"), at("dossier")
    ),
    "a property set": lambda hall, client: client.proppatch(at("lettre.txt"), {COLOUR: "blue"}),
    "a property removed": lambda hall, client: client.proppatch(at("lettre.txt"), {COLOUR: None}),
    "a time set": lambda hall, client: client.request("PROPPATCH", at("lettre.txt"), LONG_AGO),
    "a property and the content": lambda hall, client: (
        client.proppatch(at("lettre.txt"), {COLOUR: "blue"}),
        client.put(at("lettre.txt"), b"other"),
        client.proppatch(at("lettre.txt"), {COLOUR: "green"}),
        client.move(at("lettre.txt"), at("moved.txt")),
    ),
    "two names exchanged": dance,
    "a folder put into what was in it": in_itself,
    "saved beside, and put in its place": save_beside,
    "deleted, and made anew": lambda hall, client: (
        client.delete(at("lettre.txt")),
        client.put(at("lettre.txt"), b"anew"),
    ),
    "deleted, and made anew later": made_anew,
    "restored from the trash": restored,
    "restored from the past": recalled,
    "everything": lambda hall, client: [change(hall, client) for change in SEVERAL],
}
SEVERAL: Sequence[Act] = (
    lambda hall, client: client.put(at("dossier/sous/deep.txt"), b"deep"),
    lambda hall, client: client.move(at("dossier"), at("commission/dossier")),
    lambda hall, client: client.delete(at("commission/dossier/note.txt")),
    lambda hall, client: client.move(at("commission"), at("dossier")),
    lambda hall, client: client.put(at("dossier/pv.txt"), b"other minutes"),
    lambda hall, client: client.delete(at("dossier")),
    lambda hall, client: client.mkcol(at("dossier")),
    lambda hall, client: client.move(at("lettre.txt"), at("dossier/note.txt")),
)


@pytest.mark.parametrize("change", CHANGES)
def test_everything_is_as_it_was_and_a_rewind_is_undone_by_another(hall: Hall, change: str) -> None:
    before, moment = state(hall), now(hall)
    CHANGES[change](hall, hall.client("bruno"))
    hall.later(minutes=2)
    after, then = state(hall), now(hall)
    undo(hall, moment)
    same(before, state(hall), exactly=change not in INEXACT)
    hall.later(seconds=10)
    undo(hall, then)
    undo(hall, then, slug="projet")
    same(after, state(hall), exactly=change not in INEXACT)
    hall.later(seconds=10)
    undo(hall, moment)
    same(before, state(hall), exactly=change not in INEXACT)


def same(one: State, other: State, *, exactly: bool) -> None:
    assert one.documents == other.documents
    assert one.restricted == other.restricted
    if exactly:
        assert one == other


def test_nothing_is_destroyed_and_everything_stays_counted(hall: Hall) -> None:
    """What came goes to the trash, what is replaced becomes a version; `consistent` counts."""
    bruno, moment = hall.client("bruno"), now(hall)
    bruno.put(at("new.txt"), b"new")
    bruno.put(at("lettre.txt"), b"overwritten")
    bruno.delete(at("dossier"))
    undo(hall, moment)
    with hall.database.read() as connection:
        rows = connection.execute(sa.select(tables.kept).order_by(tables.kept.c.path)).all()
    assert [(row.path, row.reason, row.size) for row in rows] == [
        ("lettre.txt", "version", len(b"overwritten")),
        ("new.txt", "trash", len(b"new")),
    ]
    assert sorted(hall.history("conseil").values(), key=str) == [b"new", b"overwritten"]
    act = hall_journal(hall)[-1]
    assert (act.action, act.login, act.path) == ("space.rewind", "root", "")
    assert act.detail["to"] == moment.isoformat()
    assert act.detail["counts"] == {"returns": 1, "content": 1, "trash": 1}


def hall_journal(hall: Hall) -> list[sa.Row[tuple[object, ...]]]:
    from acl.tables import journal

    with hall.database.read() as connection:
        return list(connection.execute(sa.select(journal).order_by(journal.c.id)))


def test_nothing_to_undo_is_no_act(hall: Hall) -> None:
    before = hall.snapshot()
    plan = undo(hall, hall.now - timedelta(seconds=1))
    assert (plan.entries, plan.changes) == ((), False)
    assert hall.snapshot() == before


def test_locks_end_where_something_goes_or_comes(hall: Hall) -> None:
    bruno = hall.client("bruno")
    bruno.lock(at("commission/pv.txt"))
    moment = now(hall)
    bruno.put(at("lettre.txt"), b"other")
    bruno.move(at("dossier"), at("moved"))
    bruno.lock(at("lettre.txt"))
    bruno.lock(at("moved/note.txt"))
    undo(hall, moment)
    with hall.database.read() as connection:
        assert [lock.path for lock in locks.listing(connection, hall.now)] == ["commission/pv.txt"]


def test_a_full_space_and_an_archived_one_are_taken_back(hall: Hall) -> None:
    bruno, before, moment = hall.client("bruno"), state(hall), now(hall)
    bruno.put(at("lettre.txt"), b"x" * 5000)
    bruno.move(at("dossier"), href("projet", "dossier"))
    with hall.database.write() as connection:
        connection.execute(spaces.update().values(quota_bytes=1))
    hall.archive("conseil")
    undo(hall, moment)
    assert state(hall) == before


# What only some did


@dataclass(frozen=True)
class Case:
    """Acts, whose ones are undone, and what comes of it beside what was there: content by path,
    ... for what is gone. `left` are the reasons why something is left alone."""

    acts: Sequence[tuple[str, str, str, bytes | str]]
    order: Mapping[str, str]
    due: Mapping[str, object]
    left: Sequence[Reason] = ()


BRUNO, CHLOE = "bruno", "chloe"
STAMP = f"({START + timedelta(minutes=10):%Y-%m-%d %H.%M})"
LOGIN = {"login": BRUNO}
GONE = ...

FOLDER = {
    "dossier": None,
    "dossier/note.txt": b"note",
    "dossier/sous": None,
    "dossier/sous/fiche.txt": b"fiche",
}
NO_FOLDER: dict[str, object] = dict.fromkeys(FOLDER, GONE)

CASES = {
    "somebody else's work stays": Case(
        [(BRUNO, "PUT", "lettre.txt", b"bad"), (CHLOE, "PUT", "chloe.txt", b"good")],
        LOGIN,
        {"chloe.txt": b"good"},
    ),
    "what was changed since is left alone": Case(
        [(BRUNO, "PUT", "lettre.txt", b"bad"), (CHLOE, "PUT", "lettre.txt", b"good")],
        LOGIN,
        {"lettre.txt": b"good"},
        [Reason.CHANGED],
    ),
    "what was changed before comes back": Case(
        [(CHLOE, "PUT", "lettre.txt", b"good"), (BRUNO, "PUT", "lettre.txt", b"bad")],
        LOGIN,
        {"lettre.txt": b"good"},
    ),
    "what was changed in between too": Case(
        [
            (BRUNO, "PUT", "lettre.txt", b"bad"),
            (CHLOE, "PUT", "lettre.txt", b"good"),
            (BRUNO, "PUT", "lettre.txt", b"worse"),
        ],
        LOGIN,
        {"lettre.txt": b"good"},
        [Reason.CHANGED],
    ),
    "what was moved since is found": Case(
        [(BRUNO, "PUT", "lettre.txt", b"bad"), (CHLOE, "MOVE", "lettre.txt", "moved.txt")],
        LOGIN,
        {"lettre.txt": GONE, "moved.txt": b"lettre"},
    ),
    "what was renamed gets its name back": Case(
        [(BRUNO, "MOVE", "lettre.txt", "l.locked"), (CHLOE, "MOVE", "l.locked", "dossier/l.txt")],
        LOGIN,
        {},
    ),
    "what was deleted since stays deleted": Case(
        [(BRUNO, "PUT", "lettre.txt", b"bad"), (CHLOE, "DELETE", "lettre.txt", "")],
        LOGIN,
        {"lettre.txt": GONE},
        [Reason.CHANGED],
    ),
    "what is in a folder that was renamed since comes back there": Case(
        [(BRUNO, "DELETE", "dossier/note.txt", ""), (CHLOE, "MOVE", "dossier", "moved")],
        LOGIN,
        {**NO_FOLDER, **{path.replace("dossier", "moved"): FOLDER[path] for path in FOLDER}},
    ),
    "where a folder is missing it is made anew": Case(
        [(BRUNO, "MOVE", "dossier/note.txt", "n.txt"), (CHLOE, "DELETE", "dossier", "")],
        LOGIN,
        {"dossier/sous": GONE, "dossier/sous/fiche.txt": GONE},
    ),
    "a name that is taken gets a neighbour": Case(
        [(BRUNO, "DELETE", "lettre.txt", ""), (CHLOE, "PUT", "lettre.txt", b"good")],
        LOGIN,
        {"lettre.txt": b"good", f"lettre {STAMP}.txt": b"lettre"},
    ),
    "so does a folder": Case(
        [(BRUNO, "DELETE", "dossier", ""), (CHLOE, "MKCOL", "dossier", "")],
        LOGIN,
        {
            **NO_FOLDER,
            "dossier": None,
            **{path.replace("dossier", f"dossier {STAMP}"): FOLDER[path] for path in FOLDER},
        },
    ),
    "and the second one another": Case(
        [
            (BRUNO, "DELETE", "lettre.txt", ""),
            (CHLOE, "PUT", "lettre.txt", b"good"),
            (CHLOE, "PUT", f"lettre {STAMP}.txt", b"odd"),
        ],
        LOGIN,
        {
            "lettre.txt": b"good",
            f"lettre {STAMP}.txt": b"odd",
            f"lettre {STAMP[:-1]}, 2).txt": b"lettre",
        },
    ),
    "a folder that others use stays": Case(
        [
            (BRUNO, "MKCOL", "new", ""),
            (BRUNO, "PUT", "new/bad.txt", b"bad"),
            (CHLOE, "PUT", "new/good.txt", b"good"),
        ],
        LOGIN,
        {"new": None, "new/good.txt": b"good"},
        [Reason.HOLDS],
    ),
    "a folder that nobody uses goes": Case(
        [(BRUNO, "MKCOL", "new", ""), (BRUNO, "PUT", "new/bad.txt", b"bad")], LOGIN, {}
    ),
    "a copied folder goes whole": Case([(BRUNO, "COPY", "dossier", "new")], LOGIN, {}),
    "what was brought back by somebody else stays there": Case(
        [(BRUNO, "DELETE", "lettre.txt", ""), (CHLOE, "RESTORE", "", "back.txt")],
        LOGIN,
        {"lettre.txt": GONE, "back.txt": b"lettre"},
        [Reason.BACK],
    ),
    "encrypted and renamed": Case(
        [(BRUNO, "PUT", "lettre.txt", b"bad"), (BRUNO, "MOVE", "lettre.txt", "lettre.locked")],
        LOGIN,
        {},
    ),
    "renamed and encrypted": Case(
        [(BRUNO, "MOVE", "lettre.txt", "lettre.locked"), (BRUNO, "PUT", "lettre.locked", b"bad")],
        LOGIN,
        {},
    ),
    "moved onto the same content": Case(
        [
            (BRUNO, "PUT", "lettre.txt", b"bad"),
            (CHLOE, "PUT", "same.txt", b"bad"),
            (CHLOE, "MOVE", "lettre.txt", "same.txt"),
        ],
        LOGIN,
        {"lettre.txt": GONE, "same.txt": b"lettre"},
    ),
    "one device": Case(
        [(BRUNO, "PUT", "lettre.txt", b"good"), ("bruno/phone", "PUT", "lettre.txt", b"bad")],
        {"login": BRUNO, "device": "phone"},
        {"lettre.txt": b"good"},
    ),
    "one folder": Case(
        [(BRUNO, "PUT", "lettre.txt", b"outside"), (CHLOE, "PUT", "dossier/note.txt", b"inside")],
        {"path": "dossier"},
        {"lettre.txt": b"outside"},
    ),
    "one folder, which was renamed": Case(
        [
            (BRUNO, "PUT", "dossier/note.txt", b"one"),
            (CHLOE, "MOVE", "dossier", "moved"),
            (BRUNO, "PUT", "moved/note.txt", b"two"),
            (BRUNO, "PUT", "dossier", b"another"),
        ],
        {"path": "dossier"},
        {},
    ),
    "one folder, which went with what is around it": Case(
        [
            (BRUNO, "PUT", "dossier/sous/in.txt", b"in"),
            (CHLOE, "DELETE", "dossier", ""),
        ],
        {"path": "dossier/sous"},
        {"dossier/note.txt": GONE},
    ),
    "one folder, out of which something was moved": Case(
        [(BRUNO, "MOVE", "dossier/note.txt", "n.txt"), (CHLOE, "PUT", "n.txt", b"later")],
        {"path": "dossier"},
        {"n.txt": b"later"},
    ),
    "one folder that is new": Case(
        [(BRUNO, "MKCOL", "new", ""), (BRUNO, "PUT", "new/a.txt", b"a")], {"path": "new"}, {}
    ),
    "one folder and one account": Case(
        [(BRUNO, "PUT", "dossier/note.txt", b"bad"), (CHLOE, "PUT", "dossier/b.txt", b"good")],
        {"path": "dossier", **LOGIN},
        {"dossier/b.txt": b"good"},
    ),
}


def act(hall: Hall, who: str, method: str, path: str, more: bytes | str) -> None:
    login, _, device = who.partition("/")
    client = hall.client(login, device or "laptop")
    if method == "RESTORE":
        (entry,) = client.list("/history/conseil/trash")
        source = quote(f"/history/conseil/trash/{entry}", safe="/(),")
        reply = client.move(source, at(str(more)))
    elif isinstance(more, str) and more:
        reply = client.request(method, at(path), headers={"Destination": at(more)})
    else:
        reply = client.request(method, at(path), more)
    assert reply.status < 300
    hall.later(seconds=90)


@pytest.mark.parametrize("name", CASES)
def test_only_what_some_did_is_undone(hall: Hall, name: str) -> None:
    case, before, moment = CASES[name], state(hall), now(hall)
    for one in case.acts:
        act(hall, *one)
    after = state(hall)
    plan = undo(hall, moment, **case.order)
    due = {**before.documents, **case.due}
    assert hall.documents("conseil") == {p: what for p, what in due.items() if what is not ...}
    left = [one.reason for one in plan.documents if one.what is What.LEFT]
    assert left == [
        reason.value if name != "what was deleted since stays deleted" else Reason.REMOVED.value
        for reason in case.left
    ]
    hall.later(seconds=1)
    undo(hall, plan.at - timedelta(microseconds=1))
    assert state(hall) == after


def test_properties_that_somebody_else_set_since_stay(hall: Hall) -> None:
    moment, name = now(hall), "{urn:x}other"
    hall.client("bruno").proppatch(at("lettre.txt"), {COLOUR: "bad", name: "bad"})
    hall.client("chloe").proppatch(at("lettre.txt"), {COLOUR: "good"})
    hall.later(seconds=10)
    undo(hall, moment, "bruno")
    found = hall.client("bruno").propfind(at("lettre.txt"), COLOUR, name).props()
    assert {prop: element.text for prop, element in found.items()} == {COLOUR: "good"}


# What was changed on the disk meanwhile


@dataclass(frozen=True)
class Meddling:
    """What somebody does directly on the disk, after an act; and what comes of the rewind."""

    act: Act
    meddle: Callable[[Hall], object]
    due: Mapping[str, object]
    left: Sequence[Reason] = ()
    known: set[str] = field(default_factory=set)


MEDDLING = {
    "removed what was new": Meddling(
        lambda hall, client: client.put(at("new.txt"), b"new"),
        remove("new.txt"),
        {},
        [Reason.MISSING],
    ),
    "removed what was overwritten": Meddling(
        lambda hall, client: client.put(at("lettre.txt"), b"other"),
        remove("lettre.txt"),
        {},
        [Reason.MISSING],
    ),
    "put something where a document was": Meddling(
        lambda hall, client: client.delete(at("lettre.txt")),
        lambda hall: hall.disk("conseil", "lettre.txt").write_bytes(b"by hand"),
        {"lettre.txt": b"by hand", f"lettre {STAMP}.txt": b"lettre"},
    ),
    "put a link where a document was": Meddling(
        lambda hall, client: client.delete(at("lettre.txt")),
        lambda hall: hall.disk("conseil", "lettre.txt").symlink_to("nowhere"),
        {"lettre.txt": None, f"lettre {STAMP}.txt": b"lettre"},
    ),
    "put a document where a folder was": Meddling(
        lambda hall, client: client.delete(at("dossier/note.txt")),
        replace_folder,
        {
            **NO_FOLDER,
            "dossier": b"by hand",
            f"dossier {STAMP}": None,
            f"dossier {STAMP}/note.txt": b"note",
        },
    ),
    "removed a folder": Meddling(
        lambda hall, client: client.delete(at("dossier/note.txt")),
        remove("dossier"),
        {"dossier/sous": ..., "dossier/sous/fiche.txt": ...},
    ),
    "removed what history keeps": Meddling(
        lambda hall, client: client.put(at("lettre.txt"), b"other"),
        empty_history,
        {"lettre.txt": b"other"},
        [Reason.GONE],
    ),
    "put something into a new folder": Meddling(
        lambda hall, client: client.mkcol(at("new")),
        lambda hall: hall.disk("conseil", "new/by hand.txt").write_bytes(b"by hand"),
        {},
    ),
}


@pytest.mark.parametrize("name", MEDDLING)
def test_what_is_not_where_it_should_be_is_left(hall: Hall, name: str) -> None:
    case, before, moment = MEDDLING[name], state(hall), now(hall)
    case.act(hall, hall.client("bruno"))
    hall.later(seconds=90)
    case.meddle(hall)
    # `check` finds what was done by hand, and after the rewind nothing else.
    found = check.findings(hall.database, hall.store, hall.now)
    hall.known |= {one.problem for one in found}
    done = rewind.rewind(hall.app.documents, CONSOLE, Order("conseil", moment))
    due = {**before.documents, **case.due}
    assert hall.documents("conseil") == {p: what for p, what in due.items() if what is not ...}
    left = [one.reason for one in done.documents if one.what is What.LEFT]
    assert left == [reason.value for reason in case.left]
    assert not list(hall.store.intents.iterdir())
    hall.consistent()


# Who may


@pytest.mark.parametrize(
    ("login", "error"),
    [("chloe", None), ("bruno", NeedPrivileges), ("rita", NeedPrivileges), ("sven", NotFound)],
)
def test_a_manager_may_and_nobody_else(
    hall: Hall, login: str, error: type[DavserverError] | None
) -> None:
    moment = now(hall)
    hall.client("bruno").put(at("lettre.txt"), b"other")
    hall.later(seconds=10)
    with hall.database.read() as connection:
        registry = hall.app.documents.registry.current(connection)
    actor, order = Actor.of(registry.by_login[login]), Order("conseil", moment)
    for verb in (rewind.preview, rewind.rewind):
        if error is not None:
            with pytest.raises(error):
                verb(hall.app.documents, actor, order)
        else:
            assert verb(hall.app.documents, actor, order).changes
    expected = b"other" if error else b"lettre"
    assert hall.documents("conseil")["lettre.txt"] == expected


def test_a_manager_must_manage_and_read_all_that_is_concerned(hall: Hall) -> None:
    documents = hall.app.documents
    with hall.database.read() as connection:
        chloe = Actor.of(documents.registry.current(connection).by_login["chloe"])
    hall.space("autre", {"bruno": CONTRIBUTOR, "chloe": READER})
    moment = now(hall)
    hall.client("bruno").move(at("lettre.txt"), href("autre", "l.txt"))
    hall.later(seconds=10)
    with pytest.raises(NeedPrivileges):
        rewind.rewind(documents, chloe, Order("conseil", moment))
    assert hall.documents("autre") == {"l.txt": b"lettre"}
    hall.restrict("conseil", "secret", {"bruno": CONTRIBUTOR})
    hall.later(seconds=10)
    with pytest.raises(NeedPrivileges):
        rewind.preview(documents, chloe, Order("conseil", moment))


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (Order("conseil", START + timedelta(days=1)), MomentToCome),
        (Order("conseil", START - timedelta(seconds=1)), MomentTooEarly),
        (Order("nowhere", START), NotFound),
        (Order("conseil", START, "nobody"), UnknownName),
        (Order("conseil", START, "bruno", "nothing"), UnknownName),
        (Order("conseil", START + timedelta(minutes=9), path="nowhere"), NeverThere),
        (Order("conseil", START + timedelta(minutes=9), path="lettre.txt"), NeverThere),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    hall: Hall, order: Order, error: type[DavserverError]
) -> None:
    before = hall.snapshot()
    for verb in (rewind.preview, rewind.rewind):
        with pytest.raises(error):
            verb(hall.app.documents, CONSOLE, order)
    assert hall.snapshot() == before


def test_a_revoked_device_can_be_named(hall: Hall) -> None:
    from acl import devices

    moment = now(hall)
    hall.client("bruno", "phone").put(at("lettre.txt"), b"bad")
    with hall.acting() as one:
        devices.revoke(one, "bruno", "phone")
    undo(hall, moment, "bruno", "phone")
    assert hall.documents("conseil")["lettre.txt"] == b"lettre"


def test_the_moment_of_an_act_is_after_it(hall: Hall) -> None:
    hall.now = datetime(2026, 11, 23, 14, 4, tzinfo=UTC)
    hall.client("bruno").put(at("lettre.txt"), b"at the moment")
    hall.later(microseconds=1)
    hall.client("bruno").put(at("lettre.txt"), b"later")
    undo(hall, datetime(2026, 11, 23, 14, 4, tzinfo=UTC))
    assert hall.documents("conseil")["lettre.txt"] == b"at the moment"
