"""Who may do what with agendas, and what those who may not are told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from acl import devices, spaces
from acl.errors import Unauthenticated
from acl.registry import Device
from acl.roles import Role
from calendars.errors import CALDAV, DAV
from tests.integration.calendars_client import Reply, Town, card, event, task, town

NEED_PRIVILEGES = f"{DAV}need-privileges"
QUERY = '<C:comp-filter name="VEVENT"/>'
FREE_BUSY = (
    '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">'
    '<C:time-range start="20261201T000000Z" end="20261231T000000Z"/></C:free-busy-query>'
)
WRITE = {"write", "write-content", "write-properties", "bind", "unbind"}


@pytest.fixture
def hall(database_url: str) -> Iterator[Town]:
    yield from town(database_url)


# Columns: rita reads, denis deposits, bruno contributes, chloe manages, sven is no member,
# alice administers the server and is no member.
MATRIX = """
                    rita  denis bruno chloe sven  alice
propfind            207   207   207   207   404   404
list                207   403   207   207   404   404
get                 200   403   200   200   404   404
export              200   403   200   200   404   404
query               207   403   207   207   404   404
multiget            207   403   207   207   404   404
sync                207   403   207   207   404   404
free-busy           200   200   200   200   404   404
colour              207   207   207   207   404   404
create              403   403   201   201   409   409
overwrite           403   403   204   204   409   409
move                403   403   201   201   404   404
delete              403   403   204   204   404   404
delete-missing      404   403   404   404   404   404
delete-agenda       403   403   403   403   404   404
replace-agenda      405   405   405   405   405   405
mkcalendar-over     405   405   405   405   403   403
"""


def _ask(hall: Town, login: str, act: str) -> Reply:
    client = hall.client(login)
    agenda, there = "conseil/", "conseil/there.ics"
    if act in ("overwrite", "move", "delete"):
        hall.client("chloe").put(there, event(summary=f"before {login}"))
    match act:
        case "propfind":
            return client.propfind(agenda, f"{DAV}displayname")
        case "list":
            return client.propfind(agenda, f"{DAV}getetag", depth="1")
        case "get":
            return client.request("GET", there)
        case "export":
            return client.request("GET", agenda)
        case "query":
            return client.query(agenda, QUERY)
        case "multiget":
            return client.multiget(agenda, "there.ics")
        case "sync":
            return client.sync(agenda)
        case "free-busy":
            return client.request("REPORT", agenda, FREE_BUSY)
        case "colour":
            return client.proppatch(agenda, color="#112233")
        case "create":
            return client.put(f"conseil/{login}.ics", event(uid=login))
        case "overwrite":
            return client.put(there, event(summary=login))
        case "move":
            return client.request(
                "MOVE", there, destination=f"http://mairie.example{client.path('conseil/to.ics')}"
            )
        case "delete":
            return client.request("DELETE", there)
        case "delete-missing":
            return client.request("DELETE", "conseil/missing.ics")
        case "delete-agenda":
            return client.request("DELETE", agenda)
        case "replace-agenda":
            return client.put(agenda, event())
        case "mkcalendar-over":
            return client.request("MKCALENDAR", agenda)
    raise AssertionError(act)


def test_each_role_may_do_with_the_agenda_what_it_says(hall: Town) -> None:
    header, *rows = MATRIX.strip().splitlines()
    logins = header.split()
    for row in rows:
        act, *expected = row.split()
        hall.client("chloe").request("DELETE", "conseil/to.ics")
        hall.client("chloe").put("conseil/there.ics", event())
        got = []
        for login in logins:
            reply = _ask(hall, login, act)
            got.append(str(reply.status))
            if reply.status == 403 and act != "mkcalendar-over":
                # DAVx5 takes only this for read-only, and any other 403 for a failure.
                assert reply.precondition == NEED_PRIVILEGES, (act, login)
            if act == "move":
                hall.client("chloe").request("DELETE", "conseil/to.ics")
        assert got == expected, act
    assert hall.client("rita").get("conseil/there.ics") == event()


def test_a_refused_write_changes_nothing(hall: Town) -> None:
    hall.client("chloe").put("conseil/there.ics", event())
    before = hall.collection("conseil"), len(hall.journal())
    for login in ("rita", "denis", "sven", "alice"):
        for act in ("create", "delete-missing", "delete-agenda", "replace-agenda"):
            _ask(hall, login, act)
        hall.client(login).put("conseil/there.ics", event(summary="no"))
        hall.client(login).request("DELETE", "conseil/there.ics")
    assert (hall.collection("conseil"), len(hall.journal())) == before


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("rita", {"read", "read-free-busy"}),
        ("denis", {"read-free-busy"}),
        ("bruno", {"read", "read-free-busy", *WRITE}),
        ("chloe", {"read", "read-free-busy", *WRITE}),
    ],
)
def test_clients_are_told_their_privileges(hall: Town, login: str, expected: set[str]) -> None:
    client = hall.client(login)
    assert _privileges(client.propfind("conseil/", PRIVILEGES), client.path("conseil/")) == expected


def test_an_archived_space_is_read_only_to_all(hall: Town) -> None:
    chloe = hall.client("chloe")
    chloe.put("conseil/there.ics", event())
    with hall.acting() as act:
        spaces.set_archived(act, "conseil", True)
    assert chloe.get("conseil/there.ics") == event()
    assert chloe.put("conseil/there.ics", event(summary="no")).precondition == NEED_PRIVILEGES
    assert chloe.request("DELETE", "conseil/there.ics").status == 403
    told = _privileges(chloe.propfind("conseil/", PRIVILEGES), chloe.path("conseil/"))
    assert told == {"read", "read-free-busy"}


def test_a_home_is_there_for_its_account_alone(hall: Town) -> None:
    hall.client("bruno").put("agenda/mine.ics", event())
    for login in ("chloe", "alice"):
        for method in ("PROPFIND", "GET", "DELETE", "REPORT", "PUT", "MKCALENDAR", "PROPPATCH"):
            for path in ("/bruno/", "/bruno/agenda/", "/bruno/agenda/mine.ics", "/nobody/"):
                reply = hall.client(login).request(method, path, event())
                assert reply.status == 404, (login, method, path)
    assert hall.client("bruno").get("agenda/mine.ics") == event()


def test_tasks_and_contacts_follow_the_same_roles(hall: Town) -> None:
    for path, body in (("conseil-tasks/t.ics", task()), ("conseil-contacts/c.vcf", card())):
        assert hall.client("rita").put(path, body).precondition == NEED_PRIVILEGES
        assert hall.client("bruno").put(path, body).status == 201
        assert hall.client("rita").get(path) == body
        # Busy times are those of events.
        assert hall.client("denis").request("GET", path).status == 404
        assert hall.client("sven").request("GET", path).status == 404


DEVICES = [
    # agendas, read_only → PROPFIND home, PUT into the space, PUT into one's own, MKCALENDAR
    (True, False, (207, 201, 201, 201)),
    (True, True, (207, 403, 403, 403)),
    (False, False, (404, 404, 404, 404)),
]


@pytest.mark.parametrize(("agendas", "read_only", "expected"), DEVICES)
def test_a_device_password_does_what_it_is_for(
    hall: Town, agendas: bool, read_only: bool, expected: tuple[int, ...]
) -> None:
    device = _device(hall, "bruno", agendas=agendas, read_only=read_only)
    client = hall.client("bruno", device)
    replies = (
        client.propfind("", f"{DAV}resourcetype"),
        client.put("conseil/a.ics", event()),
        client.put("agenda/a.ics", event()),
        client.request("MKCALENDAR", "more/"),
    )
    assert tuple(reply.status for reply in replies) == expected
    for reply in replies:
        assert reply.status != 403 or reply.precondition == NEED_PRIVILEGES


def test_a_device_revoked_since_the_log_in_is_refused(hall: Town) -> None:
    unknown = Device(99, 1, "telephone", True, True, False, digest="0" * 64)
    assert isinstance(
        hall.client("bruno", unknown).request("GET", "conseil/").error, Unauthenticated
    )


def test_what_a_reader_may_not_know_cannot_be_created_over(hall: Town) -> None:
    """A hidden space's name is refused without saying that anything has it."""
    reply = hall.client("sven").request("MKCALENDAR", "conseil/")
    assert reply.status == 403
    assert reply.precondition == f"{CALDAV}calendar-collection-location-ok"
    hall.join("conseil", "sven", Role.READER)
    reply = hall.client("sven").request("MKCALENDAR", "conseil/")
    assert (reply.status, reply.precondition) == (405, f"{DAV}resource-must-be-null")


PRIVILEGES = f"{DAV}current-user-privilege-set"


def _privileges(reply: Reply, href: str) -> set[str]:
    told = reply.prop(href, PRIVILEGES)
    assert told is not None
    names = {privilege[0].tag.partition("}")[2] for privilege in told}
    return names - {"read-current-user-privilege-set"}


def _device(hall: Town, login: str, *, agendas: bool, read_only: bool) -> Device:
    with hall.acting() as act:
        _, password = devices.add(
            act, login, "telephone", documents=not agendas, agendas=agendas, read_only=read_only
        )
    with hall.database.read() as connection:
        return hall.registries.current(connection).devices[devices.digest(password)]
