"""What a login, a group's name and a space's slug may look like: safe in every address."""

import re

from acl.errors import BadName

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check(kind: str, name: str) -> str:
    """Return `name` if it can be a `kind` ("login", "group", "space"); raises `BadName`."""
    # A final dot is refused by Windows, two in a row by careful proxies.
    if not _NAME.fullmatch(name) or name.endswith(".") or ".." in name:
        raise BadName(kind=kind, name=repr(name))
    return name
