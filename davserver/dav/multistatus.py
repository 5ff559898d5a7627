"""207 Multi-Status (RFC 4918, 13), written as text: an element tree of a listing would be large."""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from davserver.dav.body import clark

CONTENT_TYPE = "application/xml; charset=utf-8"
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">'
_TAIL = "</D:multistatus>"
_CHUNK = 64 * 1024

Propstat = tuple[str, Iterable[str], str]
"""A status line's end ("200 OK"), serialised properties, and a serialised error or ""."""


def element(name: str, content: str = "") -> str:
    """The element of the Clark name `name`; `content` is XML."""
    namespace, local = clark(name)
    if namespace == "DAV:":
        tag, declaration = f"D:{local}", ""
    elif namespace:
        # A prefix of its own: some clients know no default namespace.
        tag, declaration = f"p:{local}", f" xmlns:p={quoteattr(namespace)}"
    else:
        tag, declaration = local, ""
    if not content:
        return f"<{tag}{declaration}/>"
    return f"<{tag}{declaration}>{content}</{tag}>"


def response(href: str, propstats: Iterable[Propstat]) -> str:
    """One DAV:response; `href` is percent-encoded already."""
    parts = [f"<D:response><D:href>{escape(href)}</D:href>"]
    for status, properties, error in propstats:
        parts.append(f"<D:propstat><D:prop>{''.join(properties)}</D:prop>")
        parts.append(f"<D:status>HTTP/1.1 {status}</D:status>{error}</D:propstat>")
    parts.append("</D:response>")
    return "".join(parts)


def stream(responses: Iterable[str]) -> Iterator[bytes]:
    """The whole body, in pieces of a size that is worth sending."""
    buffer, size = [_HEAD], 0
    for text in responses:
        buffer.append(text)
        size += len(text)
        if size > _CHUNK:
            yield "".join(buffer).encode()
            buffer, size = [], 0
    buffer.append(_TAIL)
    yield "".join(buffer).encode()
