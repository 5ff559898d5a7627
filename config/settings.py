"""The settings: davserver.toml < `DAVSERVER_…` environment < command line.

Every value knows where it came from. What is unknown, of the wrong type, or cannot work
together with something else is a `SettingsError` that names the place, the key and the remedy.
"""

import difflib
import os
import tomllib
import typing
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from pathlib import Path
from typing import Any, Literal

import annotated_types
import sqlalchemy as sa
from pydantic import BaseModel, ByteSize, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.errors import SettingsError
from config.language import Phrase

FILE = "davserver.toml"
PREFIX = "DAVSERVER_"
# Read by the command line itself, before there are settings.
_NOT_SETTINGS = frozenset({"DAVSERVER_DATA"})


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Organisation(Section):
    name: str = Field(
        "davserver",
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]*$",
        description="The organisation's name, one line of 1 to 100 characters, shown at log-in.",
    )
    language: Literal["fr", "en"] = Field(
        "fr", description="The language of messages when the client names none."
    )
    timezone: str = Field(
        "",
        description="The time zone of moments in /history and on the command line, as "
        "Europe/Paris; empty: the system's.",
    )


class Server(Section):
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8080, ge=1, le=65535, description="The TCP port to listen on.")
    threads: int = Field(10, ge=1, le=200, description="Requests served at the same time.")
    timeout: int = Field(60, ge=1, le=3600, description="Seconds a silent connection is kept open.")


class DatabaseSettings(Section):
    url: str = Field(
        "",
        repr=False,
        description="A SQLAlchemy URL, sqlite or postgresql+psycopg; "
        "empty: davserver.db in the data directory.",
    )
    busy_timeout: float = Field(
        30.0, gt=0, le=600, description="Seconds a writer waits for another one (SQLite)."
    )


class Authentication(Section):
    memory: ByteSize = Field(
        ByteSize(19 * 1024 * 1024),
        ge=8 * 1024,
        le=4 * 1024**3,
        description="Memory of one argon2id password hash.",
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


class Retention(Section):
    keep_days: int = Field(
        30, ge=7, le=36_500, description="Days history keeps every version of a document."
    )
    daily_days: int = Field(
        365, ge=7, le=36_500, description="Days it keeps one version a day, after that none."
    )
    trash_days: int = Field(90, ge=7, le=36_500, description="Days the trash is kept.")


class Tripwire(Section):
    enabled: bool = Field(
        True, description="Whether to stop an account that does what ransomware does."
    )
    minutes: int = Field(
        10, ge=1, le=1440, description="Over how many minutes its acts are counted."
    )
    scrambled: int = Field(
        25,
        ge=1,
        description="Documents replaced by what looks encrypted, after which it is stopped.",
    )
    renamed: int = Field(
        50,
        ge=1,
        description="Documents given one same ending that no program knows, after which it is.",
    )
    deleted: int = Field(
        2000, ge=1, description="Deletions, of whatever size, after which it is stopped."
    )
    overwritten: int = Field(
        10_000, ge=1, description="Documents overwritten, after which it is stopped."
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
    retention: Retention = Retention()
    tripwire: Tripwire = Tripwire()

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
            _check_url(self.database.url)
        if self.storage.clutter_max > self.storage.upload_max:
            raise _Unworkable(
                "storage.clutter_max",
                Phrase("is larger than {key}.", key="storage.upload_max"),
                Phrase("Lower it, or raise {key}.", key="storage.upload_max"),
            )
        if self.retention.daily_days < self.retention.keep_days:
            raise _Unworkable(
                "retention.daily_days",
                Phrase("is less than {key}.", key="retention.keep_days"),
                Phrase("Raise it, or lower {key}.", key="retention.keep_days"),
            )
        try:
            _ = self.zone
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            raise _Unworkable(
                "organisation.timezone",
                Phrase("{name} is not a time zone.", name=repr(self.organisation.timezone)),
                Phrase("Use a name such as {example}.", example="Europe/Paris"),
            ) from None
        return self

    @property
    def zone(self) -> tzinfo | None:
        """The organisation's time zone; None: the system's, as `datetime.astimezone` takes it."""
        name = self.organisation.timezone
        return zoneinfo.ZoneInfo(name) if name else None

    @property
    def database_url(self) -> str:
        """The URL to open: `database.url`, or SQLite in the data directory."""
        if self.database.url:
            return self.database.url
        # Not joined by hand: a data directory may have a "?" or a "%" in its name.
        file = sa.URL.create("sqlite", database=str(self.data / "davserver.db"))
        return file.render_as_string(hide_password=False)


class _Unworkable(ValueError):
    """Settings that are right one by one and cannot work together."""

    def __init__(self, key: str, problem: Phrase, remedy: Phrase) -> None:
        super().__init__(str(problem))
        self.key = key
        self.problem = problem
        self.remedy = remedy


def _check_url(text: str) -> None:
    remedy = Phrase(
        "Use {sqlite} or {postgresql}.",
        sqlite="sqlite:////path/to/file.db",
        postgresql="postgresql+psycopg://user@host/name",
    )
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        problem = Phrase("is no database URL.")
        raise _Unworkable("database.url", problem, remedy) from None
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        problem = Phrase("{driver} is not supported.", driver=url.drivername)
        raise _Unworkable("database.url", problem, remedy)
    if url.drivername == "sqlite" and not Path(url.database or "").is_absolute():
        # In memory each process has a database of its own, and which file a relative path
        # means depends on where the command was typed.
        problem = Phrase("does not name a file by its absolute path.")
        raise _Unworkable("database.url", problem, remedy)


@dataclass(frozen=True)
class Value:
    """One effective setting: its dotted key, its value, and the place it came from."""

    key: str
    value: object
    source: Phrase
    description: Phrase

    def shown(self) -> object:
        """The value without its secrets, as a TOML type."""
        if isinstance(self.value, Path):
            return str(self.value)
        return _without_password(str(self.value)) if self.key == "database.url" else self.value


_Given = dict[str, tuple[object, Phrase]]
"""Values by dotted key, each with the place it came from."""

DEFAULT = Phrase("default")
COMMAND_LINE = Phrase("command line, {option}", option="--data")


def load(
    data: Path,
    environment: Mapping[str, str],
    options: Mapping[str, object],
    *,
    data_source: Phrase = COMMAND_LINE,
) -> tuple[Settings, list[Value]]:
    """Read the settings of the data directory `data`, which came from `data_source`.

    `environment` is searched for `DAVSERVER_SECTION__KEY`; `options` maps dotted keys
    (`server.port`) to values of the command line, None meaning not given. Returns the settings
    and every effective value with its source. Raises `SettingsError`.
    """
    data = data.resolve()
    given: _Given = {}
    for layer in (_from_file(data / FILE), _from_environment(environment), _from_options(options)):
        given.update(layer)
    tree: dict[str, Any] = {"data": data}
    for key, (value, _) in given.items():
        section, _, name = key.partition(".")
        tree.setdefault(section, {})[name] = value
    try:
        settings = Settings(**tree)
    except ValidationError as error:
        raise _explain(error, given) from None
    values = [Value("data", data, data_source, Phrase("The data directory."))]
    for key, field in _keys().items():
        section, _, name = key.partition(".")
        value = getattr(getattr(settings, section), name)
        source = given[key][1] if key in given else DEFAULT
        values.append(Value(key, value, source, Phrase(field.description or "")))
    return settings, values


def _from_file(path: Path) -> _Given:
    where = Phrase("{path}", path=path)
    sections = {key.partition(".")[0] for key in _keys()}
    flat: _Given = {}
    for section, table in _read(path).items():
        if section not in sections:
            raise _unknown(section, where, [*_keys(), *sections])
        if not isinstance(table, dict):
            problem = Phrase("is a section.")
            remedy = Phrase(
                "Write {line} on a line of its own, its keys below.", line=f"[{section}]"
            )
            raise SettingsError(where=where, key=section, problem=problem, remedy=remedy)
        for name, value in table.items():
            key = f"{section}.{name}"
            if key not in _keys():
                raise _unknown(key, where, _keys())
            if not _has_type(_keys()[key], value):
                raise _unusable(key, value, where)
            flat[key] = (value, where)
    return flat


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = Phrase("is no TOML ({detail}).", detail=error)
        remedy = Phrase("Correct the file.")
    except OSError as error:
        problem = Phrase("cannot be read ({detail}).", detail=error.strerror)
        remedy = Phrase("Let the user who runs davserver read it.")
    raise SettingsError(where=path.parent, key=path.name, problem=problem, remedy=remedy)


def _from_environment(environment: Mapping[str, str]) -> _Given:
    flat: _Given = {}
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name in _NOT_SETTINGS:
            continue
        key = name.removeprefix(PREFIX).lower().replace("__", ".", 1)
        source = Phrase("environment, {name}", name=name)
        if key not in _keys():
            raise _unknown(key, source, _keys(), _variable)
        flat[key] = (value, source)
    return flat


def _variable(key: str) -> str:
    return PREFIX + key.replace(".", "__").upper()


def _from_options(options: Mapping[str, object]) -> _Given:
    return {
        key: (value, Phrase("command line, {option}", option=f"--{key.partition('.')[2]}"))
        for key, value in options.items()
        if value is not None
    }


@cache
def _keys() -> dict[str, FieldInfo]:
    """Every known key with its type, bounds and description."""
    return {
        f"{section}.{name}": field
        for section, outer in Settings.model_fields.items()
        if isinstance(outer.annotation, type) and issubclass(outer.annotation, Section)
        for name, field in outer.annotation.model_fields.items()
    }


def _unknown(
    name: str, source: Phrase, known: Iterable[str], spell: Callable[[str], str] = str
) -> SettingsError:
    """The error about `name`; `spell` writes a known key as it is written at that place."""
    known = list(known)
    # A key without its section is the commonest slip.
    close = [key for key in known if key.endswith(f".{name}")]
    close = close or difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    if close:
        remedy = Phrase("Did you mean {key}?", key=spell(close[0]))
    else:
        remedy = Phrase("Remove it; `davserver config show` lists all settings.")
    problem = Phrase("is not a setting.")
    return SettingsError(where=source, key=name or "-", problem=problem, remedy=remedy)


def _has_type(field: FieldInfo, value: object) -> bool:
    """Whether a value that has a type in TOML has the right one."""
    accepted: dict[object, tuple[type, ...]] = {
        int: (int,),
        float: (int, float),
        bool: (bool,),
        ByteSize: (int, str),
    }
    return type(value) in accepted.get(field.annotation, (str,))


def _explain(error: ValidationError, given: _Given) -> SettingsError:
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, _Unworkable):
        source = given[cause.key][1] if cause.key in given else DEFAULT
        return SettingsError(
            where=source, key=cause.key, problem=cause.problem, remedy=cause.remedy
        )
    key = ".".join(str(part) for part in first["loc"])
    return _unusable(key, first["input"], given[key][1])


def _unusable(key: str, value: object, source: Phrase) -> SettingsError:
    field = _keys()[key]
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return SettingsError(
        where=source,
        key=key,
        problem=Phrase("{value} cannot be used.", value=shown),
        remedy=Phrase(
            "Give it {wanted}. {description}",
            wanted=_wanted(field),
            description=Phrase(field.description or ""),
        ),
    )


def _wanted(field: FieldInfo) -> Phrase:
    if typing.get_origin(field.annotation) is Literal:
        choices = " | ".join(repr(choice) for choice in typing.get_args(field.annotation))
        return Phrase("{choices}", choices=choices)
    wanted = {
        str: Phrase("a text"),
        int: Phrase("a whole number"),
        float: Phrase("a number"),
        bool: Phrase("true or false"),
        ByteSize: Phrase('a size such as "16 MiB"'),
    }[typing.cast(type, field.annotation)]
    low = [b.ge for b in field.metadata if isinstance(b, annotated_types.Ge)]
    above = [b.gt for b in field.metadata if isinstance(b, annotated_types.Gt)]
    high = [b.le for b in field.metadata if isinstance(b, annotated_types.Le)]
    if low and high:
        return Phrase("{wanted} from {low} to {high}", wanted=wanted, low=low[0], high=high[0])
    if above and high:
        return Phrase(
            "{wanted} above {low}, {high} at most", wanted=wanted, low=above[0], high=high[0]
        )
    if low or above:
        return Phrase("{wanted}, at least {low}", wanted=wanted, low=low[0] if low else 1)
    return wanted


def _without_password(url: str) -> str:
    """The database URL as it may be shown."""
    if not url:
        return url
    parsed = sa.make_url(url)
    hidden = {name: "***" for name in parsed.query if "password" in name.lower()}
    shown = parsed.update_query_dict(hidden).render_as_string(hide_password=True)
    return shown.replace("%2A%2A%2A", "***")


def defaults() -> Iterator[tuple[str, object, str]]:
    """Every key with its default and its description, section by section."""
    for key, field in _keys().items():
        yield key, field.default, field.description or ""


def environment_settings(
    data: Path, options: Mapping[str, object], *, data_source: Phrase = COMMAND_LINE
) -> tuple[Settings, list[Value]]:
    """`load` with this process's environment."""
    return load(data, os.environ, options, data_source=data_source)
