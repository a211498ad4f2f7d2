"""The database access of a Flask application: its reader connections, its writer, and `write` for every change."""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from flask import Flask, current_app, g
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from chatapp.config import Settings, current_settings
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.storage.changes import Change, LockingChange
from chatapp.storage.engines import prepare_reader, read_natively, reader_options, replica_engine
from chatapp.storage.read_outage import ReadOutage
from chatapp.storage.replica import PRIMARY_POSITION, Replica, ReplicaUnusableError
from chatapp.storage.statements import StatementObserver
from chatapp.storage.submissions import Submission
from chatapp.storage.timeouts import read_within
from chatapp.storage.writer import Writer

log = structlog.get_logger(__name__)

T = TypeVar("T")

EXTENSION = "chatapp.writer"
"""Key of the application's writer in `app.extensions`."""

_READ_OUTAGE = "chatapp.read_outage"
"""Key of the application's `ReadOutage` in `app.extensions`."""

DATABASE_ERRORS = (OperationalError, InterfaceError, PoolTimeout)
"""Errors of a query while the database cannot be read."""

_REPLICA = "chatapp.replica"
"""Key of the application's `Replica`, if it has one, in `app.extensions`."""

_IS_UNREPEATABLE = "chatapp_is_unrepeatable"
"""Name in `g` of whether the current request or event has submitted a change, or was repeated already."""


def init_readers(app: Flask, settings: Settings, statements: StatementObserver, *, is_serving: bool) -> None:
    """Make `db.session` read-only, with one snapshot for each transaction."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.sqlalchemy_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = reader_options(settings, is_serving=is_serving)
    db.init_app(app)
    with app.app_context():
        prepare_reader(db.engine, settings, statements, is_serving=is_serving)
        app.extensions[_READ_OUTAGE] = ReadOutage(db.engine)
    if is_serving and settings.database_read_url:
        app.extensions[_REPLICA] = Replica(
            replica_engine(settings, statements),
            wait_seconds=settings.replica_wait_seconds,
            max_lag_seconds=settings.replica_max_lag_seconds,
            read_seconds=settings.read_timeout_seconds,
        )


def find_replica(app: Flask) -> Replica | None:
    """Return the application's replica, if it has one."""
    replica: Replica | None = app.extensions.get(_REPLICA)
    return replica


def read_from_replica(
    session: Session,
    read: Callable[[Session], T],
    *,
    accepts: Callable[[T], bool] = lambda _result: True,
    is_native: bool = True,
    is_search: bool = False,
) -> T:
    """Call `read` with a session of the replica that sees at least what `session` sees, or else like `read_natively`.

    The caller has authorized the read in `session`. A result that is newer than what was authorized is read again in
    `session` if `accepts` returns False for it. Without a replica, this is `read_natively`, or with `is_native` false
    a plain call: `read` then uses native threads itself where it may take long.
    """
    replica = find_replica(current_app)
    if replica is not None and replica.is_usable:
        position: int = session.execute(PRIMARY_POSITION).scalar_one()
        try:
            with replica.open_session(position) as reading:
                if is_search:
                    result = read_within(reading, read, current_settings().search_timeout_seconds)
                else:
                    result = read(reading)
        except (ReplicaUnusableError, DBAPIError, PoolTimeout) as error:
            replica.report(error)
        else:
            if accepts(result):
                return result
    return read_natively(session, read, is_search=is_search) if is_native else read(session)


def write(change: Change[T], *, locks: Collection[int] = ()) -> T:
    """Submit `change` to the application's writer: see `Writer.submit`.

    `locks` are the ids of the conversations that it locks: see `list_lock_keys`.

    The caller's read transaction ends first. Otherwise it would hold a connection during the wait, and later reads
    would not see the change.
    """
    setattr(g, _IS_UNREPEATABLE, True)
    db.session.remove()  # `close()` would create a session where there is none.
    return current_writer().submit(LockingChange(change, locks) if locks else change)


def write_later(change: Change[Any]) -> None:
    """Submit `change`, and do not wait until it is stored. What somebody does must not fail, or wait, because of it.

    It is not stored if nothing can be written at the moment.
    """
    with suppress(ChatError):
        current_writer().submit_and_call(change, _log_failure)


def _log_failure(submission: Submission) -> None:
    if submission.error is not None and not isinstance(submission.error, ChatError):
        log.error("change failed", operation=submission.operation, exc_info=submission.error)


def is_dropped(error: BaseException) -> bool:
    """Return whether the database has dropped a connection that was in use. It may still accept new ones."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def is_overload(error: BaseException) -> bool:
    """Return whether no reader connection became free in time: perhaps the process is busy and the database well."""
    return isinstance(error, PoolTimeout)


def log_database_error(error: BaseException, **details: object) -> None:
    """Log an error of the database, unless it is due to an outage: its begin and its end are logged once."""
    read_outage: ReadOutage = current_app.extensions[_READ_OUTAGE]
    if read_outage.is_active or current_writer().backlog.since is not None:
        log.debug("database does not respond", error=str(error), **details)
    else:
        log.warning("database does not respond", error=str(error), **details)


def claim_repetition(error: BaseException) -> bool:
    """Return whether to repeat the current request or socket event, which failed with `error`.

    It is repeated once, on a fresh connection, if the database has dropped the one in use and no change was submitted.
    A fresh snapshot is read from the beginning: repeating the failed statement alone would mix two.
    """
    if not is_dropped(error) or g.get(_IS_UNREPEATABLE):
        return False
    setattr(g, _IS_UNREPEATABLE, True)
    db.session.remove()
    return True


def current_writer() -> Writer:
    """Return the writer of the current application."""
    writer: Writer = current_app.extensions[EXTENSION]
    return writer
