"""PROPPATCH (RFC 4918, 9.2): the instructions of the body, and the reply to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from config.errors import MalformedRequest
from davserver.dav import multistatus
from davserver.dav import properties as live
from davserver.dav.body import NAMES_MAX, Element, elements, serialise
from davserver.dav.headers import in_range
from davserver.documents.conditions import parse_date
from davserver.errors import ProtectedProperty, TooLarge

D = "{DAV:}"
# Bytes; with a path, within what PostgreSQL can index.
_NAME_MAX = 500


@dataclass
class Instructions:
    """What to do: dead properties to store (None: to remove), a time of modification in
    seconds since 1970 UTC, and what of all that is refused, by status."""

    updates: dict[str, str | None] = field(default_factory=dict)
    modified: int | None = None
    refused: dict[str, str] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)


def parse(root: Element | None) -> Instructions:
    """What the body asks for, in its order: the last word on a property counts.

    Raises `MalformedRequest`, and `TooLarge` for more properties than anybody has a use for.
    """
    if root is None or root.tag != f"{D}propertyupdate":
        raise MalformedRequest(what="XML body")
    instructions = Instructions()
    for action in elements(root):
        if action.tag not in (f"{D}set", f"{D}remove"):
            # Unknown elements are ignored (RFC 4918, 17).
            continue
        for prop in elements(action):
            if prop.tag != f"{D}prop":
                raise MalformedRequest(what="XML body")
            for element in elements(prop):
                _instruct(instructions, element, remove=action.tag == f"{D}remove")
    if not instructions.names:
        raise MalformedRequest(what="XML body")
    if len(instructions.names) > NAMES_MAX:
        raise TooLarge()
    return instructions


def _instruct(instructions: Instructions, element: Element, *, remove: bool) -> None:
    name = str(element.tag)
    instructions.names[name] = None
    if len(name.encode()) > _NAME_MAX:
        instructions.refused[name] = "507 Insufficient Storage"
        return
    if name in live.MODIFIED and not remove:
        moment = _moment(element)
        if moment is None:
            instructions.refused[name] = "409 Conflict"
            return
        instructions.modified = in_range(int(moment.timestamp()), "XML body")
    if name in live.LIVE and name not in live.SETTABLE:
        if name not in live.MODIFIED or remove:
            instructions.refused[name] = "403 Forbidden"
        return
    instructions.updates[name] = None if remove else serialise(element)


def _moment(element: Element) -> datetime | None:
    return parse_date((element.text or "").strip())


def reply(href: str, instructions: Instructions) -> str:
    """The DAV:response: all done, or nothing done and why."""
    if not instructions.refused:
        done = [multistatus.element(name) for name in instructions.names]
        return multistatus.response(href, [("200 OK", done, "")])
    failed = {
        name: instructions.refused.get(name, "424 Failed Dependency") for name in instructions.names
    }
    return multistatus.response(href, _failures(failed))


def _failures(failed: Mapping[str, str]) -> list[multistatus.Propstat]:
    assert ProtectedProperty.precondition is not None
    protected = f"<D:error>{multistatus.element(ProtectedProperty.precondition)}</D:error>"
    propstats: list[multistatus.Propstat] = []
    for status in dict.fromkeys(failed.values()):
        names = [multistatus.element(name) for name, its in failed.items() if its == status]
        propstats.append((status, names, protected if status.startswith("403") else ""))
    return propstats
