"""One request: its actor, its transaction, and the home that both give.

Radicale's storage and rights are made once for a whole process and are told only names; what
belongs to the request they find here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from acl.actor import Actor
from acl.errors import Unauthenticated
from acl.journal import Act
from acl.registry import RegistryCache
from acl.tripwire import Tripwire
from calendars.home import Home
from config.database import Database


@dataclass(frozen=True)
class Session:
    """A transaction of one actor. `act` is what a verb that changes something is handed."""

    act: Act
    home: Home

    @property
    def connection(self) -> Connection:
        """The transaction."""
        return self.act.connection


_CURRENT: ContextVar[Session] = ContextVar("davserver.calendars.session")


def current() -> Session:
    """The session of the request that this thread serves."""
    return _CURRENT.get()


class Sessions:
    """Begins them. Safe to share between threads.

    `clock` gives the time (aware); `prefix` is the URL path that homes are mounted at.
    """

    def __init__(
        self,
        database: Database,
        registries: RegistryCache,
        tripwire: Tripwire,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._registries = registries
        self._tripwire = tripwire
        self._clock = clock

    @contextmanager
    def reading(self, actor: Actor, prefix: str) -> Iterator[Session]:
        """A session that sees one state of everything, and changes nothing."""
        with self._database.read() as connection, self._session(connection, actor, prefix) as one:
            yield one

    @contextmanager
    def writing(self, actor: Actor, prefix: str) -> Iterator[Session]:
        """A session that is committed when the block ends, and undone if it raises.

        Raises `Tripped` if the act is one too many.
        """
        with (
            self._tripwire.guard(),
            self._database.write() as connection,
            self._session(connection, actor, prefix) as one,
        ):
            yield one
            self._tripwire.count(one.act)

    @contextmanager
    def _session(self, connection: Connection, actor: Actor, prefix: str) -> Iterator[Session]:
        now = self._clock()
        registry = self._registries.current(connection)
        # What it was when it logged in may be a moment ago: groups are left, devices revoked.
        known = actor.current(registry, now)
        if known is None or known.account is None:
            raise Unauthenticated()
        home = Home(connection, registry, known, known.account, prefix)
        home.enter()
        session = Session(Act(connection, known, now), home)
        token = _CURRENT.set(session)
        try:
            yield session
        finally:
            _CURRENT.reset(token)
