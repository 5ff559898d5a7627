"""The truth table of rights, in the style of a table a mayor could read, and its invariants.

A cell says of list-and-read, create, overwrite, delete and manage, in this order:
the letter it is allowed by; `-` refused (403); `.` refused because nothing is there (404).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acl.actor import Actor
from acl.policy import Area, Decision, Reason, decide, decide_own, decide_tree, privileges
from acl.privileges import Privilege
from acl.registry import Account, Device, Member, Registry, Space
from acl.roles import Role

# A slow machine is no wrong decision.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")

READER, DEPOSITOR, CONTRIBUTOR, MANAGER = Role
BUREAU = 1


def account(number: int, login: str, *groups: int, administrator: bool = False) -> Account:
    return Account(
        number, login, login, "", "fr", administrator=administrator, groups=frozenset(groups)
    )


PEOPLE = {
    person.login: person
    for person in (
        account(1, "reader"),
        account(2, "depositor"),
        account(3, "contributor"),
        account(4, "manager"),
        # In the group "bureau", which is a contributor of the space.
        account(5, "colleague", BUREAU),
        # In the group, and a reader of the space: the better role counts.
        account(6, "colleague+reader", BUREAU),
        # Knows nothing but one restricted folder each.
        account(7, "payroll"),
        account(8, "letterbox"),
        account(9, "stranger"),
        account(10, "administrator", administrator=True),
        account(11, "depositor+reader", BUREAU + 1),
    )
}


def member(login: str, role: Role) -> Member:
    return Member(role, account_id=PEOPLE[login].id)


SPACE = Space(
    1,
    "conseil",
    "Conseil municipal",
    members=(
        member("reader", READER),
        member("depositor", DEPOSITOR),
        member("contributor", CONTRIBUTOR),
        member("manager", MANAGER),
        Member(CONTRIBUTOR, group_id=BUREAU),
        member("colleague+reader", READER),
        member("depositor+reader", DEPOSITOR),
        Member(READER, group_id=BUREAU + 1),
    ),
    restricted={
        # The contributor may read here, payroll may work, and nobody else of the space enters.
        "Paie/2026": (member("payroll", CONTRIBUTOR), member("contributor", READER)),
        # A letter box: who drops something into it sees nothing of it.
        "Boîte": (member("letterbox", DEPOSITOR), Member(MANAGER, group_id=BUREAU)),
        # Nobody at all.
        "Coffre": (),
    },
)
CONFIDENTIAL = replace(SPACE, confidential=True)
ARCHIVED = replace(SPACE, archived=True)

# What a person may do, by where. `own` is a document deposited there within the last day.
COLUMNS = ("", "Salle", "Paie", "Paie/2026", "Paie/2026/mai.ods", "Boîte", "Boîte/a", "Coffre")
ORDINARY = """
                 | top   | Salle | Paie  | Paie/26 | …/mai | Boîte | …/a   | Coffre
reader           | r---- | r---- | r---- | .....   | ..... | ..... | ..... | .....
depositor        | rc--- | .c... | .c... | .....   | ..... | ..... | ..... | .....
contributor      | rcwd- | rcwd- | rcwd- | r----   | r---- | ..... | ..... | .....
manager          | rcwdm | rcwdm | rcwdm | ....m   | ....m | ....m | ....m | ....m
colleague        | rcwd- | rcwd- | rcwd- | .....   | ..... | rcwdm | rcwdm | .....
colleague+reader | rcwd- | rcwd- | rcwd- | .....   | ..... | rcwdm | rcwdm | .....
depositor+reader | rc--- | rc--- | rc--- | .....   | ..... | ..... | ..... | .....
payroll          | r---- | ..... | r---- | rcwd-   | rcwd- | ..... | ..... | .....
letterbox        | r---- | ..... | ..... | .....   | ..... | rc--- | .c... | .....
stranger         | ..... | ..... | ..... | .....   | ..... | ..... | ..... | .....
administrator    | ....m | ....m | ....m | ....m   | ....m | ....m | ....m | ....m
"""
# The manager of the space and the administrator have no way into a list they are not on.
IN_CONFIDENTIAL = """
                 | top   | Salle | Paie  | Paie/26 | …/mai | Boîte | …/a   | Coffre
reader           | r---- | r---- | r---- | .....   | ..... | ..... | ..... | .....
depositor        | rc--- | .c... | .c... | .....   | ..... | ..... | ..... | .....
contributor      | rcwd- | rcwd- | rcwd- | r----   | r---- | ..... | ..... | .....
manager          | rcwdm | rcwdm | rcwdm | .....   | ..... | ..... | ..... | .....
colleague        | rcwd- | rcwd- | rcwd- | .....   | ..... | rcwdm | rcwdm | .....
payroll          | r---- | ..... | r---- | rcwd-   | rcwd- | ..... | ..... | .....
letterbox        | r---- | ..... | ..... | .....   | ..... | rc--- | .c... | .....
stranger         | ..... | ..... | ..... | .....   | ..... | ..... | ..... | .....
administrator    | ..... | ..... | ..... | .....   | ..... | ..... | ..... | .....
"""
# Reading stays, and so does managing: somebody must be able to take it out of the archive.
IN_ARCHIVED = """
                 | top   | Salle | Paie  | Paie/26 | …/mai | Boîte | …/a   | Coffre
reader           | r---- | r---- | r---- | .....   | ..... | ..... | ..... | .....
depositor        | r---- | ..... | ..... | .....   | ..... | ..... | ..... | .....
contributor      | r---- | r---- | r---- | r----   | r---- | ..... | ..... | .....
manager          | r---m | r---m | r---m | ....m   | ....m | ....m | ....m | ....m
colleague        | r---- | r---- | r---- | .....   | ..... | r---m | r---m | .....
payroll          | r---- | ..... | r---- | r----   | r---- | ..... | ..... | .....
administrator    | ....m | ....m | ....m | ....m   | ....m | ....m | ....m | ....m
"""
# An account that the tripwire has stopped reads what it could read, and does nothing else.
STOPPED = """
                 | top   | Salle | Paie  | Paie/26 | …/mai | Boîte | …/a   | Coffre
reader           | r---- | r---- | r---- | .....   | ..... | ..... | ..... | .....
depositor        | r---- | ..... | ..... | .....   | ..... | ..... | ..... | .....
contributor      | r---- | r---- | r---- | r----   | r---- | ..... | ..... | .....
manager          | r---- | r---- | r---- | .....   | ..... | ..... | ..... | .....
colleague        | r---- | r---- | r---- | .....   | ..... | r---- | r---- | .....
payroll          | r---- | ..... | r---- | r----   | r---- | ..... | ..... | .....
letterbox        | r---- | ..... | ..... | .....   | ..... | r---- | ..... | .....
stranger         | ..... | ..... | ..... | .....   | ..... | ..... | ..... | .....
administrator    | ..... | ..... | ..... | .....   | ..... | ..... | ..... | .....
"""
# A deposit of one's own is read back for a day; it gives nothing to whoever reads anyway,
# and nothing to who is no depositor where it lies.
OWN_DEPOSIT = """
                 | top   | Salle | Paie  | Paie/26 | …/mai | Boîte | …/a   | Coffre
reader           | r---- | r---- | r---- | .....   | ..... | ..... | ..... | .....
depositor        | rc--- | rc--- | rc--- | .....   | ..... | ..... | ..... | .....
letterbox        | r---- | ..... | ..... | .....   | ..... | rc--- | rc--- | .....
contributor      | rcwd- | rcwd- | rcwd- | r----   | r---- | ..... | ..... | .....
stranger         | ..... | ..... | ..... | .....   | ..... | ..... | ..... | .....
administrator    | ....m | ....m | ....m | ....m   | ....m | ....m | ....m | ....m
"""


def rows(table: str) -> list[tuple[str, list[str]]]:
    lines = [line.split("|") for line in table.strip("\n").splitlines()[1:]]
    return [(cells[0].strip(), [cell.strip() for cell in cells[1:]]) for cells in lines]


def shown(decision: Decision, privilege: Privilege) -> str:
    return privilege.value if decision.allowed else "." if decision.hidden else "-"


def cell(actor: Actor, space: Space, path: str, *, own: bool = False) -> str:
    decisions = (
        (decide(actor, privilege, space, path, own_deposit=own), privilege)
        for privilege in Privilege
    )
    return "".join(shown(decision, privilege) for decision, privilege in decisions)


@pytest.mark.parametrize(
    "space, own, table",
    [
        pytest.param(SPACE, False, ORDINARY, id="ordinary"),
        pytest.param(CONFIDENTIAL, False, IN_CONFIDENTIAL, id="confidential"),
        pytest.param(ARCHIVED, False, IN_ARCHIVED, id="archived"),
        pytest.param(SPACE, True, OWN_DEPOSIT, id="own deposit"),
    ],
)
def test_documents(space: Space, own: bool, table: str) -> None:
    for who, expected in rows(table):
        actor = Actor.of(PEOPLE[who])
        assert [cell(actor, space, path, own=own) for path in COLUMNS] == expected, who


def test_a_stopped_account_only_reads() -> None:
    for who, expected in rows(STOPPED):
        actor = Actor.of(replace(PEOPLE[who], stopped=True))
        assert [cell(actor, SPACE, path) for path in COLUMNS] == expected, who
        agenda = privileges(actor, SPACE, area=Area.AGENDA)
        assert agenda == privileges(Actor.of(PEOPLE[who]), SPACE, area=Area.AGENDA) & {
            Privilege.READ
        }
        own = [(decide_own(actor, privilege), privilege) for privilege in Privilege]
        assert "".join(shown(*decided) for decided in own) == "r----"


# Busy times only: "busy".
AGENDA = """
                 | ordinary | confidential | archived
reader           | r----    | r----        | r----
depositor        | busy     | busy         | busy
contributor      | rcwd-    | rcwd-        | r----
manager          | rcwdm    | rcwdm        | r---m
colleague        | rcwd-    | rcwd-        | r----
depositor+reader | r----    | r----        | r----
payroll          | .....    | .....        | .....
letterbox        | .....    | .....        | .....
stranger         | .....    | .....        | .....
administrator    | ....m    | .....        | ....m
"""


def test_agenda() -> None:
    for who, expected in rows(AGENDA):
        actor = Actor.of(PEOPLE[who])
        for space, cell_ in zip((SPACE, CONFIDENTIAL, ARCHIVED), expected, strict=True):
            decisions = [(decide(actor, p, space, area=Area.AGENDA), p) for p in Privilege]
            found = "".join(shown(decision, privilege) for decision, privilege in decisions)
            busy = decisions[0][0].busy_only
            assert (found, busy) == ((".....", True) if cell_ == "busy" else (cell_, False)), who


# What a contributor may do with a device password of this scope, in the Salle and the agenda.
DEVICES = [
    # documents, agendas, read only, in documents, in the agenda
    (True, True, False, "rcwd-", "rcwd-"),
    (True, False, False, "rcwd-", "....."),
    (False, True, False, ".....", "rcwd-"),
    (True, True, True, "r----", "r----"),
    (True, False, True, "r----", "....."),
    (False, True, True, ".....", "r----"),
]


@pytest.mark.parametrize("documents, agendas, read_only, in_documents, in_agenda", DEVICES)
def test_device_passwords(
    documents: bool, agendas: bool, read_only: bool, in_documents: str, in_agenda: str
) -> None:
    device = Device(1, 3, "téléphone", documents, agendas, read_only)
    actor = Actor.of(PEOPLE["contributor"], device)
    assert cell(actor, SPACE, "Salle") == in_documents
    found = [(decide(actor, p, SPACE, area=Area.AGENDA), p) for p in Privilege]
    assert "".join(shown(*decided) for decided in found) == in_agenda
    own = [(decide_own(actor, p), p) for p in Privilege]
    everything = {"rcwd-": "rcwdm"}.get(in_agenda, in_agenda)
    assert "".join(shown(*decided) for decided in own) == everything


# Why, as `davserver who-can` says it.
REASONS = [
    # who, what, where, reason, the list that decided
    ("reader", Privilege.READ, "Salle", Reason.ROLE, ""),
    ("reader", Privilege.WRITE, "Salle", Reason.ROLE_TOO_LOW, ""),
    ("reader", Privilege.READ, "Paie/2026/mai.ods", Reason.NO_MEMBER, "Paie/2026"),
    ("payroll", Privilege.READ, "Paie", Reason.PASSAGE, ""),
    ("payroll", Privilege.WRITE, "Paie", Reason.NO_MEMBER, ""),
    ("manager", Privilege.MANAGE, "Coffre", Reason.SPACE_MANAGER, "Coffre"),
    ("manager", Privilege.READ, "Coffre", Reason.NO_MEMBER, "Coffre"),
    ("administrator", Privilege.MANAGE, "", Reason.ADMINISTRATOR, ""),
    ("letterbox", Privilege.READ, "Boîte", Reason.PASSAGE, "Boîte"),
    ("letterbox", Privilege.READ, "Boîte/a", Reason.ROLE_TOO_LOW, "Boîte"),
    ("contributor", Privilege.CREATE, "Paie/2026", Reason.ROLE_TOO_LOW, "Paie/2026"),
]


@pytest.mark.parametrize("who, privilege, path, reason, list_path", REASONS)
def test_every_decision_has_its_reason(
    who: str, privilege: Privilege, path: str, reason: Reason, list_path: str
) -> None:
    decision = decide(Actor.of(PEOPLE[who]), privilege, SPACE, path)
    assert (decision.reason, decision.list_path) == (reason, list_path)


@pytest.mark.parametrize(
    "actor, space, privilege, reason",
    [
        (Actor.console("root"), CONFIDENTIAL, Privilege.WRITE, Reason.CONSOLE),
        (Actor.of(PEOPLE["manager"]), ARCHIVED, Privilege.WRITE, Reason.ARCHIVED),
        (
            Actor.of(PEOPLE["manager"], Device(1, 4, "t", False, True, False)),
            SPACE,
            Privilege.READ,
            Reason.DEVICE_SCOPE,
        ),
        (
            Actor.of(PEOPLE["manager"], Device(1, 4, "t", True, True, True)),
            SPACE,
            Privilege.WRITE,
            Reason.DEVICE_READ_ONLY,
        ),
        (
            Actor.of(replace(PEOPLE["manager"], stopped=True)),
            SPACE,
            Privilege.MANAGE,
            Reason.STOPPED,
        ),
        (
            Actor.of(replace(PEOPLE["manager"], stopped=True), Device(1, 4, "t", True, True, True)),
            ARCHIVED,
            Privilege.WRITE,
            Reason.STOPPED,
        ),
        (
            Actor.of(replace(PEOPLE["reader"], stopped=True)),
            SPACE,
            Privilege.WRITE,
            Reason.ROLE_TOO_LOW,
        ),
    ],
)
def test_reasons_of_actor_and_space(
    actor: Actor, space: Space, privilege: Privilege, reason: Reason
) -> None:
    assert decide(actor, privilege, space, "Salle").reason is reason


def test_own_deposit_is_the_reason_for_a_depositor() -> None:
    letterbox = Actor.of(PEOPLE["letterbox"])
    decision = decide(letterbox, Privilege.READ, SPACE, "Boîte/a", own_deposit=True)
    assert decision.reason is Reason.OWN_DEPOSIT


TREES = [
    # who, what, where, allowed: the folder and all restricted ones in it
    ("manager", Privilege.DELETE, "Salle", True),
    ("manager", Privilege.DELETE, "", False),
    ("manager", Privilege.DELETE, "Paie", False),
    ("contributor", Privilege.DELETE, "Paie", False),
    ("contributor", Privilege.READ, "Paie", True),
    ("payroll", Privilege.DELETE, "Paie/2026", True),
    ("payroll", Privilege.DELETE, "Paie", False),
    ("colleague", Privilege.DELETE, "Boîte", True),
    # "Paie/2026" is not in "Paie/20", nor "Paie" in "Pai".
    ("contributor", Privilege.DELETE, "Paie/20", True),
    ("contributor", Privilege.DELETE, "Pai", True),
]


@pytest.mark.parametrize("who, privilege, path, allowed", TREES)
def test_whole_trees(who: str, privilege: Privilege, path: str, allowed: bool) -> None:
    decision = decide_tree(Actor.of(PEOPLE[who]), privilege, SPACE, path)
    assert bool(decision) is allowed


NEAREST = [
    ("", None),
    ("Paie", None),
    ("Paie/2026", "Paie/2026"),
    ("Paie/2026/mai.ods", "Paie/2026"),
    ("Paie/20261", None),
    ("Coffre/a/b/c", "Coffre"),
    ("coffre", None),
]


@pytest.mark.parametrize("path, folder", NEAREST)
def test_the_nearest_list_is_found_by_whole_names(path: str, folder: str | None) -> None:
    assert SPACE.nearest(path) == folder


NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "changed, still",
    [
        ({}, True),
        ({"disabled": True}, False),
        ({"expires_at": NOW}, False),
        ({"expires_at": datetime(2026, 5, 2, tzinfo=UTC)}, True),
    ],
)
def test_an_actor_is_who_the_registry_says_now(changed: dict[str, object], still: bool) -> None:
    known = replace(PEOPLE["reader"], **changed)  # type: ignore[arg-type]
    device = Device(1, known.id, "téléphone", True, True, False, "digest")
    registry = Registry(2, {known.id: known}, {}, {"digest": device}, {})
    without = replace(registry, devices={})
    assert (Actor.of(PEOPLE["reader"]).current(registry, NOW) is not None) is still
    assert (Actor.of(known, device).current(registry, NOW) is not None) is still
    assert Actor.of(known, device).current(without, NOW) is None
    assert Actor.of(PEOPLE["stranger"]).current(registry, NOW) is None
    assert Actor.console("root").current(without, NOW) == Actor.console("root")


# --- invariants, for any registry ---

names = st.sampled_from(["a", "b", "a/b", "a/b/c", "b/a", "ab"])
paths = st.sampled_from(["", "a", "b", "a/b", "a/b/c", "a/b/c/d", "b/a", "ab", "ab/c", "x"])
lines = st.lists(
    st.one_of(
        st.builds(Member, st.sampled_from(Role), account_id=st.integers(1, 3)),
        st.builds(Member, st.sampled_from(Role), group_id=st.integers(1, 2)),
    ),
    max_size=4,
).map(tuple)
spaces = st.builds(
    Space,
    st.just(1),
    st.just("s"),
    st.just("S"),
    confidential=st.booleans(),
    archived=st.booleans(),
    members=lines,
    restricted=st.dictionaries(names, lines, max_size=4),
)
devices = st.none() | st.builds(
    Device, st.just(1), st.just(1), st.just("d"), st.booleans(), st.booleans(), st.booleans()
)
actors = st.builds(
    Actor.of,
    st.builds(
        Account,
        st.just(1),
        st.just("one"),
        st.just("One"),
        st.just(""),
        st.just("fr"),
        administrator=st.booleans(),
        groups=st.frozensets(st.integers(1, 2)),
        stopped=st.booleans(),
    ),
    devices,
)
areas = st.sampled_from(Area)
CONTENT = (Privilege.CREATE, Privilege.WRITE, Privilege.DELETE)


def nearest_lines(space: Space, path: str, area: Area) -> tuple[Member, ...]:
    folder = space.nearest(path) if area is Area.DOCUMENTS else None
    return space.members if folder is None else tuple(space.restricted[folder])


@given(actors, spaces, paths, areas, st.sampled_from(Privilege), st.booleans())
def test_a_decision_is_sound(
    actor: Actor, space: Space, path: str, area: Area, privilege: Privilege, own: bool
) -> None:
    decision = decide(actor, privilege, space, path, area=area, own_deposit=own)
    assert bool(decision) is decision.allowed
    assert not (decision.allowed and decision.hidden)
    assert not (decision.allowed and decision.busy_only)
    allowed = privileges(actor, space, path, area=area, own_deposit=own)
    assert (privilege in allowed) is decision.allowed
    # What is refused openly may be seen: 403 tells nothing that a listing does not.
    if not decision.allowed and not decision.hidden:
        assert Privilege.READ in allowed
    if Privilege.READ not in allowed and not decision.allowed:
        assert decision.hidden


@given(actors, spaces, paths, areas, st.booleans())
def test_nobody_outside_the_nearest_list_touches_content(
    actor: Actor, space: Space, path: str, area: Area, own: bool
) -> None:
    assert actor.account is not None
    allowed = privileges(actor, space, path, area=area, own_deposit=own)
    if not any(line.includes(actor.account) for line in nearest_lines(space, path, area)):
        assert allowed.isdisjoint(CONTENT)
        if Privilege.READ in allowed:
            decision = decide(actor, Privilege.READ, space, path, area=area, own_deposit=own)
            assert decision.reason is Reason.PASSAGE
            assert any(
                line.includes(actor.account)
                for folder in space.restricted_below(path)
                for line in space.restricted[folder]
            )


@given(actors, spaces, paths, areas)
def test_a_confidential_space_makes_no_exceptions(
    actor: Actor, space: Space, path: str, area: Area
) -> None:
    confidential = replace(space, confidential=True)
    assert actor.account is not None
    managers = [line for line in nearest_lines(space, path, area) if line.role is Role.MANAGER]
    if not any(line.includes(actor.account) for line in managers):
        assert Privilege.MANAGE not in privileges(actor, confidential, path, area=area)
    ordinary = replace(actor, account=replace(actor.account, administrator=False))
    for privilege in Privilege:
        # Being the administrator changes nothing at all there.
        assert decide(actor, privilege, confidential, path, area=area) == decide(
            ordinary, privilege, confidential, path, area=area
        )


@given(actors, spaces, paths, areas, st.booleans())
def test_an_archived_space_is_not_changed(
    actor: Actor, space: Space, path: str, area: Area, own: bool
) -> None:
    archived = replace(space, archived=True)
    allowed = privileges(actor, archived, path, area=area, own_deposit=own)
    assert allowed.isdisjoint(CONTENT)
    assert allowed <= privileges(
        actor, replace(space, archived=False), path, area=area, own_deposit=own
    )


@given(actors, spaces, paths, areas, st.booleans())
def test_a_device_never_adds_to_its_account(
    actor: Actor, space: Space, path: str, area: Area, own: bool
) -> None:
    allowed = privileges(actor, space, path, area=area, own_deposit=own)
    alone = privileges(replace(actor, device=None), space, path, area=area, own_deposit=own)
    assert allowed <= alone
    if actor.device is None:
        return
    if not (actor.device.documents if area is Area.DOCUMENTS else actor.device.agendas):
        assert not allowed
    if actor.device.read_only:
        assert allowed <= {Privilege.READ}


@given(actors, spaces, paths, areas, st.booleans())
def test_a_stopped_account_keeps_what_it_may_read(
    actor: Actor, space: Space, path: str, area: Area, own: bool
) -> None:
    assert actor.account is not None
    free, stopped = (
        privileges(
            replace(actor, account=replace(actor.account, stopped=state)),
            space,
            path,
            area=area,
            own_deposit=own,
        )
        for state in (False, True)
    )
    assert stopped == free & {Privilege.READ}


@given(actors, spaces, paths, areas, st.sampled_from(Role))
def test_one_more_line_never_takes_away(
    actor: Actor, space: Space, path: str, area: Area, role: Role
) -> None:
    before = privileges(actor, space, path, area=area)
    line = Member(role, account_id=1)
    folder = space.nearest(path) if area is Area.DOCUMENTS else None
    if folder is None:
        after = replace(space, members=(*space.members, line))
    else:
        restricted = {**space.restricted, folder: (*space.restricted[folder], line)}
        after = replace(space, restricted=restricted)
    assert before <= privileges(actor, after, path, area=area)


@given(actors, spaces, paths, st.sampled_from(Privilege))
def test_a_tree_is_allowed_only_where_every_part_is(
    actor: Actor, space: Space, path: str, privilege: Privilege
) -> None:
    if decide_tree(actor, privilege, space, path):
        for folder in (path, *space.restricted_below(path)):
            assert decide(actor, privilege, space, folder)


@given(spaces, paths, areas)
def test_the_console_may_everything(space: Space, path: str, area: Area) -> None:
    everything = frozenset(Privilege)
    assert privileges(Actor.console("root"), space, path, area=area) == everything
