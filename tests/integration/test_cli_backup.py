"""`davserver backup`, `verify`, `restore`, `export` and `import`, as somebody types them."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from davserver.backup.shelf import Shelf
from davserver.cli import settings_file
from davserver.cli.main import main
from tests.integration.console import ENGLISH, FRENCH, Console
from tests.integration.documents_client import tree
from tests.server.postgres import Postgres


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "shelf"


@pytest.fixture
def lived_in(mairie: Console) -> Console:
    """With a few documents that were there before."""
    for number in range(3):
        file = mairie.data / "spaces" / "conseil" / f"{number}.txt"
        file.write_bytes(b"content")
        os.utime(file, (1, 1))
    os.utime(mairie.data / "davserver.toml", (1, 1))
    mairie("check", "--adopt", "--repair-counts")
    return mairie


def verify(*args: str | Path, **environment: str) -> Result:
    environment = {**ENGLISH, **environment}
    result = CliRunner().invoke(main, ["verify", *map(str, args)], env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result
    return result


def test_there_and_back(lived_in: Console, shelf: Path, tmp_path: Path) -> None:
    said = lived_in("backup", str(shelf))
    (backup,) = Shelf(shelf).backups()
    assert said.startswith(f"{backup}: 5 files, ") and "; 4 of them copied, " in said
    assert verify(shelf).stdout == f"{backup} is complete and unaltered.\n"
    new = Console(tmp_path / "new")
    said = new("restore", str(shelf))
    assert said.startswith(f"{new.data} holds everything as it was on 2")
    assert "davserver serve" in said
    assert tree(new.data / "spaces") == tree(lived_in.data / "spaces")
    assert new("check") == "Documents and database agree.\n"
    assert [row["action"] for row in new.json("journal", "--limit", "1")] == ["restore.done"]
    assert lived_in.json("journal", "--limit", "1")[0]["action"] == "backup.done"
    assert (new.data / "davserver.toml").read_bytes() == (
        lived_in.data / "davserver.toml"
    ).read_bytes()


def test_for_programs(lived_in: Console, shelf: Path) -> None:
    first = lived_in.json("backup", str(shelf))
    assert (first["files"], first["copied"], first["left_out"], first["removed"]) == (5, 4, [], [])
    second = lived_in.json("backup", str(shelf), "--keep", "1")
    assert (second["copied"], second["removed"]) == (0, [first["backup"]])
    assert lived_in.json("backup", str(shelf), "--full")["copied"] == 4
    assert second["moment"] >= first["moment"] and second["bytes"] > 0
    assert second["held_seconds"] <= second["seconds"]
    assert json.loads(verify(shelf, "--all", "--json").stdout) == []


def test_in_french(lived_in: Console, shelf: Path, tmp_path: Path) -> None:
    lived_in.environment |= FRENCH
    assert "copiés" in lived_in("backup", str(shelf))
    assert "complète et intacte" in verify(shelf, **FRENCH).stdout
    said = lived_in.refused(7, "restore", str(shelf))
    assert "n’est pas vide" in said


def test_what_is_left_out_is_told(lived_in: Console, shelf: Path) -> None:
    os.mkfifo(lived_in.data / "spaces" / "conseil" / "a\x1b[2Jpipe")
    result = lived_in.run("backup", str(shelf))
    assert result.exit_code == 8
    assert result.stderr == (
        "spaces/conseil/a\N{REPLACEMENT CHARACTER}[2Jpipe was left out: "
        "It is neither a file nor a folder.\n"
    )
    result = lived_in.run("backup", str(shelf), "--json")
    assert result.exit_code == 8
    assert json.loads(result.stdout)["left_out"] == [
        {"path": "spaces/conseil/a\x1b[2Jpipe", "reason": "It is neither a file nor a folder."}
    ]


def test_damage_is_listed(lived_in: Console, shelf: Path, tmp_path: Path) -> None:
    for _ in range(2):
        lived_in("backup", str(shelf), "--full")
    first, second = Shelf(shelf).backups()
    (first / "spaces" / "conseil" / "1.txt").write_bytes(b"CONTENT")
    (first / "spaces" / "conseil" / "2.txt").unlink()
    assert verify(shelf).exit_code == 0
    result = verify(shelf, "--all")
    assert result.exit_code == 8
    assert all(each in result.stdout for each in ("conseil/1.txt", "It is missing.", first.name))
    assert second.name not in result.stdout
    result = verify(first, "--json")
    assert result.exit_code == 8
    assert json.loads(result.stdout) == [
        {"backup": str(first), "path": f"spaces/conseil/{name}.txt", "problem": problem}
        for name, problem in ((1, "It is not what was backed up."), (2, "It is missing."))
    ]
    new = Console(tmp_path / "new")
    said = new.refused(8, "restore", str(first))
    assert "spaces/conseil/1.txt" in said and "nothing was restored" in said
    result = new.run("restore", str(first), "--skip-damaged")
    assert result.exit_code == 8
    assert result.stderr.splitlines() == [
        f"spaces/conseil/{name}.txt was damaged and is not there." for name in (1, 2)
    ]
    assert list(tree(new.data / "spaces" / "conseil")) == ["0.txt"]


REFUSED: list[tuple[int, list[str], str]] = [
    # exit code, arguments, said; {data}, {shelf} and {empty} are directories
    (2, ["backup", "{data}/spaces"], "lie one in the other"),
    (1, ["backup", "{shelf}/not/there"], "No such file or directory"),
    (2, ["backup", "{shelf}", "--keep", "0"], "--keep"),
    (6, ["restore", "{empty}"], "There is no backup in"),
    (7, ["restore", "{backup}"], "is not empty"),
    (6, ["export", "nowhere", "{empty}"], "There is no space called nowhere."),
    (6, ["import", "nowhere", "{empty}"], "There is no space called nowhere."),
    (1, ["import", "conseil", "{empty}/nowhere"], "No such file or directory"),
    (7, ["export", "conseil", "{backup}"], "is not empty"),
    (2, ["export", "conseil", "{data}/export"], "lie one in the other"),
]


@pytest.mark.parametrize("exit_code, args, said", REFUSED)
def test_refusals(
    lived_in: Console, shelf: Path, tmp_path: Path, exit_code: int, args: list[str], said: str
) -> None:
    lived_in("backup", str(shelf))
    (backup,) = Shelf(shelf).backups()
    empty = tmp_path / "empty"
    empty.mkdir()
    places = {"data": lived_in.data, "shelf": shelf, "backup": backup, "empty": empty}
    before = tree(shelf)
    assert said in lived_in.refused(exit_code, *(arg.format(**places) for arg in args))
    assert tree(shelf) == before and list(empty.iterdir()) == []


def test_verify_refuses(tmp_path: Path) -> None:
    for args in ((tmp_path,), (tmp_path, "--all"), (tmp_path / "nowhere",)):
        result = verify(*args)
        assert (result.exit_code, result.stdout) == (6, "")
        assert "There is no backup in" in result.stderr


# Which database


def test_the_database_that_was_chosen_is_the_one_that_holds(
    lived_in: Console, shelf: Path, tmp_path: Path, postgres: Postgres
) -> None:
    """From SQLite to PostgreSQL, and from there to another SQLite file."""
    lived_in("backup", str(shelf))
    url = postgres.create_database()
    new = Console(tmp_path / "new")
    new("restore", str(shelf), "--url", url)
    assert not (new.data / "davserver.db").exists()
    assert new("check") == "Documents and database agree.\n"
    assert [v["value"] for v in new.json("config", "show") if v["key"] == "database.url"] == [url]
    new("backup", str(tmp_path / "other shelf"))
    said = Console(tmp_path / "third").refused(7, "restore", str(tmp_path / "other shelf"))
    # It is where the settings that were backed up say, and there is the other one.
    assert "not empty" in said and "--url" in said
    third = Console(tmp_path / "third")
    file = tmp_path / "third" / "davserver.db"
    third("restore", str(tmp_path / "other shelf"), "--url", f"sqlite:///{file}")
    assert third("check") == "Documents and database agree.\n"
    assert file.exists()


def test_the_environment_says_which_database(
    lived_in: Console, shelf: Path, tmp_path: Path, postgres: Postgres
) -> None:
    lived_in("backup", str(shelf))
    new = Console(tmp_path / "new")
    new.environment["DAVSERVER_DATABASE__URL"] = postgres.create_database()
    new("restore", str(shelf))
    assert not (new.data / "davserver.db").exists()
    assert new("check") == "Documents and database agree.\n"


def test_a_url_that_is_none(lived_in: Console, shelf: Path, tmp_path: Path) -> None:
    lived_in("backup", str(shelf))
    said = Console(tmp_path / "new").refused(2, "restore", str(shelf), "--url", "mysql://x")
    assert "command line, --url" in said and "mysql" in said


URL = "sqlite:////srv/x.db"
FILES: list[tuple[str, bool]] = [
    # davserver.toml, whether it can be told
    ("", True),
    ('[organisation]\nname = "M"\n', True),
    ("[database]\n", True),
    ('[database]\n# url = ""\nbusy_timeout = 5.0\n', True),
    ('[database]\nurl = "postgresql+psycopg://a@b/c"\n[server]\nport = 81\n', True),
    ('[server]\nport = 81\n[ database ]\n  url= "x" # why\n[limits]\n', True),
    ('[organisation]\nurl = "none of ours"\n', True),
    ('database.url = "x"\n', False),
    ('database = { url = "x" }\n', False),
]


@pytest.mark.parametrize("former, can", FILES)
def test_naming_the_database(tmp_path: Path, former: str, can: bool) -> None:
    file = tmp_path / "davserver.toml"
    file.write_text(former)
    assert settings_file.name_database(tmp_path, URL) is can
    written: dict[str, Any] = tomllib.loads(file.read_text())
    if not can:
        assert file.read_text() == former
        return
    assert written.pop("database")["url"] == URL
    expected = tomllib.loads(former)
    expected.pop("database", None)
    assert written == expected
    assert settings_file.name_database(tmp_path, URL)
    assert [each.name for each in tmp_path.iterdir()] == ["davserver.toml"]


# Export and import


def test_out_of_one_space_and_into_another(lived_in: Console, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = lived_in("export", "conseil", str(out))
    assert said.startswith(f"{out}: 3 documents, 21 B; 0 entries")
    assert tree(out / "documents") == tree(lived_in.data / "spaces" / "conseil")
    said = lived_in("import", "bureau", str(out))
    assert said.startswith("New: 3 documents, ")
    said = lived_in("import", "bureau", str(out))
    assert "3 were there already and stay as they are." in said
    assert "3 replaced" in lived_in("import", "bureau", str(out), "--overwrite")
    lived_in("check")
    (out / "stray.txt").write_bytes(b"")
    result = lived_in.run("import", "bureau", str(out))
    assert result.exit_code == 8
    assert result.stderr.startswith("stray.txt was refused: Only the folder documents")
    lived_in.environment |= FRENCH
    assert "existaient déjà" in lived_in.run("import", "bureau", str(out)).stdout


def test_restricted_folders_are_exported_and_it_is_said(mairie: Console, tmp_path: Path) -> None:
    mairie("space", "add", "secret", "--confidential")
    (mairie.data / "spaces" / "secret" / "Paie").mkdir()
    mairie("folder", "restrict", "secret/Paie")
    said = mairie("export", "secret", str(tmp_path / "out"))
    assert "secret/Paie is restricted, and is in it as well." in said
    newest = mairie.json("journal", "secret", "--limit", "1")[0]
    assert (newest["action"], newest["address"]) == ("space.export", "console")
