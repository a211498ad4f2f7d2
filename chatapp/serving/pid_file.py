"""The file by which `bin/serve reload` finds the parent of the workers, and learns how its last reload ended.

The parent holds a lock of the file, so that a file which it left behind is not taken for a running one.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from chatapp.file_locks import try_lock

NAME = "server.pid"


@dataclass(frozen=True, slots=True)
class ParentState:
    """The content of the file."""

    pid: int
    reloads: int = 0
    """Number of reloads that have ended."""
    has_failed: bool = False
    """Whether the last of them has failed."""


class PidFile:
    """The file of a running parent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def claim(cls, data_dir: Path) -> "PidFile | None":
        """Lock the file until the process ends. Return None while another process has it."""
        descriptor = os.open(data_dir / NAME, os.O_RDWR | os.O_CREAT, 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            return None
        file = cls(descriptor)
        file.write(ParentState(os.getpid()))
        return file

    def write(self, state: ParentState) -> None:
        """Replace the content."""
        content = f"{state.pid} {state.reloads} {int(state.has_failed)}\n".encode()
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))


def find_parent(data_dir: Path) -> ParentState | None:
    """Return the state of the parent that runs with this data folder, if there is one."""
    try:
        descriptor = os.open(data_dir / NAME, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        if try_lock(descriptor):
            return None
        pid, reloads, has_failed = os.pread(descriptor, 100, 0).split()
        return ParentState(int(pid), int(reloads), has_failed == b"1")
    finally:
        os.close(descriptor)
