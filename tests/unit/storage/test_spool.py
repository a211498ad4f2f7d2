import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from chatapp import sqlite
from chatapp.storage.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "spool.sqlite3")) as spool:
        yield spool


def add(spool: Spool, *names: str) -> None:
    spool.add((name, 1, {"content": name}) for name in names)


def contents(spool: Spool) -> list[object]:
    return [entry.parse()["content"] for entry in spool.list_pending()]


def test_reading_creates_no_file(tmp_path: Path):
    spool = Spool(tmp_path / "spool.sqlite3")
    assert spool.list_pending() == spool.list_rejected() == []
    assert not (tmp_path / "spool.sqlite3").exists()


def test_only_the_owner_can_read_the_file(spool: Spool, tmp_path: Path):
    add(spool, "one")
    assert stat.S_IMODE((tmp_path / "spool.sqlite3").stat().st_mode) == 0o600


def test_entries_survive_the_process_in_their_order(spool: Spool, tmp_path: Path):
    add(spool, "b", "a")
    add(spool, "c")
    with closing(Spool(tmp_path / "spool.sqlite3")) as next_process:
        assert contents(next_process) == ["b", "a", "c"]


def test_an_entry_is_stored_once_for_each_key(spool: Spool):
    add(spool, "one", "one", "two")
    add(spool, "two")
    spool.add([("one", 2, {"content": "one of another sender"})])
    assert contents(spool) == ["one", "two", "one of another sender"]


def test_listing_returns_the_oldest_entries_up_to_the_limit(spool: Spool):
    add(spool, "one", "two", "three")
    assert [entry.parse()["content"] for entry in spool.list_pending(2)] == ["one", "two"]


def test_removed_entries_are_gone(spool: Spool):
    add(spool, "one", "two")
    first, _ = spool.list_pending()
    spool.remove([first.id])
    assert contents(spool) == ["two"]


def test_a_rejected_entry_is_kept_with_its_reason_until_it_is_retried(spool: Spool):
    add(spool, "one", "two")
    spool.reject(spool.list_pending()[0].id, "The room is archived.")
    assert contents(spool) == ["two"]
    (rejected,) = spool.list_rejected()
    assert (rejected.parse()["content"], rejected.rejected) == ("one", "The room is archived.")
    assert spool.retry_rejected() == 1
    assert contents(spool) == ["one", "two"]
    assert spool.list_rejected() == []


def test_nothing_is_stored_when_adding_fails(spool: Spool, monkeypatch: pytest.MonkeyPatch):
    def fail(_name: str) -> None:
        raise sqlite.OperationalError("disk is full")

    add(spool, "one")
    monkeypatch.setattr("chatapp.storage.spool.failpoint", fail)
    with pytest.raises(sqlite.OperationalError):
        add(spool, "two", "three")
    monkeypatch.undo()
    assert contents(spool) == ["one"]
    add(spool, "four")
    assert contents(spool) == ["one", "four"]


def test_a_spool_belongs_to_one_process_until_that_closes_it(spool: Spool, tmp_path: Path):
    with closing(Spool(tmp_path / "spool.sqlite3")) as other:
        assert spool.claim()
        assert spool.claim()
        assert not other.claim()
        spool.close()
        assert other.claim()


def test_the_spools_of_processes_that_are_gone_can_be_claimed_once(tmp_path: Path):
    own, other, running = (Spool(tmp_path / f"spool-{number}.sqlite3") for number in (0, 1, 2))
    gone, empty = (Spool(tmp_path / f"spool-{number}.sqlite3") for number in (5000, 5001))
    for spool in (own, running, gone):
        add(spool, f"of {spool.name}")
    add(empty, "drained")
    empty.remove([1])
    for spool in (own, other, running):
        assert spool.claim()
    (orphan,) = own.claim_orphans()
    assert contents(orphan) == ["of spool-5000"]
    assert list(other.claim_orphans()) == []
    orphan.close()
    (orphan,) = other.claim_orphans()
    for spool in (own, other, running, gone, empty, orphan):
        spool.close()


def test_a_spool_that_cannot_be_read_is_reported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("chatapp.storage.spool.log", structlog.get_logger())
    (tmp_path / "spool-1.sqlite3").write_bytes(b"no database" * 1_000)
    with closing(Spool(tmp_path / "spool-0.sqlite3")) as spool, capture_logs() as lines:
        assert list(spool.claim_orphans()) == list(spool.claim_orphans()) == []
    assert [line["spool"] for line in lines] == ["spool-1"]
