"""Lists on the terminal: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import click
from pydantic import ByteSize
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from acl.names import is_invisible
from davserver.cli.wording import _

# Wide enough that nothing is cut when the output goes to a file or to another program.
_UNBOUNDED = 10_000


def show(
    records: Iterable[Mapping[str, object]], columns: Mapping[str, str], *, as_json: bool
) -> None:
    """Print records: all their fields as JSON, or those of `columns`, under their titles."""
    if as_json:
        show_json(list(records))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in columns.values():
        table.add_column(title, overflow="fold")
    for record in records:
        table.add_row(*(Text(printable(_cell(record[name]))) for name in columns))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _UNBOUNDED)
    console.print(table)


def show_json(content: object) -> None:
    """Print `content` as JSON, moments in ISO 8601 and UTC."""
    click.echo(json.dumps(content, ensure_ascii=False, indent=2, default=_plain))


def printable(text: str) -> str:
    """`text` without what would command the terminal: names come from clients."""
    return "".join("\N{REPLACEMENT CHARACTER}" if is_invisible(c) else c for c in text)


def size(value: ByteSize) -> str:
    """A number of bytes as people write it: 16 MiB, 20 GB."""
    binary = value.human_readable(separator=" ").replace(".0 ", " ")
    if "." not in binary:
        return binary
    return value.human_readable(decimal=True, separator=" ").replace(".0 ", " ")


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M}"
    if isinstance(value, ByteSize):
        return size(value)
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
