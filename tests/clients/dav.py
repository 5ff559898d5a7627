"""A second client beside the one under test: plain requests, to see what the server holds."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from tests.clients.program import Account


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Dav:
    """Requests in the name of one account; a path is given as it is to stand in the request."""

    def __init__(self, url: str, account: Account) -> None:
        self.address = urlsplit(url).netloc
        pair = f"{account.login}:{account.password}".encode()
        self.authorization = "Basic " + base64.b64encode(pair).decode()

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            sent = {"Authorization": self.authorization, **(headers or {})}
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str) -> bytes:
        reply = self("GET", path)
        assert reply.status == 200, f"GET {path}: {reply}"
        return reply.body

    def put(self, path: str, body: bytes, kind: str = "application/octet-stream") -> None:
        reply = self("PUT", path, body, {"Content-Type": kind})
        assert reply.status in (201, 204), f"PUT {path}: {reply}"

    def mkcol(self, path: str) -> None:
        reply = self("MKCOL", path)
        assert reply.status == 201, f"MKCOL {path}: {reply}"

    def exists(self, path: str) -> bool:
        return self("PROPFIND", path, headers={"Depth": "0"}).status == 207

    def names(self, path: str) -> set[str]:
        """The names of a collection's members, decoded; a collection's ends with a slash."""
        reply = self("PROPFIND", path, headers={"Depth": "1"})
        assert reply.status == 207, f"PROPFIND {path}: {reply}"
        found = {
            unquote(urlsplit(href.text or "").path)
            for href in ElementTree.fromstring(reply.body).iter("{DAV:}href")
            if href.text
        }
        parent = unquote(path).rstrip("/") + "/"
        members = {name.removeprefix(parent) for name in found if name.startswith(parent)}
        return {name for name in members if name and "/" not in name.rstrip("/")}

    def locks(self, path: str) -> int:
        """How many active locks a resource tells of."""
        asked = b'<D:propfind xmlns:D="DAV:"><D:prop><D:lockdiscovery/></D:prop></D:propfind>'
        reply = self("PROPFIND", path, asked, {"Depth": "0", "Content-Type": "application/xml"})
        assert reply.status == 207, f"PROPFIND {path}: {reply}"
        return len(list(ElementTree.fromstring(reply.body).iter("{DAV:}activelock")))
