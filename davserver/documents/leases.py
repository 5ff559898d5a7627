"""Jobs that are done by one process at a time, however many serve the same data.

Who does one holds its lease, a row with a time limit. A process that dies lets it run out.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from config.database import Database
from davserver.documents.tables import leases


class Lease:
    """The lease of `job` as one process asks for it. `clock` gives the time, aware.

    `span` is how long it lasts unless it is renewed.
    """

    def __init__(
        self, database: Database, job: str, clock: Callable[[], datetime], span: timedelta
    ) -> None:
        self._database = database
        self._job = job
        self._clock = clock
        self._span = span
        self._holder = secrets.token_hex(16)

    def take(self) -> bool:
        """Take it, if nobody has it; tell whether this process has it now."""
        now = self._clock()
        query = sa.select(leases.c.until).where(leases.c.job == self._job)
        with self._database.read() as connection:
            # Nearly always somebody has, and then nothing need be written.
            until = connection.execute(query).scalar()
        if until is not None and until > now:
            return False
        with self._database.write() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            insert = sqlite.insert(leases) if is_sqlite else postgresql.insert(leases)
            values = {"holder": self._holder, "until": now + self._span}
            taken = connection.execute(
                insert.values(job=self._job, **values)
                .on_conflict_do_update(
                    index_elements=[leases.c.job], set_=values, where=leases.c.until <= now
                )
                .returning(leases.c.job)
            )
            return taken.first() is not None

    def renew(self, span: timedelta | None = None) -> bool:
        """Let it last another while, `span` if that is given; False if somebody else has it."""
        now = self._clock()
        with self._database.write() as connection:
            renewed = connection.execute(
                leases.update()
                .where(leases.c.job == self._job, leases.c.holder == self._holder)
                .values(until=now + (span or self._span))
            )
            return bool(renewed.rowcount)
