"""The endings of names, and which of them only an attacker gives."""

from __future__ import annotations

import mimetypes

import pytest

from davserver.documents import endings

ENDINGS = [
    ("lettre.odt", "odt"),
    ("LETTRE.ODT", "odt"),
    ("lettre.odt.Locked", "locked"),
    ("archive.tar.gz", "gz"),
    ("lettre", ""),
    (".bashrc", ""),
    (".cache.locked", "locked"),
    ("lettre.", ""),
    ("compte rendu 3. annexe du budget", ""),
    ("photo.001", ""),
    ("version 1.2", ""),
    ("version 1.2b", "2b"),
    ("", ""),
]


@pytest.mark.parametrize("name, ending", ENDINGS)
def test_ending(name: str, ending: str) -> None:
    assert endings.ending(name) == ending


FOREIGN = "locked lockbit encrypted crypt crypted enc wncry wannacry akira zepto cerber x9f3k2 aes"
FAMILIAR = (
    "odt ods odp docx xlsx pptx doc xls ppt pdf txt csv rtf html md jpg jpeg png gif heic webp tif "
    "tiff svg dwg dxf mp3 mp4 mov wav zip gz 7z rar tar eml msg ics vcf kdbx gpg p7m asc key"
)
# What editors, browsers and Finder call a former content or an unfinished one.
PASSING = "bak tmp temp old orig part crdownload swp sb-1a2b3c4d-xY odt~ wbk asd partial save"


@pytest.mark.parametrize("ending", FOREIGN.split())
def test_what_no_program_knows(ending: str) -> None:
    assert endings.is_foreign(ending)


@pytest.mark.parametrize("ending", [*FAMILIAR.split(), *PASSING.split(), ""])
def test_what_programs_give(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not endings.is_foreign(ending)
    # Some systems have no list of media types at all, as containers.
    monkeypatch.setattr(mimetypes, "guess_type", mimetypes.MimeTypes().guess_type)
    assert not endings.is_foreign(ending)
