"""Two processes over one data directory: no client can tell which of them it talks to."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from threading import Barrier
from typing import TypeVar
from xml.etree import ElementTree

import pytest

from tests.server.postgres import Postgres
from tests.server.process import Server
from tests.server.town import LOCKINFO, SPACE, Town, event, until
from tests.server.wire import Header, Wire, basic, head

WRITERS = 8
ROUNDS = 6

T = TypeVar("T")

_names = count(1)

Both = tuple[Server, Server]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    url = None
    if request.param == "postgresql":
        cluster = request.getfixturevalue("postgres")
        assert isinstance(cluster, Postgres)
        url = cluster.create_database()
    town = Town.found(tmp_path_factory.mktemp("two") / "data", url)
    town.space("annexe", anne="contributor")
    with town.server:
        yield town
    assert town.findings() == []


@pytest.fixture(scope="module")
def both(town: Town) -> Iterator[Both]:
    with town.another() as other:
        yield town.server, other
    assert "Traceback" not in town.logged() + other.log.read_text()


@pytest.fixture
def folder(town: Town) -> str:
    """A new folder of the space."""
    path = f"{SPACE}/{next(_names)}"
    assert town.ask("anne", "MKCOL", path).status == 201
    return path


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make all these calls at the same moment, as nearly as can be."""
    barrier = Barrier(len(calls))

    def call(one: Callable[[], T]) -> T:
        barrier.wait()
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


# Locks


def tokens(town: Town, path: str, server: Server) -> list[str]:
    """The tokens of the locks that this server tells of."""
    asked = b'<D:propfind xmlns:D="DAV:"><D:prop><D:lockdiscovery/></D:prop></D:propfind>'
    answer = town.ask("bruno", "PROPFIND", path, asked, ("Depth", "0"), server=server)
    assert answer.status == 207, answer
    found = ElementTree.fromstring(answer.body).iterfind(".//{DAV:}locktoken/{DAV:}href")
    return [token.text or "" for token in found]


PROPPATCH = (
    b'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><e:note xmlns:e="urn:e">1</e:note></D:prop>'
    b"</D:set></D:propertyupdate>"
)


def test_lock_holds_in_both(town: Town, both: Both, folder: str) -> None:
    for one, other in (both, both[::-1]):
        path = f"{folder}/{next(_names)}.txt"
        town.put(path, b"before")
        token = town.lock("anne", path, one)
        submitted = ("If", f"(<{token}>)")
        refused: list[tuple[str, bytes | None, list[Header]]] = [
            ("PUT", b"lost", []),
            ("DELETE", None, []),
            ("MOVE", None, [("Destination", f"{path}.moved")]),
            ("LOCK", LOCKINFO, [("Depth", "0")]),
            ("PROPPATCH", PROPPATCH, []),
        ]
        for login in ("anne", "bruno"):
            for method, body, headers in refused:
                answer = town.ask(login, method, path, body, *headers, server=other)
                assert answer.status == 423, (login, method, answer)
        stolen = town.ask("bruno", "PUT", path, b"lost", submitted, server=other)
        assert stolen.status == 423, stolen

        assert tokens(town, path, other) == [token]
        listed = json.loads(town.server.cli("lock", "list", "--json").stdout)
        assert token in {lock["token"] for lock in listed}

        assert town.ask("anne", "PUT", path, b"mine", submitted, server=other).status == 204
        wanted = ("Timeout", "Second-120")
        refreshed = town.ask("anne", "LOCK", path, None, submitted, wanted, server=other)
        assert refreshed.status == 200 and b"Second-120" in refreshed.body, refreshed
        assert tokens(town, path, one) == [token]

        unlock = ("Lock-Token", f"<{token}>")
        assert town.ask("bruno", "UNLOCK", path, None, unlock, server=other).status == 403
        assert town.ask("anne", "UNLOCK", path, None, unlock, server=other).status == 204
        assert tokens(town, path, one) == []
        assert town.ask("bruno", "PUT", path, b"now", server=one).status == 204


def test_lock_of_a_folder_holds_in_both(town: Town, both: Both, folder: str) -> None:
    one, other = both
    inside = f"{folder}/a.txt"
    town.put(inside, b"before")
    answer = town.ask("anne", "LOCK", folder, LOCKINFO, ("Depth", "infinity"), server=one)
    assert answer.status == 200, answer
    for path in (inside, f"{folder}/new.txt"):
        assert town.ask("bruno", "PUT", path, b"lost", server=other).status == 423
    assert town.ask("bruno", "LOCK", inside, LOCKINFO, server=other).status == 423
    assert town.ask("bruno", "DELETE", folder, server=other).status == 423


def test_one_of_many_gets_the_lock(town: Town, both: Both, folder: str) -> None:
    for _ in range(ROUNDS):
        path = f"{folder}/{next(_names)}.txt"
        answers = together(
            [
                partial(
                    town.ask,
                    *(("anne", "bruno")[n % 2], "LOCK", path, LOCKINFO, ("Depth", "0")),
                    server=both[n // 2 % 2],
                )
                for n in range(WRITERS)
            ]
        )
        statuses = Counter(answer.status for answer in answers)
        assert statuses == {201: 1, 423: WRITERS - 1}, statuses
        assert len(tokens(town, path, both[0])) == 1


# Rights and credentials


@dataclass(frozen=True)
class Guest:
    """A contributor whom both servers know, on connections that stay open."""

    login: str
    password: str
    device: str
    wires: tuple[Wire, Wire]

    def ask(
        self, method: str, path: str, secret: str, body: bytes = b"", *headers: Header
    ) -> list[int]:
        """The statuses that the two servers answer with."""
        given = [basic(self.login, secret), ("Content-Length", str(len(body))), *headers]
        return [wire.ask(head(method, path, given) + body, method).status for wire in self.wires]


@pytest.fixture
def guest(town: Town, both: Both, folder: str) -> Iterator[Guest]:
    login, password = f"guest{next(_names)}", "Une invitée de passage 1"
    device = town.account(login, password)
    town.cli("member", "add", "conseil", login, "--role", "contributor")
    town.put(f"{folder}/a.txt", b"for members")
    wires = Wire(both[0].port), Wire(both[1].port)
    guest = Guest(login, password, device, wires)
    # Both verify, and remember, both of its secrets.
    for secret in (password, device):
        assert guest.ask("GET", f"{folder}/a.txt", secret) == [200, 200]
        assert guest.ask("PROPFIND", guest_home(guest), secret) == [207, 207]
        assert guest.ask("PUT", f"{folder}/of-{login}.txt", secret, b"x") in ([201, 204], [204] * 2)
    yield guest
    for wire in wires:
        wire.close()


def guest_home(guest: Guest) -> str:
    return f"/calendars/{guest.login}/conseil/"


def test_removed_member_is_refused_by_both(town: Town, guest: Guest, folder: str) -> None:
    town.server.cli("member", "remove", "conseil", guest.login)
    for secret in (guest.password, guest.device):
        assert guest.ask("GET", f"{folder}/a.txt", secret) == [404, 404]
        assert guest.ask("PROPFIND", SPACE, secret) == [404, 404]
        assert guest.ask("PROPFIND", guest_home(guest), secret) == [404, 404]
        assert guest.ask("PUT", f"{folder}/a.txt", secret, b"lost") == [409, 409]
        assert guest.ask("DELETE", f"{folder}/a.txt", secret) == [404, 404]
        assert guest.ask("PUT", f"{guest_home(guest)}a.ics", secret, event("a", "a")) == [409, 409]


def test_lowered_role_binds_both(town: Town, guest: Guest, folder: str) -> None:
    town.server.cli("member", "add", "conseil", guest.login, "--role", "reader")
    assert guest.ask("GET", f"{folder}/a.txt", guest.device) == [200, 200]
    assert guest.ask("PUT", f"{folder}/a.txt", guest.device, b"lost") == [403, 403]
    assert guest.ask("DELETE", f"{folder}/a.txt", guest.device) == [403, 403]
    new = f"{guest_home(guest)}a.ics"
    assert guest.ask("PUT", new, guest.device, event("a", "a")) == [403, 403]


def test_disabled_account_is_refused_by_both(town: Town, guest: Guest, folder: str) -> None:
    town.server.cli("account", "disable", guest.login)
    for secret in (guest.password, guest.device):
        assert guest.ask("GET", f"{folder}/a.txt", secret) == [401, 401]
        assert guest.ask("PROPFIND", guest_home(guest), secret) == [401, 401]
    town.server.cli("account", "enable", guest.login)
    for secret in (guest.password, guest.device):
        assert guest.ask("GET", f"{folder}/a.txt", secret) == [200, 200]


def test_changed_password_is_the_only_one_in_both(town: Town, guest: Guest, folder: str) -> None:
    new = "Un autre mot, plus long 2"
    change = ("account", "password", guest.login, "--password-stdin")
    town.server.cli(*change, input=f"{new}\n")
    assert guest.ask("GET", f"{folder}/a.txt", guest.password) == [401, 401]
    assert guest.ask("GET", f"{folder}/a.txt", new) == [200, 200]
    # Those of the devices stay good, as the command says.
    assert guest.ask("GET", f"{folder}/a.txt", guest.device) == [200, 200]


def test_revoked_device_is_refused_by_both(town: Town, guest: Guest, folder: str) -> None:
    town.server.cli("device", "revoke", guest.login, "poste")
    assert guest.ask("GET", f"{folder}/a.txt", guest.device) == [401, 401]
    assert guest.ask("PROPFIND", guest_home(guest), guest.device) == [401, 401]
    assert guest.ask("GET", f"{folder}/a.txt", guest.password) == [200, 200]


def test_archived_space_is_only_read_in_both(town: Town, guest: Guest, folder: str) -> None:
    town.server.cli("space", "archive", "conseil")
    try:
        assert guest.ask("GET", f"{folder}/a.txt", guest.device) == [200, 200]
        assert guest.ask("PUT", f"{folder}/a.txt", guest.device, b"lost") == [403, 403]
    finally:
        town.server.cli("space", "archive", "conseil", "--undo")
    assert guest.ask("PUT", f"{folder}/a.txt", guest.device, b"kept") == [204, 204]


def test_member_removed_during_an_upload(town: Town, guest: Guest, folder: str) -> None:
    """Rights are asked once more when all has arrived."""
    path = f"{folder}/a.txt"
    for wire in guest.wires:
        wire.send(
            head("PUT", path, [basic(guest.login, guest.device), ("Content-Length", "10")])
            + b"01234"
        )
    until(lambda: len(town.staged()) == 2, "both uploads have begun")
    town.server.cli("member", "remove", "conseil", guest.login)
    for wire in guest.wires:
        answer = wire.ask(b"56789")
        assert answer.status == 409, answer
    assert town.staged() == []
    assert town.ask("anne", "GET", path).body == b"for members"


# Many writers


@dataclass(frozen=True)
class Minutes:
    """What many append lines to: a document, or the summary of an event."""

    path: str

    @property
    def is_event(self) -> bool:
        return self.path.endswith(".ics")

    def write(self, lines: Sequence[str]) -> bytes:
        text = " ".join(lines)
        return event("minutes", text) if self.is_event else text.encode()

    def read(self, content: bytes) -> list[str]:
        text = content.decode()
        if self.is_event:
            text = text.partition("SUMMARY:")[2].partition("\r\n")[0]
        return text.split()


def append(town: Town, both: Both, minutes: Minutes, writer: int) -> int:
    """Append some lines, each read, changed and put back; return how often somebody was faster."""
    retries = 0
    for line in range(ROUNDS):
        while True:
            server = both[(writer + retries) % 2]
            login = ("anne", "anne" if minutes.is_event else "bruno")[writer % 2]
            got = town.ask(login, "GET", minutes.path, server=server)
            assert got.status == 200, got
            content = minutes.write([*minutes.read(got.body), f"{writer}.{line}"])
            match = ("If-Match", got["ETag"])
            put = town.ask(login, "PUT", minutes.path, content, match, server=server)
            if put.status == 204:
                break
            assert put.status == 412, put
            retries += 1
            assert retries < 100 * ROUNDS, "it never gets through"
    return retries


@pytest.mark.parametrize("kind", ["document", "event"])
def test_no_update_is_lost(town: Town, both: Both, folder: str, kind: str) -> None:
    own = {"document": f"{folder}/minutes.txt", "event": "/calendars/anne/conseil/minutes.ics"}
    minutes = Minutes(own[kind])
    town.put(minutes.path, minutes.write(["begin"]))
    together([partial(append, town, both, minutes, writer) for writer in range(WRITERS)])
    lines = minutes.read(town.ask("anne", "GET", minutes.path).body)
    expected = [f"{writer}.{line}" for writer in range(WRITERS) for line in range(ROUNDS)]
    assert lines[0] == "begin"
    assert sorted(lines[1:]) == sorted(expected)
    # Each writer's own lines are in its order.
    for writer in range(WRITERS):
        its = [line for line in lines if line.startswith(f"{writer}.")]
        assert its == [f"{writer}.{line}" for line in range(ROUNDS)]


@pytest.mark.parametrize("kind", ["document", "event", "folder"])
def test_one_of_many_creates(town: Town, both: Both, folder: str, kind: str) -> None:
    for number in range(ROUNDS):
        path = f"{folder}/{number}.txt"
        if kind == "event":
            path = f"/calendars/anne/conseil/new-{number}.ics"
        method = "MKCOL" if kind == "folder" else "PUT"
        only_new: list[Header] = [] if kind == "folder" else [("If-None-Match", "*")]
        sent: list[bytes | None] = [
            None if kind == "folder" else event(f"new-{number}", f"of writer {writer}")
            for writer in range(WRITERS)
        ]
        answers = together(
            [
                partial(town.ask, "anne", method, path, sent[n], *only_new, server=both[n % 2])
                for n in range(WRITERS)
            ]
        )
        statuses = [answer.status for answer in answers]
        refusal = 405 if kind == "folder" else 412
        assert Counter(statuses) == {201: 1, refusal: WRITERS - 1}, statuses
        if kind != "folder":
            got = town.ask("bruno" if kind == "document" else "anne", "GET", path)
            assert got.body == sent[statuses.index(201)]


# The journal

Change = tuple[str, str]
"""An action and a path, as the journal has them."""


def work(town: Town, both: Both, folder: str, seed: int) -> list[Change]:
    """Do many things, in no order that anyone would; return what was acknowledged."""
    chance = random.Random(seed)
    done: list[Change] = []
    inside = folder.removeprefix(f"{SPACE}/")
    for _ in range(30):
        server = both[chance.randrange(2)]
        name, other = chance.sample("abcdef", 2)
        # Some names are everybody's, so that the workers are in one another's way.
        path = f"{inside}/{name}" if chance.random() < 0.5 else f"{inside}/{seed}{name}"
        url = f"{SPACE}/{path}"
        match chance.randrange(6):
            case 0 | 1:
                answer = town.ask("anne", "PUT", url, chance.randbytes(2000), server=server)
                action = "document.put"
            case 2:
                to = ("Destination", f"{SPACE}/{inside}/{other}")
                answer = town.ask("anne", "MOVE", url, None, to, server=server)
                action = "document.move"
            case 3:
                path = f"{inside}/{other}"
                to = ("Destination", f"{SPACE}/{path}")
                answer = town.ask("bruno", "COPY", url, None, to, server=server)
                action = "document.copy"
            case 4:
                answer = town.ask("bruno", "DELETE", url, server=server)
                action = "document.delete"
            case _:
                path = f"conseil/{seed}{name}.ics"
                content = event(f"{seed}{name}", str(chance.random()))
                answer = town.ask("anne", "PUT", f"/calendars/anne/{path}", content, server=server)
                action = "agenda.put"
        assert answer.status < 500, (action, url, answer)
        if answer.status < 300:
            done.append((action, path))
    return done


def test_journal_has_each_acknowledged_change_once(town: Town, both: Both, folder: str) -> None:
    before = len(_journal(town))
    workers = [partial(work, town, both, folder, seed) for seed in range(4)]
    acknowledged = Counter(change for done in together(workers) for change in done)
    entries = _journal(town)
    written = Counter(
        (entry["action"], entry["path"]) for entry in entries[: len(entries) - before]
    )
    assert written == acknowledged
    assert len(acknowledged) > 20


def _journal(town: Town) -> list[dict[str, str]]:
    listed = town.server.cli("journal", "conseil", "--json", "--limit", "1000000")
    entries: list[dict[str, str]] = json.loads(listed.stdout)
    return entries


# Races

FORESEEN = {200, 201, 204, 207, 403, 404, 405, 409, 412, 423}


def race(town: Town, both: Both, folders: Sequence[str], seed: int) -> Counter[int]:
    """Do to a handful of names, in two spaces, what others do to them as well."""
    chance = random.Random(seed)
    statuses: Counter[int] = Counter()

    def some() -> str:
        deep = chance.choice(("", "/x", "/x/y"))
        return f"{chance.choice(folders)}{deep}/{chance.choice('abx')}"

    for _ in range(25):
        server = both[chance.randrange(2)]
        path, to = some(), ("Destination", some())
        overwrite = ("Overwrite", chance.choice("TF"))
        match chance.randrange(8):
            case 0 | 1:
                answer = town.ask("anne", "MKCOL", path, server=server)
            case 2:
                answer = town.ask("anne", "PUT", path, chance.randbytes(100), server=server)
            case 3 | 4:
                answer = town.ask("anne", "MOVE", path, None, to, overwrite, server=server)
            case 5:
                answer = town.ask("anne", "COPY", path, None, to, overwrite, server=server)
            case 6:
                answer = town.ask("anne", "DELETE", path, server=server)
            case _:
                answer = town.ask(
                    "anne", "PROPFIND", path, None, ("Depth", "infinity"), server=server
                )
        assert answer.status in FORESEEN, answer
        statuses[answer.status] += 1
    return statuses


def test_races_end_in_order(town: Town, both: Both, folder: str) -> None:
    """Folders moved into one another, over one another, and away under what is put into them."""
    folders = [folder, "/spaces/annexe"]
    runs = [partial(race, town, both, folders, seed) for seed in range(WRITERS)]
    statuses = sum(together(runs), Counter[int]())
    assert statuses[201] > 10, statuses
    assert town.intents() == []
    assert town.findings() == []


def agenda_race(town: Town, both: Both, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(20):
        server = both[chance.randrange(2)]
        one, other = chance.sample(("conseil", "annexe"), 2)
        name = f"race-{chance.choice('ab')}"
        path = f"/calendars/anne/{one}/{name}.ics"
        to = ("Destination", f"/calendars/anne/{other}/{name}.ics")
        match chance.randrange(3):
            case 0:
                content = event(name, f"{seed} {number}")
                answer = town.ask("anne", "PUT", path, content, server=server)
            case 1:
                answer = town.ask("anne", "MOVE", path, None, to, server=server)
            case _:
                answer = town.ask("anne", "DELETE", path, server=server)
        assert answer.status in FORESEEN, answer


def test_agenda_races_end_in_order(town: Town, both: Both) -> None:
    """Events moved to and fro between two agendas: nobody waits for anybody in a circle."""
    together([partial(agenda_race, town, both, seed) for seed in range(WRITERS)])
