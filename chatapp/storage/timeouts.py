"""Time-outs of PostgreSQL in a serving process, also behind a connection pooler.

Commands of the shell have none: migrations, backups, checks and cleanups may take long, and nobody waits for them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from chatapp.config import Settings
from chatapp.errors import TooComplex
from chatapp.operation import current_operation
from chatapp.postgresql import is_pooled

T = TypeVar("T")

log = structlog.get_logger(__name__)

QUERY_CANCELED = "57014"
"""The SQLSTATE of a statement that has taken longer than `statement_timeout`."""

_IS_POOLED = "chatapp_is_pooled"
"""Key of whether a pooler is in between, in the `info` of a connection."""


def timeouts(settings: Settings, *, is_reader: bool) -> dict[str, int]:
    """Return the time-outs in milliseconds, by the name of PostgreSQL's parameter.

    The writer has no limit for a statement: one that is slow holds up the others, but repeating it would take as long.
    A wait for a lock is an error in both, an `OperationalError`, as if the database did not respond.
    """
    seconds = {
        "lock_timeout": settings.lock_timeout_seconds,
        "idle_in_transaction_session_timeout": settings.idle_transaction_timeout_seconds,
    }
    if is_reader:
        seconds["statement_timeout"] = settings.read_timeout_seconds
    return {name: max(1, round(value * 1_000)) for name, value in seconds.items()}


def timeout_arguments(url: str, limits: Mapping[str, int]) -> dict[str, Any]:
    """Return the arguments of the driver's `connect` that set the time-outs."""
    options = [f"-c {name}={milliseconds}" for name, milliseconds in limits.items()]
    # The driver takes only one of both: what the URL says comes first.
    own = make_url(url).query.get("options", ())
    return {"options": " ".join([*((own,) if isinstance(own, str) else own), *options])}


def support_pooler(engine: Engine, limits: Mapping[str, int] | None = None) -> None:
    """Make the connections usable behind a pooler that gives each transaction another session of PostgreSQL.

    Statements are not prepared then, and each transaction sets the time-outs: a pooler ignores them at the connect.
    """

    @event.listens_for(engine, "connect")
    def detect(connection: Any, record: ConnectionPoolEntry) -> None:
        if is_pooled(connection):
            connection.prepare_threshold = None
            record.info[_IS_POOLED] = True

    if not limits:
        return
    changes = ", ".join(f"set_config('{name}', '{milliseconds}', true)" for name, milliseconds in limits.items())

    @event.listens_for(engine, "begin")
    def set_limits(connection: Connection) -> None:
        if has_pooler(connection):
            connection.exec_driver_sql(f"SELECT {changes}")


def refuse_long_reads(engine: Engine) -> None:
    """Raise `TooComplex` instead of the database's error when a statement exceeds its time."""

    @event.listens_for(engine, "handle_error")
    def raise_too_complex(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) == QUERY_CANCELED:
            log.warning("read took too long", operation=current_operation.get())
            raise TooComplex("This takes more time than the server allows.") from context.original_exception


def has_pooler(connection: Connection) -> bool:
    """Return whether a connection leads to a pooler, as `support_pooler` has found."""
    return bool(connection.info.get(_IS_POOLED))


def read_within(session: Session, read: Callable[[Session], T], seconds: float) -> T:
    """Call `read` on PostgreSQL. Raises `TooComplex` when a statement takes longer than `seconds`."""
    with _time_limit(session, f"{max(1, round(seconds * 1_000))}ms"):
        return read(session)


def without_time_limit(session: Session) -> AbstractContextManager[None]:
    """Let the statements of the block take as long as they need."""
    return _time_limit(session, "0")


@contextmanager
def _time_limit(session: Session, limit: str) -> Iterator[None]:
    """Limit the statements of the block. One that fails ends the transaction, and the limit with it."""
    former = session.execute(text("SELECT current_setting('statement_timeout')")).scalar_one()
    set_limit = text("SELECT set_config('statement_timeout', :limit, true)")
    session.execute(set_limit, {"limit": limit})
    yield
    session.execute(set_limit, {"limit": former})
