"""The lock of a data folder: servers share it, and a restore needs it alone."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatapp.errors import Conflict


def share_lock(data_dir: Path) -> None:
    """Lock the data folder until the process ends, so that no backup is restored. Raises `Conflict`."""
    _lock(data_dir, fcntl.LOCK_SH, "A backup is being restored. Start chatapp when that has finished.")


@contextmanager
def exclusive_lock(data_dir: Path) -> Iterator[None]:
    """Lock the data folder for a restore. Raises `Conflict` while a server or another restore uses it."""
    reason = f"A server uses the data folder {data_dir}, or another restore is running. Stop it first."
    descriptor = _lock(data_dir, fcntl.LOCK_EX, reason)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(data_dir: Path, operation: int, reason: str) -> int:
    descriptor = os.open(data_dir / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Conflict(reason) from None
    return descriptor
