"""What people do now and then, and ransomware to everything in reach: the tripwire counts it."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What was done."""

    SCRAMBLED = "scrambled"
    """A document became what looks encrypted."""

    RENAMED = "renamed"
    """A document got an ending that no program knows."""

    DELETED = "deleted"
    """A document, a folder or an entry of an agenda was deleted."""

    OVERWRITTEN = "overwritten"
    """A document was overwritten."""


@dataclass(frozen=True)
class Deed:
    """One such thing, done once: what, and where, as the journal names the place.

    `ending` is the new one of a renamed document, in small letters. Those of each ending are
    counted by themselves.
    """

    kind: Kind
    space_id: int | None
    path: str
    ending: str = ""

    @property
    def tally(self) -> str:
        """The name under which it is counted."""
        return f"{self.kind} {self.ending}" if self.ending else self.kind.value
