"""Places where a test may end the process, as a power cut would.

`CHATAPP_FAILPOINT=name` or `name:3` (the third time). Nothing else sets it; see tests/faults.
"""

import os
import signal
import time

NAMES = frozenset(
    {"before-insert", "before-commit", "after-commit", "after-acknowledgement", "in-spool", "after-drain"}
)
"""Before rows are inserted; before a commit; after it, before its acknowledgements; after these, before the broadcast;
before the spool's commit; after the drain's commit, before what it drained is taken out of the spool."""

_name, _, _count = os.environ.get("CHATAPP_FAILPOINT", "").partition(":")
_passes_left = int(_count or 1)


def failpoint(name: str) -> None:
    """End the process here if a test asked for it."""
    global _passes_left  # noqa: PLW0603 - there is one process to end
    if name != _name:
        return
    _passes_left -= 1
    if _passes_left == 0:
        time.sleep(0.05)  # What was handed to the sockets before this point goes out.
        os.kill(os.getpid(), signal.SIGKILL)
