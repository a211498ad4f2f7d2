"""The server: `python wsgi.py`, or `wsgi:app` for another one."""

import gc
import os
import warnings

# What is imported stays. To look for garbage in it would slow the start by a quarter, and later stop everybody for a
# tenth of a second each time.
gc.disable()

if os.environ.get("CHATAPP_ASYNC_MODE", "eventlet") == "eventlet":
    # psycopg 3 waits in C, which would stop the event loop; its Python wait is patched with everything else.
    os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")
    # Its authors warn of new uses; docs/decisions tells why it is used and what the way out is.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    import eventlet

    eventlet.monkey_patch()

from chatapp import create_app
from chatapp.config import load_settings
from chatapp.serving import serve

settings = load_settings()
app = create_app(settings)
gc.freeze()
gc.enable()

if __name__ == "__main__":
    serve(app, settings)
