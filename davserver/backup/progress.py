"""What a long act tells of itself while it goes on."""

from typing import Protocol

from config.language import Phrase


class Progress(Protocol):
    """Whoever watches: a terminal, a log, nobody. Never raises."""

    def begin(self, stage: Phrase, files: int = 0, size: int = 0) -> None:
        """A new stage begins, of `files` files and `size` bytes in all; 0: that is not known."""

    def advance(self, files: int = 0, size: int = 0) -> None:
        """So many more files and bytes of the stage are done."""


class Silence:
    """Nobody watches."""

    def begin(self, stage: Phrase, files: int = 0, size: int = 0) -> None:
        pass

    def advance(self, files: int = 0, size: int = 0) -> None:
        pass
