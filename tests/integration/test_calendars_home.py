"""Homes: what is in them, what one makes there, and how each account sees it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from acl import groups, spaces
from acl.errors import NameTaken, NeedPrivileges
from acl.roles import Role
from calendars import collections
from calendars.errors import CALDAV, CARDDAV, DAV
from tests.integration.calendars_client import NAMES, Client, Town, card, event, task, town

OWN = ["agenda", "tasks", "contacts"]
CONSEIL = ["conseil", "conseil-tasks", "conseil-contacts"]
ICAL = "{http://apple.com/ns/ical/}"
CS = "{http://calendarserver.org/ns/}"
MKCALENDAR = (
    '<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>{props}'
    "</D:prop></D:set></C:mkcalendar>"
)
MKCOL = (
    '<D:mkcol xmlns:D="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav" '
    'xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>{props}</D:prop></D:set></D:mkcol>'
)


@pytest.fixture
def hall(database_url: str) -> Iterator[Town]:
    yield from town(database_url)


def _told(client: Client, path: str, name: str) -> str | None:
    return client.propfind(path, NAMES[name]).text(client.path(path), NAMES[name])


def test_joining_a_space_shows_its_agenda_and_leaving_removes_it(hall: Town) -> None:
    sven = hall.client("sven")
    assert sven.listed() == OWN
    hall.join("conseil", "sven", Role.READER)
    assert sven.listed() == OWN + CONSEIL
    hall.leave("conseil", "sven")
    assert sven.listed() == OWN
    with hall.acting() as act:
        groups.add(act, "elus")
    with hall.acting() as act:
        groups.join(act, "elus", "sven")
    hall.join("conseil", "@elus", Role.CONTRIBUTOR)
    assert sven.listed() == OWN + CONSEIL
    assert sven.put("conseil/a.ics", event()).status == 201
    with hall.acting() as act:
        groups.leave(act, "elus", "sven")
    assert sven.listed() == OWN


def test_who_sees_busy_times_only_is_shown_no_agenda(hall: Town) -> None:
    """A phone would poll it, and complain each time."""
    assert hall.client("denis").listed() == OWN


def test_the_root_leads_to_the_home(hall: Town) -> None:
    rita = hall.client("rita")
    principal = f"{DAV}current-user-principal"
    reply = rita.propfind("/", principal, depth="0")
    told = reply.prop("/calendars/", principal)
    assert told is not None and told.findtext(f"{DAV}href") == "/calendars/rita/"
    assert set(rita.propfind("/", principal, depth="1").responses()) == {
        "/calendars/",
        "/calendars/rita/",
    }


@pytest.mark.parametrize(
    ("path", "depth"), [("", "0"), ("/rita", "0"), ("//rita//", "0"), ("/", "1")]
)
def test_a_principal_says_who_and_where_it_is(hall: Town, path: str, depth: str) -> None:
    rita = hall.client("rita")
    names = {
        f"{CALDAV}calendar-home-set": ["/calendars/rita/"],
        f"{CARDDAV}addressbook-home-set": ["/calendars/rita/"],
        f"{CALDAV}calendar-user-address-set": ["mailto:rita@mairie.example", "/calendars/rita/"],
        f"{DAV}principal-URL": ["/calendars/rita/"],
        f"{DAV}principal-collection-set": ["/calendars/"],
        f"{DAV}owner": ["/calendars/rita/"],
    }
    reply = rita.propfind(path, *names, f"{DAV}displayname", f"{DAV}resourcetype", depth=depth)
    for name, hrefs in names.items():
        element = reply.prop("/calendars/rita/", name)
        assert element is not None
        assert [href.text for href in element.iterfind(f"{DAV}href")] == hrefs, name
    assert reply.text("/calendars/rita/", f"{DAV}displayname") == "Rita"
    types = reply.prop("/calendars/rita/", f"{DAV}resourcetype")
    assert types is not None and {t.tag for t in types} == {f"{DAV}principal", f"{DAV}collection"}


@pytest.mark.parametrize(
    ("path", "title", "components"),
    [
        ("agenda/", "Agenda", ["VEVENT"]),
        ("tasks/", "Tasks", ["VTODO"]),
        ("conseil/", "Conseil municipal", ["VEVENT"]),
        ("conseil-tasks/", "Conseil municipal – tasks", ["VTODO"]),
        ("conseil-contacts/", "Conseil municipal – contacts", None),
    ],
)
def test_collections_say_what_they_are(
    hall: Town, path: str, title: str, components: list[str] | None
) -> None:
    rita = hall.client("rita")
    assert _told(rita, path, "displayname") == title
    held = rita.propfind(path, NAMES["components"]).prop(rita.path(path), NAMES["components"])
    if components is None:
        assert held is None
    else:
        assert held is not None and [comp.get("name") for comp in held] == components


@pytest.mark.parametrize("where", ["", "agenda/"])
def test_options_claims_what_is_there(hall: Town, where: str) -> None:
    reply = hall.client("rita").request("OPTIONS", where)
    classes = reply.headers["DAV"].split(", ")
    assert {"1", "3", "calendar-access", "addressbook", "extended-mkcol"} <= set(classes)
    assert not {"2", "calendar-auto-schedule"} & set(classes)
    assert "REPORT" in reply.headers["Allow"] and "LOCK" not in reply.headers["Allow"]
    assert hall.client("rita").request("LOCK", where).status == 405


def test_name_and_colour_are_each_members_own(hall: Town) -> None:
    rita, bruno = hall.client("rita"), hall.client("bruno")
    reply = rita.proppatch("conseil/", displayname="Le conseil", color="#FF0000FF", order="3")
    assert reply.status == 207
    assert reply.text(rita.path("conseil/"), NAMES["color"]) == ""
    assert bruno.proppatch("conseil/", color="#00FF00FF").status == 207
    assert _told(rita, "conseil/", "displayname") == "Le conseil"
    assert _told(rita, "conseil/", "color") == "#FF0000FF"
    assert _told(bruno, "conseil/", "color") == "#00FF00FF"
    assert _told(bruno, "conseil/", "displayname") == "Conseil municipal"
    assert _told(hall.client("chloe"), "conseil/", "color") is None
    body = (
        '<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><D:displayname/></D:prop>'
        "</D:remove></D:propertyupdate>"
    )
    rita.request("PROPPATCH", "conseil/", body)
    assert _told(rita, "conseil/", "displayname") == "Conseil municipal"
    assert _told(rita, "conseil/", "color") == "#FF0000FF"
    rita.proppatch("conseil/", displayname="")
    assert _told(rita, "conseil/", "displayname") == "Conseil municipal"
    # After leaving and coming back, the colours are as they were.
    hall.leave("conseil", "rita")
    hall.join("conseil", "rita", Role.READER)
    assert _told(rita, "conseil/", "color") == "#FF0000FF"


def test_structured_properties_come_back_as_they_were_set(hall: Town) -> None:
    rita = hall.client("rita")
    transparency = f"{CALDAV}schedule-calendar-transp"
    body = (
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>'
        '<C:schedule-calendar-transp xmlns:C="urn:ietf:params:xml:ns:caldav"><C:transparent/>'
        '</C:schedule-calendar-transp><I:calendar-color xmlns:I="http://apple.com/ns/ical/" '
        'symbolic-color="red">#F00</I:calendar-color></D:prop></D:set></D:propertyupdate>'
    )
    assert rita.request("PROPPATCH", "conseil/", body).status == 207
    reply = rita.propfind("conseil/", transparency, NAMES["color"])
    told = reply.prop(rita.path("conseil/"), transparency)
    assert told is not None and [child.tag for child in told] == [f"{CALDAV}transparent"]
    colour = reply.prop(rita.path("conseil/"), NAMES["color"])
    assert colour is not None
    assert (colour.text, colour.get("symbolic-color")) == ("#F00", "red")


@pytest.mark.parametrize("path", ["conseil/", "", "conseil/a.ics"])
def test_computed_properties_are_protected_and_take_the_others_down(hall: Town, path: str) -> None:
    hall.client("bruno").put("conseil/a.ics", event())
    rita = hall.client("rita")
    reply = rita.proppatch(path, etag='"x"', components="VTODO", color="#fff")
    statuses = {
        prop.tag: propstat.findtext(f"{DAV}status", "")[9:12]
        for propstat in reply.xml.iter(f"{DAV}propstat")
        for prop in propstat.iterfind(f"{DAV}prop/*")
    }
    colour = "424" if path == "conseil/" else "403"
    expected = {NAMES["etag"]: "403", NAMES["components"]: "403", NAMES["color"]: colour}
    assert (reply.status, statuses) == (207, expected)
    assert _told(rita, "conseil/", "color") is None


COMP = (
    '<C:supported-calendar-component-set><C:comp name="{}"/></C:supported-calendar-component-set>'
)


def test_an_agenda_of_ones_own_is_made_used_and_taken_away(hall: Town) -> None:
    bruno = hall.client("bruno")
    props = "<D:displayname>Fêtes &amp; cérémonies</D:displayname>" + COMP.format("VTODO")
    assert bruno.request("MKCALENDAR", "fêtes/", MKCALENDAR.format(props=props)).status == 201
    assert bruno.listed() == [*OWN, "fêtes", *CONSEIL]
    assert _told(bruno, "fêtes/", "displayname") == "Fêtes & cérémonies"
    assert bruno.put("fêtes/e.ics", event()).precondition == f"{CALDAV}supported-calendar-component"
    assert bruno.put("fêtes/t.ics", task()).status == 201
    again = bruno.request("MKCALENDAR", "fêtes/")
    assert (again.status, again.precondition) == (405, f"{DAV}resource-must-be-null")
    assert bruno.request("DELETE", "fêtes/", if_match='"other"').status == 412
    assert bruno.request("DELETE", "fêtes/").status == 204
    assert bruno.request("GET", "fêtes/t.ics").status == 404
    assert "fêtes" not in bruno.listed()
    # What was in it is kept, and the name is free.
    assert hall.collection("fêtes", "bruno").deleted_at == hall.now
    assert bruno.request("MKCALENDAR", "fêtes/").status == 201
    assert bruno.request("GET", "fêtes/t.ics").status == 404
    for body in (event(), task()):
        assert bruno.put("fêtes/any.ics", body).status in (201, 409)


def test_an_address_book_is_made_with_mkcol(hall: Town) -> None:
    bruno = hall.client("bruno")
    book = "<D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype>"
    calendar = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
    assert bruno.request("MKCOL", "amis/", MKCOL.format(props=book)).status == 201
    assert bruno.put("amis/c.vcf", card()).status == 201
    assert bruno.request("MKCOL", "cal/", MKCOL.format(props=calendar)).status == 201
    assert bruno.put("cal/e.ics", event()).status == 201
    for body in ("", MKCOL.format(props="<D:resourcetype><D:collection/></D:resourcetype>")):
        reply = bruno.request("MKCOL", "plain/", body)
        assert (reply.status, reply.precondition) == (403, f"{DAV}valid-resourcetype")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("agenda/", "", 405),
        ("", "", 405),
        ("conseil/", "", 405),
        ("agenda/inside/", "", 403),
        ("x" * 256 + "/", "", 403),
        ("x/", MKCALENDAR.format(props=COMP.format("VFREEBUSY")), 403),
        ("x/", "<x", 400),
        ("x/", "<D:propfind xmlns:D='DAV:'/>", 400),
    ],
)
def test_what_cannot_be_made_is_refused(hall: Town, path: str, body: str, status: int) -> None:
    bruno = hall.client("bruno")
    assert bruno.request("MKCALENDAR", path, body).status == status
    assert bruno.listed() == OWN + CONSEIL


@pytest.mark.parametrize("path", [*OWN, *CONSEIL, ""])
def test_a_delete_never_destroys_what_was_given(hall: Town, path: str) -> None:
    chloe = hall.client("chloe")
    chloe.put("conseil/a.ics", event())
    reply = chloe.request("DELETE", f"{path}/" if path else "")
    assert (reply.status, reply.precondition) == (403, f"{DAV}need-privileges")
    assert isinstance(reply.error, NeedPrivileges)
    assert chloe.listed() == OWN + CONSEIL
    assert chloe.get("conseil/a.ics") == event()


def test_moves_between_agendas_and_what_they_may_not_do(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.put("agenda/a.ics", event(uid="a"))
    bruno.put("agenda/b.ics", event(uid="b"))
    bruno.put("conseil/a.ics", event(uid="a", summary="there"))

    def move(source: str, url: str, **headers: str) -> int:
        return bruno.request("MOVE", source, destination=url, **headers).status

    home = bruno.path()
    assert move("agenda/a.ics", f"http://other.example{home}agenda/c.ics") == 502
    assert move("agenda/a.ics", f"http://u:p@mairie.example:80{home}agenda/c%20d.ics") == 201
    assert move("agenda/c d.ics", f"{home}conseil/a.ics", overwrite="F") == 412
    assert move("agenda/c d.ics", f"{home}conseil/a.ics", overwrite="T") == 204
    assert bruno.get("conseil/a.ics") == event(uid="a")
    assert move("agenda/b.ics", f"{home}conseil/a.ics") == 409
    assert move("agenda/b.ics", f"{home}tasks/b.ics") == 403
    assert move("agenda/b.ics", f"{home}contacts/b.ics") == 403
    assert move("agenda/b.ics", f"{home}nowhere/b.ics") == 409
    assert move("agenda/b.ics", "/calendars/chloe/agenda/b.ics") == 409
    assert move("agenda/b.ics", f"{home}agenda/b.ics") == 403
    assert move("agenda/b.ics", f"{home}agenda/../b.ics") == 400
    assert move("agenda/missing.ics", f"{home}agenda/c.ics") == 404
    assert move("agenda/b.ics", "http://[") == 400
    assert move("agenda/b.ics", f"{home}agenda/%ff.ics") == 400
    assert move("agenda/b.ics", "") == 400
    assert move("agenda/", f"{home}other/") in (405, 409)
    assert bruno.get("agenda/b.ics") == event(uid="b")


def test_no_two_spaces_share_a_name_in_a_home(hall: Town) -> None:
    # The registry refuses such slugs; this holds whatever it does.
    with pytest.raises(NameTaken), hall.acting() as act:
        space = spaces.find(act, "conseil")
        collections.create_for_space(act, space)


def test_ones_own_collection_comes_before_a_spaces_of_the_same_name(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.request("MKCALENDAR", "voirie/")
    bruno.put("voirie/mine.ics", event())
    hall.space("voirie", "Voirie", {"bruno": Role.MANAGER, "rita": Role.READER})
    assert bruno.listed().count("voirie") == 1
    assert bruno.get("voirie/mine.ics") == event()
    assert hall.client("rita").request("GET", "voirie/mine.ics").status == 404


def test_odd_requests_get_a_clear_answer(hall: Town) -> None:
    bruno = hall.client("bruno")
    deep = '<D:propfind xmlns:D="DAV:"><D:prop>' + "<a>" * 5000 + "</a>" * 5000
    bodies = [
        ("PROPFIND", "<D:propfind xmlns:D='DAV:'/>"),
        ("PROPFIND", "<D:propfind xmlns:D='DAV:'><D:prop><nonamespace/></D:prop></D:propfind>"),
        ("PROPFIND", "<propfind/>"),
        ("PROPFIND", deep + "</D:prop></D:propfind>"),
        (
            "PROPFIND",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><D:propfind xmlns:D='DAV:'><D:allprop/></D:propfind>",
        ),
        ("PROPFIND", "<?xml version='1.0' encoding='klingon'?><D:propfind xmlns:D='DAV:'/>"),
        ("REPORT", ""),
        ("REPORT", "\0"),
        ("PROPPATCH", ""),
        ("PROPPATCH", "<D:propertyupdate xmlns:D='DAV:'/>"),
    ]
    for method, body in bodies:
        assert bruno.request(method, "agenda/", body).status == 400, body[:80]
    assert bruno.request("PROPFIND", "agenda/").status == 207
    assert bruno.request("PROPFIND", "a/b/c/d").status == 404
    for method in ("GET", "PUT", "POST", "COPY"):
        assert bruno.request(method, "", b"x").status == 405
    names = "<D:propfind xmlns:D='DAV:'><D:propname/></D:propfind>"
    assert bruno.request("PROPFIND", "agenda/", names).status == 207
