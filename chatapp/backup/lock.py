"""The lock of a data folder: servers share it, and a restore needs it alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatapp.errors import Conflict
from chatapp.file_locks import try_lock


def share_lock(data_dir: Path) -> None:
    """Lock the data folder until the process ends, so that no backup is restored. Raises `Conflict`."""
    _lock(data_dir, "A backup is being restored. Start chatapp when that has finished.", is_shared=True)


@contextmanager
def exclusive_lock(data_dir: Path) -> Iterator[None]:
    """Lock the data folder for a restore. Raises `Conflict` while a server or another restore uses it."""
    reason = f"A server uses the data folder {data_dir}, or another restore is running. Stop it first."
    descriptor = _lock(data_dir, reason)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(data_dir: Path, reason: str, *, is_shared: bool = False) -> int:
    descriptor = os.open(data_dir / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not try_lock(descriptor, is_shared=is_shared):
        os.close(descriptor)
        raise Conflict(reason)
    return descriptor
