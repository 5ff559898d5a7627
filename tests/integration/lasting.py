"""In which order things must be made to last, so that a power failure does no more than a kill.

A file system that keeps a journal has, after a power failure, the names that it had at some
moment since it was last asked to make any last. So what may not be lost is what the database
says, or what other names lead to.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from tests.integration.mortal import COMMIT, Call

_INTENTS = "staging/intents"


def check(calls: Iterable[Call], intents: Iterable[str] = ()) -> None:
    """See that these, all that an act asks of the system, come in such an order.

    `intents` are there already.
    """
    order = _Order(set(intents))
    for call in calls:
        try:
            order.follow(call)
        except AssertionError as error:
            raise AssertionError(f"{error}: {call}") from None
    assert not order.intents, "an intent is left"


class _Order:
    """What would not last yet: the content of files, and the names in directories."""

    def __init__(self, intents: set[str]) -> None:
        self.files: set[str] = set()
        self.directories: set[str] = set()
        self.intents = intents
        self.committed = False
        self.turned = False

    def follow(self, call: Call) -> None:
        match call.what, call.names:
            case _, () if call.what == COMMIT:
                assert not _lasting(self.files | self.directories), "committed before it lasts"
                self.committed = True
            case (("fsync" | "fdatasync"), (name,)):
                self.turned = self.turned and name != "staging"
                self.files.discard(name)
                self.directories.discard(name)
            case (("link" | "rename" | "replace"), (source, target)):
                if _lasting((source, target)):
                    self.step()
                self.directories |= {os.path.dirname(source), os.path.dirname(target)}
                for names in (self.files, self.directories):
                    for name in [name for name in names if _in(name, source)]:
                        names.add(target + name.removeprefix(source))
                        if call.what != "link":
                            names.remove(name)
            case "open", (name,):
                self.directories.add(os.path.dirname(name))
                if os.path.dirname(name) == _INTENTS:
                    self.intents.add(name)
                    self.committed = False
            case (("unlink" | "remove"), (name,)):
                if name in self.intents:
                    self.intents.remove(name)
                    undone = not _lasting(self.files | self.directories)
                    assert self.committed or undone, "forgotten before it is undone"
                self.files.discard(name)
                self.directories.add(os.path.dirname(name))
            case (("mkdir" | "rmdir"), (name,)) if name.endswith(".turn"):
                assert not _lasting(self.files | self.directories), "turned before it lasts"
                self.turned = True
            case (("mkdir" | "rmdir"), (name,)):
                # The way to what history keeps may be made whatever comes of it.
                if _lasting((name,)) and not (name.startswith("history/") and name.count("/") < 3):
                    self.step()
                self.directories.add(os.path.dirname(name))
            case _, (name,):
                if _lasting((name,)):
                    self.step()
                self.files.add(name)

    def step(self) -> None:
        """Something is about to be changed that is not only staged."""
        assert self.intents, "done before it is written down"
        unsure = {name for name in self.files | self.directories if _in(name, _INTENTS)}
        assert not unsure, "done before the intent lasts"
        assert not self.turned, "done before the turn lasts"


def _lasting(names: Iterable[str]) -> set[str]:
    """Those that are there for good."""
    return {name for name in names if _in(name, "spaces") or _in(name, "history")}


def _in(name: str, directory: str) -> bool:
    return name == directory or name.startswith(f"{directory}/")
