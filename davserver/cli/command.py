"""What all commands have in common: help in the terminal's language, and shared options."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import click
from pydantic import ByteSize, TypeAdapter, ValidationError

from davserver.cli.wording import _

UNWRAPPED = "\b\n"
HEADINGS = ("Usage", "Options", "Commands")


class Formatter(click.HelpFormatter):
    """Writes every text of a command's help in the terminal's language."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or f"{_('Usage')}: ")

    def write_heading(self, heading: str) -> None:
        super().write_heading(_(heading))

    def write_text(self, text: str) -> None:
        # What click leaves as it is begins with this mark, which no catalogue can hold.
        mark = UNWRAPPED if text.startswith(UNWRAPPED) else ""
        super().write_text(mark + _(text.removeprefix(mark)))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        translated = [(term, _(description)) for term, description in rows]
        super().write_dl(translated, col_max, col_spacing)


class Context(click.Context):
    formatter_class = Formatter


class Command(click.Command):
    """A command."""

    context_class = Context

    def get_short_help_str(self, limit: int = 45) -> str:
        return _first_sentence(self.help)


class Group(click.Group):
    """A group of commands."""

    context_class = Context
    command_class = Command
    group_class = type

    def get_short_help_str(self, limit: int = 45) -> str:
        return _first_sentence(self.help)


def _first_sentence(text: str | None) -> str:
    return _(text or "").partition("\n")[0]


class Size(click.ParamType[ByteSize, str]):
    """A number of bytes, as 20G or 500 MiB."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> ByteSize:
        try:
            return TypeAdapter(ByteSize).validate_python(value)
        except ValidationError:
            self.fail(_("{value} is not a size such as 20G.", value=repr(value)), param, ctx)


class Date(click.ParamType[date, str]):
    """A day, as 2027-06-30."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(_("{value} is not a day such as 2027-06-30.", value=repr(value)), param, ctx)


data_option = click.option(
    "--data",
    envvar="DAVSERVER_DATA",
    default="data",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The data directory (also DAVSERVER_DATA; ./data by default).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of the input."
)
generate_option = click.option(
    "--generate", is_flag=True, help="Make up a password, and print it once."
)
