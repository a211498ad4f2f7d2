"""Samples the figures of a serving process, every few seconds."""

import os
import secrets
import shutil
import time
from pathlib import Path

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from chatapp.config import Settings
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.realtime.application import get_realtime
from chatapp.storage import EXTENSION as WRITER
from chatapp.storage import Writer
from chatapp.telemetry.database import measure_size
from chatapp.telemetry.health import EXTENSION as HEALTH
from chatapp.telemetry.health import Health
from chatapp.telemetry.metrics import EXTENSION as METRICS
from chatapp.telemetry.metrics import Metrics
from chatapp.telemetry.status.alerts import worker_name
from chatapp.telemetry.status.figures import Figures, subtract
from chatapp.telemetry.status.processes import ProcessReport, UsageMeter, measure_memory
from chatapp.telemetry.status.status import get_status

EXTENSION = "chatapp.sampler"
"""Key of a serving application's `Sampler` in `app.extensions`."""

SAMPLE_SECONDS = 10.0
"""Interval of the samples. It is a part of the shortest interval of the history, and a third of `FRESH_SECONDS`."""

SIZE_SECONDS = 60.0
"""Interval at which the size of the database is measured: PostgreSQL looks at all its files."""


class Sampler:
    """Samples one process."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._status = get_status(app)
        self._metrics: Metrics = app.extensions[METRICS]
        self._writer: Writer = app.extensions[WRITER]
        self._health: Health = app.extensions[HEALTH]
        self._realtime = get_realtime(app)
        self._id = secrets.token_hex(8)
        self._name = f"Server on port {settings.port}" if settings.worker is None else worker_name(settings.worker)
        self._started_at = time.time()
        self._is_stopped = False
        self._usage = UsageMeter()
        self._counters = self._read_counters()
        self._spooled_since: float | None = None
        self._database_bytes: int | None = None
        self._size_due_at = float("-inf")

    def run(self) -> None:
        """Record a sample now and then, forever."""
        while True:
            self.sample()
            time.sleep(SAMPLE_SECONDS)

    def sample(self) -> None:
        """Record a sample, unless the process ends."""
        if self._is_stopped:
            return
        report, figures = self._sample(time.time())
        self._status.record(report, figures)

    def stop(self) -> None:
        """Remove the report of this process, which ends, unless it is one of the workers: another takes its place."""
        self._is_stopped = True
        if self._settings.worker is None:
            self._status.forget(self._id)

    def _sample(self, now: float) -> tuple[ProcessReport, Figures]:
        settings, backlog = self._settings, self._writer.backlog
        # The parent is the same for all workers: the first one reports it.
        usage = self._usage.measure(has_parent=settings.worker == 0)
        self._spooled_since = (self._spooled_since or now) if backlog.waiting else None
        disk = _measure_disk(settings.data_dir)
        report = ProcessReport(
            id=self._id,
            name=self._name,
            pid=os.getpid(),
            started_at=self._started_at,
            reported_at=now,
            worker=settings.worker,
            workers=settings.workers,
            is_one_of_many=bool(settings.redis_url),
            memory_bytes=measure_memory(),
            load=usage.load,
            people=self._realtime.presence.count_people(),
            sockets=len(self._realtime.connections.list_users()),
            spooled=backlog.waiting,
            spooled_since=self._spooled_since,
            database_away_since=backlog.since.timestamp() if backlog.since else None,
            disk_free_bytes=disk[0],
            disk_bytes=disk[1],
            has_pending_migrations=self._health.has_pending_migrations(),
            others=usage.others,
            slow_statements=self._metrics.statements.slow.list(),
        )
        figures: Figures = self._count() | {
            "cpu_seconds": usage.cpu_seconds,
            "people": report.people,
            "sockets": report.sockets,
            "spooled": report.spooled,
            "memory_bytes": report.memory_bytes + sum(other.memory_bytes for other in usage.others),
        }
        if report.disk_free is not None:
            figures["disk_free"] = report.disk_free
        # All processes would measure the same.
        if not settings.worker and (size := self._measure_database()) is not None:
            figures["database_bytes"] = size
        return report, figures

    def _read_counters(self) -> Figures:
        metrics = self._metrics
        return {
            "messages": metrics.acknowledged,
            "slow_queries": metrics.statements.slow.count,
            "ack_seconds": list(self._realtime.ack_seconds.counts),
        }

    def _count(self) -> Figures:
        """Return by how much the counters have grown since the last sample."""
        before, after = self._counters, self._read_counters()
        self._counters = after
        return {name: subtract(after[name], before[name]) for name in after}

    def _measure_database(self) -> int | None:
        """Return the size of the database, measured a minute ago at most; None while it does not respond."""
        if time.monotonic() >= self._size_due_at:
            self._size_due_at = time.monotonic() + SIZE_SECONDS
            try:
                with self._app.app_context():
                    self._database_bytes = measure_size(db.session())
            except (SQLAlchemyError, ChatError, OSError):
                self._database_bytes = None
        return self._database_bytes


def _measure_disk(folder: Path) -> tuple[int, int]:
    """Return the free bytes and the size of the disk with a folder; zeros if they are not known."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return 0, 0
    return usage.free, usage.total
