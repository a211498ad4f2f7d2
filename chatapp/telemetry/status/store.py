"""The file in which the processes of an installation keep their reports, the history of their figures, and alerts.

It is not in the database: it has to work, above all, while the database does not. It may be lost, so nothing waits for
the disk. Each use opens the file, which may be deleted at any time, also to begin again after it was damaged.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import orjson

from chatapp import sqlite
from chatapp.storage.statements import SlowStatement
from chatapp.telemetry.status.alerts import (
    FORGOTTEN_SECONDS,
    Alert,
    AlertKey,
    compare_alerts,
    find_alerts,
)
from chatapp.telemetry.status.figures import Figures, Value, merge_times
from chatapp.telemetry.status.processes import ProcessReport, SystemProcess

STORE_ERRORS = (sqlite.Error, OSError, ValueError, TypeError)
"""Errors of a file that cannot be read or written, or has other content."""

BUSY_SECONDS = 2.0
"""How long to wait for another process, which takes some milliseconds."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reports (id TEXT PRIMARY KEY, reported_at REAL NOT NULL, report TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS history (
    seconds INTEGER NOT NULL, begins_at INTEGER NOT NULL, process TEXT NOT NULL, figures TEXT NOT NULL,
    PRIMARY KEY (seconds, begins_at, process)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alerts (
    name TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL, began_at REAL NOT NULL,
    PRIMARY KEY (name, subject)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Period:
    """A part of the history: intervals of the same length."""

    seconds: int
    """Length of an interval."""
    kept: int
    """Number of intervals that are kept."""


MINUTES, HALF_HOURS, DAYS = PERIODS = (Period(60, 180), Period(1_800, 336), Period(86_400, 366))
"""Three hours, a week and a year. A process has at most 900 rows of some 200 bytes."""


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert, and when it began."""

    alert: Alert
    began_at: float


@dataclass(frozen=True, slots=True)
class Changes:
    """The alerts, and those that have begun or ended with what was recorded."""

    alerts: Sequence[Alert]
    begun: Sequence[Alert]
    ended: Sequence[ActiveAlert]


@dataclass(frozen=True, slots=True)
class Contents:
    """What the page shows."""

    reports: Sequence[ProcessReport]
    history: Mapping[int, Sequence[Figures]]
    """The figures of each process in the intervals of one period, by the begin of the interval."""
    alerts: Sequence[ActiveAlert]


class StatusStore:
    """The file. Its functions block for some milliseconds: call them on native threads."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, report: ProcessReport, figures: Figures) -> Changes:
        """Keep what a process reports, with its figures since its last report, and return what changes.

        Of several processes that notice the same alert, one gets it as begun, and one as ended. Raises one of
        `STORE_ERRORS`.
        """
        now = report.reported_at
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO reports VALUES (?, ?, ?)", (report.id, now, orjson.dumps(report).decode())
            )
            connection.execute("DELETE FROM reports WHERE reported_at < ?", (now - FORGOTTEN_SECONDS,))
            for period in PERIODS:
                _add(connection, period, report.name, figures, now)
            former = {(active.alert.name, active.alert.subject): active for active in _read_alerts(connection)}
            alerts = find_alerts(_read_reports(connection), now)
            begun, ended = compare_alerts(former, alerts)
            _replace_alerts(connection, begun, ended, now)
        return Changes(alerts, begun, [former[key] for key in ended])

    def remove(self, process_id: str) -> None:
        """Remove the report of a process that ends, so that it is not missed. Raises one of `STORE_ERRORS`."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM reports WHERE id = ?", (process_id,))

    def read(self, period: Period, now: float) -> Contents:
        """Return what the page shows; nothing if there is no file yet. Raises one of `STORE_ERRORS`."""
        if not self._path.exists():
            return Contents([], {}, [])
        with self._transaction() as connection:
            history: dict[int, list[Figures]] = {}
            query = "SELECT begins_at, figures FROM history WHERE seconds = ? AND begins_at > ? ORDER BY begins_at"
            earliest = now - (period.kept + 1) * period.seconds
            for begins_at, text in connection.execute(query, (period.seconds, earliest)).fetchall():
                history.setdefault(begins_at, []).append(orjson.loads(text))
            return Contents(_read_reports(connection), history, _read_alerts(connection))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite.Connection]:
        connection = sqlite.connect(self._path, isolation_level=None, timeout=BUSY_SECONDS)
        try:
            # A crash of the process cannot damage the file. One of the machine can, and that is repaired below.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = TRUNCATE").fetchall()
            connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";")[:-1]:
                connection.execute(statement)
            yield connection
            connection.execute("COMMIT")
        except sqlite.OperationalError:
            raise  # Busy, full or read-only.
        except (sqlite.DatabaseError, ValueError, TypeError):
            self._path.unlink(missing_ok=True)
            raise
        finally:
            connection.close()


def _add(connection: sqlite.Connection, period: Period, process: str, figures: Figures, now: float) -> None:
    """Add figures to the current interval of a period, and delete what is too old."""
    key = (period.seconds, int(now // period.seconds) * period.seconds, process)
    query = "SELECT figures FROM history WHERE seconds = ? AND begins_at = ? AND process = ?"
    earlier: list[dict[str, Value]] = [orjson.loads(row[0]) for row in connection.execute(query, key).fetchall()]
    text = orjson.dumps(merge_times([*earlier, figures])).decode()
    connection.execute("INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)", (*key, text))
    earliest = now - (period.kept + 1) * period.seconds
    connection.execute("DELETE FROM history WHERE seconds = ? AND begins_at <= ?", (period.seconds, earliest))


def _read_reports(connection: sqlite.Connection) -> list[ProcessReport]:
    query = "SELECT report FROM reports ORDER BY reported_at"
    return [parse_report(orjson.loads(row[0])) for row in connection.execute(query).fetchall()]


def _read_alerts(connection: sqlite.Connection) -> list[ActiveAlert]:
    rows = connection.execute("SELECT name, subject, text, began_at FROM alerts ORDER BY began_at, subject").fetchall()
    return [ActiveAlert(Alert(name, subject, text), began_at) for name, subject, text, began_at in rows]


def _replace_alerts(
    connection: sqlite.Connection, begun: Sequence[Alert], ended: Sequence[AlertKey], now: float
) -> None:
    rows = [(alert.name, alert.subject, alert.text, now) for alert in begun]
    connection.executemany("INSERT INTO alerts VALUES (?, ?, ?, ?)", rows)
    connection.executemany("DELETE FROM alerts WHERE name = ? AND subject = ?", ended)


def parse_report(values: dict[str, Any]) -> ProcessReport:
    """Return a report from its JSON, which another version of chatapp may have written."""
    others = [_parse(SystemProcess, each) for each in values.get("others", ())]
    statements = [_parse(SlowStatement, each) for each in values.get("slow_statements", ())]
    report: ProcessReport = _parse(ProcessReport, values | {"others": others, "slow_statements": statements})
    return report


def _parse(kind: Any, values: dict[str, Any]) -> Any:
    names = {each.name for each in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in names})
