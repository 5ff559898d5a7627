"""The upkeep of a real server: by itself, in one of its processes, and until it stops."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.database import Database
from davserver.documents.tables import kept
from tests.server.postgres import Postgres
from tests.server.town import SPACE, Town, until

# What a real one waits for minutes for. Python itself runs a file of this name when it starts.
IMPATIENT = """\
from davserver.upkeep import Upkeep

Upkeep.__init__.__kwdefaults__.update(first=0.0, then=0.1)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/davserver.db"
    cluster = request.getfixturevalue("postgres")
    assert isinstance(cluster, Postgres)
    return cluster.create_database()


@pytest.fixture
def town(url: str, tmp_path: Path) -> Iterator[Town]:
    town = Town.found(tmp_path / "data", url)
    yield town
    town.server.kill()


def age(url: str, by: timedelta) -> None:
    """Let what history keeps have come there earlier."""
    database = Database(url)
    with database.write() as connection:
        for row in connection.execute(sa.select(kept.c.uid, kept.c.at)).all():
            connection.execute(kept.update().where(kept.c.uid == row.uid).values(at=row.at - by))
    database.close()


def history(town: Town) -> list[bytes]:
    root = town.server.data / "history/conseil"
    return [file.read_bytes() for file in root.rglob("*") if file.is_file()]


def test_history_is_kept_and_then_freed_by_one_of_two(town: Town, url: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT)
    with town.server:
        for number in range(20):
            town.put(f"{SPACE}/{number}", b"former")
            town.put(f"{SPACE}/{number}", b"present")
    age(url, timedelta(days=400))
    other = town.another()
    for server in (town.server, other):
        server.environment["PYTHONPATH"] = str(tmp_path)
    with town.server, other:
        until(lambda: not history(town), "what is old is freed")
        town.put(f"{SPACE}/0", b"newest")
        assert town.ask("anne", "GET", f"{SPACE}/0", server=other).body == b"newest"
        assert town.findings() == []
        runs = [entry for entry in town.journal() if entry.action == "retention.run"]
        assert [(run.login, run.address, run.detail) for run in runs] == [
            (
                "davserver",
                "server",
                {"versions": 20, "trash": 0, "bytes": 20 * len(b"former")},
            )
        ]
        assert town.server.stop() == 0
        assert other.stop() == 0
    assert history(town) == [b"present"]
    assert "Traceback" not in town.logged() + other.log.read_text()
