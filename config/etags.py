"""Lists of entity tags, as If-Match and If-None-Match have them (RFC 9110, 13.1)."""

import re

from config.errors import MalformedRequest

_ETAG = re.compile(r'\s*((?:W/)?"[^"]*"|\*)\s*(?:,|$)')


def parse(header: str, name: str) -> tuple[str, ...]:
    """The tags of the header `name`, quoted as they are, or `*` alone.

    Raises `MalformedRequest`.
    """
    etags: list[str] = []
    position = 0
    while position < len(header):
        match = _ETAG.match(header, position)
        if match is None:
            raise MalformedRequest(what=f"{name} header")
        etags.append(match[1])
        position = match.end()
    if not etags or ("*" in etags and len(etags) > 1):
        raise MalformedRequest(what=f"{name} header")
    return tuple(etags)
