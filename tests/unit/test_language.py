"""French and English: which of the two, and that no sentence of the code lacks its French."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import string
import typing
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

import config
from acl.errors import Kind
from acl.policy import Reason
from config.errors import DavserverError
from config.language import Phrase, best, of_environment, translate
from config.settings import defaults
from davserver.cli.command import HEADINGS, UNWRAPPED
from davserver.cli.main import main
from davserver.documents import check

PACKAGES = ("config", "acl", "calendars", "davserver")
ROOT = Path(config.__file__).parents[1]
CATALOGUE = ROOT / "config" / "locale" / "fr" / "LC_MESSAGES" / "davserver.po"
# The functions whose first text argument is a gettext key.
MARKS = {"_", "gettext", "Phrase", "translate"}

BEST = [
    # header, default, chosen
    (None, "fr", "fr"),
    ("", "en", "en"),
    ("en", "fr", "en"),
    ("fr-CA", "en", "fr"),
    ("FR-ca, en;q=0.5", "en", "fr"),
    ("de, en;q=0.3, fr;q=0.7", "en", "fr"),
    ("de", "en", "en"),
    ("de, *;q=0.5", "fr", "fr"),
    ("*", "en", "en"),
    ("en;q=0, *;q=0.1", "en", "fr"),
    ("en;q=0", "fr", "fr"),
    ("fr;q=0, en;q=0", "en", "en"),
    ("en;q=1.5, fr;q=0.1", "en", "fr"),
    ("en;q=nan, fr;q=0.1", "en", "fr"),
    ("en;level=1, fr;q=0.1", "en", "fr"),
    ("en ; q=0.9 , fr ; q=1.000", "en", "fr"),
    ("en;q=0.8,fr;q=0.8", "fr", "en"),
    (",,;;q=,en", "fr", "en"),
]


@pytest.mark.parametrize("header, default, chosen", BEST)
def test_language_of_a_request(header: str | None, default: str, chosen: str) -> None:
    assert best(header, default) == chosen


@pytest.mark.parametrize(
    "environment, language",
    [
        ({}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_GB", "LC_MESSAGES": "fr_CH"}, "fr"),
        ({"LANG": "fr", "LC_ALL": ""}, "fr"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_language_of_a_terminal(environment: dict[str, str], language: str) -> None:
    assert of_environment(environment) == language


@pytest.mark.parametrize(
    "locale, said",
    [
        ("fr", "Il n’y a rien de tel ici."),
        ("fr-CA", "Il n’y a rien de tel ici."),
        ("fr_FR.UTF-8", "Il n’y a rien de tel ici."),
        ("en", "There is no such thing here."),
        ("de", "There is no such thing here."),
        ("", "There is no such thing here."),
    ],
)
def test_translate(locale: str, said: str) -> None:
    assert translate(locale, "There is no such thing here.") == said


def test_a_phrase_in_a_field_is_translated_and_a_name_is_not() -> None:
    message = "There is no {kind} called {name}."
    french = translate("fr", message, kind=Phrase("device"), name="device")
    assert french == "Aucun appareil ne s’appelle device."
    assert str(Phrase(message, kind=Phrase("device"), name="{kind}")) == (
        "There is no device called {kind}."
    )


def test_nothing_to_say_is_nothing_in_every_language() -> None:
    # gettext answers "" with the catalogue's header.
    assert translate("fr", "") == translate("en", "") == ""


def fields(message: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(message) if name is not None}


def is_sentence(message: str) -> bool:
    """Whether there is anything to translate beside the fields."""
    return bool(re.search(r"[^\W\d_]", re.sub(r"\{\w*\}", "", message)))


def modules() -> Iterator[str]:
    for package in PACKAGES:
        yield package
        path = [str(ROOT / package)]
        for found in pkgutil.walk_packages(path, f"{package}."):
            # Alembic alone may import these.
            if not found.name.startswith("config.migrations"):
                yield found.name


def of_errors() -> Iterator[str]:
    for name in modules():
        if not name.endswith("__main__"):
            importlib.import_module(name)
    classes = [DavserverError]
    while classes:
        error = classes.pop()
        classes += error.__subclasses__()
        if error.__module__.partition(".")[0] in PACKAGES:
            yield error.message


def of_source() -> Iterator[str]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    yield from of_call(node)


def of_call(node: ast.Call) -> Iterator[str]:
    called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
    name = called.id if isinstance(called, ast.Name) else called
    if name in MARKS:
        for argument in node.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def of_command(command: click.Command) -> Iterator[str]:
    with click.Context(command, info_name="davserver") as context:
        yield command.help or ""
        yield (command.epilog or "").removeprefix(UNWRAPPED)
        for parameter in command.get_params(context):
            if isinstance(parameter, click.Option):
                yield parameter.help or ""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from of_command(inner)


def messages() -> set[str]:
    found = {*of_errors(), *of_source(), *of_command(main), *HEADINGS}
    found |= {text for name, text in vars(check).items() if name.isupper() and " " in str(text)}
    found |= {reason.value for reason in Reason}
    found |= {description for _, _, description in defaults()}
    found |= set(typing.get_args(Kind))
    return {message for message in found if is_sentence(message)}


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with CATALOGUE.open("rb") as source:
        return read_po(source, locale="fr", abort_invalid=True)


def test_every_message_has_its_french(catalogue: Catalog) -> None:
    translated = {str(entry.id) for entry in catalogue if entry.id and entry.string}
    assert sorted(messages() - translated) == []


def test_no_translation_is_stale_or_fuzzy(catalogue: Catalog) -> None:
    assert sorted({str(entry.id) for entry in catalogue if entry.id} - messages()) == []
    assert [entry.id for entry in catalogue if entry.id and entry.fuzzy] == []
    assert dict(catalogue.obsolete) == {}


def test_translations_have_the_fields_of_their_keys(catalogue: Catalog) -> None:
    wrong = [
        entry.id
        for entry in catalogue
        if entry.id and fields(str(entry.id)) != fields(str(entry.string))
    ]
    assert wrong == []
