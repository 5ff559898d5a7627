"""Addresses below /calendars: `/<login>/<collection>/<object>`."""

from dataclasses import dataclass

from acl.errors import NotFound


@dataclass(frozen=True)
class Path:
    """An address, decoded, in its parts; None for those that are not there."""

    login: str | None = None
    collection: str | None = None
    member: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Path":
        """Read a path, with or without a slash at its end. Raises `NotFound` if it is too deep."""
        parts = [part for part in text.split("/") if part]
        if len(parts) > 3:
            raise NotFound()
        return cls(*parts)

    def __str__(self) -> str:
        """The address as hrefs have it: a collection's ends with a slash."""
        parts = [part for part in (self.login, self.collection, self.member) if part is not None]
        return "/" + "/".join(parts) + ("/" if parts and not self.is_object else "")

    @property
    def is_object(self) -> bool:
        """Whether this is the address of an object in a collection."""
        return self.member is not None
