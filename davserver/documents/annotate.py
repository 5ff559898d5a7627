"""PROPPATCH: properties that clients store, all of one request or none (RFC 4918, 9.2)."""

from collections.abc import Mapping

from davserver.documents import properties
from davserver.documents.change import Change
from davserver.documents.conditions import Conditions
from davserver.documents.intents import Touch
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
    former = properties.of(change.connection, place)
    properties.write(change.connection, place, updates)
    detail: dict[str, object] = {
        "former": {name: former.get(name) for name in updates},
        "modified_ns": None,
    }
    if modified is not None:
        detail["modified_ns"] = resource.status.st_mtime_ns
        touch = Touch(
            change.relative(place, resource),
            resource.status.st_mtime_ns,
            # The fraction stays: it is what sets ETags apart (see upload.py).
            modified * _BILLION + resource.status.st_mtime_ns % _BILLION,
        )
        change.carry_out((touch,), place.space)
    annotated = change.now_at(place)
    if place.tree == LIVE:
        if modified is not None:
            change.altered(annotated)
        change.record("document.properties", place, detail)
    return annotated
