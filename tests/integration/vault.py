"""A town hall with something of everything, its backups, and the way back from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from acl.actor import Actor
from config.database import Database, metadata
from config.language import Phrase
from davserver.backup.progress import Progress, Silence
from davserver.backup.restore import Restored, restore
from davserver.backup.rows import as_stored
from davserver.backup.shelf import Shelf
from davserver.backup.snapshot import Done, back_up
from davserver.backup.verify import Problem, Verifier
from tests.integration.calendars_client import card, event, task
from tests.integration.documents_client import COLOUR, DAV, READER, Hall, at, plant, tree

CONSOLE = Actor.console("root")


def furnish(hall: Hall) -> None:
    """Give the council something of everything that a backup must bring back."""
    bruno, chloe = hall.client("bruno"), hall.client("chloe")
    plant(bruno)
    for number in range(3):
        hall.later(minutes=10)
        done(bruno.put(at("versions.txt"), f"version {number}"))
    done(bruno.put(at("old.txt"), b"to be moved"))
    done(bruno.move(at("old.txt"), at("dossier/new.txt")))
    done(bruno.put(at("deleted.txt"), b"deleted"))
    done(bruno.delete(at("deleted.txt")))
    done(bruno.mkcol(at("gone")))
    done(bruno.put(at("gone/inside.txt"), b"inside"))
    done(bruno.delete(at("gone")))
    done(bruno.copy(at("dossier"), at("copy")))
    done(bruno.put(at("séance du 3 décembre.odt"), b"accents"))
    done(bruno.put(at("~$passing.docx"), b"gone without a trace"))
    done(bruno.delete(at("~$passing.docx")))
    done(bruno.put(at(".DS_Store"), b"clutter"))
    done(bruno.proppatch(at(".DS_Store"), {COLOUR: "grey"}))
    done(bruno.lock(at("lettre.txt")))
    hall.restrict("conseil", "paie", {"chloe": READER})
    done(chloe.get(at("paie/")))
    hall.group("bureau", "bruno", "chloe")
    agenda = "/calendars/bruno/conseil"
    done(bruno.proppatch(f"{agenda}/", {f"{DAV}displayname": "Le conseil"}))
    for uid in ("1", "2", "3"):
        done(bruno.put(f"{agenda}/{uid}.ics", event(uid)))
    done(bruno.put(f"{agenda}/1.ics", event("1", "Autre chose")))
    done(bruno.delete(f"{agenda}/3.ics"))
    done(bruno.put(f"{agenda}-tasks/t.ics", task()))
    done(bruno.put(f"{agenda}-contacts/c.vcf", card()))


def done(reply: Any) -> None:
    """A request that must succeed."""
    assert 200 <= reply.status < 300, reply


@dataclass
class Vault:
    """Backups of a hall, and what is brought back from them."""

    hall: Hall
    shelf: Path
    opened: list[Hall] = field(default_factory=list)

    def back_up(self, progress: Progress | None = None, **options: Any) -> Done:
        """Make a backup that leaves nothing out, as nobody keeps it from it."""
        made = self.try_to(progress, **options)
        assert made.left_out == {}
        return made

    def try_to(self, progress: Progress | None = None, **options: Any) -> Done:
        documents = self.hall.app.documents
        before = documents.clock
        # Files have the time of the machine: what is of this very moment would be copied twice.
        documents.clock = lambda: datetime.now(UTC) + timedelta(hours=1)
        try:
            return back_up(
                documents, CONSOLE, Shelf(self.shelf), progress or Silence(), "1.2.3", **options
            )
        finally:
            documents.clock = before

    def problems(self, backup: Path) -> list[tuple[str, str]]:
        """What `davserver verify` finds."""
        found: list[Problem] = list(Verifier(Silence()).problems(backup))
        return sorted((problem.path, str(problem.what)) for problem in found)

    def restore(self, backup: Path, data: Path, url: str = "", **options: Any) -> Restored:
        """Bring it back; `url` names a database, else it is SQLite in the directory."""
        url = url or f"sqlite:///{data}/davserver.db"
        return restore(backup, data, lambda _: url, CONSOLE, self.hall.now, Silence(), **options)

    def reopened(self, backup: Path, data: Path, url: str = "") -> Hall:
        """Bring it back, and let it be served."""
        self.restore(backup, data, url)
        hall = Hall(data, url or f"sqlite:///{data}/davserver.db")
        hall.passwords, hall.now, hall.known = self.hall.passwords, self.hall.now, self.hall.known
        self.opened.append(hall)
        hall.consistent()
        return hall

    def close(self) -> None:
        for hall in self.opened:
            hall.consistent()
            hall.app.database.close()


State = dict[str, tuple[bytes | str, int]]
"""What lies where, and its time of modification."""


def state(data: Path) -> State:
    """The live documents and the history."""
    return {
        f"{name}/{path}": (content, os.lstat(data / name / path).st_mtime_ns)
        for name in ("history", "spaces")
        for path, content in tree(data / name).items()
    }


Rows = dict[str, list[dict[str, Any]]]


def stored(database: Database) -> Rows:
    """All rows of all tables by the tables' names, as they are stored."""
    found: Rows = {}
    with database.read() as connection:
        for table in metadata.sorted_tables:
            rows = connection.execute(sa.select(as_stored(table)))
            found[table.name] = sorted((dict(row._mapping) for row in rows), key=repr)
    return found


class Meanwhile:
    """Lets things happen while a backup is made, each when its stage begins for the n-th time."""

    def __init__(self, acts: Mapping[tuple[str, int], Callable[[], object]]) -> None:
        self._acts = dict(acts)
        self.stages: list[tuple[str, int]] = []

    def begin(self, stage: Phrase, files: int = 0, size: int = 0) -> None:
        times = sum(name == str(stage) for name, _ in self.stages)
        self.stages.append((str(stage), times))
        act = self._acts.pop(self.stages[-1], None)
        if act is not None:
            act()

    def advance(self, files: int = 0, size: int = 0) -> None:
        pass


def inodes(root: Path) -> dict[str, int]:
    """The inode of each file below `root`."""
    return {
        os.path.relpath(os.path.join(folder, name), root): os.lstat(
            os.path.join(folder, name)
        ).st_ino
        for folder, _, names in os.walk(root)
        for name in names
    }
