"""Radicale's storage over SQL: what it reads of homes, collections and objects.

It only reads. Whatever changes something goes through `calendars.objects`,
`calendars.collections` and `calendars.views`, which raise typed errors; Radicale's own handlers
return theirs from inside the lock, where a transaction could not tell them from success.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from radicale.item import Item
from radicale.storage import BaseCollection, BaseStorage

from calendars import objects
from calendars.collection import Collection, Container, StoredItem
from calendars.paths import Path
from calendars.session import current


class Storage(BaseStorage):
    """What the current session's actor may know of."""

    # Else Radicale would refuse names that its own file storage cannot hold.
    _is_collision_free = True
    _supports_unicode = True
    _supports_trailing_whitespace = True
    _supports_problematic_chars = True

    def discover(
        self,
        path: str,
        depth: str = "0",
        child_context_manager: Callable[[str, str | None], AbstractContextManager[None]]
        | None = None,
        user_groups: set[str] | None = None,
    ) -> Iterator[BaseCollection | Item]:
        """What is at `path`, then what is in it unless `depth` is 0. Raises `NotFound`."""
        session = current()
        home, where = session.home, Path.parse(path)
        login = home.account.login
        if where.login is None:
            yield Container("", {})
            if depth != "0":
                yield Container(login, {"D:displayname": home.account.name})
        elif where.collection is None:
            yield Container(login, {"D:displayname": home.account.name})
            if depth != "0":
                yield from (Collection(session, place) for place in home.places)
        else:
            collection = Collection(session, home.find(where.collection))
            if where.member is not None:
                row = objects.find(session.connection, collection.place, where.member)
                yield from [] if row is None else [StoredItem(collection, row)]
            else:
                yield collection
                if depth != "0":
                    yield from collection.get_all()

    @contextmanager
    def acquire_lock(self, mode: str, user: str = "", *args: Any, **kwargs: Any) -> Iterator[None]:
        """Join the session's transaction; it is a read transaction and stays one."""
        assert mode == "r", "Radicale is asked for nothing that writes"
        current()
        yield
