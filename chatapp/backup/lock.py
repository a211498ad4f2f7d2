"""The lock of a data folder: servers share it, and a restore needs it alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatapp.errors import Conflict
from chatapp.file_locks import try_lock, wait_for_lock

SWEEP_LOCK = "sweep.lock"
"""File in the folder with the files of messages, which a sweep locks: see `chatapp.files.sweep`."""


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


@contextmanager
def keep_files(folder: Path) -> Iterator[None]:
    """Let no sweep remove files of messages from their folder. Waits until one that runs has ended."""
    if not folder.is_dir():
        yield
        return
    descriptor = os.open(folder / SWEEP_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        wait_for_lock(descriptor, is_shared=True)
        yield
    finally:
        os.close(descriptor)


def _lock(data_dir: Path, reason: str, *, is_shared: bool = False) -> int:
    descriptor = os.open(data_dir / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not try_lock(descriptor, is_shared=is_shared):
        os.close(descriptor)
        raise Conflict(reason)
    return descriptor
