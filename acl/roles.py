"""The four roles and their bits."""

from enum import StrEnum

from acl.privileges import Privilege


class Role(StrEnum):
    """What a member is in a space or a restricted folder; later ones include more."""

    READER = "reader"
    DEPOSITOR = "depositor"
    CONTRIBUTOR = "contributor"
    MANAGER = "manager"


PRIVILEGES: dict[Role, frozenset[Privilege]] = {
    Role.READER: frozenset({Privilege.READ}),
    Role.DEPOSITOR: frozenset({Privilege.CREATE}),
    Role.CONTRIBUTOR: frozenset(
        {Privilege.READ, Privilege.CREATE, Privilege.WRITE, Privilege.DELETE}
    ),
    Role.MANAGER: frozenset(Privilege),
}
"""What each role may do with documents. A depositor also reads its own deposits for a day."""

AGENDA_PRIVILEGES: dict[Role, frozenset[Privilege]] = {
    **PRIVILEGES,
    # Busy times only: `Decision.busy_only` says so to the agenda.
    Role.DEPOSITOR: frozenset(),
}


def union(roles: frozenset[Role], *, agenda: bool = False) -> frozenset[Privilege]:
    """All that an account may do that has each of these roles, itself or through its groups."""
    table = AGENDA_PRIVILEGES if agenda else PRIVILEGES
    return frozenset().union(*(table[role] for role in roles))
