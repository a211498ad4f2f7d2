"""Time-outs of PostgreSQL in a serving process.

Commands of the shell have none: migrations, backups, checks and cleanups may take long, and nobody waits for them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.orm import Session

from chatapp.config import Settings
from chatapp.errors import TooComplex
from chatapp.operation import current_operation

log = structlog.get_logger(__name__)

QUERY_CANCELED = "57014"
"""The SQLSTATE of a statement that has taken longer than `statement_timeout`."""


def timeout_arguments(settings: Settings, url: str, *, is_reader: bool) -> dict[str, Any]:
    """Return the arguments of the driver's `connect` that set the time-outs.

    The writer has no limit for a statement: one that is slow holds up the others, but repeating it would take as long.
    A wait for a lock is an error in both, an `OperationalError`, as if the database did not respond.
    """
    seconds = {
        "lock_timeout": settings.lock_timeout_seconds,
        "idle_in_transaction_session_timeout": settings.idle_transaction_timeout_seconds,
    }
    if is_reader:
        seconds["statement_timeout"] = settings.read_timeout_seconds
    options = [f"-c {name}={max(1, round(value * 1_000))}" for name, value in seconds.items()]
    # The driver takes only one of both: what the URL says comes first.
    own = make_url(url).query.get("options", ())
    return {"options": " ".join([*((own,) if isinstance(own, str) else own), *options])}


def refuse_long_reads(engine: Engine) -> None:
    """Raise `TooComplex` instead of the database's error when a statement exceeds its time."""

    @event.listens_for(engine, "handle_error")
    def raise_too_complex(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) == QUERY_CANCELED:
            log.warning("read took too long", operation=current_operation.get())
            raise TooComplex("This takes more time than the server allows.") from context.original_exception


@contextmanager
def without_time_limit(session: Session) -> Iterator[None]:
    """Let the statements of the block take as long as they need."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    yield
    session.execute(text("SET LOCAL statement_timeout TO DEFAULT"))
