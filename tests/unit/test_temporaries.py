"""Names that only programs give, and names that people might."""

from __future__ import annotations

import pytest

from davserver.documents.temporaries import is_backup, is_lock_file, is_temporary

DOCUMENTS = [
    # Word, Excel, PowerPoint
    *("~WRD0001.tmp", "~WRL1234.tmp", "34429E5E.tmp", "CEDD4100", "cedd4100", "pptA1B2.tmp"),
    *("~$mpte rendu.docx", ".~WRD0000", "..~WRD0002"),
    # LibreOffice
    *("lu8472ab.tmp", ".~lock.note.odt#"),
    # GNOME, vim, Emacs, KDE, rclone, WinSCP, macOS
    *(".goutputstream-XA3F7S", ".note.txt.swp", ".note.swx", "4913", "#note.txt#"),
    *("note.md.part", "a.zip.1a2b3c4d.partial", "a.zip.filepart", ".zshrc.sb-1a2b3c4d-AbCdEf"),
    ".TemporaryItems/folders.501/TemporaryItems/(A Document Being Saved By TextEdit)/note.txt",
]
FOLDERS = [
    *("(A Document Being Saved By TextEdit)", "(A Document Being Saved By Pages 2)"),
    *("note.txt.sb-1a2b3c4d-AbCdEf", ".TemporaryItems", ".TemporaryItems/folders.501"),
]
OTHERS = [
    # People name things like this.
    *("note.odt", "20261100", "12345600", "décembre", "temp", "tmp", "a.part.pdf", "1. partie"),
    *("~", "~note.odt", "note.odt~", "note.bak", "#1 plan", "C#", "$100.ods", "partial", "4914"),
    *("swp", "photo.swp.jpg", "A Document Being Saved By me", "goutputstream", ".profile", ""),
    *("TemporaryItems", "TemporaryItems/note", "lu", "wrd0001", "deadbeef", ".swp"),
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_programs_call_documents(name: str) -> None:
    assert is_temporary(name, collection=False)
    assert is_temporary(f"dossier/{name}", collection=False)


@pytest.mark.parametrize("name", FOLDERS)
def test_what_programs_call_folders(name: str) -> None:
    assert is_temporary(name, collection=True)
    assert is_temporary(f"dossier/{name}", collection=True)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("collection", [False, True])
def test_what_people_call_theirs(name: str, collection: bool) -> None:
    assert not is_temporary(name, collection=collection)
    assert not is_temporary(f"(A Document Being Saved By X)/{name}", collection=collection)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("~$note.docx", True),
        (".~lock.note.odt#", True),
        ("~$", False),
        (".~lock.#", False),
        ("note.~lock.odt#", False),
        ("a~$note.docx", False),
        (".~lock.note.odt", False),
    ],
)
def test_lock_files(name: str, expected: bool) -> None:
    assert is_lock_file(name) is expected


BACKUPS = [
    # of, called so
    ("note.txt", ["note.txt~", "note.txt.~1~", "note.txt.bak", "note.bak", "note.txt.orig"]),
    ("note.txt", ["note.old", "note.txt_original", "note.BAK2", "~WRL0001.tmp", "note.txt.tmp"]),
    ("d/note.txt", ["d/note.txt~", "d/note.bak", "d/x.sb-1a2b3c4d-AbCdEf/.~WRL0001"]),
    ("LISEZMOI", ["LISEZMOI~", "LISEZMOI.bak"]),
]
NO_BACKUPS = [
    ("note.txt", ["note 2.txt", "note.txt 2", "notes", "note", "old note.txt", "~", "note.odt"]),
    ("note.txt", ["d/note.txt~", "note.txt~/note.txt", "note.txt.2026", "bak", "note.txtbak"]),
    ("d/note.txt", ["note.txt~", "e/note.txt~"]),
    ("LISEZMOI", ["LISEZMOI.txt", "LISEZMOI 2025"]),
]


@pytest.mark.parametrize("of, names", BACKUPS)
def test_what_programs_call_backups(of: str, names: list[str]) -> None:
    assert [name for name in names if not is_backup(name, of)] == []


@pytest.mark.parametrize("of, names", NO_BACKUPS)
def test_what_people_call_what_they_rename(of: str, names: list[str]) -> None:
    assert [name for name in names if is_backup(name, of)] == []
