"""Makes the threads, locks and sockets of the standard library those of eventlet: call it before other imports."""

import os
import threading
import warnings


def use_green_threads() -> None:
    """Patch the standard library, but for the locks that native threads share with the event loop.

    If such a lock were green, a native thread that meets a held one would wait for ever: the holder wakes it in an
    event loop of its own, which does not run. More than one call does no harm.
    """
    # psycopg 3 waits in C, which would block the event loop. Its wait in Python uses functions that eventlet patches.
    os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # `resolve_on_native_threads` takes its place.
    # Eventlet's authors discourage new uses. docs/decisions has the reasons for it, and the way to replace it.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    import eventlet

    # Eventlet would search all objects for reentrant locks, which takes 50 ms, to replace them by green ones. There are
    # only those of `threading` and `logging`. Nobody who holds them switches, and native threads use them too.
    eventlet.patcher._green_existing_locks = lambda _lock_type: None  # noqa: SLF001
    eventlet.monkey_patch()

    # SQLAlchemy's counters and its configuration of mappers have locks that it creates when it is imported.
    native, green = eventlet.patcher.original("threading"), (threading.Lock, threading.RLock)
    threading.Lock, threading.RLock = native.Lock, native.RLock
    import sqlalchemy.orm  # noqa: F401

    threading.Lock, threading.RLock = green

    from chatapp.concurrency.host_names import resolve_on_native_threads

    resolve_on_native_threads()
