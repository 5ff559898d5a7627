"""Locks that lock: for everybody, in every process, for an hour at most, and over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.documents_client import (
    CONTRIBUTOR,
    DAV,
    LOCKINFO,
    Client,
    Hall,
    Reply,
    at,
    href,
    plant,
    town,
)

SUBMITTED, CONFLICT = f"{DAV}lock-token-submitted", f"{DAV}no-conflicting-lock"


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", database_url):
        # Two more of the trade of `bruno`.
        hall.account("carla")
        hall.join("conseil", {"carla": CONTRIBUTOR})
        plant(hall.client("bruno"))
        yield hall


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


@pytest.fixture
def carla(hall: Hall) -> Client:
    return hall.client("carla")


def discovered(reply: Reply, name: str | None = None) -> list[str]:
    """The tokens in DAV:lockdiscovery, with angle brackets."""
    found = reply.props(200, name)[f"{DAV}lockdiscovery"]
    return [f"<{lock.findtext(f'{DAV}locktoken/{DAV}href')}>" for lock in found]


def writes(client: Client, path: str, token: str = "") -> dict[str, int]:
    """The statuses of all that would change the document, or its name, at `path`."""
    headers = {"If": f"<{at(path)}> ({token})"} if token else {}
    requests = {
        "PROPPATCH": (
            {},
            '<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:x"/></prop></set>',
        ),
        "MOVE": ({"Destination": at("elsewhere")}, ""),
        "onto": ({"Destination": at(path)}, ""),
        "PUT": ({}, "new"),
        "DELETE": ({}, ""),
    }
    found = {}
    for method, (more, body) in requests.items():
        source = at(path)
        if method == "onto":
            client.put(at("source.txt"), b"source")
            source, method = at("source.txt"), "COPY"
        if method == "PROPPATCH":
            body += "</propertyupdate>"
        reply = client.request(method, source, body, {**headers, **more})
        found[method] = reply.status
        if method == "MOVE" and reply.status < 300:
            client.move(at("elsewhere"), at(path))
    return found


REFUSED = {"PROPPATCH": 423, "MOVE": 423, "COPY": 423, "PUT": 423, "DELETE": 423}


def test_an_exclusive_lock_keeps_everybody_else_out(
    hall: Hall, bruno: Client, carla: Client
) -> None:
    reply = bruno.lock(at("lettre.txt"), owner="<D:href>Bruno &amp; co</D:href>")
    assert reply.status == 200
    assert f"<D:owner xmlns:D={chr(34)}DAV:{chr(34)}>" in reply.body.decode() or (
        b"Bruno &amp; co" in reply.body
    )
    before = hall.snapshot().disk
    assert writes(carla, "lettre.txt") == REFUSED
    # Without the token, not even its holder; with it, nobody but its holder.
    assert writes(bruno, "lettre.txt") == REFUSED
    assert writes(carla, "lettre.txt", reply.token) == REFUSED
    assert hall.disk("conseil", "lettre.txt").read_bytes() == before["spaces/conseil/lettre.txt"]
    # Reading is free, and a copy from here.
    assert carla.get(at("lettre.txt")).status == 200
    assert carla.copy(at("lettre.txt"), at("copy.txt")).status == 201
    assert discovered(carla.propfind(at("lettre.txt"))) == [reply.token]
    assert discovered(carla.propfind(at("copy.txt"))) == []


def test_who_is_in_the_way_is_said(bruno: Client, carla: Client) -> None:
    bruno.lock(at("lettre.txt"))
    refused = carla.put(at("lettre.txt"))
    assert (refused.status, refused.precondition) == (423, SUBMITTED)
    assert [href.text for href in refused.xml.iter(f"{DAV}href")] == [at("lettre.txt")]
    assert "This is being edited by bruno." in refused.body.decode()
    again = carla.lock(at("lettre.txt"))
    assert (again.status, again.precondition) == (423, CONFLICT)


def test_the_holder_may_do_everything_with_the_token(bruno: Client) -> None:
    token = bruno.lock(at("lettre.txt")).token
    for condition in (f"({token})", f"<{at('lettre.txt')}> ({token})"):
        assert bruno.put(at("lettre.txt"), b"new", if_=condition).status == 204
        assert bruno.proppatch(at("lettre.txt"), if_=condition).status == 207
    etag = bruno.get(at("lettre.txt")).etag
    assert bruno.put(at("lettre.txt"), if_=f"({token} [{etag}])").status == 204
    assert bruno.put(at("lettre.txt"), if_=f"({token} [{etag}])").status == 412
    assert bruno.put(at("lettre.txt"), if_=f"(Not {token})").status == 412
    # A token in a condition that does not hold is submitted all the same (RFC 4918, 10.4.1).
    condition = f"({token} [{etag}]) (Not <DAV:no-lock>)"
    assert bruno.put(at("lettre.txt"), if_=condition).status == 204


@pytest.mark.parametrize(
    "first, second, status",
    [
        ("exclusive", "exclusive", 423),
        ("exclusive", "shared", 423),
        ("shared", "exclusive", 423),
        ("shared", "shared", 200),
    ],
)
def test_which_locks_can_be_had_together(
    hall: Hall, bruno: Client, carla: Client, first: str, second: str, status: int
) -> None:
    assert bruno.lock(at("lettre.txt"), scope=first).status == 200
    before = hall.snapshot()
    reply = carla.lock(at("lettre.txt"), scope=second)
    assert reply.status == status
    if status == 423:
        assert (reply.precondition, hall.snapshot()) == (CONFLICT, before)


def test_a_shared_lock_lets_each_holder_write_and_nobody_else(
    hall: Hall, bruno: Client, carla: Client
) -> None:
    first = bruno.lock(at("lettre.txt"), scope="shared").token
    second = carla.lock(at("lettre.txt"), scope="shared").token
    assert discovered(bruno.propfind(at("lettre.txt"))) == [first, second]
    assert bruno.put(at("lettre.txt"), if_=f"({first})").status == 204
    assert carla.put(at("lettre.txt"), if_=f"({second})").status == 204
    assert carla.put(at("lettre.txt"), if_=f"({first})").status == 423
    assert hall.client("chloe").put(at("lettre.txt")).status == 423
    bruno.unlock(at("lettre.txt"), first)
    assert discovered(bruno.propfind(at("lettre.txt"))) == [second]
    assert bruno.put(at("lettre.txt")).status == 423


@pytest.mark.parametrize("depth", ["0", "infinity", None])
def test_a_lock_on_a_folder(hall: Hall, bruno: Client, carla: Client, depth: str | None) -> None:
    headers: dict[str, Any] = {} if depth is None else {"depth": depth}
    token = bruno.lock(at("dossier"), **headers).token
    deep = depth != "0"
    assert (b"<D:depth>infinity" in bruno.propfind(at("dossier")).body) == deep
    inside = [token] if deep else []
    shown = carla.propfind(at("dossier"), "lockdiscovery", depth="infinity")
    assert discovered(shown, "note.txt") == discovered(shown, "fiche.txt") == inside
    # Its members' content only if infinite, its own members in any case (RFC 4918, 7.4).
    status = 423 if deep else 204
    assert carla.put(at("dossier/note.txt")).status == status
    assert carla.put(at("dossier/sous/fiche.txt")).status == status
    assert carla.put(at("dossier/new")).status == 423
    assert carla.mkcol(at("dossier/new")).status == 423
    assert carla.delete(at("dossier/note.txt")).status == 423
    assert carla.move(at("dossier/note.txt"), at("away")).status == 423
    assert carla.move(at("lettre.txt"), at("dossier/lettre.txt")).status == 423
    assert carla.copy(at("lettre.txt"), at("dossier/lettre.txt")).status == 423
    assert carla.lock(at("dossier/new")).status == 423
    assert carla.proppatch(at("dossier")).status == 423
    assert carla.delete(at("dossier")).status == 423
    assert carla.put(at("dossier/sous/new")).status == (423 if deep else 201)
    # Whoever holds it works in it.
    condition = f"<{at('dossier')}> ({token})"
    assert bruno.put(at("dossier/new"), if_=condition).status == 201
    assert bruno.delete(at("dossier/new"), if_=condition).status == 204
    # And nobody locks the whole of it over somebody's lock inside.
    bruno.unlock(at("dossier"), token)
    carla.lock(at("dossier/sous/fiche.txt"))
    assert bruno.lock(at("dossier"), depth="infinity").status == 423
    assert bruno.lock(at("dossier"), depth="0").status == 200


def test_a_folder_with_a_locked_document_stays(hall: Hall, bruno: Client, carla: Client) -> None:
    token = carla.lock(at("dossier/sous/fiche.txt")).token
    before = hall.snapshot()
    for reply in (
        bruno.delete(at("dossier")),
        bruno.move(at("dossier"), at("new")),
        bruno.copy(at("lettre.txt"), at("dossier")),
    ):
        assert (reply.status, reply.precondition, hall.snapshot()) == (423, SUBMITTED, before)
        assert at("dossier/sous/fiche.txt").encode() in reply.body
    condition = f"<{at('dossier/sous/fiche.txt')}> ({token})"
    assert carla.delete(at("dossier"), if_=condition).status == 204
    hall.consistent()


def test_a_move_leaves_no_lock_and_carries_none(bruno: Client, carla: Client) -> None:
    token = bruno.lock(at("lettre.txt")).token
    assert bruno.move(at("lettre.txt"), at("new.txt"), if_=f"({token})").status == 201
    assert discovered(bruno.propfind(at("new.txt"))) == []
    assert carla.put(at("lettre.txt")).status == 201
    assert carla.put(at("new.txt")).status == 204
    # Over a locked name the lock stays, on what is there then (RFC 4918, 7.6).
    token = bruno.lock(at("new.txt")).token
    condition = f"<{at('new.txt')}> ({token})"
    assert bruno.move(at("lettre.txt"), at("new.txt"), if_=condition).status == 204
    assert discovered(bruno.propfind(at("new.txt"))) == [token]
    assert carla.put(at("new.txt")).status == 423


def test_what_is_deleted_is_locked_no_more(bruno: Client, carla: Client) -> None:
    token = bruno.lock(at("lettre.txt")).token
    assert bruno.delete(at("lettre.txt"), if_=f"({token})").status == 204
    assert carla.put(at("lettre.txt")).status == 201


def test_a_lock_on_what_is_not_there_makes_an_empty_document(
    hall: Hall, bruno: Client, carla: Client
) -> None:
    reply = bruno.lock(at("new.txt"))
    assert reply.status == 201
    assert hall.disk("conseil", "new.txt").read_bytes() == b""
    assert bruno.list(at("")) == ["dossier", "lettre.txt", "new.txt"]
    assert carla.put(at("new.txt")).status == 423
    assert bruno.put(at("new.txt"), b"content", if_=f"({reply.token})").status == 204
    bruno.unlock(at("new.txt"), reply.token)
    assert bruno.get(at("new.txt")).body == b"content"
    # Released unused, it stays an empty document (RFC 4918, 7.3).
    token = bruno.lock(at("unused.txt")).token
    bruno.unlock(at("unused.txt"), token)
    assert bruno.get(at("unused.txt")).body == b""


def test_a_lock_that_cannot_be_had_makes_nothing(hall: Hall, bruno: Client, carla: Client) -> None:
    carla.lock(at("dossier"), depth="infinity")
    before = hall.snapshot()
    for path, status in (
        ("dossier/new.txt", 423),
        ("nowhere/new.txt", 409),
        ("lettre.txt/new.txt", 409),
        ("CON", 403),
    ):
        assert (bruno.lock(at(path)).status, hall.snapshot()) == (status, before)
    assert hall.client("rita").lock(at("new.txt")).status == 403
    reply = bruno.lock(at("new.txt"), if_="(<urn:uuid:nobody>)")
    assert (reply.status, hall.snapshot()) == (412, before)


LOCKINFOS = [
    ("<D:lockinfo xmlns:D='DAV:'/>", 400),
    (LOCKINFO.format(scope="mutual", owner=""), 400),
    (LOCKINFO.format(scope="exclusive", owner="").replace("<D:write/>", "<D:read/>"), 400),
    (LOCKINFO.format(scope="exclusive", owner="").replace("lockinfo", "other"), 400),
    (LOCKINFO.format(scope="exclusive/><D:shared", owner=""), 400),
]


@pytest.mark.parametrize("body, status", LOCKINFOS, ids=range(len(LOCKINFOS)))
def test_malformed_locks(hall: Hall, bruno: Client, body: str, status: int) -> None:
    before = hall.snapshot()
    for path in ("lettre.txt", "new"):
        assert bruno.request("LOCK", at(path), body).status == status
    for headers in ({"Depth": "1"}, {"Timeout": "soon"}, {"If": "nonsense"}):
        good = LOCKINFO.format(scope="exclusive", owner="")
        assert bruno.request("LOCK", at("new"), good, headers).status == 400
    assert hall.snapshot() == before


# Time


@pytest.mark.parametrize(
    "wanted, seconds",
    [
        ("Second-60", 60),
        ("Second-3600", 3600),
        ("Second-4100000000", 3600),
        ("Infinite", 3600),
        ("Infinite, Second-60", 3600),
        ("Second-60, Infinite", 60),
        (None, 3600),
    ],
)
def test_a_lock_lasts_an_hour_at_most(
    hall: Hall, bruno: Client, carla: Client, wanted: str | None, seconds: int
) -> None:
    headers: dict[str, Any] = {} if wanted is None else {"timeout": wanted}
    reply = bruno.lock(at("lettre.txt"), **headers)
    assert f"<D:timeout>Second-{seconds}</D:timeout>".encode() in reply.body
    hall.later(seconds=seconds - 1)
    assert carla.put(at("lettre.txt")).status == 423
    hall.later(seconds=1)
    assert carla.put(at("lettre.txt")).status == 204
    assert discovered(carla.propfind(at("lettre.txt"))) == []
    assert carla.lock(at("lettre.txt")).status == 200
    # Its token is of no use any more.
    assert bruno.put(at("lettre.txt"), if_=f"({reply.token})").status == 412
    assert bruno.unlock(at("lettre.txt"), reply.token).status == 409


def test_a_refresh_lets_it_last(hall: Hall, bruno: Client, carla: Client) -> None:
    token = bruno.lock(at("lettre.txt"), timeout="Second-180").token
    for _ in range(30):
        hall.later(seconds=170)
        reply = bruno.refresh(at("lettre.txt"), token, Timeout="Second-180")
        assert (reply.status, "Lock-Token" in reply.headers) == (200, False)
        assert b"<D:timeout>Second-180</D:timeout>" in reply.body
    assert carla.put(at("lettre.txt")).status == 423
    hall.later(seconds=181)
    assert bruno.refresh(at("lettre.txt"), token).status == 412


def test_a_write_by_the_holder_lets_it_last_too(hall: Hall, bruno: Client, carla: Client) -> None:
    token = bruno.lock(at("lettre.txt"), timeout="Second-180").token
    for _ in range(3):
        hall.later(seconds=170)
        assert carla.put(at("lettre.txt")).status == 423
        assert bruno.put(at("lettre.txt"), b"saved", if_=f"({token})").status == 204
    hall.later(seconds=181)
    assert carla.put(at("lettre.txt")).status == 204


def test_what_cannot_be_refreshed(hall: Hall, bruno: Client, carla: Client) -> None:
    token = bruno.lock(at("lettre.txt")).token
    assert carla.refresh(at("lettre.txt"), token).status == 412
    assert bruno.refresh(at("lettre.txt"), "<urn:uuid:nobody>").status == 412
    assert bruno.refresh(at("dossier"), token).status == 412
    assert bruno.request("LOCK", at("lettre.txt")).status == 412
    assert bruno.refresh(at("nothing"), token).status == 404
    # Below an infinite one it is refreshed by way of any member (RFC 4918, 9.10.2).
    deep = bruno.lock(at("dossier"), depth="infinity").token
    assert bruno.refresh(at("dossier/sous/fiche.txt"), deep).status == 200


def test_unlock(hall: Hall, bruno: Client, carla: Client) -> None:
    token = bruno.lock(at("lettre.txt")).token
    assert bruno.unlock(at("lettre.txt"), "<urn:uuid:nobody>").status == 409
    mismatch = bruno.unlock(at("dossier"), token)
    assert mismatch.precondition == f"{DAV}lock-token-matches-request-uri"
    for malformed in ("", "nonsense", "<>", token.strip("<>")):
        assert bruno.unlock(at("lettre.txt"), malformed).status == 400
    assert bruno.request("UNLOCK", at("lettre.txt")).status == 400
    refused = carla.unlock(at("lettre.txt"), token)
    assert (refused.status, b"bruno" in refused.body) == (403, True)
    assert hall.client("sven").unlock(at("lettre.txt"), token).status == 404
    assert hall.client("alice").unlock(at("lettre.txt"), token).status == 404
    assert bruno.unlock(at("lettre.txt"), token).status == 204
    assert bruno.unlock(at("lettre.txt"), token).status == 409
    # A manager does it for somebody, and the journal says so.
    token = bruno.lock(at("dossier"), depth="infinity").token
    assert hall.client("chloe").unlock(at("dossier/note.txt"), token).status == 204
    row = hall.journal()[-1]
    assert (row.action, row.path, row.login) == ("lock.break", "dossier", "chloe")
    assert row.detail == {"holder": "bruno"}


def test_locks_hold_in_every_process_and_after_a_restart(
    hall: Hall, bruno: Client, carla: Client
) -> None:
    token = bruno.lock(at("lettre.txt"), timeout="Second-3600").token
    other = hall.process()
    refused = carla.request("PUT", at("lettre.txt"), b"lost", app=other)
    assert refused.status == 423
    assert discovered(carla.propfind(at("lettre.txt"), app=other)) == [token]
    # Explorer's next request may reach any process.
    reply = bruno.request("PUT", at("lettre.txt"), b"new", {"If": f"({token})"}, app=other)
    assert reply.status == 204
    second = carla.lock(at("dossier"), app=other).token
    assert bruno.put(at("dossier/new")).status == 423
    other.database.close()
    hall.restart()
    assert carla.put(at("lettre.txt"), b"lost").status == 423
    assert bruno.get(at("lettre.txt")).body == b"new"
    assert bruno.unlock(at("lettre.txt"), token).status == 204
    assert carla.unlock(at("dossier"), second).status == 204


def test_a_name_is_locked_in_its_own_space_only(hall: Hall, bruno: Client, carla: Client) -> None:
    hall.space("autre", {"bruno": CONTRIBUTOR, "carla": CONTRIBUTOR})
    bruno.lock(at("lettre.txt"))
    assert carla.put(href("autre", "lettre.txt")).status == 201
    assert carla.put(at("lettre.txt2")).status == 201
    assert carla.put(at("lettre")).status == 201
