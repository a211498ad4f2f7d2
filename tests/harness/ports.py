"""Free ports of 127.0.0.1, and waiting for something to be so."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def free_port() -> int:
    """Give a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(look: Callable[[], T], what: str = "", timeout: float = 10) -> T:
    """Look again and again until the result is true, and give it. Fails after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not (result := look()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what or look}; last seen {result!r}")
        time.sleep(0.01)
    return result
