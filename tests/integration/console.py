"""The command line, as somebody at the terminal of a server uses it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from click.testing import CliRunner, Result

from acl import registry
from acl.passwords import Passwords
from config.database import Database
from davserver.cli.main import main

# Hashes that cost nothing, so that tests do not either.
CHEAP = {"DAVSERVER_AUTHENTICATION__MEMORY": "8 KiB", "DAVSERVER_AUTHENTICATION__ROUNDS": "1"}
ENGLISH = {"LC_ALL": "C"}
FRENCH = {"LC_ALL": "fr_FR.UTF-8"}
PASSWORD = "une phrase assez longue\n"


@dataclass
class Console:
    """Somebody at the terminal of a server, and the data directory."""

    data: Path
    environment: dict[str, str] = field(default_factory=lambda: {**CHEAP, **ENGLISH})

    def run(self, *args: str, input: str = "", **environment: str) -> Result:
        """Run a command; it ends by itself, never with a traceback."""
        known = {name: None for name in os.environ if name.startswith(("DAVSERVER_", "LC_"))}
        result = CliRunner().invoke(
            main,
            [*args, "--data", str(self.data)],
            input=input,
            env={**known, **self.environment, **environment},
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    def __call__(self, *args: str, input: str = "") -> str:
        """Run a command that succeeds; what it prints."""
        result = self.run(*args, input=input)
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        return result.stdout

    def json(self, *args: str) -> Any:
        """Run a command that lists; what it lists."""
        return json.loads(self(*args, "--json"))

    def refused(self, exit_code: int, *args: str, input: str = "") -> str:
        """Run a command that is refused; the one sentence that it says."""
        before = snapshot(self.data)
        result = self.run(*args, input=input)
        assert (result.exit_code, result.stdout) == (exit_code, ""), result.output
        assert snapshot(self.data) == before
        return result.stderr.strip()


def snapshot(data: Path) -> dict[str, object]:
    """The tree below `data`, and the revision and journal of its database."""
    names = [path for path in data.rglob("*") if not path.name.startswith("davserver.db-")]
    found: dict[str, object] = {str(path): path.stat().st_mode for path in names}
    if (data / "davserver.db").exists():
        database = Database(f"sqlite:///{data}/davserver.db")
        with database.read() as connection:
            if sa.inspect(connection).has_table("journal"):
                query = sa.text("SELECT count(*), max(id) FROM journal")
                found["journal"] = connection.execute(query).one()
                found["revision"] = registry.revision(connection)
        database.close()
    return found


def opens(console: Console, login: str, password: str) -> bool:
    database = Database(f"sqlite:///{console.data}/davserver.db")
    with database.read() as connection:
        account = registry.read(connection).by_login[login]
    database.close()
    return Passwords(memory=8 * 1024, rounds=1).verify(password, account.password_hash)
