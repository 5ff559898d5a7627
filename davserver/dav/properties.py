"""Live properties: what the server computes (RFC 4918, 15; RFC 4331; RFC 3744; RFC 5397)."""

from collections.abc import Callable
from xml.sax.saxutils import escape

from acl.privileges import Privilege
from davserver import paths
from davserver.dav.headers import http_date
from davserver.dav.item import Item, Surroundings
from davserver.documents.locks import Lock

D = "{DAV:}"

Live = Callable[[Item, Surroundings], str | None]
"""A property's content as XML, None where the item does not have it."""


def _resourcetype(item: Item, around: Surroundings) -> str:
    return "<D:collection/>" if item.is_collection else ""


def _displayname(item: Item, around: Surroundings) -> str:
    return escape(item.name)


def _getcontentlength(item: Item, around: Surroundings) -> str | None:
    return None if item.is_collection or item.resource is None else str(item.resource.size)


def _getcontenttype(item: Item, around: Surroundings) -> str | None:
    if item.is_collection or item.resource is None:
        return None
    return item.resource.content_type


def _getetag(item: Item, around: Surroundings) -> str | None:
    return None if item.resource is None else escape(item.resource.etag)


def _getlastmodified(item: Item, around: Surroundings) -> str:
    return http_date(item.modified)


def _creationdate(item: Item, around: Surroundings) -> str:
    # The file systems at hand do not tell; Finder shows no file without it.
    return item.modified.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _supportedlock(item: Item, around: Surroundings) -> str:
    if item.resource is None or item.past:
        return ""
    return "".join(
        f"<D:lockentry><D:lockscope><D:{scope}/></D:lockscope>"
        "<D:locktype><D:write/></D:locktype></D:lockentry>"
        for scope in ("exclusive", "shared")
    )


def _lockdiscovery(item: Item, around: Surroundings) -> str:
    space = item.space
    if space is None:
        return ""
    return lockdiscovery(around.locks_on(item), space.slug)


def lockdiscovery(locks: list[Lock], slug: str) -> str:
    """The content of DAV:lockdiscovery for these locks in the space `slug`."""
    return "".join(_activelock(lock, slug) for lock in locks)


def _activelock(lock: Lock, slug: str) -> str:
    scope = "exclusive" if lock.exclusive else "shared"
    root = paths.href(paths.SPACES, slug, lock.path)
    return (
        "<D:activelock><D:locktype><D:write/></D:locktype>"
        f"<D:lockscope><D:{scope}/></D:lockscope>"
        f"<D:depth>{'infinity' if lock.infinite else '0'}</D:depth>{lock.owner}"
        f"<D:timeout>Second-{lock.seconds}</D:timeout>"
        f"<D:locktoken><D:href>{escape(lock.token)}</D:href></D:locktoken>"
        f"<D:lockroot><D:href>{escape(root)}</D:href></D:lockroot></D:activelock>"
    )


def _quota_used(item: Item, around: Surroundings) -> str | None:
    # Only on collections: KDE takes any value on a document for a full disk.
    if item.space is None or not item.is_collection or item.past:
        return None
    used = around.usage.get(item.space.id)
    return None if used is None else str(used)


def _quota_available(item: Item, around: Surroundings) -> str | None:
    space = item.space
    if space is None or not item.is_collection or item.past or space.quota_bytes is None:
        return None
    used = around.usage.get(space.id)
    return None if used is None else str(max(0, space.quota_bytes - used))


_NAMES = {
    Privilege.READ: ("read", "read-current-user-privilege-set"),
    Privilege.CREATE: ("bind",),
    Privilege.WRITE: ("write-content", "write-properties"),
    Privilege.DELETE: ("unbind",),
    Privilege.MANAGE: ("unlock",),
}
_WRITE = frozenset({Privilege.CREATE, Privilege.WRITE, Privilege.DELETE})


def _current_user_privilege_set(item: Item, around: Surroundings) -> str:
    held = around.privileges.get(item.href, frozenset({Privilege.READ}))
    names = [name for privilege in Privilege if privilege in held for name in _NAMES[privilege]]
    if held >= _WRITE:
        names.append("write")
    if held >= frozenset(Privilege):
        names.append("all")
    return "".join(f"<D:privilege><D:{name}/></D:privilege>" for name in names)


def _current_user_principal(item: Item, around: Surroundings) -> str:
    principal = paths.href("calendars", around.account.login, collection=True)
    return f"<D:href>{escape(principal)}</D:href>"


def _principal_collection_set(item: Item, around: Surroundings) -> str:
    return "<D:href>/calendars/</D:href>"


IN_ALLPROP: dict[str, Live] = {
    D + "resourcetype": _resourcetype,
    D + "displayname": _displayname,
    D + "getcontentlength": _getcontentlength,
    D + "getcontenttype": _getcontenttype,
    D + "getetag": _getetag,
    D + "getlastmodified": _getlastmodified,
    D + "creationdate": _creationdate,
    D + "supportedlock": _supportedlock,
    D + "lockdiscovery": _lockdiscovery,
}
"""Those that DAV:allprop asks for; the others cost more or belong to later RFCs."""

LIVE: dict[str, Live] = IN_ALLPROP | {
    D + "quota-used-bytes": _quota_used,
    D + "quota-available-bytes": _quota_available,
    D + "current-user-privilege-set": _current_user_privilege_set,
    D + "current-user-principal": _current_user_principal,
    D + "principal-collection-set": _principal_collection_set,
}
"""All live properties, by Clark name."""

SETTABLE = frozenset({D + "displayname"})
"""Live properties that a client may give another value: it is kept as a dead one."""

QUOTA = frozenset({D + "quota-used-bytes", D + "quota-available-bytes"})
PRIVILEGES = D + "current-user-privilege-set"
MODIFIED = frozenset({D + "getlastmodified", "{urn:schemas-microsoft-com:}Win32LastModifiedTime"})
"""Properties that set the time of modification: what rsync's kin and Explorer send."""
