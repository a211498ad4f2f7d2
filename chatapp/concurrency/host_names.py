"""Host names, which the system resolves on native threads: its resolver would stop the event loop.

Eventlet has a resolver in Python. Its import takes a tenth of the start, and it knows fewer sources of names.
"""

import socket
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from chatapp.concurrency.native import NativePool

THREADS = 20
"""Host names that are resolved at the same time. A name server that does not respond occupies a thread for a while."""

FUNCTIONS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "getnameinfo")


def resolve_on_native_threads() -> None:
    """Replace the functions of `socket`, which eventlet has patched, that may ask a name server."""
    from eventlet import patcher
    from eventlet.green import socket as green_socket

    native_threading, native_socket = patcher.original("threading"), patcher.original("socket")
    event_loop, pool = native_threading.get_ident(), NativePool("host-names", threads=THREADS)

    def make_green(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def resolve(*arguments: Any, **options: Any) -> Any:
            if native_threading.get_ident() != event_loop:
                return function(*arguments, **options)
            return pool.run(partial(function, *arguments, **options))

        return resolve

    for name in FUNCTIONS:
        function = make_green(getattr(native_socket, name))
        # `create_connection` uses that of its own module.
        setattr(socket, name, function)
        setattr(green_socket, name, function)
