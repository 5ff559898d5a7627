"""A space out as plain files, and into another one: through the verbs, with all their rules."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from acl.errors import UnknownName
from acl.journal import entries as rows
from davserver.backup.errors import NotEmpty, TargetOverlaps
from davserver.backup.progress import Silence
from davserver.documents import check
from davserver.exchange.export import Exported, export
from davserver.exchange.import_ import Imported, import_
from tests.integration.calendars_client import card, component, event, task
from tests.integration.documents_client import CONTRIBUTOR, Hall, at, href, town, tree
from tests.integration.test_documents_names import NAMES
from tests.integration.vault import CONSOLE, Meanwhile, done, furnish, stored

ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:{name}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "TZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", database_url):
        furnish(hall)
        hall.space("copie", {"bruno": CONTRIBUTOR})
        yield hall


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def write_out(hall: Hall, directory: Path, slug: str = "conseil") -> Exported:
    return export(hall.app.documents, CONSOLE, slug, directory, Silence())


def take_in(
    hall: Hall,
    directory: Path,
    slug: str = "copie",
    *,
    overwrite: bool = False,
    object_max: int = 100_000,
) -> Imported:
    done = import_(
        hall.app.documents,
        CONSOLE,
        slug,
        directory,
        Silence(),
        object_max=object_max,
        overwrite=overwrite,
    )
    hall.consistent()
    return done


def refused(done: Imported) -> dict[str, str]:
    return {path: str(reason) for path, reason in done.refused.items()}


def zoned(uid: str, name: str, offset: str) -> bytes:
    """An event at a time of a zone."""
    text = component("VEVENT", {"UID": uid, f"DTSTART;TZID={name}": "20261203T180000"}).decode()
    zone = ZONE.format(name=name, offset=offset)
    return text.replace("BEGIN:VEVENT", f"{zone}BEGIN:VEVENT").encode()


def seconds(root: Path) -> dict[str, int]:
    """The time of modification of each document."""
    return {
        path: int(os.lstat(root / path).st_mtime)
        for path, content in tree(root).items()
        if isinstance(content, bytes)
    }


# There and back


def test_out_and_in_and_out_again(hall: Hall, out: Path, tmp_path: Path) -> None:
    bruno = hall.client("bruno")
    agenda = "/calendars/bruno/conseil"
    done(bruno.put(f"{agenda}/z1.ics", zoned("z1", "Europe/Paris", "+0100")))
    done(bruno.put(f"{agenda}/z2.ics", zoned("z2", "Europe/Paris", "+0200")))
    done(bruno.put(f"{agenda}/z3.ics", zoned("z3", "Custom", "+0100")))
    done(bruno.put(f"{agenda}/z4.ics", zoned("z4", "Custom", "+0200")))
    done(bruno.put(f"{agenda}/odd.ics", event("a/b c", "line\u2028separator")))
    for number, name in enumerate(NAMES):
        done(bruno.put(href("conseil", name), f"content of {number}"))
        os.utime(hall.disk("conseil", name), (number, 1_000_000_000 + number))
    hall.recount("conseil")
    first = write_out(hall, out)
    assert first.left_out == {} and first.restricted == ["paie"]
    assert tree(out / "documents") == tree(hall.disk("conseil"))
    assert seconds(out / "documents") == seconds(hall.disk("conseil"))
    assert {entry.name for entry in out.iterdir()} == {
        *("documents", "agenda.ics", "tasks.ics", "contacts.vcf")
    }
    taken = take_in(hall, out)
    assert (refused(taken), taken.kept, taken.replaced) == ({}, 0, 0)
    assert (taken.documents, taken.entries) == (first.documents, first.entries)
    again = tmp_path / "again"
    write_out(hall, again, "copie")
    assert tree(again) == tree(out)
    assert seconds(again / "documents") == seconds(out / "documents")


def test_the_journal_has_a_row_for_each(hall: Hall, out: Path) -> None:
    write_out(hall, out)
    with hall.database.read() as connection:
        (row,) = rows(connection, limit=1)
    assert (row.action, row.space, row.address) == ("space.export", "conseil", "console")
    assert row.detail["entries"] == 4
    before = hall.journal_size()
    taken = take_in(hall, out)
    assert hall.journal_size() - before == taken.documents + taken.folders + taken.entries
    with hall.database.read() as connection:
        written = list(rows(connection, limit=taken.documents + taken.folders + taken.entries))
    assert {row.login for row in written} == {"root"}
    assert {row.space for row in written} == {"copie"}


def test_one_instant_is_exported(hall: Hall, out: Path) -> None:
    bruno = hall.client("bruno")
    before = tree(hall.disk("conseil"))

    def meanwhile() -> None:
        done(bruno.delete(at("dossier")))
        done(bruno.put(at("versions.txt"), b"too late"))
        done(bruno.put("/calendars/bruno/conseil/late.ics", event("late")))

    watched = Meanwhile({("Copying the latest changes", 0): meanwhile})
    export(hall.app.documents, CONSOLE, "conseil", out, watched)
    assert tree(out / "documents") == before
    assert b"late" not in (out / "agenda.ics").read_bytes()


def test_what_is_no_document_is_left_out(hall: Hall, out: Path) -> None:
    root = hall.disk("conseil")
    (root / "dossier" / "link").symlink_to("/etc/passwd")
    os.mkfifo(root / "pipe")
    hall.known |= {check.NOT_SHOWN, check.MISCOUNTED}
    exported = write_out(hall, out)
    assert set(exported.left_out) == {"dossier/link", "pipe"}
    assert not os.path.lexists(out / "documents" / "dossier" / "link")


@pytest.mark.parametrize("name", ["mine.txt", ".hidden", "documents"])
def test_only_an_empty_directory_is_filled(hall: Hall, out: Path, name: str) -> None:
    out.mkdir()
    (out / name).write_bytes(b"mine")
    with pytest.raises(NotEmpty):
        write_out(hall, out)
    assert tree(out) == {name: b"mine"}
    with pytest.raises(TargetOverlaps):
        write_out(hall, hall.store.data / "out")
    with pytest.raises(UnknownName):
        write_out(hall, out, "nowhere")


def test_what_was_cut_short_is_begun_anew(hall: Hall, out: Path) -> None:
    (out / ".exporting" / "documents").mkdir(parents=True)
    (out / ".exporting" / "documents" / "half.txt").write_bytes(b"ha")
    write_out(hall, out)
    assert tree(out / "documents") == tree(hall.disk("conseil"))
    assert not (out / ".exporting").exists()


def test_an_empty_space(hall: Hall, out: Path) -> None:
    exported = write_out(hall, out, "copie")
    assert (exported.documents, exported.entries) == (0, 0)
    assert tree(out) == {"documents": "folder"}
    assert take_in(hall, out, "conseil") == Imported()


# Documents


def test_what_is_there_stays_or_gets_a_new_version(hall: Hall, out: Path) -> None:
    (out / "documents" / "sub").mkdir(parents=True)
    (out / "documents" / "a.txt").write_bytes(b"first")
    (out / "documents" / "sub" / "b.txt").write_bytes(b"first")
    assert (take_in(hall, out).documents, hall.history("copie")) == (2, {})
    (out / "documents" / "a.txt").write_bytes(b"second")
    (out / "documents" / "c.txt").write_bytes(b"first")
    taken = take_in(hall, out)
    assert (taken.documents, taken.folders, taken.kept, taken.replaced) == (1, 0, 2, 0)
    assert hall.documents("copie")["a.txt"] == b"first"
    hall.later(minutes=20)
    taken = take_in(hall, out, overwrite=True)
    assert (taken.documents, taken.kept, taken.replaced) == (0, 0, 3)
    assert hall.documents("copie")["a.txt"] == b"second"
    assert list(hall.history("copie").values()) == [b"first"]


REFUSED: list[tuple[str, bytes | None, str]] = [
    # what lies in documents/ (None: a folder), why it is refused
    ("a:b.txt", b"x", "Windows cannot show"),
    ("trailing. ", b"x", "Windows cannot show"),
    ("what?/inside.txt", b"x", "Windows cannot show"),
    ("nul.txt", b"x", "Windows keeps this name"),
    ("new\nline", b"x", "characters that no name can have"),
    (os.fsdecode(b"not utf-8 \xff"), b"x", "characters that no name can have"),
    ("._resource", b"x", "Operating systems leave it everywhere"),
    ("sub/.DS_Store", b"x", "Operating systems leave it everywhere"),
    ("sub/Thumbs.db", b"x", "Operating systems leave it everywhere"),
    ("here.txt", None, "There is something of this name already."),
    ("folder", b"x", "There is a folder of this name."),
    ("locked.txt", b"x", "This is being edited by bruno."),
    ("large.txt", b"x" * 3000, "The space Copie is full"),
]


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_refused_is_told_and_the_rest_goes_in(
    hall: Hall, out: Path, overwrite: bool
) -> None:
    bruno = hall.client("bruno")
    done(bruno.put(href("copie", "here.txt"), b"here"))
    done(bruno.mkcol(href("copie", "folder")))
    done(bruno.lock(href("copie", "locked.txt")))
    hall.space("pleine", {}, title="Copie", quota_bytes=2000)
    expected = {}
    for path, content, why in REFUSED:
        file = out / "documents" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            file.mkdir()
        else:
            file.write_bytes(content)
        # A folder that is refused is told once.
        top = f"documents/{path}".partition("/inside")[0]
        expected[top] = why
    (out / "documents" / "good.txt").write_bytes(b"good")
    (out / "documents" / "link").symlink_to("/etc/passwd")
    os.mkfifo(out / "documents" / "pipe")
    expected["documents/link"] = "Symbolic links are not followed."
    expected["documents/pipe"] = "It is neither a file nor a folder."
    if not overwrite:
        # It stays as it is, whatever else could be said.
        expected.pop("documents/locked.txt")
    expected.pop("documents/large.txt")
    taken = take_in(hall, out, overwrite=overwrite)
    told = refused(taken)
    assert told.keys() == expected.keys()
    assert all(why in told[path] for path, why in expected.items())
    assert hall.documents("copie").keys() == {
        *("good.txt", "large.txt", "here.txt", "folder", "locked.txt", "sub")
    }
    assert hall.documents("copie")["here.txt"] == b"here"


def test_the_quota_holds(hall: Hall, out: Path) -> None:
    hall.space("pleine", {}, title="Pleine", quota_bytes=2000)
    (out / "documents").mkdir(parents=True)
    for name, size in (("a", 1500), ("b", 1500), ("c", 400)):
        (out / "documents" / name).write_bytes(b"x" * size)
    taken = take_in(hall, out, "pleine")
    assert refused(taken) == {"documents/b": "The space Pleine is full: 500 bytes are left."}
    assert hall.documents("pleine").keys() == {"a", "c"}


def test_two_forms_of_one_name(hall: Hall, out: Path) -> None:
    """The second one is not taken for a new version of the first."""
    (out / "documents").mkdir(parents=True)
    (out / "documents" / "e\u0301").write_bytes(b"decomposed")
    (out / "documents" / "\u00e9").write_bytes(b"composed")
    taken = take_in(hall, out, overwrite=True)
    assert (taken.documents, taken.replaced) == (1, 0)
    assert list(refused(taken).values()) == ["There is something of this name already."]


def test_nothing_but_documents_and_entries(hall: Hall, out: Path) -> None:
    out.mkdir()
    (out / "letter.odt").write_bytes(b"x")
    (out / "folder").mkdir()
    (out / "folder.ics").mkdir()
    (out / "link.ics").symlink_to("/etc/passwd")
    told = refused(take_in(hall, out))
    assert told.keys() == {"letter.odt", "folder", "folder.ics", "link.ics"}
    assert all(why.startswith("Only the folder documents") for why in told.values())


# Entries


def entries(hall: Hall, slug: str) -> dict[str, str]:
    """The entries of the space's collections by their UIDs: what they are called."""
    found = {row["id"]: row["name"] for row in stored(hall.database)["collections"]}
    return {
        row["uid"]: f"{found[row['collection_id']]}/{row['name']}"
        for row in stored(hall.database)["objects"]
        if re.fullmatch(f"{slug}(-tasks|-contacts)?", found[row["collection_id"]])
    }


def test_entries_go_where_they_belong(hall: Hall, out: Path) -> None:
    out.mkdir()
    both = (
        event("e1", "É").replace(b"END:VCALENDAR\r\n", b"")
        + task("t1").partition(b"PRODID:-//test//EN\r\n")[2]
    )
    (out / "mixed.ICS").write_bytes(both)
    (out / "people.vcf").write_bytes(b"\xef\xbb\xbf" + card("c1") + card("c2", version="4.0"))
    taken = take_in(hall, out)
    assert (taken.entries, refused(taken)) == (4, {})
    assert entries(hall, "copie") == {
        "e1": "copie/e1.ics",
        "t1": "copie-tasks/t1.ics",
        "c1": "copie-contacts/c1.vcf",
        "c2": "copie-contacts/c2.vcf",
    }


def test_an_entry_that_is_there_stays_or_is_replaced(hall: Hall, out: Path) -> None:
    bruno = hall.client("bruno")
    done(bruno.put("/calendars/bruno/copie/own-name.ics", event("1", "former")))
    out.mkdir()
    (out / "agenda.ics").write_bytes(event("1", "later"))
    taken = take_in(hall, out)
    assert (taken.entries, taken.kept, taken.replaced) == (0, 1, 0)
    taken = take_in(hall, out, overwrite=True)
    assert (taken.entries, taken.kept, taken.replaced) == (0, 0, 1)
    assert b"later" in bruno.get("/calendars/bruno/copie/own-name.ics").body
    # What is the same already is not written again.
    taken = take_in(hall, out, overwrite=True)
    assert (taken.entries, taken.kept, taken.replaced) == (0, 1, 0)
    assert entries(hall, "copie") == {"1": "copie/own-name.ics"}


def test_entries_that_are_refused(hall: Hall, out: Path) -> None:
    out.mkdir()
    journal = component("VJOURNAL", {"UID": "j", "SUMMARY": "A journal"})
    broken = event("2", "Without a time", DTSTART="never")
    large = event("3", "x" * 3000)
    (out / "a.ics").write_bytes(journal + broken + large + event("4", "Good"))
    (out / "b.vcf").write_bytes(card("5", "Old", version="2.1") + card("6") + card("6", "Twin"))
    (out / "c.ics").write_bytes(event("7")[:-10])
    (out / "d.vcf").write_bytes("é".encode("latin-1"))
    (out / "e.ics").write_bytes(b"")
    taken = take_in(hall, out, object_max=2000)
    told = refused(taken)
    assert {path: why.partition(":")[0] for path, why in told.items()} == {
        "a.ics: A journal": "VJOURNAL cannot be put here; this holds VEVENT.",
        "a.ics: Without a time": "This is no valid iCalendar",
        "a.ics: " + "x" * 3000: "This is larger than 2000 bytes.",
        "b.vcf: Old": "Contacts are accepted as vCard 3.0 or 4.0.",
        "c.ics": "It is cut short, or it is something else.",
        "d.vcf": "It is not UTF-8.",
        "e.ics": "It is cut short, or it is something else.",
    }
    # The second of one UID is what is there already.
    assert (taken.entries, taken.kept) == (2, 1)
    assert entries(hall, "copie").keys() == {"4", "6"}


def test_what_has_no_uid_is_not_imported_twice(hall: Hall, out: Path) -> None:
    out.mkdir()
    (out / "a.vcf").write_bytes(card().replace(b"UID:chlo\xc3\xa9\r\n", b""))
    assert (take_in(hall, out).entries, take_in(hall, out).kept) == (1, 1)
    assert len(entries(hall, "copie")) == 1


def test_an_odd_uid_makes_no_odd_name(hall: Hall, out: Path) -> None:
    out.mkdir()
    uids = ["a/b", "..", ".hidden", "é", "x" * 300, "plain-1@example.org"]
    (out / "a.ics").write_bytes(b"".join(event(uid) for uid in uids))
    assert refused(take_in(hall, out)) == {}
    names = entries(hall, "copie")
    assert names.keys() == set(uids)
    assert names.pop("plain-1@example.org") == "copie/plain-1@example.org.ics"
    assert all(re.fullmatch(r"copie/[0-9a-f-]{36}\.ics", name) for name in names.values())
    bruno = hall.client("bruno")
    for name in names.values():
        done(bruno.get(f"/calendars/bruno/{name}"))
