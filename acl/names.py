"""What things may be called: names that stand in addresses, and titles that people read."""

import re
import unicodedata

from acl.errors import BadName, BadTitle, Kind, ReservedSlug

TITLE_MAX = 200

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# In a member's home of agendas the space's three collections are <slug>, <slug>-tasks and
# <slug>-contacts, beside the member's own.
_HOME = frozenset({"agenda", "tasks", "contacts"})
_HOME_SUFFIXES = ("-tasks", "-contacts")
_WINDOWS = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)


def check(kind: Kind, name: str) -> str:
    """Return `name` if it can be a `kind` ("login", "group", "space"); raises `BadName`."""
    # A final dot is refused by Windows, two in a row by careful proxies.
    if not _NAME.fullmatch(name) or name.endswith(".") or ".." in name:
        raise BadName(kind=kind, name=repr(name))
    return name


def check_slug(slug: str) -> str:
    """Return `slug` if it can be a space's; raises `BadName` or `ReservedSlug`."""
    check("space", slug)
    if slug in _HOME or slug.endswith(_HOME_SUFFIXES) or slug.partition(".")[0] in _WINDOWS:
        raise ReservedSlug(name=slug)
    return slug


def check_title(title: str, maximum: int = TITLE_MAX) -> str:
    """Return `title` if it can be shown, and written in XML and in a header; raises `BadTitle`."""
    if not title.strip() or len(title) > maximum or any(is_invisible(c) for c in title):
        raise BadTitle(maximum=maximum)
    return title


def is_invisible(character: str) -> bool:
    """Whether a character shows nothing by itself, and may do something instead."""
    category = unicodedata.category(character)
    return category.startswith("C") or category in ("Zl", "Zp")
