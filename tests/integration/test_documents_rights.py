"""Who may do what with documents, and what those who may not are told.

The tables are the specification. A cell is the status of the reply: 2xx is done; `403` is
refused with DAV:need-privileges, to whoever may know of the thing; `403!` is refused because
the name belongs to something the person may not know of, or is nobody's to use; `404` and `409`
are what one gets where there is nothing. Whatever was refused has changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from acl import members
from acl.roles import Role
from tests.integration.documents_client import (
    CONTRIBUTOR,
    DEPOSITOR,
    HOST,
    LOCKINFO,
    MANAGER,
    READER,
    Client,
    Hall,
    Reply,
    href,
)

NEED_PRIVILEGES = "{DAV:}need-privileges"
READING = {"OPTIONS", "GET", "HEAD", "PROPFIND"}

# What lies in each place. Only `inner` is in the member list of `archives/Coffre`.
CONTENT: dict[str, bytes | None] = {
    "lettre.txt": b"Monsieur le maire",
    "dossier/note.txt": b"note",
    "dossier/sous/fiche.txt": b"fiche",
    "archives/index.txt": b"index",
    "archives/Coffre/secret.txt": b"secret",
}

# Where: a space, a folder with a member list of its own, a space that hardly anyone may enter.
PLACES = {
    "space": ("conseil", ""),
    "restricted folder": ("mairie", "Dossier/"),
    "confidential space": ("rh", ""),
}


@dataclass(frozen=True)
class Where:
    """One of the places: the slug, and what its paths begin with."""

    slug: str
    prefix: str

    def href(self, path: str = "") -> str:
        return href(self.slug, self.prefix + path)

    def url(self, path: str) -> str:
        return f"http://{HOST}{self.href(path)}"


def where(kind: str) -> Where:
    return Where(*PLACES[kind])


def found(hall: Hall, kind: str, roles: Mapping[str, Role]) -> Where:
    """Make a place with these members."""
    place = where(kind)
    restricted = bool(place.prefix)
    hall.space(place.slug, {} if restricted else roles, confidential=place.slug == "rh")
    if restricted:
        hall.restrict(place.slug, place.prefix.rstrip("/"), roles)
    return place


def fill(hall: Hall, place: Where) -> None:
    content = {place.prefix + path: data for path, data in CONTENT.items()}
    if place.prefix:
        # Of the rest of that space, nobody here may know.
        content["ailleurs.txt"] = b"ailleurs"
    hall.restore(place.slug, content)


PEOPLE = {
    "reader": READER,
    "depositor": DEPOSITOR,
    "contributor": CONTRIBUTOR,
    "manager": MANAGER,
}
COLUMNS = (*PEOPLE, "inner", "none", "administrator")


def populate(hall: Hall, kind: str) -> Where:
    """The place with a person for each column of the tables."""
    hall.account(*PEOPLE, "inner", "none", "colleague")
    hall.account("administrator", administrator=True)
    place = found(hall, kind, {**PEOPLE, "colleague": CONTRIBUTOR})
    fill(hall, place)
    hall.restrict(place.slug, f"{place.prefix}archives/Coffre", {"inner": CONTRIBUTOR})
    return place


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    hall = Hall(tmp_path / "data", f"sqlite:///{tmp_path}/davserver.db")
    yield hall
    hall.app.database.close()


@pytest.fixture
def either(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    """As `hall`, over each kind of database."""
    hall = Hall(tmp_path / "data", database_url)
    yield hall
    hall.app.database.close()


# Asking


def ask(client: Client, place: Where, request: str) -> Reply:
    """Send a request as a row has it: METHOD path [destination] [Header:value…]."""
    method, path, *rest = request.split()
    headers = dict(word.split(":", 1) for word in rest if ":" in word)
    destinations = [word for word in rest if ":" not in word]
    if destinations:
        headers["Destination"] = place.url(destinations[0])
    return send(client, method, place.href(path.removeprefix(".")), headers)


def send(client: Client, method: str, address: str, headers: Mapping[str, str]) -> Reply:
    """Send a request with a body that suits its method."""
    body = {
        "PUT": "new content",
        "LOCK": LOCKINFO.format(scope="exclusive", owner=client.login),
        "PROPPATCH": (
            '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><c xmlns="urn:x">red</c></D:prop>'
            "</D:set></D:propertyupdate>"
        ),
        "PROPFIND": '<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>',
    }
    if method == "LOCK" and "If" in headers:
        body["LOCK"] = ""
    return client.request(method, address, body.get(method, ""), headers)


def cell(reply: Reply) -> str:
    """What the tables say of a reply."""
    if reply.status == 403:
        return "403" if reply.precondition == NEED_PRIVILEGES else "403!"
    if reply.status == 207:
        # A PROPPATCH that is refused in part is refused whole; here, none is.
        assert b"HTTP/1.1 4" not in reply.body.replace(b"HTTP/1.1 404", b"")
    return str(reply.status)


def rows(table: str) -> Iterator[tuple[str, list[str]]]:
    for line in table.strip("\n").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            request, _, cells = line.partition("|")
            yield request.strip(), cells.split()


def check_table(hall: Hall, place: Where, table: str) -> None:
    """Send every request of the table as every person of its first line."""
    (_, people), *requests = rows(table)
    fill(hall, place)
    before = hall.snapshot()
    for request, expected in requests:
        got = []
        for person in people:
            login, _, device = person.partition("/")
            reply = ask(hall.client(login, device or "laptop"), place, request)
            got.append(cell(reply))
            done = reply.status < 400
            if not done or request.split()[0] in READING:
                assert hall.snapshot() == before, (request, person)
            else:
                hall.consistent()
                fill(hall, place)
                before = hall.snapshot()
        assert got == expected, (request, dict(zip(people, got, strict=True)))


# 1. What each role may do in one place

# No row for `inner` and `none` says more than the others: `inner` is led to the one folder it
# may enter, through collections of which it is shown nothing else.
IN_ONE_PLACE = """
                                              | reader depositor contributor manager inner none administrator
OPTIONS   lettre.txt                          | 200    200       200         200     200   200  200
OPTIONS   nothing                             | 200    200       200         200     200   200  200

GET       lettre.txt                          | 200    404       200         200     404   404  404
HEAD      lettre.txt                          | 200    404       200         200     404   404  404
GET       dossier                             | 200    404       200         200     404   404  404
GET       dossier/note.txt                    | 200    404       200         200     404   404  404
GET       .                                   | 200    200       200         200     200   404  404
GET       archives                            | 200    404       200         200     200   404  404
GET       archives/index.txt                  | 200    404       200         200     404   404  404
GET       archives/Coffre                     | 404    404       404         404     200   404  404
GET       archives/Coffre/secret.txt          | 404    404       404         404     200   404  404
HEAD      archives/Coffre/secret.txt          | 404    404       404         404     200   404  404
GET       nothing                             | 404    404       404         404     404   404  404

PROPFIND  .                        Depth:0    | 207    207       207         207     207   404  404
PROPFIND  .                        Depth:1    | 207    207       207         207     207   404  404
PROPFIND  .                 Depth:infinity    | 207    207       207         207     207   404  404
PROPFIND  lettre.txt               Depth:0    | 207    404       207         207     404   404  404
PROPFIND  lettre.txt               Depth:1    | 207    404       207         207     404   404  404
PROPFIND  dossier           Depth:infinity    | 207    404       207         207     404   404  404
PROPFIND  archives/Coffre          Depth:1    | 404    404       404         404     207   404  404
PROPFIND  archives/Coffre   Depth:infinity    | 404    404       404         404     207   404  404
PROPFIND  nothing                  Depth:0    | 404    404       404         404     404   404  404

# To create: a reader may not; a depositor may, where its member list begins.
PUT       new                                 | 403    201       201         201     403   409  409
PUT       dossier/new                         | 403    409       201         201     409   409  409
PUT       archives/new                        | 403    409       201         201     403   409  409
PUT       archives/Coffre/new                 | 409    409       409         409     201   409  409
PUT       nothing/new                         | 409    409       409         409     409   409  409
MKCOL     new                                 | 403    201       201         201     403   409  409
MKCOL     dossier/new                         | 403    409       201         201     409   409  409
MKCOL     archives/Coffre/new                 | 409    409       409         409     201   409  409
LOCK      new                                 | 403    201       201         201     403   404  404
LOCK      dossier/new                         | 403    409       201         201     409   404  404
LOCK      archives/Coffre/new                 | 409    409       409         409     201   404  404

# To create where something is. Whoever may create, and may not know of it, is told this much.
PUT       lettre.txt                          | 403    403!      204         204     403   409  409
PUT       dossier                             | 405    403!      405         405     403   409  409
PUT       archives/Coffre                     | 403    409       403!        403!    405   409  409
PUT       archives/Coffre/secret.txt          | 409    409       409         409     204   409  409
MKCOL     lettre.txt                          | 405    403!      405         405     403   409  409
MKCOL     dossier                             | 405    403!      405         405     403   409  409
MKCOL     archives/Coffre                     | 403    409       403!        403!    405   409  409
LOCK      lettre.txt                          | 403    403!      200         200     403   404  404
LOCK      dossier                    Depth:0  | 403    403!      200         200     403   404  404
LOCK      dossier             Depth:infinity  | 403    403!      200         200     403   404  404
LOCK      archives                   Depth:0  | 403    403!      200         200     403   404  404
LOCK      archives            Depth:infinity  | 403    403!      403         403     403   404  404
LOCK      archives/Coffre            Depth:0  | 403    409       403!        403!    200   404  404
LOCK      archives/Coffre/secret.txt          | 409    409       409         409     200   404  404

# To change
PROPPATCH lettre.txt                          | 403    404       207         207     404   404  404
PROPPATCH dossier                             | 403    404       207         207     404   404  404
PROPPATCH .                                   | 403    403       207         207     403   404  404
PROPPATCH archives                            | 403    404       207         207     403   404  404
PROPPATCH archives/Coffre                     | 404    404       404         404     207   404  404
PROPPATCH archives/Coffre/secret.txt          | 404    404       404         404     207   404  404
PROPPATCH nothing                             | 404    404       404         404     404   404  404

# To remove: never what is not to be known, nor what has that inside.
DELETE    lettre.txt                          | 403    404       204         204     404   404  404
DELETE    dossier                             | 403    404       204         204     404   404  404
DELETE    dossier                    Depth:1  | 400    404       400         400     404   404  404
DELETE    dossier/note.txt                    | 403    404       204         204     404   404  404
DELETE    archives                            | 403    404       403         403     403   404  404
DELETE    archives/index.txt                  | 403    404       204         204     404   404  404
DELETE    archives/Coffre/secret.txt          | 404    404       404         404     204   404  404
DELETE    nothing                             | 404    404       404         404     404   404  404

# To copy and move inside the place
COPY      lettre.txt new                      | 403    404       201         201     404   404  404
COPY      lettre.txt dossier/note.txt         | 403    404       204         204     404   404  404
COPY      lettre.txt dossier/note.txt Overwrite:F | 412 404      412         412     404   404  404
COPY      lettre.txt dossier                  | 403    404       204         204     404   404  404
COPY      lettre.txt archives                 | 403    404       403         403     404   404  404
COPY      lettre.txt archives   Overwrite:F   | 412    404       412         412     404   404  404
COPY      lettre.txt archives/Coffre          | 403    404       403!        403!    404   404  404
COPY      lettre.txt archives/Coffre Overwrite:F | 403 404       403!        403!    404   404  404
COPY      lettre.txt archives/Coffre/new      | 409    404       409         409     404   404  404
COPY      lettre.txt nothing/new              | 409    404       409         409     404   404  404
COPY      dossier new                Depth:0  | 403    404       201         201     404   404  404
COPY      dossier new         Depth:infinity  | 403    404       201         201     404   404  404
COPY      dossier lettre.txt         Depth:0  | 403    404       204         204     404   404  404
COPY      dossier lettre.txt  Depth:infinity  | 403    404       204         204     404   404  404
COPY      dossier archives           Depth:0  | 403    404       403         403     404   404  404
COPY      dossier archives/Coffre    Depth:0  | 403    404       403!        403!    404   404  404
COPY      archives new        Depth:infinity  | 403    404       201         201     403   404  404
COPY      archives new               Depth:0  | 403    404       201         201     403   404  404
COPY      archives/Coffre new                 | 404    404       404         404     403   404  404
COPY      archives/Coffre/secret.txt new      | 404    404       404         404     403   404  404
COPY      archives/Coffre/secret.txt lettre.txt | 404  404       404         404     403   404  404
COPY      archives/Coffre/secret.txt archives/Coffre/new | 404 404 404       404     201   404  404
COPY      nothing new                         | 404    404       404         404     404   404  404

MOVE      lettre.txt new                      | 403    404       201         201     404   404  404
MOVE      lettre.txt dossier/note.txt         | 403    404       204         204     404   404  404
MOVE      lettre.txt dossier/note.txt Overwrite:F | 403 404      412         412     404   404  404
MOVE      lettre.txt dossier                  | 403    404       204         204     404   404  404
MOVE      lettre.txt archives                 | 403    404       403         403     404   404  404
MOVE      lettre.txt archives/Coffre          | 403    404       403!        403!    404   404  404
MOVE      lettre.txt archives/Coffre Overwrite:F | 403 404       403!        403!    404   404  404
MOVE      lettre.txt archives/Coffre/new      | 403    404       409         409     404   404  404
MOVE      lettre.txt nothing/new              | 403    404       409         409     404   404  404
MOVE      dossier new                         | 403    404       201         201     404   404  404
MOVE      dossier new                Depth:0  | 400    404       400         400     404   404  404
MOVE      dossier lettre.txt                  | 403    404       204         204     404   404  404
MOVE      dossier archives                    | 403    404       403         403     404   404  404
MOVE      archives new                        | 403    404       403         403     403   404  404
MOVE      archives/Coffre new                 | 404    404       404         404     403   404  404
MOVE      archives/Coffre/secret.txt new      | 404    404       404         404     403   404  404
MOVE      archives/Coffre/secret.txt archives/Coffre/new | 404 404 404       404     201   404  404
MOVE      nothing new                         | 404    404       404         404     404   404  404
"""  # noqa: E501  # a row of a table is one line


@pytest.mark.parametrize("kind", PLACES)
def test_each_role_may_do_what_it_says(hall: Hall, kind: str) -> None:
    check_table(hall, populate(hall, kind), IN_ONE_PLACE)


def test_each_role_may_do_what_it_says_whatever_the_database(either: Hall) -> None:
    check_table(either, populate(either, "restricted folder"), IN_ONE_PLACE)


# The whole space is nobody's to put, move or delete over DAV; `spaces` itself still less.
SPACE_ITSELF = """
                                              | reader depositor contributor manager none administrator
PUT       /spaces/conseil                     | 403!   403!      403!        403!    403! 403!
MKCOL     /spaces/conseil                     | 405    405       405         405     404  404
DELETE    /spaces/conseil                     | 403!   403!      403!        403!    404  404
MOVE      /spaces/conseil  new                | 403!   403!      403!        403!    404  404
COPY      lettre.txt  /spaces/conseil         | 403!   404       403!        403!    404  404
MOVE      lettre.txt  /spaces/conseil         | 403!   404       403!        403!    404  404
MKCOL     /spaces/autre                       | 404    404       404         404     404  404
PUT       /spaces/autre                       | 403!   403!      403!        403!    403! 403!
COPY      lettre.txt  /spaces/autre           | 403!   404       403!        403!    404  404
PUT       /spaces                             | 405    405       405         405     405  405
DELETE    /spaces                             | 405    405       405         405     405  405
MKCOL     /spaces                             | 405    405       405         405     405  405
PROPFIND  /spaces                    Depth:1  | 207    207       207         207     207  207
PROPFIND  /                   Depth:infinity  | 207    207       207         207     207  207
GET       /spaces                             | 200    200       200         200     200  200
"""  # noqa: E501  # a row of a table is one line


def test_a_space_is_made_and_removed_by_the_administrator_alone(hall: Hall) -> None:
    place = populate(hall, "space")
    (_, people), *requests = rows(SPACE_ITSELF)
    before = hall.snapshot()
    for request, expected in requests:
        method, path, *rest = request.split()
        headers = dict(word.split(":", 1) for word in rest if ":" in word)
        for word in rest:
            if ":" not in word:
                headers["Destination"] = word if word[0] == "/" else place.href(word)
        address = path if path[0] == "/" else place.href(path)
        got = [cell(send(hall.client(who), method, address, headers)) for who in people]
        assert got == expected, (request, dict(zip(people, got, strict=True)))
        assert hall.snapshot() == before, request


# 2. MOVE and COPY are decided on the source and on the destination

# A row is the role at the source, a column the role at the destination.
TO_A_NEW_NAME = """
COPY         | none reader depositor contributor manager
none         | 404  404    404       404         404
reader       | 409  403    201       201         201
depositor    | 404  404    404       404         404
contributor  | 409  403    201       201         201
manager      | 409  403    201       201         201

MOVE         | none reader depositor contributor manager
none         | 404  404    404       404         404
reader       | 409  403    403       403         403
depositor    | 404  404    404       404         404
contributor  | 409  403    201       201         201
manager      | 409  403    201       201         201
"""
OVER_SOMETHING = """
COPY         | none reader depositor contributor manager
none         | 404  404    404       404         404
reader       | 409  403    403!      204         204
depositor    | 404  404    404       404         404
contributor  | 409  403    403!      204         204
manager      | 409  403    403!      204         204

MOVE         | none reader depositor contributor manager
none         | 404  404    404       404         404
reader       | 409  403    403       403         403
depositor    | 404  404    404       404         404
contributor  | 409  403    403!      204         204
manager      | 409  403    403!      204         204
"""
OVERWRITE_F = """
COPY         | none reader depositor contributor manager
none         | 404  404    404       404         404
reader       | 409  412    403!      412         412
depositor    | 404  404    404       404         404
contributor  | 409  412    403!      412         412
manager      | 409  412    403!      412         412

MOVE         | none reader depositor contributor manager
none         | 404  404    404       404         404
reader       | 409  403    403       403         403
depositor    | 404  404    404       404         404
contributor  | 409  412    403!      412         412
manager      | 409  412    403!      412         412
"""
TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "new": (TO_A_NEW_NAME, {}),
    "lettre.txt": (OVER_SOMETHING, {}),
    "dossier": (OVER_SOMETHING, {"Overwrite": "T"}),
    "lettre.txt ": (OVERWRITE_F, {"Overwrite": "F"}),
    "dossier ": (OVERWRITE_F, {"Overwrite": "F"}),
}
SOURCES: dict[str, list[tuple[str, dict[str, str]]]] = {
    "COPY": [("lettre.txt", {}), ("dossier", {"Depth": "0"}), ("dossier", {"Depth": "infinity"})],
    "MOVE": [("lettre.txt", {}), ("dossier", {})],
}
PAIRS = [
    ("space", "confidential space"),
    ("restricted folder", "space"),
    ("confidential space", "restricted folder"),
]


def pair(source: str, destination: str) -> str:
    return f"{source}-{destination}"


def check_pairs(hall: Hall, source: str, destination: str) -> None:
    """Every role at the source with every role at the destination, in every way."""
    roles: dict[str, Role | None] = {"none": None, **PEOPLE}
    for here in roles:
        hall.account(*(pair(here, there) for there in roles))
    places = []
    for kind, side in ((source, 0), (destination, 1)):
        lines = {}
        for here, its in roles.items():
            for there in roles:
                role = roles[there] if side else its
                if role is not None:
                    lines[pair(here, there)] = role
        place = found(hall, kind, lines)
        fill(hall, place)
        places.append(place)
    before = hall.snapshot()
    for target, (table, headers) in TABLES.items():
        columns: list[str] = []
        method = ""
        for first, cells in rows(table):
            if first in SOURCES:
                method, columns = first, cells
                continue
            for there, expected in zip(columns, cells, strict=True):
                client = hall.client(pair(first, there))
                for origin, depth in SOURCES[method]:
                    url = places[1].url(target.strip())
                    sent = {"Destination": url, **headers, **depth}
                    reply = client.request(method, places[0].href(origin), headers=sent)
                    what = (method, origin, depth, target, headers, client.login)
                    assert cell(reply) == expected, what
                    if reply.status >= 400:
                        assert hall.snapshot() == before, what
                        continue
                    hall.consistent()
                    for place in places:
                        fill(hall, place)
                    before = hall.snapshot()


@pytest.mark.parametrize("source, destination", PAIRS)
def test_source_and_destination_are_both_asked(hall: Hall, source: str, destination: str) -> None:
    check_pairs(hall, source, destination)


def test_source_and_destination_are_both_asked_whatever_the_database(either: Hall) -> None:
    check_pairs(either, "restricted folder", "confidential space")


# 3. Devices, and a space that is kept for reading only

DEVICES = """
                                     | bruno bruno/telephone bruno/agendas chloe chloe/telephone
OPTIONS   lettre.txt                 | 200   200             200           200   200
GET       lettre.txt                 | 200   200             404           200   200
HEAD      lettre.txt                 | 200   200             404           200   200
GET       .                          | 200   200             404           200   200
PROPFIND  .               Depth:1    | 207   207             404           207   207
PROPFIND  dossier  Depth:infinity    | 207   207             404           207   207
PUT       new                        | 201   403             409           201   403
PUT       lettre.txt                 | 204   403             409           204   403
MKCOL     new                        | 201   403             409           201   403
MKCOL     dossier                    | 405   405             409           405   405
PROPPATCH lettre.txt                 | 207   403             404           207   403
LOCK      lettre.txt                 | 200   403             404           200   403
LOCK      new                        | 201   403             404           201   403
DELETE    lettre.txt                 | 204   403             404           204   403
DELETE    dossier                    | 204   403             404           204   403
COPY      lettre.txt new             | 201   403             404           201   403
COPY      lettre.txt dossier         | 204   403             404           204   403
MOVE      lettre.txt new             | 201   403             404           201   403
MOVE      dossier new                | 201   403             404           201   403
"""


def test_a_device_may_do_what_it_was_made_for(hall: Hall) -> None:
    hall.account("bruno", "chloe", "inner")
    for login in ("bruno", "chloe"):
        hall.device(login, "telephone", read_only=True)
        hall.device(login, "agendas", documents=False)
    place = found(hall, "space", {"bruno": CONTRIBUTOR, "chloe": MANAGER})
    check_table(hall, place, DEVICES)
    assert hall.client("bruno", "agendas").list("/spaces/") == []
    assert hall.client("bruno", "telephone").list("/spaces/") == ["conseil"]


ARCHIVED = """
                                     | reader depositor contributor manager none administrator
GET       lettre.txt                 | 200    404       200         200     404  404
PROPFIND  .         Depth:infinity   | 207    207       207         207     404  404
PUT       new                        | 403    403       403         403     409  409
PUT       lettre.txt                 | 403    403       403         403     409  409
MKCOL     new                        | 403    403       403         403     409  409
MKCOL     dossier                    | 405    403       405         405     409  409
PROPPATCH lettre.txt                 | 403    404       403         403     404  404
LOCK      lettre.txt                 | 403    403       403         403     404  404
LOCK      new                        | 403    403       403         403     404  404
DELETE    lettre.txt                 | 403    404       403         403     404  404
COPY      lettre.txt new             | 403    404       403         403     404  404
MOVE      lettre.txt new             | 403    404       403         403     404  404
"""


@pytest.mark.parametrize("kind", PLACES)
def test_an_archived_space_is_read_and_nothing_else(hall: Hall, kind: str) -> None:
    place = populate(hall, kind)
    hall.archive(place.slug)
    check_table(hall, place, ARCHIVED)


def test_a_member_of_two_lists_has_the_better_role_of_the_nearest_one(hall: Hall) -> None:
    hall.account("bruno", "rita")
    hall.group("bureau", "bruno")
    hall.space("conseil", {"bruno": MANAGER, "rita": READER, "@bureau": READER})
    hall.restrict("conseil", "Presse", {"@bureau": READER, "rita": CONTRIBUTOR})
    hall.write("conseil", "Presse/communiqué.txt", b"1")
    address = href("conseil", "Presse/communiqué.txt")
    bruno, rita = hall.client("bruno"), hall.client("rita")
    # In the folder the manager of the space reads, as its list says of his group.
    assert (bruno.get(address).status, cell(bruno.put(address, "2"))) == (200, "403")
    assert rita.put(address, "2").status == 204
    assert cell(rita.put(href("conseil", "new"), "2")) == "403"
    hall.join("conseil", {"bruno": CONTRIBUTOR}, "Presse")
    assert bruno.put(address, "3").status == 204


# 4. What one may not read does not exist

# Names of the same length, so that not even Content-Length tells.
TWINS = {
    "a restricted folder": ("archives/Coffre", "archives/Coffra"),
    "a document in it": ("archives/Coffre/secret.txt", "archives/Coffra/secret.txt"),
    "a folder in it": ("archives/Coffre/plus", "archives/Coffra/plus"),
    "a document": ("lettre.txt", "lettra.txt"),
    "a folder": ("dossier", "dossiar"),
    "a document in a folder": ("dossier/note.txt", "dossier/nota.txt"),
    "somebody's clutter": ("dossier/._note.txt", "dossier/._nota.txt"),
    "the space": ("", "r0"),
}
# `name` is the name in question, `visible` a document that the person may read and `own` a place
# in another space, where it may do everything.
QUESTIONS = """
OPTIONS   {name}
GET       {name}
GET       {name}           Range:bytes=0-1
GET       {name}           If-None-Match:*
GET       {name}           If-Match:*
GET       {name}           If-Match:{etag}
GET       {name}           If-None-Match:{etag}
GET       {name}/
GET       {name}/inside
HEAD      {name}
PROPFIND  {name}           Depth:0
PROPFIND  {name}           Depth:1
PROPFIND  {name}           Depth:infinity
PROPFIND  {name}/          Depth:0
PROPFIND  {name}/inside    Depth:0
PUT       {name}                            creates
PUT       {name}           If-None-Match:*  creates
PUT       {name}           If-Match:*       creates
PUT       {name}           If-Match:{etag}  creates
PUT       {name}           If:({token})     creates
PUT       {name}/inside
PUT       {name}/inside/deeper
MKCOL     {name}                            creates
MKCOL     {name}/                           creates
MKCOL     {name}/inside
PROPPATCH {name}
PROPPATCH {name}           If:({token})
DELETE    {name}
DELETE    {name}           Depth:0
DELETE    {name}           If-Match:{etag}
DELETE    {name}/inside
LOCK      {name}           Depth:0          creates
LOCK      {name}           Depth:infinity   creates
LOCK      {name}           If:({token})
LOCK      {name}/inside
UNLOCK    {name}           Lock-Token:{token}
UNLOCK    {name}           Lock-Token:<urn:uuid:0>
COPY      {name}           Destination:{own}/new
COPY      {name}           Destination:{own}/new      Depth:0
COPY      {name}           Destination:{own}/there    Overwrite:F
COPY      {name}           Destination:{name}x
COPY      {name}           Destination:{name}
COPY      {name}           Destination:{name}/inside
MOVE      {name}           Destination:{own}/new
MOVE      {name}           Destination:{own}/there    Overwrite:F
MOVE      {name}           Destination:{name}x
MOVE      {name}           Destination:{name}
MOVE      {name}           Destination:{name}/inside
COPY      {own}/there      Destination:{name}                 creates
COPY      {own}/there      Destination:{name}  Overwrite:F    creates
COPY      {own}/there      Destination:{name}/inside
COPY      {own}/folder     Destination:{name}                 creates
COPY      {own}/folder     Destination:{name}  Depth:0        creates
MOVE      {own}/there      Destination:{name}                 creates
MOVE      {own}/there      Destination:{name}  Overwrite:F    creates
MOVE      {own}/there      Destination:{name}/inside
MOVE      {own}/folder     Destination:{name}                 creates
PUT       {own}/there      If:<{name}>([{etag}])
PUT       {own}/there      If:<{name}>(Not[{etag}])
PUT       {own}/there      If:<{name}>({token})
PUT       {own}/there      If:<{name}>(Not{token})
PUT       {own}/there      If:<{name}>(Not<DAV:no-lock>)
PUT       {own}/there      If:<{name}>(["none"])<{own}/there>(["none"])
GET       {own}/there      If:<{name}>([{etag}])
DELETE    {own}/there      If:<{name}>([{etag}])
LOCK      {own}/there      If:<{name}>({token})
"""
CREATED_OVER = "This name cannot be used here.\n"


def questions() -> Iterator[tuple[str, str, dict[str, str], bool]]:
    for line in QUESTIONS.strip().splitlines():
        method, name, *rest = line.split()
        headers = dict(word.split(":", 1) for word in rest if ":" in word)
        yield method, name, headers, "creates" in rest


@dataclass(frozen=True)
class Asked:
    """A name that is hidden or absent, and what somebody could know of it all the same."""

    name: str
    own: str
    etag: str
    token: str

    def put(self, text: str) -> str:
        return text.format(name=self.name, own=self.own, etag=self.etag, token=self.token)


def told(reply: Reply, asked: Asked, method: str) -> tuple[object, ...]:
    """What the reply says, but for the name itself and what differs anyway."""
    name, own = asked.name.encode(), asked.own.encode()
    ignored = {"X-Request-Id", "Date"}
    if reply.status < 300:
        # It was done, both times: of two things, in two moments.
        ignored |= {"ETag", "Last-Modified", "Lock-Token"}
        if method in ("PUT", "LOCK"):
            return reply.status, sorted(reply.headers.keys() - ignored)
    headers = {
        key: value.replace(asked.name, "{name}")
        for key, value in reply.headers.items()
        if key not in ignored
    }
    body = reply.body.replace(name, b"{name}").replace(own, b"{own}")
    return reply.status, headers, body


# Who may not know of what.
IGNORANT = {
    "space": [
        ("reader", "a restricted folder"),
        ("contributor", "a restricted folder"),
        ("manager", "a document in it"),
        ("depositor", "a document"),
        ("depositor", "a folder"),
        ("inner", "a document"),
        ("inner", "a document in a folder"),
        ("manager", "somebody's clutter"),
        ("contributor/agendas", "a document"),
        ("manager/telephone", "a restricted folder"),
    ],
    "restricted folder": [
        ("manager", "a restricted folder"),
        ("contributor", "a folder in it"),
        ("depositor", "a document in a folder"),
        ("inner", "a folder"),
        ("none", "a folder"),
        ("administrator", "a document"),
    ],
    "confidential space": [
        ("manager", "a restricted folder"),
        ("none", "the space"),
        ("administrator", "the space"),
        ("administrator", "a document in it"),
        ("contributor/agendas", "the space"),
    ],
}


def secrets_of(hall: Hall, place: Where, name: str, people: Mapping[str, str]) -> tuple[str, str]:
    """The ETag and a lock token of a hidden thing, from somebody who may know of it."""
    for login, device in people.items():
        knowing = hall.client(login, device)
        reply = knowing.propfind(place.href(name), "getetag")
        if reply.status == 207 and name:
            lock = knowing.lock(place.href(name), Depth="0")
            return reply.text("getetag") or "", lock.token
    return '"0-0-0"', "<urn:uuid:00000000-0000-4000-8000-000000000000>"


@pytest.mark.parametrize("kind", IGNORANT)
def test_a_hidden_name_is_an_absent_one_but_to_who_creates_over_it(hall: Hall, kind: str) -> None:
    place = populate(hall, kind)
    hall.device("contributor", "agendas", documents=False)
    hall.device("manager", "telephone", read_only=True)
    hall.space("prive", {login: MANAGER for login in (*COLUMNS, "colleague")})
    private = {"there": b"there", "folder/inside": b"inside"}
    for person, what in IGNORANT[kind]:
        login, _, device = person.partition("/")
        client = hall.client(login, device or "laptop")
        answers: dict[str, list[tuple[object, ...]]] = {}
        for which, name in zip(("hidden", "absent"), TWINS[what], strict=True):
            address = place.href(name)
            if what == "the space":
                address = href(name or place.slug).rstrip("/")
            fill(hall, place)
            hall.restore("prive", private)
            hall.disk(place.slug, f"{place.prefix}archives/Coffre/plus").mkdir()
            hall.client("colleague").put(place.href("dossier/._note.txt"), b"clutter")
            etag, token = secrets_of(
                hall, place, TWINS[what][0], {"colleague": "laptop", "inner": "laptop"}
            )
            asked = Asked(address, "/spaces/prive", etag, token)
            answers[which] = list(_answers(hall, client, place, asked, private))
        for (method, target, headers, creates), hidden, absent in zip(
            questions(), answers["hidden"], answers["absent"], strict=True
        ):
            if hidden == absent:
                continue
            question = (person, what, method, target, headers)
            assert creates and hidden[0] == 403, (question, hidden, absent)
            assert hidden[2] == CREATED_OVER.encode(), (question, hidden, absent)
            # And only to who might have: to others it says no more than of an absent one.
            assert absent[0] in (201, 412), (question, hidden, absent)


def _answers(
    hall: Hall, client: Client, place: Where, asked: Asked, private: dict[str, bytes]
) -> Iterator[tuple[object, ...]]:
    before = hall.snapshot()
    for method, target, headers, _ in questions():
        sent = {key: asked.put(value) for key, value in headers.items()}
        reply = send(client, method, asked.put(target), sent)
        if reply.status >= 400 or method in READING:
            assert hall.snapshot() == before, (client.login, method, target, headers)
        else:
            # What is not to be known is still there, as it was.
            after = hall.snapshot()
            lost = before.disk.items() - after.disk.items()
            assert all("prive/" in path or "staging/" in path for path, _ in lost), lost
            _back(hall, place, private, after.disk.keys() - before.disk.keys())
            hall.forget(client.login)
            before = hall.snapshot()
        yield told(reply, asked, method)


def _back(hall: Hall, place: Where, private: dict[str, bytes], new: set[str]) -> None:
    """Undo what a request did, without touching what has a lock and an ETag."""
    hall.restore("prive", private)
    for path in sorted(new, key=len, reverse=True):
        file = hall.store.data / path
        if path.startswith(f"spaces/{place.slug}/") and file.is_dir():
            file.rmdir()
        elif path.startswith(f"spaces/{place.slug}/") or path.startswith("staging/clutter/"):
            if file.is_file():
                file.unlink()
    hall.recount(place.slug)


@pytest.mark.parametrize("kind", PLACES)
def test_nobody_is_told_of_what_is_hidden(hall: Hall, kind: str) -> None:
    place = populate(hall, kind)
    unspeakable = {person: ["Coffre", "secret"] for person in COLUMNS}
    unspeakable["inner"] = ["lettre", "dossier", "note", "index"]
    unspeakable["depositor"] += ["lettre", "dossier", "archives"]
    for nobody in ("none", "administrator"):
        unspeakable[nobody] += [place.slug, "lettre", "archives"]
    for person, words in unspeakable.items():
        client = hall.client(person)
        for address in ("/", "/spaces/", place.href()):
            shown = client.propfind(address, depth="infinity").body
            shown += client.propfind(address, depth="1").body + client.get(address).body
            for word in [*words, "ailleurs"]:
                assert word.encode() not in shown, (person, address, word)


def test_a_copy_holds_what_may_be_read_and_keeps_it_from_whom_it_was_kept(hall: Hall) -> None:
    place = populate(hall, "space")
    manager, inner, reader = (hall.client(login) for login in ("manager", "inner", "reader"))
    assert manager.copy(place.href("archives"), place.url("copie")).status == 201
    assert manager.list(place.href("copie"), "infinity") == ["index.txt"]
    assert not hall.disk("conseil", "copie/Coffre").exists()
    # Who may enter takes the member list along: its readers are still the only ones.
    hall.join("conseil", {"manager": READER}, "archives/Coffre")
    assert manager.copy(place.href("archives"), place.url("autre")).status == 201
    assert manager.list(place.href("autre"), "infinity") == ["Coffre", "index.txt", "secret.txt"]
    assert inner.get(place.href("autre/Coffre/secret.txt")).body == b"secret"
    assert reader.get(place.href("autre/Coffre/secret.txt")).status == 404
    assert reader.list(place.href("autre"), "infinity") == ["index.txt"]
    # In the copy as well, to read is not to change.
    assert cell(manager.put(place.href("autre/Coffre/secret.txt"))) == "403"
    hall.consistent()


def test_what_is_moved_keeps_its_member_list(hall: Hall) -> None:
    place = populate(hall, "space")
    hall.space("autre", {"manager": MANAGER, "reader": READER})
    hall.join("conseil", {"manager": CONTRIBUTOR}, "archives/Coffre")
    manager, inner, reader = (hall.client(login) for login in ("manager", "inner", "reader"))
    assert manager.move(place.href("archives"), href("autre", "archives")).status == 201
    secret = href("autre", "archives/Coffre/secret.txt")
    assert inner.get(secret).body == b"secret"
    assert reader.get(secret).status == 404
    assert reader.get(href("autre", "archives/index.txt")).status == 200
    # And the trash does, for its restoration.
    assert manager.delete(href("autre", "archives")).status == 204
    (entry,) = (row for row in hall.journal() if row.action == "document.delete")
    assert [line["role"] for line in entry.detail["restricted"]["archives/Coffre"]] == [
        "contributor",
        "contributor",
    ]
    assert inner.get(secret).status == 404
    hall.consistent()


def test_what_may_only_be_read_inside_keeps_the_whole_where_it_is(hall: Hall) -> None:
    place = populate(hall, "space")
    hall.space("prive", {"manager": MANAGER})
    hall.join("conseil", {"manager": READER}, "archives/Coffre")
    manager = hall.client("manager")
    assert manager.get(place.href("archives/Coffre/secret.txt")).status == 200
    before = hall.snapshot()
    for reply in (
        manager.delete(place.href("archives")),
        manager.move(place.href("archives"), place.url("new")),
        manager.move(place.href("archives"), href("prive", "new")),
        manager.copy(place.href("lettre.txt"), place.url("archives")),
        manager.move(place.href("lettre.txt"), place.url("archives")),
        manager.lock(place.href("archives"), Depth="infinity"),
    ):
        assert (cell(reply), hall.snapshot()) == ("403", before)
    # To read is enough for a copy.
    assert manager.copy(place.href("archives"), href("prive", "new")).status == 201


def test_a_restricted_folder_goes_by_its_own_list(hall: Hall) -> None:
    """It belongs to those in it, who may rename and remove what is theirs."""
    place = populate(hall, "space")
    before = hall.snapshot()
    for person in ("contributor", "manager"):
        assert hall.client(person).delete(place.href("archives/Coffre")).status == 404
        assert hall.snapshot() == before
    assert hall.client("inner").delete(place.href("archives/Coffre")).status == 204
    assert hall.client("inner").get(place.href()).status == 404
    hall.consistent()


def test_a_lock_on_what_is_hidden_is_not_spoken_of(hall: Hall) -> None:
    place = populate(hall, "space")
    assert hall.client("inner").lock(place.href("archives/Coffre/secret.txt")).status == 200
    manager = hall.client("manager")
    before = hall.snapshot()
    for reply in (
        manager.delete(place.href("archives")),
        manager.move(place.href("archives"), place.url("new")),
        manager.lock(place.href("archives"), Depth="infinity"),
        manager.copy(place.href("lettre.txt"), place.url("archives")),
    ):
        assert cell(reply) == "403"
        assert b"inner" not in reply.body and b"Coffre" not in reply.body
    assert hall.snapshot() == before
    shown = manager.propfind(place.href("archives"), "lockdiscovery", depth="infinity")
    assert b"inner" not in shown.body
    assert manager.put(place.href("archives/new")).status == 201


UNLOCKING = """
              | reader depositor contributor manager inner none administrator colleague
lettre.txt    | 403!   404       403!        204     404   404  404           204
dossier       | 403!   404       403!        204     404   404  404           204
"""


@pytest.mark.parametrize("kind", PLACES)
def test_a_lock_is_released_by_its_holder_or_a_manager(hall: Hall, kind: str) -> None:
    place = populate(hall, kind)
    (_, people), *requests = rows(UNLOCKING)
    for path, expected in requests:
        token = hall.client("colleague").lock(place.href(path)).token
        got = []
        for person in people:
            before = hall.snapshot()
            reply = hall.client(person).unlock(place.href(path), token)
            got.append(cell(reply))
            if reply.status == 204:
                token = hall.client("colleague").lock(place.href(path)).token
            else:
                assert hall.snapshot() == before, (path, person)
        assert got == expected, path


def test_a_token_is_of_use_to_its_holder_alone(hall: Hall) -> None:
    place = populate(hall, "space")
    token = hall.client("colleague").lock(place.href("lettre.txt")).token
    before = hall.snapshot()
    for person in ("contributor", "manager"):
        client = hall.client(person)
        for headers in ({"If": f"({token})"}, {"Lock-Token": token}):
            for method in ("PUT", "DELETE", "PROPPATCH"):
                reply = send(client, method, place.href("lettre.txt"), headers)
                assert (reply.status, hall.snapshot()) == (423, before), (person, method, headers)
            sent = {**headers, "Destination": place.url("new")}
            assert send(client, "MOVE", place.href("lettre.txt"), sent).status == 423
        assert client.refresh(place.href("lettre.txt"), token).status == 412
    assert hall.snapshot() == before


def test_rights_that_are_taken_away_during_an_upload_are_gone_when_it_ends(hall: Hall) -> None:
    place = populate(hall, "space")
    contributor = hall.client("contributor")

    def leave() -> None:
        with hall.acting() as act:
            members.remove(act, "conseil", "contributor")

    before = hall.documents("conseil")
    reply = contributor.request("PUT", place.href("lettre.txt"), b"too late", meanwhile=leave)
    assert reply.status == 409
    assert hall.documents("conseil") == before
    hall.consistent()


def test_what_is_locked_during_an_upload_is_not_overwritten(hall: Hall) -> None:
    place = populate(hall, "space")
    contributor, colleague = hall.client("contributor"), hall.client("colleague")
    before = hall.documents("conseil")
    reply = contributor.request(
        "PUT",
        place.href("lettre.txt"),
        b"too late",
        meanwhile=lambda: colleague.lock(place.href("lettre.txt")),
    )
    assert (reply.status, reply.precondition) == (423, "{DAV:}lock-token-submitted")
    assert hall.documents("conseil") == before
    hall.consistent()


def test_what_is_put_there_and_hidden_during_an_upload_stays(hall: Hall) -> None:
    place = populate(hall, "space")
    depositor, colleague = hall.client("depositor"), hall.client("colleague")
    reply = depositor.request(
        "PUT",
        place.href("new"),
        b"too late",
        meanwhile=lambda: colleague.put(place.href("new"), b"first"),
    )
    assert cell(reply) == "403!"
    assert hall.disk("conseil", "new").read_bytes() == b"first"
    hall.consistent()
