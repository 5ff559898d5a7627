"""How far a long command has come: a bar on a terminal, elsewhere a line every few seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from pydantic import ByteSize
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from config.language import Phrase
from davserver.backup import progress
from davserver.cli.output import printable, size
from davserver.cli.wording import say

_EVERY = 5.0  # seconds


@contextmanager
def watched() -> Iterator[progress.Progress]:
    """Show on the standard error stream what is told in the block."""
    if not sys.stderr.isatty():
        yield Lines(time.monotonic)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield Bar(shown)


class Count:
    """What is done of a stage, in files and bytes; a total of 0 is not known."""

    def __init__(self, files: int, size: int) -> None:
        self.totals = files, size
        self.files = self.size = 0

    def add(self, files: int, size: int) -> None:
        self.files += files
        self.size += size

    def told(self) -> str:
        """`1200/10000, 3.1 MiB/5 GiB`, as far as it is known."""
        files, total = self.totals
        parts = []
        if self.files or files:
            parts.append(f"{self.files}/{files}" if files else str(self.files))
        if self.size or total:
            done = size(ByteSize(self.size))
            parts.append(f"{done}/{size(ByteSize(total))}" if total else done)
        return ", ".join(parts)


class Bar:
    """One bar a stage: it grows by bytes where their total is known, else by files."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._task: TaskID | None = None
        self._count = Count(0, 0)

    def begin(self, stage: Phrase, files: int = 0, size: int = 0) -> None:
        if self._task is not None:
            self._shown.remove_task(self._task)
        self._count = Count(files, size)
        total = size or files or None
        self._task = self._shown.add_task(say(stage), total=total, told=self._count.told())

    def advance(self, files: int = 0, size: int = 0) -> None:
        assert self._task is not None, "no stage has begun"
        self._count.add(files, size)
        completed = self._count.size if self._count.totals[1] else self._count.files
        self._shown.update(self._task, completed=completed, told=self._count.told())


class Lines:
    """One line every few seconds, for a log; of what is quick, nothing."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._next = clock() + _EVERY
        self._stage = ""
        self._count = Count(0, 0)

    def begin(self, stage: Phrase, files: int = 0, size: int = 0) -> None:
        self._stage, self._count = say(stage), Count(files, size)

    def advance(self, files: int = 0, size: int = 0) -> None:
        self._count.add(files, size)
        if self._clock() >= self._next:
            self._next = self._clock() + _EVERY
            click.echo(printable(f"{self._stage}: {self._count.told()}"), err=True)
