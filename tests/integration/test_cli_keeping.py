"""`davserver space quota`, `space retention` and `check --adopt --repair-counts` at a terminal."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.console import FRENCH, Console

SPACE = "conseil"


def folder(mairie: Console, space: str = SPACE) -> Path:
    return mairie.data / "spaces" / space


def action(mairie: Console) -> str:
    """The last thing that the journal tells."""
    return str(mairie.json("journal")[0]["action"])


# Quota


def quota(mairie: Console, space: str = SPACE) -> dict[str, object]:
    (row,) = mairie.json("space", "quota", space)
    assert isinstance(row, dict)
    return row


def test_a_quota_is_set_shown_and_lifted(mairie: Console) -> None:
    (folder(mairie) / "a.txt").write_bytes(bytes(1000))
    mairie("check", "--adopt")
    assert quota(mairie) == {
        "space": SPACE,
        "live_bytes": 1000,
        "history_bytes": 0,
        "used_bytes": 1000,
        "quota_bytes": None,
        "free_bytes": None,
    }
    assert "20 GB" in mairie("space", "quota", SPACE, "20G")
    assert action(mairie) == "space.quota"
    assert quota(mairie)["free_bytes"] == 20 * 10**9 - 1000
    # Less than it holds: nothing can be added any more, and nothing is taken away.
    mairie("space", "quota", SPACE, "500")
    assert (quota(mairie)["free_bytes"], quota(mairie)["used_bytes"]) == (0, 1000)
    row = mairie.json("journal", "--limit", "1")[0]
    assert row["detail"] == {"quota": 500, "former": 20 * 10**9}
    mairie("space", "quota", SPACE, "none")
    assert quota(mairie)["quota_bytes"] is None
    mairie("space", "quota", SPACE, "0")
    assert quota(mairie)["quota_bytes"] == 0


def test_all_spaces_are_shown(mairie: Console) -> None:
    listed = mairie.json("space", "quota")
    assert [row["space"] for row in listed] == [
        row["space"] for row in mairie.json("space", "list")
    ]
    for row in mairie.json("space", "list"):
        assert row["live_bytes"] + row["history_bytes"] == row["used_bytes"] == 0
    assert SPACE in mairie("space", "quota")


REFUSED = [
    # exit code, arguments, the sentence
    (6, ("nowhere",), "There is no space called nowhere."),
    (6, ("nowhere", "1G"), "There is no space called nowhere."),
    (2, (SPACE, "16 EiB"), "A quota cannot be negative, nor more than 8 EiB."),
    (2, (SPACE, "apples"), "'apples' is not a size such as 20G."),
    (2, (SPACE, "nan"), "'nan' is not a size such as 20G."),
    (2, (SPACE, "1e3x"), "'1e3x' is not a size such as 20G."),
]


@pytest.mark.parametrize("exit_code, arguments, sentence", REFUSED)
def test_nonsense_is_refused(
    mairie: Console, exit_code: int, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in mairie.refused(exit_code, "space", "quota", *arguments)


# Retention


def days(mairie: Console) -> dict[str, tuple[int, bool]]:
    rows = mairie.json("space", "retention", SPACE)
    return {row["kept"]: (row["days"], row["of_space"]) for row in rows}


DEFAULT = {"keep_days": (30, False), "daily_days": (365, False), "trash_days": (90, False)}


def test_retention_is_set_shown_and_given_back(mairie: Console) -> None:
    assert days(mairie) == DEFAULT
    mairie("space", "retention", SPACE, "--keep", "60", "--trash", "7")
    assert days(mairie) == DEFAULT | {"keep_days": (60, True), "trash_days": (7, True)}
    row = mairie.json("journal", "--limit", "1")[0]
    assert (row["action"], row["space"]) == ("space.retention", SPACE)
    assert row["detail"] == {
        "keep_days": 60,
        "daily_days": None,
        "trash_days": 7,
        "former": {"keep_days": None, "daily_days": None, "trash_days": None},
    }
    mairie("space", "retention", SPACE, "--daily", "60")
    assert days(mairie)["daily_days"] == (60, True)
    mairie("space", "retention", SPACE, "--default", "--trash", "10")
    assert days(mairie) == DEFAULT | {"trash_days": (10, True)}
    mairie("space", "retention", SPACE, "--default")
    assert days(mairie) == DEFAULT
    text = mairie.run("space", "retention", SPACE, **FRENCH).stdout
    assert "une version par jour" in text


def test_looking_is_not_journalled(mairie: Console) -> None:
    before = len(mairie.json("journal", "--limit", "1000"))
    days(mairie)
    quota(mairie)
    assert len(mairie.json("journal", "--limit", "1000")) == before


@pytest.mark.parametrize(
    "exit_code, arguments, sentence",
    [
        (2, ("--keep", "6"), "History keeps everything for 7 to 36500 days, not for 6."),
        (2, ("--daily", "0"), "History keeps everything for 7 to 36500 days, not for 0."),
        (2, ("--trash", "-90"), "History keeps everything for 7 to 36500 days, not for -90."),
        (2, ("--trash", "99999"), "History keeps everything for 7 to 36500 days, not for 99999."),
        (
            2,
            ("--keep", "400"),
            "One version a day is kept for 365 days and every version for 400: the first cannot "
            "be less.",
        ),
        (
            2,
            ("--keep", "100", "--daily", "50"),
            "One version a day is kept for 50 days and every version for 100: the first cannot "
            "be less.",
        ),
        (2, ("--keep", "soon"), "--keep"),
        (2, ("--keep", str(2**70)), "History keeps everything"),
    ],
)
def test_retention_that_would_lose_something_is_refused(
    mairie: Console, exit_code: int, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in mairie.refused(exit_code, "space", "retention", SPACE, *arguments)
    assert days(mairie) == DEFAULT


def test_retention_of_no_space(mairie: Console) -> None:
    refused = mairie.refused(6, "space", "retention", "nowhere")
    assert refused == "There is no space called nowhere."


def test_there_is_no_command_that_frees(mairie: Console) -> None:
    help_ = mairie.run("--help").stdout + mairie.run("space", "--help").stdout
    for word in ("purge", "prune", "empty", "vacuum", "expire"):
        assert word not in help_.lower().replace("empty by default", "")


# Changes on the disk


def test_a_new_organisation_agrees(mairie: Console) -> None:
    assert mairie("check") == "Documents and database agree.\n"
    assert mairie.json("check") == []


def test_changes_on_the_disk_are_told_then_adopted(mairie: Console) -> None:
    root = folder(mairie)
    (root / "old").mkdir()
    (root / "old/a.txt").write_bytes(b"a")
    (root / "b.txt").write_bytes(b"b")
    assert "conseil: 3 new, 0 changed, 0 moved, 0 gone" in mairie("check", "--adopt")
    (root / "old").rename(root / "new")
    (root / "b.txt").unlink()
    (root / "new/c.txt").write_bytes(b"c")
    result = mairie.run("check", "--json")
    assert result.exit_code == 8
    assert mairie.run("check").exit_code == 8
    for line in ("old", "new", "b.txt", "new/c.txt"):
        assert line in mairie.run("check").stdout
    before = len(mairie.json("journal", "--limit", "1000"))
    said = mairie("check", "--adopt").splitlines()
    assert said == [
        "conseil: 1 new, 0 changed, 1 moved, 1 gone; the journal knows now.",
        "Documents and database agree.",
    ]
    assert action(mairie) == "document.adopt"
    assert mairie.json("check", "--adopt") == []
    assert len(mairie.json("journal", "--limit", "1000")) == before + 1


def test_counts_are_repaired(mairie: Console) -> None:
    file = folder(mairie) / "a.txt"
    file.write_bytes(b"a")
    mairie("check", "--adopt")
    file.write_bytes(b"longer")
    result = mairie.run("check", "--repair-counts")
    # The document itself is still another one than the journal knows.
    assert result.exit_code == 8
    assert result.stdout.startswith("conseil: what it uses was counted anew.")
    assert action(mairie) == "space.recount"
    assert quota(mairie)["used_bytes"] == len(b"longer")
    assert mairie.run("check", "--repair-counts", "--adopt", **FRENCH).exit_code == 0
    assert mairie("check", "--repair-counts") == "Documents and database agree.\n"


def test_a_disk_that_is_not_there_is_no_loss(mairie: Console) -> None:
    (folder(mairie) / "a.txt").write_bytes(b"a")
    mairie("check", "--adopt")
    folder(mairie).rename(mairie.data / "elsewhere")
    result = mairie.run("check", "--adopt")
    assert result.exit_code == 8
    assert "The space has no folder on the disk." in result.stdout
    (mairie.data / "elsewhere").rename(folder(mairie))
    assert mairie("check") == "Documents and database agree.\n"
    shutil.rmtree(folder(mairie))
    folder(mairie).mkdir()
    assert "1 gone" in mairie("check", "--adopt")
