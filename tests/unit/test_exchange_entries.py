"""Files of many events, tasks and contacts, taken apart and put together."""

from __future__ import annotations

import pytest

from davserver.exchange.entries import Unbalanced, apart, components, sound, together


def lines(*written: str) -> str:
    return "".join(f"{line}\r\n" for line in written)


def calendar(*inside: str) -> str:
    return lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//other//EN", *inside, "END:VCALENDAR")


def event(uid: str, *more: str, zone: str = "") -> tuple[str, ...]:
    start = f"DTSTART;TZID={zone}:20261203T180000" if zone else "DTSTART:20261203T170000Z"
    return ("BEGIN:VEVENT", *([f"UID:{uid}"] if uid else []), start, *more, "END:VEVENT")


def zone(name: str, offset: str = "+0100") -> tuple[str, ...]:
    return (
        *("BEGIN:VTIMEZONE", f"TZID:{name}", "BEGIN:STANDARD", "DTSTART:19700101T000000"),
        *(f"TZOFFSETFROM:{offset}", f"TZOFFSETTO:{offset}", "END:STANDARD", "END:VTIMEZONE"),
    )


def card(uid: str, *more: str) -> tuple[str, ...]:
    return ("BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", *more, "END:VCARD")


def ours(*inside: str) -> str:
    return calendar(*inside).replace("-//other//EN", "-//davserver//davserver//EN")


APART: list[tuple[str, list[str]]] = [
    # a file, the entries in it
    ("", []),
    (calendar(), []),
    (calendar(*event("1")), [ours(*event("1"))]),
    (calendar(*event("1"), *event("2")), [ours(*event("1")), ours(*event("2"))]),
    # With its exceptions.
    (
        calendar(*event("1", "RRULE:FREQ=DAILY"), *event("2"), *event("1", "RECURRENCE-ID:x")),
        [
            ours(*event("1", "RRULE:FREQ=DAILY"), *event("1", "RECURRENCE-ID:x")),
            ours(*event("2")),
        ],
    ),
    # Each with the zones that it needs, and no others.
    (
        calendar(*zone("A"), *zone("B"), *event("1", zone="B"), *event("2")),
        [ours(*zone("B"), *event("1", zone="B")), ours(*event("2"))],
    ),
    (
        calendar(*event("1", zone='"A, B"'), *zone("A, B")),
        [ours(*zone("A, B"), *event("1", zone='"A, B"'))],
    ),
    # Which zone it speaks of matters, not which one it mentions.
    (
        calendar(*zone("A"), *event("1", "SUMMARY:see ;TZID=A:")),
        [ours(*event("1", "SUMMARY:see ;TZID=A:"))],
    ),
    # Several calendars in one file.
    (calendar(*event("1")) + calendar(*event("2")), [ours(*event("1")), ours(*event("2"))]),
    # A task may have the UID of an event.
    (
        calendar(*event("1"), "BEGIN:VTODO", "UID:1", "END:VTODO"),
        [ours(*event("1")), ours("BEGIN:VTODO", "UID:1", "END:VTODO")],
    ),
    # The UID of an alarm is none of the event.
    (
        calendar(*event("1", "BEGIN:VALARM", "UID:2", "END:VALARM")),
        [ours(*event("1", "BEGIN:VALARM", "UID:2", "END:VALARM"))],
    ),
    # Folded lines stay as they are, and mean what they mean unfolded.
    (
        calendar(*zone("Zone"), *event("", "UI", " D:1", "DUE;TZ", " ID=Zo", "\tne:x")),
        [ours(*zone("Zone"), *event("", "UI", " D:1", "DUE;TZ", " ID=Zo", "\tne:x"))],
    ),
    (lines(*card("1"), *card("2")), [lines(*card("1")), lines(*card("2"))]),
    (lines(*card("1"), *card("1")), [lines(*card("1")), lines(*card("1"))]),
    (lines("", "noise", *card("1")), [lines(*card("1"))]),
    # What other programs take for the end of a line is none.
    (
        calendar(*event("1", "SUMMARY:a\u2028b\x85c\x0bd")),
        [ours(*event("1", "SUMMARY:a\u2028b\x85c\x0bd"))],
    ),
]


@pytest.mark.parametrize("text, found", APART)
def test_apart(text: str, found: list[str]) -> None:
    assert [entry.text for entry in apart(text)] == found


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
def test_ends_of_lines(ending: str) -> None:
    text = calendar(*event("1"), *event("2")).replace("\r\n", ending)
    assert [entry.text for entry in apart(text)] == [ours(*event("1")), ours(*event("2"))]


@pytest.mark.parametrize(
    "text",
    [
        calendar(*event("1"))[:-20],
        calendar(*event("1")[:-1]),
        calendar("END:VEVENT"),
        lines("END:VCARD"),
        lines(*card("1")[:-1]),
        lines(*card("1")[:-1], *card("2")),
    ],
)
def test_what_is_cut_short_is_not_read(text: str) -> None:
    with pytest.raises(Unbalanced):
        list(apart(text))


def test_what_has_no_uid_always_gets_the_same_one() -> None:
    text = calendar(*event("", "SUMMARY:a"), *event("", "SUMMARY:b"))
    first, second = apart(text)
    assert list(apart(text)) == [first, second]
    uids = {next(components(entry.text)).value("UID") for entry in (first, second)}
    assert len(uids) == 2 and all(uids)


def test_titles_for_people() -> None:
    named = calendar(*event("1", "SUMMARY;LANGUAGE=fr:Séance: le 3"), *event("2"))
    assert [entry.title for entry in apart(named)] == ["Séance: le 3", "2"]
    assert [entry.title for entry in apart(lines(*card("1", "item1.FN:Chloé")))] == ["Chloé"]


TOGETHER: list[tuple[list[str], str]] = [
    # calendars, the one with all that is in them
    ([calendar(*event("1")), calendar(*event("2"))], ours(*event("1"), *event("2"))),
    # Each zone once, and first.
    (
        [
            calendar(*event("1", zone="A"), *zone("A")),
            calendar(*zone("A"), *zone("B"), *event("2", zone="A")),
            calendar(*zone("B"), *event("3", zone="B")),
        ],
        ours(
            *zone("A"),
            *zone("B"),
            *event("1", zone="A"),
            *event("2", zone="A"),
            *event("3", zone="B"),
        ),
    ),
    # Two zones of one name are two.
    (
        [
            calendar(*zone("Mine", "+0100"), *event("1", zone="Mine")),
            calendar(*zone("Mine", "+0200"), *event("2", zone='"Mine"')),
            calendar(*zone("Mine", "+0200"), *event("3", zone="Mine")),
            calendar(*zone("Mine", "+0100"), *event("4", zone="Mine")),
        ],
        ours(
            *zone("Mine", "+0100"),
            *zone("Mine (2)", "+0200"),
            *event("1", zone="Mine"),
            *event("2", zone='"Mine (2)"'),
            *event("3", zone="Mine (2)"),
            *event("4", zone="Mine"),
        ),
    ),
    # But for those that all the world has.
    (
        [
            calendar(*zone("Europe/Paris", "+0100"), *event("1", zone="Europe/Paris")),
            calendar(*zone("Europe/Paris", "+0000"), *event("2", zone="Europe/Paris")),
        ],
        ours(
            *zone("Europe/Paris", "+0100"),
            *event("1", zone="Europe/Paris"),
            *event("2", zone="Europe/Paris"),
        ),
    ),
]


@pytest.mark.parametrize("calendars, joined", TOGETHER)
def test_together(calendars: list[str], joined: str) -> None:
    assert together(calendars) == joined
    # And apart, and together again.
    assert together(entry.text for entry in apart(joined)) == joined


def test_a_line_that_grows_is_folded() -> None:
    long = f"ATTENDEE;X={'y' * 50};TZID=Mine:mailto:{'z' * 40}"
    calendars = [
        calendar(*zone("Mine", offset), *event(offset, long, zone="Mine"))
        for offset in ("+0100", "+0200")
    ]
    joined = together(calendars)
    assert all(len(line) <= 75 for line in joined.splitlines() if "Mine (2)" in line)
    assert joined.replace("\r\n ", "").count("TZID=Mine (2):mailto") == 1


def test_sound_lines() -> None:
    assert sound("BEGIN:VCARD\nUID:1\n\nEND:VCARD") == "BEGIN:VCARD\r\nUID:1\r\nEND:VCARD\r\n"
    with pytest.raises(Unbalanced):
        sound("BEGIN:VCARD")
