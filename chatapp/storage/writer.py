"""The writer: all changes of a process in one order, with one commit for all that wait (group commit).

A commit runs on a native thread that nothing else uses. The changes that arrive meanwhile form the next batch, which
one fsync makes durable; a single change is committed at once. After the commit the submitters are woken, then the
signals are sent in the order of the changes.

While the database is unavailable, spoolable changes go to the spool. When it is available again the spool is drained
before anything else is written. A change whose sender has entries in the spool of another process is spooled, too, and
drained after them.
"""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from chatapp.concurrency.cooperation import begin_urgent, end_urgent
from chatapp.concurrency.native import NativePool
from chatapp.concurrency.supervision import OnFailure, Supervisor
from chatapp.errors import ChatError, Internal, Unavailable
from chatapp.failpoints import failpoint
from chatapp.signals import Signals
from chatapp.storage.changes import Change, SpoolableChange
from chatapp.storage.committer import OUTAGE_ERRORS, Committer
from chatapp.storage.outage import Availability, Outage
from chatapp.storage.probe import Probe
from chatapp.storage.signals import Backlog, backlog_changed
from chatapp.storage.spool import SPOOL_ERRORS, Spool
from chatapp.storage.spooler import Spooler
from chatapp.storage.submissions import Submission, SubmissionQueue
from chatapp.storage.transaction import DeferredSignal, send_deferred
from chatapp.storage.watermarks import Watermarks

log = structlog.get_logger(__name__)

T = TypeVar("T")

WAITING_SECONDS = 0.02
"""Pause before it is checked again whether other processes have stored what the entries of the spool wait for."""

CHECK_SECONDS = 1.0
"""Interval at which it is checked whether the database can commit, while all entries of the spool wait."""


class Writer:
    """The writer of a process. `submit` may be called from any number of green or native threads."""

    def __init__(
        self,
        engine: Engine,
        spool: Spool,
        supervisor: Supervisor,
        signals: Signals,
        watermarks: Watermarks,
        *,
        spoolable_class: type[SpoolableChange[Any]],
        probe: Callable[[Session, Sequence[Any]], object],
        lock: Callable[[Session, Collection[int]], object],
        max_batch: int,
        max_queued: int,
        max_spooled: int,
    ) -> None:
        self._supervisor = supervisor
        self._signals = signals
        self.watermarks = watermarks
        self._max_batch = max_batch
        self._queue = SubmissionQueue(max_queued=max_queued, max_batch=max_batch)
        self._committer = Committer(engine, signals, watermarks, lock=lock)
        self.commit_seconds, self.commit_sizes = self._committer.seconds, self._committer.sizes
        self._native = NativePool("writer", threads=1)
        self._spooler = Spooler(spool, signals, spoolable_class, self._native, max_spooled=max_spooled)
        self._outage = Outage()
        self._probe_writing = probe
        self._probe = Probe(supervisor, self._commit_probe, on_success=self._recover)
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._is_stopping = False
        self._is_load_due = False
        """Whether entries that an earlier process left in the spool are to be loaded."""
        self._is_spool_check_due = False
        """Whether entries of the spool may have become pending again, and spools may have lost their process."""
        self._checked_at = float("-inf")
        self._is_server = False
        """Whether this is the writer of a server, which drains its spool, and those of processes that are gone."""

    @property
    def queued(self) -> int:
        """The number of changes that wait for the next batch."""
        return len(self._queue)

    @property
    def committing_seconds(self) -> float:
        """Time that the batch which is being committed has taken so far; 0 if there is none.

        PostgreSQL lets a commit wait for a synchronous replica, without a limit.
        """
        return self._committer.running_seconds

    @property
    def backlog(self) -> Backlog:
        """How many changes wait in the spool, and since when the database is unavailable."""
        return Backlog(len(self._spooler), self._outage.since)

    @property
    def accepts_changes(self) -> bool:
        """Whether changes can be stored: in the database, or those that are spoolable in the spool."""
        return self._outage.availability is Availability.AVAILABLE or self._spooler.accepts_changes

    def list_pending(self) -> list[Any]:
        """Return the provisional results of the changes that wait in the spool, in their order."""
        return self._spooler.list_pending()

    def submit(self, change: Change[T]) -> T:
        """Commit `change` and return its result once that is durable.

        Raises what the change raised (nothing of it is stored then), `Busy` when too many changes wait, and
        `Unavailable` when the database cannot commit and the change cannot be spooled.
        """
        submission = Submission(change)
        self._put(submission)
        result: T = submission.wait()
        return result

    def submit_all(self, changes: Sequence[Change[Any]]) -> list[Submission]:
        """Submit changes together, and return their submissions once all are settled, each with a result or an error.

        They are applied in their order.
        """
        submissions = [Submission(change) for change in changes]
        for submission in submissions:
            try:
                self._put(submission)
            except ChatError as error:
                submission.fail(error)
        for submission in submissions:
            with suppress(Exception):
                submission.wait()
        return submissions

    def submit_and_call(self, change: Change[Any], on_settled: Callable[[Submission], object]) -> None:
        """Commit `change` like `submit`, but do not wait: call `on_settled` when it is durable, or has failed.

        It is called on the writer's thread, in the order of the submissions and before the signals are sent. It must
        not wait, and gets what `submit` would return or raise from `Submission.get`.

        Raises `Busy` and `Unavailable`.
        """
        self._put(Submission(change, on_settled))

    def _put(self, submission: Submission) -> None:
        if self._is_stopping:
            raise Unavailable("chatapp is being restarted. Try again in a moment.")
        self._queue.put(submission)
        begin_urgent()
        if self._thread is None:
            self.start()

    def start(self, *, load_spool: bool = False) -> None:
        """Start the thread, unless it runs already. The first `submit` starts it too.

        With `load_spool` it first drains the entries that a crash left in the spool. Only a server does so: a shell
        command would drain the spool of a running server.
        """
        with self._start_lock:
            self._is_load_due |= load_spool
            self._is_server |= load_spool
            if self._thread is None:
                # Not restarted: the submitters of the failed batch would wait for ever.
                self._thread = self._supervisor.start("writer", self._run, on_failure=OnFailure.END_PROCESS)
        if load_spool:
            self._queue.wake()

    def check_spool(self) -> None:
        """Drain what `flask spool retry` made pending again, and spools without a process, unless in an outage."""
        self._is_spool_check_due = True
        self._queue.wake()

    def flush_watermarks(self) -> None:
        """Write the watermarks to the disk, and log why the last one could not be recorded."""
        self.watermarks.flush()
        if error := self.watermarks.take_error():
            log.warning("watermark not recorded: a restored backup may not be detected", reason=str(error))

    def stop(self, timeout: float) -> None:
        """Accept no more changes, and wait at most `timeout` seconds until the queued ones are done."""
        self._is_stopping = True
        self._probe.stop()
        with self._start_lock:
            # The first submitter may be about to set it: the thread runs already.
            thread = self._thread
        if thread is not None:
            self._queue.wake()
            thread.join(timeout)
            if thread.is_alive():
                # It may still use the spool, which the end of the process closes.
                log.warning("changes are still being written after the time for stopping")
                return
        self._committer.close()
        self._spooler.close()

    def _run(self) -> None:
        while not (self._is_stopping and len(self._queue) == 0):
            waits = self._outage.availability is Availability.AVAILABLE and len(self._spooler) > 0
            batch = self._queue.take_batch(WAITING_SECONDS if waits else None)
            if self._is_load_due:
                self._is_load_due = not self._load_spool()
            self._drain_if_due()
            try:
                if batch:
                    self._write(batch)
            except Exception:
                # The writer survives any error: the next batch is written.
                log.exception("batch failed", changes=len(batch))
                for submission in batch:
                    submission.fail(Internal("Something went wrong on the server. Nothing was saved; try again."))
            finally:
                end_urgent(len(batch))

    def _load_spool(self) -> bool:
        """Load what an earlier process left in the spool. Return False while another process has the spool."""
        try:
            if not self._spooler.claim():
                return False
            since = self._spooler.load()
        except SPOOL_ERRORS as error:
            log.exception("spool cannot be read", reason=str(error))
            return True
        self._is_spool_check_due = True
        if since and self._outage.availability is Availability.AVAILABLE:
            # As if the outage had not ended: the probe checks the database, then the spool is drained.
            self._start_outage("an earlier process has left messages in the spool", since)
        return True

    def _write(self, batch: list[Submission]) -> None:
        """Commit the batch, or spool it during an outage. Then wake the submitters and send the signals.

        Changes that have to follow spooled ones of their senders are spooled in any case.
        """
        ready, behind = self._separate(batch)
        signals = self._commit(ready)
        if signals is None:
            signals = [*self._spooler.add(batch), DeferredSignal(backlog_changed, self.backlog)]
        elif behind:
            signals += self._spooler.add_waiting(behind)
        for submission in batch:
            submission.settle()
        failpoint("after-acknowledgement")
        send_deferred(self._signals, signals)

    def _separate(self, batch: Sequence[Submission]) -> tuple[Sequence[Submission], Sequence[Submission]]:
        if not self._is_server:
            return batch, ()
        try:
            return self._spooler.separate(batch)
        except SPOOL_ERRORS as error:
            log.exception("folder of the spools cannot be read", reason=str(error))
            return batch, ()

    def _commit(self, batch: Sequence[Submission]) -> list[DeferredSignal[Any]] | None:
        """Commit the batch and return the signals to send. Return None if there is an outage, or if one begins."""
        if self._outage.availability is not Availability.AVAILABLE:
            return None
        if not batch:
            return []
        try:
            return self._native.run(self._committer.commit, batch)
        except OUTAGE_ERRORS as error:
            self._start_outage(str(error.orig))
            return None

    def _drain_if_due(self) -> None:
        availability, is_check_due = self._outage.availability, self._is_spool_check_due
        self._is_spool_check_due = False
        if availability is Availability.RECOVERING:
            self._drain(with_orphans=self._is_server)
        elif availability is Availability.AVAILABLE and (is_check_due or len(self._spooler)):
            self._drain(with_orphans=self._is_server and is_check_due)

    def _drain(self, *, with_orphans: bool) -> None:
        is_recovering = self._outage.availability is Availability.RECOVERING
        try:
            count = self._spooler.drain(self._committer.commit, self._max_batch, with_orphans=with_orphans)
            if not count and len(self._spooler) and not is_recovering:
                self._check_database()
        except OUTAGE_ERRORS as error:
            self._start_outage(str(error.orig))
            return
        except Exception as error:
            # What waits for its turn in the queue is sound: it is written. The spool is tried again at the next check.
            log.exception("spool cannot be drained", reason=str(error))
        if is_recovering:
            self._outage.end()
            self._signals.send_robust(backlog_changed, self.backlog)

    def _check_database(self) -> None:
        """Attempt to commit: perhaps all that is submitted waits, too, and nothing else would detect an outage.

        Without the outage, what is submitted would be refused as busy instead of spooled.
        """
        if time.monotonic() - self._checked_at > CHECK_SECONDS:
            self._native.run(self._commit_probe)
            self._checked_at = time.monotonic()

    def _start_outage(self, reason: str, since: datetime | None = None) -> None:
        log.warning("database cannot commit", reason=reason)
        self._outage.start(since)
        self._probe.start()

    def _commit_probe(self) -> None:
        pending = self.list_pending()
        self._committer.commit_probe(lambda session: self._probe_writing(session, pending))

    def _recover(self) -> None:
        """Wake the writer's thread, which drains the spool: the probe has committed."""
        self._outage.recover()
        self._queue.wake()
