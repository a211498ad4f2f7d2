"""The writer: everything that changes the database, in one order, with one commit for all that waits.

A change is a function of a `Transaction`. Whoever submits one waits until it is durable. Meanwhile the next batch
gathers, so one fsync serves everybody who came in while the last one ran, and a lone change is committed at once. The
commit runs on a native thread; what it brought is announced on the event loop, in the order of the changes.

While the database cannot commit, messages of people who were let into their conversation before go to the spool. The
writer asks for the database now and then; when it is back, the spool is drained before anything else is written.
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, ClassVar, Generic, TypeVar

import structlog
from flask import current_app
from sqlalchemy import Connection, Engine, update
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import Session

from chatapp.errors import Busy, ChatError, Internal, Unavailable
from chatapp.extensions import db
from chatapp.failpoints import failpoint
from chatapp.models import Installation, now
from chatapp.native import run_native
from chatapp.signals import Signal
from chatapp.supervision import OnFailure, Supervisor
from chatapp.timeline.signals import backlog_changed
from chatapp.timeline.spool import Entry, Spool

log = structlog.get_logger(__name__)

T = TypeVar("T")

Key = tuple[str, int]

EXTENSION = "chatapp.writer"
"""Where the application keeps its writer, in `app.extensions`."""

UNREACHABLE = (OperationalError, InterfaceError, InternalError)
"""What a database raises that cannot commit now, whatever the change is (read only is an `InternalError`)."""

PROBES = (0.1, 0.5, 1, 2, 3)
"""Seconds before each attempt to reach the database again; the last one repeats."""


@dataclass(frozen=True, slots=True)
class DeferredSignal(Generic[T]):
    """A signal with its payload, to be sent after the commit."""

    signal: Signal[T]
    payload: T

    def send(self) -> None:
        """Send it; exceptions of receivers are logged."""
        self.signal.send_robust(self.payload)


class Transaction:
    """What a change works with: the session of the batch, and what to announce after the commit."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.deferred_signals: list[DeferredSignal[Any]] = []

    def send_on_commit(self, signal: Signal[T], payload: T) -> None:
        """Send `signal` with `payload` after the commit, in the order of the changes; never if there is no commit."""
        self.deferred_signals.append(DeferredSignal(signal, payload))

    def send_revocation(self, signal: Signal[T], payload: T) -> None:
        """Announce the end of a sign-in or of a membership, and count it: other processes hear no deferred_signal."""
        self.session.execute(update(Installation).values(revocations=Installation.revocations + 1))
        self.send_on_commit(signal, payload)


class BatchChange(Generic[T]):
    """A change of which many are cheaper at once. A batch's neighbours of one kind are applied in one call."""

    comes_last: ClassVar[bool] = False
    """Whether it may be applied after the others of its batch: between them it would part neighbours."""

    def __call__(self, transaction: Transaction) -> T:
        """Apply this one alone."""
        (outcome,) = self.apply_batch(transaction, [self])
        if isinstance(outcome, ChatError):
            raise outcome
        return outcome

    @classmethod
    def apply_batch(cls, transaction: Transaction, changes: Sequence[Any]) -> Sequence[T | ChatError]:
        """Apply `changes` in their order and give for each what it returns, or the error that refuses it alone."""
        raise NotImplementedError


class SpoolableChange(BatchChange[T]):
    """A change that can wait in the spool."""

    @property
    def key(self) -> Key:
        """Client id and sender: under one key a change is made once, however often it arrives."""
        raise NotImplementedError

    def pending(self) -> T | None:
        """Give what is answered while it waits; None where it may not wait, since nobody can permit it now."""
        raise NotImplementedError

    def announce_pending(self, pending: T) -> DeferredSignal[Any]:
        """Give what to tell when it has come into the spool."""
        raise NotImplementedError

    def to_fields(self) -> dict[str, object]:
        """Give what the spool keeps."""
        raise NotImplementedError

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "SpoolableChange[T]":
        """Make the change of what the spool kept."""
        raise NotImplementedError

    def announce_refused(self, reason: str) -> DeferredSignal[Any]:
        """Give what to tell when the database refused for good what had waited."""
        raise NotImplementedError


Change = Callable[[Transaction], T]


class _Job:
    """A change on its way, and a lock that is free once it is settled: the cheapest thing that one can wait for."""

    __slots__ = ("_is_settled", "_lock", "change", "error", "outcome")

    def __init__(self, change: Change[Any]) -> None:
        self.change = change
        self.outcome: Any = None
        self.error: BaseException | None = None
        self._is_settled = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def settle(self) -> None:
        """Wake who waits, once."""
        if not self._is_settled:
            self._is_settled = True
            self._lock.release()

    def result(self) -> Any:
        """Wait until it is settled; give the outcome, or raise the error."""
        self._lock.acquire()
        if self.error is not None:
            raise self.error
        return self.outcome


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for the database."""

    waiting: int
    since: datetime | None


class Writer:
    """The one that writes, for a process. `submit()` may be called from any number of green or native threads."""

    def __init__(
        self,
        engine: Engine,
        spool: Spool,
        spoolable: type[SpoolableChange[Any]],
        supervisor: Supervisor,
        *,
        batch: int,
        bound: int,
        spool_bound: int,
    ) -> None:
        self._engine = engine
        self._spool = spool
        self._spoolable = spoolable
        self._supervisor = supervisor
        self._batch = batch
        self._spool_bound = spool_bound
        self._queue: queue.Queue[_Job | None] = queue.Queue(maxsize=bound)
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_stopping = False
        self._is_away = False
        self._away_since: datetime | None = None
        self._is_back = False
        self._spooled: dict[Key, Any] = {}

    @property
    def waiting(self) -> int:
        """How many changes wait for the next batch."""
        return self._queue.qsize()

    @property
    def backlog(self) -> Backlog:
        """What waits in the spool, and since when the database cannot commit."""
        return Backlog(len(self._spooled), self._away_since)

    def list_pending(self) -> list[Any]:
        """List what was answered for the changes that wait in the spool, in their order."""
        return list(self._spooled.values())

    def submit(self, change: Change[T]) -> T:
        """Commit `change` and give what it returned, once that is durable.

        Raises what the change raised (nothing of it is stored then), `Busy` when too much waits already, and
        `Unavailable` when the database cannot commit and the change cannot wait for it.
        """
        if self._is_stopping:
            raise Unavailable("chatapp is being restarted. Try again in a moment.")
        job = _Job(change)
        try:
            self._queue.put_nowait(job)
        except queue.Full:
            raise Busy("Too much is waiting to be saved. Try again in a moment.") from None
        self.start()
        result: T = job.result()
        return result

    def start(self, *, recover: bool = False) -> None:
        """Start the thread, as the first change does.

        With `recover` it drains first what a crash has left in the spool. Only the server does: a command of the shell
        would take the spool of a server that runs.
        """
        with self._starting:
            if self._thread is None:
                # A writer that was started again would leave changes of the failed batch waiting for ever.
                self._thread = self._supervisor.start("writer", self._run, recover, on_failure=OnFailure.END_PROCESS)

    def look_into_spool(self) -> None:
        """Drain what the shell let wait again, if the database is there."""
        if not self._is_away and not self._queue.full():
            self._is_back = True
            self._queue.put(None)

    def stop(self, timeout: float) -> None:
        """Take no more changes, and wait at most `timeout` seconds until those that wait are done with."""
        self._is_stopping = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout)
        run_native(self._spool.close)

    def _run(self, recover: bool) -> None:  # noqa: FBT001 - a thread's argument
        if recover:
            self._recover()
        while not (self._is_stopping and self._queue.empty()):
            batch = self._gather()
            try:
                if self._is_back:
                    self._drain()
                if batch:
                    self._write(batch)
            except Exception:
                # Whatever it was, the next batch is written.
                log.exception("batch failed", changes=len(batch))
                self._fail(batch, Internal, "Something went wrong on the server. Nothing was saved; try again.")

    def _gather(self) -> list[_Job]:
        """Wait for a change and take all that have come; None among them only wakes the writer."""
        batch: list[_Job] = []
        job = self._queue.get()
        # Whoever is ready to speak now comes along, as long as each look around finds somebody.
        seen = -1
        while seen < (waiting := self._queue.qsize()) < self._batch:
            seen = waiting
            time.sleep(0)
        while True:
            if job is not None:
                batch.append(job)
            if len(batch) == self._batch or self._queue.empty():
                return batch
            job = self._queue.get_nowait()

    def _write(self, batch: list[_Job]) -> None:
        if self._is_away:
            self._put_aside(batch)
            return
        try:
            deferred_signals = run_native(self._commit, batch)
        except UNREACHABLE as error:
            self._go_away(str(error.orig))
            self._put_aside(batch)
        else:
            self._settle(batch, deferred_signals)

    @staticmethod
    def _fail(batch: Iterable[_Job], kind: type[ChatError], message: str) -> None:
        for job in batch:
            job.error = kind(message)
            job.settle()

    @staticmethod
    def _settle(batch: Iterable[_Job], deferred_signals: Iterable[DeferredSignal[Any]]) -> None:
        for job in batch:
            job.settle()
        failpoint("after-acknowledgement")
        _send_signals(deferred_signals)

    # While the database is away.

    def _recover(self) -> None:
        """Find what the process before has left in the spool."""
        try:
            entries = run_native(self._spool.waiting)
        except sqlite3.Error as error:
            log.exception("spool cannot be read", reason=str(error))
            return
        if entries:
            self._remember(entries)
            self._go_away("messages wait from before", since=entries[0].spooled_at)

    def _remember(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            change = self._spoolable.from_fields(entry.fields)
            self._spooled[change.key] = change.pending()

    def _go_away(self, reason: str, since: datetime | None = None) -> None:
        log.warning("database cannot commit", reason=reason)
        self._is_away, self._is_back = True, False
        self._away_since = self._away_since or since or now()
        self._supervisor.start("database probe", self._probe)

    def _probe(self) -> None:
        """Ask for the database until it commits, then wake the writer."""
        attempt = 0
        while not self._is_stopping:
            time.sleep(PROBES[min(attempt, len(PROBES) - 1)])
            attempt += 1
            try:
                run_native(self._touch)
            except Exception as error:
                log.info("database still cannot commit", reason=str(error), attempt=attempt)
                continue
            self._is_back = True
            self._queue.put(None)
            return

    def _put_aside(self, batch: Iterable[_Job]) -> None:
        """Spool what may wait, and refuse the rest."""
        entering: dict[Key, tuple[_Job, SpoolableChange[Any]]] = {}
        again: list[tuple[_Job, Key]] = []
        for job in batch:
            change = job.change
            pending = change.pending() if isinstance(change, SpoolableChange) else None
            if not isinstance(change, SpoolableChange) or pending is None:
                self._fail([job], Unavailable, "The database does not answer. Nothing was saved; try again.")
            elif change.key in self._spooled or change.key in entering:
                again.append((job, change.key))
            elif len(self._spooled) + len(entering) >= self._spool_bound:
                self._fail([job], Busy, "The database is away, and no more can be kept until it is back. Try again.")
            else:
                job.outcome = pending
                entering[change.key] = job, change
        jobs = [job for job, _ in entering.values()] + [job for job, _ in again]
        try:
            if entering:
                run_native(self._spool.add, [(*key, change.to_fields()) for key, (_, change) in entering.items()])
        except sqlite3.Error as error:
            log.exception("spool cannot be written", reason=str(error))
            self._fail(jobs, Unavailable, "Neither the database nor the disk takes messages now. Try again.")
            return
        self._spooled |= {key: job.outcome for key, (job, _) in entering.items()}
        for job, key in again:
            job.outcome = self._spooled[key]
        self._settle(jobs, [change.announce_pending(job.outcome) for job, change in entering.values()])
        _send_signals([DeferredSignal(backlog_changed, self.backlog)])

    def _drain(self) -> None:
        """Commit what is in the spool, in its order, until it is empty. What is refused for good is kept aside."""
        was_away = self._is_away
        while entries := run_native(self._spool.waiting, self._batch):
            changes = [self._spoolable.from_fields(entry.fields) for entry in entries]
            jobs = [_Job(change) for change in changes]
            try:
                deferred_signals = run_native(self._commit, jobs)
            except UNREACHABLE as error:
                self._go_away(str(error.orig))
                return
            failpoint("after-drain")
            for entry, change, job in zip(entries, changes, jobs, strict=True):
                if job.error is not None:
                    log.error("spooled message refused", entry=entry.id, reason=str(job.error))
                    run_native(self._spool.refuse, entry.id, str(job.error))
                    deferred_signals.append(change.announce_refused(str(job.error)))
            run_native(
                self._spool.remove, [entry.id for entry, job in zip(entries, jobs, strict=True) if not job.error]
            )
            for change in changes:
                self._spooled.pop(change.key, None)
            _send_signals(deferred_signals)
            log.info("spool drained", messages=len(entries), left=len(self._spooled))
        self._is_away = self._is_back = False
        self._away_since = None
        if was_away:
            _send_signals([DeferredSignal(backlog_changed, self.backlog)])

    # From here on everything runs on a native thread: no logging, nothing green.

    def _touch(self) -> None:
        """Commit something that changes nothing. Raises what a commit would."""
        with self._engine.connect() as connection:
            connection.execute(update(Installation).values(epoch=Installation.epoch))
            connection.commit()

    def _commit(self, batch: list[_Job]) -> list[DeferredSignal[Any]]:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with Session(self._connection, expire_on_commit=False) as session:
                transaction = Transaction(session)
                for kind, group in groupby(sorted(batch, key=_comes_last), key=_kind):
                    jobs = list(group)
                    if kind is None or not self._apply_batch(transaction, kind, jobs):
                        for job in jobs:
                            self._apply(transaction, job)
                failpoint("before-commit")
                session.commit()
            failpoint("after-commit")
        except BaseException:
            self._disconnect()
            raise
        return transaction.deferred_signals

    def _apply_batch(self, transaction: Transaction, kind: type[BatchChange[Any]], jobs: list[_Job]) -> bool:
        """Apply changes of one kind at once; give False, with nothing done, when one of them spoils it for all."""
        mark = len(transaction.deferred_signals)
        try:
            with transaction.session.begin_nested():
                outcomes = kind.apply_batch(transaction, [job.change for job in jobs])
        except Exception as error:
            if _is_lost(error):
                raise
            del transaction.deferred_signals[mark:]
            return False
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, ChatError):
                job.error = outcome
            else:
                job.outcome = outcome
        return True

    def _apply(self, transaction: Transaction, job: _Job) -> None:
        """Apply a change by itself: what it raises is its own, the others stay."""
        mark = len(transaction.deferred_signals)
        try:
            with transaction.session.begin_nested():
                job.outcome = job.change(transaction)
        except Exception as error:
            if _is_lost(error):
                raise
            del transaction.deferred_signals[mark:]
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
    db.session.remove()  # Not `close()`: that would make a session first where there is none.
    return current_writer().submit(change)


def current_writer() -> Writer:
    """Give the writer of the application at hand."""
    writer: Writer = current_app.extensions[EXTENSION]
    return writer


def _send_signals(deferred_signals: Iterable[DeferredSignal[Any]]) -> None:
    for deferred_signal in deferred_signals:
        deferred_signal.send()


def _kind(job: _Job) -> type[BatchChange[Any]] | None:
    return type(job.change) if isinstance(job.change, BatchChange) else None


def _comes_last(job: _Job) -> bool:
    return isinstance(job.change, BatchChange) and job.change.comes_last


def _is_lost(error: Exception) -> bool:
    """Tell whether the error is the database's, so that it befalls every change, and not the change's own."""
    return isinstance(error, UNREACHABLE) or (isinstance(error, DBAPIError) and error.connection_invalidated)
