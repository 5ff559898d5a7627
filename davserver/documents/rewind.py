"""Rewind: a space goes back to how it was at a moment, or what one account, one device or one
folder's visitors did since is undone. Documents, agenda, tasks and contacts, in one act.

Nothing is destroyed by it. What came after the moment goes to the trash, what is overwritten
becomes a version, and the act can be undone like any other, by a rewind.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count

import sqlalchemy as sa

from acl.actor import Actor
from acl.errors import NeedPrivileges, UnknownName
from acl.policy import Area, decide
from acl.privileges import Privilege
from acl.registry import Space
from acl.tables import devices
from acl.tables import spaces as space_rows
from calendars import rewind as agenda
from calendars.desk import Desk
from config.errors import DatabaseUnavailable
from davserver import paths
from davserver.documents import chronicle
from davserver.documents.change import Change
from davserver.documents.documents import Documents
from davserver.documents.ground import ground
from davserver.documents.inversion import Done, Inversion
from davserver.documents.outcome import Outcome
from davserver.documents.plan import Plan, plan
from davserver.documents.resettle import Resettlement
from davserver.documents.resource import Place
from davserver.documents.tables import LIVE
from davserver.documents.traces import Spot
from davserver.documents.view import View
from davserver.errors import MomentToCome, MomentTooEarly, NeverThere

_TRIES = 5


@dataclass(frozen=True)
class Order:
    """What is to be undone in the space `slug`: all since `moment` (aware).

    Of that only what the account `login` did, if that is given, with its device password of the
    name `device`, if that is given too; and only what was done in the folder `path`, "" for
    everywhere: of the agenda, then, nothing.
    """

    slug: str
    moment: datetime
    login: str = ""
    device: str = ""
    path: str = ""


def preview(documents: Documents, actor: Actor, order: Order) -> Plan:
    """What `rewind` would do now. Raises what it raises."""
    with documents.view(actor) as view:
        return _Undertaking(documents, view, order).plan


def rewind(documents: Documents, actor: Actor, order: Order) -> Plan:
    """Undo what `order` says, and return what was done.

    Needs to manage the whole space, and to read all of it; and as much of every other space that
    something comes back from, or goes back to. Raises `UnknownName`, `MomentToCome`,
    `MomentTooEarly`, `NeverThere`, `NotFound`, `NeedPrivileges`.
    """
    slugs = {order.slug}
    for _ in range(_TRIES):
        with documents.change(actor, slugs) as change:
            _Undertaking.hold(change, order)
            undertaking = _Undertaking(documents, change, order)
            if undertaking.slugs <= slugs:
                undertaking.carry_out(change)
                return undertaking.plan
            # Something went to another space, or came from there: that is needed too.
            slugs |= undertaking.slugs
    raise DatabaseUnavailable()


class _Undertaking:
    """One order, as it stands in one transaction."""

    def __init__(self, documents: Documents, view: View, order: Order) -> None:
        self._view = view
        self._order = order
        self._space = view.place(order.slug, "").space
        self._choose = _chooser(view, order)
        self._require((self._space,))
        _check_moment(view, self._space, order.moment)
        self._chronicle = chronicle.since(view.connection, self._space.id, order.moment)
        spaces = view.registry.space_by_id
        self.slugs = {spaces[one].slug for one in self._chronicle.space_ids}
        self._ground = ground(view, self._chronicle.trees())
        self._aside = _aside(order.moment.astimezone(documents.zone))
        self._outcome = Outcome(self._invert(), self._ground)
        desk = Desk(view.connection, view.actor, self._space)
        self._agenda = [] if order.path else agenda.plan(desk, order.moment, self._choose)
        self.plan = plan(self._outcome, self._agenda, view.now)
        self._require(spaces[one] for one in self._outcome.space_ids())

    @staticmethod
    def hold(change: Change, order: Order) -> None:
        """Take what of the agenda will be changed, before it is looked at."""
        space = change.place(order.slug, "").space
        agenda.hold(Desk(change.connection, change.actor, space))

    def carry_out(self, change: Change) -> None:
        """Do it, if there is anything to do."""
        if not self.plan.changes:
            return
        annotations = Resettlement(change, self._outcome).carry_out()
        undone = agenda.carry_out(change.act, self._agenda)
        detail = {
            "to": self._order.moment.isoformat(),
            "account": self._order.login,
            "device": self._order.device,
            "counts": dict(Counter(one.what.name.lower() for one in self.plan.entries)),
            "annotations": chronicle.former(annotations),
            "apart": [[one.space_id, one.path] for one in self._outcome.apart()],
            "agenda": undone,
        }
        change.record("space.rewind", Place(self._space, self._order.path), detail)

    def _require(self, spaces: Iterator[Space] | tuple[Space, ...]) -> None:
        for space in spaces:
            root = self._view.get(Place(space, ""))
            for privilege in (Privilege.MANAGE, Privilege.READ):
                self._view.require_tree(privilege, root)
                decision = decide(self._view.actor, privilege, space, area=Area.AGENDA)
                if not decision:
                    raise NeedPrivileges(decision.reason, root.href, privilege)

    def _invert(self) -> Inversion:
        areas = self._areas()
        inversion = self._inversion(areas, lambda done: self._choose(done.account_id, done.device))
        for done in reversed(self._chronicle.acts):
            inversion.undo(done)
        return inversion

    def _inversion(self, areas: tuple[Spot, ...], choose: Callable[[Done], bool]) -> Inversion:
        within = Spot(self._space.id, LIVE, self._order.path)
        exact = not self._order.login
        return Inversion(self._ground, choose, areas, within, exact, self._aside)

    def _areas(self) -> tuple[Spot, ...]:
        """Where the folder lies now, and what was in it and is in another space now."""
        if not self._order.path and len(self._chronicle.space_ids) == 1:
            return ()
        # A rehearsal, to learn what was where at the moment.
        rehearsal = self._inversion((), lambda done: False)
        emigrants = []
        for done in reversed(self._chronicle.acts):
            for trace in done.arrived:
                node = rehearsal.then.at(trace.spot)
                if trace.other and trace.spot.space_id != self._space.id and node and node.origin:
                    emigrants.append(node.origin)
            rehearsal.undo(done)
        folder = rehearsal.then.at(Spot(self._space.id, LIVE, self._order.path))
        area = folder.origin if folder is not None else self._now_there()
        if area is None or (folder is not None and not rehearsal.then.is_folder(folder)):
            raise NeverThere(place=f"{self._order.slug}/{self._order.path}")
        origins = [one for one in dict.fromkeys(emigrants) if self._was_in(rehearsal, one)]
        return (area, *origins)

    def _now_there(self) -> Spot | None:
        spot = Spot(self._space.id, LIVE, self._order.path)
        resource = self._ground.resource(spot)
        return spot if resource is not None and resource.is_collection else None

    def _was_in(self, rehearsal: Inversion, origin: Spot) -> bool:
        node = rehearsal.then.holding(origin)
        spot = None if node is None else rehearsal.then.spot(node)
        return (
            spot is not None
            and (spot.space_id, spot.tree) == (self._space.id, LIVE)
            and paths.is_within(spot.path, self._order.path)
        )


def _chooser(view: View, order: Order) -> Callable[[int | None, str], bool]:
    """Whose acts are to be undone, by account and device. Raises `UnknownName`."""
    if not order.login:
        return lambda account_id, device: True
    account = view.registry.by_login.get(order.login)
    if account is None:
        raise UnknownName(kind="account", name=order.login)
    if order.device:
        # Revoked ones too: that is what one does first.
        query = sa.select(devices.c.id).where(
            devices.c.account_id == account.id, devices.c.name == order.device
        )
        if view.connection.execute(query).first() is None:
            raise UnknownName(kind="device", name=order.device)
    wanted = (account.id, order.device)
    return lambda account_id, device: (account_id, device if order.device else "") == wanted


def _check_moment(view: View, space: Space, moment: datetime) -> None:
    if moment > view.now:
        raise MomentToCome()
    query = sa.select(space_rows.c.created_at).where(space_rows.c.id == space.id)
    if moment < view.connection.execute(query).scalar_one():
        raise MomentTooEarly(space=space.title)


_ENDING_MAX = 10


def _aside(moment: datetime) -> Callable[[str, bool], Iterator[str]]:
    """Names for what was there at `moment`, beside a name that is taken."""

    def names(name: str, folder: bool) -> Iterator[str]:
        stem, dot, ending = name.rpartition(".")
        if folder or not stem or len(ending) > _ENDING_MAX:
            stem, dot, ending = name, "", ""
        for number in count(1):
            again = f", {number}" if number > 1 else ""
            told = f" ({moment:%Y-%m-%d %H.%M}{again}){dot}{ending}"
            room = paths.SEGMENT_MAX - len(told.encode())
            yield stem.encode()[:room].decode("utf-8", "ignore") + told

    return names
