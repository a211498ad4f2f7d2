"""The file of reports, history and alerts, which several processes share."""

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from chatapp import sqlite
from chatapp.storage.statements import SlowStatement
from chatapp.telemetry.status.alerts import FORGOTTEN_SECONDS, PROCESS, worker_name
from chatapp.telemetry.status.figures import Figures, merge_processes
from chatapp.telemetry.status.processes import FRESH_SECONDS, ProcessReport, SystemProcess
from chatapp.telemetry.status.store import (
    DAYS,
    HALF_HOURS,
    MINUTES,
    PERIODS,
    STORE_ERRORS,
    Contents,
    Period,
    StatusStore,
    parse_report,
)

NOW = 86_400.0 * 20_000
"""The begin of a minute, a half hour and a day."""

WORKERS = tuple(
    ProcessReport(f"w{number}", worker_name(number), number, NOW - 3_600, NOW, worker=number, workers=2)
    for number in range(2)
)

FIRST = replace(WORKERS[0], workers=1, others=[], slow_statements=[])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "status.sqlite3"


@pytest.fixture
def store(path: Path) -> StatusStore:
    return StatusStore(path)


def at(report: ProcessReport, now: float) -> ProcessReport:
    return replace(report, reported_at=now)


def count_rows(path: Path, table: str) -> int:
    with closing(sqlite.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert isinstance(count, int)
    return count


def test_there_is_nothing_to_show_before_the_first_report(store: StatusStore, path: Path) -> None:
    assert store.read(MINUTES, NOW) == Contents([], {}, [])
    assert not path.exists()


def test_a_report_is_read_as_it_was_recorded(store: StatusStore) -> None:
    slow = SlowStatement("SELECT 1", "GET /", count=2, seconds=0.5, max_seconds=0.3, last_at=NOW)
    report = replace(FIRST, others=[SystemProcess("Other program", 7, 100, 0.5)], slow_statements=[slow])
    store.record(report, {})
    assert store.read(MINUTES, NOW).reports == [report]


def test_of_a_process_the_last_report_is_kept_until_it_ends(store: StatusStore) -> None:
    store.record(FIRST, {})
    store.record(last := at(FIRST, NOW + 10), {})
    assert store.read(MINUTES, NOW + 10).reports == [last]
    store.remove(FIRST.id)
    assert store.read(MINUTES, NOW + 10).reports == []


def test_a_report_is_forgotten_after_a_day(store: StatusStore) -> None:
    store.record(replace(FIRST, id="before"), {})
    store.record(last := at(FIRST, NOW + FORGOTTEN_SECONDS + 1), {})
    assert store.read(MINUTES, last.reported_at).reports == [last]


def test_a_report_of_another_version_is_read_as_far_as_it_is_known() -> None:
    values = {"id": "a", "name": "Worker 0", "pid": 1, "started_at": 1.0, "reported_at": 2.0, "more": True}
    assert parse_report(values) == ProcessReport("a", "Worker 0", 1, 1.0, 2.0, others=[], slow_statements=[])


def test_samples_become_one_row_of_each_interval(store: StatusStore) -> None:
    for second in range(0, 1_900, 10):
        store.record(at(FIRST, NOW + second), {"messages": 1, "memory_bytes": second, "ack_seconds": [1, 0]})
    end = NOW + 1_900
    minutes = store.read(MINUTES, end).history
    assert len(minutes) == 32
    assert minutes[int(NOW)] == [{"messages": 6, "memory_bytes": 50, "ack_seconds": [6, 0]}]
    assert store.read(HALF_HOURS, end).history == {
        int(NOW): [{"messages": 180, "memory_bytes": 1_790, "ack_seconds": [180, 0]}],
        int(NOW) + 1_800: [{"messages": 10, "memory_bytes": 1_890, "ack_seconds": [10, 0]}],
    }
    assert store.read(DAYS, end).history == {
        int(NOW): [{"messages": 190, "memory_bytes": 1_890, "ack_seconds": [190, 0]}]
    }


@pytest.mark.parametrize("period", PERIODS)
def test_the_history_has_the_intervals_that_are_kept_and_the_one_that_has_not_ended(
    store: StatusStore, path: Path, period: Period
) -> None:
    intervals = period.kept + 20
    for interval in range(intervals):
        store.record(at(FIRST, now := NOW + interval * period.seconds), {"messages": interval})
    history = store.read(period, now).history
    assert list(history.values()) == [[{"messages": number}] for number in range(19, intervals)]
    assert count_rows(path, "history") <= sum(each.kept + 1 for each in PERIODS) < 900


def test_two_processes_share_the_file(store: StatusStore, path: Path) -> None:
    other = StatusStore(path)
    first: Figures = {"messages": 1, "memory_bytes": 100}
    store.record(WORKERS[0], first)
    other.record(WORKERS[1], {"messages": 2, "memory_bytes": 50})
    for each in (store, other):
        contents = each.read(MINUTES, NOW)
        assert [report.name for report in contents.reports] == ["Worker 0", "Worker 1"]
        assert merge_processes(contents.history[int(NOW)]) == {"messages": 3, "memory_bytes": 150}


def test_a_process_that_takes_the_place_of_another_one_continues_its_history(store: StatusStore) -> None:
    store.record(FIRST, {"messages": 1})
    store.record(replace(FIRST, id="next"), {"messages": 2})
    assert store.read(MINUTES, NOW).history == {int(NOW): [{"messages": 3}]}


def test_an_alert_of_two_processes_begins_once_and_ends_once(store: StatusStore, path: Path) -> None:
    other = StatusStore(path)
    for report in WORKERS:
        store.record(at(report, NOW - 1), {})
    full = [replace(report, disk_bytes=100, disk_free_bytes=1) for report in WORKERS]
    begun = [
        store.record(full[0], {}).begun,
        other.record(full[1], {}).begun,
        store.record(at(full[0], NOW + 10), {}).begun,
    ]
    assert [[alert.name for alert in each] for each in begun] == [["disk"], [], []]
    (active,) = other.read(MINUTES, NOW + 10).alerts
    assert (active.alert, active.began_at) == (begun[0][0], NOW)
    # It ends when none of them finds it any more.
    changes = [
        store.record(at(WORKERS[0], NOW + 20), {}),
        other.record(at(WORKERS[1], NOW + 21), {}),
        store.record(at(WORKERS[0], NOW + 30), {}),
    ]
    assert [list(each.ended) for each in changes] == [[], [active], []]
    assert [len(each.alerts) for each in changes] == [1, 0, 0]
    assert store.read(MINUTES, NOW + 30).alerts == []


def test_the_others_notice_a_worker_that_is_missing_and_its_return(store: StatusStore) -> None:
    for report in WORKERS:
        store.record(report, {})
    later = NOW + FRESH_SECONDS + 1
    (alert,) = store.record(at(WORKERS[0], later), {}).begun
    assert (alert.name, alert.subject) == (PROCESS, "Worker 1")
    changes = store.record(replace(WORKERS[1], id="next", started_at=later, reported_at=later + 1), {})
    assert [active.alert for active in changes.ended] == [alert]


@pytest.mark.parametrize("content", [b"no database " * 1_000, b"SQLite format 3\0" + b"\xff" * 8_000])
def test_a_damaged_file_is_created_again(store: StatusStore, path: Path, content: bytes) -> None:
    store.record(FIRST, {"messages": 1})
    path.write_bytes(content)
    with pytest.raises(STORE_ERRORS):
        store.record(FIRST, {})
    store.record(FIRST, {"messages": 2})
    assert store.read(MINUTES, NOW).history == {int(NOW): [{"messages": 2}]}


def test_a_file_whose_content_cannot_be_parsed_is_created_again(store: StatusStore, path: Path) -> None:
    store.record(FIRST, {})
    with closing(sqlite.connect(path)) as connection, connection:
        connection.execute("UPDATE reports SET report = '{'")
    with pytest.raises(STORE_ERRORS):
        store.read(MINUTES, NOW)
    store.record(FIRST, {})
    assert len(store.read(MINUTES, NOW).reports) == 1


def test_a_file_that_was_deleted_is_created_again(store: StatusStore, path: Path) -> None:
    store.record(FIRST, {})
    path.unlink()
    store.record(FIRST, {})
    assert len(store.read(MINUTES, NOW).reports) == 1


def test_a_file_that_cannot_be_opened_raises_an_error_that_is_expected(store: StatusStore, path: Path) -> None:
    shutil.rmtree(path.parent)
    with pytest.raises(STORE_ERRORS):
        store.record(FIRST, {})
