"""Files that operating systems leave everywhere: `._name`, `.DS_Store`, `Thumbs.db`, `desktop.ini`.

To refuse them breaks copies from a Mac. So they are accepted, shown to the account that wrote
them and to nobody else, kept apart for some days, and never versioned, journalled or counted.
"""

import os
from pathlib import Path

from davserver.documents.store import Store

_NAMES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})


def is_clutter(name: str) -> bool:
    """Whether a file of this name is clutter."""
    return name.startswith("._") or name.casefold() in _NAMES


def tree(account_id: int) -> str:
    """The tree (see tables.py) that holds an account's clutter."""
    return f"~{account_id}"


def root(store: Store, tree: str, slug: str) -> Path:
    """Where the clutter of `tree` in a space lies, by the same paths as the live documents."""
    return store.clutter / tree / slug


def sweep(store: Store, days: int, now: float) -> None:
    """Remove clutter that has not been written for `days` days. `now` is POSIX time."""
    for directory, _, files in os.walk(store.clutter, topdown=False):
        for name in files:
            file = Path(directory, name)
            try:
                if now - file.stat().st_mtime > days * 86400:
                    file.unlink()
            except FileNotFoundError:
                continue
        if Path(directory) != store.clutter:
            try:
                os.rmdir(directory)
            except OSError:
                # Not empty, or written to by another process just now.
                continue


def make_way(disk: Path) -> None:
    """Make the directories that lead to `disk`."""
    disk.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
