"""Decisions as Radicale's letters, and as the privileges of RFC 3744; nowhere else."""

from radicale.rights import BaseRights

from acl import policy
from acl.actor import Actor
from acl.privileges import Privilege
from calendars.errors import CALDAV, DAV
from calendars.home import Home, Place
from calendars.paths import Path
from calendars.session import current


class Rights(BaseRights):
    """What Radicale asks before it answers PROPFIND.

    R: may list the root or a home. r: may read a collection. f: may see when somebody is busy.
    It is never told that anything may be written, as our own verbs do that.
    """

    def authorization(self, user: str, user_groups: set[str], path: str) -> str:
        """The letters of the current actor for `path`; "" where there is nothing for it."""
        return letters(current().home, Path.parse(path))


def letters(home: Home, path: Path) -> str:
    """The letters for a path that the home has entered."""
    if path.collection is None:
        return "R"
    if path.member is not None:
        # Those of its collection count.
        return ""
    place = home.find(path.collection)
    return "f" if place.busy_only(home.actor) else "r"


def of_place(actor: Actor, place: Place) -> list[str]:
    """The privileges that the actor has on a collection, by Clark name (RFC 3744, 3)."""
    if place.busy_only(actor):
        return [f"{CALDAV}read-free-busy"]
    held = [f"{DAV}read", f"{DAV}read-current-user-privilege-set"]
    if place.tag == "VCALENDAR":
        held.append(f"{CALDAV}read-free-busy")
    may = {p for p in Privilege if place.decide(actor, p)}
    if {Privilege.CREATE, Privilege.WRITE, Privilege.DELETE} <= may:
        # Thunderbird takes write-properties alone for permission to write: a reader, who may
        # well set the colours of its own view, is not told so.
        held += [f"{DAV}write", f"{DAV}write-content", f"{DAV}write-properties"]
        held += [f"{DAV}bind", f"{DAV}unbind"]
    return held


def of_home(actor: Actor, *, is_home: bool) -> list[str]:
    """The privileges on the account's home, or on the root above it."""
    held = [f"{DAV}read", f"{DAV}read-current-user-privilege-set"]
    if is_home and policy.decide_own(actor, Privilege.CREATE):
        held += [f"{DAV}bind", f"{DAV}unbind"]
    return held
