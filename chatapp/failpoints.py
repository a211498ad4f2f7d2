"""Failpoints: places in the write path where a test kills the process, as a power cut would.

Set `CHATAPP_FAILPOINT=name`, or `name:3` for the third pass. Only tests/faults does so; test_kill.py and test_outage.py
list the names.
"""

import os
import signal
import time

_name, _, _count = os.environ.get("CHATAPP_FAILPOINT", "").partition(":")
_passes_left = int(_count or 1)


def failpoint(name: str) -> None:
    """Kill the process here if `CHATAPP_FAILPOINT` is set to `name`."""
    global _passes_left  # noqa: PLW0603 - the state of the process
    if name != _name:
        return
    _passes_left -= 1
    if _passes_left == 0:
        time.sleep(0.05)  # Frames that were handed to sockets before are sent.
        os.kill(os.getpid(), signal.SIGKILL)
