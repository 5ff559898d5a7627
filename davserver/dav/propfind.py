"""PROPFIND (RFC 4918, 9.1): one scan of the folder, one query for locks, one for properties."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from acl import spaces
from acl.actor import Actor
from acl.policy import privileges
from acl.privileges import Privilege
from config.errors import MalformedRequest
from davserver import paths
from davserver.dav import multistatus
from davserver.dav import properties as live
from davserver.dav.body import NAMES_MAX, Element, elements
from davserver.dav.headers import Depth
from davserver.dav.item import Item, Surroundings
from davserver.documents import locks, properties
from davserver.documents.documents import Documents
from davserver.documents.history import History
from davserver.documents.resource import Place, Resource
from davserver.documents.tables import LIVE
from davserver.documents.view import View
from davserver.errors import FiniteDepth, TooLarge

D = "{DAV:}"


class Mode(Enum):
    """The three things that a PROPFIND can ask for."""

    PROP = "prop"
    ALLPROP = "allprop"
    PROPNAME = "propname"


@dataclass(frozen=True)
class Asked:
    """What a PROPFIND asks for: with ALLPROP, `names` are those that are included as well."""

    mode: Mode
    names: tuple[str, ...] = ()

    def wants(self, names: Iterable[str]) -> bool:
        """Whether one of these live properties has to be computed."""
        return self.mode is Mode.PROPNAME or bool(set(names) & set(self.names))


def parse(root: Element | None) -> Asked:
    """What the body asks for; no body asks for all. Raises `MalformedRequest` or `TooLarge`."""
    if root is None:
        return Asked(Mode.ALLPROP)
    if root.tag != f"{D}propfind":
        raise MalformedRequest(what="XML body")
    found: dict[str, tuple[str, ...]] = {}
    for child in elements(root):
        tag = str(child.tag)
        if tag in found:
            raise MalformedRequest(what="XML body")
        found[tag] = tuple(dict.fromkeys(str(name.tag) for name in elements(child)))
    if any(len(names) > NAMES_MAX for names in found.values()):
        raise TooLarge()
    kinds = [mode for mode in Mode if f"{D}{mode.value}" in found]
    if len(kinds) != 1:
        raise MalformedRequest(what="XML body")
    mode = kinds[0]
    if mode is Mode.PROP:
        return Asked(mode, found[f"{D}prop"])
    return Asked(mode, found.get(f"{D}include", ()))


@dataclass(frozen=True)
class Target:
    """What a request is about: `/`, `/spaces/` or `/history/` (no slug), or what is in a space, or
    was (`past`)."""

    slug: str = ""
    path: str = ""
    root: bool = False
    past: bool = False


class Propfind:
    """Answers PROPFIND. `maximum` is how many resources `Depth: infinity` may list;
    `organisation` is the name that `/` shows."""

    def __init__(self, documents: Documents, maximum: int, organisation: str) -> None:
        self._documents = documents
        self._maximum = maximum
        self._organisation = organisation

    def answer(
        self,
        actor: Actor,
        target: Target,
        asked: Asked,
        depth: Depth,
        *,
        quota: bool,
        plain: bool = False,
    ) -> Iterator[bytes]:
        """The multistatus body, piece by piece.

        `quota`: whether this client may be told of quotas; `plain`: whether it has no colons in
        names. Everything is read before this returns, in one transaction; only the text is made
        later. Raises `NotFound` and `FiniteDepth`.
        """
        with self._documents.view(actor) as view:
            if target.past:
                listed, place = self._past(view, target, depth, plain), None
            elif target.slug:
                place = view.place(target.slug, target.path)
                resources = self._resources(view, view.get(place), depth)
                listed = [_item(resource) for resource in resources]
            else:
                listed, place = self._above(view, target.root, depth), None
            items = _with_dead_properties(view, listed, place, depth)
            around = _surroundings(view, items, asked, place, depth, quota)
        render = renderer(asked)
        return multistatus.stream(render(item, around) for item in items)

    def _resources(self, view: View, resource: Resource, depth: Depth) -> list[Resource]:
        found, pending = [resource], [resource]
        while pending and depth != "0":
            collection = pending.pop()
            if not collection.is_collection:
                continue
            for member in view.members(collection):
                found.append(member)
                if depth == "infinity":
                    pending.append(member)
                    if len(found) > self._maximum:
                        raise FiniteDepth()
        return found

    def _above(self, view: View, root: bool, depth: Depth) -> list[Item]:
        """`/` and `/spaces/`, with the spaces that the actor may know of."""
        modified = view.store.changed()
        listed = [Item("/", self._organisation, True, modified)] if root else []
        if not root or depth != "0":
            listed.append(Item(f"/{paths.SPACES}/", paths.SPACES, True, modified))
        if root and depth == "1":
            # Who asks for all that there is does not mean all that there ever was.
            listed.append(Item(f"/{paths.HISTORY}/", paths.HISTORY, True, modified, past=True))
        if (not root and depth == "1") or depth == "infinity":
            for space in view.spaces():
                resource = view.find(Place(space, ""))
                if resource is not None:
                    found = self._resources(view, resource, "infinity" if depth != "1" else "0")
                    listed += [_item(one) for one in found]
                    if depth == "infinity" and len(listed) > self._maximum:
                        raise FiniteDepth()
        return listed

    def _past(self, view: View, target: Target, depth: Depth, plain: bool) -> list[Item]:
        """`/history/` with the spaces that the actor may know of, or what is in it."""
        if depth == "infinity":
            raise FiniteDepth()
        if not target.slug:
            modified = view.store.changed()
            itself = Item(f"/{paths.HISTORY}/", paths.HISTORY, True, modified, past=True)
            spaces_ = view.spaces() if depth == "1" else []
            return [itself] + [
                Item(_past_href(space.slug, ""), space.title, True, view.now, past=True)
                for space in spaces_
            ]
        space = view.place(target.slug, "").space
        history = History(view, space, self._documents.zone, plain)
        exhibit = history.get(target.path)
        shown = [exhibit]
        if depth == "1" and exhibit.is_collection:
            shown += history.members(exhibit)
        return [
            Item(
                _past_href(space.slug, one.path, collection=one.is_collection),
                one.name or space.title,
                one.is_collection,
                one.modified,
                one.resource,
                past=True,
            )
            for one in shown
        ]


def _past_href(slug: str, path: str, *, collection: bool = True) -> str:
    return paths.href(paths.HISTORY, slug, path, collection=collection)


def _item(resource: Resource) -> Item:
    place = resource.place
    name = place.name if place.path else place.space.title
    return Item(resource.href, name, resource.is_collection, resource.modified, resource)


def _with_dead_properties(
    view: View, items: Sequence[Item], place: Place | None, depth: Depth
) -> list[Item]:
    if place is None:
        return list(items)
    if depth == "0":
        found = {place.path: dict(properties.of(view.connection, place))}
    else:
        live_place = Place(place.space, place.path)
        found = properties.of_members(view.connection, live_place, deep=depth == "infinity")
    if not any(found.values()):
        return list(items)
    return [replace(item, dead=_dead(item, found, place)) for item in items]


def _dead(item: Item, found: dict[str, dict[str, str]], place: Place) -> dict[str, str]:
    assert item.resource is not None
    its = item.resource.place
    # Clutter shown in a folder has properties of its own, which nobody asks for in a listing.
    return found.get(its.path, {}) if its.tree == place.tree else {}


def _surroundings(
    view: View,
    items: Sequence[Item],
    asked: Asked,
    place: Place | None,
    depth: Depth,
    quota: bool,
) -> Surroundings:
    found = []
    if place is not None and (asked.mode is not Mode.PROP or asked.wants({f"{D}lockdiscovery"})):
        found = locks.around(view.connection, place, view.now, below=depth != "0")
    usage = {}
    if quota and asked.wants(live.QUOTA):
        ids = {item.space.id for item in items if item.space is not None}
        usage = spaces.usage(view.connection, ids)
    held = _privileges(view, items) if asked.wants({live.PRIVILEGES}) else {}
    return Surroundings(view.account, found, usage, held)


def _privileges(view: View, items: Sequence[Item]) -> dict[str, frozenset[Privilege]]:
    """What the actor may do with each item, by its href."""
    held = {}
    for item in items:
        if item.resource is not None and not item.past:
            place = item.resource.place
            if place.tree == LIVE:
                held[item.href] = privileges(view.actor, place.space, place.path) | {Privilege.READ}
    return held


def renderer(asked: Asked) -> Callable[[Item, Surroundings], str]:
    """What writes the DAV:response of one item."""
    if asked.mode is Mode.PROPNAME:
        return _names
    names = asked.names
    if asked.mode is Mode.ALLPROP:
        names = tuple(dict.fromkeys([*live.IN_ALLPROP, *asked.names]))

    def render(item: Item, around: Surroundings) -> str:
        found, missing = [], []
        for name in names:
            content = _value(name, item, around)
            if content is not None:
                found.append(content)
            elif name not in live.IN_ALLPROP or asked.mode is Mode.PROP:
                missing.append(multistatus.element(name))
        if asked.mode is Mode.ALLPROP:
            found += [value for name, value in item.dead.items() if name not in names]
        return multistatus.response(item.href, _propstats(found, missing))

    return render


def _propstats(found: list[str], missing: list[str]) -> Iterator[multistatus.Propstat]:
    # A response has at least one propstat, even an empty one: an empty prop was asked for.
    if found or not missing:
        yield "200 OK", found, ""
    if missing:
        yield "404 Not Found", missing, ""


def _value(name: str, item: Item, around: Surroundings) -> str | None:
    """The whole element of one property; None if the item has none of that name."""
    dead = item.dead.get(name)
    if dead is not None:
        return dead
    compute = live.LIVE.get(name)
    content = compute(item, around) if compute else None
    return None if content is None else multistatus.element(name, content)


def _names(item: Item, around: Surroundings) -> str:
    names = [name for name, compute in live.LIVE.items() if compute(item, around) is not None]
    elements_ = [multistatus.element(name) for name in dict.fromkeys([*names, *item.dead])]
    return multistatus.response(item.href, [("200 OK", elements_, "")])
