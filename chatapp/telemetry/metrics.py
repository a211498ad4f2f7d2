"""Numbers for a monitoring system, at `/metrics` in the format of Prometheus."""

from flask import Blueprint, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

from chatapp.timeline import TimelineMessage
from chatapp.timeline.signals import message_posted, message_saved
from chatapp.timeline.writer import Backlog, current_writer

blueprint = Blueprint("metrics", __name__)

_registry = CollectorRegistry()
_stored = Counter("chatapp_messages_stored", "Messages stored by this process.", registry=_registry)
_waiting = Gauge("chatapp_spool_waiting", "Messages that wait for the database.", registry=_registry)
_away_since = Gauge(
    "chatapp_database_away_since",
    "When the database was lost, in Unix time; 0 while it is there.",
    registry=_registry,
)


def init_metrics() -> None:
    """Count what is stored."""
    message_posted.connect(_count)
    message_saved.connect(_count)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Give the numbers. They tell how much, never who or what."""
    backlog: Backlog = current_writer().backlog
    _waiting.set(backlog.waiting)
    _away_since.set(backlog.since.timestamp() if backlog.since else 0)
    return current_app.response_class(generate_latest(_registry), content_type=CONTENT_TYPE_LATEST)


def _count(_message: TimelineMessage) -> None:
    _stored.inc()
