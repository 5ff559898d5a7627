"""The names of WSGI (PEP 3333) that the callables here are made of."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

Environ = dict[str, Any]
Body = Iterable[bytes]


class StartResponse(Protocol):
    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Any: ...


Application = Callable[[Environ, Any], Body]
