"""Many events, tasks or contacts in one file, and each of them by itself.

Lines are carried over as they are, not parsed and written anew: what a client has put into an
entry is still there afterwards, whether anybody else understands it or not.
"""

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

from icalendar.parser import Contentline

_PRODID = "-//davserver//davserver//EN"
_LINES = re.compile(r"\r\n|\n|\r")
_EDGE = re.compile(r"(BEGIN|END):\s*([A-Za-z0-9-]+)\s*", re.IGNORECASE)
# The name and the parameters of a content line, up to its value (RFC 5545, 3.1).
_HEAD = re.compile(r'(?:[^":]|"[^"]*")*')
_ZONE = re.compile(r'(?<=;TZID=)("[^"]*"|[^;:",]*)', re.IGNORECASE)
# The same content is to get the same UID whenever it comes.
_NAMESPACE = uuid.UUID("6f1ff3de-8d0e-4e2b-9a8e-5c3cf2d1a7b4")


class Unbalanced(ValueError):
    """A text in which what begins does not end: it is cut short, or something else."""


@dataclass(frozen=True)
class Component:
    """One component in its lines, from BEGIN to END, as they were folded."""

    name: str
    lines: tuple[str, ...]

    def value(self, name: str) -> str:
        """The value of the property `name` of the component itself; "" if it has none."""
        depth = 0
        for line, _ in self._unfolded():
            head = _head(line)
            key = head.partition(";")[0].upper()
            depth += {"BEGIN": 1, "END": -1}.get(key, 0)
            # A contact's properties may be in groups: item1.EMAIL.
            if depth == 1 and key.rpartition(".")[2] == name:
                return line[len(head) + 1 :].strip()
        return ""

    def zones(self) -> set[str]:
        """The names of the time zones that its times are in."""
        lines = (line for line, _ in self._unfolded())
        return {found.strip('"') for line in lines for found in _ZONE.findall(_head(line))}

    def with_zones(self, names: Mapping[str, str]) -> "Component":
        """The same with the time zones called by other names."""
        lines: list[str] = []
        for line, folded in self._unfolded():
            renamed = self._rename(line, names)
            lines += folded if renamed == line else _LINES.split(_fold(renamed))
        return Component(self.name, tuple(lines))

    def _rename(self, line: str, names: Mapping[str, str]) -> str:
        head = _head(line)
        if self.name == "VTIMEZONE" and head.upper() == "TZID":
            value = line[len(head) + 1 :].strip()
            return f"{head}:{names.get(value, value)}"

        def called(found: re.Match[str]) -> str:
            quote = '"' if found[1].startswith('"') else ""
            name = found[1].strip('"')
            return f"{quote}{names.get(name, name)}{quote}"

        return _ZONE.sub(called, head) + line[len(head) :]

    def with_uid(self) -> "Component":
        """The same with a UID, made from its content if it has none."""
        if self.value("UID"):
            return self
        made = uuid.uuid5(_NAMESPACE, "\n".join(self.lines))
        return Component(self.name, (self.lines[0], f"UID:{made}", *self.lines[1:]))

    def _unfolded(self) -> Iterator[tuple[str, list[str]]]:
        """Each content line, and the lines that it was folded into."""
        folded: list[str] = []
        for line in self.lines:
            if line[:1] in (" ", "\t"):
                folded.append(line)
                continue
            if folded:
                yield _unfold(folded), folded
            folded = [line]
        yield _unfold(folded), folded


def _unfold(folded: list[str]) -> str:
    return folded[0] + "".join(line[1:] for line in folded[1:])


def _fold(line: str) -> str:
    return Contentline(line).to_ical().decode()  # type: ignore[no-untyped-call, no-any-return]


def _head(line: str) -> str:
    match = _HEAD.match(line)
    return match[0] if match else ""


def components(text: str) -> Iterator[Component]:
    """The components of calendars (VEVENT, VTIMEZONE…), or the contacts, in `text`.

    Raises `Unbalanced`.
    """
    around: list[str] = []
    lines: list[str] = []
    for line in _LINES.split(text):
        edge = _EDGE.fullmatch(line)
        if edge and edge[1].upper() == "BEGIN":
            around.append(edge[2].upper())
        depth = len(around) - (around[:1] == ["VCALENDAR"])
        if depth > 0 and line:
            lines.append(line)
        if edge and edge[1].upper() == "END":
            if not around or around[-1] != edge[2].upper():
                raise Unbalanced
            name = around.pop()
            if depth == 1:
                yield Component(name, tuple(lines))
                lines = []
    if around:
        raise Unbalanced


def sound(text: str) -> str:
    """The same entry in lines as the RFCs want them. Raises `Unbalanced`."""
    for _ in components(text):
        continue
    return _text(line for line in _LINES.split(text) if line)


@dataclass(frozen=True)
class Entry:
    """One event, task or contact as a text of its own, and what people know it by."""

    component: str
    title: str
    text: str


def apart(text: str) -> Iterator[Entry]:
    """The entries of a file: each with its exceptions, and the time zones it needs.

    What has no UID is given one. Raises `Unbalanced`.
    """
    zones: dict[str, Component] = {}
    parts: dict[tuple[str, str], list[Component]] = {}
    for component in components(text):
        if component.name == "VTIMEZONE":
            zones.setdefault(component.value("TZID"), component)
        else:
            component = component.with_uid()
            parts.setdefault((component.name, component.value("UID")), []).append(component)
    for (name, _), same in parts.items():
        if name == "VCARD":
            # A second one of the same UID is another contact.
            yield from (Entry(name, _title(card), _text(card.lines)) for card in same)
        else:
            around = _needed(zones, same)
            yield Entry(name, _title(same[0]), _calendar([*around, *same]))


def _title(component: Component) -> str:
    names = ("SUMMARY", "FN", "UID")
    return next(filter(None, (component.value(name) for name in names)), "")


def _needed(zones: Mapping[str, Component], inside: Iterable[Component]) -> list[Component]:
    """Those of the zones that the times in `inside` are in."""
    names = set[str]().union(*(component.zones() for component in inside))
    return [zone for tzid, zone in zones.items() if tzid in names]


def together(calendars: Iterable[str]) -> str:
    """One calendar with all that is in these, each time zone once. Raises `Unbalanced`.

    Two zones that have one name and are not the same get two, but for names that all the world
    means the same by.
    """
    zones: dict[str, Component] = {}
    inside: list[Component] = []
    for text in calendars:
        own: dict[str, Component] = {}
        others: list[Component] = []
        for component in components(text):
            if component.name == "VTIMEZONE":
                own.setdefault(component.value("TZID"), component)
            else:
                others.append(component)
        names = {}
        for zone in _needed(own, others):
            tzid = zone.value("TZID")
            name = _add(zones, tzid, zone)
            if name != tzid:
                names[tzid] = name
        inside += [component.with_zones(names) if names else component for component in others]
    return _calendar([*zones.values(), *inside])


def _add(zones: dict[str, Component], tzid: str, zone: Component) -> str:
    """Add a zone unless it is there; return the name that it has."""
    if tzid in _of_the_world():
        zones.setdefault(tzid, zone)
        return tzid
    name, added, number = tzid, zone, 1
    while zones.setdefault(name, added) != added:
        number += 1
        name = f"{tzid} ({number})"
        added = zone.with_zones({tzid: name})
    return name


@cache
def _of_the_world() -> set[str]:
    return available_timezones()


def _calendar(inside: Iterable[Component]) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{_PRODID}"]
    lines += [line for component in inside for line in component.lines]
    return _text([*lines, "END:VCALENDAR"])


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
