"""A hall that can be put back to how it was, any number of times, and what it is then.

To be put back costs as little as possible: documents are never written over, so that a second
name is as good as a copy, and keeps its inode.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from acl.tables import journal
from config.database import Database, metadata
from davserver.documents.store import Store
from davserver.documents.tables import traces
from tests.integration.documents_client import Hall, tree

# These come first: in their order all names are met that chance chose.
_IN_ORDER = (journal, traces)
# What is written beside an act, by whoever logs in or starts.
_ASIDE = ("devices", "leases", "registry_revision")
_TABLES = (
    *_IN_ORDER,
    *(one for one in metadata.sorted_tables if one not in _IN_ORDER and one.name not in _ASIDE),
)
_UID = re.compile(r"\b[0-9a-f]{32}\b")
_TOKEN = re.compile(r"\burn:uuid:[0-9a-f-]{36}\b")


@dataclass(frozen=True)
class Moment:
    """A copy of a hall as it once was. `times` are when its documents were modified, `inodes`
    names them."""

    directory: Path
    database: str
    now: datetime
    content: Mapping[str, bytes | str]
    times: Mapping[Path, int]
    inodes: frozenset[int]


@dataclass(frozen=True)
class State:
    """All that is kept: on the disk by path, and the rows of the tables.

    Names and numbers that chance chose are left out, so that the same acts lead to equal states.
    """

    disk: Mapping[str, object]
    rows: Mapping[str, list[str]]

    @property
    def acts(self) -> int:
        """How many rows the journal has."""
        return len(self.rows["journal"])

    def unlike(self, other: State) -> list[str]:
        """What differs, each thing once."""
        found = [
            f"{path}: {self.disk.get(path)}, {other.disk.get(path)}"
            for path in {**self.disk, **other.disk}
            if self.disk.get(path) != other.disk.get(path)
        ]
        for table, rows in self.rows.items():
            differing = Counter(rows), Counter(other.rows[table])
            found += [f"{table}: {row}, only" for row in differing[0] - differing[1]]
            found += [f"{table}: {row}, missing" for row in differing[1] - differing[0]]
        return found


class Stage:
    """Puts `hall` back to moments; `directory` is where those are."""

    def __init__(self, hall: Hall, directory: Path) -> None:
        self.hall = hall
        self._directory = directory
        self._moments = 0
        self._read: dict[tuple[Path, str], tuple[_Names, dict[str, list[str]]]] = {}

    def keep(self) -> Moment:
        """Remember how it is now."""
        self.hall.database.close()
        self._moments += 1
        directory = self._directory / f"moment{self._moments}"
        _second_names(self.hall.store.data, directory / "data")
        database = self._copy_database(self._database, directory / "database", self._moments)
        files = [path for path in (directory / "data").rglob("*") if path.is_file()]
        return Moment(
            directory,
            database,
            self.hall.now,
            tree(directory / "data"),
            {path: path.stat().st_mtime_ns for path in files},
            frozenset(path.stat().st_ino for path in files),
        )

    def put_back(self, moment: Moment) -> None:
        """Make it what it was, with no process that serves it."""
        hall = self.hall
        hall.database.close()
        for file, modified in moment.times.items():
            # The only thing of a document that is ever changed in its place.
            if file.stat().st_mtime_ns != modified:
                os.utime(file, ns=(modified, modified))
        _put_back(moment.directory / "data", hall.store.data)
        self._copy_database(moment.database, Path(self._database), 0)
        hall.now = moment.now

    def forget(self, moment: Moment) -> None:
        """Make room, and see that nothing has been written over."""
        assert tree(moment.directory / "data") == moment.content
        shutil.rmtree(moment.directory)
        self._read.clear()

    @property
    def _database(self) -> str:
        name = self.hall.database.url.database
        assert name is not None
        return name

    def _copy_database(self, source: str, file: Path, number: int) -> str:
        """Copy a database; return what names the copy."""
        url = self.hall.database.url
        if self.hall.database.is_sqlite:
            for suffix in ("-wal", "-shm"):
                assert not Path(source + suffix).exists()
                file.with_name(file.name + suffix).unlink(missing_ok=True)
            shutil.copyfile(source, file)
            return str(file)
        name = f"{self._database}_{number}" if number else self._database
        engine = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {source}")
        engine.dispose()
        return name

    def a_day_later(self) -> None:
        """Start once more, when nobody comes back any more for what was left in staging."""
        documents = self.hall.app.documents
        # The files' times are not the hall's, but the machine's.
        documents.clock = lambda: datetime.now(UTC) + timedelta(days=2)
        documents.recover()
        documents.clock = lambda: self.hall.now

    def state(self, moment: Moment) -> State:
        """What the hall is now; documents of `moment` are told from what has come since."""
        with self.hall.database.read() as connection:
            exact = (moment.directory, _exact(connection))
            if exact not in self._read:
                # Most often nothing was committed: then all of it is known already.
                names = _Names()
                self._read[exact] = names, _rows(connection, moment, names)
        names, rows = self._read[exact]
        return State(_disk(self.hall.store, moment, _Names(names)), rows)


def _second_names(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=os.link)


def _put_back(source: Path, target: Path) -> None:
    """Let `target` hold what `source` holds; what it does already stays."""
    with os.scandir(source) as entries:
        wanted = {entry.name: entry for entry in entries}
    with os.scandir(target) as entries:
        for there in list(entries):
            one = wanted.get(there.name)
            if one is not None and one.is_dir() and there.is_dir():
                _put_back(Path(one), Path(there))
                del wanted[there.name]
            elif one is not None and one.inode() == there.inode():
                del wanted[there.name]
            elif there.is_dir():
                shutil.rmtree(there)
            else:
                os.unlink(there)
    for name, one in wanted.items():
        if one.is_dir():
            _second_names(Path(one), target / name)
        else:
            os.link(one, target / name)
    shutil.copystat(source, target)


@contextmanager
def one_database(hall: Hall) -> Iterator[None]:
    """Let every process to come use the same object for the database.

    Its connections are its process's own all the same; but to find out anew how to say things in
    SQL would take half of the time.
    """
    database = hall.database

    def same(url: str, *, busy_timeout: float) -> Database:
        ours = sa.make_url(url) == database.url
        return database if ours else Database(url, busy_timeout=busy_timeout)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("davserver.app.Database", same)
        yield


class _Names(dict[str, str]):
    """What is put in place of names and numbers that chance chose, in the order they are met."""

    def apply(self, text: str) -> str:
        return _TOKEN.sub("token", _UID.sub(self._name, text))

    def _name(self, match: re.Match[str]) -> str:
        return self.setdefault(match[0], f"uid{len(self)}")


def _exact(connection: sa.Connection) -> str:
    """The rows of all tables, as they are."""
    cursor, found = connection.connection.cursor(), []
    for table in _TABLES:
        cursor.execute(f"SELECT * FROM {table.name}")
        found.append(cursor.fetchall())
    return repr(found)


def _rows(connection: sa.Connection, moment: Moment, names: _Names) -> dict[str, list[str]]:
    found = {}
    ranks = {
        table.name: _ranks(connection, table) for table in metadata.sorted_tables if "id" in table.c
    }
    for table in _TABLES:
        # What has no order of its own has that of its paths, for names of chance.
        order = ("id",) if table in _IN_ORDER else ("journal_id", "space_id", "path")
        query = sa.select(table).order_by(*(table.c[name] for name in order if name in table.c))
        rows = []
        for row in connection.execute(query):
            values = _values(table, row, ranks, moment)
            rows.append(names.apply(json.dumps(values, sort_keys=True, default=str)))
        found[table.name] = rows if table in _IN_ORDER else sorted(rows)
    return found


def _ranks(connection: sa.Connection, table: sa.Table) -> dict[int, int]:
    """Numbers without gaps: an act that was undone may have used one up."""
    ids = connection.execute(sa.select(table.c.id).order_by(table.c.id)).scalars()
    return {one: rank for rank, one in enumerate(ids)}


def _values(
    table: sa.Table,
    row: sa.Row[Any],
    ranks: Mapping[str, Mapping[int, int]],
    moment: Moment,
) -> dict[str, Any]:
    values = {name: value for name, value in row._mapping.items() if name != "id"}
    for name, value in values.items():
        for key in table.c[name].foreign_keys:
            values[name] = value and ranks[key.column.table.name][value]
    detail = values.get("detail", {})
    if detail.get("succeeds"):
        detail["succeeds"] = ranks[journal.name][detail["succeeds"]]
    for place in (values, detail):
        if place.get("inode") is not None:
            place["inode"] = _inode(place["inode"], moment)
    if values.get("inode") == _NEW:
        values["mtime_ns"] = _time(values["mtime_ns"], moment)
    return values


def _disk(store: Store, moment: Moment, names: _Names) -> dict[str, object]:
    found = {}
    for root in (store.spaces, store.history, store.clutter):
        for folder, directories, files in os.walk(root):
            for name in sorted([*directories, *files]):
                file = Path(folder, name)
                path = file.relative_to(store.data)
                # The ways into history and clutter are made before anything goes there.
                way = root == store.history and len(path.parts) <= 3
                if way or (root == store.clutter and file.is_dir()):
                    continue
                if root == store.history:
                    path = Path("history", path.parts[1], *path.parts[3:])
                found[names.apply(str(path))] = _file(file, moment)
    return found


def _file(file: Path, moment: Moment) -> object:
    if file.is_dir():
        return "folder"
    status = file.lstat()
    inode = _inode(status.st_ino, moment)
    modified = _time(status.st_mtime_ns, moment) if inode == _NEW else status.st_mtime_ns
    return file.read_bytes(), inode, modified


def _inode(inode: int, moment: Moment) -> int | str:
    return inode if inode in moment.inodes else _NEW


def _time(modified: int, moment: Moment) -> object:
    if modified in moment.times.values():
        return modified
    # Below the second, chance sets it apart from others (see upload.py).
    seconds = modified // 10**9
    return seconds if time.time() - seconds > 86400 else "now"


_NEW = "new"
