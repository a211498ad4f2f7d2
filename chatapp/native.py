"""The engine: whether threads are green, and how blocking work gets a native one."""

import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def is_green() -> bool:
    """Tell whether `wsgi.py` has made the standard library's threads green. The shell's commands run without."""
    if "eventlet" not in sys.modules:
        return False
    from eventlet import patcher

    return bool(patcher.is_monkey_patched("thread"))


def run_native(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` (an fsync, a password hash) without stopping the event loop, and give what it returns or raises.

    Where threads are not green it runs where it is called. `work` must not touch anything green: it neither logs nor
    waits for a lock, a queue or a socket that the event loop made.
    """
    if not is_green():
        return work(*args, **kwargs)
    from eventlet import tpool

    result: T = tpool.execute(work, *args, **kwargs)
    return result
