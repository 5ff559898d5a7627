"""What a space should hold, as its traces tell, against what lies on the disk.

Whoever owns the server may put documents into a space's directory, or change, move and remove
them there. They are served as they are; here is found out what happened.
"""

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from davserver import paths
from davserver.documents import clutter, walk
from davserver.documents.tables import LIVE, traces
from davserver.documents.traces import ALTERED, ARRIVED, LEFT, Spot, other

_FETCHED = 1000  # rows at once, as there may be millions


@dataclass(slots=True)
class Node:
    """A document or a folder as it was recorded; what was not is None.

    Of a folder only the inode counts: its time changes with everything in it.
    """

    inode: int | None = None
    size: int | None = None
    mtime_ns: int | None = None
    members: dict[str, "Node"] | None = None

    def opened(self) -> dict[str, "Node"]:
        """Its members, to be changed."""
        if self.members is None:
            self.members = {}
        return self.members

    def suits(self, status: os.stat_result) -> bool:
        """Whether it is of the same kind; of an older version's records not all tell theirs."""
        if stat.S_ISDIR(status.st_mode):
            return self.size is None
        return not self.members and (self.size is not None or self.mtime_ns is None)

    def is_altered(self, status: os.stat_result) -> bool:
        """Whether a document has another content or time, or what it had was not recorded. Not by
        its inode: a data directory that was copied to a larger disk has other ones throughout."""
        if stat.S_ISDIR(status.st_mode):
            return False
        return self.size != status.st_size or self.mtime_ns not in (None, status.st_mtime_ns)


# As recorded


def recorded(connection: Connection, space_id: int) -> Node:
    """What the traces say that lies in the live tree of a space, as its root."""
    ids = _related(connection, space_id)
    query = sa.select(traces).where(traces.c.space_id.in_(ids)).order_by(traces.c.journal_id)
    rows = connection.execute(query.execution_options(yield_per=_FETCHED))
    trees = _Trees(_restored(connection, ids))
    for _, act in groupby(rows, key=lambda row: row.journal_id):
        trees.replay(list(act))
    return trees.root(space_id, LIVE)


def _related(connection: Connection, space_id: int) -> set[int]:
    """The space, and those that something came from, directly or not."""
    known: set[int] = set()
    pending = {space_id}
    while pending:
        known |= pending
        query = sa.select(traces.c.other_space_id).where(
            traces.c.space_id.in_(pending), traces.c.other_space_id.is_not(None)
        )
        pending = set(connection.execute(query.distinct()).scalars()) - known
    return known


def _restored(connection: Connection, space_ids: set[int]) -> set[tuple[int, str]]:
    """What went to history and came back from there: the rest of it need not be remembered."""
    query = sa.select(traces.c.space_id, traces.c.tree).where(
        traces.c.space_id.in_(space_ids), traces.c.tree != LIVE, traces.c.kind == LEFT
    )
    return {(row.space_id, row.tree) for row in connection.execute(query.distinct())}


class _Trees:
    """The trees that come about when acts are replayed, in their order."""

    def __init__(self, remembered: set[tuple[int, str]]) -> None:
        self._remembered = remembered
        self._roots: dict[tuple[int, str], Node] = {}

    def root(self, space_id: int, tree: str) -> Node:
        return self._roots.setdefault((space_id, tree), Node())

    def replay(self, act: list[sa.Row[Any]]) -> None:
        """What leaves in one act leaves at once, each thing for itself, and then arrives."""
        under_way: dict[Spot, Node | None] = {}
        for row in sorted(act, key=_depth, reverse=True):
            if row.kind == LEFT:
                node = self._take(Spot(row.space_id, row.tree, row.path))
                if row.other_space_id is not None:
                    under_way[other(row)] = node
        for row in sorted(act, key=_depth):
            spot = Spot(row.space_id, row.tree, row.path)
            if row.kind == ARRIVED and row.other_space_id is None:
                self._put(spot, Node(row.inode, row.size, row.mtime_ns))
            elif row.kind == ARRIVED:
                self._put(spot, under_way.pop(spot, None) or Node())
            elif row.kind == ALTERED:
                self._alter(spot, row)
        # Nothing arrives in history: it is where things go that leave.
        for spot, node in under_way.items():
            if node is not None and (spot.space_id, spot.tree) in self._remembered:
                self._put(spot, node)

    def _take(self, spot: Spot) -> Node | None:
        folder = self._find(spot, paths.parent(spot.path))
        if folder is None or folder.members is None:
            return None
        return folder.members.pop(paths.name(spot.path), None)

    def _put(self, spot: Spot, node: Node) -> None:
        folder = self.root(spot.space_id, spot.tree)
        *around, name = spot.path.split("/")
        for parent in around:
            # What is around it is there, recorded or not.
            folder = folder.opened().setdefault(parent, Node())
        folder.opened()[name] = node

    def _alter(self, spot: Spot, row: sa.Row[Any]) -> None:
        node = self._find(spot, spot.path)
        if node is not None:
            node.inode, node.size, node.mtime_ns = row.inode, row.size, row.mtime_ns

    def _find(self, spot: Spot, path: str) -> Node | None:
        node: Node | None = self.root(spot.space_id, spot.tree)
        for name in path.split("/") if path else ():
            node = node.members.get(name) if node is not None and node.members else None
        return node


def _depth(row: sa.Row[Any]) -> int:
    return len(row.path)


# As found


@dataclass
class Difference:
    """What the disk has that the traces do not tell, by paths in the space.

    `appeared` holds all of a tree, `vanished` and `moved` (where from, where to) a tree only
    itself. `too_long` and `unreadable` are what could not be looked at.
    """

    appeared: dict[str, os.stat_result] = field(default_factory=dict)
    vanished: list[str] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    altered: dict[str, os.stat_result] = field(default_factory=dict)
    too_long: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.appeared or self.vanished or self.moved or self.altered)

    def tops(self) -> list[str]:
        """What appeared, without what is in something else that did."""
        return [path for path in self.appeared if paths.parent(path) not in self.appeared]


def compare(root: Path, expected: Node) -> Difference:
    """What has become, in the directory `root`, of what was `expected` there.

    `expected` is used up by it.
    """
    difference = Difference()
    missing: list[tuple[str, Node]] = []
    pending: list[tuple[str, str, Node | None]] = [("", "", expected)]
    while pending:
        folder, path, node = pending.pop()
        members = (node.members if node else None) or {}
        try:
            found = list(visible(root, folder))
        except PermissionError:
            difference.unreadable.append(path)
            continue
        for name, shown, status in found:
            where = paths.join(path, shown)
            if len(where.encode()) > paths.PATH_MAX:
                difference.too_long.append(where)
                continue
            known = members.get(shown)
            if known is None or not known.suits(status):
                known = None
                difference.appeared[where] = status
            elif not known.is_altered(status):
                del members[shown]
            elif known.inode in (None, status.st_ino):
                del members[shown]
                difference.altered[where] = status
            else:
                # Another document took its place; perhaps one that was known by another name.
                difference.appeared[where] = status
            if stat.S_ISDIR(status.st_mode):
                pending.append((walk.join(folder, name), where, known))
        missing += [(paths.join(path, name), members[name]) for name in members]
    _Search(difference).resolve(missing)
    return difference


def visible(root: Path, folder: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """What may be seen of a directory below `root`: names as the disk has them, and as they are
    shown. Clutter is not: that of this name lies elsewhere. Raises `PermissionError`."""
    try:
        found = walk.members(root, folder)
    except (FileNotFoundError, NotADirectoryError):
        # Gone since it was seen.
        return
    # Of two of one name the one that is written as it is shown is found by it.
    shown = {name for name, _ in found if unicodedata.is_normalized("NFC", name)}
    for name, status in found:
        normal = unicodedata.normalize("NFC", name)
        if normal != name and normal in shown or not is_text(name):
            continue
        shown.add(normal)
        is_folder = stat.S_ISDIR(status.st_mode)
        if is_folder or (stat.S_ISREG(status.st_mode) and not clutter.is_clutter(normal)):
            yield name, normal, status


def is_text(name: str) -> bool:
    """Whether a name on the disk can be written in Unicode."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Search:
    """Looks for what is missing among what appeared."""

    def __init__(self, difference: Difference) -> None:
        self._difference = difference
        self._by_inode = {one.st_ino: path for path, one in difference.appeared.items()}

    def resolve(self, missing: list[tuple[str, Node]]) -> None:
        """Tell what was moved from what vanished, also out of what vanished, and from documents
        that were replaced."""
        found = self._difference
        replaced = {
            path
            for path, node in missing
            if path in found.appeared and node.suits(found.appeared[path])
        }
        pending = [(path, node, True) for path, node in missing]
        while pending:
            path, node, is_top = pending.pop()
            new = self._found(node)
            if new is not None:
                found.moved.append((path, new))
                left = self._moved(new, node)
                pending += [(path + below, inner, True) for below, inner in left]
                continue
            if is_top:
                found.vanished.append(path)
            members = node.members or {}
            pending += [(f"{path}/{name}", members[name], False) for name in members]
        # By nothing that was there before: it is the same document, with another content.
        same = replaced & found.appeared.keys() & set(found.vanished)
        found.vanished = [path for path in found.vanished if path not in same]
        found.altered |= {path: found.appeared.pop(path) for path in same}

    def _found(self, node: Node) -> str | None:
        """Where it lies now. An inode may have been given to something else since."""
        appeared = self._difference.appeared
        path = None if node.inode is None else self._by_inode.get(node.inode)
        if path is None or path not in appeared or not node.suits(appeared[path]):
            return None
        if node.members and not any(f"{path}/{name}" in appeared for name in node.members):
            return None
        return None if node.is_altered(appeared[path]) else path

    def _moved(self, new: str, node: Node) -> list[tuple[str, Node]]:
        """What lies at `new` is no news, nor what it had in it; return what it has lost."""
        appeared, lost = self._difference.appeared, []
        del appeared[new]
        pending = [("", node)]
        while pending:
            below, folder = pending.pop()
            for name, member in (folder.members or {}).items():
                inner = f"{below}/{name}"
                status = appeared.get(new + inner)
                if status is None or not member.suits(status):
                    lost.append((inner, member))
                    continue
                del appeared[new + inner]
                if member.is_altered(status):
                    self._difference.altered[new + inner] = status
                pending.append((inner, member))
        return lost
