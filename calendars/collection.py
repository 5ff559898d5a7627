"""Radicale's collections and items over SQL."""

import hashlib
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from email.utils import format_datetime
from itertools import islice
from typing import Any, overload

import sqlalchemy as sa
from radicale import xmlutils
from radicale.item import Item, read_components
from radicale.item.filter import TIMESTAMP_MAX, TIMESTAMP_MIN, simplify_prefilters
from radicale.storage import BaseCollection

from calendars import sync
from calendars.content import BOM, text_of
from calendars.home import Place
from calendars.session import Session
from calendars.tables import collections, objects

# SQLite takes 32,766 parameters in one statement.
_BATCH = 1000


class Container(BaseCollection):
    """The root, or a home: a collection of collections, without objects."""

    def __init__(self, path: str, meta: Mapping[str, str]) -> None:
        self._path = path
        self._meta = meta

    @property
    def path(self) -> str:
        return self._path

    def get_all(self) -> Iterable[Item]:
        return ()

    @overload
    def get_meta(self, key: None = None) -> Mapping[str, str]: ...

    @overload
    def get_meta(self, key: str) -> str | None: ...

    def get_meta(self, key: str | None = None) -> Mapping[str, str] | str | None:
        return self._meta if key is None else self._meta.get(key)


class StoredItem(Item):
    """An object as it is stored. It is parsed only where a filter cannot do without."""

    def __init__(self, collection: "Collection", row: sa.Row[Any]) -> None:
        super().__init__(
            collection=collection,
            href=row.name,
            last_modified=format_datetime(row.modified_at, usegmt=True),
            text=text_of(row.data),
            etag=row.etag,
            uid=row.uid,
            name="VCARD" if collection.tag == "VADDRESSBOOK" else "VCALENDAR",
            component_name="" if collection.tag == "VADDRESSBOOK" else row.component,
            time_range=(row.starts, row.ends),
        )

    @property
    def vobject_item(self) -> Any:
        # Radicale's own reader knows the errors that programs make; its `Item` does not use it.
        if self._vobject_item is None:
            self._vobject_item = read_components(self.serialize().removeprefix(BOM))[0]
        return self._vobject_item


class Collection(BaseCollection):
    """An agenda, a task list or an address book, as one account sees it."""

    def __init__(self, session: Session, place: Place) -> None:
        self.place = place
        self._account = session.home.account
        self._connection = session.connection

    @property
    def path(self) -> str:
        return f"{self._account.login}/{self.place.name}"

    @property
    def etag(self) -> str:
        """Differs whenever an object has changed, or a property that the account sees."""
        props = json.dumps(self.get_meta(), sort_keys=True)
        digest = hashlib.sha256(props.encode()).hexdigest()[:16]
        return f'"{self.place.uuid}-{self.place.revision}-{digest}"'

    @property
    def last_modified(self) -> str:
        query = sa.select(
            sa.func.coalesce(sa.func.max(objects.c.modified_at), collections.c.created_at)
        ).select_from(collections.outerjoin(objects, objects.c.collection_id == collections.c.id))
        query = query.where(collections.c.id == self.place.id).group_by(collections.c.created_at)
        moment = self._connection.execute(query).scalar_one()
        return format_datetime(moment, usegmt=True)

    def sync(self, old_token: str = "") -> tuple[str, Iterable[str]]:
        """The current token, and what changed since the old one. Raises `InvalidSyncToken`."""
        place = self.place
        since = sync.since(old_token, place.uuid, place.revision)
        return (
            sync.token(place.uuid, place.revision),
            sync.changed(self._connection, place.id, since),
        )

    def get_multi(self, hrefs: Iterable[str]) -> Iterator[tuple[str, Item | None]]:
        left = iter(dict.fromkeys(hrefs))
        while names := list(islice(left, _BATCH)):
            found = {item.href: item for item in self._items(objects.c.name.in_(names))}
            for name in names:
                yield name, found.get(name)

    def get_all(self) -> Iterator[Item]:
        return self._items()

    def get_filtered(self, filters: Iterable[ET.Element]) -> Iterator[tuple[Item, bool]]:
        """The objects that may match, and whether nothing more need be asked of them.

        SQL narrows by component and by the time that all occurrences lie in; the filters decide.
        """
        component, start, end, simple = simplify_prefilters(filters, self.tag)
        everything = (start, end) == (TIMESTAMP_MIN, TIMESTAMP_MAX)
        which: list[sa.ColumnElement[bool]] = []
        if component is not None:
            which.append(objects.c.component == component)
        if not everything:
            which += [objects.c.starts < end, objects.c.ends > start]
        for item in self._items(*which):
            yield item, simple and everything

    @overload
    def get_meta(self, key: None = None) -> Mapping[str, str]: ...

    @overload
    def get_meta(self, key: str) -> str | None: ...

    def get_meta(self, key: str | None = None) -> Mapping[str, str] | str | None:
        """The properties by Radicale's names; "" for what is not text, which comes later."""
        if key == "tag":
            return self.place.tag
        meta = {
            xmlutils.make_human_tag(name): value if isinstance(value, str) else ""
            for name, value in self.place.props.items()
        }
        # A name that was set to nothing is none.
        meta["D:displayname"] = meta.get("D:displayname") or self.place.title(self._account.locale)
        meta["tag"] = self.place.tag
        if self.place.tag == "VCALENDAR":
            meta["C:supported-calendar-component-set"] = ",".join(self.place.components)
        return meta if key is None else meta.get(key)

    # The signature is Radicale's, mutable default and capitals included.
    def serialize(self, vcf_to_ics: bool = False, ShareActions: Mapping[str, Any] = {}) -> str:  # noqa: B006
        """All objects as one text, as for a GET of the whole collection."""
        return _Export(self).joined()

    def _items(self, *which: sa.ColumnElement[bool]) -> Iterator[Item]:
        query = sa.select(objects).where(objects.c.collection_id == self.place.id, *which)
        for row in self._connection.execute(query.order_by(objects.c.id)):
            yield StoredItem(self, row)


class _Export(BaseCollection):
    """The same collection with every object in the lines that Radicale's `serialize` expects."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def joined(self) -> str:
        return super().serialize()

    @property
    def path(self) -> str:
        return self._collection.path

    @property
    def tag(self) -> str:
        return self._collection.tag

    def get_meta(self, key: str | None = None) -> Any:
        return self._collection.get_meta(key) if key else self._collection.get_meta()

    def get_all(self) -> Iterator[Item]:
        for item in self._collection.get_all():
            lines = item.serialize().removeprefix(BOM).splitlines()
            text = "".join(f"{line}\r\n" for line in lines if line)
            yield Item(collection=self, href=item.href, text=text, etag=item.etag)
