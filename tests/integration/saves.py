"""Plays how programs save, from the transcripts of fixtures/saves.toml, which says how they are
read; and looks at what is left of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from acl import registry, spaces
from acl.actor import Actor
from davserver.documents import counts, kept, walk
from davserver.documents.kept import TRASH, VERSION
from tests.integration.documents_client import COLOUR, DAV, Client, Hall, Reply, at

FIXTURE = Path(__file__).parent / "fixtures" / "saves.toml"
OWNER = b"\x05Bruno                "
WIN32 = "{urn:schemas-microsoft-com:}"
MODIFIED, ATTRIBUTES = f"{WIN32}Win32LastModifiedTime", f"{WIN32}Win32FileAttributes"
# What the redirector sends.
STAMPS = {
    f"{WIN32}Win32CreationTime": "Thu, 09 Oct 2025 17:54:43 GMT",
    f"{WIN32}Win32LastAccessTime": "Thu, 09 Oct 2025 17:55:31 GMT",
    MODIFIED: "Thu, 09 Oct 2025 17:54:43 GMT",
    ATTRIBUTES: "00000020",
}
CONSOLE = Actor.console("root")
# Between two requests of a program.
PAUSE = 0.2


@dataclass(frozen=True)
class Program:
    """A program, and the requests it sends."""

    name: str
    document: str
    save: str
    open: str = ""
    close: str = ""
    seen: str = ""
    leaves: list[str] = field(default_factory=list)
    held: str = ""
    names: Mapping[str, str] = field(default_factory=dict)


def programs() -> list[Program]:
    """All that there are transcripts of."""
    data = tomllib.loads(FIXTURE.read_text("utf-8"))
    return [Program(**program) for program in data["program"]]


@dataclass
class Session:
    """Somebody who has the document of a program open, in a folder of the council's space."""

    client: Client
    program: Program
    folder: str
    number: int = 0
    tokens: dict[str, str] = field(default_factory=dict)

    def open(self) -> None:
        self._play(self.program.open, b"")

    def save(self, content: bytes) -> None:
        self.number += 1
        self._play(self.program.save, content)

    def close(self) -> None:
        self._play(self.program.close, b"")

    def address(self, name: str) -> str:
        """The address of a name as it stands in a transcript."""
        filled = name
        values = {"n": str(self.number), "hex": f"3{self.number}29E5EF", **self.program.names}
        while (once := re.sub(r"\{(\w+)\}", lambda m: values[m[1]], filled)) != filled:
            filled = once
        return at(filled[1:] if filled.startswith("/") else f"{self.folder}/{filled}")

    def _play(self, transcript: str, content: bytes) -> None:
        for line in transcript.strip().splitlines():
            reply = self._send(line, content)
            status = 404 if line.endswith("  404") else 0
            assert reply.status == status if status else reply.status < 300, (line, reply)
            self.client.hall.later(seconds=PAUSE)

    def _send(self, line: str, content: bytes) -> Reply:
        method, name, *options = re.split(r" {2,}", line)
        address = self.address(name)
        headers: dict[str, str] = {}
        for option in options:
            match option.partition(" "):
                case ("->", _, target):
                    headers["Destination"] = self.address(target)
                case ("no", _, "overwrite"):
                    headers["Overwrite"] = "F"
                case ("with", _, lock):
                    headers["If"] = f"({self.tokens[lock]})"
                case ("tagged", _, lock):
                    document = self.address(self.program.document)
                    headers["If"] = f"<{document}> ({self.tokens[lock]})"
                case ("token", _, lock):
                    headers["Lock-Token"] = self.tokens[lock]
                case ("match", _, _):
                    headers["If-Match"] = self.client.get(address).etag
                case ("mtime", _, _):
                    headers["X-OC-Mtime"] = str(int(self.client.hall.now.timestamp()))
        if "win32" in options:
            return self.client.proppatch(address, STAMPS, **_named(headers))
        if method == "LOCK" and "If" not in headers:
            reply = self.client.lock(address, timeout="Second-3600")
            (token,) = [option[3:] for option in options if option.startswith("as ")]
            self.tokens[token] = reply.headers.get("Lock-Token", "")
            return reply
        body = content if "content" in options else OWNER if "owner" in options else b""
        return self.client.request(method, address, body, headers, chunked="chunked" in options)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {f"{name.replace('-', '_')}_": value for name, value in headers.items()}


# What is left


def history(moment: datetime, path: str = "") -> str:
    """The address of something in the council's space as it was at a moment."""
    return quote(f"/history/conseil/{moment:%Y-%m-%dT%H:%M:%S.%f}/{path}", safe="/:(,)")


def trash(hall: Hall, login: str = "chloe") -> list[str]:
    """What an account finds in the trash."""
    return hall.client(login).list("/history/conseil/trash/")


def versions(hall: Hall, path: str) -> list[bytes]:
    """The former contents of a document, the oldest first."""
    return _kept(hall, path, VERSION)


def deleted(hall: Hall, path: str) -> list[bytes]:
    """The documents of a name that the trash holds, the oldest first."""
    return _kept(hall, path, TRASH)


def _kept(hall: Hall, path: str, reason: str) -> list[bytes]:
    with hall.database.read() as connection:
        space = registry.read(connection).spaces["conseil"]
        listed = list(kept.listing(connection, space, reason, path=path))
    documents = [one.uid for one in listed if not one.collection]
    return [hall.store.kept("conseil", uid).read_bytes() for uid in documents]


def check_exact(hall: Hall) -> None:
    """Disk and database agree, and the bytes are counted right."""
    hall.consistent()
    # Of a folder that was deleted whole nobody knows the size yet.
    counts.count(hall.app.documents, CONSOLE)
    with hall.database.read() as connection:
        space = registry.read(connection).spaces["conseil"]
        counted = spaces.shares(connection, (space.id,))[space.id]
    live, kept_ = hall.disk("conseil"), hall.store.history / "conseil"
    assert (counted.live, counted.history) == (walk.size(live), walk.size(kept_))


def tokens(client: Client, address: str) -> list[str]:
    """The tokens of the locks on a document, in angle brackets."""
    reply = client.propfind(address, "lockdiscovery")
    return [f"<{href.text}>" for href in reply.xml.iterfind(f".//{DAV}locktoken/{DAV}href")]


def colour(client: Client, address: str) -> str | None:
    """A dead property of a document."""
    found = client.propfind(address, COLOUR).props().get(COLOUR)
    return None if found is None else found.text
