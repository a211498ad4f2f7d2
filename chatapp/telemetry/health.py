"""Whether chatapp can do its work, for a supervisor or a proxy to ask."""

from flask import Blueprint
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from chatapp.extensions import db

blueprint = Blueprint("telemetry", __name__)


@blueprint.get("/health")
def health() -> tuple[dict[str, str], int]:
    """Answer 200 while the database answers, 503 otherwise."""
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        db.session.rollback()
        return {"status": "unavailable", "reason": "The database does not answer."}, 503
    return {"status": "ok"}, 200
