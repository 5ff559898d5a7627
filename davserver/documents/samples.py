"""Whether a content looks encrypted, judged by samples of a few KiB from its head and its middle.

What is encrypted has no structure left: it begins as no format does that we know, it is no text,
and it cannot be compressed. So is what some programs write, but then what they overwrite was
like that before. Only the change from the one to the other counts.
"""

import base64
import binascii
import os
import re
import stat
import zlib
from codecs import getincrementaldecoder
from dataclasses import dataclass
from pathlib import Path

from davserver.documents.store import open_file

_SAMPLE = 4096
# Of fewer bytes nothing can be said, but that they are text.
_NOISE_MIN = 64
_ARMOUR_MIN = 256
# What is left of a sample when it is compressed: of what is encrypted all, of the rest less. In
# between is what has been compressed already.
_NOISE, _STRUCTURE = 0.95, 0.90

_SIGNATURES = (
    # Documents: PDF and PostScript, ZIP (also OOXML, ODF, EPUB), OLE (Office until 2003, and what
    # Office encrypts since), OneNote, DjVu, LaTeX's DVI, Windows help.
    *(b"%PDF", b"%!PS", b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    *(b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", b"AT&TFORM", b"\xf7\x02", b"ITSF"),
    # Pictures: JPEG, JPEG 2000, JPEG XL, PNG, GIF, TIFF and raw ones, Photoshop, GIMP, BMP, icons.
    *(b"\xff\xd8\xff", b"\x00\x00\x00\x0cjP  ", b"\xff\x0a", b"\x00\x00\x00\x0cJXL "),
    *(b"\x89PNG", b"GIF8", b"II*\x00", b"MM\x00*", b"II+\x00", b"IIU\x00", b"8BPS"),
    *(b"gimp xcf", b"BM", b"\x00\x00\x01\x00", b"\xd7\xcd\xc6\x9a", b"\x01\x00\x00\x00"),
    # Sound and film: RIFF (WAVE, AVI, WebP, CorelDRAW), MP3, AAC, Ogg, FLAC, ASF, Matroska, MPEG.
    *(b"RIFF", b"ID3", b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1"),
    *(b"\xff\xf9", b"OggS", b"fLaC", b"\x30\x26\xb2\x75", b"\x1a\x45\xdf\xa3", b"FLV\x01"),
    *(b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"MThd", b"FORM", b"FWS", b"CWS", b"ZWS"),
    # Archives and images of disks.
    *(b"\x1f\x8b", b"\x1f\x9d", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"),
    *(b"7z\xbc\xaf\x27\x1c", b"Rar!", b"MSCF", b"\x60\xea", b"PAR2", b"!<arch>", b"\xed\xab\xee"),
    *(b"\x78\x01", b"\x78\x9c", b"\x78\xda", b"KDMV", b"conectix", b"vhdxfile", b"QFI\xfb"),
    # Plans and maps: AutoCAD, SketchUp, InDesign, Blender, shapes, HDF.
    *(b"AC10", b"\xff\xfe\xff\x0e", b"\x06\x06\xed\xf5", b"BLENDER", b"\x00\x00\x27\x0a"),
    *(b"\x89HDF", b"CDF\x01", b"CDF\x02", b"PAR1"),
    # Databases and mail: SQLite (GeoPackage, too), Access, Outlook.
    *(b"SQLite format 3", b"\x00\x01\x00\x00Standard", b"!BDN", b"\x9c\xcb\xcb\x8d"),
    # Programs and fonts.
    *(b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\x00asm", b"OTTO"),
    *(b"\x00\x01\x00\x00", b"true\x00", b"ttcf", b"wOFF", b"wOF2", b"PACK"),
    # What people encrypt and sign on purpose: KeePass, age, LUKS, rclone, certificates, CMS.
    *(b"\x03\xd9\xa2\x9a", b"age-encryption.org", b"LUKS\xba\xbe", b"RCLONE\x00\x00"),
    *(b"Salted__", b"\x30\x82", b"\x30\x80", b"\xfe\xed\xfe\xed"),
    # Text in UTF-16.
    *(b"\xff\xfe", b"\xfe\xff"),
)
# Others come later: MP4, HEIC and QuickTime, tar, DICOM.
_SIGNATURES_AT = ((4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (257, b"ustar"), (128, b"DICM"))
_PDF = re.compile(rb"%PDF-\d")

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_ARMOUR = re.compile(rb"[A-Za-z0-9+/_\s-]+={0,2}\s*")
_utf_8 = getincrementaldecoder("utf-8")


@dataclass(frozen=True)
class Sample:
    """What a content begins with, and what is in its middle if it is longer than that."""

    head: bytes
    middle: bytes = b""


def take(file: Path) -> Sample | None:
    """A sample of `file`; None of what is no regular file, or cannot be read."""
    try:
        descriptor = open_file(file)
    except OSError:
        # Whoever publishes or keeps it sees to it; there is nothing to judge.
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        head = os.pread(descriptor, _SAMPLE, 0)
        middle = b""
        if status.st_size > _SAMPLE:
            middle = os.pread(descriptor, _SAMPLE, max(_SAMPLE, (status.st_size - _SAMPLE) // 2))
        return Sample(head, middle)
    finally:
        os.close(descriptor)


def suspect(file: Path) -> Sample | None:
    """A sample of `file` if it may be encrypted; None if it surely is not, or cannot be read."""
    sample = take(file)
    if sample is None or _has_signature(sample.head):
        return None
    return sample if _is_head_noise(sample.head) or _is_noise(sample.middle) else None


def is_scrambled(former: Sample, new: Sample) -> bool:
    """Whether `new`, which is suspect, is what encryption makes of a content like `former`."""
    if _is_head_noise(new.head):
        return _has_structure(former)
    # Some encrypt a part here and there, which is faster.
    return _is_noise(new.middle) and _rest(former.middle) < _STRUCTURE


def _has_structure(sample: Sample) -> bool:
    head = sample.head
    if _has_signature(head):
        return True
    if _is_text(head):
        return bool(head) and not _is_armoured_noise(head)
    return _rest(head) < _STRUCTURE


def _has_signature(head: bytes) -> bool:
    return (
        head.startswith(_SIGNATURES)
        or any(head[at : at + len(magic)] == magic for at, magic in _SIGNATURES_AT)
        or _PDF.search(head[:1024]) is not None
    )


def _is_head_noise(head: bytes) -> bool:
    return _is_noise(head) or _is_armoured_noise(head)


def _is_noise(part: bytes) -> bool:
    return len(part) >= _NOISE_MIN and not _is_text(part) and _rest(part) >= _NOISE


def _is_armoured_noise(head: bytes) -> bool:
    """Whether it is nothing but noise in Base64 (RFC 4648)."""
    if len(head) < _ARMOUR_MIN or not _ARMOUR.fullmatch(head):
        return False
    plain = b"".join(head.split()).rstrip(b"=").translate(_URL_SAFE)
    try:
        decoded = base64.b64decode(plain[: len(plain) // 4 * 4])
    except binascii.Error:
        return False
    return not _has_signature(decoded) and _is_noise(decoded)


_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def _is_text(part: bytes) -> bool:
    """Whether it is text in UTF-8, or in an older character set."""
    if _CONTROL.search(part):
        return False
    try:
        # Its end may cut a character in two, and in the middle of a file its beginning too.
        _utf_8().decode(part.lstrip(_CONTINUATION))
    except UnicodeDecodeError:
        # Western Europe's older sets have letters above the ASCII ones, here and there.
        return sum(byte > 0x7F for byte in part) * 4 <= len(part)
    return True


_CONTINUATION = bytes(range(0x80, 0xC0))


def _rest(part: bytes) -> float:
    """Which part of it is left when it is compressed."""
    if not part:
        return 1.0
    deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (len(deflate.compress(part)) + len(deflate.flush())) / len(part)
