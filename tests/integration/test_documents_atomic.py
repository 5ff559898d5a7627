"""Each verb wholly or not at all, whatever happens between any two things it asks of the system.

What it asks is enumerated by letting it run once (see mortal.py). Then it runs again and again,
and each time the process is killed, or the system refuses, at another one of them.
"""

from __future__ import annotations

import errno
import os
import random
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from acl.journal import Act
from tests.integration import lasting
from tests.integration.documents_client import at, href, plant, town
from tests.integration.mortal import COMMIT, Call, Fate, Killed, System
from tests.integration.replay import Moment, Stage, State, one_database
from tests.integration.verbs import CASES, Case, furnish
from tests.server.postgres import Postgres


@pytest.fixture(scope="module", autouse=True)
def volatile() -> Iterator[None]:
    """The power does not fail here; it is asked for all the same, and counted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


class Play:
    """A case on a stage, to be played again and again from the same moment.

    `before` and `after` are the states around it. `calls` is what it asks of the system when
    nothing befalls it, and `commit` the number of the one that decides. `status` is that of the
    last reply, 0 if there was none.
    """

    def __init__(self, stage: Stage, base: Moment, case: Case) -> None:
        self.stage = stage
        self.hall = stage.hall
        self.case = case
        self.status = 0
        self.begin(base)
        for deed in case.before:
            assert deed(self.hall) < 300
        self.moment = stage.keep()
        self.begin()
        self.before = self.state()
        self.system = self.run()
        assert self.status < 300
        self.after = self.state()
        assert self.after.acts == self.before.acts + case.noted
        self.calls = self.system.calls
        *_, self.commit = [n for n, call in enumerate(self.calls, 1) if call.what == COMMIT]

    def begin(self, moment: Moment | None = None) -> None:
        """Put everything back, and start a process."""
        self.stage.put_back(moment or self.moment)
        self.hall.restart()

    def run(self, *fates: Fate, again: bool = False, recorded: bool = True) -> System:
        """Do it, and suffer these fates. Not `recorded`: there is no room for the journal's row."""
        self.status = 0
        chance = random.Random(again)
        system = self.system_with(*fates)
        with pytest.MonkeyPatch.context() as patch, system.watched(), suppress(Killed):
            # Chance decides which directories of history are there already.
            patch.setattr(secrets, "token_hex", lambda count: chance.randbytes(count).hex())
            if not recorded:
                patch.setattr(Act, "record", no_room)
            self.status = self.case.deed(self.hall)
        return system

    def restart(self, *fates: Fate) -> System:
        """Start another process, which may suffer fates as well."""
        system = self.system_with(*fates)
        with system.watched(), suppress(Killed):
            self.hall.restart()
        return system

    def system_with(self, *fates: Fate) -> System:
        return System(self.hall.store.data, fates, self.case.lacking)

    def state(self) -> State:
        return self.stage.state(self.moment)

    def decided(self) -> State:
        """The state that it must come to: it has been done if the journal says so."""
        if self.case.noted:
            return self.before if self.hall.journal_size() == self.before.acts else self.after
        return self.before if self.state() == self.before else self.after

    def ends_as(self, expected: State) -> None:
        """A day later nothing is left over."""
        self.stage.a_day_later()
        assert not self.state().unlike(expected)
        if expected is self.after or not self.case.untidy:
            self.hall.consistent()

    def can_be_done(self) -> None:
        """What has not been done can be."""
        self.run(again=True)
        assert self.status < 300
        assert not self.state().unlike(self.after)


def no_room(*arguments: object, **options: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def kills(calls: Sequence[Call]) -> Iterator[Fate]:
    """Right before each call, and in the middle of those that have one."""
    for number, call in enumerate(calls, 1):
        # The first thing ever is that the device is noted to be in use.
        if number > 1 or call.what != COMMIT:
            yield Fate(number)
            if call.divisible:
                yield Fate(number, halfway=True)


def refusals(calls: Sequence[Call]) -> Iterator[Fate]:
    """A full disk where more room is needed, and one that fails where it is not."""
    for fate in kills(calls):
        call = calls[fate.number - 1]
        if call.what == COMMIT:
            yield Fate(fate.number, fate.halfway, errno.EIO)
            yield Fate(fate.number, fate.halfway, errno.ENOSPC)
        else:
            grows = call.divisible or call.what in ("link", "mkdir", "open", "rename")
            yield Fate(fate.number, fate.halfway, errno.ENOSPC if grows else errno.EIO)


STATUS = {errno.ENOSPC: 507, errno.EIO: 503}


def set_up(directory: Path, url: str) -> Iterator[Stage]:
    for hall in town(directory / "data", url):
        furnish(hall)
        with one_database(hall):
            yield Stage(hall, directory)
            # `town` looks whether it is consistent at the end.
            hall.restart()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("stage")
    yield from set_up(directory, f"sqlite:///{directory}/davserver.db")


@pytest.fixture(scope="module")
def base(stage: Stage) -> Moment:
    return stage.keep()


@pytest.fixture(scope="module", params=CASES)
def verb(request: pytest.FixtureRequest, stage: Stage, base: Moment) -> Iterator[Play]:
    play = Play(stage, base, CASES[request.param])
    yield play
    stage.forget(play.moment)


def test_nothing_is_changed_unnoticed(verb: Play) -> None:
    assert verb.system.heard == verb.system.to_be_heard()


def test_a_power_failure_does_no_more_than_a_kill(verb: Play) -> None:
    lasting.check(verb.calls)


def test_killed_anywhere_it_has_been_done_or_has_never_been(verb: Play) -> None:
    for fate in kills(verb.calls):
        verb.begin()
        assert verb.run(fate).dead
        expected = verb.decided()
        committed = (fate.number, fate.halfway) > (verb.commit, False)
        assert committed == (expected is verb.after) or not verb.case.noted
        verb.hall.restart()
        assert not verb.state().unlike(expected), fate
        verb.ends_as(expected)
        if expected is verb.before:
            verb.can_be_done()


@pytest.mark.parametrize(
    "verb", [name for name, case in CASES.items() if case.noted], indirect=True
)
def test_a_failure_after_the_last_step_leaves_everything_as_it_was(verb: Play) -> None:
    verb.begin()
    calls = verb.run(recorded=False).calls
    assert verb.status == 507
    assert not verb.state().unlike(verb.before)
    lasting.check(calls)
    verb.ends_as(verb.before)
    verb.can_be_done()


def test_whatever_the_disk_refuses_it_has_been_done_or_has_never_been(verb: Play) -> None:
    for fate in refusals(verb.calls):
        verb.begin()
        verb.run(fate)
        expected = verb.decided()
        assert not verb.state().unlike(expected), fate
        # A commit may have been made and nobody be told.
        told = expected is verb.after and fate.number != verb.commit
        assert verb.status < 300 if told else verb.status == STATUS[fate.code], (fate, verb.status)
        verb.ends_as(expected)


# Each kind of step, once.
STEPS = (
    "put over a document",
    "put over a document, without links",
    "put where a backup was moved from",
    "put where a backup was moved from, without links",
    "set the time of modification",
    "delete the folder that was saved by",
    "move over a folder",
    "move a restricted folder to another space",
    "restore over a document",
    "rewind folders that changed places",
    "rewind a folder that went into what was in it",
    "free what history has kept",
)


@pytest.mark.parametrize("verb", STEPS, indirect=True)
def test_killed_anywhere_it_is_settled_by_a_process_that_goes_on(verb: Play) -> None:
    def go_on() -> None:
        for slug in ("conseil", "projet"):
            reply = verb.hall.client("chloe").put(href(slug, "other.txt"), b"other")
            assert reply.status == 201

    verb.begin()
    go_on()
    before = verb.state()
    verb.begin()
    verb.run()
    go_on()
    after = verb.state()
    for fate in kills(verb.calls):
        verb.begin()
        other = verb.hall.process()
        verb.run(fate)
        if not any(verb.hall.store.intents.iterdir()):
            # There is nothing to settle.
            continue
        expected = before if verb.decided() is verb.before else after
        verb.hall.app = other
        go_on()
        assert not verb.state().unlike(expected), fate


# What makes it fail when it is almost done: the last step, what follows on the steps, the commit.
FAILING = ("step", "record", "commit")


@pytest.mark.parametrize("verb", STEPS, indirect=True)
@pytest.mark.parametrize("failing", FAILING)
def test_killed_while_it_is_undone_it_has_never_been(verb: Play, failing: str) -> None:
    number, recorded = verb.commit - (failing != "commit"), failing != "record"
    refused = (Fate(number, code=errno.ENOSPC),) if recorded else ()
    verb.begin()
    calls = verb.run(*refused, recorded=recorded).calls
    assert verb.status == 507
    assert not verb.state().unlike(verb.before)
    lasting.check(calls)
    for later in range(number + 1, len(calls) + 1):
        for fate in (Fate(later), Fate(later, code=errno.EIO)):
            verb.begin()
            verb.run(*refused, fate, recorded=recorded)
            assert verb.status in (0, 503, 507)
            verb.hall.restart()
            assert not verb.state().unlike(verb.before), fate
            verb.ends_as(verb.before)


@pytest.mark.parametrize("verb", STEPS, indirect=True)
@pytest.mark.parametrize("committed", [False, True], ids=["undone", "finished"])
def test_killed_while_it_is_settled_it_is_settled_by_the_next_start(
    verb: Play, committed: bool
) -> None:
    expected = verb.after if committed else verb.before
    verb.begin()
    verb.run(Fate(verb.commit, halfway=committed))
    killed = verb.stage.keep()
    intents = [f"staging/intents/{file.name}" for file in verb.hall.store.intents.iterdir()]
    verb.stage.put_back(killed)
    calls = verb.restart().calls
    lasting.check(calls, intents)
    for fate in kills(calls):
        verb.stage.put_back(killed)
        assert verb.restart(fate).dead
        verb.hall.restart()
        assert not verb.state().unlike(expected), fate
        verb.ends_as(expected)
    verb.stage.forget(killed)


# On PostgreSQL, where the disk's side is the same


@pytest.fixture(scope="module")
def postgres_stage(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> Iterator[tuple[Stage, Moment]]:
    for stage in set_up(tmp_path_factory.mktemp("stage"), postgres.create_database()):
        yield stage, stage.keep()


@pytest.mark.parametrize("name", STEPS)
def test_on_postgresql_as_well(postgres_stage: tuple[Stage, Moment], name: str) -> None:
    verb = Play(*postgres_stage, CASES[name])
    around = range(verb.commit - 2, verb.commit + 2)
    fates = [fate for fate in kills(verb.calls) if fate.number in around]
    fates += [Fate(verb.commit, halfway, errno.EIO) for halfway in (False, True)]
    for fate in fates:
        verb.begin()
        verb.run(fate)
        expected = verb.decided()
        if not fate.code:
            verb.hall.restart()
        assert not verb.state().unlike(expected), fate
        verb.ends_as(expected)
    verb.stage.forget(verb.moment)


# Below the disk


def test_a_database_that_is_busy_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*arguments: object, **options: object) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("database is locked"))

    for hall in town(tmp_path / "data", f"sqlite:///{tmp_path}/davserver.db"):
        plant(hall.client("bruno"))
        before = hall.snapshot()
        with monkeypatch.context() as patch:
            patch.setattr("acl.spaces.charge", busy)
            client = hall.client("bruno")
            reply = client.request("PUT", at("new.txt"), b"new", unavailable=True)
        assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
        assert hall.snapshot() == before
