"""What is the next version of a document, and what is another document; what is no version; and
what becomes of a lock meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from davserver.documents import retention, rewind
from davserver.documents.rewind import Order
from tests.integration.documents_client import COLOUR, CONTRIBUTOR, Client, Hall, at, town
from tests.integration.saves import (
    CONSOLE,
    check_exact,
    colour,
    deleted,
    history,
    tokens,
    trash,
    versions,
)


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", database_url):
        hall.account("carla")
        hall.join("conseil", {"carla": CONTRIBUTOR})
        bruno = hall.client("bruno")
        bruno.put(at("note"), b"first")
        bruno.proppatch(at("note"), {COLOUR: "red"})
        # Long enough ago.
        hall.later(hours=1)
        yield hall
        check_exact(hall)


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


@pytest.fixture
def carla(hall: Hall) -> Client:
    return hall.client("carla")


# Another document


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("backup", ["", "note~"])
def test_a_name_waits_for_a_minute(hall: Hall, bruno: Client, backup: str, late: bool) -> None:
    bruno.put(at("new"), b"second")
    token = bruno.lock(at("note")).token
    if backup:
        bruno.move(at("note"), at(backup), if_=f"({token})")
    else:
        bruno.delete(at("note"), if_=f"({token})")
    hall.later(seconds=60 + late)
    assert bruno.move(at("new"), at("note")).status == 201
    if late:
        assert (versions(hall, "note"), colour(bruno, at("note"))) == ([], None)
        assert tokens(bruno, at("note")) == []
        assert deleted(hall, "note") == [b"first"] * (not backup)
    else:
        assert (versions(hall, "note"), colour(bruno, at("note"))) == ([b"first"], "red")
        assert tokens(bruno, at("note")) == [token]
        assert trash(hall) == []
    if backup:
        assert (bruno.get(at(backup)).body, colour(bruno, at(backup))) == (b"first", "red")


@pytest.mark.parametrize("backup", ["", "note~"])
def test_it_waits_for_who_left_it(hall: Hall, bruno: Client, carla: Client, backup: str) -> None:
    token = bruno.lock(at("note")).token
    if backup:
        bruno.move(at("note"), at(backup), if_=f"({token})")
    else:
        bruno.delete(at("note"), if_=f"({token})")
    # Nor does anybody's else knowing the token make it theirs.
    assert carla.put(at("note"), b"second", if_=f"({token})").status == 412
    assert carla.put(at("note"), b"second").status == 201
    assert (versions(hall, "note"), colour(bruno, at("note"))) == ([], None)
    assert tokens(bruno, at("note")) == []
    # And then it waits no more.
    carla.delete(at("note"))
    bruno.put(at("note"), b"third")
    assert versions(hall, "note") == []
    assert deleted(hall, "note") == [b"first"] * (not backup) + [b"second"]


def test_a_folder_is_no_next_version_nor_has_it_one(hall: Hall, bruno: Client) -> None:
    bruno.delete(at("note"))
    bruno.mkcol(at("note"))
    assert deleted(hall, "note") == [b"first"]
    bruno.delete(at("note"))
    bruno.put(at("note"), b"second")
    assert (versions(hall, "note"), colour(bruno, at("note"))) == ([], None)
    assert len(trash(hall)) == 2
    bruno.mkcol(at("folder"))
    bruno.delete(at("note"))
    bruno.move(at("folder"), at("note"))
    assert deleted(hall, "note") == [b"first", b"second"]


@pytest.mark.parametrize("is_new", [False, True])
def test_documents_that_get_other_names_are_the_same_ones(
    hall: Hall, bruno: Client, is_new: bool
) -> None:
    """Whoever renames one, and another one to what that was called, loses nothing."""
    bruno.put(at("third"), b"third")
    bruno.proppatch(at("third"), {COLOUR: "blue"})
    if not is_new:
        hall.later(hours=1)
    before = hall.now
    hall.later(seconds=1)
    bruno.move(at("note"), at("second"))
    bruno.move(at("third"), at("note"))
    assert {name: bruno.get(at(name)).body for name in bruno.list(at(""))} == {
        "note": b"third",
        "second": b"first",
    }
    assert (colour(bruno, at("note")), colour(bruno, at("second"))) == ("blue", "red")
    assert versions(hall, "note") == [b"first"] * is_new
    assert bruno.get(history(before, "note")).body == b"first"
    assert bruno.get(history(before, "third")).body == b"third"
    # It is a document of its own: whoever deletes it finds it.
    hall.later(minutes=2)
    bruno.delete(at("second"))
    assert deleted(hall, "second") == [b"first"]


def test_a_new_document_of_a_former_name_has_nothing_of_it(hall: Hall, bruno: Client) -> None:
    """Unless the former one is called as programs call their backups."""
    bruno.move(at("note"), at("notes of last year"))
    bruno.put(at("note"), b"this year's")
    assert (versions(hall, "note"), colour(bruno, at("note"))) == ([], None)


@pytest.mark.parametrize("is_new", [False, True])
def test_out_and_back_it_is_the_same_document(hall: Hall, bruno: Client, is_new: bool) -> None:
    if is_new:
        bruno.put(at("fresh"), b"first")
        bruno.proppatch(at("fresh"), {COLOUR: "red"})
    address = at("fresh" if is_new else "note")
    token = bruno.lock(address).token
    bruno.move(address, at("note~"), if_=f"({token})")
    bruno.move(at("note~"), address)
    assert (versions(hall, address[16:]), colour(bruno, address)) == ([], "red")
    assert tokens(bruno, address) == []
    token = bruno.lock(address).token
    bruno.delete(address, if_=f"({token})")
    (entry,) = trash(hall)
    source = f"/history/conseil/trash/{entry}".replace(" ", "%20")
    assert bruno.move(source, address).status == 201
    assert (versions(hall, address[16:]), colour(bruno, address)) == ([], "red")
    assert (tokens(bruno, address), trash(hall)) == ([], [])


# No version


@pytest.mark.parametrize("minutes, kept_", [(5, []), (6, [b""])])
def test_a_placeholder_is_no_version(
    hall: Hall, bruno: Client, minutes: int, kept_: list[bytes]
) -> None:
    """An empty document is one, if somebody has left it like that."""
    bruno.put(at("empty"), b"")
    hall.later(minutes=minutes)
    bruno.put(at("empty"), b"content")
    assert versions(hall, "empty") == kept_


def test_a_placeholder_that_was_renamed_is_one_still(hall: Hall, bruno: Client) -> None:
    bruno.put(at("New document"), b"")
    bruno.move(at("New document"), at("minutes"))
    bruno.put(at("minutes"), b"content")
    assert versions(hall, "minutes") == []
    hall.later(hours=1)
    bruno.put(at("old"), b"")
    hall.later(hours=1)
    bruno.move(at("old"), at("older"))
    bruno.put(at("older"), b"content")
    assert versions(hall, "older") == [b""]


def test_a_placeholder_that_is_deleted_leaves_nothing(hall: Hall, bruno: Client) -> None:
    bruno.put(at("4913"), b"")
    bruno.delete(at("4913"))
    assert trash(hall) == []
    bruno.put(at("old"), b"")
    hall.later(minutes=6)
    bruno.delete(at("old"))
    assert deleted(hall, "old") == [b""]


SAME = [
    "PUT",
    "MOVE",
    "COPY",
    "DELETE, PUT",
    "DELETE, MOVE",
    "MOVE away, PUT, DELETE",
    "MOVE away, DELETE, PUT",
    "MOVE away, MOVE, DELETE",
]


@pytest.mark.parametrize("way", SAME)
def test_the_same_content_is_no_version(hall: Hall, bruno: Client, way: str) -> None:
    bruno.put(at("twin"), b"first")
    before = hall.now
    hall.later(seconds=1)
    for step in way.split(", "):
        match step:
            case "PUT":
                reply = bruno.put(at("note"), b"first")
            case "DELETE" if "away" in way:
                reply = bruno.delete(at("note~"))
            case "DELETE":
                reply = bruno.delete(at("note"))
            case "MOVE away":
                reply = bruno.move(at("note"), at("note~"))
            case "MOVE" | "COPY":
                reply = bruno.request(step, at("twin"), headers={"Destination": at("note")})
        assert reply.status in (201, 204), step
    assert (versions(hall, "note"), trash(hall)) == ([], [])
    assert (bruno.get(at("note")).body, colour(bruno, at("note"))) == (b"first", "red")
    assert bruno.get(history(before, "note")).body == b"first"


LOCK_FILES = ["~$letter.docx", ".~lock.letter.odt#"]


@pytest.mark.parametrize("name", LOCK_FILES)
def test_lock_files_leave_nothing(hall: Hall, bruno: Client, name: str) -> None:
    address = at(name).replace("#", "%23")
    for content in (b"bruno", b"carla", b""):
        bruno.put(address, content)
    bruno.delete(address)
    assert (versions(hall, name), trash(hall)) == ([], [])
    assert hall.history("conseil") == {}


@pytest.mark.parametrize("name", LOCK_FILES)
@pytest.mark.parametrize("end", ["DELETE", "PUT", "MOVE onto"])
def test_a_document_does_not_end_as_a_lock_file(
    hall: Hall, bruno: Client, name: str, end: str
) -> None:
    """Otherwise whoever wanted to destroy a document would only have to give it that name."""
    address = at(name).replace("#", "%23")
    bruno.move(at("note"), address)
    hall.later(hours=1)
    if end == "DELETE":
        bruno.delete(address)
        assert deleted(hall, name) == [b"first"]
    else:
        bruno.put(at("other"), b"other")
        if end == "PUT":
            bruno.put(address, b"other")
        else:
            bruno.move(at("other"), address)
        assert versions(hall, name) == [b"first"]
    large = b"x" * 5_000
    bruno.put(address, large)
    bruno.put(address, b"")
    assert versions(hall, name)[-1] == large


def test_saves_in_a_row_are_kept_for_now(hall: Hall, bruno: Client) -> None:
    for content in (b"1", b"2", b"3"):
        bruno.put(at("note"), content)
        hall.later(seconds=20)
    assert versions(hall, "note") == [b"first", b"1", b"2"]


# What programs leave behind


def test_a_backup_is_a_document_once_saving_is_over(
    hall: Hall, bruno: Client, carla: Client
) -> None:
    """Whoever deletes one then finds it in the trash."""
    for client, seconds in ((bruno, 61), (carla, 0)):
        bruno.move(at("note"), at("note.bak"))
        bruno.put(at("note"), b"second")
        hall.later(seconds=seconds)
        client.delete(at("note.bak"))
        hall.later(hours=1)
    assert deleted(hall, "note.bak") == [b"first", b"second"]


def test_a_backup_that_gives_way_to_the_next_is_kept_once(hall: Hall, bruno: Client) -> None:
    for content in (b"second", b"third", b"fourth"):
        bruno.move(at("note"), at("note~"))
        bruno.put(at("note"), content)
        hall.later(hours=1)
    assert versions(hall, "note") == [b"first", b"second", b"third"]
    assert versions(hall, "note~") == []
    assert len(hall.history("conseil")) == 3


def test_a_backup_that_was_changed_is_another_document(hall: Hall, bruno: Client) -> None:
    bruno.move(at("note"), at("note~"))
    bruno.put(at("note"), b"second")
    bruno.put(at("note~"), b"changed")
    bruno.delete(at("note~"))
    assert deleted(hall, "note~") == [b"changed"]
    assert versions(hall, "note") == [b"first"]


def test_what_has_no_successor_is_in_the_trash(hall: Hall, bruno: Client) -> None:
    """A program that ended too soon, or somebody who gives it a name that nobody looks for."""
    bruno.move(at("note"), at("~WRL0001.tmp"))
    bruno.delete(at("~WRL0001.tmp"))
    assert deleted(hall, "~WRL0001.tmp") == [b"first"]


def test_a_folder_to_save_by_in_which_there_is_more(hall: Hall, bruno: Client) -> None:
    folder = "note.sb-1a2b3c4d-XyZ0Ab"
    bruno.mkcol(at(folder))
    bruno.put(at(f"{folder}/note"), b"second")
    bruno.move(at("note"), at(f"{folder}/old"))
    bruno.delete(at(folder))
    (entry,) = trash(hall)
    assert bruno.list(f"/history/conseil/trash/{entry}/".replace(" ", "%20")) == ["note", "old"]


def test_nothing_that_passed_is_lost(hall: Hall, bruno: Client) -> None:
    """It is not in the trash, but at its moment it is there."""
    bruno.put(at("~WRA0001.tmp"), b"what was not saved yet")
    at_work = hall.now
    hall.later(seconds=1)
    bruno.delete(at("~WRA0001.tmp"))
    assert trash(hall) == []
    source = history(at_work, "~WRA0001.tmp")
    assert bruno.copy(source, at("saved")).status == 201
    assert bruno.get(at("saved")).body == b"what was not saved yet"


def test_a_save_is_rewound_whole(hall: Hall, bruno: Client) -> None:
    before = hall.now
    hall.later(seconds=1)
    bruno.put(at("~WRD0001.tmp"), b"second")
    bruno.move(at("note"), at("~WRL0001.tmp"))
    bruno.move(at("~WRD0001.tmp"), at("note"))
    bruno.delete(at("~WRL0001.tmp"))
    hall.later(minutes=5)
    rewind.rewind(hall.app.documents, CONSOLE, Order("conseil", before))
    assert hall.documents("conseil") == {"note": b"first"}
    assert colour(bruno, at("note")) == "red"
    assert versions(hall, "note") == [b"second"]


@pytest.mark.parametrize("backup", ["", "note~"])
def test_what_followed_stands_for_a_version_that_is_freed(
    hall: Hall, bruno: Client, backup: str
) -> None:
    moments = []
    for content in (b"1", b"2", b"3"):
        hall.later(seconds=30)
        bruno.put(at("new"), content)
        if backup:
            bruno.move(at("note"), at(backup))
        else:
            bruno.delete(at("note"))
        bruno.move(at("new"), at("note"))
        bruno.delete(at("note~"))
        moments.append((hall.now + timedelta(seconds=1), content))
    hall.later(days=9)
    documents, settings = hall.app.documents, hall.settings
    retention.run(documents, settings.retention, settings.zone, CONSOLE)
    assert versions(hall, "note") == [b"first"]
    for moment, _ in moments:
        assert bruno.get(history(moment, "note")).body == b"3"


# Locks


@pytest.mark.parametrize("backup", ["", "note~"])
def test_the_lock_is_back_with_the_next_version(
    hall: Hall, bruno: Client, carla: Client, backup: str
) -> None:
    token = bruno.lock(at("note"), timeout="Second-600").token
    hall.later(seconds=1)
    if backup:
        bruno.move(at("note"), at(backup), if_=f"({token})")
    else:
        bruno.delete(at("note"), if_=f"({token})")
    # As long as nothing is there, nothing is locked; but who comes back may show the token.
    assert bruno.put(at("note"), b"second", if_=f"({token})").status == 201
    assert tokens(carla, at("note")) == [token]
    assert carla.put(at("note"), b"third").status == 423
    assert carla.lock(at("note")).status == 423
    assert bruno.put(at("note"), b"third", if_=f"({token})").status == 204
    # Its holder may believe that it is gone, as it should be.
    assert bruno.put(at("note"), b"fourth").status == 204
    hall.later(seconds=601)
    assert carla.put(at("note"), b"fifth").status == 204


def test_who_believes_it_gone_locks_anew(hall: Hall, bruno: Client, carla: Client) -> None:
    first = bruno.lock(at("note")).token
    hall.later(seconds=1)
    bruno.delete(at("note"), if_=f"({first})")
    assert bruno.put(at("note"), b"second").status == 201
    second = bruno.lock(at("note")).token
    assert tokens(bruno, at("note")) == [second]
    # That one is as good as any.
    assert bruno.put(at("note"), b"third").status == 423
    assert bruno.lock(at("note")).status == 423
    assert bruno.put(at("note"), b"third", if_=f"({first})").status == 412
    assert bruno.unlock(at("note"), second).status == 204
    assert carla.put(at("note"), b"third").status == 204


def test_a_lock_of_an_unmapped_name_is_the_only_one(hall: Hall, bruno: Client) -> None:
    first = bruno.lock(at("note")).token
    hall.later(seconds=1)
    bruno.move(at("note"), at("note~"), if_=f"({first})")
    reply = bruno.lock(at("note"))
    assert reply.status == 201
    assert tokens(bruno, at("note")) == [reply.token]
    assert bruno.put(at("note"), b"second", if_=f"({reply.token})").status == 204
    assert (versions(hall, "note"), colour(bruno, at("note"))) == ([b"first"], "red")


def test_no_lock_is_back_where_somebody_has_locked_since(
    hall: Hall, bruno: Client, carla: Client
) -> None:
    bruno.mkcol(at("folder"))
    bruno.put(at("folder/note"), b"first")
    hall.later(seconds=1)
    token = bruno.lock(at("folder/note")).token
    bruno.delete(at("folder/note"), if_=f"({token})")
    shared = bruno.lock(at("folder"), scope="shared", depth="infinity").token
    carla.lock(at("folder"), scope="shared", depth="infinity")
    hall.later(seconds=1)
    condition = f"<{at('folder')}> ({shared})"
    assert bruno.put(at("folder/note"), b"second", if_=condition).status == 201
    assert token not in tokens(bruno, at("folder/note"))


def test_no_lock_is_back_that_has_expired(hall: Hall, bruno: Client) -> None:
    token = bruno.lock(at("note"), timeout="Second-10").token
    bruno.delete(at("note"), if_=f"({token})")
    hall.later(seconds=10)
    bruno.put(at("note"), b"second")
    assert versions(hall, "note") == [b"first"]
    assert tokens(bruno, at("note")) == []


def test_nobody_elses_lock_is_back(hall: Hall, bruno: Client, carla: Client) -> None:
    """Others may share a lock with who saves; theirs ended when the document was deleted."""
    own = bruno.lock(at("note"), scope="shared").token
    carla.lock(at("note"), scope="shared")
    bruno.delete(at("note"), if_=f"({own})")
    bruno.put(at("note"), b"second")
    assert tokens(carla, at("note")) == [own]
