"""If-Match and If-None-Match (RFC 9110, 13.1), which every calendar client relies on.

Parsed before anything else happens, and evaluated inside the transaction that acts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calendars.errors import MalformedRequest, PreconditionFailed

_ETAG = re.compile(r'\s*((?:W/)?"[^"]*"|\*)\s*(?:,|$)')


@dataclass(frozen=True)
class Conditions:
    """The entity tags that a request names; empty: no condition."""

    match: frozenset[str] = frozenset()
    none_match: frozenset[str] = frozenset()

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> "Conditions":
        """Those of a WSGI request. Raises `MalformedRequest`."""
        return cls(
            _parse(environ.get("HTTP_IF_MATCH"), "If-Match header"),
            _parse(environ.get("HTTP_IF_NONE_MATCH"), "If-None-Match header"),
        )

    def check(self, etag: str | None) -> None:
        """Raise `PreconditionFailed` unless they hold of a resource with this ETag, or of none."""
        # A weak tag never matches (RFC 9110, 13.1.1), as ours are all strong.
        if self.match and (etag is None or not {etag, "*"} & self.match):
            raise PreconditionFailed()
        if etag is not None and self.unchanged(etag):
            raise PreconditionFailed()

    def unchanged(self, etag: str) -> bool:
        """Whether the client has the content with this ETag already."""
        return bool({etag, f"W/{etag}", "*"} & self.none_match)


def _parse(header: str | None, what: str) -> frozenset[str]:
    if header is None:
        return frozenset()
    etags: list[str] = []
    position = 0
    while position < len(header):
        match = _ETAG.match(header, position)
        if match is None:
            raise MalformedRequest(what=what)
        etags.append(match[1])
        position = match.end()
    if not etags:
        raise MalformedRequest(what=what)
    return frozenset(etags)
