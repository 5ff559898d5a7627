"""What the server does by itself, about once an hour, in one of its processes.

It counts what history keeps and nobody has counted yet, lets retention free what was kept for
long enough, and removes what nobody will come back for.
"""

import logging
import threading
from datetime import timedelta

from acl.actor import Actor
from config.errors import DavserverError
from config.settings import Settings
from davserver.documents import clutter, counts, retention
from davserver.documents.documents import Documents
from davserver.documents.leases import Lease

_log = logging.getLogger("davserver")

SERVER = Actor("davserver", address="server")
"""Who acts when nobody has asked."""

_JOB = "upkeep"
_PERIOD = timedelta(hours=1)
# For how long a process may be busy, or dead, before another one takes over.
_LEASE = timedelta(minutes=15)
_FIRST, _THEN = 60.0, 300.0  # seconds until one looks whether it is time


class Upkeep:
    """The upkeep of `documents` by this process, in a thread of its own between `start` and
    `stop`. `first` and `then` are the seconds until it looks whether it is time."""

    def __init__(
        self,
        documents: Documents,
        settings: Settings,
        *,
        first: float = _FIRST,
        then: float = _THEN,
    ) -> None:
        self._documents = documents
        self._settings = settings
        self._lease = Lease(documents.database, _JOB, documents.clock, _LEASE)
        self._first, self._then = first, then
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Let what is under way come to an end, within so many seconds.

        What is cut short then is undone, as after a power failure.
        """
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def _go_on(self) -> None:
        delay = self._first
        while not self._stopping.wait(delay):
            # Each in a thread of its own: what nobody foresaw ends that one, with its traceback
            # in the log, and not the upkeep of all days to come.
            once = threading.Thread(target=self._try, name="upkeep", daemon=True)
            once.start()
            once.join()
            delay = self._then

    def _try(self) -> None:
        try:
            self.run()
        except (DavserverError, OSError) as error:
            _log.warning("upkeep: %s", error)

    def run(self) -> bool:
        """Do it now if it is time and no other process does it; tell whether it was done."""
        if not self._lease.take():
            return False
        documents, settings = self._documents, self._settings
        counts.count(documents, SERVER, stopped=self._stopped)
        retention.run(documents, settings.retention, settings.zone, SERVER, stopped=self._stopped)
        documents.recover()
        clutter.sweep(documents.store, settings.storage.clutter_days, documents.clock().timestamp())
        # Nobody, this process included, begins again before the hour is over.
        return not self._stopping.is_set() and self._lease.renew(_PERIOD)

    def _stopped(self) -> bool:
        return self._stopping.is_set() or not self._lease.renew()
