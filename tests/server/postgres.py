"""A private PostgreSQL cluster: fresh databases for one test session."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

START_SECONDS = 60


class PostgresMissing(Exception):
    """No PostgreSQL server is installed on this machine."""


def binaries() -> Path:
    """The folder that holds initdb and pg_ctl."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    configured = shutil.which("pg_config")
    if configured is not None:
        asked = subprocess.run([configured, "--bindir"], capture_output=True, text=True, timeout=30)
        folders.insert(0, Path(asked.stdout.strip()))
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise PostgresMissing("initdb and pg_ctl were not found")


class Postgres:
    """One cluster in a temporary directory, reached through a socket in it, gone at stop()."""

    def __init__(self) -> None:
        self.binaries = binaries()
        # Not pytest's own directory: a socket's path may have 107 bytes at most,
        # and root's directories are closed to the account that PostgreSQL runs as.
        self.directory = Path(tempfile.mkdtemp(prefix="davpg-"))
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self._databases = 0
        # PostgreSQL refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self.directory, self.user)

    def start(self) -> None:
        """Make the cluster and start it."""
        self._run(
            *("initdb", "--pgdata", str(self.data), "--username", "postgres"),
            *("--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        )
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(
                "listen_addresses = ''\n"
                f"unix_socket_directories = '{self.directory}'\n"
                "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
                "max_connections = 200\n"
            )
        self._run(
            *("pg_ctl", "start", "--pgdata", str(self.data), "--log", str(self.log)),
            *("--wait", "--timeout", str(START_SECONDS)),
        )

    def create_database(self) -> str:
        """A new, empty database; its SQLAlchemy URL."""
        self._databases += 1
        name = f"davserver{self._databases}"
        self.execute(
            # A town hall's database sorts as French does, not by bytes: a query that leans on
            # byte order (path >= 'a/' AND path < 'a0') must be found out. ICU, because it is
            # there on every machine, whatever locales were generated.
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' "
            "LOCALE_PROVIDER icu ICU_LOCALE 'fr-FR'",
        )
        return f"postgresql+psycopg://postgres@/{name}?host={quote(str(self.directory), safe='')}"

    def execute(self, command: str) -> None:
        """Run one SQL command, outside of any transaction."""
        self._run(
            *("psql", "--host", str(self.directory), "--username", "postgres"),
            *("--quiet", "--no-psqlrc", "--command", command),
        )

    def stop(self) -> None:
        """End the cluster and drop all it held."""
        pid = self.data / "postmaster.pid"
        try:
            if pid.exists():
                self._run("pg_ctl", "stop", "--pgdata", str(self.data), "--mode", "immediate")
        except AssertionError:
            # pg_ctl gave up waiting: the postmaster's own pid file names what we started.
            os.kill(int(pid.read_text().split()[0]), signal.SIGKILL)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, program: str, *args: str) -> None:
        command = [str(self.binaries / program), *args]
        if os.geteuid() == 0:
            command = ["runuser", "-u", self.user, "--", *command]
        # To a file, not a pipe: the server that pg_ctl leaves behind inherits its output
        # and would keep a pipe open for as long as it runs.
        with tempfile.TemporaryFile("w+") as output:
            status = subprocess.run(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=2 * START_SECONDS,
            ).returncode
            output.seek(0)
            text = output.read()
        if status != 0:
            log = self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
            raise AssertionError(f"{program} ended with {status}\n{text}\n{log}")
