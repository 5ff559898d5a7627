"""davserver.toml < environment < command line, and what each mistake is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.errors import SettingsError
from config.language import Phrase
from config.settings import FILE, Settings, Value, defaults, load
from davserver.cli import settings_file

Options = Mapping[str, object]


def read(
    data: Path, toml: str = "", environment: Mapping[str, str] | None = None, **options: object
) -> tuple[Settings, dict[str, Value]]:
    """Load with a davserver.toml of this content; options have "_" for the dot."""
    if toml:
        (data / FILE).write_text(toml, "utf-8")
    dotted = {name.replace("__", "."): value for name, value in options.items()}
    settings, values = load(data, environment or {}, dotted)
    return settings, {value.key: value for value in values}


PORT = "DAVSERVER_SERVER__PORT"

PRECEDENCE = [
    # file, environment, command line, port, from
    (None, None, None, 8080, "default"),
    (81, None, None, 81, "{data}/davserver.toml"),
    (None, "82", None, 82, f"environment, {PORT}"),
    (None, None, 83, 83, "command line, --port"),
    (81, "82", None, 82, f"environment, {PORT}"),
    (81, None, 83, 83, "command line, --port"),
    (None, "82", 83, 83, "command line, --port"),
    (81, "82", 83, 83, "command line, --port"),
    # The default, said aloud, is not a default any more.
    (8080, None, None, 8080, "{data}/davserver.toml"),
]


@pytest.mark.parametrize("file, variable, option, port, source", PRECEDENCE)
def test_the_nearest_place_wins_and_is_named(
    tmp_path: Path,
    file: int | None,
    variable: str | None,
    option: int | None,
    port: int,
    source: str,
) -> None:
    toml = "" if file is None else f"[server]\nport = {file}\n"
    environment = {} if variable is None else {PORT: variable}
    settings, values = read(tmp_path, toml, environment, server__port=option)
    assert settings.server.port == values["server.port"].value == port
    assert str(values["server.port"].source) == source.format(data=tmp_path)
    # What stands beside it is left alone.
    assert str(values["server.host"].source) == "default"


FILE_MISTAKES = [
    # content, key, what is said of it, in the remedy
    ("[server]\nport = 0", "server.port", "0 cannot be used", "from 1 to 65535"),
    ("[server]\nport = 65536", "server.port", "65536 cannot be used", "whole number"),
    ("[server]\nport = '80'", "server.port", "'80' cannot be used", "whole number"),
    ("[server]\nport = 80.0", "server.port", "80.0 cannot be used", "whole number"),
    ("[server]\nport = true", "server.port", "true cannot be used", "whole number"),
    ("[server]\nport = [80]", "server.port", "[80] cannot be used", "whole number"),
    ("[server]\nport = 2026-01-01", "server.port", "cannot be used", "whole number"),
    ("[server.port]\nnumber = 80", "server.port", "cannot be used", "whole number"),
    ("[server]\nhost = 1", "server.host", "1 cannot be used", "a text"),
    ("[database]\nbusy_timeout = 0", "database.busy_timeout", "0 cannot be used", "above 0"),
    ("[database]\nbusy_timeout = nan", "database.busy_timeout", "nan cannot be used", "a number"),
    (
        "[database]\nbusy_timeout = inf",
        "database.busy_timeout",
        "inf cannot be used",
        "600 at most",
    ),
    ("[server]\nthreads = 201", "server.threads", "201 cannot be used", "from 1 to 200"),
    ("[organisation]\nname = ''", "organisation.name", "'' cannot be used", "1 to 100"),
    ('[organisation]\nname = "a\\nb"', "organisation.name", "cannot be used", "one line"),
    ("[organisation]\nlanguage = 'de'", "organisation.language", "'de'", "'fr' | 'en'"),
    ("[limits]\nxml_max = '20 Go'", "limits.xml_max", "'20 Go'", '"16 MiB"'),
    ("[limits]\nxml_max = -1", "limits.xml_max", "-1 cannot be used", "at least 1"),
    ("[limits]\nxml_max = 1.5", "limits.xml_max", "1.5 cannot be used", "a size"),
    ("[limits]\nxml_max = 0", "limits.xml_max", "0 cannot be used", "at least 1"),
    ("[authentication]\nmemory = 1024", "authentication.memory", "1024", "from 8192"),
    ("[locks]\ntimeout_max = 59", "locks.timeout_max", "59", "from 60 to 3600"),
    ("port = 80", "port", "is not a setting", "Did you mean server.port?"),
    ("[servr]\nport = 80", "servr", "is not a setting", "Did you mean server?"),
    ("[servr]", "servr", "is not a setting", "Did you mean server?"),
    ("[server]\nhots = 'x'", "server.hots", "is not a setting", "Did you mean server.host?"),
    ("[server]\nxyzzy = 1", "server.xyzzy", "is not a setting", "davserver config show"),
    ('[server]\n"port.x" = 1', "server.port.x", "is not a setting", ""),
    ("[[server]]\nport = 1", "server", "is a section", "Write [server]"),
    ("server = 'x'", "server", "is a section", "Write [server]"),
    ("data = '/srv'", "data", "is not a setting", ""),
    ("[data]\nx = 1", "data", "is not a setting", ""),
    ("[server", FILE, "is no TOML", "Correct the file"),
    ("[server]\nport = 1\nport = 2", FILE, "is no TOML", "Correct the file"),
]


@pytest.mark.parametrize("toml, key, problem, remedy", FILE_MISTAKES)
def test_a_mistake_in_the_file_names_file_key_and_remedy(
    tmp_path: Path, toml: str, key: str, problem: str, remedy: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, toml)
    said = str(caught.value)
    assert str(tmp_path) in said and FILE in said
    assert f": {key}: " in said
    assert problem in said
    assert remedy in said
    assert caught.value.exit_code == 2


ENVIRONMENT_MISTAKES = [
    # name, value, key, problem, remedy
    (PORT, "eighty", "server.port", "'eighty' cannot be used", "whole number"),
    (PORT, "", "server.port", "'' cannot be used", "whole number"),
    (PORT, "8080.5", "server.port", "'8080.5' cannot be used", "whole number"),
    ("DAVSERVER_PORT", "80", "port", "is not a setting", "DAVSERVER_SERVER__PORT"),
    ("DAVSERVER_SERVER_PORT", "80", "server_port", "is not", "DAVSERVER_SERVER__PORT"),
    ("DAVSERVER_SERVER", "x", "server", "is not a setting", ""),
    ("DAVSERVER_", "x", "-", "is not a setting", ""),
    ("DAVSERVER_ORGANISATION__NAME", "a\x00b", "organisation.name", "cannot be used", ""),
    ("DAVSERVER_DATABASE__URL", "oracle://u:pw@h/d", "database.url", "oracle", "sqlite:////"),
    ("DAVSERVER_DATABASE__URL", "postgresql://u:pw@h/d", "database.url", "postgresql", "+psycopg"),
    ("DAVSERVER_DATABASE__URL", "u:pw", "database.url", "is no database URL", "sqlite:////"),
    ("DAVSERVER_DATABASE__URL", "sqlite://", "database.url", "absolute path", "sqlite:////"),
    ("DAVSERVER_DATABASE__URL", "sqlite:///:memory:", "database.url", "absolute path", "////"),
    ("DAVSERVER_DATABASE__URL", "sqlite:///here.db", "database.url", "absolute path", "////"),
    ("DAVSERVER_STORAGE__CLUTTER_MAX", "65 GiB", "storage.clutter_max", "is larger", "Lower it"),
    ("DAVSERVER_STORAGE__UPLOAD_MAX", "1 MiB", "storage.clutter_max", "is larger", "Lower it"),
]


@pytest.mark.parametrize("name, value, key, problem, remedy", ENVIRONMENT_MISTAKES)
def test_a_mistake_in_the_environment(
    tmp_path: Path, name: str, value: str, key: str, problem: str, remedy: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, environment={name: value})
    said = str(caught.value)
    # The combination's key may not be the one that was given last.
    assert said.startswith((f"environment, {name}: {key}: ", f"default: {key}: "))
    assert problem in said and remedy in said
    assert "pw" not in said


def test_a_mistake_on_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^command line, --port: server.port: 0 cannot"):
        read(tmp_path, server__port=0)


def test_the_mistake_is_told_in_french(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, environment={PORT: "x"})
    assert caught.value.render("fr") == (
        f"environnement, {PORT}: server.port: 'x' n’est pas utilisable. "
        "Donnez-lui un nombre entier de 1 à 65535. Le port TCP à écouter."
    )


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / FILE).rmdir()
    (tmp_path / FILE).write_bytes(b"[organisation]\nname = '\xe9'\n")
    with pytest.raises(SettingsError, match="is no TOML"):
        read(tmp_path)


GOOD = [
    ("[database]\nbusy_timeout = 5", "database.busy_timeout", 5.0),
    ("[limits]\nxml_max = '2 MiB'", "limits.xml_max", 2 * 1024**2),
    ("[limits]\nxml_max = 4096", "limits.xml_max", 4096),
    ("[organisation]\nname = 'Mairie d’Été'", "organisation.name", "Mairie d’Été"),
    ("[server]", "server.port", 8080),
    ("[database]\nurl = ''", "database.url", ""),
    ("# nothing", "server.port", 8080),
]


@pytest.mark.parametrize("toml, key, value", GOOD)
def test_what_is_understood(tmp_path: Path, toml: str, key: str, value: object) -> None:
    assert read(tmp_path, toml)[1][key].value == value


@pytest.mark.parametrize(
    "environment",
    [{"DAVSERVER_DATA": "/elsewhere"}, {"davserver_server__port": "x"}, {"PATH": "/bin"}],
)
def test_other_variables_are_none_of_ours(tmp_path: Path, environment: dict[str, str]) -> None:
    assert read(tmp_path, environment=environment)[0].server.port == 8080


def test_every_value_is_listed_with_what_it_means(tmp_path: Path) -> None:
    _, values = read(tmp_path)
    assert list(values) == ["data", *(key for key, _, _ in defaults())]
    assert all(str(value.description) for value in values.values())
    assert all(isinstance(value.source, Phrase) for value in values.values())


URLS = [
    ("postgresql+psycopg://dav:s3cret@db/dav", "postgresql+psycopg://dav:***@db/dav"),
    ("postgresql+psycopg://db/dav?password=s3cret", "postgresql+psycopg://db/dav?password=***"),
    ("postgresql+psycopg://db/dav?sslpassword=s3cret&port=1", "sslpassword=***"),
    ("postgresql+psycopg://dav:s3cr%40t@db/dav", "postgresql+psycopg://dav:***@db/dav"),
    ("sqlite:////srv/dav.db", "sqlite:////srv/dav.db"),
]


@pytest.mark.parametrize("url, shown", URLS)
def test_a_password_in_the_url_is_used_and_never_shown(
    tmp_path: Path, url: str, shown: str
) -> None:
    settings, values = read(tmp_path, environment={"DAVSERVER_DATABASE__URL": url})
    assert settings.database_url == url
    assert shown in str(values["database.url"].shown())
    assert "s3cr" not in f"{values['database.url'].shown()}{settings!r}{settings.database!r}"


@pytest.mark.parametrize("name", ["data", "with space", "100%", "what?", "a#b", "été", "a@b:c"])
def test_any_data_directory_can_hold_the_database(tmp_path: Path, name: str) -> None:
    data = tmp_path / name
    settings, _ = load(data, {}, {})
    assert sa.make_url(settings.database_url).database == str(data / "davserver.db")


def test_settings_cannot_be_changed_while_they_are_used(tmp_path: Path) -> None:
    settings, _ = read(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        settings.server = settings.server  # type: ignore[misc]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_written_file_says_what_holds(tmp_path: Path, language: str) -> None:
    options = {"organisation.name": 'La "Belle" Été \\ 1', "organisation.language": language}
    settings, _ = load(tmp_path, {}, options)
    written = settings_file.text(settings)
    (tmp_path / FILE).write_text(written, "utf-8")
    assert load(tmp_path, {}, {})[0] == settings
    # Each default, uncommented, is the default.
    sections = [line for line in written.splitlines() if not line.startswith("# ")]
    assert len(sections) == 2 + 2 * 9
    keys = {key.partition(".")[2] for key, _, _ in defaults()}
    uncommented = "\n".join(
        line[2:] if line[2:].partition(" = ")[0] in keys and line.startswith("# ") else line
        for line in written.splitlines()
    )
    (tmp_path / FILE).write_text(uncommented, "utf-8")
    again, values = load(tmp_path, {}, {})
    assert again == settings
    from_file = [value.key for value in values if str(value.source).endswith(FILE)]
    assert from_file == [key for key, _, _ in defaults()]
