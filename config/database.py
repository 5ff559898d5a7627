"""The open database: SQLite in the data directory, or PostgreSQL by URL.

Every table of the project hangs on `metadata`; the packages above declare theirs in their own
`tables.py`. Nobody else opens connections or begins transactions.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from config.errors import DatabaseTooNew, DatabaseUnavailable, DavserverError, StorageFull

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Path_ = sa.String().with_variant(sa.String(collation="C"), "postgresql")
"""A name or path. Compared byte by byte: a subtree is the range from `a/` to `a0`, which no
language's collation order respects."""

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A generated primary key. SQLite generates only for INTEGER."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(sa.types.TypeDecorator[datetime]):
    """A moment, kept as microseconds since 1970 UTC, so that both databases order it alike."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else _EPOCH + value * _MICROSECOND


class Version(Enum):
    """How the tables of a database stand to what this version of the program needs."""

    NONE = "none"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


class Database:
    """The engine and its two kinds of transaction.

    `url` is a SQLAlchemy URL with the driver `sqlite` or `postgresql+psycopg`. Safe to share
    between threads; every process makes its own. `busy_timeout` is how long, in seconds, a
    writer waits for another one before `DatabaseUnavailable`.
    """

    def __init__(self, url: str, *, busy_timeout: float = 30.0) -> None:
        self.url = sa.make_url(url)
        self.engine = _engine(self.url, busy_timeout)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._reader = self.engine.execution_options(davserver_begin="BEGIN")
        self._writer = self.engine.execution_options(davserver_begin="BEGIN IMMEDIATE")
        if not self.is_sqlite:
            self._reader = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database throughout, and changes nothing.

        Raises `DatabaseUnavailable` if the database does not answer. A full disk is no obstacle.
        """
        with self._transaction(self._reader) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed as a whole when the block ends, or not at all.

        SQLite has one writer at a time, from here on (`BEGIN IMMEDIATE`). PostgreSQL has many:
        take the rows that decide with `FOR UPDATE` before reading what depends on them. Raises
        `DatabaseUnavailable` if the database does not answer or stays busy, and `StorageFull`
        if it has no room, perhaps not before the commit.
        """
        with self._transaction(self._writer) as connection:
            yield connection

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
            raise _meaning(error) from error

    def version(self) -> Version:
        """How the tables stand to this version of the program. Makes an empty SQLite file."""
        with self.read() as connection:
            return _version(connection)

    def migrate(self) -> None:
        """Bring the tables to what this version of the program needs; harmless when repeated.

        Processes that start together wait for one another. Raises `DatabaseTooNew`.
        """
        with self.write() as connection:
            if not self.is_sqlite:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7309459)"))
            if _version(connection) is Version.NEWER:
                raise DatabaseTooNew()
            command.upgrade(_alembic(connection), "head")

    def close(self) -> None:
        """Give all connections back. The database may not be used afterwards."""
        self.engine.dispose()


# What a database says when the disk is full. SQLite: also of a quota on the disk, and of the
# memory that its processes share, which is a file. PostgreSQL: its class 53100.
_SQLITE_FULL = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
)
_POSTGRESQL_FULL = "53100"


def _meaning(error: sa.exc.SQLAlchemyError) -> DavserverError:
    """What it means that the database failed in this way."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else None
    is_full = (
        getattr(cause, "sqlite_errorcode", None) in _SQLITE_FULL
        or getattr(cause, "sqlstate", None) == _POSTGRESQL_FULL
    )
    return StorageFull() if is_full else DatabaseUnavailable()


def _engine(url: sa.URL, busy_timeout: float) -> Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_size=16, max_overflow=32, pool_pre_ping=True)
    engine = sa.create_engine(
        url, connect_args={"timeout": busy_timeout}, pool_size=16, max_overflow=32
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, record: object) -> None:
        # The driver's own transactions begin too late, and never with IMMEDIATE.
        connection.isolation_level = None
        # FULL: a 2xx means it is kept, also when the power fails right after it.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        begin = connection.get_execution_options().get("davserver_begin", "BEGIN")
        connection.exec_driver_sql(str(begin))

    return engine


def _version(connection: Connection) -> Version:
    scripts = ScriptDirectory.from_config(_alembic(connection))
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        return Version.NONE
    if current == scripts.get_current_head():
        return Version.CURRENT
    known = {script.revision for script in scripts.walk_revisions()}
    return Version.OLDER if current in known else Version.NEWER


def _alembic(connection: Connection) -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.attributes["connection"] = connection
    return settings
