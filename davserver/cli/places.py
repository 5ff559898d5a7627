"""How a place in a space is written on the command line: SPACE, SPACE/FOLDER, or its address."""

from acl.errors import UnknownName
from acl.registry import Registry, Space
from davserver import paths

_ADDRESS = "/spaces/"


def split(text: str) -> tuple[str, str]:
    """The slug and the path of `conseil/Paie`, also written `/spaces/conseil/Paie`.

    Raises `MalformedPath`.
    """
    slug, _, path = paths.normalise(text.removeprefix(_ADDRESS)).partition("/")
    return slug, path


def joined(slug: str, path: str) -> str:
    """The place as it is written."""
    return f"{slug}/{path}" if path else slug


def space(registry: Registry, slug: str) -> Space:
    """The space `slug`. Raises `UnknownName`."""
    found = registry.spaces.get(slug)
    if found is None:
        raise UnknownName(kind="space", name=slug)
    return found
