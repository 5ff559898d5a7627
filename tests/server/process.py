"""A real davserver, in processes of its own, over a data directory."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
COMMAND_SECONDS = 120.0

# Two servers may share a data directory, never a log.
_numbers = count(1)

# Those that serve now, so that a failed test can show what they logged.
serving: list[Server] = []


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`python -m davserver serve` over `data`, on a free port of 127.0.0.1.

    Several of them may be given the same directory: they are then several
    processes over one data, as behind a load balancer.
    """

    def __init__(
        self,
        data: Path,
        database_url: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.host = "127.0.0.1"
        self.port = free_port()
        self.log = data.parent / f"{data.name}-{next(_numbers)}.log"
        self.process: subprocess.Popen[bytes] | None = None
        # What the developer has set for a server of their own must not reach this one.
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("DAVSERVER_")
        }
        self.environment["DAVSERVER_DATA"] = str(data)
        if database_url is not None:
            self.environment["DAVSERVER_DATABASE__URL"] = database_url
        self.environment.update(environment or {})

    @property
    def url(self) -> str:
        """The root address, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            print(self.tail())
        self.stop()

    def cli(
        self, *args: str, input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run one davserver command on this data; with `check`, a failure raises its output."""
        done = subprocess.run(
            [sys.executable, "-m", "davserver", *args],
            # Not the checkout: the installed program is what is tested.
            cwd=self.data.parent,
            env=self.environment,
            input="" if input is None else input,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"davserver {' '.join(args)} ended with {done.returncode}\n"
                f"{done.stdout}{done.stderr}"
            )
        return done

    def init(self, template: str = "empty") -> None:
        """Make the data directory."""
        self.cli("init", "--template", template)

    def account(self, login: str, password: str, name: str = "") -> None:
        """Add an account whose password is known."""
        self.cli(
            *("account", "add", login, "--name", name or login.title()),
            *("--email", f"{login}@example.org", "--password-stdin"),
            input=f"{password}\n",
        )

    def start(self) -> None:
        """Start serving; returns once /healthz answers 200."""
        assert not self.running, "this server runs already"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "davserver", "serve"),
                    *("--host", self.host, "--port", str(self.port)),
                ],
                cwd=self.data.parent,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own, so that kill() reaches its worker processes too.
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise
        serving.append(self)

    def stop(self) -> int | None:
        """End it as an administrator does (SIGTERM); returns the exit status."""
        process = self.process
        if process is None:
            return None
        self._forget()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(
                    f"davserver did not end within {STOP_SECONDS:.0f} s of SIGTERM\n{self.tail()}"
                ) from None
        self.process = None
        return process.returncode

    def kill(self) -> None:
        """End it as a power cut does (SIGKILL), its worker processes included."""
        process, self.process = self.process, None
        self._forget()
        if process is None:
            return
        if process.poll() is None:
            # Its own session, so the group is ours; not yet reaped, so the id is still its own.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)

    def restart(self) -> None:
        """Stop and start again, on the same port."""
        self.stop()
        self.start()

    def tail(self, lines: int = 80) -> str:
        """The last lines of the log, to be shown with a failure."""
        if not self.log.exists():
            return f"{self.log.name}: nothing was logged"
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"--- the end of {self.log.name} ---", *text])

    def _forget(self) -> None:
        if self in serving:
            serving.remove(self)

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            status = self.process.poll()
            if status is not None:
                raise AssertionError(
                    f"davserver ended with {status} before it served\n{self.tail()}"
                )
            if self._answers():
                return
            time.sleep(0.05)
        raise AssertionError(f"davserver was not ready after {READY_SECONDS:.0f} s\n{self.tail()}")

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
