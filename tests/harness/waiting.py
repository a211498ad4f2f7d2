"""Waiting for a condition, and time limits that follow the speed of the machine.

A time limit in a test is written for an idle machine of the kind that the tests were written on, and multiplied by
`slowness()`: by how much slower this one computes, and by how many processes share each of its cores now.
"""

import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

REFERENCE_SECONDS = 0.025
"""Processor time that `_calibrate` takes on the machine that the time limits were written for."""


def slowness() -> float:
    """Return the factor, at least 1, by which this machine is slower now than an idle reference machine."""
    return _processor_slowness() * max(1.0, _load_per_core())


def scaled(seconds: float) -> float:
    """Return a time limit for this machine as it is now."""
    return seconds * slowness()


def eventually(look: Callable[[], T], what: str = "", timeout: float = 10) -> T:
    """Poll until the result of `look` is true, and return it. Fails after `timeout` seconds, scaled."""
    start = time.monotonic()
    while not (result := look()):
        # The limit is computed after the wait: the load of the machine may have risen meanwhile.
        if (waited := time.monotonic() - start) > timeout and waited > scaled(timeout):
            raise AssertionError(f"not within {waited:.1f} s: {what or look}; last seen {result!r}")
        # Most conditions come true at once. A long wait need not take processor time from what it waits for.
        time.sleep(min(max(0.01, waited / 10), 0.1))
    return result


@cache
def _processor_slowness() -> float:
    return max(1.0, min(_calibrate() for _ in range(3)) / REFERENCE_SECONDS)


def _calibrate() -> float:
    start = time.process_time()
    sum(number * number % 7 for number in range(400_000))
    return time.process_time() - start


def _load_per_core() -> float:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(os.getloadavg()[0], _runnable()) / cores


def _runnable() -> int:
    """Return the number of threads that run or wait for a core: the load average follows only within a minute."""
    try:
        return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    except OSError:
        return 0
