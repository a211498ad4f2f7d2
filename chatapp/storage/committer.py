"""One transaction for a batch, on the one connection that writes.

All of it runs on a native thread: it must neither log nor wait for anything green.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import Session

from chatapp.errors import ChatError
from chatapp.failpoints import failpoint
from chatapp.storage.changes import BatchChange
from chatapp.storage.jobs import Job
from chatapp.storage.transaction import DeferredSignal, Transaction

UNREACHABLE = (OperationalError, InterfaceError, InternalError)
"""Errors of a database that cannot commit now, whatever the change is ("read only" is an `InternalError`)."""


class Committer:
    """Applies batches of changes and commits them."""

    def __init__(self, engine: Engine, probe: Executable) -> None:
        self._engine = engine
        self._probe = probe
        self._connection: Connection | None = None

    def commit(self, jobs: Sequence[Job]) -> list[DeferredSignal[Any]]:
        """Apply the jobs' changes in one transaction, commit it, and return the signals to send.

        Each job has its result or its error afterwards; a change that fails takes nothing of the others with it.
        Raises one of `UNREACHABLE` when the database cannot commit; nothing is stored then.
        """
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with Session(self._connection, expire_on_commit=False) as session:
                transaction = Transaction(session)
                for kind, group in groupby(sorted(jobs, key=_runs_last), key=_batch_kind):
                    neighbours = list(group)
                    if kind is None or not _apply_batch(transaction, kind, neighbours):
                        for job in neighbours:
                            _apply(transaction, job)
                failpoint("before-commit")
                session.commit()
            failpoint("after-commit")
        except BaseException:
            self._disconnect()
            raise
        return transaction.deferred_signals

    def probe(self) -> None:
        """Commit a statement that changes nothing, on a connection of its own. Raises what a commit would."""
        with self._engine.connect() as connection:
            connection.execute(self._probe)
            connection.commit()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def _apply_batch(transaction: Transaction, kind: type[BatchChange[Any]], jobs: Sequence[Job]) -> bool:
    """Apply changes of one kind together. Return False, with nothing done, when one of them fails for all."""
    try:
        with transaction.savepoint():
            results = kind.apply_batch(transaction, [job.change for job in jobs])
    except Exception as error:
        if _is_connection_lost(error):
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
        if _is_connection_lost(error):
            raise
        job.error = error


def _batch_kind(job: Job) -> type[BatchChange[Any]] | None:
    return type(job.change) if isinstance(job.change, BatchChange) else None


def _runs_last(job: Job) -> bool:
    return isinstance(job.change, BatchChange) and job.change.runs_last


def _is_connection_lost(error: Exception) -> bool:
    """Return whether the error is the database's and affects every change of the batch."""
    return isinstance(error, UNREACHABLE) or (isinstance(error, DBAPIError) and error.connection_invalidated)
