"""How soon a thread that waits for the interpreter gets it from another one that computes.

By default Python lets a thread compute for 5 ms before another one gets its turn. The event loop and the writer's
thread need the interpreter for many short steps, and would wait so long at each. A short interval everywhere costs 12 %
of the messages stored per second, as these two take turns more often. So it is short only while something
else computes.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

SHORT_INTERVAL = 0.0005

_default_interval = sys.getswitchinterval()
_count = 0


def shorten_interval() -> None:
    """Let the interval be short until `restore_interval` has been called as often."""
    global _count  # noqa: PLW0603 - the interval is the process's too
    _count += 1
    if _count == 1:
        sys.setswitchinterval(SHORT_INTERVAL)


def restore_interval() -> None:
    """End the effect of one call of `shorten_interval`."""
    global _count  # noqa: PLW0603
    _count -= 1
    if _count == 0:
        sys.setswitchinterval(_default_interval)


@contextmanager
def short_interval() -> Iterator[None]:
    """Let the interval be short within this block. Only green threads may use it: they do not race for the count."""
    shorten_interval()
    try:
        yield
    finally:
        restore_interval()
