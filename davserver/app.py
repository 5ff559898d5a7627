"""The composition root: settings to one WSGI application. The only place that knows all classes."""

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from acl.authenticate import Authenticator
from acl.passwords import Passwords
from acl.registry import RegistryCache, revision
from acl.tripwire import Tripwire
from calendars.application import Application as Calendars
from config.database import Database
from config.errors import DavserverError
from config.settings import Settings
from davserver.dav.application import DavApplication
from davserver.dav.propfind import Propfind
from davserver.documents import clutter
from davserver.documents.documents import Documents, Limits
from davserver.documents.store import Store
from davserver.http.access_log import AccessLog
from davserver.http.addresses import Addresses
from davserver.http.authentication import Authentication
from davserver.http.bodies import Bodies
from davserver.http.replies import Replies
from davserver.http.router import Router
from davserver.http.wsgi import Application


def now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class App:
    """The application, and what has to be closed when it ends."""

    wsgi: Application
    database: Database
    documents: Documents
    settings: Settings

    def recover(self) -> None:
        """What start-up does before the first request: settle what a crash cut short."""
        self.documents.recover()
        clutter.sweep(self.documents.store, self.settings.storage.clutter_days, time.time())


def healthy(database: Database) -> bool:
    """Whether the database answers, with our tables in it."""
    try:
        with database.read() as connection:
            revision(connection)
    except DavserverError:
        return False
    return True


def build(settings: Settings) -> App:
    """Put the application together. The data directory and its database exist already."""
    database = Database(settings.database_url, busy_timeout=settings.database.busy_timeout)
    registry = RegistryCache()
    tripwire = Tripwire(database, settings.tripwire)
    storage = settings.storage
    documents = Documents(
        database,
        Store(settings.data),
        registry,
        now,
        Limits(storage.upload_max, storage.clutter_max, settings.locks.timeout_max),
        tripwire,
        settings.zone,
    )
    listings = Propfind(documents, settings.limits.propfind_max, settings.organisation.name)
    files = DavApplication(documents, listings)
    calendars = Calendars(
        database, registry, tripwire, object_max=settings.limits.object_max, clock=now
    )
    costs = settings.authentication
    authenticator = Authenticator(
        Passwords(memory=costs.memory, rounds=costs.rounds),
        remember=costs.remember,
        clock=time.monotonic,
    )

    def known(app: Application) -> Application:
        return Authentication(
            app,
            database=database,
            registry=registry,
            authenticator=authenticator,
            realm=settings.organisation.name,
            clock=now,
        )

    xml_max, object_max = settings.limits.xml_max, settings.limits.object_max
    router = Router(
        documents=known(Bodies(files, lambda method: None if method == "PUT" else xml_max)),
        options=files,
        # Room for an object that is too large: CalDAV has its own answer to it.
        calendars=known(
            Bodies(calendars, lambda method: 2 * object_max if method == "PUT" else xml_max)
        ),
        healthy=lambda: healthy(database),
    )
    front = Replies(Addresses(router), settings.organisation.language)
    wsgi = AccessLog(front, new_id=lambda: secrets.token_hex(8), clock=time.monotonic)
    return App(wsgi, database, documents, settings)
