"""Changes made directly on the disk: served at once, reported by `check`, then journalled."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from acl import spaces
from acl.actor import Actor
from acl.journal import Entry, entries
from davserver.documents import check, counts, inventory, walk
from davserver.documents.adopt import adopt
from davserver.documents.inventory import Difference
from tests.integration.documents_client import (
    COLOUR,
    CONTRIBUTOR,
    MANAGER,
    Client,
    Hall,
    at,
    href,
    plant,
    town,
    tree,
)

ADMINISTRATOR = Actor.console("root")
MOMENT = "2026-11-23T12:00:30Z"


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", database_url):
        hall.space("projet", {"bruno": CONTRIBUTOR})
        plant(hall.client("bruno"))
        hall.later(minutes=1)
        yield hall


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


def found(hall: Hall) -> list[tuple[str, ...]]:
    """What `check` finds in the council's space, but for what follows from it: the count is wrong
    as well, and properties are left over."""
    findings = check.findings(hall.database, hall.store, hall.now)
    return [
        (one.problem, one.path, *([one.to] if one.to else []))
        for one in findings
        if one.problem not in (check.MISCOUNTED, check.NO_DOCUMENT) and one.space == "conseil"
    ]


def adopted(hall: Hall, slug: str = "conseil") -> Difference:
    difference = adopt(hall.app.documents, ADMINISTRATOR, slug)
    assert difference is not None
    return difference


def journal(hall: Hall) -> list[Entry]:
    """All rows, the last first."""
    with hall.database.read() as connection:
        return list(entries(connection))


def colour(client: Client, path: str) -> str | None:
    prop = client.propfind(at(path), COLOUR).props().get(COLOUR)
    return None if prop is None else prop.text


def past(client: Client, folder: str = "", moment: str = MOMENT) -> dict[str, bytes | None]:
    """The council's space as it was: content by path, None for a folder."""
    listed: dict[str, bytes | None] = {}
    root = f"/history/conseil/{moment}"
    pending = [folder]
    while pending:
        path = pending.pop()
        for name in client.list(quote(f"{root}/{path}", safe="/:") + "/"):
            inner = f"{path}/{name}".lstrip("/")
            address = quote(f"{root}/{inner}", safe="/:")
            kind = client.propfind(address, "resourcetype").props()["{DAV:}resourcetype"]
            if len(kind):
                listed[inner] = None
                pending.append(inner)
            else:
                listed[inner] = client.get(address).body
    return listed


# What happens on the disk: how, what `check` says of it, and what is served then. All begin with
# lettre.txt, dossier/note.txt and dossier/sous/fiche.txt.


def _new(root: Path) -> None:
    (root / "new.txt").write_bytes(b"new")


def _new_tree(root: Path) -> None:
    (root / "new/deep").mkdir(parents=True)
    (root / "new/a").write_bytes(b"a")
    (root / "new/deep/b").write_bytes(b"b")


def _overwrite(root: Path) -> None:
    (root / "lettre.txt").write_bytes(b"lettre, bis")


def _touch(root: Path) -> None:
    os.utime(root / "lettre.txt", (1, 1))


def _replace(root: Path) -> None:
    (root / "lettre.txt").unlink()
    (root / "other").write_bytes(b"another one")
    (root / "other").rename(root / "lettre.txt")


def _delete(root: Path) -> None:
    (root / "lettre.txt").unlink()


def _delete_tree(root: Path) -> None:
    shutil.rmtree(root / "dossier")


def _rename(root: Path) -> None:
    (root / "lettre.txt").rename(root / "autre.txt")


def _rename_tree(root: Path) -> None:
    (root / "dossier").rename(root / "classeur")


def _rename_and_change(root: Path) -> None:
    _rename_tree(root)
    (root / "classeur/note.txt").write_bytes(b"another note")
    (root / "classeur/sous/fiche.txt").unlink()
    (root / "classeur/new").write_bytes(b"new")


def _into_new_folder(root: Path) -> None:
    (root / "archives/2026").mkdir(parents=True)
    (root / "dossier").rename(root / "archives/2026/dossier")


def _out_of_what_vanishes(root: Path) -> None:
    (root / "dossier/sous").rename(root / "sous")
    shutil.rmtree(root / "dossier")


def _out_of_what_moves(root: Path) -> None:
    (root / "dossier/sous").rename(root / "sous")
    (root / "dossier").rename(root / "classeur")


def _swap(root: Path) -> None:
    (root / "dossier/note.txt").rename(root / "aside")
    (root / "lettre.txt").rename(root / "dossier/note.txt")
    (root / "aside").rename(root / "lettre.txt")


def _inside_out(root: Path) -> None:
    (root / "dossier/sous").rename(root / "aside")
    (root / "dossier").rename(root / "aside/dossier")
    (root / "aside").rename(root / "sous")


def _document_to_folder(root: Path) -> None:
    (root / "lettre.txt").unlink()
    (root / "lettre.txt").mkdir()
    (root / "lettre.txt/in").write_bytes(b"in")


def _folder_to_document(root: Path) -> None:
    shutil.rmtree(root / "dossier")
    (root / "dossier").write_bytes(b"document")


def _second_name(root: Path) -> None:
    (root / "second.txt").hardlink_to(root / "lettre.txt")


def _copied_to_another_disk(root: Path) -> None:
    """Everything has another inode then, and is what it was."""
    shutil.copytree(root, root.with_name("copy"), copy_function=shutil.copy2)
    shutil.rmtree(root)
    root.with_name("copy").rename(root)


APPEARED, VANISHED, MOVED = check.APPEARED, check.VANISHED, check.MOVED
ALTERED = check.ALTERED

CHANGES: dict[str, tuple[Callable[[Path], None], set[tuple[str, ...]]]] = {
    "a new document": (_new, {(APPEARED, "new.txt")}),
    "a new tree": (_new_tree, {(APPEARED, "new")}),
    "overwritten": (_overwrite, {(ALTERED, "lettre.txt")}),
    "touched": (_touch, {(ALTERED, "lettre.txt")}),
    "replaced": (_replace, {(ALTERED, "lettre.txt")}),
    "deleted": (_delete, {(VANISHED, "lettre.txt")}),
    "a tree deleted": (_delete_tree, {(VANISHED, "dossier")}),
    "renamed": (_rename, {(MOVED, "lettre.txt", "autre.txt")}),
    "a tree renamed": (_rename_tree, {(MOVED, "dossier", "classeur")}),
    "a tree renamed and changed": (
        _rename_and_change,
        {
            (MOVED, "dossier", "classeur"),
            (ALTERED, "classeur/note.txt"),
            (VANISHED, "dossier/sous/fiche.txt"),
            (APPEARED, "classeur/new"),
        },
    ),
    "moved into a new folder": (
        _into_new_folder,
        {(APPEARED, "archives"), (MOVED, "dossier", "archives/2026/dossier")},
    ),
    "moved out of what vanished": (
        _out_of_what_vanishes,
        {(VANISHED, "dossier"), (MOVED, "dossier/sous", "sous")},
    ),
    "moved out of what was moved": (
        _out_of_what_moves,
        {(MOVED, "dossier", "classeur"), (MOVED, "dossier/sous", "sous")},
    ),
    "two that changed places": (
        _swap,
        {(MOVED, "lettre.txt", "dossier/note.txt"), (MOVED, "dossier/note.txt", "lettre.txt")},
    ),
    "inside out": (
        _inside_out,
        {(MOVED, "dossier/sous", "sous"), (MOVED, "dossier", "sous/dossier")},
    ),
    "a document that became a folder": (
        _document_to_folder,
        {(VANISHED, "lettre.txt"), (APPEARED, "lettre.txt")},
    ),
    "a folder that became a document": (
        _folder_to_document,
        {(VANISHED, "dossier"), (APPEARED, "dossier")},
    ),
    "a second name": (_second_name, {(APPEARED, "second.txt")}),
    "a copy of all": (_copied_to_another_disk, set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_on_the_disk(hall: Hall, bruno: Client, name: str) -> None:
    happen, expected = CHANGES[name]
    before = past(bruno)
    assert before == hall.documents("conseil")
    happen(hall.disk("conseil"))
    _is_served(hall, bruno)
    assert set(found(hall)) == expected
    rows = hall.journal_size()
    adopted(hall)
    assert hall.journal_size() == rows + bool(expected)
    assert found(hall) == []
    hall.consistent()
    _is_served(hall, bruno)
    _past_is_as_recorded(hall, bruno, before)
    assert not adopted(hall)
    assert hall.journal_size() == rows + bool(expected)
    # And it can be worked with as with anything else.
    for path in hall.documents("conseil"):
        if "/" not in path:
            assert bruno.move(at(path), at(f"{path}.moved")).status == 201
    hall.consistent()


def _is_served(hall: Hall, client: Client) -> None:
    """What lies on the disk is what is listed, and given."""
    there = hall.documents("conseil")
    for path, content in there.items():
        assert client.propfind(at(path), "resourcetype").status == 207
        if content is None:
            assert client.list(at(path)) == sorted(os.listdir(hall.disk("conseil", path)))
        else:
            reply = client.get(at(path))
            assert (reply.status, reply.body) == (200, content)
    everything = client.propfind(at(""), "resourcetype", depth="infinity")
    assert len(everything.responses()) == len(there) + 1


def _past_is_as_recorded(hall: Hall, client: Client, before: dict[str, bytes | None]) -> None:
    """But for what nobody has any more, what was overwritten or removed on the disk, and for
    what was in a folder that is nowhere any more."""
    now, then = set(hall.documents("conseil").values()), past(client)
    for path, content in before.items():
        around = [path.rpartition("/")[0]] if "/" in path else []
        if content is not None and content in now and all(folder in then for folder in around):
            assert then[path] == content
    assert then.keys() <= before.keys()


def test_what_the_journal_says_of_it(hall: Hall, bruno: Client) -> None:
    _rename_and_change(hall.disk("conseil"))
    adopted(hall)
    row = next(row for row in journal(hall) if row.action == "document.adopt")
    assert (row.login, row.address, row.space, row.path) == ("root", "console", "conseil", "")
    numbers = {name: row.detail[name] for name in ("appeared", "vanished", "moved", "altered")}
    assert numbers == {"appeared": 1, "vanished": 1, "moved": 1, "altered": 1}


# What belongs to a document


def test_properties_go_where_their_document_went(hall: Hall, bruno: Client) -> None:
    _inside_out(hall.disk("conseil"))
    adopted(hall)
    assert colour(bruno, "sous/dossier") == "green"
    assert colour(bruno, "sous/fiche.txt") == "blue"
    assert colour(bruno, "lettre.txt") == "red"
    assert colour(bruno, "sous") is None


def test_folders_that_changed_places_keep_their_own_properties(hall: Hall, bruno: Client) -> None:
    for name, value in (("un", "one"), ("deux", "two")):
        bruno.mkcol(at(name))
        bruno.put(at(f"{name}/{name}.txt"), name)
        bruno.proppatch(at(name), {COLOUR: value})
        bruno.proppatch(at(f"{name}/{name}.txt"), {COLOUR: f"{value}.txt"})
    root = hall.disk("conseil")
    (root / "un").rename(root / "aside")
    (root / "deux").rename(root / "un")
    (root / "aside").rename(root / "deux")
    adopted(hall)
    hall.consistent()
    # They were found by their names: the folders are the same, their contents moved.
    assert colour(bruno, "un/deux.txt") == "two.txt"
    assert colour(bruno, "deux/un.txt") == "one.txt"


def test_what_vanished_leaves_neither_properties_nor_locks(hall: Hall, bruno: Client) -> None:
    bruno.lock(at("lettre.txt"))
    bruno.lock(at("dossier/note.txt"))
    root = hall.disk("conseil")
    (root / "lettre.txt").unlink()
    (root / "dossier/note.txt").rename(root / "note.txt")
    adopted(hall)
    hall.consistent()
    for path in ("lettre.txt", "dossier/note.txt"):
        assert hall.client("chloe").put(at(path), b"new").status == 201
        assert colour(bruno, path) is None
    assert hall.client("chloe").put(at("note.txt"), b"over").status == 204


def test_a_restricted_folder_takes_its_member_list_along(hall: Hall, bruno: Client) -> None:
    hall.restrict("conseil", "dossier/Paie", {"chloe": MANAGER})
    hall.write("conseil", "dossier/Paie/secret.txt", b"secret")
    chloe = hall.client("chloe")
    root = hall.disk("conseil")
    (root / "dossier").rename(root / "classeur")
    adopted(hall)
    hall.consistent()
    assert bruno.get(at("classeur/Paie/secret.txt")).status == 404
    assert "Paie" not in bruno.list(at("classeur"))
    assert chloe.get(at("classeur/Paie/secret.txt")).body == b"secret"
    assert bruno.get(at("classeur/note.txt")).body == b"note"


def test_the_list_of_a_restricted_folder_that_vanished_stays(hall: Hall, bruno: Client) -> None:
    """Nobody must read what comes back under its name, from a backup perhaps."""
    hall.restrict("conseil", "Paie", {"chloe": MANAGER})
    hall.disk("conseil", "Paie").rmdir()
    adopted(hall)
    assert found(hall) == [(check.NO_RESTRICTED, "Paie")]
    hall.disk("conseil", "Paie").mkdir()
    hall.disk("conseil", "Paie/secret.txt").write_bytes(b"secret")
    hall.recount("conseil")
    assert bruno.get(at("Paie/secret.txt")).status == 404
    hall.consistent()


# What cannot be adopted


def test_a_space_whose_directory_is_missing_has_not_lost_everything(
    hall: Hall, bruno: Client
) -> None:
    """A disk that is not mounted, perhaps."""
    root = hall.disk("conseil")
    root.rename(root.with_name("elsewhere"))
    rows = hall.journal_size()
    assert adopt(hall.app.documents, ADMINISTRATOR, "conseil") is None
    assert adopt(hall.app.documents, ADMINISTRATOR, "nowhere") is None
    assert found(hall) == [(check.NO_FOLDER, "")]
    root.with_name("elsewhere").rename(root)
    assert hall.journal_size() == rows


def test_paths_that_are_too_long(hall: Hall, bruno: Client) -> None:
    """Longer than the journal takes, and longer than the kernel does."""
    name = "n" * 250
    descriptor = os.open(hall.disk("conseil"), os.O_RDONLY)
    for _ in range(20):
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    file = os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor)
    os.write(file, b"12345")
    os.close(file)
    os.close(descriptor)
    reachable = "/".join([name] * 7)
    longer = (check.TOO_LONG, f"{reachable}/{name}")
    assert sorted(found(hall)) == sorted([longer, (APPEARED, name)])
    hall.recount("conseil")
    assert found(hall) == [longer]
    hall.known.add(check.TOO_LONG)
    hall.consistent()
    assert bruno.list(at(reachable)) == [name]
    assert bruno.delete(at(name)).status == 204
    hall.known.clear()
    counts.count(hall.app.documents, ADMINISTRATOR)
    hall.consistent()


def test_a_folder_that_the_server_may_not_read(
    hall: Hall, bruno: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in it has not vanished."""
    members = walk.members

    def forbidden(root: Path, folder: str = "") -> list[walk.Entry]:
        if folder == "dossier":
            raise PermissionError
        return members(root, folder)

    with monkeypatch.context() as patch:
        patch.setattr(walk, "members", forbidden)
        assert (check.UNREADABLE, "dossier") in found(hall)
        assert not adopted(hall)
    hall.consistent()


def test_clutter_links_and_names_that_are_none_are_left_alone(hall: Hall, bruno: Client) -> None:
    root = hall.disk("conseil")
    (root / "._lettre.txt").write_bytes(b"clutter")
    (root / "Thumbs.db").write_bytes(b"clutter")
    (root / "link").symlink_to("/etc")
    os.mkfifo(root / "pipe")
    (Path(os.fsdecode(bytes(root) + b"/caf\xe9"))).write_bytes(b"x")
    assert not adopted(hall)
    assert {problem for problem, *_ in found(hall)} == {check.NOT_SHOWN, check.BAD_NAME}
    for path in (root / "link", root / "pipe", Path(os.fsdecode(bytes(root) + b"/caf\xe9"))):
        path.unlink()
    hall.recount("conseil")


# What is not known and yet worked with


def test_what_was_copied_in_may_be_worked_with_before_it_is_adopted(
    hall: Hall, bruno: Client
) -> None:
    root = hall.disk("conseil")
    _new_tree(root)
    (root / "more").mkdir()
    (root / "more/c").write_bytes(b"c")
    bruno.put(at("new/deep/b"), b"over b")
    bruno.move(at("new"), at("moved"))
    bruno.put(at("more/d"), b"d")
    bruno.delete(at("more/c"))
    assert found(hall) == [(APPEARED, "moved/a")]
    assert bruno.delete(at("moved")).status == 204
    hall.recount("conseil")
    assert found(hall) == []
    hall.consistent()


def test_from_one_space_to_another(hall: Hall, bruno: Client) -> None:
    """By a client, and then on the disk."""
    bruno.move(at("dossier"), href("projet", "dossier"))
    bruno.put(href("projet", "dossier/plus.txt"), b"plus")
    hall.consistent()
    bruno.move(href("projet", "dossier"), at("retour"))
    hall.consistent()
    hall.disk("conseil", "retour").rename(hall.disk("projet", "sur-disque"))
    problems = {
        (one.space, one.problem, one.path)
        for one in check.findings(hall.database, hall.store, hall.now)
    }
    assert {
        ("conseil", VANISHED, "retour"),
        ("projet", APPEARED, "sur-disque"),
    } <= problems
    hall.recount("conseil")
    hall.recount("projet")
    hall.consistent()
    assert bruno.get(href("projet", "sur-disque/plus.txt")).body == b"plus"


def test_what_came_back_from_the_trash_is_known(hall: Hall, bruno: Client) -> None:
    bruno.delete(at("dossier"))
    (entry,) = bruno.list("/history/conseil/trash")
    sub = quote(f"/history/conseil/trash/{entry}/sous", safe="/(,)")
    assert bruno.move(sub, at("sous")).status == 201
    hall.consistent()
    (entry,) = bruno.list("/history/conseil/trash")
    whole = quote(f"/history/conseil/trash/{entry}", safe="/(,)")
    assert bruno.move(whole, at("dossier")).status == 201
    hall.consistent()
    hall.disk("conseil", "sous").rename(hall.disk("conseil", "dossier/sous"))
    assert found(hall) == [(MOVED, "sous", "dossier/sous")]
    hall.recount("conseil")


# Counts


def test_counts_are_repaired(hall: Hall, bruno: Client) -> None:
    bruno.put(at("lettre.txt"), b"second")
    bruno.delete(at("dossier"))
    _new_tree(hall.disk("conseil"))
    (version,) = (
        path
        for path in (hall.store.history / "conseil").rglob("*")
        if path.is_file() and path.read_bytes() == b"lettre"
    )
    version.write_bytes(b"somebody has been at the history")
    assert counts.repair(hall.app.documents, ADMINISTRATOR, "conseil")
    row = next(row for row in journal(hall) if row.action == "space.recount")
    history = len(b"somebody has been at the history") + len(b"note") + len(b"fiche")
    assert (row.detail["live"], row.detail["history"]) == (len(b"second") + 2, history)
    assert not counts.repair(hall.app.documents, ADMINISTRATOR, "conseil")
    adopted(hall)
    hall.consistent()


def test_a_trashed_folder_counts_as_history_once_it_is_counted(hall: Hall, bruno: Client) -> None:
    total = len(b"lettre" + b"note" + b"fiche")
    bruno.delete(at("dossier"))
    assert shares(hall) == (total, 0)
    counts.count(hall.app.documents, ADMINISTRATOR)
    assert shares(hall) == (len(b"lettre"), len(b"note" + b"fiche"))
    hall.consistent()
    rows = hall.journal_size()
    counts.count(hall.app.documents, ADMINISTRATOR)
    assert hall.journal_size() == rows
    assert counts.repair(hall.app.documents, ADMINISTRATOR, "conseil") is False


def shares(hall: Hall) -> tuple[int, int]:
    with hall.database.read() as connection:
        space = hall.app.documents.registry.current(connection).spaces["conseil"]
        used = spaces.shares(connection, (space.id,))[space.id]
    return used.live, used.history


@pytest.mark.parametrize("what", ["a part", "the whole"])
def test_what_is_restored_while_it_is_counted(
    hall: Hall, bruno: Client, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    bruno.delete(at("dossier"))
    (entry,) = bruno.list("/history/conseil/trash")
    address = quote(f"/history/conseil/trash/{entry}", safe="/(,)")
    size = walk.size

    def meanwhile(disk: Path) -> int:
        counted = size(disk)
        source = f"{address}/note.txt" if what == "a part" else address
        assert bruno.move(source, at("back")).status == 201
        return counted

    with monkeypatch.context() as patch:
        patch.setattr(walk, "size", meanwhile)
        counts.count(hall.app.documents, ADMINISTRATOR)
    hall.consistent()
    assert shares(hall)[1] == 0
    counts.count(hall.app.documents, ADMINISTRATOR)
    assert shares(hall)[1] == (len(b"fiche") if what == "a part" else 0)
    hall.consistent()


# Whatever happens


def mangle(root: Path, chance: random.Random) -> None:
    """Do something to what lies in a directory."""
    there = sorted(path for path in root.rglob("*"))
    folders = [root, *(path for path in there if path.is_dir())]
    new = chance.choice(folders) / chance.choice("abcde")
    kind = chance.randrange(6)
    if kind == 0 and not new.exists():
        new.mkdir()
    elif kind == 1 and not new.is_dir():
        new.write_bytes(chance.randbytes(chance.randrange(1, 50)))
    elif there:
        one = chance.choice(there)
        if kind == 2 and one.is_dir():
            shutil.rmtree(one)
        elif kind == 2:
            one.unlink()
        elif kind == 3 and one.is_file():
            os.utime(one, ns=(0, chance.randrange(10**18)))
        elif not new.exists() and not new.is_relative_to(one):
            one.rename(new)


def work(client: Client, chance: random.Random) -> None:
    """Do something as a client does, whether it can be done or not."""
    path, other = ("/".join(chance.choices("abcde", k=chance.randint(1, 3))) for _ in range(2))
    match chance.randrange(8):
        case 6:
            client.proppatch(at(path), {COLOUR: "red"})
        case 7:
            reply = client.lock(at(path))
            if chance.random() < 0.7 and reply.status in (200, 201):
                client.unlock(at(path), reply.token)
        case 0:
            client.mkcol(at(path))
        case 1 | 2:
            client.put(at(path), chance.randbytes(chance.randrange(1, 50)))
        case 3:
            client.delete(at(path))
        case 4:
            client.move(at(path), at(other))
        case _:
            client.copy(at(path), at(other))


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_on_the_disk(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for hall in town(tmp_path / "data", f"sqlite:///{tmp_path}/davserver.db"):
        bruno = hall.client("bruno")
        for _ in range(15):
            for _ in range(chance.randrange(12)):
                work(bruno, chance)
                hall.later(minutes=chance.choice((0, 1, 5)))
            hall.consistent()
            for _ in range(chance.randrange(6)):
                mangle(hall.disk("conseil"), chance)
                if chance.random() < 0.3:
                    work(bruno, chance)
            hall.later(minutes=1)
            adopted(hall)
            hall.consistent()
            assert _recorded(hall) == {
                path: content if content == "folder" else len(content)
                for path, content in tree(hall.disk("conseil")).items()
            }


def _recorded(hall: Hall) -> dict[str, object]:
    """The space as the traces tell it: sizes by path."""
    with hall.database.read() as connection:
        space = hall.app.documents.registry.current(connection).spaces["conseil"]
        root = inventory.recorded(connection, space.id)
    listed: dict[str, object] = {}
    pending = [("", root)]
    while pending:
        path, node = pending.pop()
        for name, member in (node.members or {}).items():
            inner = f"{path}/{name}".lstrip("/")
            listed[inner] = "folder" if member.size is None else member.size
            pending.append((inner, member))
    return listed
