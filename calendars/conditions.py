"""If-Match and If-None-Match (RFC 9110, 13.1), which every calendar client relies on.

Parsed before anything else happens, and evaluated inside the transaction that acts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config import etags
from config.errors import PreconditionFailed


@dataclass(frozen=True)
class Conditions:
    """The entity tags that a request names; empty: no condition."""

    match: frozenset[str] = frozenset()
    none_match: frozenset[str] = frozenset()

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> "Conditions":
        """Those of a WSGI request. Raises `MalformedRequest`."""
        return cls(
            _parse(environ, "If-Match"),
            _parse(environ, "If-None-Match"),
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


def _parse(environ: Mapping[str, Any], name: str) -> frozenset[str]:
    header = environ.get("HTTP_" + name.upper().replace("-", "_"))
    return frozenset() if header is None else frozenset(etags.parse(header, name))
