"""Free TCP ports."""

import contextlib
import os
import random
import socket


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on now.

    It lies below the range that the system assigns to outgoing connections, and each worker of pytest-xdist has its own
    ports: a server that is stopped for a while finds its port free again.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = random.randrange(15_000 + worker, 30_000, workers)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
