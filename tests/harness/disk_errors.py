"""Lets the system calls of a process that need space fail, as on a full disk.

`FullDisk` copies this file to a folder as `sitecustomize.py`, which Python imports when it starts. So a server and its
worker processes have the errors at their own calls, without a file system that a test would have to mount.
"""

import os
import stat
import sys
from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
"""Folder of the copy, in which the test controls it."""

DATA = FOLDER / "data"
"""File with the path of the folder whose disk is full. Nothing happens without it."""

LIMIT = FOLDER / "limit"
"""File with the number of calls that succeed before the disk is full. It exists while the disk is to become full."""

CALLS = FOLDER / "calls"
"""File with a byte for each call since then."""

PATHS = {"os.link": 1, "os.mkdir": 0, "os.rename": 1}
"""The positions of the created paths in the arguments of audit events."""

write, fsync, fdatasync = os.write, os.fsync, os.fdatasync


def check_space(path: Path) -> None:
    """Count a call that changes a path. Raises `OSError` if the disk is full."""
    if not LIMIT.exists() or not path.is_relative_to(DATA.read_text()):
        return
    with CALLS.open("ab", buffering=0) as calls:
        write(calls.fileno(), b".")
        if calls.tell() > int(LIMIT.read_text() or 0):
            raise OSError(ENOSPC, os.strerror(ENOSPC), str(path))


def audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Check an audit event (`sys.audit`) that creates a name."""
    if event in PATHS:
        check_space(Path(os.fsdecode(arguments[PATHS[event]])))
    elif event == "open" and isinstance(arguments[0], str | bytes) and arguments[2] & os.O_CREAT:
        path = Path(os.fsdecode(arguments[0]))
        if not path.exists():
            check_space(path)


def check_first(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of a descriptor that fails while the disk is full."""

    def checked(descriptor: int, *arguments: Any) -> Any:
        if LIMIT.exists() and stat.S_IFMT(os.fstat(descriptor).st_mode) in {stat.S_IFREG, stat.S_IFDIR}:
            check_space(Path(f"/proc/self/fd/{descriptor}").readlink())
        return call(descriptor, *arguments)

    return checked


def install() -> None:
    """Let calls of this process fail from now on."""
    sys.addaudithook(audit)
    os.write, os.fsync, os.fdatasync = check_first(write), check_first(fsync), check_first(fdatasync)


if DATA.exists():
    install()
