"""Account passwords: argon2id, slow on purpose."""

import secrets
import warnings

from acl.errors import BadValue

with warnings.catch_warnings():
    # passlib's own look at which of its many schemes are still in the standard library.
    warnings.simplefilter("ignore", DeprecationWarning)
    from passlib.context import CryptContext

MINIMUM = 10
_MAXIMUM = 1024  # A longer one is a way to make the server work, not a password.


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
        """Return the hash to store. Raises `BadValue` for a password that is too short."""
        if not MINIMUM <= len(password) <= _MAXIMUM:
            raise BadValue(problem=f"A password has {MINIMUM} to {_MAXIMUM} characters.")
        return str(self._context.hash(password))

    def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether `password` is the one; takes as long when there is no hash to compare with."""
        # Never a password's prefix, and never a stored NUL, which argon2 refuses with an error.
        usable = 0 < len(password) <= _MAXIMUM and "\0" not in password
        matches = self._context.verify(
            password if usable else "unusable", password_hash or self._nobody
        )
        return bool(matches) and usable and password_hash is not None


def generate() -> str:
    """A password to hand to a person: 100 bits in five groups, easy to type."""
    # No letters that look like others, none that a French keyboard hides.
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(5))
    return "-".join(groups)
