"""A clock that a test sets, in place of the module `time`, and a wrong clock for a process."""

from importlib.util import find_spec
from pathlib import Path

RIGHT_CLOCK = {"LD_PRELOAD": "", "FAKETIME": ""}
"""Settings with which a server has the clock of the machine again."""


def wrong_clock(offset: str) -> dict[str, str]:
    """Return settings with which a server's clock is wrong by `offset`, such as `-1h`. Time passes as usual."""
    library = find_spec("libfaketime")
    assert library, "libfaketime is not installed: run bin/setup --dev"
    (preload,) = Path((library.submodule_search_locations or [""])[0]).rglob("libfaketime.so.1")
    return {
        "LD_PRELOAD": str(preload),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # With its default, waits that end at a monotonic time return at once: threads spin for the interpreter's lock,
        # and the server needs several times as much processor time.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


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
