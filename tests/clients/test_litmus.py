"""litmus 0.13, the WebDAV conformance suite: everything passes, without a warning."""

from __future__ import annotations

import re

import pytest

from tests.clients.program import Account, Home
from tests.server.process import Server

SUITES = {"basic", "copymove", "props", "locks", "http"}
SUMMARY = re.compile(r"<- summary for `(\w+)': of (\d+) tests run: (\d+) passed, (\d+) failed")


@pytest.mark.needs("litmus")
@pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True, scope="module")
def test_every_suite_passes_without_a_warning(
    server: Server, anne: Account, home: Home, folder: str
) -> None:
    ran = home.run(
        *("litmus", "-k", server.url + folder, anne.login, anne.password),
        timeout=300,
        check=False,
    )
    passed = {
        suite: int(passed) == int(run) > 0 and failed == "0"
        for suite, run, passed, failed in SUMMARY.findall(ran.output)
    }
    faults = [
        line.strip()
        for line in re.split("[\r\n]", ran.output)
        if re.search("FAIL|WARNING|skipped", line)
    ]
    assert not faults, "\n".join(faults)
    assert passed == dict.fromkeys(SUITES, True), str(ran)
    assert ran.status == 0, str(ran)
