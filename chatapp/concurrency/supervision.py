"""Supervised background work: every thread that chatapp starts is started here.

No background work ends silently: an exception is logged and counted, then the work's `OnFailure` policy applies.
`GET /health` and `GET /metrics` report all work by its name. Where eventlet has patched the standard library these
threads are green.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import TypeVarTuple

import structlog
from flask import current_app
from greenlet import GreenletExit

from chatapp.operation import current_operation

log = structlog.get_logger(__name__)

Ts = TypeVarTuple("Ts")

EXTENSION = "chatapp.supervisor"
"""Key of the application's supervisor in `app.extensions`."""

BACKOFF_SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0)
"""Pauses before successive restarts; the last one repeats."""

STABLE_SECONDS = 60.0
"""Time without an exception after which the pauses begin again with the first one."""


class OnFailure(Enum):
    """The policy for an exception of background work. In each case it is logged and counted first."""

    RESTART = "restart"
    """Restart the work, with back-off."""

    END_PROCESS = "end process"
    """End the process, which cannot run without this work. A process manager starts it again."""

    LOG = "log"
    """Do nothing more: for work that runs once."""


@dataclass(slots=True)
class WorkStatus:
    """State of all background work of one name."""

    name: str
    running: int = 0
    """Number of threads that run."""
    restarting: int = 0
    """Number of threads that wait to be restarted."""
    restarts: int = 0
    failures: int = 0
    last_error_at: datetime | None = None
    has_failed: bool = False
    """Whether the latest outcome was an exception."""

    @property
    def state(self) -> str:
        """`restarting` or `running`; if no thread is left, `failed` or `finished`."""
        if self.restarting:
            return "restarting"
        if self.running:
            return "running"
        return "failed" if self.has_failed else "finished"


class Supervisor:
    """Starts the background work of one application and tracks its status."""

    def __init__(self, *, end_process: Callable[[], None] | None = None, backoff: Sequence[float] = BACKOFF_SECONDS):
        self._end_process = end_process or _end_process
        self._backoff = backoff
        self._statuses: dict[str, WorkStatus] = {}
        self._lock = threading.Lock()

    def start(
        self,
        name: str,
        target: Callable[[*Ts], object],
        *args: *Ts,
        on_failure: OnFailure = OnFailure.RESTART,
    ) -> threading.Thread:
        """Call `target(*args)` on a daemon thread of its own and return the thread.

        Several threads may share a `name`: they are reported together.
        """
        with self._update_status(name) as status:
            status.running += 1
        thread = threading.Thread(target=self._run, args=(name, target, args, on_failure), name=name, daemon=True)
        thread.start()
        return thread

    def record_failure(self, name: str, error: BaseException) -> None:
        """Log and count an exception of background work that was caught elsewhere."""
        log.error("background work failed", work=name, exc_info=error)
        with self._update_status(name) as status:
            status.failures += 1
            status.last_error_at = datetime.now(UTC)
            status.has_failed = True

    def list_statuses(self) -> list[WorkStatus]:
        """Return the status of all work that was ever started, ordered by name."""
        with self._lock:
            return [replace(self._statuses[name]) for name in sorted(self._statuses)]

    def _run(self, name: str, target: Callable[..., object], args: Sequence[object], on_failure: OnFailure) -> None:
        failures = 0
        current_operation.set(name)
        while True:
            started = time.monotonic()
            try:
                with suppress(GreenletExit):  # Eventlet ends a green thread with it.
                    target(*args)
            except BaseException as error:  # `eventlet.Timeout` is not an `Exception`.
                self.record_failure(name, error)
            else:
                with self._update_status(name) as status:
                    status.running -= 1
                    status.has_failed = False
                return
            with self._update_status(name) as status:
                status.running -= 1
                status.restarting += on_failure is OnFailure.RESTART
            if on_failure is OnFailure.END_PROCESS:
                log.critical("ending the process: it needs the background work that failed", work=name)
                self._end_process()
            if on_failure is not OnFailure.RESTART:
                return
            if time.monotonic() - started > STABLE_SECONDS:
                failures = 0
            time.sleep(self._backoff[min(failures, len(self._backoff) - 1)])
            failures += 1
            with self._update_status(name) as status:
                status.restarting -= 1
                status.running += 1
                status.restarts += 1

    @contextmanager
    def _update_status(self, name: str) -> Iterator[WorkStatus]:
        with self._lock:
            yield self._statuses.setdefault(name, WorkStatus(name))


def current_supervisor() -> Supervisor:
    """Return the supervisor of the current application."""
    supervisor: Supervisor = current_app.extensions[EXTENSION]
    return supervisor


def _end_process() -> None:
    logging.shutdown()
    os._exit(1)
