"""The migrations make the tables that the code declares, on both databases."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

import config
from config.database import Database, Version, _alembic, metadata
from config.errors import DatabaseTooNew, DatabaseUnavailable

ROOT = Path(config.__file__).parents[1]
MIGRATE = "import sys; from config.database import Database; Database(sys.argv[1]).migrate()"
# SQLite cannot tell what an index on expressions is on; that it exists is checked by itself.
UNREFLECTED = "uq_members_principal"


@pytest.fixture(scope="module", autouse=True)
def _all_tables() -> None:
    """Have every package declare its tables."""
    for package in ("acl", "calendars", "davserver"):
        for found in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if found.name.endswith(".tables"):
                importlib.import_module(found.name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def differences(connection: Connection) -> list[object]:
    """What the tables lack, or have too much, against the declared ones."""
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    with warnings.catch_warnings():
        if connection.dialect.name == "sqlite":
            warnings.filterwarnings("ignore", f".*expression-based index '?{UNREFLECTED}.*")
        found = compare_metadata(context, metadata)
    if connection.dialect.name != "sqlite":
        return list(found)
    return [each for each in found if getattr(each[1], "name", None) != UNREFLECTED]


def index_names(connection: Connection) -> set[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%'"
    return set(connection.execute(sa.text(query)).scalars())


def test_fresh_tables_are_those_declared(database: Database) -> None:
    assert database.version() is Version.NONE
    database.migrate()
    database.migrate()
    assert database.version() is Version.CURRENT
    with database.read() as connection:
        assert differences(connection) == []
        if database.is_sqlite:
            declared = {
                str(index.name) for table in metadata.tables.values() for index in table.indexes
            }
            assert index_names(connection) == declared


def test_a_missing_column_would_be_found(database: Database) -> None:
    database.migrate()
    with database.write() as connection:
        connection.execute(sa.text("ALTER TABLE groups DROP COLUMN title"))
        assert differences(connection) != []


def test_down_and_up_again(database: Database) -> None:
    database.migrate()
    with database.write() as connection:
        command.downgrade(_alembic(connection), "base")
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    assert database.version() is Version.NONE
    with database.write() as connection:
        command.upgrade(_alembic(connection), "0001")
    assert database.version() is Version.OLDER
    database.migrate()
    with database.read() as connection:
        assert differences(connection) == []


def test_processes_that_start_together_wait_for_one_another(
    database: Database, database_url: str
) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", MIGRATE, database_url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4)
    ]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4, "\n".join(said)
    with database.read() as connection:
        assert differences(connection) == []
        revisions = connection.execute(sa.text("SELECT value FROM registry_revision")).all()
        assert revisions == [(0,)]


def test_a_newer_database_is_left_alone(database: Database) -> None:
    database.migrate()
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    assert database.version() is Version.NEWER
    with pytest.raises(DatabaseTooNew):
        database.migrate()
    assert database.version() is Version.NEWER


def test_a_migration_that_fails_leaves_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps are one transaction: also where the database is PostgreSQL."""
    with pytest.raises(RuntimeError), monkeypatch.context() as patched:

        def fail(*args: Any) -> None:
            upgrade(*args)
            raise RuntimeError

        upgrade = command.upgrade
        patched.setattr(command, "upgrade", fail)
        database.migrate()
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == []
    database.migrate()
    assert database.version() is Version.CURRENT


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nonexistent/directory/davserver.db",
        "postgresql+psycopg://postgres@/none?host=/nonexistent",
    ],
)
def test_a_database_that_cannot_be_reached(url: str) -> None:
    database = Database(url)
    try:
        with pytest.raises(DatabaseUnavailable):
            database.migrate()
    finally:
        database.close()
