"""A secret is never stored, logged or shown twice: what is looked for afterwards, everywhere."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from tests.server.town import PASSWORDS, SPACE, Town
from tests.server.wire import Answer, ask, basic

WRONG = "Un mot de passe que personne n'a"


@pytest.fixture
def answers() -> list[Answer]:
    return []


def test_no_secret_is_found_again(tmp_path: Path, answers: list[Answer]) -> None:
    town = Town.found(tmp_path / "data")
    port = town.server.port
    devices = dict(town.devices)
    with town.server:
        for login, password in PASSWORDS.items():
            # Each with the password, the device's password, and a wrong one, everywhere.
            for secret in (password, devices[login], WRONG, f"dav-{'a' * 32}"):
                for method, path in (
                    ("PROPFIND", f"{SPACE}/"),
                    ("GET", f"{SPACE}/absent"),
                    ("PROPFIND", f"/calendars/{login}/"),
                    ("NONSENSE", "/"),
                    ("GET", "/%00"),
                ):
                    headers = [basic(login, secret), ("Depth", "0")]
                    answers.append(ask(port, method, path, headers))
        # Where people put them by mistake, none is logged either: what follows "?" is left out.
        answers.append(ask(port, "GET", f"/spaces/?password={devices['anne']}"))
        answers.append(ask(port, "GET", "/", [("Authorization", f"Bearer {devices['anne']}")]))
        town.account("clara", "Trois petits points: 777")
        town.cli("device", "revoke", "clara", "poste")
        town.server.stop()
    assert {answer.status for answer in answers} >= {207, 401, 404, 405}

    secrets = [*PASSWORDS.values(), *devices.values(), WRONG, "Trois petits points: 777"]
    secrets.append(town.devices["clara"])
    kept = {
        str(file.relative_to(tmp_path)): file.read_bytes()
        for file in tmp_path.rglob("*")
        if file.is_file()
    }
    assert any(name.endswith("davserver.db") for name in kept)
    assert any(name.endswith(".log") for name in kept)
    said = b"\n".join(answer.body + repr(answer.headers).encode() for answer in answers)
    for secret in secrets:
        for form in _forms(secret):
            for name, content in {**kept, "what was answered": said}.items():
                assert form not in content, f"{form!r} is in {name}"


def test_a_flood_of_wrong_passwords_leaves_none(tmp_path: Path) -> None:
    town = Town.found(tmp_path / "data", environment={"DAVSERVER_AUTHENTICATION__MEMORY": "1 MiB"})
    guesses = [f"essai numéro {n} d'une longue série" for n in range(60)]
    with town.server:
        for guess in guesses:
            answer = ask(town.server.port, "GET", "/spaces/", [basic("anne", guess)])
            assert answer.status == 401
            assert answer["WWW-Authenticate"].startswith('Basic realm="')
        town.check_alive()
        log = town.logged().encode()
    for guess in guesses:
        assert not any(form in log for form in _forms(guess))


def _forms(secret: str) -> list[bytes]:
    """A secret as it could lie about: plain, as sent, or hashed without salt and key.

    The SHA-256 of a device password is what is stored of it, so that is no leak; a person's
    password must not be found in that form either.
    """
    plain = secret.encode()
    forms = [plain, base64.b64encode(b":" + plain)[4:-4]]
    if not secret.startswith("dav-"):
        forms.append(hashlib.sha256(plain).hexdigest().encode())
    return forms
