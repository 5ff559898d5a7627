"""Plain French and English: one catalogue, and which of the two a person reads.

A sentence is its own gettext key, in English, with `str.format` fields. The catalogue is
`locale/fr/LC_MESSAGES/davserver.po`, read as it is: there is nothing to compile or to install.
"""

import gettext
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("fr", "en")
SOURCE = "en"
"""The language of the keys."""

_LOCALE = Path(__file__).parent / "locale"


class Phrase:
    """A sentence or a word that is to be translated wherever it is shown.

    It may be a field of an error, or of another phrase: `translate` then translates it too.
    """

    def __init__(self, message: str, /, **fields: object) -> None:
        self.message = message
        self.fields = fields

    def __str__(self) -> str:
        return self.message.format(**self.fields)

    def __repr__(self) -> str:
        return f"Phrase({str(self)!r})"


def translate(locale: str, message: str, /, **fields: object) -> str:
    """`message` in the language of `locale` ("fr", "fr-CA", "fr_FR.UTF-8"), with its fields.

    A language we do not speak gets English.
    """
    language = _base(locale)
    if message and language in LANGUAGES and language != SOURCE:
        message = _catalogue(language).gettext(message)
    return message.format(
        **{
            name: translate(locale, field.message, **field.fields)
            if isinstance(field, Phrase)
            else field
            for name, field in fields.items()
        }
    )


def best(accept_language: str | None, default: str) -> str:
    """The language for a client with this Accept-Language header (RFC 9110, 12.5.4).

    A range stands for its shorter forms too (RFC 4647, 3.4): `fr-CA` is answered in French.
    `default` serves where the header names neither of ours, refuses both, or says nothing.
    """
    weights: dict[str, float] = {}
    for element in (accept_language or "").split(","):
        language_range, _, parameter = element.partition(";")
        language, weight = _base(language_range.strip()), _weight(parameter)
        if weight is not None and (language in LANGUAGES or language == "*"):
            weights[language] = max(weight, weights.get(language, 0.0))
    anything = weights.pop("*", 0.0)
    for language in (default, *LANGUAGES):
        weights.setdefault(language, anything)
    # The first of equals: what the header names, in its order, then the default.
    chosen = max(weights, key=lambda language: weights[language])
    return chosen if weights[chosen] > 0 else default


def of_environment(environment: Mapping[str, str]) -> str:
    """The language that the environment of a POSIX process asks for."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            language = _base(environment[name])
            return language if language in LANGUAGES else SOURCE
    return SOURCE


def _base(locale: str) -> str:
    for separator in "-_.@":
        locale = locale.partition(separator)[0]
    return locale.lower()


def _weight(parameter: str) -> float | None:
    """The weight of a range; None if it is none (RFC 9110, 12.4.2)."""
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return None
    return weight if name.strip().lower() == "q" and 0.0 <= weight <= 1.0 else None


@cache
def _catalogue(language: str) -> gettext.GNUTranslations:
    with (_LOCALE / language / "LC_MESSAGES" / "davserver.po").open("rb") as source:
        catalogue = read_po(source, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
