"""Account passwords: argon2id, slow on purpose."""

import re
import secrets
import unicodedata
import warnings

from acl.errors import BadPassword

with warnings.catch_warnings():
    # passlib's own look at which of its many schemes are still in the standard library.
    warnings.simplefilter("ignore", DeprecationWarning)
    from passlib.context import CryptContext

MINIMUM = 10
_MAXIMUM = 1024  # A longer one is a way to make the server work, not a password.
# RFC 7617, 2: no client may send them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Passwords:
    """Hashes and verifies. `memory` is in bytes; both costs are those of new hashes."""

    def __init__(self, *, memory: int, rounds: int) -> None:
        self._context = CryptContext(
            schemes=["argon2"],
            argon2__type="ID",
            argon2__memory_cost=memory // 1024,
            argon2__time_cost=rounds,
            argon2__parallelism=1,
        )
        # What an unknown account's password is compared with, so that it takes as long.
        self._nobody = self.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> str:
        """Return the hash to store. Raises `BadPassword` for one that is too short, or unusable."""
        if not MINIMUM <= len(password) <= _MAXIMUM or _CONTROL.search(password):
            raise BadPassword(minimum=MINIMUM, maximum=_MAXIMUM)
        return str(self._context.hash(_normal(password)))

    def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether `password` is the one; takes as long when there is no hash to compare with."""
        # Never a password's prefix, and never a NUL, which argon2 refuses with an error.
        usable = 0 < len(password) <= _MAXIMUM and not _CONTROL.search(password)
        matches = self._context.verify(
            _normal(password) if usable else "unusable", password_hash or self._nobody
        )
        return bool(matches) and usable and password_hash is not None


def _normal(password: str) -> str:
    # A Mac types é as two characters, Windows as one (RFC 7617, 2.1).
    return unicodedata.normalize("NFC", password)


def generate() -> str:
    """A password to hand to a person: 100 bits in five groups, easy to type."""
    # No letters that look like others, none that a French keyboard hides.
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(5))
    return "-".join(groups)
