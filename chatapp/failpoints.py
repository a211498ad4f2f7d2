"""Failpoints: places in the write path where a test kills the process, as a power cut would.

Set `CHATAPP_FAILPOINT=name`, or `name:3` for the third pass. Only tests/faults does so; test_kill.py and test_outage.py
list the names.
"""

import os
import signal
import time
from functools import cache
from itertools import count


def failpoint(name: str) -> None:
    """Kill the process here if `CHATAPP_FAILPOINT` is set to `name`."""
    chosen, last_pass, passes = _read_environment()
    if name == chosen and next(passes) == last_pass:
        time.sleep(0.05)  # Frames that were handed to sockets before are sent.
        os.kill(os.getpid(), signal.SIGKILL)


@cache
def _read_environment() -> "tuple[str, int, count[int]]":
    """Return the name of the failpoint, the number of the pass that kills, and the numbers of the passes.

    Not at import: tests fork servers from a process that has imported this module.
    """
    name, _, last_pass = os.environ.get("CHATAPP_FAILPOINT", "").partition(":")
    return name, int(last_pass or 1), count(1)
