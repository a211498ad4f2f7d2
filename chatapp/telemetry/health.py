"""Whether chatapp can do its work, for a supervisor or a proxy to ask."""

from typing import Any

from flask import Blueprint
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from chatapp.extensions import db
from chatapp.presentation.messages import present_backlog
from chatapp.timeline.writer import current_writer

blueprint = Blueprint("telemetry", __name__)


@blueprint.get("/health")
def health() -> tuple[dict[str, Any], int]:
    """Answer 200 while the database reads and writes, 503 otherwise; and how many messages wait for it, since when."""
    backlog = current_writer().backlog
    spool = present_backlog(backlog)
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        db.session.rollback()
        return {"status": "unavailable", "reason": "The database does not answer.", "spool": spool}, 503
    if backlog.since is not None:
        return {"status": "unavailable", "reason": "The database cannot commit.", "spool": spool}, 503
    return {"status": "ok", "spool": spool}, 200
