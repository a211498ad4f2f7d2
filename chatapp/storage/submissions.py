"""Submissions: changes on their way to the database, for which their submitters wait, and the queue of them."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from chatapp.errors import Busy, Unavailable
from chatapp.operation import current_operation, current_request_id
from chatapp.storage.changes import Change

log = structlog.get_logger(__name__)


class Submission:
    """A change on its way to the database, and its result or error once it is settled.

    Either its submitter waits for it, or `on_settled` is called with it. That must not wait: other submissions are
    settled after it.
    """

    __slots__ = (
        "_is_settled",
        "_lock",
        "_on_settled",
        "change",
        "error",
        "is_uncertain",
        "operation",
        "request_id",
        "result",
    )

    def __init__(self, change: Change[Any], on_settled: "Callable[[Submission], object] | None" = None) -> None:
        self.change = change
        self.operation = current_operation.get()
        self.request_id = current_request_id.get()
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_uncertain = False
        """Whether the connection was lost after COMMIT was sent: the change may be stored."""
        self._is_settled = False
        self._on_settled = on_settled
        # Held until the submission is settled. `concurrent.futures.Future` takes three times as long under eventlet.
        self._lock = threading.Lock() if on_settled is None else None
        if self._lock is not None:
            self._lock.acquire()

    def set_uncertain(self) -> None:
        """Set the error of a change of which nobody knows whether it is stored."""
        self.is_uncertain = True
        self.error = Unavailable(
            "The connection to the database was lost while this was being saved. Check whether it was saved before you "
            "try again."
        )

    def settle(self) -> None:
        """Wake the waiting submitter, or call `on_settled`. Only the first call has an effect."""
        if self._is_settled:
            return
        self._is_settled = True
        if self._lock is not None:
            self._lock.release()
        if self._on_settled is None:
            return
        try:
            self._on_settled(self)
        except Exception:
            log.exception("submitter failed", operation=self.operation, request_id=self.request_id)

    def fail(self, error: BaseException) -> None:
        """Settle the submission with an error, unless it is settled already."""
        if not self._is_settled:
            self.error = error
            self.settle()

    def wait(self) -> Any:
        """Wait until the submission is settled. Return its result or raise its error. There is no `on_settled`."""
        if self._lock is not None:
            self._lock.acquire()
        return self.get()

    def get(self) -> Any:
        """Return the result of a settled submission, or raise its error."""
        if self.error is not None:
            raise self.error
        return self.result


class SubmissionQueue:
    """The submissions that wait for the next batch."""

    def __init__(self, *, max_queued: int, max_batch: int) -> None:
        self._queued: deque[Submission] = deque()
        self._is_due = threading.Event()
        """Set while submissions are queued, and after `wake`."""
        self._max_queued = max_queued
        self._max_batch = max_batch

    def __len__(self) -> int:
        return len(self._queued)

    def put(self, submission: Submission) -> None:
        """Add a submission. Raise `Busy` when too many wait already."""
        if len(self._queued) >= self._max_queued:
            raise Busy("Too much is waiting to be saved. Try again in a moment.")
        self._queued.append(submission)
        self.wake()

    def wake(self) -> None:
        """Make `take_batch` return, even with an empty batch."""
        if not self._is_due.is_set():
            self._is_due.set()

    def take_batch(self, timeout: float | None = None) -> list[Submission]:
        """Wait for a submission or for `wake`, and return the queued submissions, at most a full batch.

        After `timeout` seconds it returns an empty batch.
        """
        self._is_due.wait(timeout)
        # Yield until the queue stops growing: submitters that are ready to run join this batch.
        previous = -1
        while previous < (queued := len(self._queued)) < self._max_batch:
            previous = queued
            time.sleep(0)
        # Before the submissions are taken: what arrives meanwhile sets it again.
        self._is_due.clear()
        batch = [self._queued.popleft() for _ in range(min(len(self._queued), self._max_batch))]
        if self._queued:
            self.wake()
        return batch
