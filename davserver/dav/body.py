"""XML request bodies (RFC 4918, 8.2), without entities, without the network."""

from collections.abc import Mapping
from typing import Any

from lxml import etree

from config.errors import MalformedRequest
from davserver.errors import UnsupportedBody

Element = etree._Element

NAMES_MAX = 1000
"""How many properties a request may name: each costs, for each resource of a listing."""


def parse(environ: Mapping[str, Any]) -> Element | None:
    """The root element of the body, None if there is no body. Raises `MalformedRequest`.

    The body has been taken in whole and is of a bounded size.
    """
    data = environ["wsgi.input"].read()
    if not data.strip():
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise MalformedRequest(what="XML body") from None
    # Whoever declares a document type wants entities.
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr]  # the stubs lack it
        raise MalformedRequest(what="XML body")
    return root


def refuse(environ: Mapping[str, Any]) -> None:
    """Raise `UnsupportedBody` if there is a body, which the method does not have."""
    if environ["wsgi.input"].read(1):
        raise UnsupportedBody()


def elements(parent: Element) -> list[Element]:
    """The child elements, without comments and processing instructions."""
    return [child for child in parent if isinstance(child.tag, str)]


def clark(name: str) -> tuple[str, str]:
    """The namespace, "" for none, and the local name of a Clark name."""
    if name.startswith("{"):
        namespace, _, local = name[1:].partition("}")
        return namespace, local
    return "", name


def serialise(element: Element) -> str:
    """The element as text that stands on its own, with the language in force (RFC 4918, 4.3)."""
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    for around in (element, *element.iterancestors()):
        if language in around.attrib:
            element.set(language, around.attrib[language])
            break
    return etree.tostring(element, encoding="unicode", with_tail=False)
