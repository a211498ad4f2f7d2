"""The server: run `python wsgi.py`, or serve `wsgi:app` with another WSGI server.

With `--upgrade` it first brings the database to the newest schema. With `--workers N` it starts N processes.
"""

import gc
import os
import sys
import warnings

# Imported objects are never garbage. Collections during the imports would slow the start by a quarter, and later ones
# would traverse all of them and pause the process for a tenth of a second.
gc.disable()

if os.environ.get("CHATAPP_ASYNC_MODE", "eventlet") == "eventlet":
    # psycopg 3 waits in C, which would block the event loop. Its wait in Python uses functions that eventlet patches.
    os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # `resolve_on_native_threads` takes its place.
    # Eventlet's authors discourage new uses. docs/decisions has the reasons for it, and the way to replace it.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    import threading

    import eventlet

    # eventlet would search all objects for reentrant locks, which takes 50 ms, to replace them by green ones. There are
    # only those of `threading` and `logging`. Nobody who holds them switches, and native threads use them too.
    eventlet.patcher._green_existing_locks = lambda _lock_type: None  # noqa: SLF001
    eventlet.monkey_patch()
    native, green = eventlet.patcher.original("threading"), (threading.Lock, threading.RLock)

    # The event loop and native threads share the locks of SQLAlchemy's counters. If they were green, a native thread
    # that meets a held one would wait for ever: the holder wakes it in an event loop of its own, which does not run.
    threading.Lock, threading.RLock = native.Lock, native.RLock
    import sqlalchemy.orm  # noqa: F401

    threading.Lock, threading.RLock = green

    from chatapp.concurrency.host_names import resolve_on_native_threads

    resolve_on_native_threads()

# Libraries import these if they are installed, for parts that chatapp does not use. While a module is None in
# `sys.modules`, it counts as not installed.
unused = [name for name in ("redis", "requests", "rich", "websocket") if name not in sys.modules]
sys.modules.update(dict.fromkeys(unused))  # type: ignore[arg-type]

from chatapp import create_app
from chatapp.config import load_settings
from chatapp.serving.link import ParentLink
from chatapp.serving.options import parse_options
from chatapp.serving.server import serve
from chatapp.serving.start import start_parent

options = parse_options(sys.argv[1:] if __name__ == "__main__" else [])
settings = load_settings(workers=options.workers)
if __name__ == "__main__" and settings.workers > 1 and options.link is None:
    start_parent(settings, upgrade=options.upgrade)
app = create_app(settings, is_serving=True)
for name in unused:
    del sys.modules[name]  # `chatapp.realtime.bus` imports `redis` if several processes are configured.
gc.freeze()
gc.enable()

if __name__ == "__main__":
    link = None if options.link is None else ParentLink(options.link, is_first=options.first)
    serve(app, settings, upgrade=options.upgrade, link=link)
