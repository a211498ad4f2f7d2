"""A clock that a test sets, in place of the module `time`."""


class Clock:
    """Stands still until the test changes `now`, which is in seconds."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        """Return the time that the test has set."""
        return self.now
