"""vdirsyncer, khal and todoman: agendas, tasks and contacts, synchronised both ways."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.clients.dav import Dav
from tests.clients.program import Account, Finished, Home
from tests.server.process import Server

pytestmark = pytest.mark.needs("vdirsyncer", "khal", "todoman")

VDIRSYNCER = """\
[general]
status_path = "{home}/status"

[pair agendas]
a = "agendas_here"
b = "agendas_there"
collections = ["from b"]
metadata = ["displayname", "color"]

[storage agendas_here]
type = "filesystem"
path = "{home}/agendas"
fileext = ".ics"

[storage agendas_there]
type = "caldav"
url = "{url}/calendars/{login}/"
username = "{login}"
password = "{password}"

[pair contacts]
a = "contacts_here"
b = "contacts_there"
collections = ["from b"]

[storage contacts_here]
type = "filesystem"
path = "{home}/contacts"
fileext = ".vcf"

[storage contacts_there]
type = "carddav"
url = "{url}/calendars/{login}/"
username = "{login}"
password = "{password}"
"""

KHAL = """\
[calendars]
[[agendas]]
path = {home}/agendas/*
type = discover
[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
local_timezone = Europe/Paris
default_timezone = Europe/Paris
[default]
default_calendar = conseil
"""

TODOMAN = """\
path = "{home}/agendas/*"
date_format = "%Y-%m-%d"
time_format = "%H:%M"
default_list = "conseil-tasks"
"""

# As a desktop client writes it: a time zone, a rule with an exception, an alarm,
# properties of its own, long lines that are folded.
MEETING = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Town//Meetings 1.0//FR
BEGIN:VTIMEZONE
TZID:Europe/Paris
BEGIN:STANDARD
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:reunion-hebdo@mairie.example.org
DTSTAMP:20310101T080000Z
DTSTART;TZID=Europe/Paris:20310303T090000
DTEND;TZID=Europe/Paris:20310303T100000
RRULE:FREQ=WEEKLY;COUNT=6
EXDATE;TZID=Europe/Paris:20310310T090000
SUMMARY:Réunion hebdomadaire
LOCATION:Salle des fêtes\\, 1er étage
DESCRIPTION:Ordre du jour : budget\\, travaux de voirie\\, préparation de la fê
 te du village et questions diverses.
X-TOWN-ROOM;VALUE=TEXT:fêtes
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Réunion
TRIGGER:-PT15M
END:VALARM
END:VEVENT
END:VCALENDAR
"""

CARD = """\
BEGIN:VCARD
VERSION:3.0
UID:louise-carpentier@mairie.example.org
FN:Louise Carpentier
N:Carpentier;Louise;;;
EMAIL;TYPE=WORK:louise@example.org
NOTE:Présidente du comité des fêtes
END:VCARD
"""


COLOUR = (
    b'<D:propfind xmlns:D="DAV:" xmlns:A="http://apple.com/ns/ical/">'
    b"<D:prop><A:calendar-color/></D:prop></D:propfind>"
)


def event(uid: str, summary: str, start: str) -> bytes:
    """An event of one hour, as another client would put it."""
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Other//Client//FR", "BEGIN:VEVENT"),
        *(f"UID:{uid}", "DTSTAMP:20310101T080000Z", f"DTSTART:{start}", "DURATION:PT1H"),
        *(f"SUMMARY:{summary}", "END:VEVENT", "END:VCALENDAR", ""),
    ]
    return "\r\n".join(lines).encode()


def unfolded(items: Iterable[bytes]) -> str:
    return "".join(item.decode().replace("\r\n", "\n").replace("\n ", "") for item in items)


class Desk:
    """What one person has on their own disk."""

    def __init__(self, home: Home, server: Server, account: Account) -> None:
        self.home = home
        self.agendas = home.directory / "agendas"
        self.contacts = home.directory / "contacts"
        values = {
            "home": home.directory,
            "url": server.url,
            "login": account.login,
            "password": account.password,
        }
        home.write(".config/vdirsyncer/config", VDIRSYNCER.format(**values))
        home.write(".config/khal/config", KHAL.format(**values))
        home.write(".config/todoman/config.py", TODOMAN.format(**values))

    def discover(self) -> None:
        # It asks for each collection that is not here yet whether to make it.
        self.home.run("vdirsyncer", "discover", input="y\n" * 50)

    def sync(self, check: bool = True) -> Finished:
        return self.home.run("vdirsyncer", "sync", check=check)

    def events(self, start: str, days: int = 40) -> list[str]:
        ran = self.home.run(
            *("khal", "list", "--day-format", "", "--format", "{start} {title}"),
            *(start, f"{days}d"),
        )
        return [line for line in ran.output.splitlines() if line.strip()]

    def files(self, collection: str) -> list[Path]:
        return sorted((self.agendas / collection).glob("*.ics"))


@pytest.fixture
def desk(home: Home, server: Server, anne: Account) -> Desk:
    desk = Desk(home, server, anne)
    desk.discover()
    return desk


@pytest.fixture
def agenda(dav: Dav) -> str:
    """The space's agenda in the home of its contributor, empty for each test."""
    path = "/calendars/anne/conseil/"
    for collection in (path, "/calendars/anne/conseil-tasks/"):
        for name in dav.names(collection):
            assert dav("DELETE", collection + name).status in (200, 204)
    return path


def test_what_is_discovered(desk: Desk) -> None:
    assert {path.name for path in desk.agendas.iterdir()} >= {
        "agenda",
        "tasks",
        "conseil",
        "conseil-tasks",
    }
    assert {path.name for path in desk.contacts.iterdir()} >= {"contacts", "conseil-contacts"}


def test_events_both_ways(desk: Desk, dav: Dav, agenda: str) -> None:
    (desk.agendas / "conseil/hebdo.ics").write_text(MEETING)
    desk.home.run("khal", "new", "-a", "conseil", "2031-03-04 14:00", "2h", "Voirie")
    desk.sync()
    stored = [dav.get(agenda + name) for name in dav.names(agenda)]
    assert len(stored) == 2
    assert "SUMMARY:Voirie\n" in unfolded(stored)
    assert "SUMMARY:Réunion hebdomadaire\n" in unfolded(stored)
    assert "X-TOWN-ROOM;VALUE=TEXT:fêtes\n" in unfolded(stored)

    # Another client adds one event and changes another.
    dav.put(agenda + "autre.ics", event("autre@example.org", "Vu ailleurs", "20310305T080000Z"))
    (name,) = (name for name in dav.names(agenda) if b"SUMMARY:Voirie" in dav.get(agenda + name))
    reply = dav("GET", agenda + name)
    changed = dav(
        "PUT",
        agenda + name,
        reply.body.replace(b"SUMMARY:Voirie", b"SUMMARY:Voirie et parcs"),
        {"Content-Type": "text/calendar; charset=utf-8", "If-Match": reply.headers["ETag"]},
    )
    assert changed.status in (200, 201, 204), changed
    desk.sync()
    assert desk.events("2031-03-01") == [
        "2031-03-03 09:00 Réunion hebdomadaire",
        "2031-03-04 14:00 Voirie et parcs",
        "2031-03-05 09:00 Vu ailleurs",
        "2031-03-17 09:00 Réunion hebdomadaire",
        "2031-03-24 09:00 Réunion hebdomadaire",
        "2031-03-31 09:00 Réunion hebdomadaire",
        "2031-04-07 09:00 Réunion hebdomadaire",
    ]

    # A deletion on either side reaches the other.
    assert dav("DELETE", agenda + "autre.ics").status in (200, 204)
    (here,) = (path for path in desk.files("conseil") if "hebdo" in path.read_text())
    here.unlink()
    desk.sync()
    assert desk.events("2031-03-01") == ["2031-03-04 14:00 Voirie et parcs"]
    assert dav.names(agenda) == {name}

    # Nothing is left to do, on either side.
    before = [path.stat().st_mtime_ns for path in desk.files("conseil")]
    etag = dav("GET", agenda + name).headers["ETag"]
    desk.sync()
    assert [path.stat().st_mtime_ns for path in desk.files("conseil")] == before
    assert dav("GET", agenda + name).headers["ETag"] == etag


def test_tasks_both_ways(desk: Desk, dav: Dav, agenda: str) -> None:
    tasks = "/calendars/anne/conseil-tasks/"
    desk.home.run(
        "todoman", "new", "--list", "conseil-tasks", "--due", "2031-03-10", "Écrire l'arrêté"
    )
    desk.sync()
    (name,) = dav.names(tasks)
    stored = dav.get(tasks + name)
    assert "SUMMARY:Écrire l'arrêté" in unfolded([stored])

    done = stored.replace(b"END:VTODO", b"STATUS:COMPLETED\r\nPERCENT-COMPLETE:100\r\nEND:VTODO")
    for line in (b"STATUS:NEEDS-ACTION", b"PERCENT-COMPLETE:0"):
        done = done.replace(line + b"\r\n", b"").replace(line + b"\n", b"")
    dav.put(tasks + name, done, "text/calendar; charset=utf-8")
    dav.put(
        tasks + "autre.ics",
        event("tache@example.org", "Relire le budget", "20310305T080000Z").replace(
            b"VEVENT", b"VTODO"
        ),
        "text/calendar; charset=utf-8",
    )
    desk.sync()
    left = desk.home.run("todoman", "list", "conseil-tasks").output
    assert "Relire le budget" in left and "arrêté" not in left, left
    every = desk.home.run("todoman", "list", "--status", "ANY", "conseil-tasks").output
    assert "Écrire l'arrêté" in every, every

    (task,) = json.loads(desk.home.run("todoman", "--porcelain", "list", "conseil-tasks").output)
    desk.home.run("todoman", "done", str(task["id"]))
    desk.sync()
    assert b"STATUS:COMPLETED" in dav.get(tasks + "autre.ics")


def test_contacts(desk: Desk, dav: Dav) -> None:
    here, there = desk.contacts / "conseil-contacts", "/calendars/anne/conseil-contacts/"
    (here / "louise.vcf").write_text(CARD)
    desk.sync()
    (name,) = dav.names(there)
    assert "NOTE:Présidente du comité des fêtes\n" in unfolded([dav.get(there + name)])

    other = CARD.replace("Louise", "Jeanne").replace("louise", "jeanne").encode()
    dav.put(there + "jeanne.vcf", other, "text/vcard; charset=utf-8")
    desk.sync()
    assert len(list(here.glob("*.vcf"))) == 2
    assert dav("DELETE", there + name).status in (200, 204)
    desk.sync()
    (left,) = here.glob("*.vcf")
    assert "Jeanne Carpentier" in left.read_text()


def test_a_colour_is_kept(desk: Desk, dav: Dav, agenda: str) -> None:
    desk.home.run("vdirsyncer", "metasync")
    (desk.agendas / "conseil/color").write_text("#12AB9F")
    desk.home.run("vdirsyncer", "metasync")
    reply = dav("PROPFIND", agenda, COLOUR, {"Depth": "0", "Content-Type": "application/xml"})
    (colour,) = ElementTree.fromstring(reply.body).iter("{http://apple.com/ns/ical/}calendar-color")
    assert (colour.text or "").upper().startswith("#12AB9F")


def test_a_reader_reads_and_changes_nothing(
    home: Home, server: Server, rene: Account, dav: Dav, agenda: str
) -> None:
    dav.put(agenda + "fete.ics", event("fete@example.org", "Fête du village", "20310714T080000Z"))
    desk = Desk(home, server, rene)
    desk.discover()
    desk.sync()
    assert desk.events("2031-07-01") == ["2031-07-14 10:00 Fête du village"]

    home.run("khal", "new", "-a", "conseil", "2031-07-15 14:00", "1h", "Interdit")
    ran = desk.sync(check=False)
    assert ran.status != 0, str(ran)
    assert "403" in ran.output + ran.errors, str(ran)
    assert dav.names(agenda) == {"fete.ics"}
