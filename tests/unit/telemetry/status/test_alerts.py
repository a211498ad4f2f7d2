"""Alerts: what needs the attention of an operator, and when it begins and ends."""

from dataclasses import replace

from chatapp.telemetry.status.alerts import (
    DISK,
    FORGOTTEN_SECONDS,
    MIGRATIONS,
    PROCESS,
    SPOOL,
    Alert,
    compare_alerts,
    find_alerts,
    worker_name,
)
from chatapp.telemetry.status.processes import FRESH_SECONDS, ProcessReport

NOW = 1_000_000.0

SERVER = ProcessReport("a", "Server on port 5000", pid=1, started_at=NOW - 3_600, reported_at=NOW)

LATE = NOW - FRESH_SECONDS - 1


def make_worker(number: int, workers: int = 3, **values: float) -> ProcessReport:
    report = replace(SERVER, id=f"w{number}", name=worker_name(number), worker=number, workers=workers)
    return replace(report, **values)  # type: ignore[arg-type]


def find(*reports: ProcessReport) -> list[tuple[str, str]]:
    """Return name and subject of each alert."""
    return [(alert.name, alert.subject) for alert in find_alerts(reports, NOW)]


def test_a_process_that_is_well_needs_no_attention() -> None:
    assert find(SERVER) == []
    assert find() == []


def test_messages_may_wait_for_the_database_for_less_than_a_minute() -> None:
    assert find(replace(SERVER, spooled_since=NOW - 59.9)) == []
    assert find(replace(SERVER, spooled_since=NOW - 60)) == [(SPOOL, SERVER.name)]


def test_each_process_whose_messages_wait_has_its_own_alert() -> None:
    workers = [make_worker(number, spooled_since=NOW - 100) for number in range(3)]
    assert find(*workers) == [(SPOOL, worker_name(number)) for number in range(3)]


def test_less_than_a_tenth_of_the_disk_is_one_alert_for_all_processes() -> None:
    full = [make_worker(number, disk_bytes=1_000, disk_free_bytes=99) for number in range(3)]
    assert find(*full) == [(DISK, "")]
    assert find(*(replace(report, disk_free_bytes=100) for report in full)) == []


def test_a_disk_whose_size_is_not_known_is_no_alert() -> None:
    assert find(replace(SERVER, disk_free_bytes=0, disk_bytes=0)) == []


def test_pending_migrations_are_one_alert_for_all_processes() -> None:
    workers = [make_worker(number, has_pending_migrations=True) for number in range(3)]
    assert find(*workers) == [(MIGRATIONS, "")]


def test_a_process_that_does_not_report_any_more_tells_nothing_of_spool_disk_and_migrations() -> None:
    troubles = {"spooled_since": LATE - 100, "disk_bytes": 100, "disk_free_bytes": 1, "has_pending_migrations": True}
    assert find(make_worker(0, workers=1), make_worker(1, workers=1, reported_at=LATE, **troubles)) == []


def test_a_worker_that_does_not_report_any_more_is_missing() -> None:
    assert find(make_worker(0), make_worker(1, reported_at=NOW - FRESH_SECONDS), make_worker(2)) == []
    assert find(make_worker(0), make_worker(1, reported_at=LATE), make_worker(2)) == [(PROCESS, "Worker 1")]


def test_a_worker_that_has_never_reported_is_missing_after_the_start_of_the_others() -> None:
    assert find(make_worker(0), make_worker(2)) == [(PROCESS, "Worker 1")]
    just_started = NOW - FRESH_SECONDS + 1
    assert find(make_worker(0, started_at=just_started), make_worker(2, started_at=just_started)) == []


def test_a_worker_that_took_the_place_of_another_one_is_not_missing() -> None:
    before = make_worker(0, workers=1, reported_at=LATE)
    assert find(before, replace(before, id="next", started_at=NOW, reported_at=NOW)) == []


def test_the_missing_workers_are_those_of_the_last_start() -> None:
    # Worker 2 has reported before worker 1, so only its report is too old already.
    before = [make_worker(1, reported_at=NOW - 29), make_worker(2, reported_at=LATE)]
    after = [make_worker(number, workers=2, started_at=LATE) for number in range(2)]
    assert find(*before, *after) == []


def test_more_workers_than_before_have_time_to_start() -> None:
    before = [make_worker(number, workers=2, reported_at=NOW - 10) for number in range(2)]
    assert find(*before, make_worker(0, workers=4, started_at=NOW - 1)) == []


def test_one_of_several_servers_is_missing_until_it_is_forgotten() -> None:
    server = replace(SERVER, is_one_of_many=True)
    other = replace(server, id="b", name="Server on port 5001", reported_at=LATE)
    assert find(server, other) == [(PROCESS, other.name)]
    assert find(server, replace(other, reported_at=NOW - FORGOTTEN_SECONDS)) == []


def test_a_server_that_is_the_only_one_misses_no_other() -> None:
    assert find(SERVER, replace(SERVER, id="b", name="Server on port 5001", reported_at=LATE)) == []


def test_while_no_process_reports_none_is_missing() -> None:
    assert find(*(make_worker(number, reported_at=LATE) for number in range(3))) == []


def test_an_alert_begins_once_and_ends_once() -> None:
    first, second = Alert(PROCESS, "Worker 1", "Away."), Alert(PROCESS, "Worker 2", "Away.")
    keys = [(PROCESS, "Worker 1"), (PROCESS, "Worker 2")]
    assert compare_alerts([], [first, second]) == ([first, second], [])
    assert compare_alerts(keys, [first, second]) == ([], [])
    assert compare_alerts(keys, [second]) == ([], keys[:1])
    assert compare_alerts(keys[1:], [second]) == ([], [])
