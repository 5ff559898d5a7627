"""The five privileges a decision is about."""

from enum import StrEnum


class Privilege(StrEnum):
    """One bit of DESIGN's roles, and the RFC 3744 privileges it stands for."""

    READ = "r"
    """List and read (DAV:read)."""

    CREATE = "c"
    """Add a new member to a collection (DAV:bind)."""

    WRITE = "w"
    """Overwrite and rename (DAV:write-content, DAV:write-properties)."""

    DELETE = "d"
    """Send to the trash, move out (DAV:unbind)."""

    MANAGE = "m"
    """Members, restricted folders, links, others' locks, restore, rewind (DAV:unlock)."""
