"""Who is it: HTTP Basic credentials to an actor (RFC 7617)."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from urllib.parse import unquote

from acl import devices
from acl.actor import Actor
from acl.errors import MalformedCredentials
from acl.passwords import Passwords
from acl.registry import Account, Device, Registry

_REMEMBERED_MAX = 10_000
# RFC 7617, 2: neither a user-id nor a password has them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Authenticator:
    """Turns an Authorization header into an actor.

    Safe to share between threads. `remember` is for how many seconds a verified password is
    not hashed again; `clock` is a monotonic clock in seconds.
    """

    def __init__(
        self, passwords: Passwords, *, remember: float, clock: Callable[[], float]
    ) -> None:
        self._passwords = passwords
        self._remembered = Remembered(remember, clock)

    def actor(
        self, registry: Registry, authorization: str, address: str, now: datetime
    ) -> Actor | None:
        """The actor whose credentials these are, None if they are wrong or no longer good.

        `authorization` is the header's value as WSGI gives it (Latin-1). Raises
        `MalformedCredentials` if it is none of Basic.
        """
        login, password = _basic(authorization)
        account = _account(registry, login)
        device = None
        if devices.looks_like_one(password):
            device = _device(registry, account, password)
            known = device is not None
        else:
            known = self._knows(account, password)
        if not known or account is None or not account.active(now):
            return None
        return Actor.of(account, device, address)

    def _knows(self, account: Account | None, password: str) -> bool:
        if account is None or account.password_hash is None:
            return self._passwords.verify(password, None)
        # The stored hash is part of the key: a changed password is forgotten by itself.
        if self._remembered.has(account.password_hash, password):
            return True
        if not self._passwords.verify(password, account.password_hash):
            return False
        self._remembered.add(account.password_hash, password)
        return True


class Remembered:
    """Passwords that were verified a short while ago, as digests under this process's key."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def has(self, password_hash: str, password: str) -> bool:
        """Whether `password` was verified against `password_hash` not long ago."""
        return self._until.get(self._digest(password_hash, password), 0.0) > self._clock()

    def add(self, password_hash: str, password: str) -> None:
        """Remember that `password` has just been verified against `password_hash`."""
        now = self._clock()
        with self._lock:
            digest = self._digest(password_hash, password)
            self._until.pop(digest, None)
            self._until[digest] = now + self._seconds
            # All last equally long, so the oldest entries come first.
            while self._until:
                oldest, until = next(iter(self._until.items()))
                if until > now and len(self._until) <= _REMEMBERED_MAX:
                    break
                del self._until[oldest]

    def _digest(self, password_hash: str, password: str) -> bytes:
        text = f"{password_hash}\0{password}".encode()
        return hmac.digest(self._key, text, hashlib.sha256)


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        raise MalformedCredentials()
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
        text = decoded.decode("utf-8")
    except (binascii.Error, ValueError):
        raise MalformedCredentials() from None
    login, colon, password = text.partition(":")
    if not colon or _CONTROL.search(text):
        raise MalformedCredentials()
    return login, password


def _account(registry: Registry, login: str) -> Account | None:
    # iOS 18 sends user%40host where it should send user@host.
    for form in (login, unquote(login)):
        account = registry.by_login.get(form.lower())
        if account is not None:
            return account
    return None


def _device(registry: Registry, account: Account | None, password: str) -> Device | None:
    device = registry.devices.get(devices.digest(password))
    if device is None or account is None or device.account_id != account.id:
        return None
    return device
