"""The server: run `python wsgi.py`, or serve `wsgi:app` with another WSGI server.

With `--upgrade` it first brings the database to the newest schema. With `--workers N` it starts N processes.
"""

import gc
import os
import sys

# Imported objects are never garbage. Collections during the imports would slow the start by a quarter, and later ones
# would traverse all of them and pause the process for a tenth of a second.
gc.disable()

if os.environ.get("CHATAPP_ASYNC_MODE", "eventlet") == "eventlet":
    from chatapp.concurrency.green_threads import use_green_threads

    use_green_threads()

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
