"""The one place where an error becomes a reply."""

import logging
from http import HTTPStatus
from xml.sax.saxutils import escape

from acl.errors import NeedPrivileges
from acl.privileges import Privilege
from config.errors import DavserverError
from config.language import best
from davserver.dav.body import clark
from davserver.http.wsgi import Application, Body, Environ, StartResponse

_log = logging.getLogger("davserver")

_NO_BODY = frozenset({HTTPStatus.NOT_MODIFIED, HTTPStatus.NO_CONTENT})
_PRIVILEGES = {
    Privilege.READ: "read",
    Privilege.CREATE: "bind",
    Privilege.WRITE: "write",
    Privilege.DELETE: "unbind",
    Privilege.MANAGE: "unlock",
}


class Unexpected(DavserverError):
    """An error that nobody foresaw: a fault of the program. Its traceback is in the log."""


class Replies:
    """Answers for what `app` raises. `language` is that of clients which name none."""

    def __init__(self, app: Application, language: str) -> None:
        self._app = app
        self._language = language

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        try:
            return self._app(environ, start_response)
        except DavserverError as error:
            return self._reply(error, environ, start_response)
        except Exception:
            # The last resort: whatever happens, the client gets an answer and we a traceback.
            _log.exception("unexpected error in request %s", environ.get("davserver.request"))
            return self._reply(Unexpected(), environ, start_response)

    def _reply(
        self, error: DavserverError, environ: Environ, start_response: StartResponse
    ) -> Body:
        language = best(environ.get("HTTP_ACCEPT_LANGUAGE"), self._language)
        sentence = error.render(language)
        if error.precondition is None:
            kind, text = "text/plain; charset=utf-8", f"{sentence}\n"
        else:
            kind, text = "application/xml; charset=utf-8", precondition(error, sentence)
        body = b"" if error.status in _NO_BODY else text.encode()
        # WSGI wants Latin-1, in which the name of a town hall cannot always be written.
        headers = [(name, value.encode().decode("latin-1")) for name, value in error.headers]
        if body:
            headers += [("Content-Type", kind), ("Content-Language", language)]
        if error.status not in _NO_BODY:
            headers.append(("Content-Length", str(len(body))))
        start_response(f"{error.status.value} {error.status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def precondition(error: DavserverError, sentence: str) -> str:
    """The DAV:error body of an error that an RFC names (RFC 4918, 16)."""
    assert error.precondition is not None
    namespace, local = clark(error.precondition)
    if isinstance(error, NeedPrivileges):
        privilege = _PRIVILEGES[Privilege(error.privilege)]
        content = (
            f"<D:resource><D:href>{escape(error.href)}</D:href>"
            f"<D:privilege><D:{privilege}/></D:privilege></D:resource>"
        )
    else:
        content = "".join(f"<D:href>{escape(href)}</D:href>" for href in error.hrefs)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<D:error xmlns:D="DAV:" xmlns:p="{escape(namespace)}">'
        f"<p:{local}>{content}</p:{local}>"
        f'<m:message xmlns:m="urn:davserver:error">{escape(sentence)}</m:message>'
        "</D:error>\n"
    )
