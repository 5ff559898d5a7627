"""The davserver.toml that `init` writes: the organisation, and every default as a comment."""

import contextlib
import json
import os
import re
import tomllib
from pathlib import Path

from pydantic import ByteSize

from acl.journal import new_uid
from config.language import Phrase, translate
from config.settings import FILE, Settings, defaults
from davserver.cli.output import size
from davserver.documents.store import Store, sync_directory

_HEADING = re.compile(r"\s*\[\s*([^\[\]]*?)\s*\]")
_URL = re.compile(r"\s*url\s*=")


def write(settings: Settings, store: Store) -> None:
    """Write davserver.toml into the data directory, whole or not at all, for its owner alone.

    One that somebody has written in the meantime stays.
    """
    draft = store.staged(new_uid())
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text(settings))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, settings.data / FILE)
    draft.unlink()
    sync_directory(settings.data)


def text(settings: Settings) -> str:
    """The file's content, in the organisation's language."""
    language = settings.organisation.language
    chosen = {"organisation.name": settings.organisation.name, "organisation.language": language}
    lines = [_comment(language, Phrase("Settings of davserver. A line behind a # is the default."))]
    section = ""
    for key, default, description in defaults():
        begun, _, name = key.partition(".")
        if begun != section:
            section = begun
            lines += ["", f"[{section}]"]
        lines.append(_comment(language, Phrase(description)))
        if key in chosen:
            lines.append(f"{name} = {_toml(chosen[key])}")
        else:
            lines.append(f"# {name} = {_toml(default)}")
    return "\n".join(lines) + "\n"


def name_database(data: Path, url: str) -> bool:
    """Let the davserver.toml of the data directory `data` say that its database is at `url`.

    Returns whether it does now: a file in which that has an unusual form stays as it is.
    """
    file = data / FILE
    former = file.read_text("utf-8") if file.exists() else ""
    line = f"url = {_toml(url)}"
    lines, section = [], ""
    for each in former.splitlines():
        heading = _HEADING.match(each)
        section = heading[1] if heading else section
        if section != "database" or not _URL.match(each):
            lines.append(each)
        if heading and section == "database":
            lines.append(line)
    if line not in lines:
        lines += ["", "[database]", line]
    text = "\n".join(lines) + "\n"
    try:
        if tomllib.loads(text)["database"]["url"] != url:
            return False
    except tomllib.TOMLDecodeError:
        return False
    draft = file.with_name(f".{FILE}")
    draft.write_text(text, "utf-8")
    draft.chmod(0o600)
    draft.replace(file)
    return True


def _comment(language: str, phrase: Phrase) -> str:
    return f"# {translate(language, phrase.message)}"


def _toml(value: object) -> str:
    """A text or a number as TOML writes it: as JSON does; sizes with their unit."""
    return json.dumps(size(value) if isinstance(value, ByteSize) else value, ensure_ascii=False)
