"""The journal: one row for each change, with what inverts it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import alembic.autogenerate
import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from calendars import tables
from calendars.errors import DAV
from config.database import metadata
from tests.integration.calendars_client import NAMES, Town, card, event, later, town


@pytest.fixture
def hall(database_url: str) -> Iterator[Town]:
    yield from town(database_url)


def test_each_change_has_one_row_with_the_former_text(hall: Town) -> None:
    bruno = hall.client("bruno")
    conseil, own = hall.collection("conseil").id, hall.collection("agenda", "bruno").id
    etag = bruno.put("conseil/a.ics", event()).headers["ETag"]
    later(hall)
    second = bruno.put("conseil/a.ics", event(summary="2")).headers["ETag"]
    url = f"http://mairie.example{bruno.path('agenda/b.ics')}"
    bruno.request("MOVE", "conseil/a.ics", destination=url)
    bruno.request("DELETE", "agenda/b.ics")
    bruno.proppatch("conseil/", color="#111111")
    bruno.proppatch("conseil/", color="#222222")
    rows = [(row.action, row.space, row.path, dict(row.detail)) for row in hall.journal()]
    first, changed = event().decode(), event(summary="2").decode()
    color = NAMES["color"]
    assert rows == [
        (
            "agenda.put",
            "conseil",
            "conseil/a.ics",
            {"collection": conseil, "former": None, "etag": etag},
        ),
        (
            "agenda.put",
            "conseil",
            "conseil/a.ics",
            {"collection": conseil, "former": first, "etag": second},
        ),
        (
            "agenda.move",
            "conseil",
            "conseil/a.ics",
            {
                "collection": conseil,
                "to_collection": own,
                "to_space": None,
                "to": "agenda/b.ics",
                "former": None,
                "moved": changed,
                "etag": second,
            },
        ),
        (
            "agenda.delete",
            "",
            "agenda/b.ics",
            {"collection": own, "former": changed, "etag": second},
        ),
        (
            "agenda.properties",
            "conseil",
            "conseil",
            {"collection": conseil, "former": {color: None}},
        ),
        (
            "agenda.properties",
            "conseil",
            "conseil",
            {"collection": conseil, "former": {color: "#111111"}},
        ),
    ]
    row = hall.journal()[1]
    assert (row.login, row.address, row.at) == ("bruno", "192.0.2.1", hall.now)


def test_the_former_text_is_exact(hall: Town) -> None:
    bruno = hall.client("bruno")
    odd = b"\xef\xbb\xbf" + event(summary="🎉").replace(b"\r\n", b"\n") + b"\n\n"
    bruno.put("agenda/a.ics", odd)
    bruno.request("DELETE", "agenda/a.ics")
    assert hall.journal()[-1].detail["former"].encode() == odd


def test_collections_made_and_removed_are_journalled_too(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.request("MKCALENDAR", "more/")
    bruno.request("DELETE", "more/")
    made, removed = hall.journal()
    assert (made.action, made.path) == ("agenda.create", "more")
    assert (removed.action, removed.path) == ("agenda.remove", "more")
    assert made.detail["collection"] == removed.detail["collection"]


def test_a_failure_after_the_change_leaves_nothing_of_it(
    hall: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    bruno = hall.client("bruno")
    bruno.put("agenda/a.ics", event())
    before = hall.collection("agenda", "bruno"), bruno.sync("agenda/").body

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("acl.journal.Act.record", fail)
    url = bruno.path("agenda/b.ics")
    for method, path, body in (
        ("PUT", "agenda/a.ics", event(summary="2")),
        ("PUT", "agenda/new.ics", event(uid="new")),
        ("DELETE", "agenda/a.ics", b""),
        ("MOVE", "agenda/a.ics", b""),
        ("MKCALENDAR", "more/", b""),
        ("DELETE", "agenda/a.ics", b""),
    ):
        with pytest.raises(MemoryError):
            bruno.request(method, path, body, destination=url)
    with pytest.raises(MemoryError):
        bruno.proppatch("agenda/", color="#111111")
    monkeypatch.undo()
    assert (hall.collection("agenda", "bruno"), bruno.sync("agenda/").body) == before
    assert bruno.get("agenda/a.ics") == event()
    assert len(hall.journal()) == 1


def test_spaces_and_accounts_bring_their_collections_without_rows_of_their_own(hall: Town) -> None:
    hall.space("voirie", "Voirie", {})
    assert hall.journal() == []
    for name, tag, components in (
        ("voirie", "VCALENDAR", "VEVENT"),
        ("voirie-tasks", "VCALENDAR", "VTODO"),
        ("voirie-contacts", "VADDRESSBOOK", "VCARD"),
    ):
        row = hall.collection(name)
        assert (row.tag, row.components, row.revision) == (tag, components, 0)


# Of another table: members are unique by an expression.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")
def test_the_migration_makes_the_tables_that_the_program_declares(hall: Town) -> None:
    ours = {"collections", "objects", "tombstones", "views"}

    def include(_: object, name: str | None, kind: str, __: bool, ___: object) -> bool:
        return kind != "table" or name in ours

    with hall.database.read() as connection:
        options = {"include_object": include, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert alembic.autogenerate.compare_metadata(context, metadata) == []
        found = sa.inspect(connection)
        for table in ours:
            indexes = {index["name"] for index in found.get_indexes(table)}
            declared = {str(index.name) for index in metadata.tables[table].indexes}
            assert declared <= indexes


def test_accounts_and_spaces_from_before_get_their_collections(hall: Town) -> None:
    """The migration is run again over the accounts and spaces of the town."""
    migration = importlib.import_module("config.migrations.versions.0003_calendars")
    hall.client("bruno").put("contacts/c.vcf", card())
    with hall.database.write() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            migration.downgrade()
            migration.upgrade()
    assert hall.client("rita").listed() == [
        *("agenda", "tasks", "contacts"),
        *("conseil", "conseil-tasks", "conseil-contacts"),
    ]
    bruno = hall.client("bruno")
    assert bruno.request("GET", "contacts/c.vcf").status == 404
    assert bruno.put("conseil/a.ics", event()).status == 201


def test_an_object_of_a_removed_collection_is_still_there_below(hall: Town) -> None:
    bruno = hall.client("bruno")
    bruno.request("MKCALENDAR", "more/")
    bruno.put("more/a.ics", event())
    bruno.request("DELETE", "more/")
    assert bruno.propfind("more/", f"{DAV}getetag").status == 404
    with hall.database.read() as connection:
        kept = connection.scalars(sa.select(tables.objects.c.data)).all()
    assert kept == [event()]
