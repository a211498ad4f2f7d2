from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import Connection, Engine, event, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from chatapp.errors import ChatError, Conflict
from chatapp.signals import Signals
from chatapp.storage.committer import MAX_DEADLOCKS, Committer
from chatapp.storage.submissions import Submission
from chatapp.storage.transaction import Transaction
from chatapp.storage.watermarks import Watermarks
from tests.unit.storage.changes import AddNote, failing_commits, list_notes, note_added, notes, notes_engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with notes_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
def watermarks(tmp_path: Path) -> Watermarks:
    watermarks = Watermarks(tmp_path / "watermarks.bin")
    watermarks.replace("label", {})
    return watermarks


@pytest.fixture
def committer(engine: Engine, watermarks: Watermarks) -> Committer:
    return Committer(engine, Signals(), watermarks, lock=lambda _session, _keys: None)


def test_a_batch_is_one_transaction(engine: Engine, committer: Committer):
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)
    submissions = [Submission(AddNote(name)) for name in ("one", "two", "three")]
    signals = committer.commit(submissions)
    assert len(commits) == 1
    assert [submission.result for submission in submissions] == ["stored one", "stored two", "stored three"]
    assert [(deferred.signal, deferred.payload) for deferred in signals] == [
        (note_added, "one"),
        (note_added, "two"),
        (note_added, "three"),
    ]


def test_a_rejected_change_leaves_the_others(engine: Engine, committer: Committer):
    submissions = [Submission(AddNote(name)) for name in ("one", "bad", "two")]
    committer.commit(submissions)
    assert list_notes(engine) == ["one", "two"]
    assert [type(submission.error) for submission in submissions] == [type(None), Conflict, type(None)]


def test_a_change_that_breaks_its_batch_fails_alone(engine: Engine, committer: Committer):
    submissions = [Submission(AddNote(name)) for name in ("one", "broken", "two")]
    signals = committer.commit(submissions)
    assert list_notes(engine) == ["one", "two"]
    assert [type(submission.error) for submission in submissions] == [type(None), ValueError, type(None)]
    assert [deferred.payload for deferred in signals] == ["one", "two"]


def test_a_function_that_fails_is_undone_with_its_signals(engine: Engine, committer: Committer):
    def add_twice(transaction: Transaction) -> None:
        transaction.send_on_commit(note_added, "twice")
        for _ in range(2):
            transaction.session.execute(insert(notes).values(text="twice"))

    submissions = [Submission(AddNote("one")), Submission(add_twice), Submission(AddNote("two"))]
    signals = committer.commit(submissions)
    assert list_notes(engine) == ["one", "two"]
    assert isinstance(submissions[1].error, IntegrityError)
    assert [deferred.payload for deferred in signals] == ["one", "two"]


def test_changes_that_may_run_last_do_not_separate_the_others(committer: Committer):
    batches: list[list[str]] = []

    class Record(AddNote):
        @classmethod
        def apply_batch(cls, transaction: Transaction, changes: Sequence[Any]) -> Sequence[str | ChatError]:
            batches.append([change.text for change in changes])
            return super().apply_batch(transaction, changes)

    class RecordLast(Record):
        runs_last = True

    committer.commit([Submission(Record("one")), Submission(RecordLast("last")), Submission(Record("two"))])
    assert batches == [["one", "two"], ["last"]]


def test_a_commit_that_fails_raises_and_stores_nothing(engine: Engine, committer: Committer):
    committer.commit([Submission(AddNote("before"))])
    with failing_commits(engine), pytest.raises(OperationalError):
        committer.commit([Submission(AddNote("during"))])
    committer.commit([Submission(AddNote("after"))])
    assert list_notes(engine) == ["before", "after"]


def test_the_watermarks_of_a_committed_batch_are_recorded(engine: Engine, committer: Committer, watermarks: Watermarks):
    def mark(transaction: Transaction) -> None:
        transaction.watermarks[3] = 7

    def mark_and_fail(transaction: Transaction) -> None:
        transaction.watermarks |= {3: 8, 4: 1}
        raise ValueError

    committer.commit([Submission(mark), Submission(mark_and_fail)])
    assert watermarks.read() == ("label", {3: 7})
    with failing_commits(engine), pytest.raises(OperationalError):
        committer.commit(
            [Submission(AddNote("one")), Submission(lambda transaction: transaction.watermarks.update({3: 9}))]
        )
    assert watermarks.read() == ("label", {3: 7})


def test_a_commit_whose_outcome_is_unknown_records_no_watermarks(
    engine: Engine, committer: Committer, watermarks: Watermarks
):
    # The next commit may be of other changes. Marks of what the database lacks would look like a restored backup.
    failures = iter([OperationalError("COMMIT", None, Exception("server closed"), connection_invalidated=True)])

    def fail_once(_connection: Connection) -> None:
        for error in failures:
            raise error

    event.listen(engine, "commit", fail_once)
    uncertain = Submission(lambda transaction: transaction.watermarks.update({3: 9}))
    committer.commit([Submission(AddNote("one")), uncertain])
    assert uncertain.is_uncertain
    assert list_notes(engine) == ["one"], "what has a key was repeated"
    assert watermarks.read() == ("label", {})


def read_notes(session: Session) -> None:
    session.execute(select(notes))


def test_the_probe_raises_while_commits_fail(engine: Engine, committer: Committer):
    with failing_commits(engine), pytest.raises(OperationalError):
        committer.commit_probe(read_notes)
    committer.commit_probe(read_notes)


def test_a_statement_that_sqlite_cannot_execute_is_an_error_and_no_outage(engine: Engine, committer: Committer):
    # The commit after it would succeed: its changes would wait in the spool for ever.
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE notes RENAME COLUMN text TO other"))
    submissions = [Submission(AddNote("one")), Submission(lambda _transaction: "other work")]
    committer.commit(submissions)
    assert isinstance(submissions[0].error, ProgrammingError)
    assert submissions[1].result == "other work"


class Deadlock:
    """A change that ends in a deadlock so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self, _transaction: Transaction) -> str:
        if self.times:
            self.times -= 1
            raise OperationalError("UPDATE", None, DeadlockDetected("deadlock detected"))
        return "done"


def test_a_batch_is_applied_again_after_a_deadlock(engine: Engine, committer: Committer):
    submissions = [Submission(AddNote("one")), Submission(Deadlock(MAX_DEADLOCKS)), Submission(AddNote("two"))]
    signals = committer.commit(submissions)
    assert list_notes(engine) == ["one", "two"]
    assert [submission.result for submission in submissions] == ["stored one", "done", "stored two"]
    assert [deferred.payload for deferred in signals] == ["one", "two"]


def test_a_batch_that_always_ends_in_a_deadlock_stores_nothing(engine: Engine, committer: Committer):
    with pytest.raises(OperationalError):
        committer.commit([Submission(AddNote("one")), Submission(Deadlock(MAX_DEADLOCKS + 1))])
    assert list_notes(engine) == []


def test_the_time_of_a_commit_that_has_not_ended_is_known(committer: Committer):
    seconds: list[float] = []
    committer.commit([Submission(lambda _transaction: seconds.append(committer.running_seconds))])
    assert seconds[0] > 0
    assert committer.running_seconds == 0
