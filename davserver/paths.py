"""The only path normaliser: what clients send, to names in a space, and back.

A *path* is NFC text below a space's root, its segments joined by "/", without one at either
end; the root's is "". An *href* is the percent-encoded absolute path of a URL.
"""

import re
import unicodedata
from urllib.parse import quote, unquote_to_bytes, urlsplit

from config.errors import MalformedRequest, NameTooLong, OtherServer
from davserver.errors import MalformedPath, ReservedName, UnusableName

SPACES = "spaces"
"""The collection of all spaces, in every address of a document."""

HISTORY = "history"
"""The collection of what spaces were, and of their trash."""

SEGMENT_MAX = 255  # bytes; the limit of ext4, XFS, Btrfs and most others
# Bytes. With the data directory before it, within the kernel's 4,096; with a property's name,
# within the 2,704 that PostgreSQL can index.
PATH_MAX = 2000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_CONTROL_BYTE = re.compile(r"[\x00-\x1f\x7f]")
_WINDOWS = re.compile(r'[<>:"\\|?*]')
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{n}" for port in ("com", "lpt") for n in "123456789¹²³"]
)
_ENCODED_SLASH = re.compile(r"%2f", re.IGNORECASE)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What RFC 3986 lets stand in a segment, and clients compare byte by byte.
_SAFE = "!$&'()*+,;=:@~-._"


def normalise(text: str) -> str:
    """`text` as a path: NFC, with no slash at either end and no empty segments.

    Raises `MalformedPath` for control characters, surrogates and dot segments.
    """
    return "/".join(segments(text))


def segments(text: str) -> tuple[str, ...]:
    """The segments of `text`, in NFC. Raises as `normalise` does."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedPath() from None
    if _CONTROL.search(text):
        raise MalformedPath()
    parts = tuple(unicodedata.normalize("NFC", part) for part in text.split("/") if part)
    if "." in parts or ".." in parts:
        raise MalformedPath()
    return parts


def from_href(href: str) -> str:
    """The text of a percent-encoded URL path, as it came over the wire in Latin-1.

    Raises `MalformedPath` where it is not UTF-8, or where a slash is hidden in a segment.
    """
    if _ENCODED_SLASH.search(href) or _BAD_ESCAPE.search(href):
        raise MalformedPath()
    try:
        return unquote_to_bytes(href.encode("latin-1")).decode("utf-8")
    except UnicodeError:
        raise MalformedPath() from None


def from_destination(destination: str, host: str) -> str:
    """The text of a Destination header's path (RFC 4918, 10.3).

    `host` is the request's Host header. Only names are compared: a front may speak TLS for us on
    a port of its own, and KDE sends `http://login:password@host/`. Raises `MalformedRequest`,
    `MalformedPath`, or `OtherServer`.
    """
    if _CONTROL_BYTE.search(destination):
        # urlsplit drops some of them, and what is left is another name.
        raise MalformedPath()
    try:
        url = urlsplit(destination.strip())
        given, ours, _ = url.hostname, urlsplit(f"//{host}").hostname, url.port
    except ValueError:
        raise MalformedRequest(what="Destination header") from None
    if not url.path.startswith("/") or url.query or url.fragment:
        raise MalformedRequest(what="Destination header")
    if url.scheme and url.scheme not in ("http", "https"):
        raise OtherServer()
    if url.netloc and given != ours:
        raise OtherServer()
    return from_href(url.path)


def from_tag(tag: str) -> str:
    """The text of the path of a resource tag in an If header (RFC 4918, 10.4.2)."""
    try:
        return from_href(urlsplit(tag).path)
    except ValueError:
        raise MalformedRequest(what="If header") from None


def href(*parts: str, collection: bool = False) -> str:
    """The href of the given parts, each a path; a collection's ends in a slash."""
    path = "/".join(part for part in parts if part)
    if not path:
        return "/"
    return "/" + quote(path, safe=_SAFE + "/") + ("/" if collection else "")


def parent(path: str) -> str:
    """The path of the collection that `path` is a member of."""
    return path.rpartition("/")[0]


def name(path: str) -> str:
    """The last segment of `path`."""
    return path.rpartition("/")[2]


def join(path: str, member: str) -> str:
    """The path of `member` (a name or a path, "" for itself) in the collection `path`."""
    return f"{path}/{member}" if path and member else path or member


def below(path: str, collection: str) -> str:
    """The path of `path` in the collection `collection`, which it is or lies in."""
    return path[len(collection) :].lstrip("/")


def is_within(path: str, collection: str) -> bool:
    """Whether `path` is `collection` or lies in it, segment by segment."""
    return not collection or path == collection or path.startswith(f"{collection}/")


def ancestors(path: str) -> list[str]:
    """The collections around `path`, from the root "" to its parent."""
    parts = path.split("/")[:-1]
    return ["", *("/".join(parts[: n + 1]) for n in range(len(parts)))] if path else []


def check_new(path: str) -> None:
    """Refuse a path that some client could not show: called when something is created.

    Raises `UnusableName`, `ReservedName` or `NameTooLong`. What is on the disk already is
    served whatever it is called.
    """
    new = name(path)
    if _WINDOWS.search(new) or new[-1] in ". ":
        raise UnusableName()
    if new.partition(".")[0].rstrip(" ").casefold() in _DEVICES:
        raise ReservedName()
    if len(new.encode()) > SEGMENT_MAX:
        raise NameTooLong()
    check_length(path)


def check_length(path: str) -> None:
    """Raise `NameTooLong` for a path that could not be found again."""
    if len(path.encode("utf-8", "surrogateescape")) > PATH_MAX:
        raise NameTooLong()


def in_history(text: str) -> tuple[str, str] | None:
    """The slug and path of an address below `/history/`, both "" for that; None for any other."""
    first, *rest = segments(text) or ("",)
    if first != HISTORY:
        return None
    return (rest[0], "/".join(rest[1:])) if rest else ("", "")


def in_space(text: str) -> tuple[str, str]:
    """The slug and path of an address in a space. Raises `LookupError` for any other."""
    first, *rest = segments(text) or ("",)
    if first != SPACES or not rest:
        raise LookupError(text)
    return rest[0], "/".join(rest[1:])
