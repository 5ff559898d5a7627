"""How much there is: of what is live, and of what history keeps.

Every verb keeps the total exact. A folder goes to history in one rename, though, whatever its
size: its bytes go on counting as live until somebody has walked through it.
"""

import stat
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl import spaces
from acl.actor import Actor
from acl.registry import Space
from acl.spaces import Usage
from davserver.documents import kept, walk
from davserver.documents.change import Change
from davserver.documents.documents import Documents
from davserver.documents.store import Store
from davserver.documents.tables import kept as rows
from davserver.documents.tables import traces

_BATCH = 100


def count(
    documents: Documents, actor: Actor, *, stopped: Callable[[], bool] = lambda: False
) -> None:
    """Count what history keeps and nobody has counted, and let it count as history.

    `stopped` tells between two batches whether to leave the rest for another time.
    """
    for space, uids in _uncounted(documents):
        for begin in range(0, len(uids), _BATCH):
            if stopped():
                return
            _count(documents, actor, space, uids[begin : begin + _BATCH])


def _uncounted(documents: Documents) -> list[tuple[Space, list[str]]]:
    with documents.database.read() as connection:
        registry = documents.registry.current(connection)
        query = sa.select(rows.c.space_id, rows.c.uid).where(rows.c.size.is_(None))
        found = connection.execute(query.order_by(rows.c.space_id, rows.c.journal_id)).all()
    return [
        (registry.space_by_id[space_id], [row.uid for row in group])
        for space_id, group in groupby(found, key=lambda row: row.space_id)
    ]


def _count(documents: Documents, actor: Actor, space: Space, uids: Iterable[str]) -> None:
    """Walk first, and hold the space only then: nothing is ever added to what history keeps, and
    what is taken out of it leaves a trace."""
    with documents.database.read() as connection:
        taken = {uid: _taken(connection, space, uid) for uid in uids}
    sizes = {uid: walk.size(documents.store.kept(space.slug, uid)) for uid in taken}
    with documents.change(actor, (space.slug,)) as change:
        for uid, size in sizes.items():
            one = kept.find(change.connection, uid)
            same = _taken(change.connection, space, uid) == taken[uid]
            if one is not None and one.size is None and same:
                kept.set_size(change.connection, uid, size)
                spaces.charge(change.connection, space.id, 0, history=size)


def _taken(connection: Connection, space: Space, uid: str) -> int:
    """The last time that something was taken out of what history keeps as `uid`."""
    query = sa.select(sa.func.max(traces.c.id)).where(
        traces.c.space_id == space.id, traces.c.tree == uid
    )
    return connection.execute(query).scalar() or 0


def repair(documents: Documents, actor: Actor, slug: str) -> bool:
    """Count all that a space uses, and what history keeps of it; tell whether it was not what
    had been counted. Nobody else changes the space meanwhile."""
    with documents.change(actor, (slug,)) as change:
        space = change.registry.spaces[slug]
        detail = recount(change, space)
        if detail is not None:
            change.act.record("space.recount", space_id=space.id, detail=detail)
        return detail is not None


def recount(change: Change, space: Space) -> dict[str, object] | None:
    """Count what `repair` counts, as part of `change`; return what the journal says of it, None
    if it was right."""
    sizes = of_history(change.store, space.slug)
    history = sum(sizes.values())
    counted = Usage(walk.size(change.store.space_root(space.slug)), history)
    former = spaces.shares(change.connection, (space.id,))[space.id]
    query = sa.select(rows.c.uid, rows.c.size).where(rows.c.space_id == space.id)
    wrong = [
        uid for uid, size in change.connection.execute(query).all() if size != sizes.get(uid, 0)
    ]
    if not wrong and former == counted:
        return None
    for uid in wrong:
        kept.set_size(change.connection, uid, sizes.get(uid, 0))
    spaces.set_usage(change.connection, space.id, counted)
    return {
        "live": counted.live,
        "history": counted.history,
        "former": {"live": former.live, "history": former.history},
    }


def of_history(store: Store, slug: str) -> Counter[str]:
    """The bytes of each thing that lies in the history of the space `slug`, by its uid."""
    sizes: Counter[str] = Counter()
    for folder, found in walk.folders(store.history / slug):
        for name, status in found:
            # <uid[:2]>/<uid>, with what is in it below.
            _, _, inside = walk.join(folder, name).partition("/")
            uid = inside.partition("/")[0]
            if uid:
                sizes[uid] += 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return sizes
