import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from chatapp import sqlite
from chatapp.concurrency.supervision import Supervisor
from chatapp.errors import Unavailable
from chatapp.signals import Signals
from chatapp.storage import probe, spooler
from chatapp.storage.signals import Backlog, backlog_changed
from chatapp.storage.spool import Spool
from chatapp.storage.transaction import Transaction
from chatapp.storage.watermarks import Watermarks
from chatapp.storage.writer import Writer
from tests.unit.storage.changes import AddNote, failing_commits, list_notes, note_added, notes, notes_engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with notes_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
def signals() -> Signals:
    return Signals()


@pytest.fixture
def new_writer(engine: Engine, signals: Signals, tmp_path: Path) -> Iterator[Callable[..., Writer]]:
    writers: list[Writer] = []

    def create(spool_name: str = "spool") -> Writer:
        writer = Writer(
            engine,
            Spool(tmp_path / f"{spool_name}.sqlite3"),
            Supervisor(),
            signals,
            Watermarks(tmp_path / "watermarks.bin"),
            spoolable_class=AddNote,
            probe=lambda session, _pending: session.execute(select(notes)),
            lock=lambda _session, _keys: None,
            max_batch=10,
            max_queued=10,
            max_spooled=10,
        )
        writers.append(writer)
        return writer

    yield create
    for writer in writers:
        writer.stop(5)


@contextmanager
def spool_of_another_process(folder: Path) -> Iterator[Spool]:
    """A spool in which a note of the first sender waits."""
    with closing(Spool(folder / "spool-1.sqlite3")) as spool:
        assert spool.claim()
        spool.add([("one", 1, {"text": "one"})])
        yield spool


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_change_is_stored_when_submit_returns(engine: Engine, new_writer: Callable[[], Writer]):
    assert new_writer().submit(AddNote("one")) == "stored one"
    assert list_notes(engine) == ["one"]


def test_a_submitter_is_called_when_its_change_is_stored_and_before_the_signals_are_sent(
    engine: Engine, new_writer: Callable[[], Writer], signals: Signals
):
    log: list[str] = []
    signals.connect(note_added, lambda text: log.append(f"signal {text}"))
    writer = new_writer()
    writer.submit_and_call(AddNote("one"), lambda submission: log.append(f"{submission.get()}: {list_notes(engine)}"))
    wait_until(lambda: len(log) == 2)
    assert log == ["stored one: ['one']", "signal one"]


def test_an_outage_spools_changes_and_ends_with_all_of_them_stored(
    engine: Engine, new_writer: Callable[[], Writer], signals: Signals
):
    backlogs: list[Backlog] = []
    signals.connect(backlog_changed, backlogs.append)
    writer = new_writer()
    with failing_commits(engine):
        assert writer.submit(AddNote("b")) == "pending b"
        assert writer.submit(AddNote("a")) == "pending a"
        with pytest.raises(Unavailable):
            writer.submit(AddNote("c", is_spoolable=False))
        assert writer.list_pending() == ["pending b", "pending a"]
        assert writer.backlog.since is not None
    wait_until(lambda: writer.backlog == Backlog(0, None))
    assert list_notes(engine) == ["b", "a"]
    assert writer.submit(AddNote("d")) == "stored d"
    assert [backlog.waiting for backlog in backlogs] == [1, 2, 2, 0]


def test_signals_of_drained_changes_come_before_those_of_later_changes(
    engine: Engine, new_writer: Callable[[], Writer], signals: Signals
):
    received: list[str] = []
    signals.connect(note_added, received.append)
    writer = new_writer()
    with failing_commits(engine):
        writer.submit(AddNote("spooled"))
    wait_until(lambda: writer.backlog.since is None)
    writer.submit(AddNote("later"))
    assert received == ["spooled", "later"]


def test_the_spool_of_an_earlier_process_is_drained_at_start(
    engine: Engine, new_writer: Callable[[], Writer], tmp_path: Path
):
    with closing(Spool(tmp_path / "spool.sqlite3")) as spool:
        spool.add([("one", 1, {"text": "one"})])
    new_writer().start(load_spool=True)
    wait_until(lambda: list_notes(engine) == ["one"])


def test_the_spool_of_the_process_that_is_replaced_is_loaded_when_that_has_ended(
    engine: Engine, new_writer: Callable[[], Writer], tmp_path: Path
):
    with closing(Spool(tmp_path / "spool.sqlite3")) as replaced:
        assert replaced.claim()
        replaced.add([("one", 1, {"text": "one"})])
        writer = new_writer()
        writer.start(load_spool=True)
        writer.submit(AddNote("of somebody else", sender_id=2))
        with pytest.raises(Unavailable, match="Earlier messages are being stored"):
            writer.submit(AddNote("two"))
        assert list_notes(engine) == ["of somebody else"]
    writer.check_spool()
    wait_until(lambda: list_notes(engine) == ["of somebody else", "one"])
    assert writer.submit(AddNote("two")) == "stored two"


def test_the_spool_of_a_process_that_is_gone_is_drained_at_start_and_by_checks(
    engine: Engine, new_writer: Callable[[], Writer], tmp_path: Path
):
    with closing(Spool(tmp_path / "spool-1.sqlite3")) as gone:
        gone.add([("one", 1, {"text": "one"})])
    writer = new_writer()
    writer.start(load_spool=True)
    wait_until(lambda: list_notes(engine) == ["one"])
    # A check of the writer may run: it must not find a spool that is being created without its process.
    with closing(Spool(tmp_path / "created.sqlite3")) as gone:
        gone.add([("two", 1, {"text": "two"})])
    (tmp_path / "created.sqlite3").rename(tmp_path / "spool-2.sqlite3")
    writer.check_spool()
    wait_until(lambda: list_notes(engine) == ["one", "two"])


def test_what_one_person_spooled_in_two_processes_is_stored_in_its_order(
    engine: Engine, new_writer: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(probe, "DELAYS_SECONDS", (0.01, 0.1))
    writers = [new_writer(name) for name in ("spool-0", "spool-1")]
    for writer in writers:
        writer.start(load_spool=True)
    texts = [f"{9 - number}" for number in range(10)]
    with failing_commits(engine):
        for number, text in enumerate(texts):
            assert writers[number % 2].submit(AddNote(text)) == f"pending {text}"
    wait_until(lambda: all(writer.backlog == Backlog(0, None) for writer in writers))
    assert list_notes(engine) == texts


def test_a_sender_in_the_spool_of_another_process_waits_for_it_and_nobody_else_does(
    engine: Engine, new_writer: Callable[..., Writer], tmp_path: Path
):
    writer = new_writer("spool-0")
    writer.start(load_spool=True)
    with spool_of_another_process(tmp_path) as other:
        assert writer.submit(AddNote("two")) == "pending two"
        assert writer.submit(AddNote("of somebody else", sender_id=2)) == "stored of somebody else"
        assert writer.submit(AddNote("three")) == "pending three"
        assert writer.backlog == Backlog(2, None)
        assert list_notes(engine) == ["of somebody else"]
        other.remove([1])
    wait_until(lambda: writer.backlog == Backlog(0, None))
    assert list_notes(engine) == ["of somebody else", "two", "three"]
    assert writer.submit(AddNote("four")) == "stored four"


def test_an_outage_is_detected_while_all_that_is_submitted_waits_for_another_process(
    engine: Engine, new_writer: Callable[..., Writer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(spooler, "MAX_WAITING", 1)
    writer = new_writer("spool-0")
    writer.start(load_spool=True)
    with spool_of_another_process(tmp_path) as other:
        with failing_commits(engine):
            assert writer.submit(AddNote("two")) == "pending two"
            wait_until(lambda: writer.backlog.since is not None)
            assert writer.submit(AddNote("three")) == "pending three"
        other.remove([1])
    wait_until(lambda: writer.backlog == Backlog(0, None))
    assert list_notes(engine) == ["two", "three"]


def test_after_an_outage_only_senders_in_the_spool_of_a_process_that_does_not_recover_wait(
    engine: Engine, new_writer: Callable[..., Writer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(probe, "DELAYS_SECONDS", (0.01, 0.1))
    writer = new_writer("spool-0")
    writer.start(load_spool=True)
    with spool_of_another_process(tmp_path) as other:
        with failing_commits(engine):
            assert writer.submit(AddNote("two")) == "pending two"
            assert writer.submit(AddNote("of somebody else", sender_id=2)) == "pending of somebody else"
        wait_until(lambda: writer.backlog == Backlog(1, None))
        assert list_notes(engine) == ["of somebody else"]
        other.remove([1])
    wait_until(lambda: writer.backlog == Backlog(0, None))
    assert list_notes(engine) == ["of somebody else", "two"]


def test_a_process_whose_clock_is_ahead_does_not_change_the_order(
    engine: Engine, new_writer: Callable[..., Writer], tmp_path: Path
):
    writer = new_writer("spool-0")
    writer.start(load_spool=True)
    with spool_of_another_process(tmp_path):
        with closing(sqlite.connect(tmp_path / "spool-1.sqlite3")) as file, file:
            an_hour_ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
            file.execute("UPDATE spooled SET spooled_at = ?", (an_hour_ahead,))
        assert writer.submit(AddNote("two")) == "pending two"
        # Were it older, the other process would wait for this one, and this one would not wait.
        assert writer.submit(AddNote("three")) == "pending three"
        assert list_notes(engine) == []
    with closing(Spool(tmp_path / "spool-0.sqlite3")) as spool:
        assert all(entry.spooled_at.isoformat() > an_hour_ahead for entry in spool.list_pending())


def test_a_command_leaves_the_spool_alone(engine: Engine, new_writer: Callable[[], Writer], tmp_path: Path):
    with closing(Spool(tmp_path / "spool.sqlite3")) as spool:
        spool.add([("one", 1, {"text": "one"})])
        new_writer().submit(AddNote("two"))
        assert list_notes(engine) == ["two"]
        assert len(spool.list_pending()) == 1


def test_a_spool_check_drains_entries_that_were_retried(
    engine: Engine, new_writer: Callable[[], Writer], tmp_path: Path
):
    writer = new_writer()
    writer.submit(AddNote("one"))
    with closing(Spool(tmp_path / "spool.sqlite3")) as spool:
        spool.add([("two", 1, {"text": "two"})])
    writer.check_spool()
    wait_until(lambda: list_notes(engine) == ["one", "two"])
    assert writer.backlog == Backlog(0, None)


def test_an_unreadable_spool_does_not_affect_changes(engine: Engine, new_writer: Callable[[], Writer], tmp_path: Path):
    (tmp_path / "spool.sqlite3").write_bytes(b"no database" * 1_000)
    writer = new_writer()
    writer.start(load_spool=True)
    assert writer.submit(AddNote("one")) == "stored one"
    writer.check_spool()
    assert writer.submit(AddNote("two")) == "stored two"
    with failing_commits(engine), pytest.raises(Unavailable):
        writer.submit(AddNote("three"))
    wait_until(lambda: writer.backlog.since is None)
    assert writer.submit(AddNote("four")) == "stored four"


def test_the_spool_stays_open_while_a_writer_that_was_not_stopped_in_time_uses_it(
    new_writer: Callable[[], Writer], monkeypatch: pytest.MonkeyPatch
):
    closed: list[Spool] = []
    monkeypatch.setattr(Spool, "close", lambda spool: closed.append(spool))  # noqa: PLW0108 - a method has a parameter
    has_started, may_continue = threading.Event(), threading.Event()

    def wait(_transaction: Transaction) -> None:
        has_started.set()
        may_continue.wait(10)

    writer = new_writer()
    submitter = threading.Thread(target=writer.submit, args=[wait])
    submitter.start()
    has_started.wait(10)
    writer.stop(0.1)
    assert closed == []
    may_continue.set()
    submitter.join()
    writer.stop(5)
    assert len(closed) == 1


def test_a_stopped_writer_refuses_changes(new_writer: Callable[[], Writer]):
    writer = new_writer()
    writer.submit(AddNote("one"))
    writer.stop(5)
    with pytest.raises(Unavailable):
        writer.submit(AddNote("two"))
