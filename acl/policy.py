"""The policy: who may do what where, and why. Pure; it reads nothing and remembers nothing.

The nearest member list decides: that of the innermost restricted folder around the path, else
the space's. In it, an account may do what any of the roles it has there allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from acl import roles
from acl.actor import Actor
from acl.privileges import Privilege
from acl.registry import Account, Member, Space
from acl.roles import Role


class Area(Enum):
    """Which part of a space a decision is about."""

    DOCUMENTS = "documents"
    AGENDA = "agenda"


class Reason(StrEnum):
    """Why a decision came out as it did; the sentence is the gettext key shown to people."""

    ROLE = "The role allows it."
    OWN_DEPOSIT = "It was deposited by this account less than a day ago."
    PASSAGE = "It leads to what may be entered."
    SPACE_MANAGER = "Managers of a space manage the member lists of its restricted folders."
    OWN = "It belongs to the account itself."
    ADMINISTRATOR = "Administrators manage the member lists of spaces that are not confidential."
    CONSOLE = "The command line belongs to whoever runs the server."
    NO_MEMBER = "The account is not in the member list that counts here."
    ROLE_TOO_LOW = "The role does not allow it."
    ARCHIVED = "The space is archived and can only be read."
    STOPPED = (
        "Writing was stopped because something that looks like ransomware was done with this "
        "account; an administrator can release it."
    )
    DEVICE_SCOPE = "The device password is not meant for this."
    DEVICE_READ_ONLY = "The device password may only read."


@dataclass(frozen=True)
class Decision:
    """What the policy says of one privilege at one path.

    `hidden`: to this actor the path does not exist (404), whatever there is. `list_path` is the
    restricted folder whose member list decided, "" for the space's own; `members` are the lines
    of it that speak of the actor. `busy_only`: of an agenda, busy times may be seen all the same.
    """

    allowed: bool
    hidden: bool
    reason: Reason
    list_path: str = ""
    members: tuple[Member, ...] = ()
    busy_only: bool = False

    def __bool__(self) -> bool:
        return self.allowed


def decide(
    actor: Actor,
    privilege: Privilege,
    space: Space,
    path: str = "",
    *,
    area: Area = Area.DOCUMENTS,
    own_deposit: bool = False,
) -> Decision:
    """Decide whether `actor` may use `privilege` on `path` of `space`.

    `path` lies below the space's root, NFC, "" for the root (and for an agenda). Creating asks
    about the collection that receives the new member. `own_deposit`: the actor put this very
    document or folder there itself within the last 24 hours.
    """
    account = actor.account
    if account is None:
        return Decision(True, False, Reason.CONSOLE)
    nearest = space.nearest(path) if area is Area.DOCUMENTS else None
    if _own_refusal(actor, Privilege.READ, area) is Reason.DEVICE_SCOPE:
        # To this device there is nothing here, not even what a refusal would tell.
        return Decision(False, True, Reason.DEVICE_SCOPE, nearest or "")
    members = _lines(account, space.members if nearest is None else space.restricted[nearest])
    granted = roles.union(frozenset(line.role for line in members), agenda=area is Area.AGENDA)
    reason = Reason.ROLE
    if own_deposit and _is_depositor(members) and Privilege.READ not in granted:
        granted |= {Privilege.READ}
        if privilege is Privilege.READ:
            reason = Reason.OWN_DEPOSIT
    passage = area is Area.DOCUMENTS and _leads_somewhere(account, space, path, nearest, members)
    visible = Privilege.READ in granted or passage
    if privilege not in granted:
        exception = _exception(account, privilege, space, nearest, passage)
        if exception is None:
            reason = Reason.ROLE_TOO_LOW if members else Reason.NO_MEMBER
            busy_only = area is Area.AGENDA and _is_depositor(members) and not visible
            return Decision(False, not visible, reason, nearest or "", members, busy_only)
        reason = exception
    refusal = _refusal(actor, privilege, space, area)
    if refusal is not None:
        return Decision(False, not visible, refusal, nearest or "", members)
    return Decision(True, False, reason, nearest or "", members)


def decide_own(actor: Actor, privilege: Privilege) -> Decision:
    """Decide whether `actor` may use `privilege` on what belongs to its account alone.

    That is its own agendas, and how it sees those of its spaces. Nobody else may do anything
    there.
    """
    refusal = _own_refusal(actor, privilege, Area.AGENDA)
    if refusal is not None:
        return Decision(False, refusal is Reason.DEVICE_SCOPE, refusal)
    return Decision(True, False, Reason.OWN)


def privileges(
    actor: Actor,
    space: Space,
    path: str = "",
    *,
    area: Area = Area.DOCUMENTS,
    own_deposit: bool = False,
) -> frozenset[Privilege]:
    """All that `actor` may do at `path`; see `decide`."""
    return frozenset(
        privilege
        for privilege in Privilege
        if decide(actor, privilege, space, path, area=area, own_deposit=own_deposit)
    )


def decide_tree(actor: Actor, privilege: Privilege, space: Space, path: str) -> Decision:
    """Decide about `path` and everything below it, restricted folders included.

    For verbs that take a whole tree along (DELETE, MOVE). The first refusal counts; it never
    speaks of what the actor may not know.
    """
    decision = decide(actor, privilege, space, path)
    for folder in sorted(space.restricted_below(path)):
        if not decision:
            break
        inner = decide(actor, privilege, space, folder)
        if not inner:
            return Decision(False, False, Reason.ROLE_TOO_LOW, decision.list_path)
    return decision


def _lines(account: Account, members: Sequence[Member]) -> tuple[Member, ...]:
    return tuple(member for member in members if member.includes(account))


def _is_depositor(members: Sequence[Member]) -> bool:
    return any(line.role is Role.DEPOSITOR for line in members)


def _leads_somewhere(
    account: Account, space: Space, path: str, nearest: str | None, members: Sequence[Member]
) -> bool:
    """Whether the account must be shown this collection to reach what it may enter.

    That is each ancestor of a restricted folder it is a member of, and for a depositor the
    place it deposits in, of which it then sees its own deposits only.
    """
    if _is_depositor(members) and path == (nearest or ""):
        return True
    return any(
        Privilege.READ in roles.PRIVILEGES[line.role] or line.role is Role.DEPOSITOR
        for folder in space.restricted_below(path)
        for line in _lines(account, space.restricted[folder])
    )


def _exception(
    account: Account, privilege: Privilege, space: Space, nearest: str | None, passage: bool
) -> Reason | None:
    """What allows a privilege that no role at this place grants."""
    if privilege is Privilege.READ and passage:
        return Reason.PASSAGE
    if privilege is Privilege.MANAGE and not space.confidential:
        managers = (line for line in space.members if line.role is Role.MANAGER)
        if nearest is not None and any(line.includes(account) for line in managers):
            return Reason.SPACE_MANAGER
        if account.administrator:
            return Reason.ADMINISTRATOR
    return None


def _refusal(actor: Actor, privilege: Privilege, space: Space, area: Area) -> Reason | None:
    """What takes away a privilege that the member list grants."""
    refusal = _own_refusal(actor, privilege, area)
    if refusal is not None:
        return refusal
    if space.archived and privilege not in (Privilege.READ, Privilege.MANAGE):
        return Reason.ARCHIVED
    return None


def _own_refusal(actor: Actor, privilege: Privilege, area: Area) -> Reason | None:
    """What takes it away everywhere: the device password that was used, or the account's state."""
    account, device = actor.account, actor.device
    if device is not None and not (device.documents if area is Area.DOCUMENTS else device.agendas):
        return Reason.DEVICE_SCOPE
    if privilege is Privilege.READ:
        return None
    if account is not None and account.stopped:
        return Reason.STOPPED
    if device is not None and device.read_only:
        return Reason.DEVICE_READ_ONLY
    return None
