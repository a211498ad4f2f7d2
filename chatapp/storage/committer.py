"""Commits a batch in one transaction, on the one connection that writes.

This module runs on the writer's native thread: it must neither log nor wait for green threads.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import Session

from chatapp.errors import ChatError
from chatapp.failpoints import failpoint
from chatapp.signals import Signals
from chatapp.storage.changes import BatchChange, SpoolableChange
from chatapp.storage.jobs import Job
from chatapp.storage.transaction import DeferredSignal, Transaction
from chatapp.storage.watermarks import Watermarks

UNREACHABLE = (OperationalError, InterfaceError, InternalError)
"""Errors of a database that cannot commit any change now. A read-only PostgreSQL raises `InternalError`."""


class Committer:
    """Applies batches of changes and commits them."""

    def __init__(self, engine: Engine, signals: Signals, watermarks: Watermarks, probe: Executable) -> None:
        self._engine = engine
        self._signals = signals
        self._watermarks = watermarks
        self._uncertain_watermarks: dict[int, int] = {}
        """Marks of a commit whose outcome is unknown: the next one acknowledges its changes that have a key."""
        self._probe = probe
        self._connection: Connection | None = None

    def commit(self, jobs: Sequence[Job]) -> list[DeferredSignal[Any]]:
        """Apply the jobs' changes in one transaction, commit it, and return the signals to send.

        Each job then has its result or its error. A change that fails does not affect the others. Raises one of
        `UNREACHABLE` when the database cannot commit; nothing is stored then, except perhaps of jobs that are
        `is_uncertain`.

        If the database has dropped the connection, the changes are applied once more on a new one. After COMMIT was
        sent its outcome is unknown. Only changes with a key are repeated then, as they are looked up by it first.
        """
        try:
            return self._attempt(jobs)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return self._attempt([job for job in jobs if not job.is_uncertain])

    def probe(self) -> None:
        """Commit a statement that changes nothing, on a connection of its own. Raises what a commit would."""
        with self._engine.connect() as connection:
            connection.execute(self._probe)
            connection.commit()

    def _attempt(self, jobs: Sequence[Job]) -> list[DeferredSignal[Any]]:
        for job in jobs:
            job.result = job.error = None
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with Session(self._connection, expire_on_commit=False) as session:
                transaction = Transaction(session, self._signals)
                try:
                    _apply_all(transaction, jobs)
                    failpoint("before-commit")
                except BaseException:
                    # Rows that a change was created with are then new again, and another attempt can insert them.
                    session.rollback()
                    raise
                self._commit(transaction, jobs)
            # Before the acknowledgement, so that a restored backup without these changes is detected.
            self._watermarks.record(self._uncertain_watermarks | transaction.watermarks)
            self._uncertain_watermarks.clear()
            failpoint("after-commit")
        except BaseException:
            self._disconnect()
            raise
        return transaction.deferred_signals

    def _commit(self, transaction: Transaction, jobs: Sequence[Job]) -> None:
        try:
            transaction.session.commit()
        except DBAPIError as error:
            if error.connection_invalidated:
                self._uncertain_watermarks |= transaction.watermarks
                for job in jobs:
                    if job.error is None and not isinstance(job.change, SpoolableChange):
                        job.set_uncertain()
            raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def _apply_all(transaction: Transaction, jobs: Sequence[Job]) -> None:
    for batch_class, group in groupby(sorted(jobs, key=_runs_last), key=_batch_class):
        adjacent = list(group)
        if batch_class is None or not _apply_batch(transaction, batch_class, adjacent):
            for job in adjacent:
                _apply(transaction, job)


def _apply_batch(transaction: Transaction, batch_class: type[BatchChange[Any]], jobs: Sequence[Job]) -> bool:
    """Apply changes of one class together. If that raises, undo all of them and return False."""
    try:
        with transaction.savepoint():
            results = batch_class.apply_batch(transaction, [job.change for job in jobs])
    except Exception as error:
        if _is_outage(error):
            raise
        return False
    for job, result in zip(jobs, results, strict=True):
        if isinstance(result, ChatError):
            job.error = result
        else:
            job.result = result
    return True


def _apply(transaction: Transaction, job: Job) -> None:
    """Apply one change: what it raises becomes the error of its job."""
    try:
        with transaction.savepoint():
            job.result = job.change(transaction)
    except Exception as error:
        if _is_outage(error):
            raise
        job.error = error


def _batch_class(job: Job) -> type[BatchChange[Any]] | None:
    return type(job.change) if isinstance(job.change, BatchChange) else None


def _runs_last(job: Job) -> bool:
    return isinstance(job.change, BatchChange) and job.change.runs_last


def _is_outage(error: Exception) -> bool:
    """Return whether the database cannot commit any change of the batch."""
    return isinstance(error, UNREACHABLE) or (isinstance(error, DBAPIError) and error.connection_invalidated)
