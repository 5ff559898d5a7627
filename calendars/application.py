"""The WSGI application for /calendars: CalDAV (RFC 4791) and CardDAV (RFC 6352).

Radicale's application, told who asks by the front and given our storage and our rights. It
answers PROPFIND; reports use its filters. What changes something is done here, in one write
transaction a request, because Radicale would store other bytes than it was sent, and answer
without the preconditions that clients act upon.
"""

import gzip
import io
import logging
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

import radicale.app
import radicale.config
from radicale import httputils
from radicale.auth import BaseAuth

from acl.errors import NotFound
from acl.privileges import Privilege
from acl.registry import RegistryCache
from acl.tripwire import Tripwire
from calendars import collections, content, objects, properties, reports, views
from calendars.collection import Collection
from calendars.conditions import Conditions
from calendars.errors import (
    CALDAV,
    DAV,
    METHODS,
    AlreadyMapped,
    Kept,
    NoCollection,
    NoPlaceForCollection,
    ObjectTooLarge,
    UnsupportedReport,
)
from calendars.home import Place
from calendars.paths import Path
from calendars.request import Request, propfind
from calendars.rights import Rights
from calendars.session import Session, Sessions, current
from calendars.storage import Storage
from config.database import Database
from config.errors import MalformedRequest, MethodNotAllowed

# Without 2, as there are no locks, and without calendar-auto-schedule, as nothing is sent.
COMPLIANCE = "1, 3, access-control, calendar-access, addressbook, extended-mkcol"

_XML = "application/xml; charset=utf-8"
_GZIP_MIN = 1024
_DEPTHS = frozenset({"0", "1", "infinity"})
# With any weight but none (RFC 9110, 12.5.3).
_GZIP = re.compile(r"(?:^|,)\s*gzip\s*(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))(?:;|,|$)")
_FREE_BUSY = f"{CALDAV}free-busy-query"
# Clients that ask for these stop at an error (InfCloud), and can do without an answer.
_EMPTY_REPORTS = frozenset(
    f"{DAV}{name}"
    for name in ("expand-property", "principal-property-search", "principal-search-property-set")
)


@dataclass(frozen=True)
class Response:
    """What a request is answered with."""

    status: HTTPStatus
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Application(radicale.app.Application):
    """One for each process, safe to share between threads; it keeps nothing between requests.

    `object_max` is the largest object in bytes. Failures are raised as
    `config.errors.DavserverError`, for the front to render.
    """

    def __init__(
        self,
        database: Database,
        registries: RegistryCache,
        tripwire: Tripwire,
        *,
        object_max: int,
        clock: Callable[[], datetime],
    ) -> None:
        # It would tell each request's path, user and headers to the log.
        logging.getLogger("radicale").setLevel(logging.WARNING)
        self._sessions = Sessions(database, registries, tripwire, clock)
        self._object_max = object_max
        self._verbs: dict[str, Callable[[Request], Response]] = {
            "DELETE": self._delete,
            "GET": self._get,
            "HEAD": self._get,
            "MKCALENDAR": self._make_collection,
            "MKCOL": self._make_collection,
            "MOVE": self._move,
            "OPTIONS": self._options,
            "PROPFIND": self._propfind,
            "PROPPATCH": self._proppatch,
            "PUT": self._put,
            "REPORT": self._report,
        }
        super().__init__(_configuration(object_max))

    def __call__(
        self,
        environ: Mapping[str, Any],
        start_response: Callable[[str, list[tuple[str, str]]], Any],
    ) -> Iterable[bytes]:
        """Serve one request. Raises `DavserverError` before the response has started."""
        verb = self._verbs.get(environ["REQUEST_METHOD"].upper())
        if verb is None:
            raise MethodNotAllowed(METHODS)
        request = Request.of(environ)
        response = verb(request)
        headers, body = dict(response.headers), response.body or b""
        if _may_compress(request, response):
            body = gzip.compress(body, 5, mtime=0)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        if response.status is not HTTPStatus.NOT_MODIFIED:
            headers["Content-Length"] = str(len(body))
        start_response(f"{response.status} {response.status.phrase}", list(headers.items()))
        return [] if request.method == "HEAD" or not body else [body]

    # What reads.

    def _options(self, request: Request) -> Response:
        headers = {"Allow": ", ".join(METHODS), "DAV": COMPLIANCE}
        return Response(HTTPStatus.OK, headers)

    def _get(self, request: Request) -> Response:
        conditions = Conditions.of(request.environ)
        path = request.path
        if path.collection is None:
            raise MethodNotAllowed(METHODS)
        with self._reading(request) as session:
            place = session.home.open(path.collection)
            if path.member is None:
                return _whole(Collection(session, place))
            row = objects.read(session.home, place, path.member)
        headers = {
            "ETag": row.etag,
            "Last-Modified": format_datetime(row.modified_at, usegmt=True),
        }
        if conditions.unchanged(row.etag):
            return Response(HTTPStatus.NOT_MODIFIED, headers)
        conditions.check(row.etag)
        headers["Content-Type"] = f"{content.FORMATS[place.tag]}; charset=utf-8"
        if place.tag == "VCALENDAR":
            headers["Content-Type"] += f"; component={row.component}"
        return Response(HTTPStatus.OK, headers, row.data)

    def _propfind(self, request: Request) -> Response:
        if request.environ.get("HTTP_DEPTH", "0").strip().lower() not in _DEPTHS:
            raise MalformedRequest(what="Depth header")
        info = {"request": request, "asked": propfind(request.xml(f"{DAV}propfind"))}
        with self._reading(request) as session:
            answer = self.do_PROPFIND(
                request.environ, request.prefix, str(request.path), request.actor.name, set(), info
            )
            if answer == httputils.NOT_FOUND:
                raise NotFound()
            if answer == httputils.NOT_ALLOWED:
                self._refuse(session, request.path)
        assert isinstance(answer[2], bytes)
        return Response(
            HTTPStatus.MULTI_STATUS, {"Content-Type": _XML, "DAV": COMPLIANCE}, answer[2]
        )

    def _refuse(self, session: Session, path: Path) -> None:
        """Say why Radicale, going by its letters, would not list this."""
        if path.collection is not None:
            session.home.open(path.collection)
        raise NotFound()

    def _report(self, request: Request) -> Response:
        root = request.xml()
        if root is None:
            raise MalformedRequest(what="XML body")
        with self._reading(request) as session:
            place = _place(session, request.path)
            if root.tag in _EMPTY_REPORTS:
                return _multistatus(ET.Element(f"{DAV}multistatus"))
            if place is None:
                raise UnsupportedReport()
            member = request.path.member
            if root.tag == _FREE_BUSY and member is None:
                text = reports.free_busy(Collection(session, place), root)
                headers = {"Content-Type": "text/calendar; charset=utf-8"}
                return Response(HTTPStatus.OK, headers, text.encode())
            if member is not None and objects.find(session.connection, place, member) is None:
                raise NotFound()
            collection = Collection(session, session.home.open(place.name))
            base = f"{request.prefix}/{collection.path}/"
            return _multistatus(reports.answer(collection, root, base, member))

    # What changes something.

    def _put(self, request: Request) -> Response:
        conditions = Conditions.of(request.environ)
        path = request.path
        if path.collection is None or path.member is None:
            # Radicale would replace a whole collection by what is sent.
            raise MethodNotAllowed(METHODS)
        with self._reading(request) as session:
            place = session.home.find(path.collection, NoCollection())
            _may_put(session, place, path.member)
        data = request.body()
        if len(data) > self._object_max:
            raise ObjectTooLarge(place.tag, maximum=self._object_max)
        # Before the transaction that writes, as others wait for that.
        parsed = content.read(data, place.tag)
        with self._writing(request) as session:
            place = session.home.find(path.collection, NoCollection())
            done = objects.put(session.act, session.home, place, path.member, parsed, conditions)
        status = HTTPStatus.CREATED if done.created else HTTPStatus.NO_CONTENT
        return Response(status, {"ETag": done.etag})

    def _delete(self, request: Request) -> Response:
        conditions = Conditions.of(request.environ)
        with self._writing(request) as session:
            home, path = session.home, request.path
            place = _place(session, path)
            if place is None:
                raise Kept(home.href())
            if path.member is not None:
                objects.delete(session.act, home, place, path.member, conditions)
            else:
                etag = Collection(session, place).etag
                collections.remove(session.act, home, place, conditions, etag)
        return Response(HTTPStatus.NO_CONTENT)

    def _move(self, request: Request) -> Response:
        conditions = Conditions.of(request.environ)
        destination = request.destination()
        overwrite = request.environ.get("HTTP_OVERWRITE", "T").strip().upper() != "F"
        path = request.path
        if path.collection is None or path.member is None:
            raise MethodNotAllowed(METHODS)
        assert destination.collection is not None and destination.member is not None
        with self._writing(request) as session:
            home = session.home
            source = home.find(path.collection)
            to = home.find(destination.collection, NoCollection())
            target = objects.Target(to, destination.member, overwrite)
            replaced = objects.move(session.act, home, source, path.member, target, conditions)
        return Response(HTTPStatus.NO_CONTENT if replaced else HTTPStatus.CREATED)

    def _make_collection(self, request: Request) -> Response:
        root = request.xml(f"{CALDAV}mkcalendar", f"{DAV}mkcol")
        name = request.path.collection
        if name is None:
            raise AlreadyMapped()
        if request.path.member is not None:
            raise NoPlaceForCollection()
        new = properties.new_collection(root, calendar=request.method == "MKCALENDAR")
        with self._writing(request) as session:
            collections.create_own(session.act, session.home, name, new)
        # RFC 4791, 5.3.1: it must not be cached.
        return Response(HTTPStatus.CREATED, {"Cache-Control": "no-cache"})

    def _proppatch(self, request: Request) -> Response:
        root = request.xml(f"{DAV}propertyupdate")
        changes = properties.changes(root)
        if not changes:
            raise MalformedRequest(what="XML body")
        path = request.path
        with self._writing(request) as session:
            place = _place(session, path)
            if place is not None and path.member is not None:
                objects.read(session.home, place, path.member)
            fixed = path.member is not None or place is None
            refused = {name for name in changes if fixed or properties.is_protected(name)}
            if not refused:
                assert place is not None
                views.patch(session.act, session.home, place, changes)
        href = ET.Element(f"{DAV}href")
        href.text = session.home.href(path.collection or "", path.member)
        return _multistatus(properties.patched(href, changes, refused))

    # What Radicale asks.

    def _read_xml_request_body(
        self, environ: Any, request_info: dict[str, Any]
    ) -> ET.Element | None:
        asked: ET.Element | None = request_info["asked"]
        return asked

    def _xml_response(self, xml_content: ET.Element, request_info: dict[str, Any]) -> bytes:
        asked: ET.Element | None = request_info["asked"]
        if asked is None or asked[0].tag != f"{DAV}propname":
            properties.amend(xml_content, current().home, request_info["request"].prefix)
        return _serialize(xml_content)

    def _reading(self, request: Request) -> AbstractContextManager[Session]:
        return self._sessions.reading(request.actor, request.prefix)

    def _writing(self, request: Request) -> AbstractContextManager[Session]:
        return self._sessions.writing(request.actor, request.prefix)


def _configuration(object_max: int) -> radicale.config.Configuration:
    """Radicale's configuration, of nothing but what stands here: no file, no environment."""
    configuration = radicale.config.load()
    storage = Storage(configuration)
    configuration.update(
        {
            # Never asked, as the front has authenticated; asked, it lets nobody in.
            "auth": {"type": BaseAuth, "delay": "0"},
            # Made here once: Radicale itself would make it twice.
            "storage": {"type": lambda _: storage},
            "rights": {"type": Rights},
            "sharing": {"type": "none"},
            "web": {"type": "none"},
            "server": {
                "delay_on_error": "0",
                "max_resource_size": str(object_max),
                # It caps the former at four fifths of this one, which the front sees to.
                "max_content_length": str(2 * object_max),
                "validate_path_value": "none",
                "validate_user_value": "none",
            },
        },
        "davserver",
        privileged=True,
    )
    return configuration


def _place(session: Session, path: Path) -> Place | None:
    """The collection of a path; None for the root and the home. Raises `NotFound`."""
    return None if path.collection is None else session.home.find(path.collection)


def _may_put(session: Session, place: Place, name: str) -> None:
    """Refuse before the body is read what the verb would refuse after."""
    former = objects.find(session.connection, place, name)
    privilege = Privilege.CREATE if former is None else Privilege.WRITE
    session.home.require(privilege, place, name)


def _whole(collection: Collection) -> Response:
    headers = {
        "Content-Type": f"{content.FORMATS[collection.place.tag]}; charset=utf-8",
        "Last-Modified": collection.last_modified,
    }
    return Response(HTTPStatus.OK, headers, collection.serialize().encode())


def _multistatus(element: ET.Element) -> Response:
    return Response(
        HTTPStatus.MULTI_STATUS,
        {"Content-Type": _XML, "DAV": COMPLIANCE},
        _serialize(element),
    )


def _serialize(element: ET.Element) -> bytes:
    out = io.BytesIO()
    ET.ElementTree(element).write(out, encoding="utf-8", xml_declaration=True)
    # Every XML parser makes a line feed of a plain carriage return (XML 1.0, 2.11).
    return out.getvalue().replace(b"\r", b"&#13;")


def _may_compress(request: Request, response: Response) -> bool:
    """Whether to compress: what is long, and has no strong ETag that says which bytes it is."""
    accepted = request.environ.get("HTTP_ACCEPT_ENCODING", "")
    return (
        response.body is not None
        and len(response.body) >= _GZIP_MIN
        and "ETag" not in response.headers
        and _GZIP.search(accepted) is not None
    )
