"""Filters of calendar-query (RFC 4791, 9.7) and addressbook-query (RFC 6352, 10.5).

Radicale evaluates them; here they are checked first, so that what it raises later is about an
object and not about the request.
"""

import copy
import xml.etree.ElementTree as ET

from radicale.item.filter import parse_time_range

from calendars.errors import CALDAV, CARDDAV, InvalidFilter, Tag

_CALENDAR = {
    "filter": {"comp-filter"},
    "comp-filter": {"comp-filter", "prop-filter", "time-range", "is-not-defined"},
    "prop-filter": {"param-filter", "text-match", "time-range", "is-not-defined"},
    "param-filter": {"text-match", "is-not-defined"},
}
_ADDRESS = {
    "filter": {"prop-filter"},
    "prop-filter": {"param-filter", "text-match", "is-not-defined"},
    "param-filter": {"text-match", "is-not-defined"},
}
_MATCH_TYPES = frozenset({"equals", "contains", "starts-with", "ends-with"})
_TESTS = frozenset({"anyof", "allof"})


def of(root: ET.Element, tag: Tag) -> list[ET.Element]:
    """The filters of a query on a collection of the type `tag`. Raises `InvalidFilter`."""
    namespace, grammar = (CALDAV, _CALENDAR) if tag == "VCALENDAR" else (CARDDAV, _ADDRESS)
    found = root.findall(f"{namespace}filter")
    for element in found:
        if tag == "VCALENDAR" and len(element) > 1:
            raise InvalidFilter(tag)
        _check(element, tag, namespace, grammar)
    return found


def without_time_range(filters: list[ET.Element]) -> list[ET.Element]:
    """The same, but for the time ranges of components: with expand, they ask of occurrences."""
    copies = copy.deepcopy(filters)
    for element in copies:
        for component in element.iter(f"{CALDAV}comp-filter"):
            for time_range in component.findall(f"{CALDAV}time-range"):
                component.remove(time_range)
    return copies


def _check(
    element: ET.Element, tag: Tag, namespace: str, grammar: dict[str, set[str]], level: int = 0
) -> None:
    allowed = grammar.get(element.tag.removeprefix(namespace), set())
    if allowed and level and not element.get("name"):
        raise InvalidFilter(tag)
    if element.get("match-type", "contains") not in _MATCH_TYPES:
        raise InvalidFilter(tag)
    if element.get("test", "anyof") not in _TESTS:
        raise InvalidFilter(tag)
    if element.tag == f"{CALDAV}time-range":
        _check_time_range(element)
    for child in element:
        if child.tag not in {namespace + name for name in allowed}:
            raise InvalidFilter(tag)
        _check(child, tag, namespace, grammar, level + 1)


def _check_time_range(element: ET.Element) -> None:
    if not (element.get("start") or element.get("end")):
        raise InvalidFilter("VCALENDAR")
    try:
        parse_time_range(element)
    except ValueError:
        raise InvalidFilter("VCALENDAR") from None
