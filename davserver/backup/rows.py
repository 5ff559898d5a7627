"""The database as one SQLite file, whatever it is kept in, and back.

Rows are carried over as they are stored: a moment as its number, JSON as its text. So nothing is
lost or changed between the two kinds of database, and one kind of backup serves both.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.database import Database, Instant, metadata
from config.errors import DatabaseUnavailable, StorageFull
from davserver.backup.disk import sync_file

_BATCH = 1000
# SQLite says the second one of a quota.
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE})


def sqlite(file: Path) -> Database:
    """The SQLite database `file`."""
    url = sa.URL.create("sqlite", database=str(file))
    return Database(url.render_as_string(hide_password=False))


def dump(source: Connection, file: Path) -> str:
    """Write all that the transaction `source` sees into the new SQLite `file`, durably.

    Returns the revision of its tables. An error of the disk is an `OSError`.
    """
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    database = sqlite(file)
    try:
        with _disk_errors(file):
            database.migrate()
    finally:
        database.close()
    engine = sa.create_engine(database.url, poolclass=sa.NullPool)
    with engine.connect() as target:
        with _disk_errors(file):
            # One file, without a log beside it, and also for a disk that cannot be written to.
            target.exec_driver_sql("PRAGMA journal_mode=DELETE")
            # What is cut short is thrown away: there is nothing to roll back to.
            target.exec_driver_sql("PRAGMA journal_mode=OFF")
            revision = target.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
            _clear(target)
        for table, rows in _batches(source):
            with _disk_errors(file):
                target.execute(table.insert(), rows)
        with _disk_errors(file):
            target.commit()
    sync_file(file)
    return str(revision)


def load(file: Path, target: Connection) -> None:
    """Write all that is in the SQLite `file` into the tables of `target`, in place of their rows.

    Both have the tables of this version.
    """
    database = sqlite(file)
    try:
        _clear(target)
        with database.read() as source:
            for table, rows in _batches(source):
                target.execute(table.insert(), rows)
    finally:
        database.close()
    if target.dialect.name == "postgresql":
        _go_on_counting(target)


def _clear(target: Connection) -> None:
    """Take away what the migrations have put there."""
    for table in reversed(metadata.sorted_tables):
        target.execute(table.delete())


def _batches(source: Connection) -> Iterator[tuple[sa.TableClause, list[dict[str, Any]]]]:
    """All rows, of what others refer to before what refers to it."""
    for table in map(as_stored, metadata.sorted_tables):
        query = sa.select(table).execution_options(yield_per=_BATCH)
        for batch in source.execute(query).partitions():
            yield table, [dict(row._mapping) for row in batch]


def _go_on_counting(target: Connection) -> None:
    """Let new rows get numbers that follow those of the rows that were loaded."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
        last = sa.select(sa.func.max(column)).scalar_subquery()
        target.execute(
            sa.select(sa.func.setval(sequence, sa.func.coalesce(last, 1), last.is_not(None)))
        )


def as_stored(table: sa.Table) -> sa.TableClause:
    """The table with its values as they are stored."""
    return sa.table(
        table.name, *(sa.column(column.name, _stored(column.type)) for column in table.columns)
    )


def _stored(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """The type by which a column is carried over as it is stored."""
    if isinstance(kind, sa.JSON):
        return _JsonText()
    return sa.BigInteger() if isinstance(kind, Instant) else kind


class _JsonText(sa.types.TypeDecorator[str]):
    """JSON as its text: null, and no value at all, are two things."""

    impl = sa.JSON
    cache_ok = True

    def column_expression(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.type_coerce(sa.cast(column, sa.Text), self)

    def bind_processor(self, dialect: sa.Dialect) -> None:
        return None

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> None:
        return None


@contextmanager
def _disk_errors(file: Path) -> Iterator[None]:
    """Raise an `OSError` where SQLite could not write `file`."""
    try:
        yield
    except (sa.exc.OperationalError, DatabaseUnavailable, StorageFull) as error:
        cause = error if isinstance(error, sa.exc.OperationalError) else error.__cause__
        origin = cause.orig if isinstance(cause, sa.exc.OperationalError) else None
        full = getattr(origin, "sqlite_errorcode", None) in _FULL
        code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, os.strerror(code), str(file)) from error
