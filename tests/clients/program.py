"""Other people's programs, run as their users run them, bounded in time."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """Who a client says it is."""

    login: str
    password: str


@dataclass(frozen=True)
class Finished:
    """How a program ended, and all it wrote."""

    command: str
    status: int
    output: str
    errors: str

    def __str__(self) -> str:
        return (
            f"$ {self.command}\n{self.output[-8000:]}\n--- its errors ---\n{self.errors[-8000:]}\n"
            f"--- status {self.status} ---"
        )


def end_session(leader: int) -> None:
    """Kill what is left of the session that a program was started in, itself included.

    Some leave services behind (KIO's workers, gvfs's daemons), in process groups of their
    own, that would outlive the test.
    """
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # After the name, which may hold anything: state, parent, group, session.
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                os.kill(int(stat.parent.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue


class Home:
    """A home directory of a user who has just logged in, with nothing in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.runtime = directory / "run"
        self.runtime.mkdir(mode=0o700)
        # Built anew, not inherited: no session bus, no display, no proxy and no other
        # Python than Debian's may reach these programs.
        self.environment = {
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "TZ": "Europe/Paris",
            "XDG_CACHE_HOME": str(directory / ".cache"),
            "XDG_CONFIG_HOME": str(directory / ".config"),
            "XDG_DATA_HOME": str(directory / ".local/share"),
            "XDG_RUNTIME_DIR": str(self.runtime),
        }

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """Put a settings file into the home."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def run(
        self,
        *command: str,
        input: str = "",
        timeout: float = 60,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        check: bool = True,
    ) -> Finished:
        """Run one program to its end; past `timeout` seconds it and its children are killed.

        It writes to files and reads from one, never a pipe: what some programs leave
        behind (a D-Bus service, a KIO daemon) would hold a pipe open long after they ended.
        """
        with (
            tempfile.TemporaryFile("w+") as stdin,
            tempfile.TemporaryFile("w+", errors="replace") as stdout,
            tempfile.TemporaryFile("w+", errors="replace") as stderr,
        ):
            stdin.write(input)
            stdin.seek(0)
            process = subprocess.Popen(
                command,
                cwd=cwd or self.directory,
                env={**self.environment, **(environment or {})},
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            late = False
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                late = True
            finally:
                end_session(process.pid)
                process.wait()
            stdout.seek(0)
            stderr.seek(0)
            finished = Finished(
                shlex.join(command), process.returncode, stdout.read(), stderr.read()
            )
        assert not late, f"not done after {timeout:.0f} s\n{finished}"
        assert not check or finished.status == 0, str(finished)
        return finished
