"""Who is it: headers, passwords, device passwords, and what is remembered of them."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from acl import devices
from acl.authenticate import Authenticator
from acl.errors import MalformedCredentials, Unauthenticated
from acl.passwords import Passwords
from acl.registry import Account, Device, Registry

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PASSWORD = "une phrase assez longue"
DEVICE_PASSWORD = "dav-" + "a" * 32
REMEMBER = 300.0


class Counting(Passwords):
    """Counts how often a password is hashed to be compared: that is what costs time."""

    def __init__(self) -> None:
        super().__init__(memory=8 * 1024, rounds=1)
        self.verified = 0

    def verify(self, password: str, password_hash: str | None) -> bool:
        self.verified += 1
        return super().verify(password, password_hash)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def passwords() -> Counting:
    return Counting()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authenticator(passwords: Counting, clock: Clock) -> Authenticator:
    return Authenticator(passwords, remember=REMEMBER, clock=clock)


@pytest.fixture
def registry(passwords: Counting) -> Registry:
    people = [
        account(1, "anne", passwords.hash(PASSWORD)),
        account(2, "rene@mairie.fr", passwords.hash(PASSWORD)),
        account(3, "nopassword", None),
    ]
    device = Device(1, 1, "téléphone", True, True, False, devices.digest(DEVICE_PASSWORD))
    return Registry(1, {person.id: person for person in people}, {}, {device.digest: device}, {})


def account(number: int, login: str, password_hash: str | None) -> Account:
    return Account(number, login, login.title(), "", "fr", password_hash=password_hash)


def changed(registry: Registry, **values: object) -> Registry:
    """The registry after `anne` was changed."""
    anne = replace(registry.accounts[1], **values)  # type: ignore[arg-type]
    return replace(registry, revision=2, accounts={**registry.accounts, 1: anne})


def basic(login: str, password: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(f'{login}:{password}'.encode()).decode()}"


def login_of(authenticator: Authenticator, registry: Registry, header: str) -> str | None:
    actor = authenticator.actor(registry, header, "192.0.2.1", NOW)
    return actor.name if actor else None


WHO = [
    # login, password, who that is
    ("anne", PASSWORD, "anne"),
    ("ANNE", PASSWORD, "anne"),
    ("rene@mairie.fr", PASSWORD, "rene@mairie.fr"),
    # iOS 18 sends this.
    ("rene%40mairie.fr", PASSWORD, "rene@mairie.fr"),
    ("Rene%40Mairie.fr", PASSWORD, "rene@mairie.fr"),
    ("anne", PASSWORD + " ", None),
    ("anne", PASSWORD[:-1], None),
    ("anne", PASSWORD.upper(), None),
    ("anne", "", None),
    ("anne", "x" * 5000, None),
    (" anne", PASSWORD, None),
    ("", PASSWORD, None),
    ("nobody", PASSWORD, None),
    ("nopassword", PASSWORD, None),
    ("nopassword", "", None),
    ("anne", DEVICE_PASSWORD, "anne"),
    # A device password is its own account's alone.
    ("rene@mairie.fr", DEVICE_PASSWORD, None),
    ("nobody", DEVICE_PASSWORD, None),
    ("anne", "dav-" + "b" * 32, None),
    ("anne", DEVICE_PASSWORD + "a", None),
    ("anne", "pass:with:colons", None),
]


@pytest.mark.parametrize("login, password, who", WHO)
def test_who_is_it(
    authenticator: Authenticator, registry: Registry, login: str, password: str, who: str | None
) -> None:
    # The second time from memory, where it was right.
    for _ in range(2):
        assert login_of(authenticator, registry, basic(login, password)) == who


def test_the_actor_knows_device_and_address(
    authenticator: Authenticator, registry: Registry
) -> None:
    header = basic("anne", DEVICE_PASSWORD)
    actor = authenticator.actor(registry, header, "192.0.2.1", NOW)
    assert actor is not None
    assert (actor.name, actor.device_name, actor.address) == ("anne", "téléphone", "192.0.2.1")
    own = authenticator.actor(registry, basic("anne", PASSWORD), "192.0.2.1", NOW)
    assert own is not None and own.device is None and own.device_name == ""


MALFORMED = [
    "",
    "Basic",
    "Basic ",
    "Bearer abc",
    "Digest username=anne",
    "Basic " + base64.b64encode(b"no colon").decode(),
    "Basic " + base64.b64encode(b"anne:\xff\xfe").decode(),
    "Basic " + base64.b64encode(b"anne:with\x00nul").decode(),
    "Basic " + base64.b64encode(b"an\nne:line").decode(),
    "Basic " + base64.b64encode("anne:c1\x85".encode()).decode(),
    "Basic " + base64.b64encode(b"anne:xx").decode().rstrip("="),
    "Basic ****",
    "Basic é",
    "Basic YW5uZTp4 YW5uZTp4",
]


@pytest.mark.parametrize("header", MALFORMED)
def test_what_is_no_basic_header(
    authenticator: Authenticator, registry: Registry, passwords: Counting, header: str
) -> None:
    with pytest.raises(MalformedCredentials):
        authenticator.actor(registry, header, "", NOW)
    assert passwords.verified == 0


@pytest.mark.parametrize("scheme", ["basic", "BASIC", " Basic", "Basic  "])
def test_spellings_of_the_scheme(
    authenticator: Authenticator, registry: Registry, scheme: str
) -> None:
    assert login_of(authenticator, registry, basic("anne", PASSWORD, scheme)) == "anne"


def test_a_password_is_one_however_its_accents_are_typed(
    authenticator: Authenticator, registry: Registry, passwords: Counting
) -> None:
    # A Mac may send e and an accent, Windows é; and French typing leaves no-break spaces.
    typed = "\u00e9t\u00e9\u00a0: une ann\u00e9e"
    decomposed = "e\u0301te\u0301\u00a0: une anne\u0301e"
    known = changed(registry, password_hash=passwords.hash(decomposed))
    assert login_of(authenticator, known, basic("anne", typed)) == "anne"
    assert login_of(authenticator, known, basic("anne", decomposed)) == "anne"


def test_a_right_password_is_hashed_once(
    authenticator: Authenticator, registry: Registry, passwords: Counting, clock: Clock
) -> None:
    for _ in range(3):
        assert login_of(authenticator, registry, basic("anne", PASSWORD)) == "anne"
    assert passwords.verified == 1
    clock.seconds += REMEMBER - 1
    assert login_of(authenticator, registry, basic("anne", PASSWORD)) == "anne"
    assert passwords.verified == 1
    clock.seconds += 1
    assert login_of(authenticator, registry, basic("anne", PASSWORD)) == "anne"
    assert passwords.verified == 2


def test_what_is_remembered_of_one_account_is_nothing_to_another(
    authenticator: Authenticator, registry: Registry, passwords: Counting
) -> None:
    login_of(authenticator, registry, basic("anne", PASSWORD))
    login_of(authenticator, registry, basic("rene@mairie.fr", PASSWORD))
    assert passwords.verified == 2


@pytest.mark.parametrize("remember", [0.0, REMEMBER])
def test_a_wrong_password_is_never_remembered(
    registry: Registry, passwords: Counting, clock: Clock, remember: float
) -> None:
    authenticator = Authenticator(passwords, remember=remember, clock=clock)
    for attempt in range(1, 4):
        assert login_of(authenticator, registry, basic("anne", "wrong password")) is None
        assert passwords.verified == attempt


def test_nothing_is_remembered_for_no_time(
    registry: Registry, passwords: Counting, clock: Clock
) -> None:
    authenticator = Authenticator(passwords, remember=0.0, clock=clock)
    for attempt in range(1, 3):
        assert login_of(authenticator, registry, basic("anne", PASSWORD)) == "anne"
        assert passwords.verified == attempt


def test_a_changed_password_is_forgotten_at_once(
    authenticator: Authenticator, registry: Registry, passwords: Counting
) -> None:
    assert login_of(authenticator, registry, basic("anne", PASSWORD)) == "anne"
    after = changed(registry, password_hash=passwords.hash("une autre phrase longue"))
    assert login_of(authenticator, after, basic("anne", PASSWORD)) is None
    # The same password again, hashed anew, is not the one that was remembered.
    again = changed(registry, password_hash=passwords.hash(PASSWORD))
    before = passwords.verified
    assert login_of(authenticator, again, basic("anne", PASSWORD)) == "anne"
    assert passwords.verified == before + 1


CLOSED = [
    {"disabled": True},
    {"expires_at": NOW},
    {"expires_at": NOW - timedelta(days=1)},
]


@pytest.mark.parametrize("values", CLOSED)
@pytest.mark.parametrize("password", [PASSWORD, DEVICE_PASSWORD])
def test_a_closed_account_is_refused_though_it_is_remembered(
    authenticator: Authenticator, registry: Registry, values: dict[str, object], password: str
) -> None:
    assert login_of(authenticator, registry, basic("anne", password)) == "anne"
    assert login_of(authenticator, changed(registry, **values), basic("anne", password)) is None
    open_again = changed(registry, expires_at=NOW + timedelta(microseconds=1))
    assert login_of(authenticator, open_again, basic("anne", password)) == "anne"


def test_a_revoked_device_is_refused_at_once(
    authenticator: Authenticator, registry: Registry
) -> None:
    assert login_of(authenticator, registry, basic("anne", DEVICE_PASSWORD)) == "anne"
    revoked = replace(registry, revision=2, devices={})
    assert login_of(authenticator, revoked, basic("anne", DEVICE_PASSWORD)) is None


HASHED = [
    # login, password, how often a hash is computed: the same, whoever exists
    ("anne", "a wrong password", 1),
    ("nobody", "a wrong password", 1),
    ("nopassword", "a wrong password", 1),
    ("anne", "", 1),
    ("nobody", "", 1),
    # Looked up by its digest, for whatever account.
    ("anne", "dav-" + "b" * 32, 0),
    ("nobody", "dav-" + "b" * 32, 0),
]


@pytest.mark.parametrize("login, password, times", HASHED)
def test_an_unknown_account_costs_as_much_as_a_known_one(
    authenticator: Authenticator,
    registry: Registry,
    passwords: Counting,
    login: str,
    password: str,
    times: int,
) -> None:
    assert login_of(authenticator, registry, basic(login, password)) is None
    assert passwords.verified == times


def test_a_disabled_account_costs_as_much_as_an_enabled_one(
    authenticator: Authenticator, registry: Registry, passwords: Counting
) -> None:
    closed = changed(registry, disabled=True)
    assert login_of(authenticator, closed, basic("anne", "a wrong password")) is None
    assert passwords.verified == 1


def test_memory_is_bounded_and_holds_no_password(
    registry: Registry, passwords: Counting, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acl.authenticate._REMEMBERED_MAX", 1)
    authenticator = Authenticator(passwords, remember=REMEMBER, clock=clock)
    for login in ("anne", "rene@mairie.fr", "anne"):
        assert login_of(authenticator, registry, basic(login, PASSWORD)) == login
    assert passwords.verified == 3
    assert PASSWORD not in repr(vars(vars(authenticator)["_remembered"]))


@pytest.mark.parametrize(
    "realm, header",
    [
        ("Mairie", 'Basic realm="Mairie", charset="UTF-8"'),
        ('La "Belle"', 'Basic realm="La \'Belle\'", charset="UTF-8"'),
        ("a\\", 'Basic realm="a", charset="UTF-8"'),
    ],
)
def test_the_challenge(realm: str, header: str) -> None:
    assert Unauthenticated(realm).headers == (("WWW-Authenticate", header),)
