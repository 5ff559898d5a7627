"""PROPPATCH: properties that clients store, all of one request or none (RFC 4918, 9.2)."""

import os
from collections.abc import Mapping

from davserver.documents import properties
from davserver.documents.change import Change
from davserver.documents.conditions import Conditions
from davserver.documents.locks import extend
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE

_BILLION = 1_000_000_000


def annotate(
    change: Change,
    place: Place,
    updates: Mapping[str, str | None],
    modified: int | None,
    conditions: Conditions,
) -> Resource:
    """Set each dead property to its serialised element, or remove it where that is None.

    `modified` is the time of modification that the client wants, in seconds since 1970 UTC,
    None to leave it. Returns the resource as it is then. Raises `NotFound`, `NeedPrivileges`,
    `PreconditionFailed`, `Locked`.
    """
    resource = change.get(place)
    change.annotatable(resource)
    change.check(place, conditions)
    extend(change.connection, change.unlocked(place, conditions), change.now)
    if place.tree == LIVE:
        former = properties.of(change.connection, place)
        change.act.record(
            "document.properties",
            space_id=place.space.id,
            path=place.path,
            detail={
                "former": {name: former.get(name) for name in updates},
                "modified_ns": None if modified is None else resource.status.st_mtime_ns,
            },
        )
    properties.write(change.connection, place, updates)
    if modified is not None:
        _set_modified(change, resource, modified)
    return change.now_at(place)


def _set_modified(change: Change, resource: Resource, modified: int) -> None:
    """Set the second, and leave its fraction: it is what sets ETags apart (see upload.py)."""
    former = (resource.status.st_atime_ns, resource.status.st_mtime_ns)
    change.undo.append(lambda: os.utime(resource.disk, ns=former, follow_symlinks=False))
    fraction = former[1] % _BILLION
    wanted = (former[0], modified * _BILLION + fraction)
    os.utime(resource.disk, ns=wanted, follow_symlinks=False)
