"""What every test may ask for: a database of each kind, and programs that must be there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.server.postgres import Postgres, PostgresMissing
from tests.server.process import serving

# The Debian package of a program, where the two differ.
PACKAGES = {
    "/usr/lib/gvfs/gvfsd-dav": "gvfs-backends",
    "/usr/lib/python3/dist-packages/uno.py": "python3-uno",
    "dbus-run-session": "dbus-daemon",
    "fusermount3": "fuse3",
    "gio": "libglib2.0-bin",
    "initdb": "postgresql-15",
    "kioclient5": "kde-cli-tools",
    "mount.davfs": "davfs2",
    "nginx": "nginx-light",
    "soffice": "libreoffice-writer",
}
# Not everyone has these in their PATH.
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "needs(*programs): the programs, or absolute files, that a test uses; "
        "one missing fails it in CI, and skips it elsewhere, by name",
    )


def missing(program: str) -> NoReturn:
    """Fail in CI, where everything must run; skip elsewhere and say what to install."""
    advice = f"{program} is not installed: apt-get install {PACKAGES.get(program, program)}"
    if os.environ.get("CI"):
        pytest.fail(advice, pytrace=False)
    pytest.skip(advice)


def pytest_runtest_setup(item: pytest.Item) -> None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), SYSTEM_PATH])
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program, path=path) is None and not Path(program).is_file():
                missing(program)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for server in serving:
            report.sections.append((f"davserver at {server.url}", server.tail()))
    return report


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this session's own, started by the first test that asks for it."""
    try:
        cluster = Postgres()
    except PostgresMissing:
        missing("initdb")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new, empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/davserver.db"
    cluster = request.getfixturevalue("postgres")
    assert isinstance(cluster, Postgres)
    return cluster.create_database()
