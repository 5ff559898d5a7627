"""Dead properties (RFC 4918, 4): what clients store beside a document and the server keeps."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from davserver import paths
from davserver.documents.locks import subtree
from davserver.documents.resource import Place
from davserver.documents.tables import properties

Values = Mapping[str, str]
"""Properties by Clark name, each as its serialised element."""


def of(connection: Connection, place: Place) -> Values:
    """The dead properties of what is at `place`."""
    query = sa.select(properties.c.name, properties.c.value).where(*_at(place))
    return {row.name: row.value for row in connection.execute(query)}


def of_members(
    connection: Connection, place: Place, *, deep: bool = False
) -> dict[str, dict[str, str]]:
    """Those of `place` and of its members, or all below it if `deep`: by path, by name."""
    below = subtree(properties.c.path, place.path) if deep else properties.c.parent == place.path
    query = sa.select(properties.c.path, properties.c.name, properties.c.value).where(
        *_tree(place), (properties.c.path == place.path) | below
    )
    found: dict[str, dict[str, str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.path, {})[row.name] = row.value
    return found


def write(connection: Connection, place: Place, updates: Mapping[str, str | None]) -> None:
    """Set each property to its value, or remove it where that is None."""
    names = list(updates)
    connection.execute(properties.delete().where(*_at(place), properties.c.name.in_(names)))
    rows = [
        {
            "space_id": place.space.id,
            "tree": place.tree,
            "path": place.path,
            "parent": paths.parent(place.path),
            "name": name,
            "value": value,
        }
        for name, value in updates.items()
        if value is not None
    ]
    if rows:
        connection.execute(properties.insert(), rows)


def move_tree(connection: Connection, source: Place, target: Place) -> None:
    """Let the properties of `source` and all below it be those of `target`.

    Where `target` has one of the same name already, that of `source` counts.
    """
    names = sa.select(properties.c.name).where(*_at(source))
    connection.execute(properties.delete().where(*_at(target), properties.c.name.in_(names)))
    cut = len(source.path) + 1
    moved = {"space_id": target.space.id, "tree": target.tree}
    for column in (properties.c.path, properties.c.parent):
        moved[column.name] = sa.literal(target.path) + sa.func.substr(column, cut)
    connection.execute(
        properties.update()
        .where(*_tree(source), subtree(properties.c.path, source.path))
        .values(**moved)
    )
    moved |= {"path": target.path, "parent": paths.parent(target.path)}
    connection.execute(properties.update().where(*_at(source)).values(**moved))


def copy_tree(
    connection: Connection, source: Place, target: Place, copied: Collection[str]
) -> None:
    """Give the copy at `target` the properties of `source`.

    `copied` holds the paths in `source` that were copied, itself included.
    """
    for path, values in of_members(connection, source, deep=True).items():
        if path in copied:
            new = target.path + path.removeprefix(source.path)
            write(connection, Place(target.space, new, target.tree), values)


def remove_tree(connection: Connection, place: Place) -> None:
    """Forget the properties of `place` and of all below it: also those left over from what was
    removed on the disk, when something new comes to lie there."""
    connection.execute(
        properties.delete().where(
            *_tree(place),
            (properties.c.path == place.path) | subtree(properties.c.path, place.path),
        )
    )


def _tree(place: Place) -> tuple[sa.ColumnElement[bool], ...]:
    return (properties.c.space_id == place.space.id, properties.c.tree == place.tree)


def _at(place: Place) -> tuple[sa.ColumnElement[bool], ...]:
    return (*_tree(place), properties.c.path == place.path)
