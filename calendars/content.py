"""What is in an object: whether it can be stored, and what it is found by.

Read, never rewritten: what is stored is what was sent.
"""

import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from icalendar import Calendar, Component
from icalendar.error import GloballyUniqueTZIDGuessed

from calendars import rules
from calendars.errors import InvalidData, InvalidObject, Tag, UnsupportedAddressData
from config.language import Phrase

FORMATS: dict[str, str] = {"VCALENDAR": "text/calendar", "VADDRESSBOOK": "text/vcard"}

FOREVER = 253402300800
NEVER = -62135596800
"""The ends of time, 9999 and year 1, in seconds since 1970 (as Radicale's filters have them)."""

BOM = "\ufeff"
_UID_MAX = 1024
# Unfolded. Reading them takes a second; the largest events have some thousand guests.
_LINES_MAX = 25_000
# Floating times and dates mean another moment in each zone, from UTC-12 to UTC+14; a zone
# that the object defines itself may be read differently by somebody else.
_MARGIN = 14 * 3600
_COMPONENTS = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
_TIMES = frozenset(
    {"DTSTART", "DTEND", "DUE", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"}
)
# XML cannot carry them, not even escaped, and RFC 5545 (3.1) and RFC 6350 (3.3) forbid them.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
# What it guesses is right for Evolution's zones, and only decides how far to look.
warnings.simplefilter("ignore", GloballyUniqueTZIDGuessed)


@dataclass(frozen=True)
class Content:
    """One object: the bytes as they were sent, and what the index holds of them.

    `starts` and `ends` are seconds since 1970 UTC that all occurrences lie within.
    """

    data: bytes
    uid: str
    component: str
    starts: int = NEVER
    ends: int = FOREVER

    @property
    def etag(self) -> str:
        """A strong ETag, quoted: it differs for any two contents."""
        return f'"{hashlib.sha256(self.data).hexdigest()}"'


def read(data: bytes, tag: Tag) -> Content:
    """Read an object that is to go into a collection of the type `tag`.

    Raises `InvalidData`, `InvalidObject` or `UnsupportedAddressData`.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidData(tag, Phrase("It is not UTF-8.")) from None
    if _CONTROLS.search(text):
        raise InvalidData(tag, Phrase("It holds control characters."))
    if text.count("\n") - text.count("\n ") - text.count("\n\t") > _LINES_MAX:
        raise InvalidData(tag, Phrase("It has too many lines."))
    # A byte order mark is no part of the text, and some programs write one.
    text = text.removeprefix(BOM)
    return _calendar(data, text) if tag == "VCALENDAR" else _card(data, text)


def text_of(data: bytes) -> str:
    """The stored text as XML can carry it: what we store today is, to the letter."""
    return _CONTROLS.sub("", data.decode("utf-8", "replace"))


def _calendar(data: bytes, text: str) -> Content:
    try:
        found = Calendar.from_ical(text, multiple=True)
    # icalendar names no errors of its own: values raise what their parsers raise.
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InvalidData("VCALENDAR", _first_line(error)) from None
    if len(found) != 1 or found[0].name != "VCALENDAR":
        raise InvalidData("VCALENDAR", Phrase("It is not one {name}.", name="VCALENDAR"))
    parts = [part for part in found[0].subcomponents if part.name != "VTIMEZONE"]
    names = {str(part.name) for part in parts}
    if len(names) != 1:
        raise InvalidObject(problem=" + ".join(sorted(names)) or _wrong("VEVENT"))
    component = names.pop()
    uids = {_text(part.get("UID")) for part in parts}
    if len(uids) != 1 or not (uid := uids.pop()) or len(uid.encode()) > _UID_MAX:
        raise InvalidObject(problem=_wrong("UID"))
    if component in _COMPONENTS:
        _check_parts(parts)
        starts, ends = _range(parts)
        return Content(data, uid, component, starts, ends)
    return Content(data, uid, component)


def _check_parts(parts: list[Component]) -> None:
    """Refuse what no client could show: a second master, or times that cannot be read."""
    if sum("RECURRENCE-ID" not in part for part in parts) > 1:
        raise InvalidObject(problem=_wrong("RECURRENCE-ID"))
    for part in parts:
        # No name: a line that is none. Any other property may be as odd as it likes.
        broken = [name or "?" for name, _ in part.errors if name is None or name in _TIMES]
        if not broken and part.name == "VEVENT" and _moment(part.get("DTSTART")) is None:
            broken = ["DTSTART"]
        if not broken:
            broken = [name for name in ("RRULE", "EXRULE") if _is_endless(part, name)]
        if broken:
            raise InvalidData("VCALENDAR", _wrong(*dict.fromkeys(broken)))


def _is_endless(part: Component, name: str) -> bool:
    """Whether one of the part's rules can never be walked through."""
    start, value = _moment(part.get("DTSTART")), part.get(name)
    every = value if isinstance(value, list) else [value]
    return start is not None and any(
        rules.is_endless(rule, start) for rule in every if isinstance(rule, Mapping)
    )


def _card(data: bytes, text: str) -> Content:
    try:
        found = Component.from_ical(text, multiple=True)
    # As for iCalendar, above.
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InvalidData("VADDRESSBOOK", _first_line(error)) from None
    if len(found) != 1 or found[0].name != "VCARD":
        raise InvalidData("VADDRESSBOOK", Phrase("It is not one {name}.", name="VCARD"))
    if _text(found[0].get("VERSION")) not in ("3.0", "4.0"):
        raise UnsupportedAddressData()
    uid = _text(found[0].get("UID"))
    if not uid or len(uid.encode()) > _UID_MAX:
        raise InvalidData("VADDRESSBOOK", _wrong("UID"))
    return Content(data, uid, "VCARD")


def _text(value: Any) -> str:
    """The text of a property; "" if there is none, or more than one."""
    return "" if value is None or isinstance(value, list) else str(value).strip()


def _wrong(*names: str) -> Phrase:
    return Phrase("{names} is missing or wrong.", names=", ".join(names))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _range(parts: list[Component]) -> tuple[int, int]:
    """When the first occurrence begins at the earliest, and the last one ends at the latest."""
    ranges = [_range_of(part) for part in parts]
    return min(starts for starts, _ in ranges), max(ends for _, ends in ranges)


def _range_of(part: Component) -> tuple[int, int]:
    start = _moment(part.get("DTSTART"))
    end = _moment(part.get("DTEND")) or _moment(part.get("DUE"))
    if start is None or (part.name == "VTODO" and end is None and "DURATION" not in part):
        # RFC 4791, 9.9 gives tasks without times to every query, or goes by other properties.
        return NEVER, FOREVER
    length = timedelta(days=1)
    if end is not None:
        length = max(length, end - start)
    duration = getattr(part.get("DURATION"), "dt", None)
    if isinstance(duration, timedelta):
        length = max(length, duration)
    moments = [start, *_dates(part)]
    if "RRULE" in part or "EXRULE" in part:
        until = _until(part)
        if until is None:
            return _seconds(min(moments)) - _MARGIN, FOREVER
        moments.append(until)
    last = _seconds(max(moments)) + int(length.total_seconds())
    return _seconds(min(moments)) - _MARGIN, min(last + _MARGIN, FOREVER)


def _dates(part: Component) -> Iterator[datetime]:
    """The moments of RDATE; of a period its start and its end."""
    value = part.get("RDATE")
    for dates in value if isinstance(value, list) else [value] if value is not None else []:
        for item in getattr(dates, "dts", ()):
            for moment in item.dt if isinstance(item.dt, tuple) else (item.dt,):
                if isinstance(moment, date):
                    yield _aware(moment)


def _until(part: Component) -> datetime | None:
    """When the rules end, if they all say so themselves."""
    rules = part.get("RRULE")
    moments = []
    for rule in rules if isinstance(rules, list) else [rules]:
        until = (rule or {}).get("UNTIL")
        if not until:
            return None
        moments.append(_aware(until[0]))
    return max(moments)


def _moment(value: Any) -> datetime | None:
    moment = getattr(value, "dt", None)
    return _aware(moment) if isinstance(moment, date) else None


def _aware(moment: date) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
