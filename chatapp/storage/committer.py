"""Commits a batch in one transaction, on the one connection that writes.

This module runs on the writer's native thread: it must not wait for green threads.
"""

import time
from collections.abc import Callable, Collection, Sequence
from itertools import groupby, islice
from typing import Any

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from chatapp import sqlite
from chatapp.distribution import SIZES, Distribution
from chatapp.errors import ChatError
from chatapp.failpoints import failpoint
from chatapp.operation import current_operation, current_request_id
from chatapp.signals import Signals
from chatapp.storage.changes import BatchChange, SpoolableChange, list_lock_keys
from chatapp.storage.submissions import Submission
from chatapp.storage.transaction import DeferredSignal, Transaction
from chatapp.storage.watermarks import Watermarks

log = structlog.get_logger(__name__)

OUTAGE_ERRORS = (OperationalError, InterfaceError, InternalError)
"""Errors of a database that cannot commit any change now. A read-only PostgreSQL raises `InternalError`."""

DEADLOCK = "40P01"
"""PostgreSQL's code of the error of a transaction that it has chosen to end a deadlock."""

MAX_DEADLOCKS = 3
"""How often a batch is applied again after a deadlock, before it counts as an outage."""

MAX_LOGGED_REQUESTS = 10
"""Maximum number of requests that a log line about a batch names."""


class Committer:
    """Applies batches of changes and commits them."""

    def __init__(
        self,
        engine: Engine,
        signals: Signals,
        watermarks: Watermarks,
        *,
        lock: Callable[[Session, Collection[int]], object],
    ) -> None:
        """Create the committer. `lock` locks rows of PostgreSQL by keys, always in the same order."""
        self._engine = engine
        self._lock = lock
        self._signals = signals
        self._watermarks = watermarks
        self._connection: Connection | None = None
        self._started_at: float | None = None
        self.seconds = Distribution()
        """Time that each committed batch took."""
        self.sizes = Distribution(SIZES)
        """Number of changes in each committed batch."""

    @property
    def running_seconds(self) -> float:
        """Time that the batch which is being committed has taken so far; 0 if there is none."""
        started_at = self._started_at
        return 0.0 if started_at is None else time.perf_counter() - started_at

    def commit(self, submissions: Sequence[Submission]) -> list[DeferredSignal[Any]]:
        """Apply the submissions' changes in one transaction, commit it, and return the signals to send.

        Each submission then has its result or its error. A change that fails does not affect the others. Raises one of
        `OUTAGE_ERRORS` when the database cannot commit; nothing is stored then, except perhaps of submissions that are
        `is_uncertain`.

        If the database has ended the transaction because of a deadlock, the changes are applied again. If it has
        dropped the connection, they are applied once more on a new one. After COMMIT was
        sent its outcome is unknown. Only changes with a key are repeated then, as they are looked up by it first.
        """
        self._started_at = started_at = time.perf_counter()
        try:
            signals = self._commit_or_repeat(submissions)
        finally:
            self._started_at = None
        self.seconds.add(time.perf_counter() - started_at)
        self.sizes.add(len(submissions))
        return signals

    def _commit_or_repeat(self, submissions: Sequence[Submission]) -> list[DeferredSignal[Any]]:
        deadlocks = 0
        while True:
            try:
                return self._attempt(submissions)
            except DBAPIError as error:
                if _is_deadlock(error) and deadlocks < MAX_DEADLOCKS:
                    deadlocks += 1
                    log.warning("deadlock in the database", changes=len(submissions))
                elif error.connection_invalidated:
                    break
                else:
                    raise
        return self._attempt([submission for submission in submissions if not submission.is_uncertain])

    def commit_probe(self, probe: Callable[[Session], object]) -> None:
        """Call `probe` and commit, on a connection of its own. Raises what a commit would."""
        with self._engine.connect() as connection, Session(connection) as session:
            probe(session)
            session.commit()

    def close(self) -> None:
        """Close the connection. The next commit opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _attempt(self, submissions: Sequence[Submission]) -> list[DeferredSignal[Any]]:
        for submission in submissions:
            submission.result = submission.error = None
        # The writer has one native thread: the name remains until the next batch.
        current_operation.set(", ".join(sorted({submission.operation for submission in submissions})))
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with Session(self._connection, expire_on_commit=False) as session:
                transaction = Transaction(session, self._signals)
                try:
                    self._lock_rows(transaction, submissions)
                    _apply_all(transaction, submissions)
                    failpoint("before-commit")
                except BaseException:
                    # Rows that a change was created with are then new again, and another attempt can insert them.
                    session.rollback()
                    raise
                self._commit(transaction, submissions)
            # Before the acknowledgement, so that a restored backup without these changes is detected.
            self._watermarks.record(transaction.watermarks)
            failpoint("after-commit")
        except BaseException:
            self.close()
            raise
        return transaction.deferred_signals

    def _lock_rows(self, transaction: Transaction, submissions: Sequence[Submission]) -> None:
        # SQLite locks no rows.
        if self._engine.dialect.name != "sqlite" and (
            keys := list_lock_keys([submission.change for submission in submissions])
        ):
            transaction.lock(self._lock, keys)

    def _commit(self, transaction: Transaction, submissions: Sequence[Submission]) -> None:
        current_request_id.set(_join_request_ids(submissions))
        try:
            transaction.session.commit()
        except DBAPIError as error:
            if error.connection_invalidated:
                for submission in submissions:
                    if submission.error is None and not isinstance(submission.change, SpoolableChange):
                        submission.set_uncertain()
            raise


def _apply_all(transaction: Transaction, submissions: Sequence[Submission]) -> None:
    for batch_class, group in groupby(sorted(submissions, key=_runs_last), key=_batch_class):
        adjacent = list(group)
        if batch_class is None or not _apply_batch(transaction, batch_class, adjacent):
            for submission in adjacent:
                _apply(transaction, submission)


def _apply_batch(
    transaction: Transaction, batch_class: type[BatchChange[Any]], submissions: Sequence[Submission]
) -> bool:
    """Apply changes of one class together. If that raises, undo all of them and return False."""
    current_request_id.set(_join_request_ids(submissions))
    try:
        with transaction.savepoint():
            results = batch_class.apply_batch(transaction, [submission.change for submission in submissions])
    except Exception as error:
        if _is_outage(error):
            raise
        return False
    for submission, result in zip(submissions, results, strict=True):
        if isinstance(result, ChatError):
            submission.error = result
        else:
            submission.result = result
    return True


def _apply(transaction: Transaction, submission: Submission) -> None:
    """Apply one change: what it raises becomes the error of its submission."""
    current_request_id.set(submission.request_id)
    try:
        with transaction.savepoint():
            submission.result = submission.change(transaction)
    except Exception as error:
        if _is_outage(error):
            raise
        submission.error = _as_statement_error(error)


def _join_request_ids(submissions: Sequence[Submission]) -> str:
    return ",".join(islice((each.request_id for each in submissions if each.request_id), MAX_LOGGED_REQUESTS))


def _batch_class(submission: Submission) -> type[BatchChange[Any]] | None:
    return type(submission.change) if isinstance(submission.change, BatchChange) else None


def _runs_last(submission: Submission) -> bool:
    return isinstance(submission.change, BatchChange) and submission.change.runs_last


def _is_outage(error: Exception) -> bool:
    """Return whether the database cannot commit any change of the batch."""
    if _is_broken_statement(error):
        return False
    return isinstance(error, OUTAGE_ERRORS) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def _is_deadlock(error: DBAPIError) -> bool:
    """Return whether the transaction was ended so that another one, which it waited for, can continue."""
    return getattr(error.orig, "sqlstate", None) == DEADLOCK


def _is_broken_statement(error: Exception) -> bool:
    """Return whether SQLite cannot execute the statement, for instance because a table or column is missing.

    Its driver raises the class of an outage then. But the next commit would succeed, and the statement fail again.
    """
    code = getattr(error.orig, "sqlite_errorcode", None) if isinstance(error, OperationalError) else None
    return code == sqlite.SQLITE_ERROR


def _as_statement_error(error: Exception) -> Exception:
    """Return the error, in the class that PostgreSQL's driver raises if a statement cannot be executed."""
    if not isinstance(error, DBAPIError) or not _is_broken_statement(error) or error.orig is None:
        return error
    return ProgrammingError(error.statement, None, error.orig)
