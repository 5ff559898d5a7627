"""`davserver`: all commands, and the one place where their errors are shown."""

import errno
import io
import os
import sys
from typing import Any

import click

from config.errors import DavserverError
from davserver.cli.account import account
from davserver.cli.backup import backup
from davserver.cli.check import check
from davserver.cli.command import UNWRAPPED, Group
from davserver.cli.config_show import config
from davserver.cli.device import device
from davserver.cli.export import export
from davserver.cli.folder import folder
from davserver.cli.group import group
from davserver.cli.import_ import import_
from davserver.cli.init import init
from davserver.cli.journal import journal
from davserver.cli.lock import lock
from davserver.cli.member import member
from davserver.cli.output import printable
from davserver.cli.restore import restore
from davserver.cli.rewind import rewind
from davserver.cli.serve import serve
from davserver.cli.space import space
from davserver.cli.status import status
from davserver.cli.verify import verify
from davserver.cli.versions import versions
from davserver.cli.who_can import who_can
from davserver.cli.wording import _, say

_HELP = """Documents, agendas, tasks and contacts of a small organisation, over WebDAV and CalDAV.

Every command works while the server runs. Messages are in the language of the terminal (LANG)."""

_EXIT_CODES = """\
Exit codes:
  0  done
  1  it failed in a way that has no code of its own
  2  the command, a setting or a value cannot be used
  3  the database or the port cannot be used now, or not by this version
  6  what was named does not exist
  7  what was to be made exists already
  8  `check`, `status` or `verify` found something, or something was left out"""

_FAILED = 1


class Root(Group):
    """The outermost group: whatever a command raises ends here, as one sentence."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command and leave the process with its exit code."""
        _write_anything()
        try:
            status = super().main(*args, **{**options, "standalone_mode": False})
        except DavserverError as error:
            _fail(say(error), error.exit_code)
        except click.UsageError as error:
            _fail_usage(error)
        except click.Abort:
            _fail(_("Stopped; nothing was changed."), _FAILED)
        except OSError as error:
            if error.errno == errno.EPIPE:
                # Whoever read the output has seen enough.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                sys.exit(_FAILED)
            _fail(f"{error.filename or '-'}: {error.strerror}", _FAILED)
        sys.exit(status if isinstance(status, int) else 0)


@click.group(cls=Root, help=_HELP, epilog=UNWRAPPED + _EXIT_CODES)
@click.version_option(package_name="davserver", help="Show the version and exit.")
def main() -> None:
    pass


_COMMANDS = (init, serve, config, account, device, group, space, member, folder, who_can, lock)
for _command in (
    *_COMMANDS,
    journal,
    versions,
    rewind,
    check,
    status,
    backup,
    verify,
    restore,
    export,
    import_,
):
    main.add_command(_command)


def _fail(sentence: str, exit_code: int) -> None:
    click.echo(printable(sentence), err=True)
    sys.exit(exit_code)


def _fail_usage(error: click.UsageError) -> None:
    if error.ctx is not None and not isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.ctx.get_usage(), err=True)
    click.echo(_usage(error), err=True)
    sys.exit(error.exit_code)


def _usage(error: click.UsageError) -> str:
    """What is wrong with how the command was typed, in the terminal's language."""
    match error:
        case click.NoSuchOption():
            return _("There is no option {name}.", name=error.option_name)
        case click.exceptions.NoSuchCommand():
            return _("There is no command {name}.", name=error.command_name)
        case click.MissingParameter(param=click.Parameter() as param):
            return _("{name} is missing.", name=param.get_error_hint(error.ctx))
        case click.BadParameter(param=click.Parameter() as param):
            hint = param.get_error_hint(error.ctx)
            return _("{name}: {problem}", name=hint, problem=error.message)
    return error.format_message()


def _write_anything() -> None:
    """Let names be printed that the terminal's character set lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
