"""Who sends a request (RFC 7617)."""

import contextlib
from collections.abc import Callable
from datetime import datetime

from acl import devices
from acl.actor import ENVIRON, Actor
from acl.authenticate import Authenticator
from acl.errors import Unauthenticated
from acl.registry import RegistryCache
from config.database import Database
from config.errors import DatabaseUnavailable, StorageFull
from davserver.http.wsgi import Application, Body, Environ, StartResponse


class Authentication:
    """Sets the actor for `app`, or raises `Unauthenticated` or `MalformedCredentials`.

    `realm` is what a person reads when asked for a password; `clock` gives the time, aware.
    """

    def __init__(
        self,
        app: Application,
        *,
        database: Database,
        registry: RegistryCache,
        authenticator: Authenticator,
        realm: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._app = app
        self._database = database
        self._registry = registry
        self._authenticator = authenticator
        self._realm = realm
        self._clock = clock
        self._recorded: dict[int, datetime] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        # The header goes no further: nothing behind us has a use for it, or may log it.
        authorization = environ.pop("HTTP_AUTHORIZATION", None)
        if not authorization:
            raise Unauthenticated(self._realm)
        now = self._clock()
        with self._database.read() as connection:
            registry = self._registry.current(connection)
        address = environ.get("REMOTE_ADDR", "")
        actor = self._authenticator.actor(registry, authorization, address, now)
        if actor is None:
            raise Unauthenticated(self._realm)
        self._record_use(actor, now)
        environ[ENVIRON] = actor
        return self._app(environ, start_response)

    def _record_use(self, actor: Actor, now: datetime) -> None:
        device = actor.device
        if device is None:
            return
        last = self._recorded.get(device.id)
        if last is not None and now - last < devices.USE_RECORDED_EVERY:
            return
        self._recorded[device.id] = now
        # A busy database, or a full disk, must not keep a person out for the sake of a date.
        with (
            contextlib.suppress(DatabaseUnavailable, StorageFull),
            self._database.write() as connection,
        ):
            devices.record_use(connection, device.id, now)
