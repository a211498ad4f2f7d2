"""Free ports of 127.0.0.1, and waiting for something to be so."""

import contextlib
import os
import random
import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def free_port() -> int:
    """Give a port that nothing listens on now.

    It lies below those that the system gives to outgoing connections, and tests that run at the same time have other
    ones: a server that is stopped for a while finds its port free again.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = random.randrange(15_000 + worker, 30_000, workers)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def eventually(look: Callable[[], T], what: str = "", timeout: float = 10) -> T:
    """Look again and again until the result is true, and give it. Fails after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not (result := look()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what or look}; last seen {result!r}")
        time.sleep(0.01)
    return result
