"""LOCK and UNLOCK (RFC 4918, 9.10 and 9.11)."""

from dataclasses import dataclass

from acl.policy import decide_tree
from acl.privileges import Privilege
from davserver.documents import locks
from davserver.documents.change import Change
from davserver.documents.conditions import Conditions
from davserver.documents.locks import Lock
from davserver.documents.put import put_empty
from davserver.documents.resource import Place, Resource
from davserver.errors import (
    LockConflict,
    LockTokenMismatch,
    OthersLock,
    RefreshFailed,
)


@dataclass(frozen=True)
class Wanted:
    """A lock as it is asked for. `owner` is the DAV:owner element as sent, "" for none;
    `seconds` is cut to what the settings allow by who parses it."""

    infinite: bool
    exclusive: bool
    owner: str
    seconds: int


def acquire(
    change: Change, place: Place, wanted: Wanted, conditions: Conditions
) -> tuple[Lock, Resource, bool]:
    """Lock what is at `place`, or an empty document made there for it (RFC 4918, 7.3).

    Returns the lock, what it is on, and whether that is new. Raises `LockConflict`,
    `PreconditionFailed`, what `View.new_member` raises, and `NotFound` or `NeedPrivileges`.
    """
    resource = change.find(place)
    created = resource is None
    if resource is None:
        change.new_member(place)
    else:
        change.annotatable(resource)
        if wanted.infinite and resource.is_collection:
            inside = decide_tree(change.actor, Privilege.WRITE, place.space, place.path)
            change.enforce(inside, Privilege.WRITE, place)
    change.check(place, conditions)
    _check_conflicts(change, place, wanted)
    if resource is None:
        held = change.unlocked(place, conditions, membership=True)
        locks.extend(change.connection, held, change.now)
        resource = put_empty(change, place)
    _forget(change, place, wanted)
    lock = locks.insert(
        change.connection,
        place,
        change.account,
        change.now,
        infinite=wanted.infinite,
        exclusive=wanted.exclusive,
        owner=wanted.owner,
        seconds=wanted.seconds,
    )
    return lock, resource, created


def _check_conflicts(change: Change, place: Place, wanted: Wanted) -> None:
    conflicts = [
        lock for lock in _conflicting(change, place, wanted) if not change.has_let_go(lock)
    ]
    if conflicts:
        raise LockConflict(conflicts[0].login, change.lock_roots(place, conflicts))


def _conflicting(change: Change, place: Place, wanted: Wanted) -> list[Lock]:
    around = locks.around(change.connection, place, change.now, below=wanted.infinite)
    return [lock for lock in around if lock.exclusive or wanted.exclusive]


def _forget(change: Change, place: Place, wanted: Wanted) -> None:
    """Release what stands in the way only because it came back with the next version."""
    conflicting = _conflicting(change, place, wanted)
    locks.remove(change.connection, [lock.token for lock in conflicting])


def refresh(
    change: Change, place: Place, seconds: int, conditions: Conditions
) -> tuple[list[Lock], Resource]:
    """Let the actor's locks on `place` whose tokens it submits last `seconds` from now.

    Returns them, and what they are on. Raises `RefreshFailed` if there is none, `NotFound`, and
    `PreconditionFailed`.
    """
    resource = change.get(place)
    change.annotatable(resource)
    change.check(place, conditions)
    held = [
        lock
        for lock in locks.around(change.connection, place, change.now)
        if lock.token in conditions.tokens and lock.account_id == change.account.id
    ]
    if not held:
        raise RefreshFailed()
    tokens = {lock.token for lock in held}
    locks.refresh(change.connection, tokens, change.now, seconds)
    around = locks.around(change.connection, place, change.now)
    return [lock for lock in around if lock.token in tokens], resource


def release(change: Change, place: Place, token: str) -> None:
    """Release the lock `token`, which protects `place`, held by the actor or, for a manager, by
    anybody. Raises `NotFound`, `LockTokenMismatch` or `OthersLock`."""
    resource = change.get(place)
    around = locks.around(change.connection, place, change.now)
    lock = next((lock for lock in around if lock.token == token), None)
    if lock is None:
        raise LockTokenMismatch()
    if lock.account_id == change.account.id:
        locks.remove(change.connection, (token,))
    elif change.decide(Privilege.MANAGE, place, resource):
        locks.break_lock(change.act, token)
    else:
        raise OthersLock(holder=lock.login)
