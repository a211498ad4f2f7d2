"""Metrics in the format of Prometheus, at `/metrics`. They hold numbers, never content or names.

They are those of this process, or with several workers those of all.

The application counts in plain integers and `Distribution` objects where things happen. The metrics are built from
them for each request, so that counting costs no lock and no look-up of labels.
"""

import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from flask import Blueprint, Flask, Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.pool import QueuePool

from chatapp.concurrency.native import current_pools
from chatapp.concurrency.supervision import current_supervisor
from chatapp.config import current_settings
from chatapp.distribution import Distribution
from chatapp.extensions import db
from chatapp.presentation.messages import get_message_presenter
from chatapp.realtime.application import current_realtime
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.storage import current_writer, find_replica
from chatapp.storage.statements import StatementObserver
from chatapp.telemetry.database import DatabaseReport
from chatapp.telemetry.operations import EXTENSION as REQUEST_MEASURES
from chatapp.telemetry.operations import RequestMeasures
from chatapp.telemetry.status.alerts import ALERT_NAMES
from chatapp.telemetry.status.status import current_status
from chatapp.telemetry.workers import IS_STATUS_REQUEST, merge_metrics
from chatapp.timeline import TimelineMessage
from chatapp.timeline.signals import message_pending, message_saved, messages_posted
from chatapp.transcripts.exports import current_exports

blueprint = Blueprint("metrics", __name__)

EXTENSION = "chatapp.metrics"
"""Key of the application's metrics in `app.extensions`."""


class Metrics(Collector):
    """The metrics of one application. They are collected within its context."""

    def __init__(self, signals: Signals, statements: StatementObserver) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)  # Memory, processor time and open files, on Linux.
        self.loop_lag = Distribution()
        """By how many seconds the event loop was late."""
        self.count_connections: Callable[[], int] = lambda: 0
        """Returns the number of open HTTP connections. The server sets it."""
        self.statements = statements
        self.database = DatabaseReport()
        self._posted = self._pending = self._saved = 0
        signals.connect(messages_posted, self._count_posted)
        signals.connect(message_pending, self._count_pending)
        signals.connect(message_saved, self._count_saved)

    @property
    def acknowledged(self) -> int:
        """The number of messages that were acknowledged."""
        return self._posted + self._pending

    def _count_posted(self, messages: Sequence[TimelineMessage]) -> None:
        self._posted += len(messages)

    def _count_pending(self, _message: TimelineMessage) -> None:
        self._pending += 1

    def _count_saved(self, _message: TimelineMessage) -> None:
        self._saved += 1

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics with their current values."""
        yield from self._collect_messages()
        yield from self._collect_database()
        yield from self._collect_connections()
        yield from self._collect_requests()
        yield from _collect_background()
        yield from _collect_alerts()
        yield _histogram("chatapp_event_loop_lag_seconds", "By how much the event loop was late.", self.loop_lag)

    def _collect_messages(self) -> Iterator[Metric]:
        stored = self._posted + self._saved
        yield CounterMetricFamily("chatapp_messages_stored", "Messages stored by this process.", stored)
        yield CounterMetricFamily(
            "chatapp_messages_acknowledged",
            "Messages acknowledged by this process: stored, or spooled during an outage.",
            self.acknowledged,
        )
        yield _histogram(
            "chatapp_ack_seconds",
            "From the receipt of a message, or of a read marker, by a socket until its acknowledgement.",
            current_realtime().ack_seconds,
        )
        yield _histogram(
            "chatapp_delivery_seconds",
            "From the creation of a message until it was handed to the sockets of its conversation.",
            current_realtime().delivery_seconds,
        )
        cache = get_message_presenter(current_app).cache
        yield _counter(
            "chatapp_presented_messages",
            "Messages presented as HTML and JSON, by whether the cache had them.",
            ["cached"],
            {("true",): cache.hits, ("false",): cache.misses}.items(),
        )
        yield GaugeMetricFamily("chatapp_message_cache_bytes", "Approximate size of presented messages.", cache.bytes)
        backlog = current_writer().backlog
        yield GaugeMetricFamily("chatapp_spool_waiting", "Messages that wait for the database.", backlog.waiting)
        yield GaugeMetricFamily(
            "chatapp_database_away_since",
            "When the database was lost, in Unix time; 0 while it is available.",
            backlog.since.timestamp() if backlog.since else 0,
        )

    def _collect_database(self) -> Iterator[Metric]:
        writer = current_writer()
        yield _histogram("chatapp_query_seconds", "Execution of a statement.", self.statements.seconds)
        yield _histogram("chatapp_commit_seconds", "Applying and committing a batch of changes.", writer.commit_seconds)
        yield _histogram("chatapp_commit_changes", "Changes in a committed batch.", writer.commit_sizes)
        yield GaugeMetricFamily("chatapp_queued_changes", "Changes that wait for the next batch.", writer.queued)
        pool = db.engine.pool
        if isinstance(pool, QueuePool):
            limit = current_settings().database_connections
            yield GaugeMetricFamily("chatapp_database_pool_size", "Most reader connections that may be open.", limit)
            states = {("used",): pool.checkedout(), ("idle",): pool.checkedin()}
            yield _gauge("chatapp_database_connections", "Open reader connections.", ["state"], states.items())
        if replica := find_replica(current_app):
            status = replica.status
            yield CounterMetricFamily("chatapp_replica_reads", "Reads that the replica has served.", status.reads)
            yield GaugeMetricFamily("chatapp_replica_lag_seconds", "Lag of the replica.", status.lag_seconds)
        if figures := self.database.get():
            yield GaugeMetricFamily("chatapp_database_bytes", "Size of the database.", figures.bytes)
            yield GaugeMetricFamily("chatapp_sessions", "Assistant sessions.", figures.sessions)
            yield GaugeMetricFamily(
                "chatapp_sessions_created_last_hour", "Sessions created in an hour.", figures.sessions_last_hour
            )
            yield GaugeMetricFamily(
                "chatapp_session_messages_average", "Messages of a session, on average.", figures.average_messages
            )
            yield GaugeMetricFamily(
                "chatapp_session_messages_max", "Messages of the longest session.", figures.max_messages
            )

    def _collect_connections(self) -> Iterator[Metric]:
        realtime = current_realtime()
        users = realtime.connections.list_users()
        yield GaugeMetricFamily("chatapp_sockets", "Authenticated sockets.", len(users))
        yield GaugeMetricFamily(
            "chatapp_connected_users", "Users with a socket to this process.", len({user.id for user in users})
        )
        yield GaugeMetricFamily(
            "chatapp_http_connections", "Open connections, sockets included.", self.count_connections()
        )
        yield _counter("chatapp_events", "Socket events.", ["event", "code"], realtime.event_counts.items())

    def _collect_requests(self) -> Iterator[Metric]:
        measures: RequestMeasures = current_app.extensions[REQUEST_MEASURES]
        labels = ["method", "route", "status"]
        yield _counter("chatapp_http_requests", "HTTP requests.", labels, measures.counts.items())
        yield _histogram("chatapp_http_request_seconds", "From a request to its response.", measures.seconds)


def _collect_background() -> Iterator[Metric]:
    statuses = current_supervisor().list_statuses()
    yield _gauge(
        "chatapp_background_running",
        "Threads of background work that run.",
        ["work"],
        (((status.name,), status.running) for status in statuses),
    )
    yield _counter(
        "chatapp_background_failures",
        "Exceptions of background work.",
        ["work"],
        (((status.name,), status.failures) for status in statuses),
    )
    yield _counter(
        "chatapp_background_restarts",
        "Restarts of background work after an exception.",
        ["work"],
        (((status.name,), status.restarts) for status in statuses),
    )
    calls = {(pool.name,): pool.calls for pool in current_pools()} | {("pdf",): current_exports().pdf_calls}
    description = "Calls that run or wait for a thread or process, by kind of work."
    yield _gauge("chatapp_calls", description, ["work"], calls.items())


def _collect_alerts() -> Iterator[Metric]:
    active = Counter(alert.name for alert in current_status().alerts)
    yield _gauge(
        "chatapp_alert",
        "Alerts of the installation by name, as on the page of the status: the number of those that are active.",
        ["name"],
        (((name,), active[name]) for name in ALERT_NAMES),
    )


Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values by their labels."""


def _counter(name: str, description: str, labels: list[str], samples: Samples) -> Metric:
    family = CounterMetricFamily(name, description, labels=labels)
    for values, value in list(samples):
        family.add_metric(values, value)
    return family


def _gauge(name: str, description: str, labels: list[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(name, description, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _histogram(name: str, description: str, distribution: Distribution) -> Metric:
    bounds = (*(f"{bound:g}" for bound in distribution.bounds), "+Inf")
    buckets = list(zip(bounds, accumulate(distribution.counts), strict=True))
    return HistogramMetricFamily(name, description, buckets, distribution.total)


def init_metrics(app: Flask, statements: StatementObserver) -> None:
    """Count messages, and collect what other parts have counted."""
    app.extensions[EXTENSION] = Metrics(app.extensions[SIGNALS], statements)


@blueprint.get("/metrics", endpoint="metrics")
def show_metrics() -> Response:
    """Return the metrics of all workers. With `metrics_token` the request must have it."""
    settings = current_settings()
    is_status_request = IS_STATUS_REQUEST in request.environ
    token = settings.metrics_token
    given = request.headers.get("Authorization", "")
    if token and not is_status_request and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        response = Response("This needs the header “Authorization: Bearer” with CHATAPP_METRICS_TOKEN.\n", 401)
        response.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
        response.mimetype = "text/plain"
        return response
    metrics: Metrics = current_app.extensions[EXTENSION]
    content = generate_latest(metrics.registry).decode()
    if settings.worker is not None and not is_status_request:
        content = merge_metrics(settings, content)
    return current_app.response_class(content, content_type=CONTENT_TYPE_LATEST)
