"""Where a password comes from: typed twice, the input's first line, or made up. Never arguments."""

import sys

import click

from acl.passwords import generate
from davserver.cli.errors import NoPassword, PasswordsDiffer
from davserver.cli.wording import _


def choose(login: str, *, from_input: bool, made_up: bool) -> str:
    """The password for `login`. Raises `NoPassword`, `PasswordsDiffer`, or `click.UsageError`."""
    if from_input and made_up:
        raise click.UsageError(
            _("{one} and {other} exclude each other.", one="--password-stdin", other="--generate")
        )
    if made_up:
        return generate()
    if from_input:
        return _given(sys.stdin.readline().rstrip("\r\n"))
    first = _given(click.prompt(_("Password for {login}", login=login), hide_input=True))
    if first != click.prompt(_("The same again"), hide_input=True):
        raise PasswordsDiffer()
    return first


def _given(password: str) -> str:
    if not password:
        raise NoPassword()
    return password
