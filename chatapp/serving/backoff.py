"""The pauses before a worker that keeps ending is started again."""

BACKOFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Pauses before successive starts; the last one repeats."""

STABLE_SECONDS = 60.0
"""Time that a worker has to run for the pauses to begin again with the first one."""


class Backoff:
    """The pauses of one worker."""

    def __init__(self) -> None:
        self._ends = 0

    def next_pause(self, ran_seconds: float) -> float:
        """Return the pause after a process that ran for so long."""
        if ran_seconds >= STABLE_SECONDS:
            self._ends = 0
        pause = BACKOFF_SECONDS[min(self._ends, len(BACKOFF_SECONDS) - 1)]
        self._ends += 1
        return pause
