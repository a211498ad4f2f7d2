"""The writer: everything that changes the database, in one order, with one commit for all that waits.

A change is a function of a `Transaction`. Whoever submits one waits until it is durable. Meanwhile the next batch
gathers, so one fsync serves everybody who came in while the last one ran, and a lone change is committed at once. The
commit runs on a native thread; what it brought is announced on the event loop, in the order of the changes.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Generic, TypeVar

import structlog
from blinker import NamedSignal
from flask import current_app
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from chatapp.errors import Busy, ChatError, Internal, Unavailable
from chatapp.extensions import db
from chatapp.native import run_native

log = structlog.get_logger(__name__)

T = TypeVar("T")

BATCH = 500
"""Changes in one transaction at the most: a bound on what one bad row makes slow."""

EXTENSION = "chatapp.writer"
"""Where the application keeps its writer, in `app.extensions`."""

UNREACHABLE = (OperationalError, InterfaceError)
"""What a database raises that cannot commit now, whatever the change is."""


@dataclass(slots=True)
class Announcement:
    """What a change will tell once it is committed: a signal and the fact that it carries."""

    signal: NamedSignal
    fact: object


class Transaction:
    """What a change works with: the session of the batch, and what to announce after the commit."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.announcements: list[Announcement] = []

    def announce(self, signal: NamedSignal, fact: object) -> None:
        """Send `signal` with `fact` after the commit, in the order of the changes; never if there is no commit."""
        self.announcements.append(Announcement(signal, fact))


class TogetherChange(Generic[T]):
    """A change of which many are cheaper at once. A batch's neighbours of one kind are applied in one call."""

    def __call__(self, transaction: Transaction) -> T:
        """Apply this one alone."""
        (outcome,) = self.apply_together(transaction, [self])
        if isinstance(outcome, ChatError):
            raise outcome
        return outcome

    @classmethod
    def apply_together(cls, transaction: Transaction, changes: Sequence[Any]) -> Sequence[T | ChatError]:
        """Apply `changes` in their order and give for each what it returns, or the error that refuses it alone."""
        raise NotImplementedError


Change = Callable[[Transaction], T]


@dataclass(slots=True)
class _Job:
    change: Change[Any]
    done: Future[Any] = field(default_factory=Future)
    outcome: Any = None
    error: BaseException | None = None


class Writer:
    """The one that writes, for a process. `submit()` may be called from any number of green or native threads."""

    def __init__(self, engine: Engine, *, bound: int) -> None:
        self._engine = engine
        self._waiting: queue.Queue[_Job] = queue.Queue(maxsize=bound)
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def submit(self, change: Change[T]) -> T:
        """Commit `change` and give what it returned, once that is durable.

        Raises what the change raised (nothing of it is stored then), `Busy` when too much waits already, and
        `Unavailable` when the database cannot commit.
        """
        job = _Job(change)
        try:
            self._waiting.put_nowait(job)
        except queue.Full:
            raise Busy("Too much is waiting to be saved. Try again in a moment.") from None
        self._start()
        result: T = job.done.result()
        return result

    def _start(self) -> None:
        """Start the thread with the first change: a process that only reads has none."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            batch = self._gather()
            try:
                announcements = run_native(self._commit, batch)
            except UNREACHABLE as error:
                log.warning("database cannot commit", changes=len(batch), error=str(error.orig))
                self._fail(batch, Unavailable, "The database does not answer. Nothing was saved; try again.")
            except Exception:
                log.exception("batch failed", changes=len(batch))
                self._fail(batch, Internal, "Something went wrong on the server. Nothing was saved; try again.")
            else:
                self._settle(batch, announcements)

    def _gather(self) -> list[_Job]:
        batch = [self._waiting.get()]
        while len(batch) < BATCH:
            try:
                batch.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return batch

    @staticmethod
    def _fail(batch: Iterable[_Job], kind: type[ChatError], message: str) -> None:
        for job in batch:
            job.done.set_exception(kind(message))

    @staticmethod
    def _settle(batch: Iterable[_Job], announcements: Iterable[Announcement]) -> None:
        for job in batch:
            if job.error is None:
                job.done.set_result(job.outcome)
            else:
                job.done.set_exception(job.error)
        for announcement in announcements:
            try:
                announcement.signal.send(announcement.fact)
            except Exception:
                # A listener's mistake must end neither the writer nor what the other listeners hear.
                log.exception("listener failed", signal=announcement.signal.name)

    # From here on everything runs on a native thread: no logging, nothing green.

    def _commit(self, batch: list[_Job]) -> list[Announcement]:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with Session(self._connection, expire_on_commit=False) as session:
                transaction = Transaction(session)
                for kind, group in groupby(batch, key=_kind):
                    jobs = list(group)
                    if kind is None or not self._apply_together(transaction, kind, jobs):
                        for job in jobs:
                            self._apply(transaction, job)
                session.commit()
        except BaseException:
            self._disconnect()
            raise
        return transaction.announcements

    def _apply_together(self, transaction: Transaction, kind: type[TogetherChange[Any]], jobs: list[_Job]) -> bool:
        """Apply changes of one kind at once; give False, with nothing done, when one of them spoils it for all."""
        mark = len(transaction.announcements)
        try:
            with transaction.session.begin_nested():
                outcomes = kind.apply_together(transaction, [job.change for job in jobs])
        except Exception as error:
            if _is_lost(error):
                raise
            del transaction.announcements[mark:]
            return False
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, ChatError):
                job.error = outcome
            else:
                job.outcome = outcome
        return True

    def _apply(self, transaction: Transaction, job: _Job) -> None:
        """Apply a change by itself: what it raises is its own, the others stay."""
        mark = len(transaction.announcements)
        try:
            with transaction.session.begin_nested():
                job.outcome = job.change(transaction)
        except Exception as error:
            if _is_lost(error):
                raise
            del transaction.announcements[mark:]
            job.error = error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def write(change: Change[T]) -> T:
    """Submit `change` to the application's writer: see `Writer.submit`.

    The reader's transaction of whoever calls ends first: it would hold a connection while waiting, and show the state
    from before the change afterwards.
    """
    db.session.close()
    writer: Writer = current_app.extensions[EXTENSION]
    return writer.submit(change)


def _kind(job: _Job) -> type[TogetherChange[Any]] | None:
    return type(job.change) if isinstance(job.change, TogetherChange) else None


def _is_lost(error: Exception) -> bool:
    """Tell whether the error is the database's, so that it befalls every change, and not the change's own."""
    return isinstance(error, UNREACHABLE) or (isinstance(error, DBAPIError) and error.connection_invalidated)
