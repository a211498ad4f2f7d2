"""The status as one process knows it: the file that all share, and the alerts that were last found."""

import time
from collections.abc import Mapping, Sequence

import structlog
from flask import Flask, current_app

from chatapp.concurrency.native import NativePool
from chatapp.config import Settings
from chatapp.telemetry.status.alerts import Alert, AlertKey, compare_alerts, find_alerts
from chatapp.telemetry.status.figures import Figures
from chatapp.telemetry.status.processes import ProcessReport
from chatapp.telemetry.status.store import STORE_ERRORS, ActiveAlert, Changes, Contents, Period, StatusStore

log = structlog.get_logger(__name__)

EXTENSION = "chatapp.status"
"""Key of the application's `Status` in `app.extensions`."""

CACHE_SECONDS = 2.0
"""Time for which what was read is used, so that the pages of several admins cost as much as one."""


class Status:
    """Records what a process reports, logs alerts, and reads what all have recorded."""

    def __init__(self, store: StatusStore) -> None:
        self._store = store
        self._native = NativePool("status", threads=1)
        self.alerts: Sequence[Alert] = ()
        """The alerts that were found when this process last reported."""
        self._own_alerts: Mapping[AlertKey, ActiveAlert] = {}
        """The alerts that this process alone has found, while the file cannot be used."""
        self._last_report: ProcessReport | None = None
        self._is_store_broken = False
        self._read: dict[Period, tuple[float, Contents]] = {}

    def record(self, report: ProcessReport, figures: Figures) -> None:
        """Record what this process reports, and log the alerts that begin or end with it.

        While the file cannot be used, this process finds alerts about itself.
        """
        try:
            changes = self._native.run(self._store.record, report, figures)
        except STORE_ERRORS as error:
            self._on_store_error(error)
            changes = self._find_own_changes(report)
        else:
            self._is_store_broken, self._own_alerts = False, {}
        self._last_report, self.alerts = report, changes.alerts
        for alert in changes.begun:
            log.warning("alert", alert=alert.name, subject=alert.subject or None, reason=alert.text)
        for active in changes.ended:
            seconds = round(report.reported_at - active.began_at)
            log.info("alert ended", alert=active.alert.name, subject=active.alert.subject or None, seconds=seconds)

    def forget(self, process_id: str) -> None:
        """Remove the report of this process, which ends."""
        try:
            self._native.run(self._store.remove, process_id)
        except STORE_ERRORS as error:
            log.debug("status not removed", reason=str(error))

    def read(self, period: Period) -> Contents:
        """Return what all processes have recorded; while the file cannot be used, what this one knows of itself."""
        read_at, contents = self._read.get(period, (float("-inf"), Contents([], {}, [])))
        if time.monotonic() - read_at < CACHE_SECONDS:
            return contents
        try:
            contents = self._native.run(self._store.read, period, time.time())
        except STORE_ERRORS as error:
            self._on_store_error(error)
            reports = [self._last_report] if self._last_report else []
            contents = Contents(reports, {}, list(self._own_alerts.values()))
        self._read[period] = time.monotonic(), contents
        return contents

    def _find_own_changes(self, report: ProcessReport) -> Changes:
        alerts = find_alerts([report], report.reported_at)
        before = self._own_alerts
        begun, ended = compare_alerts(before, alerts)
        began = {(alert.name, alert.subject): ActiveAlert(alert, report.reported_at) for alert in begun}
        kept = {key: active for key, active in before.items() if key not in ended}
        self._own_alerts = kept | began
        return Changes(alerts, begun, [before[key] for key in ended])

    def _on_store_error(self, error: Exception) -> None:
        """Log the first of several errors."""
        if not self._is_store_broken:
            log.warning("status cannot be recorded", reason=str(error))
        self._is_store_broken = True


def init_status(app: Flask, settings: Settings) -> None:
    """Give the application its status. To be called before `init_metrics`."""
    app.extensions[EXTENSION] = Status(StatusStore(settings.status_path))


def get_status(app: Flask) -> Status:
    """Return the status of an application."""
    status: Status = app.extensions[EXTENSION]
    return status


def current_status() -> Status:
    """Return the status of the current application."""
    return get_status(current_app)
