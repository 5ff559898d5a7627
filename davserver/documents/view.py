"""What one actor may see of the documents, and may do with them, in one transaction."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Connection

from acl.actor import Actor
from acl.errors import NeedPrivileges, NotFound
from acl.policy import Decision, decide, decide_tree
from acl.privileges import Privilege
from acl.registry import Account, Registry, Space
from acl.roles import Role
from davserver import paths
from davserver.documents import clutter, deposits, locks
from davserver.documents.conditions import Conditions, State
from davserver.documents.locks import Lock
from davserver.documents.resource import Place, Resource, is_obstructed, locate, scan
from davserver.documents.store import Store
from davserver.documents.tables import LIVE
from davserver.errors import Forbidden, HiddenName, Locked, NoParent


@dataclass
class View:
    """The documents as `actor` may see them at `now`.

    Here the policy is asked, for every verb. What is not to be read is not found.
    """

    store: Store
    connection: Connection
    registry: Registry
    actor: Actor
    now: datetime
    _deposits: dict[int, dict[str, int]] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        """Whose view it is, where that must be an account: the console locks nothing."""
        assert self.actor.account is not None
        return self.actor.account

    # Names

    def spaces(self) -> list[Space]:
        """The spaces that are there for the actor, by slug."""
        return [
            space
            for space in self.registry.spaces.values()
            if decide(self.actor, Privilege.READ, space)
        ]

    def place(self, slug: str, path: str) -> Place:
        """The name `path` in the space `slug`. Raises `NotFound` if that is not to be known."""
        space = self.registry.spaces.get(slug)
        if space is None or not decide(self.actor, Privilege.READ, space):
            raise NotFound()
        place = Place(space, path)
        if path and self.actor.account and clutter.is_clutter(place.name):
            # A folder of such a name, which somebody copied in, is a folder.
            live = self.occupant(place)
            if live is None or not live.is_collection:
                return Place(space, path, clutter.tree(self.account.id))
        return place

    def destination(self, slug: str, path: str) -> Place:
        """As `place`, for a name that something is to be put at.

        Raises `Forbidden` for a space itself, and `NoParent` in a space that is not there for
        the actor.
        """
        if not path:
            raise Forbidden()
        try:
            return self.place(slug, path)
        except NotFound:
            raise NoParent() from None

    def parent(self, place: Place) -> Place:
        """The collection that `place` is a member of."""
        return Place(place.space, paths.parent(place.path))

    def root(self, place: Place) -> Path:
        """The directory that the paths of the place's tree begin at."""
        if place.tree == LIVE:
            return self.store.space_root(place.space.slug)
        return clutter.root(self.store, place.tree, place.space.slug)

    # What is there

    def occupant(self, place: Place) -> Resource | None:
        """What lies at `place`, whoever may know of it."""
        found = locate(self.root(place), place.path)
        return Resource(place, *found) if found else None

    def find(self, place: Place) -> Resource | None:
        """What the actor finds at `place`: None for what is not there, or not for it."""
        resource = self.occupant(place)
        if resource is None or not self.decide(Privilege.READ, place, resource):
            return None
        return resource

    def get(self, place: Place) -> Resource:
        """As `find`; raises `NotFound`."""
        resource = self.find(place)
        if resource is None:
            raise NotFound()
        return resource

    def members(self, collection: Resource) -> Iterator[Resource]:
        """The members of a collection that the actor may know of, in no particular order.

        The policy is asked once for the folder: below it only restricted folders and, for a
        depositor, single deposits differ.
        """
        place = collection.place
        ordinary = paths.join(place.path, _NOBODY)
        inherited = bool(decide(self.actor, Privilege.READ, place.space, ordinary))
        for member in scan(collection):
            if not member.is_collection and clutter.is_clutter(member.place.name):
                continue
            plain = inherited and member.place.path not in place.space.restricted
            if plain or self.decide(Privilege.READ, member.place, member):
                yield member
        yield from self._own_clutter(place)

    def state(self, place: Place) -> State:
        """What conditions may be about: of what the actor may not know, nothing."""
        resource = self.find(place)
        around = locks.around(self.connection, place, self.now)
        if resource is None:
            shown = {lock.token for lock in around if not self._is_hidden(place.space, lock)}
            account = self.actor.account
            awaited = account and locks.awaited(self.connection, place, account, self.now)
            return State(tokens=shown | (awaited or set()))
        return State(resource.etag, resource.modified, {lock.token for lock in around})

    def _is_hidden(self, space: Space, lock: Lock) -> bool:
        root = Place(space, lock.path, lock.tree)
        return self.occupant(root) is not None and self.find(root) is None

    def state_of(self, tag: str) -> State:
        """The state of another resource, by the tag that an If header names it with."""
        try:
            slug, path = paths.in_space(paths.from_tag(tag))
            return self.state(self.place(slug, path))
        except (LookupError, NotFound):
            return State()

    # What may be done

    def decide(
        self, privilege: Privilege, place: Place, resource: Resource | None = None
    ) -> Decision:
        """What the policy says; `resource` is what lies at `place`, if anything."""
        if place.tree != LIVE:
            # Clutter is its owner's own, wherever the owner may put documents.
            asked = privilege if privilege is Privilege.READ else Privilege.CREATE
            return decide(self.actor, asked, place.space, paths.parent(place.path))
        own = resource is not None and self._deposited(resource)
        return decide(self.actor, privilege, place.space, place.path, own_deposit=own)

    def require(self, privilege: Privilege, place: Place, resource: Resource | None = None) -> None:
        """Raise `NotFound` or `NeedPrivileges` unless the policy allows it."""
        self.enforce(self.decide(privilege, place, resource), privilege, place)

    def require_tree(self, privilege: Privilege, resource: Resource) -> None:
        """As `require`, of `resource` and of all that is below it."""
        self.require(privilege, resource.place, resource)
        if resource.is_collection:
            place = resource.place
            decision = decide_tree(self.actor, privilege, place.space, place.path)
            self.enforce(decision, privilege, place)

    def enforce(self, decision: Decision, privilege: Privilege, place: Place) -> None:
        """Raise what a refusal means: `NotFound` or `NeedPrivileges`."""
        if decision.hidden:
            raise NotFound()
        if not decision:
            raise NeedPrivileges(decision.reason, place.href(), privilege)

    def new_member(self, place: Place) -> Resource | None:
        """Make sure that something may be put at `place`; return what is there already.

        Raises `NoParent` if its collection is not there for the actor, the refusal to create
        unless the actor sees what is there, `HiddenName` if what is there is not for it to know
        or not for anybody, and the errors of `paths.check_new`.
        """
        if not place.path:
            raise Forbidden()
        parent = self.find(self.parent(place))
        if parent is None or not parent.is_collection:
            raise NoParent()
        occupant = self.occupant(place)
        if occupant is not None and self.decide(Privilege.READ, place, occupant):
            return occupant
        # In this order: who may not create here learns nothing of what is hidden.
        self.require(Privilege.CREATE, parent.place)
        if occupant is not None:
            raise HiddenName()
        if place.tree == LIVE:
            if is_obstructed(parent.disk, place.name) or self._is_kept(place):
                raise HiddenName()
            paths.check_new(place.path)
        return None

    def _is_kept(self, place: Place) -> bool:
        """Whether the name is that of a restricted folder which is missing on the disk, and which
        the actor could not enter if it were there."""
        return place.path in place.space.restricted and not self.decide(Privilege.READ, place)

    def writable(self, resource: Resource) -> None:
        """Require that the actor may overwrite `resource`, or finish depositing it."""
        if self._deposited(resource) and not resource.is_collection and not resource.size:
            # Explorer and Finder put an empty file, lock it, and only then send the content.
            self.require(Privilege.CREATE, self.parent(resource.place))
        else:
            self.require(Privilege.WRITE, resource.place, resource)

    def annotatable(self, resource: Resource) -> None:
        """Require that the actor may lock `resource` or set its properties."""
        if self._deposited(resource):
            self.require(Privilege.CREATE, self.parent(resource.place))
        else:
            self.require(Privilege.WRITE, resource.place, resource)

    def check(self, place: Place, conditions: Conditions, *, reading: bool = False) -> None:
        """Raise `PreconditionFailed` (or `NotModified`) unless the conditions hold now."""
        if conditions.are_there:
            conditions.check(self.state(place), self.state_of, reading=reading)

    def unlocked(
        self,
        place: Place,
        conditions: Conditions,
        *,
        below: bool = False,
        membership: bool = False,
    ) -> list[Lock]:
        """Raise `Locked` if a lock forbids to write at `place` (RFC 4918, 7).

        `below`: what lies in it is written too. `membership`: its collection gains or loses a
        member. Returns the locks concerned that the actor holds and submitted the tokens of.
        """
        concerned = locks.around(self.connection, place, self.now, below=below)
        if membership and place.path:
            known = {lock.token for lock in concerned}
            of_parent = locks.around(self.connection, self.parent(place), self.now)
            concerned += [lock for lock in of_parent if lock.token not in known]
        held = [lock for lock in concerned if self._holds(lock, conditions)]
        in_the_way = [lock for lock in _in_the_way(concerned, held) if not self.has_let_go(lock)]
        if in_the_way:
            raise Locked(in_the_way[0].login, self.lock_roots(place, in_the_way))
        return held

    def has_let_go(self, lock: Lock) -> bool:
        """Whether it is the actor's own, and it may take it for gone (see `locks.is_let_go`)."""
        return self._owns(lock) and locks.is_let_go(self.connection, lock)

    def lock_roots(self, place: Place, held: Collection[Lock]) -> list[str]:
        """The hrefs of what these locks are on; of what the actor may not know, `place`'s."""
        hrefs = []
        for lock in held:
            resource = self.find(Place(place.space, lock.path, lock.tree))
            hrefs.append(resource.href if resource else place.href())
        return list(dict.fromkeys(hrefs))

    def _holds(self, lock: Lock, conditions: Conditions) -> bool:
        return lock.token in conditions.tokens and self._owns(lock)

    def _owns(self, lock: Lock) -> bool:
        account = self.actor.account
        return account is not None and lock.account_id == account.id

    def _own_clutter(self, place: Place) -> Iterator[Resource]:
        if self.actor.account is None:
            return
        apart = Place(place.space, place.path, clutter.tree(self.account.id))
        folder = self.occupant(apart)
        if folder is not None and folder.is_collection:
            yield from (member for member in scan(folder) if not member.is_collection)

    def _deposited(self, resource: Resource) -> bool:
        """Whether the actor put this here itself within the last day."""
        space = resource.place.space
        if resource.place.tree != LIVE:
            return False
        if space.id not in self._deposits:
            self._deposits[space.id] = self._recent_deposits(space)
        return self._deposits[space.id].get(resource.place.path) == resource.status.st_ino

    def _recent_deposits(self, space: Space) -> dict[str, int]:
        account = self.actor.account
        lists = (space.members, *space.restricted.values())
        if account is not None and any(
            line.role is Role.DEPOSITOR and line.includes(account)
            for members in lists
            for line in members
        ):
            return deposits.recent(self.connection, space, account, self.now)
        return {}


def _in_the_way(concerned: Sequence[Lock], held: Sequence[Lock]) -> list[Lock]:
    """The locks that forbid a write: all that are not held, but for shared ones on a name of
    which the actor holds one as well."""
    shared = {lock.path for lock in held if not lock.exclusive}
    return [
        lock
        for lock in concerned
        if lock not in held and (lock.exclusive or lock.path not in shared)
    ]


_NOBODY = "\0"
"""A name that nothing has: what holds of it holds of every ordinary member."""
