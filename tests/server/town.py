"""A small town hall to be mistreated: who is in it, and whether it came to harm."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner

from acl import journal
from config.database import Database
from config.settings import Settings, load
from davserver.app import build
from davserver.cli.main import main
from davserver.documents.check import Finding, findings
from davserver.documents.store import Store
from tests.server.process import Server
from tests.server.wire import Answer, Header, ask, basic

WITHIN = 60.0
SPACE = "/spaces/conseil"
PASSWORDS = {
    "anne": "Le chêne, 3 hiboux & 1 clé",
    "bruno": "Un tilleul; 4 corneilles + 2",
    "rene": "Le hêtre a 5 mésanges, lui",
    "zoe": "Aucun espace pour Zoé: 6",
}


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something has come about. Raises if it never does."""
    deadline = time.monotonic() + WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {WITHIN:.0f} s: {what}")
        time.sleep(0.002)


@dataclass
class Town:
    """`anne` and `bruno` contribute to the space `conseil`, `rene` reads it, `zoe` is in none.

    `devices` are the device passwords by login.
    """

    server: Server
    devices: dict[str, str] = field(default_factory=dict)

    @classmethod
    def found(
        cls,
        data: Path,
        database_url: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Town:
        """Found it in `data`, and serve nothing yet."""
        town = cls(Server(data, database_url, environment))
        town.cli("init", "--template", "empty")
        for login, password in PASSWORDS.items():
            town.account(login, password)
        town.space("conseil", anne="contributor", bruno="contributor", rene="reader")
        return town

    def cli(self, *args: str, input: str = "") -> str:
        """Run a davserver command as `Server.cli` does, but in this process: it is much faster.

        Returns what it printed; its failure is an error.
        """
        # What the developer has set must not reach it.
        environment: dict[str, str | None] = {
            name: None for name in os.environ if name.startswith("DAVSERVER_")
        }
        done = CliRunner().invoke(
            main, args, input=input, env={**environment, **self.server.environment}
        )
        assert done.exit_code == 0, f"davserver {' '.join(args)}: {done.output}"
        return done.output

    def space(self, slug: str, *, quota: str = "", **members: str) -> None:
        """Add a space, with these members and their roles."""
        quotas = ("--quota", quota) if quota else ()
        self.cli("space", "add", slug, "--title", slug.title(), *quotas)
        for login, role in members.items():
            self.cli("member", "add", slug, login, "--role", role)

    def account(self, login: str, password: str) -> str:
        """Add an account with a device; return the device's password."""
        email = ("--email", f"{login}@example.org")
        self.cli("account", "add", login, *email, "--password-stdin", input=f"{password}\n")
        return self.device(login, "poste")

    def device(self, login: str, name: str) -> str:
        """Add a device password, and return it."""
        added = self.cli("device", "add", login, name, "--json")
        self.devices[login] = str(json.loads(added)["password"])
        return self.devices[login]

    def another(self) -> Server:
        """One more server over the same data, not started yet."""
        return Server(
            self.server.data,
            environment={
                name: value
                for name, value in self.server.environment.items()
                if name.startswith("DAVSERVER_")
            },
        )

    def as_(self, login: str) -> Header:
        """What a device of this account sends."""
        return basic(login, self.devices[login])

    def ask(
        self,
        login: str,
        method: str,
        path: str,
        body: bytes | None = None,
        *headers: Header,
        server: Server | None = None,
    ) -> Answer:
        """One request of an account's device, on a connection of its own."""
        port = (server or self.server).port
        return ask(port, method, path, [self.as_(login), *headers], body)

    def put(self, path: str, body: bytes) -> None:
        """Put a document that must be accepted."""
        answer = self.ask("anne", "PUT", path, body)
        assert answer.status in (201, 204), answer

    def lock(self, login: str, path: str, server: Server | None = None) -> str:
        """Lock it, and return the token."""
        answer = self.ask(login, "LOCK", path, LOCKINFO, ("Depth", "0"), server=server)
        assert answer.status in (200, 201), answer
        return answer["Lock-Token"].strip("<>")

    # Whether it came to harm

    def staged(self) -> list[str]:
        """What lies in staging/, but for the two directories that are always there."""
        names = {entry.name for entry in (self.server.data / "staging").iterdir()}
        return sorted(names - {"intents", "clutter"})

    def intents(self) -> list[str]:
        """The changes that are under way, or were cut short."""
        return sorted(entry.name for entry in (self.server.data / "staging/intents").iterdir())

    def documents(self) -> dict[str, bytes]:
        """All documents as they lie on the disk, by their paths below spaces/."""
        root = self.server.data / "spaces"
        return {
            str(file.relative_to(root)): file.read_bytes()
            for file in root.rglob("*")
            if file.is_file()
        }

    def journal(self) -> list[journal.Entry]:
        """The whole journal, newest first."""
        with self._opened() as database, database.read() as connection:
            return list(journal.entries(connection))

    def start_in(self, time: timedelta) -> None:
        """Do what a server does that starts when this time has passed."""
        app = build(self._settings())
        app.documents.clock = lambda: datetime.now(UTC) + time
        app.recover()
        app.database.close()

    def _settings(self) -> Settings:
        given = {
            name: value
            for name, value in self.server.environment.items()
            if name.startswith("DAVSERVER_")
        }
        return load(self.server.data, given, {})[0]

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        database = Database(self._settings().database_url)
        try:
            yield database
        finally:
            database.close()

    def findings(self) -> list[Finding]:
        """What `davserver check` finds."""
        with self._opened() as database:
            return list(findings(database, Store(self.server.data), datetime.now(UTC)))

    def logged(self, since: int = 0) -> str:
        """What the server has logged, after the first `since` bytes."""
        return self.server.log.read_bytes()[since:].decode("utf-8", "replace")

    def check_alive(self, since: int = 0) -> None:
        """The server goes on: it answers, and no traceback is in its log."""
        answer = self.ask("anne", "PROPFIND", SPACE, None, ("Depth", "0"))
        assert answer.status == 207, answer
        assert "Traceback" not in self.logged(since), self.server.tail()


LOCKINFO = (
    b'<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    b"<D:locktype><D:write/></D:locktype><D:owner>essai</D:owner></D:lockinfo>"
)


def event(uid: str, summary: str) -> bytes:
    """An event, as a calendar program puts it."""
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//essai//FR\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20261123T120000Z\r\nDTSTART:20261203T170000Z\r\n"
        f"DTEND:20261203T190000Z\r\nSUMMARY:{summary}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()
