"""The house rules that a program can check (reference: CONTRIBUTING, and DESIGN's layout)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import Section, Settings

ROOT = Path(__file__).parents[2]
PACKAGES = ("config", "acl", "calendars", "davserver")
FUNCTION_MAX, FILE_MAX = 60, 500
MIGRATIONS = ROOT / "config" / "migrations" / "versions"

MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
assert len(MODULES) > 100

each_module = pytest.mark.parametrize(
    "module", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES]
)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@each_module
def test_files_and_functions_fit(module: Path) -> None:
    text = module.read_text("utf-8")
    assert len(text.splitlines()) <= FILE_MAX
    for function in functions(ast.parse(text)):
        assert function.end_lineno is not None
        # A migration is a list of what it makes.
        if MIGRATIONS not in module.parents:
            lines = function.end_lineno - function.lineno + 1
            assert lines <= FUNCTION_MAX, f"{function.name}: {lines} lines"


@each_module
def test_every_module_says_what_it_is(module: Path) -> None:
    text = module.read_text("utf-8")
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "no docstring"


@each_module
def test_no_module_is_a_bag(module: Path) -> None:
    for part in module.relative_to(ROOT).with_suffix("").parts:
        assert part.lower() not in {"util", "utils", "helper", "helpers", "common", "misc"}
        assert not part.lower().endswith(("manager", "_util", "_utils", "_helpers"))


@each_module
def test_nothing_is_left_behind(module: Path) -> None:
    for number, line in enumerate(module.read_text("utf-8").splitlines(), 1):
        # With an issue, or not at all.
        assert not re.search(r"\b(TODO(?!\(#)|FIXME|XXX)\b", line), number
        assert "breakpoint(" not in line, number


@each_module
def test_an_error_is_caught_by_its_name(module: Path) -> None:
    """But for the last resort, which answers and logs, and for what undoes and raises again."""
    if module == ROOT / "davserver" / "http" / "replies.py":
        return
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = ast.unparse(node.type) if node.type else "everything"
        if caught in ("everything", "Exception", "BaseException"):
            raises = [one for one in ast.walk(node) if isinstance(one, ast.Raise)]
            assert raises, f"line {node.lineno} catches {caught}"


def test_imports_run_one_way() -> None:
    finished = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "1 kept, 0 broken" in finished.stdout


def test_protocol_packages_know_neither_the_policy_nor_sql() -> None:
    """`davserver.dav` turns requests into verbs and what they return into replies; the policy is
    asked below it, and `http` is above both."""
    for module in sorted((ROOT / "davserver" / "documents").glob("*.py")):
        for name in imported(module):
            assert not name.startswith(("davserver.dav", "davserver.http", "wsgidav")), module
    for module in sorted((ROOT / "davserver" / "dav").glob("*.py")):
        for name in imported(module):
            assert not name.startswith(("davserver.http", "sqlalchemy", "acl.tables")), module
            assert name not in ("acl.policy.decide", "acl.policy.decide_tree"), module
    for module in sorted((ROOT / "davserver" / "http").glob("*.py")):
        for name in imported(module):
            assert not name.startswith(("sqlalchemy", "acl.policy", "davserver.documents")), module


def imported(module: Path) -> Iterator[str]:
    """The full names of all that a module imports."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{one.name}" for one in node.names)


def settings() -> dict[str, str]:
    """Every key with what it says of itself."""
    return {
        f"{section}.{key}": field.description or ""
        for section, outer in Settings.model_fields.items()
        if isinstance(outer.annotation, type) and issubclass(outer.annotation, Section)
        for key, field in outer.annotation.model_fields.items()
    }


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    documented = {
        cells[1].strip().strip("`"): cells[-2].strip()
        for cells in (line.split("|") for line in text.splitlines())
        if len(cells) == 5 and cells[1].strip().startswith("`")
    }
    assert documented == settings()
    for section in {key.partition(".")[0] for key in settings()}:
        assert f"## [{section}]" in text


def test_every_test_is_checked_and_none_sleeps() -> None:
    for module in sorted((ROOT / "tests" / "unit").glob("*.py")) + sorted(
        (ROOT / "tests" / "integration").glob("*.py")
    ):
        text = module.read_text("utf-8")
        assert "time" + ".sleep" not in text, module
        assert "mark" + ".skip" not in text, module


def test_tools_are_as_strict_as_they_say() -> None:
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]
    assert ruff["line-length"] == 100
    assert set(ruff["lint"]["select"]) >= {"E", "F", "I", "UP", "B"}
    setup = (ROOT / "setup.cfg").read_text("utf-8")
    assert "strict = True" in setup and "error" in setup.partition("filterwarnings")[2]
