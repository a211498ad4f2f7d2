from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatapp import sqlite
from chatapp.concurrency.native import NativePool
from chatapp.errors import Archived, Busy, Unavailable
from chatapp.signals import Signals
from chatapp.storage.spool import Spool
from chatapp.storage.spooler import FAILURE_SECONDS, Spooler
from chatapp.storage.submissions import Submission
from chatapp.storage.transaction import DeferredSignal, Transaction
from tests.harness.clock import Clock
from tests.unit.storage.changes import AddNote, note_added, note_pending, note_rejected


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "spool.sqlite3")) as spool:
        yield spool


@pytest.fixture
def signals() -> Signals:
    return Signals()


@pytest.fixture
def spooler(spool: Spool, signals: Signals) -> Spooler:
    return Spooler(spool, signals, AddNote, NativePool("writer", threads=1), max_spooled=3)


def text_of(submission: Submission) -> str:
    assert isinstance(submission.change, AddNote)
    return submission.change.text


class Database:
    """Commits submissions as a `Committer` does, without a database."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def commit(self, submissions: Sequence[Submission]) -> list[DeferredSignal[Any]]:
        for submission in submissions:
            if text_of(submission).startswith("bad"):
                submission.error = ValueError("refused")
        self.batches.append([text_of(submission) for submission in submissions])
        return [
            DeferredSignal(note_added, text_of(submission)) for submission in submissions if submission.error is None
        ]


def spool_notes(spooler: Spooler, *texts: str) -> list[Submission]:
    submissions = [Submission(AddNote(text)) for text in texts]
    spooler.add(submissions)
    return submissions


def test_a_spooled_change_has_a_provisional_result(spooler: Spooler):
    submission = Submission(AddNote("one"))
    (signal,) = spooler.add([submission])
    assert (signal.signal, signal.payload) == (note_pending, "pending one")
    assert submission.result == "pending one"
    assert spooler.list_pending() == ["pending one"]


def test_changes_that_cannot_be_spooled_are_refused_as_unavailable(spooler: Spooler):
    def change(_transaction: Transaction) -> None:
        """Do nothing."""

    submissions = [Submission(change), Submission(AddNote("one", is_spoolable=False)), Submission(AddNote("two"))]
    spooler.add(submissions)
    assert [type(submission.error) for submission in submissions] == [Unavailable, Unavailable, type(None)]
    assert len(spooler) == 1


def test_a_repeated_change_gets_the_first_result_and_sends_no_second_signal(spooler: Spooler):
    spool_notes(spooler, "one")
    submissions = [Submission(AddNote(text)) for text in ("one", "two", "two")]
    assert [signal.payload for signal in spooler.add(submissions)] == ["pending two"]
    assert [submission.result for submission in submissions] == ["pending one", "pending two", "pending two"]
    assert len(spooler) == 2


def test_a_full_spool_is_busy_but_accepts_repeated_changes(spooler: Spooler):
    spool_notes(spooler, "one", "two")
    assert spooler.accepts_changes
    spool_notes(spooler, "three")
    assert not spooler.accepts_changes
    new, repeated = spool_notes(spooler, "four", "one")
    assert isinstance(new.error, Busy)
    assert repeated.result == "pending one"


def test_a_spool_whose_file_cannot_be_written_accepts_no_changes_for_a_while(
    spooler: Spooler, spool: Spool, monkeypatch: pytest.MonkeyPatch
):
    def fail(_entries: object) -> None:
        raise OSError("the disk is full")

    clock = Clock()
    monkeypatch.setattr("chatapp.storage.spooler.time", clock)
    monkeypatch.setattr(spool, "add", fail)
    (submission,) = spool_notes(spooler, "one")
    assert isinstance(submission.error, Unavailable)
    assert not spooler.accepts_changes
    clock.now += FAILURE_SECONDS
    assert spooler.accepts_changes


def test_an_error_of_the_rolled_back_transaction_is_cleared(spooler: Spooler):
    submission = Submission(AddNote("one"))
    submission.error = ValueError("from before the commit failed")
    spooler.add([submission])
    assert submission.error is None
    assert submission.result == "pending one"


def test_nothing_is_accepted_when_the_disk_fails(spooler: Spooler, tmp_path: Path):
    (tmp_path / "spool.sqlite3").mkdir()
    (submission,) = spool_notes(spooler, "one")
    assert isinstance(submission.error, Unavailable)
    assert len(spooler) == 0


def test_draining_commits_all_entries_in_their_order(spooler: Spooler, spool: Spool):
    spool_notes(spooler, "b", "a", "c")
    database = Database()
    spooler.drain(database.commit, max_batch=2)
    assert database.batches == [["b", "a"], ["c"]]
    assert len(spooler) == 0
    assert spool.list_pending() == []


def test_a_rejected_entry_stays_in_the_spool_and_sends_a_signal(spooler: Spooler, spool: Spool, signals: Signals):
    received: list[str] = []
    for signal in (note_added, note_rejected):
        signals.connect(signal, received.append)
    spool_notes(spooler, "one", "bad", "two")
    spooler.drain(Database().commit, max_batch=10)
    assert received == ["one", "two", "internal: The message cannot be stored."]
    assert [entry.parse()["text"] for entry in spool.list_rejected()] == ["bad"]
    assert len(spooler) == 0


def test_a_rejection_reaches_clients_with_the_code_of_its_error(spooler: Spooler, signals: Signals):
    def commit(submissions: Sequence[Submission]) -> list[DeferredSignal[Any]]:
        submissions[0].error = Archived("The room is archived.")
        return []

    received: list[str] = []
    signals.connect(note_rejected, received.append)
    spool_notes(spooler, "one")
    spooler.drain(commit, max_batch=10)
    assert received == ["archived: The room is archived."]


def damage(tmp_path: Path, text: str, value: str | bytes) -> None:
    with closing(sqlite.connect(tmp_path / "spool.sqlite3")) as other, other:
        other.execute("UPDATE spooled SET entry = ? WHERE client_id = ?", (value, text))


@pytest.mark.parametrize("value", ["", "{", "[]", '{"unknown": 1}', "null", b"\xff\xfe", '{"text": "\xff'])
def test_a_damaged_entry_is_kept_as_rejected_and_the_others_are_stored(
    spooler: Spooler, spool: Spool, tmp_path: Path, value: str | bytes
):
    spool_notes(spooler, "one", "damaged", "two")
    damage(tmp_path, "damaged", value)
    database = Database()
    spooler.drain(database.commit, max_batch=10)
    assert database.batches == [["one", "two"]]
    assert [entry.id for entry in spool.list_rejected()] == [2]


def test_a_damaged_entry_does_not_prevent_the_start(spooler: Spooler, spool: Spool, tmp_path: Path):
    spool_notes(spooler, "damaged", "one")
    damage(tmp_path, "damaged", "{")
    with closing(sqlite.connect(tmp_path / "spool.sqlite3")) as other, other:
        other.execute("UPDATE spooled SET spooled_at = 'never'")
    next_process = Spooler(spool, Signals(), AddNote, NativePool("writer", threads=1), max_spooled=3)
    assert next_process.load() is not None
    assert next_process.list_pending() == ["pending one"]
    assert [entry.text for entry in spool.list_rejected()] == ["{"]


def test_entries_stay_when_the_commit_fails(spooler: Spooler, spool: Spool):
    def fail(_jobs: Sequence[Submission]) -> list[DeferredSignal[Any]]:
        raise ConnectionError

    spool_notes(spooler, "one")
    with pytest.raises(ConnectionError):
        spooler.drain(fail, max_batch=10)
    assert len(spooler) == len(spool.list_pending()) == 1


def test_pending_entries_are_loaded_by_the_next_process(spooler: Spooler, spool: Spool):
    assert spooler.load() is None
    spool_notes(spooler, "one", "two")
    next_process = Spooler(spool, Signals(), AddNote, NativePool("writer", threads=1), max_spooled=3)
    assert next_process.load() == spool.list_pending()[0].spooled_at
    assert next_process.list_pending() == ["pending one", "pending two"]


def new_spool(tmp_path: Path, name: str, *texts: str) -> Spool:
    spool = Spool(tmp_path / name)
    spool.add([(text, 1, {"text": text}) for text in texts])
    return spool


def test_the_spool_of_a_process_that_is_gone_is_drained_in_its_order(spooler: Spooler, tmp_path: Path):
    gone, running = new_spool(tmp_path, "spool-1.sqlite3", "b", "bad", "a"), new_spool(tmp_path, "spool-2.sqlite3", "c")
    with closing(running), closing(gone):
        assert running.claim()
        database = Database()
        spooler.drain(database.commit, max_batch=10, with_orphans=True)
        spooler.drain(database.commit, max_batch=10, with_orphans=True)
        assert database.batches == [["b", "bad", "a"]]
        assert [entry.parse()["text"] for entry in gone.list_rejected()] == ["bad"]
        assert gone.claim(), "the claim has been released"


def test_a_spool_that_cannot_be_drained_does_not_affect_others(
    spooler: Spooler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    spools = [new_spool(tmp_path, f"spool-{number}.sqlite3", f"{number}") for number in (1, 2)]
    remove = Spool.remove

    def fail_once(spool: Spool, ids: Sequence[int]) -> None:
        monkeypatch.setattr(Spool, "remove", remove)
        raise OSError(spool.name)

    monkeypatch.setattr(Spool, "remove", fail_once)
    database = Database()
    for _ in range(2):
        spooler.drain(database.commit, max_batch=10, with_orphans=True)
    # The second one waits for the first, which the same sender has sent before.
    assert database.batches == [["1"], ["1"], ["2"]]
    assert [len(spool.list_pending()) for spool in spools] == [0, 0]
    for spool in spools:
        spool.close()


def test_nothing_is_spooled_or_drained_while_another_process_has_the_spool(spooler: Spooler, tmp_path: Path):
    with closing(new_spool(tmp_path, "spool.sqlite3", "of the other process")) as other:
        assert other.claim()
        assert not spooler.claim()
        (submission,) = spool_notes(spooler, "one")
        assert isinstance(submission.error, Unavailable)
        database = Database()
        spooler.drain(database.commit, max_batch=10)
        assert database.batches == []


@pytest.fixture
def own_spool(tmp_path: Path) -> Iterator[Spool]:
    """A spool whose name other processes find."""
    with closing(Spool(tmp_path / "spool-0.sqlite3")) as spool:
        yield spool


@pytest.fixture
def own_spooler(own_spool: Spool, signals: Signals) -> Spooler:
    return Spooler(own_spool, signals, AddNote, NativePool("writer", threads=1), max_spooled=3)


def spool_at(spool: Spool, sender_id: int, minute: int, *texts: str) -> None:
    """Spool notes of a sender as of a time."""
    spool.add([(text, sender_id, {"text": text}) for text in texts])
    with closing(sqlite.connect(spool._path)) as other, other:
        time = f"2026-01-01T00:{minute:02}:00+00:00"
        other.executemany("UPDATE spooled SET spooled_at = ? WHERE client_id = ?", [(time, text) for text in texts])


def test_entries_wait_for_older_ones_of_the_same_sender_in_the_spool_of_another_process(
    own_spooler: Spooler, own_spool: Spool, tmp_path: Path
):
    with closing(new_spool(tmp_path, "spool-1.sqlite3")) as other:
        assert other.claim()
        spool_at(own_spool, 1, 0, "first")
        spool_at(other, 1, 1, "second")
        spool_at(other, 2, 3, "of somebody else, later")
        spool_at(own_spool, 2, 2, "of somebody else")
        spool_at(own_spool, 1, 4, "third")
        database = Database()
        own_spooler.drain(database.commit, max_batch=10, with_orphans=True)
        assert database.batches == [["first", "of somebody else"]]
        own_spooler.drain(database.commit, max_batch=10, with_orphans=True)
        other.remove([1])
        own_spooler.drain(database.commit, max_batch=10, with_orphans=True)
        assert database.batches[1:] == [["third"]]


def test_entries_that_wait_do_not_delay_those_of_other_senders(own_spooler: Spooler, own_spool: Spool, tmp_path: Path):
    with closing(new_spool(tmp_path, "spool-1.sqlite3")) as other:
        assert other.claim()
        spool_at(other, 1, 0, "first")
        spool_at(own_spool, 1, 1, "second", "third")
        spool_at(own_spool, 2, 2, "a", "b", "c")
        database = Database()
        own_spooler.drain(database.commit, max_batch=2)
        assert database.batches == [["a", "b"], ["c"]]


def test_the_entries_of_a_sender_in_several_spools_are_stored_in_their_order(
    own_spooler: Spooler, own_spool: Spool, tmp_path: Path
):
    gone, long_gone = new_spool(tmp_path, "spool-1.sqlite3"), new_spool(tmp_path, "spool-2.sqlite3")
    with closing(gone), closing(long_gone):
        for minute, each in enumerate((own_spool, gone, long_gone, own_spool, gone)):
            spool_at(each, 1, minute, str(minute))
        database = Database()
        own_spooler.drain(database.commit, max_batch=10, with_orphans=True)
        assert [text for batch in database.batches for text in batch] == ["0", "1", "2", "3", "4"]
