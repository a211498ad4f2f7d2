"""Health check for process managers and proxies."""

from typing import Any

import orjson
from flask import Blueprint, Response, current_app, request
from sqlalchemy.exc import SQLAlchemyError

from chatapp.concurrency.supervision import WorkStatus, current_supervisor
from chatapp.extensions import db, limiter
from chatapp.presentation.messages import present_backlog
from chatapp.storage import current_writer, find_replica

blueprint = Blueprint("telemetry", __name__)


@limiter.request_filter
def _is_unlimited() -> bool:
    """Return whether to skip looking for a rate limit, which takes a tenth of the time of a health check."""
    return request.endpoint == "telemetry.health"


@blueprint.get("/health")
def health() -> Response:
    """Return 200 while the database reads and writes, 503 otherwise.

    The body also has the number of messages in the spool, the state of the background work and that of the replica.
    Restarts of the work and an outage of the replica do not cause 503, so that a proxy keeps the process in service.
    """
    backlog = current_writer().backlog
    details: dict[str, Any] = {
        "spool": present_backlog(backlog),
        "background": [_present_work(status) for status in current_supervisor().list_statuses()],
    }
    if replica := find_replica(current_app):
        details["replica"] = {
            "state": replica.status.state.value,
            "lag_seconds": round(replica.status.lag_seconds, 1),
        }
    try:
        # A session takes as long as the rest of the request.
        with db.engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
    except SQLAlchemyError:
        return _respond({"status": "unavailable", "reason": "The database does not respond."} | details, 503)
    if backlog.since is not None:
        return _respond({"status": "unavailable", "reason": "The database cannot commit."} | details, 503)
    return _respond({"status": "ok"} | details, 200)


def _respond(body: dict[str, Any], status: int) -> Response:
    return Response(orjson.dumps(body), status=status, mimetype="application/json")


def _present_work(status: WorkStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "state": status.state,
        "restarts": status.restarts,
        "last_error_at": status.last_error_at and status.last_error_at.isoformat(),
    }
