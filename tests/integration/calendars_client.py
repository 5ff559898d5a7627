"""A small town hall, and a CalDAV client that talks to its agendas without a network."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote
from wsgiref.util import setup_testing_defaults

import sqlalchemy as sa

from acl import accounts, members, spaces
from acl.actor import Actor
from acl.journal import Act, Entry, entries
from acl.registry import Device, RegistryCache
from acl.roles import Role
from acl.tripwire import Tripwire
from calendars import collections, tables
from calendars.application import Application
from calendars.errors import CALDAV, CARDDAV, DAV
from config.database import Database
from config.errors import DavserverError
from config.settings import Tripwire as Limits

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OBJECT_MAX = 100_000


def event(uid: str = "séance", summary: str = "Conseil municipal", **more: str) -> bytes:
    """One event; `more` are further properties, or replace these."""
    lines = {
        "UID": uid,
        "DTSTAMP": "20261123T120000Z",
        "DTSTART": "20261203T170000Z",
        "DTEND": "20261203T190000Z",
        "SUMMARY": summary,
        **more,
    }
    return component("VEVENT", lines)


def task(uid: str = "tâche", summary: str = "Envoyer la convocation") -> bytes:
    return component("VTODO", {"UID": uid, "DTSTAMP": "20261123T120000Z", "SUMMARY": summary})


def component(name: str, lines: Mapping[str, str]) -> bytes:
    body = "".join(f"{key}:{value}\r\n" for key, value in lines.items())
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"
        f"BEGIN:{name}\r\n{body}END:{name}\r\nEND:VCALENDAR\r\n"
    ).encode()


def card(uid: str = "chloé", name: str = "Chloé Dupré", version: str = "3.0") -> bytes:
    return (
        f"BEGIN:VCARD\r\nVERSION:{version}\r\nUID:{uid}\r\nFN:{name}\r\nN:;{name};;;\r\n"
        "END:VCARD\r\n"
    ).encode()


@dataclass(frozen=True)
class Reply:
    """A response; of an error, what the front would render."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: DavserverError | None = None

    @property
    def precondition(self) -> str | None:
        return self.error.precondition if self.error else None

    @property
    def xml(self) -> ET.Element:
        return ET.fromstring(self.body)

    def responses(self) -> dict[str, ET.Element]:
        """The responses of a multistatus by decoded path."""
        return {
            unquote(response.findtext(f"{DAV}href", "")): response
            for response in self.xml.iterfind(f"{DAV}response")
        }

    def prop(self, href: str, name: str) -> ET.Element | None:
        """A property that was found (200), by Clark name."""
        for propstat in self.responses()[href].iterfind(f"{DAV}propstat"):
            if "200" in propstat.findtext(f"{DAV}status", ""):
                return propstat.find(f"{DAV}prop/{name}")
        return None

    def text(self, href: str, name: str) -> str | None:
        element = self.prop(href, name)
        return None if element is None else element.text or ""


class Town:
    """Accounts `chloe`, `bruno`, `alice`… and the space `conseil`, each role with one account."""

    def __init__(self, database_url: str) -> None:
        self.database = Database(database_url)
        self.database.migrate()
        self.registries = RegistryCache()
        self.now = START
        self.application = self.process()

    def process(self) -> Application:
        """One more process that serves the same data."""
        return Application(
            self.database,
            RegistryCache(),
            Tripwire(self.database, Limits()),
            object_max=OBJECT_MAX,
            clock=lambda: self.now,
        )

    def account(self, login: str, *, administrator: bool = False, email: str = "") -> None:
        with self.acting() as act:
            account = accounts.add(
                act,
                login,
                name=login.title(),
                email=email,
                locale="en",
                administrator=administrator,
            )
            collections.create_for_account(act, account)

    def space(self, slug: str, title: str, roles: Mapping[str, Role]) -> None:
        with self.acting() as act:
            collections.create_for_space(act, spaces.add(act, slug, title=title))
        for login, role in roles.items():
            self.join(slug, login, role)

    def join(self, slug: str, principal: str, role: Role) -> None:
        with self.acting() as act:
            members.add(act, slug, principal, role)

    def leave(self, slug: str, principal: str) -> None:
        with self.acting() as act:
            members.remove(act, slug, principal)

    @contextmanager
    def acting(self) -> Iterator[Act]:
        """One act of the command line."""
        with self.database.write() as connection:
            yield Act(connection, Actor.console("root"), self.now)

    def client(
        self, login: str, device: Device | None = None, application: Application | None = None
    ) -> Client:
        return Client(self, login, device, application or self.application)

    def journal(self) -> list[Entry]:
        """The rows that agendas wrote, oldest first."""
        with self.database.read() as connection:
            rows = list(entries(connection))
        return [row for row in reversed(rows) if row.action.startswith("agenda.")]

    def collection(self, name: str, login: str | None = None) -> sa.Row[Any]:
        """The row of a space's collection, or of an account's own."""
        query = sa.select(tables.collections).where(tables.collections.c.name == name)
        with self.database.read() as connection:
            for row in connection.execute(query):
                registry = self.registries.current(connection)
                owner = registry.accounts[row.account_id].login if row.account_id else None
                if owner == login:
                    return row
        raise LookupError(name)

    def consistent(self) -> None:
        """What holds after every request, whatever it was (the invariant of the tables)."""
        with self.database.read() as connection:
            revisions = {
                row.id: row.revision for row in connection.execute(sa.select(tables.collections))
            }
            names = set()
            for row in connection.execute(sa.select(tables.objects)):
                assert 0 < row.revision <= revisions[row.collection_id]
                assert row.starts <= row.ends
                assert row.data.decode() and row.etag.startswith('"')
                names.add((row.collection_id, row.name))
            for row in connection.execute(sa.select(tables.tombstones)):
                assert 0 < row.revision <= revisions[row.collection_id]
                assert (row.collection_id, row.name) not in names


@dataclass(frozen=True)
class Client:
    """One device of one account."""

    town: Town
    login: str
    device: Device | None
    application: Application

    def actor(self) -> Actor:
        with self.town.database.read() as connection:
            registry = self.town.registries.current(connection)
        return Actor.of(registry.by_login[self.login], self.device, "192.0.2.1")

    def path(self, path: str = "") -> str:
        """A path below the account's home, as hrefs have it but for the encoding."""
        return f"/calendars/{self.login}/{path}"

    def request(
        self, method: str, path: str = "", body: bytes | str = b"", **headers: str
    ) -> Reply:
        """Send a request to `path` below the home, or to an absolute one below /calendars."""
        data = body.encode() if isinstance(body, str) else body
        inside = path if path.startswith("/") else f"/{self.login}/{path}"
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "/calendars",
            # As PEP 3333 has it: the bytes of the path as latin-1.
            "PATH_INFO": inside.encode().decode("latin-1"),
            "HTTP_HOST": "mairie.example",
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": io.BytesIO(data),
            "davserver.actor": self.actor(),
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        setup_testing_defaults(environ)
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, sent: list[tuple[str, str]]) -> None:
            started.append((status, sent))

        try:
            answer = b"".join(self.application(environ, start_response))
        except DavserverError as error:
            assert not started
            return Reply(int(error.status), dict(error.headers), error=error)
        finally:
            self.town.consistent()
        ((status, sent),) = started
        assert len(dict(sent)) == len(sent)
        return Reply(int(status.split()[0]), dict(sent), answer)

    def put(self, path: str, body: bytes, **headers: str) -> Reply:
        return self.request("PUT", path, body, **headers)

    def get(self, path: str) -> bytes:
        reply = self.request("GET", path)
        assert reply.status == 200, reply
        return reply.body

    def propfind(self, path: str = "", *names: str, depth: str = "0") -> Reply:
        """The named properties (Clark names) of a path; every reply must be a multistatus."""
        root = ET.Element(f"{DAV}propfind")
        prop = ET.SubElement(root, f"{DAV}prop")
        for name in names:
            ET.SubElement(prop, name)
        return self.request("PROPFIND", path, ET.tostring(root), depth=depth)

    def listed(self) -> list[str]:
        """The names of the collections in the home, as a client discovers them."""
        reply = self.propfind("", f"{DAV}resourcetype", depth="1")
        home = self.path()
        return [href.removeprefix(home).strip("/") for href in reply.responses() if href != home]

    def proppatch(self, path: str, **props: str) -> Reply:
        """Set properties, by the names below."""
        root = ET.Element(f"{DAV}propertyupdate")
        prop = ET.SubElement(ET.SubElement(root, f"{DAV}set"), f"{DAV}prop")
        for name, value in props.items():
            ET.SubElement(prop, NAMES[name]).text = value
        return self.request("PROPPATCH", path, ET.tostring(root))

    def sync(self, path: str, token: str = "") -> Reply:
        body = (
            '<D:sync-collection xmlns:D="DAV:"><D:sync-token>'
            f"{token}</D:sync-token><D:sync-level>1</D:sync-level>"
            "<D:prop><D:getetag/></D:prop></D:sync-collection>"
        )
        return self.request("REPORT", path, body)

    def multiget(self, path: str, *names: str) -> Reply:
        namespace, kind, data = (
            (CARDDAV, "addressbook-multiget", "address-data")
            if path.endswith("contacts/")
            else (CALDAV, "calendar-multiget", "calendar-data")
        )
        root = ET.Element(namespace + kind)
        prop = ET.SubElement(root, f"{DAV}prop")
        ET.SubElement(prop, f"{DAV}getetag")
        ET.SubElement(prop, namespace + data)
        for name in names:
            ET.SubElement(root, f"{DAV}href").text = quote(self.path(path) + name)
        return self.request("REPORT", path, ET.tostring(root))

    def query(self, path: str, filters: str, data: str = "<C:calendar-data/>") -> Reply:
        """A calendar-query with these filters inside VCALENDAR."""
        return self.request(
            "REPORT",
            path,
            '<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
            f"<D:prop><D:getetag/>{data}</D:prop>"
            f'<C:filter><C:comp-filter name="VCALENDAR">{filters}</C:comp-filter></C:filter>'
            "</C:calendar-query>",
        )


NAMES = {
    "displayname": f"{DAV}displayname",
    "color": "{http://apple.com/ns/ical/}calendar-color",
    "order": "{http://apple.com/ns/ical/}calendar-order",
    "etag": f"{DAV}getetag",
    "components": f"{CALDAV}supported-calendar-component-set",
}

ROLES = {
    "rita": Role.READER,
    "denis": Role.DEPOSITOR,
    "bruno": Role.CONTRIBUTOR,
    "chloe": Role.MANAGER,
}


def town(database_url: str) -> Iterator[Town]:
    """The town hall with its council: one account for each role, a stranger, an administrator."""
    hall = Town(database_url)
    for login in (*ROLES, "sven"):
        hall.account(login, email=f"{login}@mairie.example")
    hall.account("alice", administrator=True)
    hall.space("conseil", "Conseil municipal", ROLES)
    yield hall
    hall.database.close()


def later(town: Town, hours: int = 1) -> None:
    town.now += timedelta(hours=hours)
