"""The command line speaks the language of the terminal it is typed in."""

import os

from config.errors import DavserverError
from config.language import Phrase, of_environment, translate


def _(message: str, /, **fields: object) -> str:
    """`message` as the reader of this terminal reads it."""
    return translate(of_environment(os.environ), message, **fields)


def say(spoken: Phrase | DavserverError) -> str:
    """A phrase or an error as the reader of this terminal reads it."""
    return _(spoken.message, **spoken.fields)
