"""The request server: one method a request, in place of WsgiDAV's own but for GET and HEAD.

WsgiDAV dispatches, and sends documents with their ranges. Everything that looks for a resource,
asks for a right, or changes something is a verb of `davserver.documents`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from wsgidav.request_server import RequestServer as WsgiDavRequestServer

from acl.actor import ENVIRON, Actor
from acl.errors import NotFound
from config.errors import DavserverError, MalformedRequest, MethodNotAllowed
from davserver import paths
from davserver.dav import body, headers, multistatus, propfind, proppatch
from davserver.dav import properties as live
from davserver.dav.propfind import Propfind, Target
from davserver.dav.provider import DOCUMENT, Document, Provider
from davserver.documents import annotate, copy, folder, locking, move, restore, trash
from davserver.documents import put as putting
from davserver.documents.change import Change
from davserver.documents.conditions import Conditions, State
from davserver.documents.documents import Documents
from davserver.documents.history import History
from davserver.documents.locking import Wanted
from davserver.documents.locks import Lock
from davserver.documents.resource import Resource
from davserver.documents.restore import Restoration
from davserver.documents.view import View
from davserver.errors import METHODS, Forbidden, ReadOnlyHistory

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Body = Iterable[bytes]

PATH = "davserver.path"
"""The environ key of the address's path as text, decoded but not yet normalised."""

_ABOVE = ("OPTIONS", "GET", "HEAD", "PROPFIND")
_OUT_OF_HISTORY = ("COPY", "MOVE")
COMPLIANCE = (("DAV", "1, 2, 3"), ("MS-Author-Via", "DAV"))
"""What OPTIONS says of us (RFC 4918, 18): the same for everybody and everywhere, so that it
can be said before anyone logs in, as Office and Explorer want."""


class RequestServer(WsgiDavRequestServer):
    """Serves one request after another; shared by all threads."""

    def __init__(self, provider: Provider, documents: Documents, listings: Propfind) -> None:
        super().__init__(provider)
        self._possible_methods = list(METHODS)
        self._documents = documents
        self._listings = listings

    def do_OPTIONS(self, environ: Environ, start_response: StartResponse) -> Body:
        if paths.in_history(environ[PATH]) is not None:
            # Class 2 would be locks: Finder mounts what has none as read-only.
            allowed = ("Allow", ", ".join((*_ABOVE, *_OUT_OF_HISTORY)))
            return _reply(start_response, "200 OK", [("DAV", "1, 3"), allowed])
        return _reply(start_response, "200 OK", [*COMPLIANCE, ("Allow", ", ".join(METHODS))])

    # Reading

    def do_GET(self, environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        return self._send(environ, start_response, head=False)

    def do_HEAD(self, environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        return self._send(environ, start_response, head=True)

    def _send(
        self, environ: Environ, start_response: StartResponse, *, head: bool
    ) -> Iterator[bytes]:
        body.refuse(environ)
        conditions = headers.conditions(environ)
        if head or not headers.has_range(environ):
            # WsgiDAV makes something of any Range header, and of every method's.
            environ.pop("HTTP_RANGE", None)
        target = _target(environ)
        document = self._open(environ, target, conditions) if target.slug else None
        if document is None:
            yield from self._list_names(environ, start_response, target, head)
            return
        # Of a document there is only depth 0, whatever the client says.
        environ.update({DOCUMENT: document, "HTTP_DEPTH": "0"})
        try:
            yield from self._send_resource(environ, start_response, is_head_method=head)
        finally:
            document.close()

    def _open(self, environ: Environ, target: Target, conditions: Conditions) -> Document | None:
        """Open the document at `target`, None for a folder; the conditions are of what it is
        when it is open."""
        with self._documents.view(environ[ENVIRON]) as view:
            if target.past:
                resource, state = self._history(view, target).get(target.path).resource, State()
            else:
                place = view.place(target.slug, target.path)
                resource = view.get(place)
                state = view.state(place) if conditions.are_there else State()
            if resource is None or resource.is_collection:
                conditions.check(state, view.state_of, reading=True)
                return None
            document = Document(environ["PATH_INFO"], environ, resource)
            if conditions.are_there:
                try:
                    own = document.resource
                    state = replace(state, etag=own.etag, modified=own.modified)
                    conditions.check(state, view.state_of, reading=True)
                except DavserverError:
                    document.close()
                    raise
        return document

    def _history(self, view: View, target: Target) -> History:
        return History(view, view.place(target.slug, "").space, self._documents.zone)

    def _evaluate_if_headers(self, res: object, environ: Environ) -> None:
        """Done already, inside the transaction that found the resource."""

    def _list_names(
        self, environ: Environ, start_response: StartResponse, target: Target, head: bool
    ) -> Body:
        """A folder as text, a name a line: what a person sees who opens it with no DAV client."""
        with self._documents.view(environ[ENVIRON]) as view:
            if target.root:
                names = [f"{paths.SPACES}/", f"{paths.HISTORY}/"]
            elif target.slug and target.past:
                history = self._history(view, target)
                shown = history.members(history.get(target.path))
                names = [one.name + "/" * one.is_collection for one in shown]
            elif not target.slug:
                names = [f"{space.slug}/" for space in view.spaces()]
            else:
                resource = view.get(view.place(target.slug, target.path))
                names = [
                    member.place.name + "/" * member.is_collection
                    for member in view.members(resource)
                ]
        text = "".join(f"{name}\n" for name in sorted(names)).encode()
        described = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        return _reply(start_response, "200 OK", described, text, head=head)

    def do_PROPFIND(self, environ: Environ, start_response: StartResponse) -> Body:
        depth = headers.depth(environ, "infinity", "0", "1", "infinity")
        asked = propfind.parse(body.parse(environ))
        # macOS since 15.4 hangs for 90 seconds when it is told of quotas while mounting.
        agent = environ.get("HTTP_USER_AGENT", "")
        answer = self._listings.answer(
            environ[ENVIRON],
            _target(environ),
            asked,
            depth,
            quota=not agent.startswith("WebDAVFS/"),
            plain=agent.startswith("Microsoft-WebDAV-MiniRedir"),
        )
        return _stream(start_response, answer)

    # Writing

    def do_PUT(self, environ: Environ, start_response: StartResponse) -> Body:
        slug, path = _in_space(environ)
        announced = headers.announced(environ)
        published = putting.put(
            self._documents,
            environ[ENVIRON],
            slug,
            path,
            environ["wsgi.input"].read,
            announced,
            headers.conditions(environ),
        )
        described = [
            ("ETag", published.resource.etag),
            ("Last-Modified", headers.http_date(published.resource.modified)),
        ]
        if announced.modified is not None:
            described.append(("X-OC-Mtime", "accepted"))
        return _reply(start_response, _created(published.created), described)

    def do_MKCOL(self, environ: Environ, start_response: StartResponse) -> Body:
        body.refuse(environ)
        slug, path = _in_space(environ)
        conditions = headers.conditions(environ)
        with self._change(environ, slug) as change:
            place = change.place(slug, "") if not path else change.destination(slug, path)
            folder.create(change, place, conditions)
        return _reply(start_response, "201 Created")

    def do_DELETE(self, environ: Environ, start_response: StartResponse) -> Body:
        body.refuse(environ)
        slug, path = _in_space(environ)
        conditions = headers.conditions(environ)
        with self._change(environ, slug) as change:
            place = change.place(slug, path)
            _check_whole(environ, change.get(place))
            trash.delete(change, place, conditions)
        return _reply(start_response, "204 No Content")

    def do_MOVE(self, environ: Environ, start_response: StartResponse) -> Body:
        body.refuse(environ)
        if paths.in_history(environ[PATH]) is not None:
            return self._restore(environ, start_response, moving=True)
        source, target = _in_space(environ), _destination(environ)
        overwrite, conditions = headers.overwrite(environ), headers.conditions(environ)
        with self._change(environ, source[0], target[0]) as change:
            origin = change.place(*source)
            _check_whole(environ, change.get(origin))
            created = move.move(
                change,
                origin,
                change.destination(*target),
                overwrite=overwrite,
                conditions=conditions,
            )
        return _moved(start_response, target, created)

    def do_COPY(self, environ: Environ, start_response: StartResponse) -> Body:
        body.refuse(environ)
        if paths.in_history(environ[PATH]) is not None:
            return self._restore(environ, start_response, moving=False)
        depth = headers.depth(environ, "infinity", "0", "infinity")
        source, target = _in_space(environ), _destination(environ)
        created = copy.copy(
            self._documents,
            environ[ENVIRON],
            source,
            target,
            deep=depth == "infinity",
            overwrite=headers.overwrite(environ),
            conditions=headers.conditions(environ),
        )
        return _moved(start_response, target, created)

    def _restore(self, environ: Environ, start_response: StartResponse, *, moving: bool) -> Body:
        slug, path = paths.in_history(environ[PATH]) or ("", "")
        if not path:
            raise Forbidden()
        depth = headers.depth(environ, "infinity", "0", "infinity")
        target = _destination(environ)
        wanted = Restoration(
            slug,
            path,
            target,
            deep=depth == "infinity",
            overwrite=headers.overwrite(environ),
            moving=moving,
        )
        conditions = headers.conditions(environ)
        created = restore.restore(self._documents, environ[ENVIRON], wanted, conditions)
        return _moved(start_response, target, created)

    def do_PROPPATCH(self, environ: Environ, start_response: StartResponse) -> Body:
        slug, path = _in_space(environ)
        instructions = proppatch.parse(body.parse(environ))
        conditions = headers.conditions(environ)
        with self._change(environ, slug) as change:
            place = change.place(slug, path)
            if instructions.refused:
                resource = change.get(place)
                change.annotatable(resource)
            else:
                resource = annotate.annotate(
                    change, place, instructions.updates, instructions.modified, conditions
                )
        answer = multistatus.stream([proppatch.reply(resource.href, instructions)])
        return _stream(start_response, answer)

    # Locks

    def do_LOCK(self, environ: Environ, start_response: StartResponse) -> Body:
        slug, path = _in_space(environ)
        depth = headers.depth(environ, "infinity", "0", "infinity")
        seconds = headers.timeout(environ, self._documents.limits.lock_seconds)
        conditions = headers.conditions(environ)
        info = body.parse(environ)
        with self._change(environ, slug) as change:
            place = change.place(slug, path)
            if info is None:
                held, _ = locking.refresh(change, place, seconds, conditions)
                answered = held, False
            else:
                wanted = _wanted(info, depth == "infinity", seconds)
                lock, _, created = locking.acquire(change, place, wanted, conditions)
                answered = [lock], created
        return _locked(start_response, slug, *answered, new=info is not None)

    def do_UNLOCK(self, environ: Environ, start_response: StartResponse) -> Body:
        body.refuse(environ)
        slug, path = _in_space(environ)
        token = headers.lock_token(environ)
        with self._change(environ, slug) as change:
            locking.release(change, change.place(slug, path), token)
        return _reply(start_response, "204 No Content")

    @contextmanager
    def _change(self, environ: Environ, *slugs: str) -> Iterator[Change]:
        actor: Actor = environ[ENVIRON]
        with self._documents.change(actor, slugs) as change:
            yield change


def _target(environ: Environ) -> Target:
    """What the request's address means. Raises `NotFound` for what is nobody's."""
    first, *rest = paths.segments(environ[PATH]) or ("",)
    if not first:
        return Target(root=True)
    past = first == paths.HISTORY
    if first != paths.SPACES and not past:
        raise NotFound()
    return Target(rest[0], "/".join(rest[1:]), past=past) if rest else Target(past=past)


def _in_space(environ: Environ) -> tuple[str, str]:
    """The slug and path of the request's address.

    Raises `ReadOnlyHistory` for what was, and `MethodNotAllowed` above spaces.
    """
    if paths.in_history(environ[PATH]) is not None:
        raise ReadOnlyHistory()
    try:
        return paths.in_space(environ[PATH])
    except LookupError:
        raise MethodNotAllowed(_ABOVE) from None


def _destination(environ: Environ) -> tuple[str, str]:
    try:
        return paths.in_space(headers.destination(environ))
    except LookupError:
        raise Forbidden() from None


def _check_whole(environ: Environ, resource: Resource) -> None:
    """A folder is moved and deleted as a whole (RFC 4918, 9.6.1 and 9.9.2)."""
    depth = headers.depth(environ, "infinity", "0", "infinity")
    if resource.is_collection and depth != "infinity":
        raise MalformedRequest(what="Depth header")


def _wanted(info: body.Element, infinite: bool, seconds: int) -> Wanted:
    """The lock that a DAV:lockinfo asks for (RFC 4918, 14.11). Raises `MalformedRequest`."""
    asked = {str(child.tag): child for child in body.elements(info)}
    scope, kind = (
        [str(child.tag) for child in body.elements(asked[name])] if name in asked else []
        for name in ("{DAV:}lockscope", "{DAV:}locktype")
    )
    exclusive = scope == ["{DAV:}exclusive"]
    if info.tag != "{DAV:}lockinfo" or kind != ["{DAV:}write"]:
        raise MalformedRequest(what="XML body")
    if not exclusive and scope != ["{DAV:}shared"]:
        raise MalformedRequest(what="XML body")
    owner = asked.get("{DAV:}owner")
    return Wanted(infinite, exclusive, "" if owner is None else body.serialise(owner), seconds)


def _locked(
    start_response: StartResponse, slug: str, held: list[Lock], created: bool, *, new: bool
) -> Body:
    content = live.lockdiscovery(held, slug)
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n<D:prop xmlns:D="DAV:">'
        f"<D:lockdiscovery>{content}</D:lockdiscovery></D:prop>"
    )
    described = [("Content-Type", multistatus.CONTENT_TYPE)]
    if new:
        described.append(("Lock-Token", f"<{held[0].token}>"))
    return _reply(start_response, "201 Created" if created else "200 OK", described, text.encode())


def _created(created: bool) -> str:
    return "201 Created" if created else "204 No Content"


def _moved(start_response: StartResponse, target: tuple[str, str], created: bool) -> Body:
    location = [("Location", paths.href(paths.SPACES, *target))] if created else []
    return _reply(start_response, _created(created), location)


def _reply(
    start_response: StartResponse,
    status: str,
    described: Iterable[tuple[str, str]] = (),
    content: bytes = b"",
    *,
    head: bool = False,
) -> Body:
    length = [] if status.startswith("204") else [("Content-Length", str(len(content)))]
    start_response(status, [*described, *length])
    return [] if head else [content]


def _stream(start_response: StartResponse, answer: Iterator[bytes]) -> Body:
    start_response("207 Multi-Status", [("Content-Type", multistatus.CONTENT_TYPE)])
    return answer
