"""A clock that a test sets, in place of the module `time`."""


class Clock:
    """Stands still until the test changes `now`, which is in seconds."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        """Return the time that the test has set."""
        return self.now


class Delays(Clock):
    """A clock with `sleep`, which returns at once."""

    def __init__(self) -> None:
        super().__init__()
        self.delays: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Record a delay."""
        self.delays.append(seconds)
