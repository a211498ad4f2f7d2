"""Metrics of this process in the format of Prometheus, at `/metrics`. They hold numbers, never content or names."""

from collections.abc import Iterator

from flask import Blueprint, Flask, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from chatapp.native import current_pools
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.storage import Backlog, current_writer
from chatapp.supervision import EXTENSION as SUPERVISOR
from chatapp.supervision import Supervisor
from chatapp.timeline import TimelineMessage
from chatapp.timeline.signals import message_posted, message_saved
from chatapp.transcripts.exports import current_exports

blueprint = Blueprint("metrics", __name__)

EXTENSION = "chatapp.metrics"
"""Key of the application's metrics in `app.extensions`."""


class Metrics:
    """The metrics of one application."""

    def __init__(self, supervisor: Supervisor, signals: Signals) -> None:
        self.registry = registry = CollectorRegistry()
        self._stored = Counter("chatapp_messages_stored", "Messages stored by this process.", registry=registry)
        self._spooled = Gauge("chatapp_spool_waiting", "Messages that wait for the database.", registry=registry)
        self._unavailable_since = Gauge(
            "chatapp_database_away_since",
            "When the database was lost, in Unix time; 0 while it is available.",
            registry=registry,
        )
        self._calls = Gauge(
            "chatapp_calls",
            "Calls that run or wait for a thread or process, by kind of work.",
            labelnames=["work"],
            registry=registry,
        )
        registry.register(BackgroundCollector(supervisor))
        signals.connect(message_posted, self.count_message)
        signals.connect(message_saved, self.count_message)

    def count_message(self, _message: TimelineMessage) -> None:
        """Count a stored message."""
        self._stored.inc()

    def set_backlog(self, backlog: Backlog) -> None:
        """Set the gauges of the spool and of the database's outage."""
        self._spooled.set(backlog.waiting)
        self._unavailable_since.set(backlog.since.timestamp() if backlog.since else 0)

    def set_calls(self, work: str, calls: int) -> None:
        """Set the gauge of the calls of one kind of work."""
        self._calls.labels(work).set(calls)


class BackgroundCollector(Collector):
    """Failures and restarts of background work, as its supervisor has counted them."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics with their current values."""
        failures = CounterMetricFamily("chatapp_background_failures", "Exceptions of background work.", labels=["work"])
        restarts = CounterMetricFamily(
            "chatapp_background_restarts", "Restarts of background work after an exception.", labels=["work"]
        )
        for status in self._supervisor.list_statuses():
            failures.add_metric([status.name], status.failures)
            restarts.add_metric([status.name], status.restarts)
        yield failures
        yield restarts


def init_metrics(app: Flask) -> None:
    """Count stored messages, and failures and restarts of background work."""
    app.extensions[EXTENSION] = Metrics(app.extensions[SUPERVISOR], app.extensions[SIGNALS])


@blueprint.get("/metrics", endpoint="metrics")
def show_metrics() -> Response:
    """Return the metrics."""
    metrics: Metrics = current_app.extensions[EXTENSION]
    metrics.set_backlog(current_writer().backlog)
    for pool in current_pools():
        metrics.set_calls(pool.name, pool.calls)
    metrics.set_calls("pdf", current_exports().pdf_calls)
    return current_app.response_class(generate_latest(metrics.registry), content_type=CONTENT_TYPE_LATEST)
