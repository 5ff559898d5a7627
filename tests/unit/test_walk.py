"""Trees on the disk that are deeper than a path can say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from davserver.documents import walk

DEEP = 1200  # levels: more than Python calls, and of this name more than a path may have
NAME = "très-profond"


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A tree whose path exceeds what the kernel takes, with a file at its end, and one before."""
    root = tmp_path / "deep"
    root.mkdir()
    descriptor = os.open(root, os.O_RDONLY)
    for level in range(DEEP):
        os.mkdir(NAME, dir_fd=descriptor)
        inner = os.open(NAME, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
        if level in (10, DEEP - 1):
            file = os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor)
            os.write(file, b"12345")
            os.close(file)
    os.close(descriptor)
    return root


def test_deep_trees(deep: Path) -> None:
    found = dict(walk.folders(deep))
    assert len(found) == DEEP + 1
    deepest = max(found, key=len)
    assert deepest == "/".join([NAME] * DEEP)
    assert [name for name, _ in found[deepest]] == ["file"]
    assert walk.size(deep) == 10
    assert walk.members(deep, deepest)[0][1].st_size == 5
    walk.remove(deep)
    assert not deep.exists()


def test_what_is_no_directory(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "inside").write_bytes(b"123")
    link, file, gone = tmp_path / "link", tmp_path / "file", tmp_path / "gone"
    link.symlink_to(target)
    file.write_bytes(b"1234")
    assert (walk.size(file), walk.size(gone)) == (4, 0)
    # A link is not followed, neither as the root nor inside.
    assert walk.size(link) == len(str(target))
    assert walk.size(tmp_path) == 4 + 3 + len(str(target))
    assert list(walk.folders(gone)) == list(walk.folders(file)) == list(walk.folders(link)) == []
    for one in (link, file, gone):
        walk.remove(one)
        assert not os.path.lexists(one)
    assert (target / "inside").read_bytes() == b"123"


def test_a_tree_is_removed_with_all_kinds_of_things_in_it(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"")
    for folder in ("a/b/c", "a/d", "e"):
        (root / folder).mkdir(parents=True)
    (root / "a/b/link").symlink_to(outside)
    os.mkfifo(root / "e/pipe")
    (Path(os.fsdecode(bytes(root) + b"/caf\xe9"))).write_bytes(b"x")
    assert [folder for folder, _ in walk.folders(root)][0] == ""
    walk.remove(root)
    assert not root.exists()
    assert (outside / "file").exists()
