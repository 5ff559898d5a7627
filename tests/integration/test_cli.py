"""What holds for every command: help, usage, languages, refusals and exit codes."""

from __future__ import annotations

import click
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from config.database import Database
from davserver.cli.main import main
from tests.integration.console import ENGLISH, FRENCH, Console

COMMANDS: list[tuple[str, ...]] = [
    ("account", "add", "anne", "--generate"),
    ("account", "list"),
    ("account", "password", "anne", "--generate"),
    ("account", "disable", "anne"),
    ("account", "enable", "anne"),
    ("device", "add", "anne", "portable"),
    ("device", "list"),
    ("device", "revoke", "anne", "portable"),
    ("group", "add", "agents"),
    ("group", "list"),
    ("group", "join", "agents", "anne"),
    ("group", "leave", "agents", "anne"),
    ("space", "add", "voirie"),
    ("space", "list"),
    ("space", "archive", "voirie"),
    ("member", "add", "voirie", "anne", "--role", "reader"),
    ("member", "list", "voirie"),
    ("member", "remove", "voirie", "anne"),
    ("folder", "restrict", "voirie/Paie"),
    ("folder", "unrestrict", "voirie/Paie"),
    ("who-can", "voirie"),
    ("lock", "list"),
    ("lock", "break", "urn:uuid:0"),
    ("journal",),
    ("check",),
    ("status",),
    ("account", "release", "anne"),
    ("space", "quota", "voirie"),
    ("space", "retention", "voirie"),
    ("versions", "voirie", "plan.odt"),
    ("rewind", "voirie", "--to", "2026-11-23T14:04"),
    ("backup", "sauvegardes"),
    ("export", "voirie", "sortie"),
    ("import", "voirie", "."),
    ("serve",),
]


# A backup is whole without the data directory that it was made of.
WITHOUT_DATA = {("verify",)}


@pytest.mark.parametrize("args", COMMANDS)
@pytest.mark.parametrize("there", [False, True])
def test_without_an_organisation_a_command_says_so_and_makes_nothing(
    nothing: Console, args: tuple[str, ...], there: bool
) -> None:
    if there:
        nothing.data.mkdir()
    said = nothing.refused(6, *args)
    assert said == (
        f"There is no organisation in {nothing.data}: "
        f"run `davserver init --data {nothing.data}` first."
    )
    assert nothing.data.exists() is there


def every_command(command: click.Command, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if isinstance(command, click.Group):
        inner = command.commands.items()
        return [path, *(each for name, sub in inner for each in every_command(sub, (*path, name)))]
    return [path]


@pytest.mark.parametrize("path", every_command(main, ()), ids=" ".join)
@pytest.mark.parametrize("language", [ENGLISH, FRENCH])
def test_every_command_explains_itself(path: tuple[str, ...], language: dict[str, str]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"], env=language)
    assert result.exit_code == 0
    french = language is FRENCH
    assert ("Afficher cette aide." in result.stdout) is french
    assert ("Show this message" in result.stdout) is not french
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    if not isinstance(command, click.Group) and path not in WITHOUT_DATA:
        assert "--data DIR" in result.stdout
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    assert not any("password" in str(each.name) for each in arguments)


def test_every_command_is_tried_without_an_organisation() -> None:
    leaves = {path for path in every_command(main, ()) if path and not is_group(path)}
    tried = {args[:2] if args[:2] in leaves else args[:1] for args in COMMANDS}
    assert leaves - tried == {("init",), ("config", "show"), ("restore",), *WITHOUT_DATA}


def is_group(path: tuple[str, ...]) -> bool:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return isinstance(command, click.Group)


USAGE = [
    # what was typed, what is said, in French
    (("frobnicate",), "There is no command frobnicate.", "Il n’y a pas de commande frobnicate."),
    (("space", "frob"), "There is no command frob.", "Il n’y a pas de commande frob."),
    (("space", "add"), "'SPACE' is missing.", "Il manque 'SPACE'."),
    (
        ("member", "add", "a", "b"),
        "'--role' is missing.",
        "Il manque '--role'.",
    ),
    (("space", "list", "--frob"), "There is no option --frob.", "Il n’y a pas d’option --frob."),
    (
        ("space", "add", "a", "--quota", "much"),
        "'--quota': 'much' is not a size such as 20G.",
        "'--quota': 'much' n’est pas une taille comme 20G.",
    ),
    (
        ("account", "add", "a", "--expires", "31/12/2026"),
        "'--expires': '31/12/2026' is not a day such as 2027-06-30.",
        "'--expires': '31/12/2026' n’est pas un jour comme 2027-06-30.",
    ),
    (
        ("account", "add", "a", "--generate", "--password-stdin"),
        "--password-stdin and --generate exclude each other.",
        "--password-stdin et --generate s’excluent.",
    ),
]


@pytest.mark.parametrize("args, english, french", USAGE)
def test_a_command_typed_wrongly_is_explained(
    mairie: Console, args: tuple[str, ...], english: str, french: str
) -> None:
    assert mairie.refused(2, *args).splitlines()[-1] == english
    result = mairie.run(*args, **FRENCH)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, french)


@pytest.mark.parametrize(
    "args",
    [
        ("member", "add", "conseil", "maire", "--role", "king"),
        ("journal", "--limit", "0"),
        ("init", "--template", "empire"),
        ("serve", "--port", "eighty"),
        ("space", "list", "too", "many"),
    ],
)
def test_other_mistakes_of_typing(mairie: Console, args: tuple[str, ...]) -> None:
    assert mairie.refused(2, *args) != ""


def test_the_whole_is_in_french_too(mairie: Console) -> None:
    mairie.environment.update(FRENCH)
    assert mairie("space", "add", "voirie") == (
        "L’espace voirie est ajouté\u00a0; il n’a pas encore de membres.\n"
    )
    assert mairie.refused(6, "device", "add", "nobody", "x") == "Aucun compte ne s’appelle nobody."
    assert "Identifiant" in mairie("account", "list")
    assert "oui" in mairie("space", "list")
    assert "actif" in mairie("account", "list")
    # What programs read is the same everywhere.
    assert mairie.json("account", "list")[0]["state"] == "active"
    assert "Le rôle le permet." in mairie("who-can", "conseil")
    assert mairie.json("who-can", "conseil")[0]["reason"] == "role"


def test_a_mistake_in_the_settings_stops_every_command(mairie: Console) -> None:
    with (mairie.data / "davserver.toml").open("a") as settings:
        settings.write("colour = 'red'\n")
    for args in (("account", "list"), ("config", "show"), ("serve",), ("init",)):
        assert ".colour: is not a setting." in mairie.refused(2, *args)


def test_a_directory_that_is_none(nothing: Console) -> None:
    nothing.data.write_text("a file")
    for args in (("account", "list"), ("init",)):
        assert mairie_said(nothing, *args) != ""


def mairie_said(console: Console, *args: str) -> str:
    result = console.run(*args)
    assert result.exit_code in (1, 2, 6) and result.stdout == ""
    return result.stderr


def test_an_older_database_is_upgraded_by_serve_alone(
    mairie: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{mairie.data}/davserver.db")
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    said = mairie.refused(3, "account", "list")
    assert "davserver serve" in said

    upgraded: list[Database] = []
    monkeypatch.setattr(Database, "migrate", lambda self: upgraded.append(self))
    monkeypatch.setattr("davserver.server.serve", lambda settings, ready: 0)
    assert mairie.run("serve").exit_code == 0
    assert len(upgraded) == 1

    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    for args in (("account", "list"), ("serve",), ("init",), ("init", "--if-empty")):
        assert "newer version" in mairie.refused(3, *args)


def test_a_database_that_does_not_answer(mairie: Console) -> None:
    mairie.environment["DAVSERVER_DATABASE__URL"] = (
        "postgresql+psycopg://nobody:s3cret@/none?host=/nonexistent"
    )
    said = mairie.refused(3, "account", "list")
    assert said == "The database cannot be reached at the moment; please try again."


REFUSALS: list[tuple[int, tuple[str, ...], str]] = [
    (7, ("account", "add", "maire", "--generate"), "maire is taken by another account"),
    (2, ("account", "add", "Maire", "--generate"), "'Maire' cannot be a login"),
    (2, ("account", "add", "anne", "--email", "x", "--generate"), "'x' is not an e-mail"),
    (2, ("account", "add", "anne", "--name", "a\x1b[2Jb", "--generate"), "all of them visible"),
    (6, ("account", "password", "nobody", "--generate"), "no account called nobody"),
    (6, ("account", "disable", "nobody"), "no account called nobody"),
    (6, ("account", "enable", "nobody"), "no account called nobody"),
    (6, ("device", "add", "nobody", "x"), "no account called nobody"),
    (2, ("device", "add", "maire", " "), "1 to 100 characters"),
    (2, ("device", "add", "maire", "x", "--documents-only", "--agendas-only"), "for both"),
    (6, ("device", "list", "nobody"), "no account called nobody"),
    (6, ("device", "revoke", "maire", "x"), "no device called x"),
    (7, ("group", "add", "bureau"), "bureau is taken by another group"),
    (2, ("group", "add", "@bureau"), "cannot be a group"),
    (2, ("group", "join", "bureau", "maire"), "maire is in the group bureau already"),
    (6, ("group", "join", "nobody", "maire"), "no group called nobody"),
    (2, ("group", "leave", "bureau", "fetes"), "fetes is not in the group bureau"),
    (7, ("space", "add", "conseil"), "conseil is taken by another space"),
    (2, ("space", "add", "../conseil"), "cannot be a space"),
    (2, ("space", "add", "conseil-tasks"), "people's own collections"),
    (2, ("space", "add", "agenda"), "people's own collections"),
    (2, ("space", "add", "voirie", "--quota=-1"), "not a size"),
    (6, ("space", "archive", "nobody"), "no space called nobody"),
    (6, ("member", "add", "nobody", "maire", "--role", "reader"), "no space called nobody"),
    (6, ("member", "add", "", "maire", "--role", "reader"), "no space called ."),
    (6, ("member", "add", "conseil", "nobody", "--role", "reader"), "no account called nobody"),
    (6, ("member", "add", "conseil", "@x", "--role", "reader"), "no group called x"),
    (
        6,
        ("member", "add", "conseil/Paie", "maire", "--role", "reader"),
        "no restricted folder called conseil/Paie",
    ),
    (2, ("member", "remove", "conseil", "fetes"), "fetes is not on the member list of conseil"),
    (6, ("member", "list", "nobody"), "no space called nobody"),
    (6, ("member", "list", "conseil/Paie"), "no restricted folder called conseil/Paie"),
    (6, ("folder", "restrict", "conseil/Paie"), "no folder conseil/Paie: make it first"),
    (6, ("folder", "restrict", "nobody/Paie"), "no space called nobody"),
    (2, ("folder", "restrict", "conseil"), "conseil has a member list of its own already"),
    (2, ("folder", "restrict", "conseil/../bureau"), "characters that no name can have"),
    (2, ("folder", "restrict", "conseil/a\x07b"), "characters that no name can have"),
    (
        2,
        ("folder", "restrict", "associations/Club de football"),
        "associations/Club de football has a member list of its own already",
    ),
    (6, ("folder", "unrestrict", "conseil/Paie"), "no restricted folder called conseil/Paie"),
    (6, ("who-can", "nobody"), "no space called nobody"),
    (6, ("who-can", "conseil", "--account", "nobody"), "no account called nobody"),
    (6, ("lock", "list", "nobody"), "no space called nobody"),
    (6, ("lock", "break", "urn:uuid:0"), "no lock with this token"),
    (6, ("journal", "nobody"), "no space called nobody"),
]


@pytest.mark.parametrize("exit_code, args, said", REFUSALS)
def test_a_refusal_is_one_sentence_and_changes_nothing(
    mairie: Console, exit_code: int, args: tuple[str, ...], said: str
) -> None:
    sentence = mairie.refused(exit_code, *args)
    assert said in sentence
    if exit_code != 2 or "Usage" not in sentence:
        assert "\n" not in sentence
