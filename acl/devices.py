"""Device passwords: generated, one a device, scoped, revocable."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from acl import accounts, names, registry
from acl.errors import NameTaken, UnknownName, UselessDevice
from acl.journal import Act
from acl.registry import Device
from acl.tables import devices

_PREFIX = "dav-"
_LENGTH = 32  # Base32 letters: 160 bits.
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
NAME_MAX = 100
USE_RECORDED_EVERY = timedelta(minutes=5)
"""How exact `last_used_at` is: a write at each request would cost more than it tells."""


def digest(password: str) -> str:
    """What is stored of a device password, and looked up: its SHA-256, in hexadecimal."""
    return hashlib.sha256(password.encode()).hexdigest()


def looks_like_one(password: str) -> bool:
    """Whether a password has the form of a device password; such are never hashed slowly."""
    return password.startswith(_PREFIX) and len(password) == len(_PREFIX) + _LENGTH


def add(
    act: Act,
    login: str,
    name: str,
    *,
    documents: bool = True,
    agendas: bool = True,
    read_only: bool = False,
) -> tuple[Device, str]:
    """Make a device password for the account `login`; return the device and the password.

    The password is given back here and nowhere else. Raises `UnknownName`, `NameTaken` or
    `BadValue`.
    """
    account = accounts.find(act, login)
    names.check_title(name, NAME_MAX)
    if not documents and not agendas:
        raise UselessDevice()
    registry.bump(act.connection)
    if _active(act, account.id, name) is not None:
        raise NameTaken(kind="device", name=name)
    password = _PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    scope = {"documents": documents, "agendas": agendas, "read_only": read_only}
    device_id = act.connection.execute(
        devices.insert()
        .values(
            account_id=account.id,
            name=name,
            digest=digest(password),
            created_at=act.now,
            **scope,
        )
        .returning(devices.c.id)
    ).scalar_one()
    act.record("device.add", path=login, detail={"device": name, **scope})
    return Device(device_id, account.id, name, documents, agendas, read_only), password


def revoke(act: Act, login: str, name: str) -> None:
    """End a device password at once, in every process. Raises `UnknownName`."""
    account = accounts.find(act, login)
    device_id = _active(act, account.id, name)
    if device_id is None:
        raise UnknownName(kind="device", name=name)
    end(act, device_id)
    act.record("device.revoke", path=login, detail={"device": name})


def end(act: Act, device_id: int) -> bool:
    """End this device password, as part of `act`; tell whether it was good until now."""
    registry.bump(act.connection)
    ended = act.connection.execute(
        devices.update()
        .where(devices.c.id == device_id, devices.c.revoked_at.is_(None))
        .values(revoked_at=act.now)
    )
    return bool(ended.rowcount)


def record_use(connection: Connection, device_id: int, now: datetime) -> None:
    """Note that the device was used at `now`; not a change of the registry."""
    stale = devices.c.last_used_at.is_(None) | (devices.c.last_used_at < now - USE_RECORDED_EVERY)
    connection.execute(
        devices.update().where(devices.c.id == device_id, stale).values(last_used_at=now)
    )


@dataclass(frozen=True)
class DeviceUse:
    """A device password as the command line lists it."""

    device: Device
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def of_account(act: Act, login: str) -> Iterator[DeviceUse]:
    """The device passwords of an account, revoked ones too. Raises `UnknownName`."""
    account = accounts.find(act, login)
    query = sa.select(devices).where(devices.c.account_id == account.id).order_by(devices.c.id)
    for row in act.connection.execute(query):
        device = Device(row.id, row.account_id, row.name, row.documents, row.agendas, row.read_only)
        yield DeviceUse(device, row.created_at, row.last_used_at, row.revoked_at)


def _active(act: Act, account_id: int, name: str) -> int | None:
    query = sa.select(devices.c.id).where(
        devices.c.account_id == account_id,
        devices.c.name == name,
        devices.c.revoked_at.is_(None),
    )
    return act.connection.execute(query).scalar()
