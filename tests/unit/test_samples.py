"""What looks encrypted, by cases: what was there, what came, and whether that is suspicious."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import struct
import wave
import zipfile
import zlib
from pathlib import Path

import pytest

from davserver.documents import samples

SOME = random.Random(20261123)

# What a town hall writes, with something in it that differs each time.
PARAGRAPH = (
    "Le conseil municipal, régulièrement convoqué, s’est réuni en séance publique sous la "
    "présidence de Mme le Maire. Délibération n° {} : le budget de {} € est adopté.\n"
)


def text(size: int, encoding: str = "utf-8") -> bytes:
    lines = (PARAGRAPH.format(SOME.randrange(1000), SOME.randrange(10**6)) for _ in range(size))
    return "".join(lines).encode(encoding, "replace")[:size]


def noise(size: int) -> bytes:
    """What no compression makes smaller, as AES leaves it."""
    return SOME.randbytes(size)


def encrypted(content: bytes) -> bytes:
    """The content XOR a key stream, as ChaCha20 and AES-CTR do it."""
    return bytes(a ^ b for a, b in zip(content, noise(len(content)), strict=True))


def office(*parts: str) -> bytes:
    """A document of an office suite: a ZIP archive of XML."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            archive.writestr(part, text(20_000))
    return file.getvalue()


def png(size: int) -> bytes:
    body = zlib.compress(noise(size))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", len(body), b"IDAT") + body


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 44_100, 0, "NONE", ""))
        sound.writeframes(noise(20_000))
    return file.getvalue()


DOCX, XLSX = office("word/document.xml", "[Content_Types].xml"), office("xl/sheet1.xml")
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + noise(50_000)
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + zlib.compress(text(50_000))
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise(30_000)
TEXT, CSV = text(30_000), b"nom;montant\n" + b"".join(b"a%d;%d\n" % (n, n * n) for n in range(3000))
GZIP = gzip.compress(text(30_000))
TABLE = json.dumps([{"n": n, "texte": PARAGRAPH} for n in range(50)]).encode()
BASE64 = base64.encodebytes(noise(20_000))
MAIL = b"From: a@b.example\nContent-Type: image/jpeg\n\n" + text(4000) + base64.encodebytes(JPEG)
UNKNOWN = b"\x07BIN" + bytes(range(256)) * 40
SMALL = "Rappel : réunion jeudi à 18 h.".encode()
PARTLY = encrypted(TEXT[:4096]) + TEXT[4096:]
HERE_AND_THERE = TEXT[:8000] + encrypted(TEXT[8000:22_000]) + TEXT[22_000:]
HEADED = b"YOUR FILES ARE ENCRYPTED. WRITE TO US.\n" + noise(30_000)

SCRAMBLED = {
    "text": (TEXT, encrypted(TEXT)),
    "text in Latin-1": (text(5000, "latin-1"), noise(5000)),
    "text in UTF-16": (text(5000, "utf-16"), noise(5000)),
    "a table": (CSV, encrypted(CSV)),
    "JSON": (TABLE, noise(len(TABLE))),
    "docx": (DOCX, encrypted(DOCX)),
    "pdf": (PDF, encrypted(PDF)),
    "jpeg": (JPEG, encrypted(JPEG)),
    "png": (png(30_000), noise(30_000)),
    "ole": (OLE, encrypted(OLE)),
    "gzip": (GZIP, encrypted(GZIP)),
    "wave": (wav(), noise(20_000)),
    "a format that nobody knows": (UNKNOWN, encrypted(UNKNOWN)),
    "one byte is enough of what was text": (b"a", noise(4096)),
    "a note": (SMALL, noise(300)),
    "the smallest there is to judge": (SMALL, noise(64)),
    "another length": (TEXT, noise(2_000_000)),
    "its beginning only": (TEXT, PARTLY),
    "its middle only": (TEXT, HERE_AND_THERE),
    "behind a note of the blackmailer": (DOCX, HEADED),
    "in Base64": (TEXT, BASE64),
    "in Base64 without lines": (DOCX, base64.b64encode(encrypted(DOCX))),
    "in Base64 for URLs": (DOCX, base64.urlsafe_b64encode(encrypted(DOCX))),
    "a mail": (MAIL, encrypted(MAIL)),
}
HARMLESS = {
    "nothing by nothing": (b"", b""),
    "text by nothing": (TEXT, b""),
    "nothing by text": (b"", TEXT),
    "nothing by what looks encrypted": (b"", noise(5000)),
    "text by text": (TEXT, text(20_000)),
    "text by less text": (TEXT, SMALL),
    "text by a text in Latin-1": (TEXT, text(5000, "latin-1")),
    "text by a text in UTF-16": (TEXT, text(5000, "utf-16")),
    "a table by a workbook": (CSV, XLSX),
    "text by its archive": (TEXT, GZIP),
    "docx by docx": (DOCX, office("word/document.xml")),
    "docx by pdf": (DOCX, PDF),
    "doc by docx": (OLE, DOCX),
    # What Office encrypts with a password is an OLE container.
    "docx by docx with a password": (DOCX, OLE),
    "jpeg by jpeg": (JPEG, b"\xff\xd8\xff\xe1" + noise(40_000)),
    "jpeg by png": (JPEG, png(40_000)),
    "jpeg by webp": (JPEG, b"RIFF\x00\x00\x00\x00WEBPVP8 " + noise(10_000)),
    "jpeg by heic": (JPEG, b"\x00\x00\x00\x18ftypheic" + noise(10_000)),
    "wave by mp3": (wav(), b"ID3\x04" + noise(20_000)),
    "text by 7z": (TEXT, b"7z\xbc\xaf\x27\x1c" + noise(20_000)),
    "text by rar": (TEXT, b"Rar!\x1a\x07\x01" + noise(20_000)),
    "passwords by passwords": (
        b"\x03\xd9\xa2\x9a" + noise(9000),
        b"\x03\xd9\xa2\x9a" + noise(9000),
    ),
    "a vault by a vault": (noise(50_000), noise(50_000)),
    "a vault by text": (noise(50_000), TEXT),
    "a few bytes": (SMALL, noise(63)),
    "a mail by a mail": (MAIL, MAIL[:300] + text(2000) + base64.encodebytes(noise(9000))),
    "a picture in Base64": (TEXT, base64.encodebytes(JPEG)),
    "secrets by secrets": (BASE64, base64.encodebytes(noise(9000))),
    "a column of numbers": (CSV, b"".join(b"%d\n" % SOME.randrange(10**9) for _ in range(3000))),
    "digests": (TEXT, b"".join(noise(32).hex().encode() + b"\n" for _ in range(300))),
    "a raster": (TEXT, bytes(SOME.choice((0, 0, 0, 1, 2, 255)) for _ in range(20_000))),
    "a format that nobody knows": (UNKNOWN, b"\x07BIN" + bytes(range(255, -1, -1)) * 30),
    "a tar of pictures": (TEXT, b"a.jpg".ljust(257, b"\0") + b"ustar\x0000" + b"\0" * 248 + JPEG),
}


@pytest.fixture(autouse=True)
def same_chance(request: pytest.FixtureRequest) -> None:
    """Each test has the same luck every time, whatever ran before it."""
    SOME.seed(request.node.name)


def judged(tmp_path: Path, former: bytes, new: bytes) -> bool:
    before, after = tmp_path / "before", tmp_path / "after"
    before.write_bytes(former)
    after.write_bytes(new)
    was, suspect = samples.take(before), samples.suspect(after)
    assert was is not None
    return suspect is not None and samples.is_scrambled(was, suspect)


@pytest.mark.parametrize("former, new", SCRAMBLED.values(), ids=SCRAMBLED)
def test_what_is_scrambled(tmp_path: Path, former: bytes, new: bytes) -> None:
    assert judged(tmp_path, former, new)
    # What is encrypted already can be encrypted no more.
    assert not judged(tmp_path, noise(5000), encrypted(new))


@pytest.mark.parametrize("former, new", HARMLESS.values(), ids=HARMLESS)
def test_what_is_harmless(tmp_path: Path, former: bytes, new: bytes) -> None:
    assert not judged(tmp_path, former, new)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 255, 256, 4095, 4096, 4097, 8191, 8192, 12_289])
def test_any_size_can_be_judged(tmp_path: Path, size: int) -> None:
    for former in (b"", SMALL, TEXT):
        assert judged(tmp_path, former, noise(size)) == (size >= 64 and former != b"")
        assert not judged(tmp_path, former, text(size))


def test_chance_does_not_decide(tmp_path: Path) -> None:
    """Of noise nearly all is found, and of text nothing, whatever it happens to be."""
    found = sum(judged(tmp_path, TEXT, noise(SOME.randrange(128, 9000))) for _ in range(300))
    # A content may begin like a known format by chance: some have marks of two bytes.
    assert found >= 298
    assert not any(judged(tmp_path, DOCX, text(SOME.randrange(1, 9000))) for _ in range(300))


def test_what_is_no_file_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("missing", "", "link"):
        assert samples.take(tmp_path / name) is None
        assert samples.suspect(tmp_path / name) is None
