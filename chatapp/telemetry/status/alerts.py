"""What needs the attention of an operator."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chatapp.telemetry.status.processes import FRESH_SECONDS, ProcessReport

SPOOL_SECONDS = 60.0
"""Time for which messages may wait for the database."""

MIN_DISK_FREE = 0.1
"""Part of the disk that should be free."""

FORGOTTEN_SECONDS = 24 * 3600.0
"""Time after which a process is not missed any more, unless it is one of the workers."""

SPOOL, DISK, PROCESS, MIGRATIONS = ALERT_NAMES = ("spool", "disk", "process", "migrations")


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that needs attention."""

    name: str
    """One of `ALERT_NAMES`."""
    subject: str
    """What distinguishes it from others of its name: a process, or an empty text."""
    text: str
    """The reason, and what to do."""


AlertKey = tuple[str, str]
"""Name and subject of an alert."""


def find_alerts(reports: Sequence[ProcessReport], now: float) -> list[Alert]:
    """Return what needs attention, from the last report of each process. All processes come to the same result."""
    fresh = [report for report in reports if report.is_fresh(now)]
    return [*_check_spools(fresh, now), *_check_disk(fresh), *_check_processes(reports, now), *_check_schema(fresh)]


def compare_alerts(before: Iterable[AlertKey], alerts: Iterable[Alert]) -> tuple[list[Alert], list[AlertKey]]:
    """Return the alerts that have begun, and the names and subjects of those that have ended."""
    former = set(before)
    active: Mapping[AlertKey, Alert] = {(alert.name, alert.subject): alert for alert in alerts}
    return [alert for key, alert in active.items() if key not in former], sorted(former - active.keys())


def _check_spools(fresh: Iterable[ProcessReport], now: float) -> Iterable[Alert]:
    for report in fresh:
        if report.spooled_since is not None and now - report.spooled_since >= SPOOL_SECONDS:
            text = (
                f"{report.name}: messages have waited for the database for more than a minute. They are stored on the "
                "disk. Check whether the database accepts writes."
            )
            yield Alert(SPOOL, report.name, text)


def _check_disk(fresh: Iterable[ProcessReport]) -> Iterable[Alert]:
    free = min((report.disk_free for report in fresh if report.disk_free is not None), default=1.0)
    if free < MIN_DISK_FREE:
        text = f"Less than {MIN_DISK_FREE:.0%} of the disk with the data folder is free. Free space, or enlarge it."
        yield Alert(DISK, "", text)


def _check_processes(reports: Sequence[ProcessReport], now: float) -> Iterable[Alert]:
    fresh = [report for report in reports if report.is_fresh(now)]
    if not fresh:
        return
    # Those of an earlier start, with another number of workers, may have reported lately.
    workers = max(fresh, key=lambda report: report.started_at).workers
    # After a start of all, the others have some time to follow the first one.
    if now - min(report.started_at for report in fresh if report.workers == workers) < FRESH_SECONDS:
        return
    present = {report.name for report in fresh}
    expected = {worker_name(number) for number in range(workers)}
    missing = set() if all(report.worker is None for report in fresh) else expected - present
    if any(report.is_one_of_many and report.worker is None for report in fresh):
        missing |= {
            report.name
            for report in reports
            if report.worker is None and report.name not in present and now - report.reported_at < FORGOTTEN_SECONDS
        }
    for name in sorted(missing):
        text = f"{name} does not respond. Its log has the reason."
        yield Alert(PROCESS, name, text)


def _check_schema(fresh: Iterable[ProcessReport]) -> Iterable[Alert]:
    if any(report.has_pending_migrations for report in fresh):
        yield Alert(MIGRATIONS, "", "Migrations of the database are pending: run “flask --app chatapp db upgrade”.")


def worker_name(number: int) -> str:
    """Return the name of one of several workers."""
    return f"Worker {number}"
