"""Green and native threads: how blocking calls run without blocking eventlet's event loop."""

import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def is_green() -> bool:
    """Return whether threads are green: in a server with eventlet (`wsgi.py`), not in commands of the shell."""
    if "eventlet" not in sys.modules:
        return False
    from eventlet import patcher

    return bool(patcher.is_monkey_patched("thread"))


def run_native(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` (an fsync, a password hash) on a native thread, and return or raise what it does.

    Where threads are not green, call it directly. `work` must not use anything green: it must not log or wait for a
    lock, a queue or a socket of the event loop.
    """
    if not is_green():
        return work(*args, **kwargs)
    from eventlet import tpool

    result: T = tpool.execute(work, *args, **kwargs)
    return result
