"""An nginx in front of the server that adds the password.

For programs that ask for it in a window only, and so cannot be given one here.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import subprocess
import time
from types import TracebackType
from typing import Self

from tests.clients.program import Account, Home
from tests.server.process import Server, free_port

READY_SECONDS = 30.0

CONF = """\
daemon off;
{user}
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 256; }}
http {{
    log_format requests '$request_method $status $request_uri';
    access_log {directory}/access.log requests;
    client_max_body_size 0;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Authorization "Basic {basic}";
            proxy_request_buffering off;
            proxy_buffering off;
        }}
    }}
}}
"""


class Front:
    """nginx on a free port of 127.0.0.1; whoever comes through it is `account`."""

    def __init__(self, home: Home, server: Server, account: Account) -> None:
        self.home = home
        self.port = free_port()
        self.directory = home.directory / "nginx"
        self.directory.mkdir()
        pair = f"{account.login}:{account.password}".encode()
        self.conf = home.write(
            "nginx/nginx.conf",
            CONF.format(
                basic=base64.b64encode(pair).decode(),
                directory=self.directory,
                port=self.port,
                upstream=server.url,
                # As root it would drop to an account to which these folders are closed.
                user="user root;" if os.geteuid() == 0 else "",
            ),
        )
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[tuple[str, int, str]]:
        """Every request so far: method, status, and the path as it was sent."""
        log = self.directory / "access.log"
        return [
            (method, int(status), path)
            for method, status, path in re.findall(r"(\S+) (\d+) (.*)\n", log.read_text())
        ]

    def __enter__(self) -> Self:
        with (self.directory / "output").open("wb") as output:
            self.process = subprocess.Popen(
                ["nginx", "-p", str(self.directory), "-c", str(self.conf)],
                env=self.home.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise AssertionError(f"nginx did not start\n{self._said()}") from None
            time.sleep(0.05)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            print(self._said())
        self.stop()

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            process.wait(READY_SECONDS)

    def _said(self) -> str:
        parts = []
        for name in ("output", "error.log", "access.log"):
            path = self.directory / name
            if path.exists():
                parts.append(f"--- nginx {name} ---\n{path.read_text(errors='replace')[-4000:]}")
        return "\n".join(parts)
