"""Changes on their way to the database: what their submitters wait for, and the queue that forms batches."""

import queue
import threading
import time
from contextlib import suppress
from typing import Any

from chatapp.errors import Busy, Unavailable
from chatapp.storage.changes import Change


class Job:
    """A change with its result, and a lock that is held until the job is settled: until it has its result or error.

    It replaces `concurrent.futures.Future`, which takes 21 µs of CPU time for each job under eventlet (create, settle,
    wait). This class takes 7 µs. The difference is 2.5 % of the 570 µs that a message takes.
    """

    __slots__ = ("_is_settled", "_lock", "change", "error", "is_uncertain", "result")

    def __init__(self, change: Change[Any]) -> None:
        self.change = change
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_uncertain = False
        """Whether the connection was lost after COMMIT was sent: the change may be stored."""
        self._is_settled = False
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
        """Settle the job with an error, unless it is settled already."""
        if not self._is_settled:
            self.error = error
            self.settle()

    def wait(self) -> Any:
        """Wait until the job is settled. Return its result or raise its error."""
        self._lock.acquire()
        if self.error is not None:
            raise self.error
        return self.result


class JobQueue:
    """The jobs that wait for the next batch."""

    def __init__(self, *, max_queued: int, max_batch: int) -> None:
        self._queue: queue.Queue[Job | None] = queue.Queue(maxsize=max_queued)
        self._max_batch = max_batch

    def __len__(self) -> int:
        return self._queue.qsize()

    def put(self, job: Job) -> None:
        """Add a job. Raise `Busy` when too many wait already."""
        try:
            self._queue.put_nowait(job)
        except queue.Full:
            raise Busy("Too much is waiting to be saved. Try again in a moment.") from None

    def wake(self) -> None:
        """Make `take_batch` return, even with an empty batch."""
        with suppress(queue.Full):  # A full queue makes it return anyway.
            self._queue.put_nowait(None)

    def take_batch(self) -> list[Job]:
        """Wait for a job or for `wake`, and return the queued jobs, at most a full batch."""
        batch: list[Job] = []
        job = self._queue.get()
        # Yield until the queue stops growing: submitters that are ready to run join this batch.
        previous = -1
        while previous < (queued := self._queue.qsize()) < self._max_batch:
            previous = queued
            time.sleep(0)
        while True:
            if job is not None:
                batch.append(job)
            if len(batch) == self._max_batch or self._queue.empty():
                return batch
            job = self._queue.get_nowait()
