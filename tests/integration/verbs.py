"""Everything that changes documents, each once: a case a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from acl.actor import Actor
from acl.tables import spaces
from config.errors import DavserverError
from davserver.documents import adopt as adoption
from davserver.documents import counts, locks, retention
from davserver.documents import rewind as rewinding
from davserver.documents.rewind import Order
from davserver.upkeep import SERVER
from tests.integration.documents_client import (
    CONTRIBUTOR,
    LOCKINFO,
    MANAGER,
    START,
    Hall,
    at,
    href,
    plant,
)

CONSOLE = Actor.console("root")

Deed = Callable[[Hall], int]
"""Something that is done to a hall; the status of the reply."""


@dataclass(frozen=True)
class Case:
    """A verb: what it does, and what was done before.

    `lacking`: what the file system cannot do (see mortal.py). `noted`: it is in the journal.
    `untidy`: `check` has something to say before it.
    """

    deed: Deed
    before: tuple[Deed, ...] = ()
    lacking: tuple[str, ...] = ()
    noted: bool = True
    untidy: bool = False


def furnish(hall: Hall) -> None:
    """What there is before anything is done, in a town hall as `town` makes it."""
    hall.space("projet", {"bruno": CONTRIBUTOR, "chloe": MANAGER})
    bruno = hall.client("bruno")
    plant(bruno)
    bruno.put(at("lettre.txt"), b"lettre")
    bruno.put(href("projet", "there.txt"), b"there")
    bruno.mkcol(at("commission"))
    hall.restrict("conseil", "commission", {"bruno": CONTRIBUTOR, "chloe": MANAGER})
    bruno.put(at("commission/pv.txt"), b"the minutes")


def ask(
    method: str,
    address: str,
    to: str = "",
    body: bytes | str = b"",
    headers: Mapping[str, str] | None = None,
    chunked: bool = False,
) -> Deed:
    """A request of Bruno's."""
    sent = {"Destination": to} if to else {}

    def deed(hall: Hall) -> int:
        client = hall.client("bruno")
        every = {**sent, **(headers or {})}
        return client.request(
            method, address, body, every, chunked=chunked, unavailable=True
        ).status

    return deed


def put(address: str, body: bytes = b"new content") -> Deed:
    return ask("PUT", address, body=body)


def delete(address: str) -> Deed:
    return ask("DELETE", address)


def move(source: str, to: str) -> Deed:
    return ask("MOVE", source, to)


def copy(source: str, to: str) -> Deed:
    return ask("COPY", source, to)


def set_(prop: str, address: str) -> Deed:
    update = f'<propertyupdate xmlns="DAV:"><set><prop>{prop}</prop></set></propertyupdate>'
    return ask("PROPPATCH", address, body=update)


def lock(address: str) -> Deed:
    return ask("LOCK", address, body=LOCKINFO.format(scope="exclusive", owner="Bruno"))


def holding(method: str, address: str, to: str = "", body: bytes = b"") -> Deed:
    """A request that submits the token of the one lock there is."""

    def deed(hall: Hall) -> int:
        with hall.database.read() as connection:
            (held,) = locks.listing(connection, hall.now)
        condition = f"<{at(held.path)}> (<{held.token}>)"
        return ask(method, address, to, body, {"If": condition})(hall)

    return deed


def answered(deed: Callable[[Hall], None]) -> Deed:
    """What is not done by request, as if it were."""

    def answer(hall: Hall) -> int:
        try:
            deed(hall)
        except DavserverError as error:
            return error.status
        return 200

    return answer


def later(seconds: float) -> Deed:
    """Time passes."""

    def deed(hall: Hall) -> int:
        hall.later(seconds=seconds)
        return 200

    return deed


def trash(name: str, inside: str = "") -> str:
    """What Bruno deleted in the first minute, as the trash of the council's space shows it."""
    stem, dot, ending = name.partition(".")
    entry = f"{stem} ({START:%Y-%m-%d %H.%M}, bruno){dot}{ending}{inside}"
    return quote(f"/history/conseil/trash/{entry}", safe="/(),")


def then(path: str) -> str:
    """The council's space as it was in the first second."""
    return f"/history/conseil/{START:%Y-%m-%dT%H:%M:%S}/{path}"


COLOUR = '<colour xmlns="urn:x">grey</colour>'
TIME = "<getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</getlastmodified>"
LONG_AGO = {"X-OC-Mtime": "784111777"}
NO_LINKS = ("link",)
DAY = 86400
# So long ago that what left a name has no successor any more.
FORMERLY = later(120)

LETTER, NEW, FOLDER = at("lettre.txt"), at("new.txt"), at("dossier")
BIG = bytes(range(256)) * 2048

PUT = {
    "put a new document": Case(put(NEW)),
    "put a large document": Case(put(NEW, BIG)),
    "put a document in chunks": Case(ask("PUT", NEW, body=b"new content", chunked=True)),
    "put a document with a time": Case(ask("PUT", NEW, body=b"new", headers=LONG_AGO)),
    "put over a document": Case(put(LETTER)),
    "put over a document, without links": Case(put(LETTER), lacking=NO_LINKS),
    "put over a document that is locked": Case(
        holding("PUT", LETTER, body=b"new content"), (lock(LETTER), later(30))
    ),
    "put the same content": Case(put(LETTER, b"lettre")),
    "put the same content, without links": Case(put(LETTER, b"lettre"), lacking=NO_LINKS),
    "put over an empty document": Case(put(NEW), (put(NEW, b""),)),
    "put after a delete": Case(put(LETTER), (delete(LETTER),)),
    "put after a delete of what was locked": Case(
        put(LETTER), (lock(LETTER), holding("DELETE", LETTER))
    ),
    "put where a backup was moved from": Case(put(LETTER), (move(LETTER, at("lettre.bak")),)),
    "put where a backup was moved from, without links": Case(
        put(LETTER), (move(LETTER, at("lettre.bak")),), lacking=NO_LINKS
    ),
    "put clutter": Case(put(at("._new.txt")), noted=False),
}
FOLDERS = {
    "make a folder": Case(ask("MKCOL", at("new"))),
    "lock what is not there": Case(lock(NEW)),
    "set a property": Case(set_(COLOUR, LETTER)),
    "set the time of modification": Case(set_(COLOUR + TIME, LETTER)),
    "set the time of a folder": Case(set_(TIME, FOLDER)),
}
DELETE = {
    "delete a document": Case(delete(LETTER)),
    "delete a document that is locked": Case(holding("DELETE", LETTER), (lock(LETTER),)),
    "delete a folder": Case(delete(FOLDER)),
    "delete a restricted folder": Case(delete(at("commission"))),
    "delete a lock file": Case(delete(at(".~lock.a.odt%23")), (put(at(".~lock.a.odt%23")),)),
    "delete clutter": Case(delete(at("._new.txt")), (put(at("._new.txt")),), noted=False),
}
MOVE = {
    "move a document": Case(move(LETTER, NEW)),
    "move a folder": Case(move(FOLDER, at("new"))),
    "move a restricted folder": Case(move(at("commission"), at("dossier/commission"))),
    "move over a document": Case(move(LETTER, at("dossier/note.txt"))),
    "move over a document, without links": Case(
        move(LETTER, at("dossier/note.txt")), lacking=NO_LINKS
    ),
    "move over the same content": Case(move(NEW, LETTER), (put(NEW, b"lettre"),)),
    "move over a folder": Case(move(LETTER, FOLDER)),
    "move over a restricted folder": Case(move(FOLDER, at("commission"))),
    "move a folder over a document": Case(move(FOLDER, LETTER)),
    "move to another space": Case(move(FOLDER, href("projet", "new"))),
    "move a restricted folder to another space": Case(
        move(at("commission"), href("projet", "new"))
    ),
    "move over a document of another space": Case(move(LETTER, href("projet", "there.txt"))),
    "move to where a backup was moved from": Case(
        move(NEW, LETTER), (put(NEW), move(LETTER, at("lettre.bak")))
    ),
    "move to where a backup was moved from, without links": Case(
        move(NEW, LETTER), (put(NEW), move(LETTER, at("lettre.bak"))), lacking=NO_LINKS
    ),
    "move to where one was deleted": Case(move(NEW, LETTER), (put(NEW), delete(LETTER))),
    "move clutter": Case(move(at("._a"), at("._b")), (put(at("._a")),), noted=False),
}
COPY = {
    "copy a document": Case(copy(LETTER, NEW)),
    "copy a folder": Case(copy(FOLDER, at("new"))),
    "copy a restricted folder": Case(copy(at("commission"), at("new"))),
    "copy over a document": Case(copy(LETTER, at("dossier/note.txt"))),
    "copy over a folder": Case(copy(LETTER, FOLDER)),
    "copy a folder over a document": Case(copy(FOLDER, LETTER)),
    "copy to another space": Case(copy(FOLDER, href("projet", "new"))),
    "copy without copy_file_range": Case(copy(FOLDER, at("new")), lacking=("copy_file_range",)),
    "copy clutter": Case(copy(at("._a"), at("._b")), (put(at("._a")),), noted=False),
}
_SAVING = at("(A Document Being Saved By TextEdit)")
_SAVED = (
    ask("MKCOL", _SAVING),
    put(f"{_SAVING}/new.txt"),
    move(LETTER, f"{_SAVING}/lettre.txt"),
    move(f"{_SAVING}/new.txt", LETTER),
)
SAVES = {
    "make room for what is saved": Case(_SAVED[-2], _SAVED[:-2]),
    "save by a folder": Case(_SAVED[-1], _SAVED[:-1]),
    "delete the folder that was saved by": Case(delete(_SAVING), _SAVED),
    "delete the backup": Case(delete(f"{_SAVING}/lettre.txt"), _SAVED),
    "delete a placeholder": Case(delete(NEW), (put(NEW, b""),)),
}
_DELETED = (delete(LETTER), delete(FOLDER), delete(at("commission")), FORMERLY)
_CHANGED = (
    later(10),
    put(LETTER),
    move(LETTER, NEW),
    delete(at("dossier/note.txt")),
    delete(at("commission")),
    FORMERLY,
)
RESTORE = {
    "restore a document": Case(move(trash("lettre.txt"), LETTER), _DELETED),
    "restore a folder": Case(move(trash("dossier"), FOLDER), _DELETED),
    "restore a restricted folder": Case(move(trash("commission"), at("new")), _DELETED),
    "restore a part of a folder": Case(move(trash("dossier", "/sous"), at("sous")), _DELETED),
    "restore over a document": Case(move(trash("lettre.txt"), NEW), (put(NEW), *_DELETED)),
    "restore over a folder": Case(
        move(trash("lettre.txt"), at("new")), (ask("MKCOL", at("new")), *_DELETED)
    ),
    "restore to another space": Case(move(trash("dossier"), href("projet", "new")), _DELETED),
    "restore over a document of another space": Case(
        move(trash("lettre.txt"), href("projet", "there.txt")), _DELETED
    ),
    "copy a document from the trash": Case(copy(trash("lettre.txt"), LETTER), _DELETED),
    "copy a folder from the trash": Case(copy(trash("dossier"), FOLDER), _DELETED),
    "copy a document from the past": Case(copy(then("lettre.txt"), LETTER), _CHANGED),
    "copy a folder from the past": Case(copy(then("dossier"), at("new")), _CHANGED),
    "copy the past over the present": Case(copy(then("lettre.txt"), NEW), _CHANGED),
}


def rewind(login: str = "", path: str = "") -> Deed:
    """The council's space goes back to what it was in the first second, or a part of it."""

    def deed(hall: Hall) -> None:
        order = Order("conseil", START, login, path=path)
        rewinding.rewind(hall.app.documents, CONSOLE, order)

    return answered(deed)


_EXCHANGED = (
    FORMERLY,
    move(FOLDER, at("aside")),
    move(at("commission"), FOLDER),
    move(at("aside"), at("commission")),
    FORMERLY,
)
_NESTED = (
    FORMERLY,
    move(at("dossier/sous"), at("sous")),
    move(FOLDER, at("sous/dossier")),
    put(at("sous/dossier/deep.txt")),
    delete(at("sous")),
    FORMERLY,
)
REWIND = {
    "rewind what was put over": Case(rewind(), (FORMERLY, put(LETTER), FORMERLY)),
    "rewind what was put over, without links": Case(
        rewind(), (FORMERLY, put(LETTER), FORMERLY), lacking=NO_LINKS
    ),
    "rewind what is new": Case(rewind(), (FORMERLY, copy(FOLDER, at("new")), FORMERLY)),
    "rewind what was deleted": Case(rewind(), (FORMERLY, delete(FOLDER), delete(LETTER))),
    "rewind what was deleted, and its folder too": Case(
        rewind(), (FORMERLY, delete(at("dossier/note.txt")), delete(FOLDER), FORMERLY)
    ),
    "rewind folders that changed places": Case(rewind(), _EXCHANGED),
    "rewind a folder that went into what was in it": Case(rewind(), _NESTED),
    "rewind what went to another space": Case(
        rewind(), (FORMERLY, move(at("commission"), href("projet", "new")), FORMERLY)
    ),
    "rewind properties and times": Case(rewind(), (FORMERLY, set_(COLOUR + TIME, LETTER))),
    "rewind the time of what was moved": Case(
        rewind(), (FORMERLY, set_(TIME, LETTER), move(LETTER, NEW), FORMERLY)
    ),
    "rewind what needs a copy": Case(
        rewind(), (put(at("same.txt"), b"lettre"), FORMERLY, move(at("same.txt"), LETTER))
    ),
    "rewind what one folder saw": Case(
        rewind(path="dossier"), (FORMERLY, put(at("dossier/note.txt")), put(LETTER), FORMERLY)
    ),
    "rewind a rewind": Case(rewind(), (*_CHANGED, rewind(), FORMERLY, put(NEW), FORMERLY)),
}


def beside(path: str) -> Deed:
    """Somebody puts a document there directly on the disk."""

    def deed(hall: Hall) -> int:
        file = hall.disk("conseil", path)
        file.unlink(missing_ok=True)
        file.write_bytes(b"put there directly")
        return 200

    return deed


def renamed(path: str) -> Deed:
    """Somebody gives it another name directly on the disk."""

    def deed(hall: Hall) -> int:
        file = hall.disk("conseil", path)
        file.rename(file.with_name(f"{file.name} (2)"))
        return 200

    return deed


@answered
def adopt(hall: Hall) -> None:
    adoption.adopt(hall.app.documents, CONSOLE, "conseil")


def miscount(hall: Hall) -> int:
    with hall.database.write() as connection:
        connection.execute(spaces.update().where(spaces.c.slug == "conseil").values(used_bytes=0))
    return 200


@answered
def recount(hall: Hall) -> None:
    counts.repair(hall.app.documents, CONSOLE, "conseil")


@answered
def count(hall: Hall) -> None:
    counts.count(hall.app.documents, SERVER)


@answered
def free(hall: Hall) -> None:
    retention.run(hall.app.documents, hall.settings.retention, hall.settings.zone, SERVER)


_KEPT = (put(LETTER), put(LETTER, b"newer"), *_DELETED)
UPKEEP = {
    "count what history keeps": Case(count, _KEPT, noted=False),
    "free what history has kept": Case(free, (*_KEPT, count, later(400 * DAY))),
    "count anew": Case(recount, (miscount,), untidy=True),
    "adopt what was changed on the disk": Case(
        adopt,
        (beside("dossier/beside.txt"), beside("dossier/note.txt"), renamed("lettre.txt")),
        untidy=True,
    ),
}

CASES: dict[str, Case] = {
    **PUT,
    **FOLDERS,
    **DELETE,
    **MOVE,
    **COPY,
    **SAVES,
    **RESTORE,
    **REWIND,
    **UPKEEP,
}
