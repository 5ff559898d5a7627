"""The headers of WebDAV requests, as what the verbs take."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Literal

from config import etags
from config.errors import MalformedRequest
from davserver import paths
from davserver.documents.conditions import Conditions, parse_date, parse_if
from davserver.documents.upload import Announced

Environ = Mapping[str, Any]
Depth = Literal["0", "1", "infinity"]

_TIMEOUT = re.compile(r"\s*(?:second-(\d{1,20})|(infinite))\s*(?:,|$)", re.IGNORECASE)
_SECONDS = re.compile(r"-?\d{1,11}(\.\d*)?")
_RANGE = re.compile(r"\s*(?:(\d{1,18})-(\d{1,18})?|-0*[1-9]\d{0,17})\s*", re.ASCII)
# What the time of a file can be on any file system in use.
_YEARS_1_TO_9999 = range(-62_135_596_800, 253_402_300_800)


def conditions(environ: Environ) -> Conditions:
    """The conditions of a request, and the lock tokens it submits.

    Raises `MalformedRequest`.
    """
    lists = parse_if(environ["HTTP_IF"]) if environ.get("HTTP_IF", "").strip() else ()
    tokens = {one.token for each in lists for one in each.conditions if one.token is not None}
    if environ.get("HTTP_LOCK_TOKEN"):
        # Some clients submit their token here, with every method.
        tokens.add(lock_token(environ))
    return Conditions(
        if_match=_etags(environ, "If-Match"),
        if_none_match=_etags(environ, "If-None-Match"),
        if_modified_since=parse_date(environ.get("HTTP_IF_MODIFIED_SINCE", "")),
        if_unmodified_since=parse_date(environ.get("HTTP_IF_UNMODIFIED_SINCE", "")),
        lists=lists,
        tokens=frozenset(tokens),
    )


def _etags(environ: Environ, name: str) -> tuple[str, ...]:
    value = environ.get("HTTP_" + name.upper().replace("-", "_"))
    return () if value is None else etags.parse(value, name)


def depth(environ: Environ, default: Depth, *allowed: Depth) -> Depth:
    """The Depth header (RFC 4918, 10.2). Raises `MalformedRequest` unless it is `allowed`."""
    given = environ.get("HTTP_DEPTH", default).strip().lower()
    for choice in allowed:
        if given == choice:
            return choice
    raise MalformedRequest(what="Depth header")


def overwrite(environ: Environ) -> bool:
    """The Overwrite header (RFC 4918, 10.6). Raises `MalformedRequest`."""
    given = environ.get("HTTP_OVERWRITE", "T").strip().upper()
    if given not in ("T", "F"):
        raise MalformedRequest(what="Overwrite header")
    return bool(given == "T")


def destination(environ: Environ) -> str:
    """The text of the Destination's path. Raises as `paths.from_destination` does."""
    given = environ.get("HTTP_DESTINATION")
    if not given:
        raise MalformedRequest(what="Destination header")
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return paths.from_destination(given, host)


def has_range(environ: Environ) -> bool:
    """Whether the Range header asks for one range of bytes (RFC 9110, 14.2).

    Several are as if there were none, and so is another unit. Raises `MalformedRequest` for
    bytes that are no range.
    """
    unit, _, ranges = environ.get("HTTP_RANGE", "").strip().partition("=")
    if unit.lower() != "bytes":
        return False
    matches = [_RANGE.fullmatch(one) for one in ranges.split(",")]
    if not all(match and int(match[1] or 0) <= int(match[2] or 10**18) for match in matches):
        raise MalformedRequest(what="Range header")
    return len(matches) == 1


def timeout(environ: Environ, maximum: int) -> int:
    """The seconds that a lock is wanted for, `maximum` at most (RFC 4918, 10.7).

    Raises `MalformedRequest`.
    """
    given = environ.get("HTTP_TIMEOUT")
    if given is None:
        return maximum
    match = _TIMEOUT.match(given)
    if match is None or match[1] == "0":
        raise MalformedRequest(what="Timeout header")
    return maximum if match[2] else min(int(match[1]), maximum)


def lock_token(environ: Environ) -> str:
    """The Lock-Token header (RFC 4918, 10.5). Raises `MalformedRequest`."""
    given = environ.get("HTTP_LOCK_TOKEN", "").strip()
    if len(given) < 3 or given[0] != "<" or given[-1] != ">":
        raise MalformedRequest(what="Lock-Token header")
    return str(given[1:-1])


def announced(environ: Environ) -> Announced:
    """What a PUT says of its body. Raises `MalformedRequest`."""
    if "HTTP_CONTENT_RANGE" in environ:
        # A part of a document must never be taken for the whole (RFC 9110, 14.5).
        raise MalformedRequest(what="Content-Range header")
    length = _length(environ.get("CONTENT_LENGTH") or None, "Content-Length")
    if environ.get("wsgi.input_terminated"):
        # Chunked: Finder says here how much will come.
        expected = environ.get("HTTP_X_EXPECTED_ENTITY_LENGTH")
        length = _length(expected, "X-Expected-Entity-Length")
    elif length is None:
        length = 0
    return Announced(length, _modified(environ), environ.get("HTTP_OC_CHECKSUM", ""))


def _length(value: str | None, name: str) -> int | None:
    if value is None:
        return None
    if not value.strip().isdecimal() or len(value) > 20:
        raise MalformedRequest(what=f"{name} header")
    return int(value)


def _modified(environ: Environ) -> int | None:
    """X-OC-Mtime: seconds since 1970, perhaps before it, perhaps with a fraction."""
    given = environ.get("HTTP_X_OC_MTIME")
    if given is None:
        return None
    if not _SECONDS.fullmatch(given.strip()):
        raise MalformedRequest(what="X-OC-Mtime header")
    return in_range(int(float(given)), "X-OC-Mtime header")


def in_range(seconds: int, what: str) -> int:
    """`seconds` since 1970, if a file can have that time. Raises `MalformedRequest`."""
    if seconds not in _YEARS_1_TO_9999:
        raise MalformedRequest(what=what)
    return seconds


def http_date(moment: datetime) -> str:
    """`moment` as HTTP writes it (RFC 9110, 5.6.7)."""
    return format_datetime(moment.replace(microsecond=0), usegmt=True)
