"""Files and folders that survive a power cut."""

import os
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path

NO_SPACE = frozenset({EDQUOT, ENOSPC})
"""Numbers of the errors of a full disk, and of a quota of the file system."""


def sync(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk. It blocks: call it on a native thread in a server."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder with its parents; all of them are durable then."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    try:
        sync(path.parent)
    except OSError:
        with suppress(OSError):  # Another process uses it.
            path.rmdir()  # Otherwise the next call would find it, and count it as durable.
        raise
