"""caldav-server-tester: what the caldav library finds of the standards it knows."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

from tests.clients.program import Account, Home
from tests.server.process import Server

# Radicale alone, the engine underneath, has 88 of the 101 features in full.
FULL_FEATURES = 88

TESTER = Path(sys.executable).with_name("caldav-server-tester")


def test_no_fewer_features_than_the_engine_alone(server: Server, anne: Account, home: Home) -> None:
    ran = home.run(
        *(str(TESTER), "--caldav-url", f"{server.url}/calendars/"),
        *("--caldav-user", anne.login, "--caldav-pass", anne.password),
        # Of its formats the one that names every feature, and is made to be parsed:
        # the text of a Python dictionary. Its JSON leaves out what a parent implies.
        *("--format", "hints"),
        timeout=300,
    )
    features: dict[str, dict[str, str]] = ast.literal_eval(ran.output[ran.output.index("{") :])
    # Some are facts without a level (how long a write takes to be seen), and count for nothing.
    levels = {name: found.get("support", "fact") for name, found in features.items()}
    others = "\n".join(
        f"{name}: {features[name]}" for name, level in levels.items() if level != "full"
    )
    print(f"{Counter(levels.values())}\n{others}")
    full = [name for name, level in levels.items() if level == "full"]
    assert len(full) >= FULL_FEATURES, f"{len(full)} of {len(features)} in full; not:\n{others}"
