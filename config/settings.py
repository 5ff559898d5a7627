"""The settings: davserver.toml < `DAVSERVER_…` environment < command line.

Every value knows where it came from. What is unknown, of the wrong type, or cannot work
together with something else is a `SettingsError` that names the place, the key and the remedy.
"""

import difflib
import os
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ByteSize, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.errors import SettingsError

FILE = "davserver.toml"
PREFIX = "DAVSERVER_"
# Read by the command line itself, before there are settings.
_NOT_SETTINGS = frozenset({"DAVSERVER_DATA"})


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Organisation(Section):
    name: str = Field("davserver", description="The organisation's name, shown at log-in.")
    language: Literal["fr", "en"] = Field(
        "fr", description="The language of messages when the client names none."
    )


class Server(Section):
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8080, ge=1, le=65535, description="The TCP port to listen on.")
    threads: int = Field(10, ge=1, le=200, description="Requests served at the same time.")
    timeout: float = Field(
        60.0, gt=0, le=3600, description="Seconds a silent connection is kept open."
    )


class DatabaseSettings(Section):
    url: str = Field(
        "",
        description="A SQLAlchemy URL, sqlite or postgresql+psycopg; "
        "empty: davserver.db in the data directory.",
    )
    busy_timeout: float = Field(
        30.0, gt=0, le=600, description="Seconds a writer waits for another one (SQLite)."
    )


class Authentication(Section):
    memory: ByteSize = Field(
        ByteSize(19 * 1024 * 1024), description="Memory of one argon2id password hash."
    )
    rounds: int = Field(2, ge=1, le=100, description="Passes of one argon2id password hash.")
    remember: float = Field(
        300.0, ge=0, le=3600, description="Seconds a verified password is remembered in memory."
    )


class Storage(Section):
    upload_max: ByteSize = Field(
        ByteSize(64 * 1024**3), gt=0, description="The largest document that is accepted."
    )
    clutter_max: ByteSize = Field(
        ByteSize(16 * 1024**2),
        gt=0,
        description="The largest ._name, .DS_Store, Thumbs.db or desktop.ini that is accepted.",
    )
    clutter_days: int = Field(7, ge=1, description="Days such a file is kept for its owner.")


class Limits(Section):
    xml_max: ByteSize = Field(
        ByteSize(1024**2), gt=0, description="The largest XML request body that is accepted."
    )
    object_max: ByteSize = Field(
        ByteSize(10 * 1024**2),
        gt=0,
        description="The largest calendar object or contact that is accepted.",
    )
    propfind_max: int = Field(
        10_000, ge=1, description="Resources that PROPFIND with Depth: infinity may list."
    )


class Locks(Section):
    timeout_max: int = Field(
        3600, ge=60, le=3600, description="Seconds a lock lasts unless its holder refreshes it."
    )


class Settings(BaseSettings):
    """All settings, frozen. `data` is the data directory (absolute)."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data: Path = Field(exclude=True)
    organisation: Organisation = Organisation()
    server: Server = Server()
    database: DatabaseSettings = DatabaseSettings()
    authentication: Authentication = Authentication()
    storage: Storage = Storage()
    limits: Limits = Limits()
    locks: Locks = Locks()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `load` has merged the three places already, and knows which value came from where.
        return (init_settings,)

    @model_validator(mode="after")
    def _work_together(self) -> "Settings":
        if self.database.url:
            try:
                driver = sa.make_url(self.database.url).drivername
            except sa.exc.ArgumentError:
                raise ValueError("database.url|is no database URL.") from None
            if driver not in ("sqlite", "postgresql+psycopg"):
                raise ValueError(f"database.url|{driver} is not supported.")
        if self.storage.clutter_max > self.storage.upload_max:
            raise ValueError("storage.clutter_max|is larger than storage.upload_max.")
        return self

    @property
    def database_url(self) -> str:
        """The URL to open: `database.url`, or SQLite in the data directory."""
        return self.database.url or f"sqlite:///{self.data / 'davserver.db'}"


_REMEDIES = {
    "database.url": "Use sqlite:////path/to/file.db or postgresql+psycopg://user@host/name.",
    "storage.clutter_max": "Lower it, or raise storage.upload_max.",
}


@dataclass(frozen=True)
class Value:
    """One effective setting: its dotted key, its value, and the place it came from."""

    key: str
    value: object
    source: str
    description: str


def load(
    data: Path, environment: Mapping[str, str], options: Mapping[str, object]
) -> tuple[Settings, list[Value]]:
    """Read the settings of the data directory `data`.

    `environment` is searched for `DAVSERVER_SECTION__KEY`; `options` maps dotted keys
    (`server.port`) to values of the command line, None meaning not given. Returns the settings
    and every effective value with its source. Raises `SettingsError`.
    """
    data = data.resolve()
    given: dict[str, tuple[object, str]] = {}
    for layer in (_from_file(data / FILE), _from_environment(environment), _from_options(options)):
        given.update(layer)
    tree: dict[str, Any] = {"data": data}
    for key, (value, source) in given.items():
        section, _, name = key.partition(".")
        _check_key(key, source)
        tree.setdefault(section, {})[name] = value
    try:
        settings = Settings(**tree)
    except ValidationError as error:
        raise _explain(error, given) from None
    return settings, _values(settings, given)


def _from_file(path: Path) -> dict[str, tuple[object, str]]:
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            where=path, key="-", problem=f"{error}.", remedy="Correct the file."
        ) from None
    flat: dict[str, tuple[object, str]] = {}
    for section, table in tree.items():
        if not isinstance(table, dict):
            _check_key(section, str(path))
            raise SettingsError(
                where=path,
                key=section,
                problem="is a section.",
                remedy=f"Write [{section}] on a line of its own, and its keys below.",
            )
        for name, value in table.items():
            flat[f"{section}.{name}"] = (value, str(path))
        if not table:
            _check_key(f"{section}.", str(path))
    return flat


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[object, str]]:
    return {
        name.removeprefix(PREFIX).lower().replace("__", ".", 1): (value, f"environment, {name}")
        for name, value in environment.items()
        if name.startswith(PREFIX) and name not in _NOT_SETTINGS
    }


def _from_options(options: Mapping[str, object]) -> dict[str, tuple[object, str]]:
    return {
        key: (value, f"command line, --{key.partition('.')[2]}")
        for key, value in options.items()
        if value is not None
    }


def _keys() -> dict[str, tuple[object, str]]:
    """Every known key with its type's name and its description."""
    return {
        f"{section}.{name}": (field.annotation, field.description or "")
        for section, outer in Settings.model_fields.items()
        if isinstance(outer.annotation, type) and issubclass(outer.annotation, Section)
        for name, field in outer.annotation.model_fields.items()
    }


def _check_key(key: str, source: str) -> None:
    known = _keys()
    if key in known:
        return
    close = difflib.get_close_matches(key, known, n=1)
    remedy = f"Did you mean {close[0]}?" if close else "Remove it; see `davserver config show`."
    raise SettingsError(where=source, key=key, problem="is not a setting.", remedy=remedy)


def _explain(error: ValidationError, given: Mapping[str, tuple[object, str]]) -> SettingsError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    problem = first["msg"]
    if not key:
        # A combination: `_work_together` names the key itself.
        key, _, problem = problem.removeprefix("Value error, ").partition("|")
    wanted = _keys().get(key, (str, ""))
    remedy = _REMEDIES.get(key) or f"Give it {_say(wanted[0])}: {wanted[1]}"
    source = given[key][1] if key in given else "defaults"
    return SettingsError(where=source, key=key, problem=problem.rstrip(".") + ".", remedy=remedy)


def _say(annotation: object) -> str:
    if typing.get_origin(annotation) is Literal:
        return " or ".join(repr(choice) for choice in typing.get_args(annotation))
    if isinstance(annotation, types.UnionType):
        return " or ".join(_say(part) for part in typing.get_args(annotation))
    names = {
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        ByteSize: 'a size such as "16 MiB"',
    }
    return names.get(typing.cast(type, annotation), str(annotation))


def _values(settings: Settings, given: Mapping[str, tuple[object, str]]) -> list[Value]:
    values = [Value("data", settings.data, "command line, --data or DAVSERVER_DATA", "")]
    for key, (_, description) in _keys().items():
        section, _, name = key.partition(".")
        value = getattr(getattr(settings, section), name)
        source = given[key][1] if key in given else "default"
        values.append(Value(key, value, source, description))
    return values


def environment_settings(data: Path, options: Mapping[str, object]) -> tuple[Settings, list[Value]]:
    """`load` with this process's environment."""
    return load(data, os.environ, options)
