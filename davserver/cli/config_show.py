"""`davserver config`: the settings that hold."""

import os
from pathlib import Path

import click
from click.core import ParameterSource

from config.language import Phrase
from config.settings import COMMAND_LINE, DEFAULT, load
from davserver.cli.command import Group, data_option, json_option
from davserver.cli.output import show
from davserver.cli.wording import _, say

_SOURCES = {
    ParameterSource.ENVIRONMENT: Phrase("environment, {name}", name="DAVSERVER_DATA"),
    ParameterSource.DEFAULT: DEFAULT,
}


@click.group(cls=Group, help="The settings.")
def config() -> None:
    pass


@config.command("show", help="List every setting, its value, and where it was set.")
@json_option
@data_option
@click.pass_context
def show_(context: click.Context, as_json: bool, data: Path) -> None:
    where = context.get_parameter_source("data")
    source = _SOURCES.get(where, COMMAND_LINE) if where else COMMAND_LINE
    _settings, values = load(data, os.environ, {}, data_source=source)
    show(
        [
            {
                "key": value.key,
                "value": value.shown(),
                "source": say(value.source),
                "description": say(value.description),
            }
            for value in values
        ],
        {
            "key": _("Setting"),
            "value": _("Value"),
            "source": _("From"),
            "description": _("What it is"),
        },
        as_json=as_json,
    )
