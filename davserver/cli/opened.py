"""A data directory as a command finds it: settings, open database, documents, and the time."""

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from acl import registry
from acl.actor import Actor
from acl.journal import Act
from acl.passwords import Passwords
from acl.registry import Registry, RegistryCache
from acl.tripwire import Tripwire
from config.database import Database, Version
from config.errors import DatabaseTooNew
from config.settings import Settings, environment_settings
from davserver import organisation
from davserver.cli.errors import DatabaseTooOld, NoOrganisation
from davserver.documents.documents import Documents, Limits
from davserver.documents.store import Store


@dataclass(frozen=True)
class Opened:
    """What a command works with. `now` is the moment the command began."""

    settings: Settings
    database: Database
    store: Store
    now: datetime

    @contextmanager
    def write(self) -> Iterator[Act]:
        """One act of whoever typed the command, committed when the block ends."""
        with self.database.write() as connection:
            yield Act(connection, console(), self.now)

    @contextmanager
    def read(self) -> Iterator[Act]:
        """An act that changes nothing, to look at the registry's rows."""
        with self.database.read() as connection:
            yield Act(connection, console(), self.now)

    def registry(self) -> Registry:
        """The registry as it is now."""
        with self.database.read() as connection:
            return registry.read(connection)

    def documents(self) -> Documents:
        """The verbs on documents, as the server has them."""
        settings = self.settings
        limits = Limits(
            settings.storage.upload_max, settings.storage.clutter_max, settings.locks.timeout_max
        )
        return Documents(
            self.database,
            self.store,
            RegistryCache(),
            lambda: datetime.now(UTC),
            limits,
            Tripwire(self.database, settings.tripwire),
            settings.zone,
        )

    def passwords(self) -> Passwords:
        """The hasher that the settings ask for."""
        costs = self.settings.authentication
        return Passwords(memory=costs.memory, rounds=costs.rounds)


def console() -> Actor:
    """Whoever typed the command, by the name the system knows."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # In a container the user may have a number only.
        name = str(os.getuid())
    return Actor.console(name)


@contextmanager
def unfounded(data: Path, options: Mapping[str, object] | None = None) -> Iterator[Opened]:
    """The data directory, whether there is an organisation in it or not."""
    settings, _ = environment_settings(data, options or {})
    database = Database(settings.database_url, busy_timeout=settings.database.busy_timeout)
    try:
        yield Opened(settings, database, Store(settings.data), datetime.now(UTC))
    finally:
        database.close()


@contextmanager
def opened(
    data: Path, options: Mapping[str, object] | None = None, *, upgrade: bool = False
) -> Iterator[Opened]:
    """The data directory of an organisation; with `upgrade`, of an older version too.

    Raises `NoOrganisation`, `DatabaseTooOld` or `DatabaseTooNew`, and makes nothing.
    """
    with unfounded(data, options) as place:
        if not holds_organisation(place):
            raise NoOrganisation(data=place.settings.data)
        if upgrade:
            place.database.migrate()
        elif place.database.version() is Version.OLDER:
            raise DatabaseTooOld()
        yield place


def holds_organisation(place: Opened) -> bool:
    """Whether an organisation was founded here, by this version or an older one.

    Raises `DatabaseTooNew`. Looking for a database does not make one.
    """
    url = sa.make_url(place.settings.database_url)
    if place.database.is_sqlite and not Path(url.database or "").exists():
        return False
    version = place.database.version()
    if version is Version.NEWER:
        raise DatabaseTooNew()
    with place.database.read() as connection:
        return version is not Version.NONE and organisation.founded(connection)
