"""One verb that changes documents: its steps on the disk, its charge, its journal row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from acl import spaces
from acl.journal import Act
from acl.registry import Space
from davserver import paths
from davserver.documents.intents import Intent, Step
from davserver.documents.resource import Place, Resource
from davserver.documents.view import View
from davserver.errors import QuotaExceeded


@dataclass
class Change(View):
    """A view in a write transaction that holds the spaces concerned.

    `act` is what it records itself as, `used` the bytes that each space used before it. What it
    did to the disk is undone by `undo` if the transaction is not committed, and `done` follows
    if it is; both in the hands of `Documents.change`.
    """

    act: Act = field(kw_only=True)
    used: dict[int, int] = field(kw_only=True)
    undo: list[Callable[[], None]] = field(default_factory=list)
    done: list[Callable[[], None]] = field(default_factory=list)

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

    def kept(self, space: Space) -> str:
        """Where this act keeps what it replaces or removes, as steps name it."""
        return str(self.store.kept(space.slug, self.act.uid).relative_to(self.store.data))

    def staged(self) -> str:
        """Where this act has prepared what it publishes, as steps name it."""
        return str(self.store.staged(self.act.uid).relative_to(self.store.data))

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
