"""The probe: attempts to commit during an outage, until it succeeds."""

import time
from collections.abc import Callable
from itertools import chain, repeat

import structlog

from chatapp.concurrency.native import NativePool
from chatapp.concurrency.supervision import Supervisor

log = structlog.get_logger(__name__)

DELAYS_SECONDS = (0.1, 0.5, 1, 2, 3)
"""Pauses before successive attempts; the last one repeats."""


class Probe:
    """Calls `commit` on a native thread of its own until it succeeds, then `on_success` once."""

    def __init__(self, supervisor: Supervisor, commit: Callable[[], None], on_success: Callable[[], None]) -> None:
        self._supervisor = supervisor
        # Not the writer's: an attempt may take seconds, and meanwhile messages are spooled.
        self._native = NativePool("database probe", threads=1)
        self._commit = commit
        self._on_success = on_success
        self._is_stopping = False

    def start(self) -> None:
        """Start the attempts, in the background."""
        self._supervisor.start("database probe", self._run)

    def stop(self) -> None:
        """Make no further attempt."""
        self._is_stopping = True

    def _run(self) -> None:
        for delay in chain(DELAYS_SECONDS, repeat(DELAYS_SECONDS[-1])):
            time.sleep(delay)
            if self._is_stopping:
                return
            try:
                self._native.run(self._commit)
            except Exception as error:
                log.debug("database still cannot commit", reason=str(error))
            else:
                self._on_success()
                return
