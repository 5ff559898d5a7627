"""Data directories for the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.console import Console


@pytest.fixture
def nothing(tmp_path: Path) -> Console:
    """A data directory that is not there yet."""
    return Console(tmp_path / "data")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("founded") / "data"
    Console(data)("init", "--template", "commune")
    return data


@pytest.fixture
def mairie(founded: Path, tmp_path: Path) -> Console:
    """A commune, as `init` makes it."""
    shutil.copytree(founded, tmp_path / "data")
    return Console(tmp_path / "data")
