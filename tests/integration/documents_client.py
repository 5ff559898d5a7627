"""A small town hall, and a WebDAV client that talks to its documents without a network."""

from __future__ import annotations

import base64
import io
import os
import shutil
import stat
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from wsgiref.util import setup_testing_defaults

import sqlalchemy as sa
from pydantic import ByteSize

from acl import devices, groups, members, spaces
from acl.actor import Actor
from acl.journal import Act, Entry, entries
from acl.roles import Role
from acl.tables import journal, restricted_folders
from acl.tables import members as member_lines
from acl.tables import spaces as space_rows
from config.database import Database
from config.settings import (
    Authentication,
    DatabaseSettings,
    Limits,
    Organisation,
    Settings,
    Storage,
    Tripwire,
)
from davserver import organisation
from davserver.app import App, build
from davserver.documents import check, counts, tables
from davserver.documents.adopt import adopt
from davserver.documents.store import Store

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOST = "mairie.example"
DAV = "{DAV:}"

LOCKINFO = (
    '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:{scope}/></D:lockscope>'
    "<D:locktype><D:write/></D:locktype><D:owner>{owner}</D:owner></D:lockinfo>"
)

# The verbs' own rows; others are the registry's and the agendas'.
_ACTS = ("document.", "folder.create", "lock.")


def href(slug: str, path: str = "") -> str:
    """The percent-encoded address of a place."""
    return quote(f"/spaces/{slug}/{path}")


def at(path: str) -> str:
    """The address of a place in the council's space."""
    return href("conseil", path)


@dataclass(frozen=True)
class Reply:
    """A response."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def etag(self) -> str:
        return self.headers["ETag"]

    @property
    def token(self) -> str:
        """The lock token of a LOCK, with its angle brackets."""
        return self.headers["Lock-Token"]

    @property
    def xml(self) -> ET.Element:
        return ET.fromstring(self.body)

    @property
    def precondition(self) -> str | None:
        """The Clark name of the precondition that failed, if an RFC names one."""
        if not self.headers.get("Content-Type", "").startswith("application/xml"):
            return None
        root = self.xml
        return root[0].tag if root.tag == f"{DAV}error" else None

    def responses(self) -> dict[str, ET.Element]:
        """The responses of a multistatus, by href as it was sent."""
        found = {
            response.findtext(f"{DAV}href", ""): response
            for response in self.xml.iterfind(f"{DAV}response")
        }
        assert len(found) == len(self.xml.findall(f"{DAV}response")), "an href twice"
        return found

    def names(self) -> list[str]:
        """The last segments of a listing's hrefs, decoded and sorted, without the folder's."""
        _, *rest = self.responses()
        return sorted(unquote(one.rstrip("/").rpartition("/")[2]) for one in rest)

    def props(self, status: int = 200, name: str | None = None) -> dict[str, ET.Element]:
        """The properties with this status in the response `name` (the first one), by name."""
        response = next(iter(self.responses().values())) if name is None else self.named(name)
        return {
            prop.tag: prop
            for propstat in response.iterfind(f"{DAV}propstat")
            if f" {status} " in propstat.findtext(f"{DAV}status", "")
            for prop in propstat.find(f"{DAV}prop") or ()
        }

    def named(self, name: str) -> ET.Element:
        """The response for the member `name` of a listing."""
        for one, response in self.responses().items():
            if unquote(one.rstrip("/").rpartition("/")[2]) == name:
                return response
        raise LookupError(name)

    def text(self, prop: str, name: str | None = None) -> str | None:
        """The text of a DAV: property that was found."""
        found = self.props(200, name).get(DAV + prop)
        return None if found is None else found.text or ""


@dataclass(frozen=True)
class Snapshot:
    """All that a refused request must leave as it is."""

    disk: Mapping[str, bytes | str]
    journal: int
    tables: tuple[tuple[Any, ...], ...]


class Hall:
    """A data directory, its database, and what serves them."""

    def __init__(
        self,
        data: Path,
        database_url: str,
        *,
        propfind_max: int = 10_000,
        upload_max: int = 1 << 30,
        clutter_max: int = 5_000,
        tripwire: Tripwire | None = None,
    ) -> None:
        self.settings = Settings(
            data=data,
            organisation=Organisation(language="en", timezone="UTC"),
            database=DatabaseSettings(url=database_url),
            authentication=Authentication(memory=ByteSize(8 * 1024), rounds=1),
            storage=Storage(upload_max=ByteSize(upload_max), clutter_max=ByteSize(clutter_max)),
            limits=Limits(propfind_max=propfind_max),
            tripwire=tripwire or Tripwire(),
        )
        self.store = Store(data)
        self.store.prepare()
        self.now = START
        self.passwords: dict[tuple[str, str], str] = {}
        # What `davserver check` is known to find, because a test put it there.
        self.known: set[str] = set()
        database = Database(database_url)
        database.migrate()
        database.close()
        self.app = self.process()

    def process(self) -> App:
        """One more process that serves the same data, started now."""
        app = build(self.settings)
        if app.database.is_sqlite:
            # No power fails here, and there are thousands of commits.
            sa.event.listen(app.database.engine, "connect", _volatile)
        app.documents.clock = lambda: self.now
        app.recover()
        return app

    def restart(self) -> None:
        """End the process that serves, and start another one."""
        self.app.database.close()
        self.app = self.process()

    @property
    def database(self) -> Database:
        return self.app.database

    def later(self, **amount: float) -> None:
        self.now += timedelta(**amount)

    # Who and what there is

    @contextmanager
    def acting(self) -> Iterator[Act]:
        """One act of the command line."""
        with self.database.write() as connection:
            yield Act(connection, Actor.console("root"), self.now)

    def account(self, *logins: str, administrator: bool = False) -> None:
        """Add accounts, each with a device password for everything."""
        for login in logins:
            with self.acting() as act:
                organisation.add_account(
                    act,
                    login,
                    name=login.title(),
                    locale="en",
                    administrator=administrator,
                    password_hash="",
                )
            self.device(login, "laptop")

    def device(
        self, login: str, name: str, *, documents: bool = True, read_only: bool = False
    ) -> None:
        with self.acting() as act:
            _, password = devices.add(act, login, name, documents=documents, read_only=read_only)
        self.passwords[login, name] = password

    def group(self, name: str, *logins: str) -> None:
        with self.acting() as act:
            groups.add(act, name, title=name.title())
        for login in logins:
            with self.acting() as act:
                groups.join(act, name, login)

    def space(
        self,
        slug: str,
        roles: Mapping[str, Role],
        *,
        title: str = "",
        confidential: bool = False,
        quota_bytes: int | None = None,
    ) -> None:
        with self.acting() as act:
            organisation.add_space(
                act,
                self.store,
                slug,
                title=title,
                confidential=confidential,
                quota_bytes=quota_bytes,
            )
        self.join(slug, roles)

    def join(self, slug: str, roles: Mapping[str, Role], folder: str = "") -> None:
        for principal, role in roles.items():
            with self.acting() as act:
                members.add(act, slug, principal, role, folder=folder)

    def restrict(self, slug: str, folder: str, roles: Mapping[str, Role]) -> None:
        """Give a folder, made if it is not there, a member list of its own."""
        if not self.disk(slug, folder).exists():
            self.disk(slug, folder).mkdir(parents=True)
            self.recount(slug)
        with self.acting() as act:
            members.restrict(act, slug, folder)
        self.join(slug, roles, folder)

    def archive(self, slug: str) -> None:
        with self.acting() as act:
            spaces.set_archived(act, slug, True)

    # What lies on the disk

    def disk(self, slug: str, path: str = "") -> Path:
        return self.store.space_root(slug) / path

    def write(self, slug: str, path: str, content: bytes = b"") -> Path:
        """Put a document there behind the server's back, as an administrator may, and count it."""
        file = self.disk(slug, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.recount(slug)
        return file

    def recount(self, slug: str) -> None:
        """Let the journal say what lies in the space, and the space use that, as `davserver check
        --adopt --repair-counts` does."""
        console = Actor.console("root")
        adopt(self.app.documents, console, slug)
        counts.repair(self.app.documents, console, slug)

    def restore(self, slug: str, content: Mapping[str, bytes | None]) -> None:
        """Make this the space's content (None: a folder), without properties and locks."""
        shutil.rmtree(self.disk(slug))
        self.disk(slug).mkdir(mode=0o700)
        for path, data in content.items():
            file = self.disk(slug, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            if data is None:
                file.mkdir(exist_ok=True)
            else:
                file.write_bytes(data)
        with self.database.write() as connection:
            for table in (tables.locks, tables.properties):
                space_id = sa.select(space_rows.c.id).where(space_rows.c.slug == slug)
                connection.execute(table.delete().where(table.c.space_id.in_(space_id)))
        self.recount(slug)

    def forget(self, login: str) -> None:
        """Release all locks of an account."""
        with self.database.write() as connection:
            connection.execute(tables.locks.delete().where(tables.locks.c.login == login))

    def documents(self, slug: str) -> dict[str, bytes | None]:
        """What the space holds on the disk: content by path, None for a folder."""
        return {
            path: None if isinstance(content, str) else content
            for path, content in tree(self.disk(slug)).items()
        }

    def history(self, slug: str) -> dict[str, bytes | str]:
        """What history keeps of the space, by the uid of the act that put it there."""
        found = tree(self.store.history / slug)
        return {path[3:]: content for path, content in found.items() if len(path) > 2}

    # What the database holds

    def journal(self) -> list[Entry]:
        """The rows of verbs on documents, oldest first."""
        with self.database.read() as connection:
            rows = list(entries(connection))
        return [
            row
            for row in reversed(rows)
            if row.action.startswith(_ACTS) and row.action != "document.adopt"
        ]

    def journal_size(self) -> int:
        with self.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.count(journal.c.id))).scalar_one())

    def snapshot(self) -> Snapshot:
        """Everything that is kept."""
        rows = []
        with self.database.read() as connection:
            for table in (
                tables.locks,
                tables.properties,
                restricted_folders,
                member_lines,
                space_rows,
            ):
                rows += sorted(tuple(row) for row in connection.execute(sa.select(table)))
        disk = {
            f"{root.name}/{path}": content
            for root in (self.store.spaces, self.store.history, self.store.staging)
            for path, content in tree(root).items()
        }
        return Snapshot(disk, self.journal_size(), tuple(rows))

    def consistent(self) -> None:
        """What holds after every request, whatever it was (the invariant of the store)."""
        found = {one.problem for one in check.findings(self.database, self.store, self.now)}
        assert found <= self.known, found
        staged = {entry.name for entry in os.scandir(self.store.staging)}
        assert staged == {"intents", "clutter"}, staged

    def client(self, login: str, device: str = "laptop") -> Client:
        return Client(self, login, self.passwords[login, device])


def _volatile(connection: Any, record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF").close()


def tree(root: Path) -> dict[str, bytes | str]:
    """What lies below `root`: content by path, or what else it is."""
    found: dict[str, bytes | str] = {}
    for folder, directories, files in os.walk(root):
        for name in [*directories, *files]:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            key = str(path.relative_to(root))
            if stat.S_ISLNK(mode):
                found[key] = f"-> {os.readlink(path)}"
            elif stat.S_ISREG(mode):
                found[key] = path.read_bytes()
            else:
                found[key] = "folder" if stat.S_ISDIR(mode) else "special"
    return found


class Upload(io.BytesIO):
    """A body; `meanwhile` happens once its first bytes have been asked for."""

    def __init__(self, data: bytes, meanwhile: Callable[[], object] | None) -> None:
        super().__init__(data)
        self._meanwhile = meanwhile

    def read(self, size: int | None = -1) -> bytes:
        happening, self._meanwhile = self._meanwhile, None
        if happening is not None:
            happening()
        return super().read(size)


@dataclass(frozen=True)
class Client:
    """One device of one account."""

    hall: Hall
    login: str
    password: str

    def request(
        self,
        method: str,
        address: str,
        body: bytes | str = b"",
        headers: Mapping[str, str] | None = None,
        *,
        chunked: bool = False,
        meanwhile: Callable[[], object] | None = None,
        app: App | None = None,
        unavailable: bool = False,
    ) -> Reply:
        """Send a request to a percent-encoded address.

        `meanwhile` happens while the body is on its way. `unavailable`: a 503 is in order.
        """
        data = body.encode() if isinstance(body, str) else body
        basic = base64.b64encode(f"{self.login}:{self.password}".encode()).decode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "REQUEST_URI": address,
            "PATH_INFO": unquote(address.partition("?")[0], "latin-1"),
            "HTTP_HOST": HOST,
            "HTTP_AUTHORIZATION": f"Basic {basic}",
            "REMOTE_ADDR": "192.0.2.1",
            "wsgi.input": Upload(data, meanwhile),
        }
        if chunked:
            environ |= {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        else:
            environ["CONTENT_LENGTH"] = str(len(data))
        for name, value in (headers or {}).items():
            name = name.upper().replace("-", "_")
            environ[name if name.startswith("CONTENT_LENGTH") else f"HTTP_{name}"] = value
        setup_testing_defaults(environ)
        reply = self._send(app or self.hall.app, environ)
        # Whatever was asked: an answer, and never a fault of ours.
        assert reply.status != 500 and (unavailable or reply.status != 503), (method, address)
        return reply

    def _send(self, app: App, environ: dict[str, Any]) -> Reply:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, sent: list[tuple[str, str]], exc_info: object = None
        ) -> None:
            started.append((status, sent))

        answer = app.wsgi(environ, start_response)
        try:
            body = b"".join(answer)
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()
        ((status, sent),) = started
        reply = Reply(int(status.split()[0]), dict(sent), body)
        assert len(reply.headers) == len(sent), sent
        if "Content-Length" in reply.headers and environ["REQUEST_METHOD"] != "HEAD":
            assert int(reply.headers["Content-Length"]) == len(body)
        if reply.status in (204, 304) or environ["REQUEST_METHOD"] == "HEAD":
            assert not body
        return reply

    # Verbs

    def get(self, address: str, **headers: str) -> Reply:
        return self.request("GET", address, headers=named(headers))

    def put(self, address: str, body: bytes | str = b"", **headers: str) -> Reply:
        return self.request("PUT", address, body, named(headers))

    def mkcol(self, address: str) -> Reply:
        return self.request("MKCOL", address)

    def delete(self, address: str, **headers: str) -> Reply:
        return self.request("DELETE", address, headers=named(headers))

    def copy(self, address: str, destination: str, **headers: str) -> Reply:
        return self.request("COPY", address, headers={"Destination": destination, **named(headers)})

    def move(self, address: str, destination: str, **headers: str) -> Reply:
        return self.request("MOVE", address, headers={"Destination": destination, **named(headers)})

    def lock(
        self,
        address: str,
        *,
        scope: str = "exclusive",
        owner: str = "",
        app: App | None = None,
        **headers: str,
    ) -> Reply:
        body = LOCKINFO.format(scope=scope, owner=owner)
        return self.request("LOCK", address, body, named(headers), app=app)

    def refresh(self, address: str, token: str, **headers: str) -> Reply:
        return self.request("LOCK", address, headers={"If": f"({token})", **named(headers)})

    def unlock(self, address: str, token: str) -> Reply:
        return self.request("UNLOCK", address, headers={"Lock-Token": token})

    def propfind(
        self, address: str, *props: str, depth: str = "0", agent: str = "", app: App | None = None
    ) -> Reply:
        """The named properties (of DAV: unless they are Clark names); all without a name."""
        body = b""
        if props:
            root = ET.Element(f"{DAV}propfind")
            prop = ET.SubElement(root, f"{DAV}prop")
            for name in props:
                ET.SubElement(prop, name if name.startswith("{") else DAV + name)
            body = ET.tostring(root, "utf-8")
        headers = {"Depth": depth} | ({"User-Agent": agent} if agent else {})
        return self.request("PROPFIND", address, body, headers, app=app)

    def list(self, address: str, depth: str = "1") -> list[str]:
        """The names below a folder, as a client lists them."""
        reply = self.propfind(address, "resourcetype", depth=depth)
        assert reply.status == 207, reply
        return reply.names()

    def proppatch(
        self,
        address: str,
        props: Mapping[str, str | None] | None = None,
        **headers: str,
    ) -> Reply:
        """Set properties by Clark name; None removes one."""
        root = ET.Element(f"{DAV}propertyupdate")
        for name, value in (props or {COLOUR: "red"}).items():
            action = ET.SubElement(root, DAV + ("remove" if value is None else "set"))
            ET.SubElement(ET.SubElement(action, f"{DAV}prop"), name).text = value
        return self.request("PROPPATCH", address, ET.tostring(root, "utf-8"), named(headers))


def named(headers: Mapping[str, str]) -> dict[str, str]:
    """Keyword arguments as header names: `if_match` is If-Match, and `if_` is If."""
    return {name.rstrip("_").replace("_", "-"): value for name, value in headers.items()}


COLOUR = "{urn:x}colour"


def plant(client: Client) -> None:
    """A document and a folder in the council's space, each with a property."""
    client.put(at("lettre.txt"), b"lettre")
    client.proppatch(at("lettre.txt"), {COLOUR: "red"})
    client.mkcol(at("dossier"))
    client.put(at("dossier/note.txt"), b"note")
    client.mkcol(at("dossier/sous"))
    client.put(at("dossier/sous/fiche.txt"), b"fiche")
    client.proppatch(at("dossier"), {COLOUR: "green"})
    client.proppatch(at("dossier/sous/fiche.txt"), {COLOUR: "blue"})


READER, DEPOSITOR, CONTRIBUTOR, MANAGER = Role

ROLES = {"rita": READER, "denis": DEPOSITOR, "bruno": CONTRIBUTOR, "chloe": MANAGER}


def town(
    data: Path,
    database_url: str,
    *,
    roles: Iterable[str] = ROLES,
    tripwire: Tripwire | None = None,
    **limits: int,
) -> Iterator[Hall]:
    """The town hall with its council: one account for each role, a stranger, an administrator."""
    hall = Hall(data, database_url, tripwire=tripwire, **limits)
    hall.account(*roles, "sven")
    hall.account("alice", administrator=True)
    hall.space("conseil", {login: ROLES[login] for login in roles}, title="Conseil municipal")
    yield hall
    hall.consistent()
    hall.app.database.close()
