"""One request, read: who asks, where, and with what body."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from acl.actor import ENVIRON, Actor
from acl.errors import NotFound
from calendars.errors import DAV, NoCollection
from calendars.paths import Path
from config.errors import MalformedRequest, OtherServer

# Far beyond what any protocol element needs, and far from what Python's stack can take.
_XML_DEPTH_MAX = 64
# What no name can have: the front refuses it in the address itself.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")


@dataclass(frozen=True)
class Request:
    """A request as the front hands it on: authenticated, its body at hand and no chunks.

    `prefix` is the URL path that the application is mounted at; `path` is the rest.
    """

    environ: Mapping[str, Any]
    method: str
    actor: Actor
    prefix: str
    path: Path

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> "Request":
        """Read a WSGI environment. Raises `NotFound`."""
        # PEP 3333 gives the bytes of the path as latin-1; Radicale takes them for text (R1).
        path = Path.parse(environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8"))
        actor: Actor = environ[ENVIRON]
        if path.login not in (None, actor.name):
            raise NotFound()
        method = environ["REQUEST_METHOD"].upper()
        return cls(environ, method, actor, environ.get("SCRIPT_NAME", "").rstrip("/"), path)

    def body(self) -> bytes:
        """The whole body."""
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        data: bytes = self.environ["wsgi.input"].read(length) if length else b""
        return data

    def xml(self, *roots: str) -> ET.Element | None:
        """The body as XML with one of these root elements (any, if none is given), or None.

        Raises `MalformedRequest`, also for document types, entities and absurd depth.
        """
        data = self.body()
        if not data.strip():
            return None
        try:
            root: ET.Element = ET.fromstring(data, ET.XMLParser(target=_WithoutDoctype()))
        # LookupError: an encoding that is unknown.
        except (ET.ParseError, LookupError, ValueError):
            raise MalformedRequest(what="XML body") from None
        if (roots and root.tag not in roots) or _depth(root) > _XML_DEPTH_MAX:
            raise MalformedRequest(what="XML body")
        return root

    def destination(self) -> Path:
        """Where MOVE shall put it. Raises `MalformedRequest`, `OtherServer` or `NoCollection`."""
        try:
            url = urlsplit(self.environ.get("HTTP_DESTINATION", ""))
            text = unquote(url.path, errors="strict")
            # Without user and port: KDE sends the one, proxies lose the other.
            host = urlsplit(f"//{self.environ.get('HTTP_HOST', '')}").hostname
        # UnicodeDecodeError, or brackets around what is no address.
        except ValueError:
            raise MalformedRequest(what="Destination header") from None
        if url.netloc and host and url.hostname != host:
            raise OtherServer()
        if not text.startswith("/") or _CONTROL.search(text) or {".", ".."} & set(text.split("/")):
            raise MalformedRequest(what="Destination header")
        inside = text.removeprefix(self.prefix + "/")
        try:
            path = Path.parse(inside)
        except NotFound:
            raise NoCollection() from None
        if (self.prefix and inside == text) or path.login != self.actor.name or not path.is_object:
            raise NoCollection()
        return path


def propfind(root: ET.Element | None) -> ET.Element | None:
    """A propfind element as Radicale can read it: what is asked for, and nothing beside.

    Raises `MalformedRequest`.
    """
    if root is None:
        return None
    for child in root:
        if child.tag in (f"{DAV}prop", f"{DAV}allprop", f"{DAV}propname"):
            if any(not name.tag.startswith("{") for name in child):
                raise MalformedRequest(what="property without a namespace")
            asked = ET.Element(root.tag)
            asked.append(child)
            return asked
    raise MalformedRequest(what="XML body")


class _WithoutDoctype(ET.TreeBuilder):
    """Refuses document types, and so every entity, before it has read any."""

    def doctype(self, name: str, pubid: str, system: str) -> None:
        raise ValueError("document type")


def _depth(root: ET.Element) -> int:
    depth, level = 0, [root]
    while level and depth <= _XML_DEPTH_MAX:
        depth += 1
        level = [child for element in level for child in element]
    return depth
