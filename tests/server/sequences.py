"""Plays what a client that cannot run here sends, step by step, and checks what it needs back.

A sequence is a TOML file in fixtures/. `[headers]` are those of every step, `[values]` texts that
stand in braces elsewhere. A `[[step]]` has

    name, send      its name, and "METHOD /address"
    headers         headers of its own; `without` names common ones that it lacks
    body            the body; `chunked`, `expects_continue`, `anonymous`: how it is sent
    status          the statuses that serve the client
    header          [name, pattern] pairs that the reply's headers must match
    has, lacks      patterns that its body must, or must not, match
    save            a value for later steps: {name, from = "body" or a header, match = pattern}
"""

from __future__ import annotations

import gzip
import html
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.server.wire import Answer, Header, Wire, ask, chunked, head

FIXTURES = Path(__file__).parent / "fixtures"
_VALUE = re.compile(r"\{(\w+)\}")
_NESTED_MAX = 5


@dataclass(frozen=True)
class Step:
    """One request of a sequence, and what has to come back."""

    name: str
    send: str
    status: list[int]
    headers: Mapping[str, str] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    values: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    anonymous: bool = False
    chunked: bool = False
    expects_continue: bool = False
    header: list[list[str]] = field(default_factory=list)
    has: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    save: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Sequence:
    """The steps of one client. `values` grows while they are played."""

    headers: Mapping[str, str]
    values: dict[str, str]
    steps: list[Step]

    @classmethod
    def read(cls, name: str, **values: str) -> Sequence:
        """The sequence fixtures/<name>.toml, with more values for what stands in braces."""
        data: dict[str, Any] = tomllib.loads((FIXTURES / f"{name}.toml").read_text("utf-8"))
        steps = [Step(**step) for step in data["step"]]
        return cls(data["headers"], {**data.get("values", {}), **values}, steps)

    def play(self, ports: list[int], authorization: Header) -> Iterator[tuple[Step, list[str]]]:
        """Send each step, to one port after another; yields it with what is wrong with its answer.

        Several are several processes over one data, as a load balancer gives them their turns.
        """
        self.values["host"] = f"http://127.0.0.1:{ports[0]}"
        for number, step in enumerate(self.steps):
            answer = self._send(step, ports[number % len(ports)], authorization)
            yield step, list(self._faults(step, answer))

    def _send(self, step: Step, port: int, authorization: Header) -> Answer:
        method, _, target = self._filled(step.send, step).partition(" ")
        headers = [(name, self._filled(value, step)) for name, value in self._headers(step)]
        if not step.anonymous:
            headers.append(authorization)
        text = self._filled(step.body, step)
        if text.startswith("BEGIN:"):
            # iCalendar's and vCard's line ends, which TOML cannot show.
            text = text.rstrip("\n").replace("\n", "\r\n") + "\r\n"
        body = text.encode()
        if step.chunked:
            headers.append(("Transfer-Encoding", "chunked"))
            with Wire(port) as wire:
                wire.send(head(method, target, headers) + chunked(body))
                return wire.answer(method)
        if step.expects_continue:
            headers += [("Content-Length", str(len(body))), ("Expect", "100-continue")]
            with Wire(port) as wire:
                wire.send(head(method, target, headers))
                assert wire.interim() == 100, "the client was not asked for the body"
                wire.send(body)
                return wire.answer(method)
        return ask(port, method, target, headers, body)

    def _headers(self, step: Step) -> Iterator[Header]:
        for name, value in self.headers.items():
            if name not in step.headers and name not in step.without:
                yield name, value
        yield from step.headers.items()

    def _faults(self, step: Step, answer: Answer) -> Iterator[str]:
        body = _text(answer)
        if answer.status not in step.status:
            yield f"status {answer.status}, not {step.status}: {body[:300]}"
        for name, pattern in step.header:
            if not re.search(self._filled(pattern, step), answer[name]):
                yield f"{name}: {answer[name]!r} does not match {pattern!r}"
        for pattern in step.has:
            if not re.search(self._filled(pattern, step), body, re.DOTALL):
                yield f"nothing matches {pattern!r} in {body[:2000]}"
        for pattern in step.lacks:
            if re.search(self._filled(pattern, step), body, re.DOTALL):
                yield f"{pattern!r} matches in {body[:2000]}"
        if step.save:
            where = body if step.save["from"] == "body" else answer[step.save["from"]]
            match = re.search(step.save["match"], where, re.DOTALL)
            if match is None:
                yield f"nothing matches {step.save['match']!r}"
            else:
                self.values[step.save["name"]] = html.unescape(match[1])

    def _filled(self, text: str, step: Step) -> str:
        """`text` with its values; those may have values in them too. Others in braces stay."""
        values = {**self.values, **step.values}
        for _ in range(_NESTED_MAX):
            filled = _VALUE.sub(lambda match: values.get(match[1], match[0]), text)
            if filled == text:
                break
            text = filled
        return text


def _text(answer: Answer) -> str:
    body = answer.body
    if answer["Content-Encoding"] == "gzip":
        body = gzip.decompress(body)
    return body.decode("utf-8", "replace")
