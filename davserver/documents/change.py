"""One verb that changes documents: its steps on the disk, its charge, its journal row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from acl import members, spaces
from acl.journal import Act, new_uid
from acl.registry import Space
from davserver import paths
from davserver.documents import kept, traces
from davserver.documents.intents import Intent, Step
from davserver.documents.kept import Kept
from davserver.documents.resource import Place, Resource, scan
from davserver.documents.samples import Sample
from davserver.documents.traces import Spot, Trace
from davserver.documents.view import View
from davserver.errors import QuotaExceeded


@dataclass
class Change(View):
    """A view in a write transaction that holds the spaces concerned.

    `act` is what it records itself as, `used` the bytes that each space used before it. What it
    did to the disk is undone by `undo` if the transaction is not committed, and `done` follows
    if it is; both in the hands of `Documents.change`. `left_behind` and `keeping` are written
    with the row of the journal. `suspect` is a sample of what was staged, if that may be encrypted.
    """

    act: Act = field(kw_only=True)
    used: dict[int, int] = field(kw_only=True)
    undo: list[Callable[[], None]] = field(default_factory=list)
    done: list[Callable[[], None]] = field(default_factory=list)
    left_behind: list[Trace] = field(default_factory=list)
    keeping: list[Kept] = field(default_factory=list)
    suspect: Sample | None = None

    def carry_out(self, steps: Sequence[Step], *concerned: Space) -> None:
        """Do these steps on the disk now; they stay done only if the transaction commits."""
        ids = {space.id for space in concerned}
        intent = Intent(self.store, self.act.uid, ids, steps)
        intent.carry_out()
        self.undo.append(intent.undo)
        self.done.append(intent.forget)

    def relative(self, place: Place, resource: Resource | None = None) -> str:
        """Where `place` lies, or will lie, as steps name it: below the data directory."""
        if resource is not None:
            return str(resource.disk.relative_to(self.store.data))
        folder = self.occupant(Place(place.space, paths.parent(place.path), place.tree))
        disk = folder.disk if folder else self.root(place) / paths.parent(place.path)
        return str((disk / paths.name(place.path)).relative_to(self.store.data))

    def keep(
        self, resource: Resource, reason: str, restricted: members.Lists | None = None
    ) -> Place:
        """Let what is at `resource` go to history; return the place it will have there.

        The disk is left to the verb's steps (see `kept_at`). `restricted` are the lists of the
        restricted folders that go along.
        """
        in_history = self.keep_twin(resource, reason, restricted)
        place = resource.place
        self.left_behind.append(Trace(traces.LEFT, Spot.of(place), Spot.of(in_history)))
        return in_history

    def keep_twin(
        self, resource: Resource, reason: str, restricted: members.Lists | None = None
    ) -> Place:
        """As `keep`, of what stays where it is as well."""
        place = resource.place
        # The act's own name for the first thing it keeps: so the journal leads to the disk.
        uid = new_uid() if self.keeping else self.act.uid
        size = None if resource.is_collection else resource.size
        self.keeping.append(
            Kept(
                uid,
                0,
                self.now,
                place.space.id,
                place.path,
                reason,
                resource.is_collection,
                size,
                kept.lines(place.space, place.path),
                restricted or {},
            )
        )
        # Of a folder this waits until somebody has counted it: it goes in one rename.
        spaces.charge(self.connection, place.space.id, 0, history=size or 0)
        return Place(place.space, place.path, uid)

    def drop(self, resource: Resource, version: Kept | None = None) -> None:
        """Let go of what is not worth keeping, or of what is kept as `version` already; the disk
        is left to the verb's steps."""
        place = resource.place
        spaces.charge(self.connection, place.space.id, -resource.size)
        there = None if version is None else version.spot
        self.left_behind.append(Trace(traces.LEFT, Spot.of(place), there))
        self.done.append(lambda: self.store.discard_dropped(self.act.uid))

    def born(self, resource: Resource) -> None:
        """Say that this is new."""
        self.left_behind.append(traces.born(resource))

    def altered(self, resource: Resource) -> None:
        """Say that this has another time of modification, or another content, than it had."""
        self.left_behind.append(traces.altered(resource))

    def born_tree(self, place: Place) -> None:
        """Say that what this change has put at `place` is new, with all that is in it."""
        pending = [self.now_at(place)]
        while pending:
            resource = pending.pop()
            self.born(resource)
            if resource.is_collection:
                pending += scan(resource)

    def moved(self, source: Place, target: Place) -> None:
        """Say that what was at `source` is at `target` now."""
        self.left_behind += traces.moved(Spot.of(source), Spot.of(target))

    def record(self, action: str, place: Place, detail: Mapping[str, object]) -> None:
        """Write the act's row of the journal, what history keeps of it, and its traces."""
        journal_id = self.act.record(
            action, space_id=place.space.id, path=place.path, detail=detail
        )
        for one in self.keeping:
            kept.add(self.connection, replace(one, journal_id=journal_id))
        traces.record(self.connection, journal_id, self.now, self.left_behind)

    def kept_at(self, place: Place) -> str:
        """Where what history keeps as `place` lies, as steps name it."""
        return str(self.store.kept(place.space.slug, place.tree).relative_to(self.store.data))

    def staged(self) -> str:
        """Where this act has prepared what it publishes, as steps name it."""
        return str(self.store.staged(self.act.uid).relative_to(self.store.data))

    def dropped(self) -> str:
        """Where this act puts what is removed when it is over, as steps name it."""
        return str(self.store.dropped(self.act.uid).relative_to(self.store.data))

    def charge(self, space: Space, size: int) -> None:
        """Let the space use `size` bytes more. Raises `QuotaExceeded`."""
        check_quota(space, self.used[space.id], size)
        spaces.charge(self.connection, space.id, size)

    def now_at(self, place: Place) -> Resource:
        """What this change has just put at `place`."""
        resource = self.occupant(place)
        assert resource is not None
        return resource


def check_quota(space: Space, used: int, size: int) -> None:
    """Raise `QuotaExceeded` if the space has no room for `size` bytes more."""
    if space.quota_bytes is not None and size > 0 and used + size > space.quota_bytes:
        raise QuotaExceeded(space=space.title, free=max(0, space.quota_bytes - used))
