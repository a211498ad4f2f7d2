"""What the page of the status shows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chatapp.presentation.dates import format_date_time
from chatapp.storage.statements import SlowStatement
from chatapp.telemetry.database import DatabaseFigures
from chatapp.telemetry.status.plots import DrawnPlots, Range, draw_plots, format_bytes, format_number
from chatapp.telemetry.status.processes import ProcessReport
from chatapp.telemetry.status.store import Contents

MAX_STATEMENTS = 10
"""Number of slow statements on the page."""


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert."""

    text: str
    began_at: datetime


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """A process."""

    name: str
    state: str
    """`serves`, `runs` or `missing`."""
    pid: int
    started_at: datetime | None
    memory: str
    load: str
    connections: str = "–"
    spooled: str = "–"

    @property
    def is_missing(self) -> bool:
        """Whether it does not respond."""
        return self.state == "missing"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A slow statement, of all processes together."""

    text: str
    operation: str
    count: int
    average: str
    highest: str
    last_at: datetime


@dataclass(frozen=True, slots=True)
class StatusPage:
    """The content of the page."""

    now: datetime
    chosen: Range
    alerts: Sequence[AlertLine]
    current: Mapping[str, str]
    """The current figures by their names."""
    plots: DrawnPlots
    processes: Sequence[ProcessLine]
    database: DatabaseFigures | None
    statements: Sequence[StatementLine]
    versions: Mapping[str, str]


def make_page(
    chosen: Range, contents: Contents, database: DatabaseFigures | None, versions: dict[str, str], now: float
) -> StatusPage:
    """Return the content of the page from what all processes have recorded."""
    return StatusPage(
        now=_time(now),
        chosen=chosen,
        alerts=[AlertLine(each.alert.text, _time(each.began_at)) for each in contents.alerts],
        current=_list_current([report for report in contents.reports if report.is_fresh(now)], database),
        plots=draw_plots(chosen, contents.history, now),
        processes=list_processes(contents.reports, now),
        database=database,
        statements=list_statements(contents.reports),
        versions=versions | ({database.product: database.version} if database else {}),
    )


def _list_current(fresh: Sequence[ProcessReport], database: DatabaseFigures | None) -> dict[str, str]:
    current: dict[str, str] = {}
    if fresh:
        away = [report.database_away_since for report in fresh if report.database_away_since is not None]
        current["People connected"] = format_number(max(report.people for report in fresh))
        current["Connections"] = format_number(sum(report.sockets for report in fresh))
        current["Messages waiting in the spool"] = format_number(sum(report.spooled for report in fresh))
        current["Database"] = f"cannot commit since {format_date_time(_time(min(away)))}" if away else "available"
        memory = sum(report.memory_bytes + sum(each.memory_bytes for each in report.others) for report in fresh)
        load = sum(report.load + sum(each.load for each in report.others) for report in fresh)
        current["Memory of all processes"] = format_bytes(memory)
        current["Load of all processes"] = _percent(load)
        disks = [report for report in fresh if report.disk_bytes]
        if disks:
            fullest = min(disks, key=lambda report: report.disk_free or 0.0)
            free = _percent(fullest.disk_free or 0.0)
            current["Free disk space"] = f"{format_bytes(fullest.disk_free_bytes)} ({free})"
    if database is not None:
        current["Size of the database"] = format_bytes(database.bytes)
        current["Messages"] = format_number(database.messages)
        current["Conversations"] = format_number(database.conversations)
    return current


def list_processes(reports: Sequence[ProcessReport], now: float) -> list[ProcessLine]:
    """Return a line for each process, and for those that belong to it. A missing one is listed once."""
    present = {report.name for report in reports if report.is_fresh(now)}
    last = {report.name: report.id for report in reports}
    lines = []
    for report in sorted(reports, key=lambda report: (report.worker or 0, report.name, report.started_at)):
        is_missing = not report.is_fresh(now)
        if is_missing and (report.name in present or last[report.name] != report.id or not _is_missed(report)):
            continue
        lines.append(_describe(report, is_missing=is_missing))
        if not is_missing:
            lines += [
                ProcessLine(each.name, "runs", each.pid, None, format_bytes(each.memory_bytes), _percent(each.load))
                for each in report.others
            ]
    return lines


def _is_missed(report: ProcessReport) -> bool:
    return report.worker is not None or report.is_one_of_many


def _describe(report: ProcessReport, *, is_missing: bool) -> ProcessLine:
    return ProcessLine(
        report.name,
        "missing" if is_missing else "serves",
        report.pid,
        _time(report.started_at),
        "–" if is_missing else format_bytes(report.memory_bytes),
        "–" if is_missing else _percent(report.load),
        "–" if is_missing else format_number(report.sockets),
        format_number(report.spooled),
    )


def list_statements(reports: Sequence[ProcessReport]) -> list[StatementLine]:
    """Return the statements that took the most time in total."""
    counts: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    last: dict[str, SlowStatement] = {}
    highest: dict[str, float] = {}
    for slow in (slow for report in reports for slow in report.slow_statements):
        key = slow.statement
        counts[key] += slow.count
        seconds[key] = seconds.get(key, 0.0) + slow.seconds
        highest[key] = max(highest.get(key, 0.0), slow.max_seconds)
        if key not in last or slow.last_at > last[key].last_at:
            last[key] = slow
    ordered = sorted(last, key=lambda key: -seconds[key])[:MAX_STATEMENTS]
    return [
        StatementLine(
            key,
            last[key].operation,
            counts[key],
            _milliseconds(seconds[key] / counts[key]),
            _milliseconds(highest[key]),
            _time(last[key].last_at),
        )
        for key in ordered
    ]


def _time(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"


def _milliseconds(seconds: float) -> str:
    return f"{format_number(seconds * 1_000)} ms"
