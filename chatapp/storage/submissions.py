"""Submissions: changes on their way to the database, for which their submitters wait, and the queue of them."""

import queue
import threading
import time
from contextlib import suppress
from typing import Any

from chatapp.errors import Busy, Unavailable
from chatapp.operation import current_operation
from chatapp.storage.changes import Change


class Submission:
    """A change on its way to the database, and its result or error once it is settled.

    It replaces `concurrent.futures.Future`, which takes 21 µs of CPU time under eventlet (create, settle, wait). This
    class takes 7 µs. The difference is 2.5 % of the 570 µs that a message takes.
    """

    __slots__ = ("_is_settled", "_lock", "change", "error", "is_uncertain", "operation", "result")

    def __init__(self, change: Change[Any]) -> None:
        self.change = change
        self.operation = current_operation.get()
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_uncertain = False
        """Whether the connection was lost after COMMIT was sent: the change may be stored."""
        self._is_settled = False
        # Held until the submission is settled.
        self._lock = threading.Lock()
        self._lock.acquire()

    def set_uncertain(self) -> None:
        """Set the error of a change of which nobody knows whether it is stored."""
        self.is_uncertain = True
        self.error = Unavailable(
            "The connection to the database was lost while this was being saved. Check whether it was saved before you "
            "try again."
        )

    def settle(self) -> None:
        """Wake the waiting submitter. Only the first call has an effect."""
        if not self._is_settled:
            self._is_settled = True
            self._lock.release()

    def fail(self, error: BaseException) -> None:
        """Settle the submission with an error, unless it is settled already."""
        if not self._is_settled:
            self.error = error
            self.settle()

    def wait(self) -> Any:
        """Wait until the submission is settled. Return its result or raise its error."""
        self._lock.acquire()
        if self.error is not None:
            raise self.error
        return self.result


class SubmissionQueue:
    """The submissions that wait for the next batch."""

    def __init__(self, *, max_queued: int, max_batch: int) -> None:
        self._queue: queue.Queue[Submission | None] = queue.Queue(maxsize=max_queued)
        self._max_batch = max_batch

    def __len__(self) -> int:
        return self._queue.qsize()

    def put(self, submission: Submission) -> None:
        """Add a submission. Raise `Busy` when too many wait already."""
        try:
            self._queue.put_nowait(submission)
        except queue.Full:
            raise Busy("Too much is waiting to be saved. Try again in a moment.") from None

    def wake(self) -> None:
        """Make `take_batch` return, even with an empty batch."""
        with suppress(queue.Full):  # A full queue makes it return anyway.
            self._queue.put_nowait(None)

    def take_batch(self) -> list[Submission]:
        """Wait for a submission or for `wake`, and return the queued submissions, at most a full batch."""
        batch: list[Submission] = []
        submission = self._queue.get()
        # Yield until the queue stops growing: submitters that are ready to run join this batch.
        previous = -1
        while previous < (queued := self._queue.qsize()) < self._max_batch:
            previous = queued
            time.sleep(0)
        while True:
            if submission is not None:
                batch.append(submission)
            if len(batch) == self._max_batch or self._queue.empty():
                return batch
            submission = self._queue.get_nowait()
