"""How far a long command has come."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from config.language import Phrase
from davserver.cli.progress import Bar, Count, Lines

COPYING = Phrase("Copying")

TOLD: list[tuple[tuple[int, int], tuple[int, int], str]] = [
    # files and bytes in all, files and bytes done, told
    ((0, 0), (0, 0), ""),
    ((0, 0), (3, 0), "3"),
    ((10, 0), (0, 0), "0/10"),
    ((10, 0), (3, 0), "3/10"),
    ((10, 5 << 20), (3, 1 << 20), "3/10, 1 MiB/5 MiB"),
    ((0, 0), (3, 1 << 20), "3, 1 MiB"),
]


@pytest.mark.parametrize("totals, done, told", TOLD)
def test_what_is_told(totals: tuple[int, int], done: tuple[int, int], told: str) -> None:
    count = Count(*totals)
    count.add(*done)
    assert count.told() == told


@pytest.fixture
def seconds() -> Iterator[list[float]]:
    yield [0.0]


def test_a_line_every_few_seconds(
    seconds: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    lines = Lines(lambda: seconds[0])
    lines.begin(COPYING, 20)
    for second in range(12):
        seconds[0] = second
        lines.advance(files=1)
    assert capsys.readouterr().err == "Copying: 6/20\nCopying: 11/20\n"


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(lambda: 0.0)
    lines.begin(COPYING, 2)
    lines.advance(files=2)
    assert capsys.readouterr().err == ""


def test_a_bar_grows_by_bytes_or_else_by_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    out = Console(file=io.StringIO(), force_terminal=True, width=80)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=out, auto_refresh=False) as shown:
        bar = Bar(shown)
        bar.begin(COPYING, 4, 1000)
        bar.advance(files=1, size=250)
        (task,) = shown.tasks
        assert (task.completed, task.total) == (250, 1000)
        assert (task.description, task.fields["told"]) == ("Copie", "1/4, 250 B/1000 B")
        bar.begin(Phrase("Arranging"), 4)
        bar.advance(files=1)
        (task,) = shown.tasks
        assert (task.completed, task.total) == (1, 4)
        bar.begin(Phrase("Writing the database"))
        (task,) = shown.tasks
        assert task.total is None
