"""The disk of a server that becomes full at a chosen system call, and has space again."""

import shutil
from pathlib import Path

from tests.harness import disk_errors
from tests.harness.servers import Server


class FullDisk:
    """The disk with a server's data folder. The process must be started after this."""

    def __init__(self, server: Server) -> None:
        self._folder = server.data_dir.with_name(f"{server.data_dir.name}-disk")
        self._folder.mkdir()
        shutil.copy(disk_errors.__file__, self._folder / "sitecustomize.py")
        (self._folder / disk_errors.DATA.name).write_text(str(server.data_dir))
        server.configure(PYTHONPATH=str(self._folder))

    def fill_after(self, calls: int) -> None:
        """Let so many system calls that need space succeed, and the further ones fail."""
        self._calls.unlink(missing_ok=True)
        self._limit.write_text(str(calls))

    def clear(self) -> int:
        """Let the disk have space again. Return the number of calls that needed space meanwhile."""
        self._limit.unlink()
        return self._calls.stat().st_size if self._calls.exists() else 0

    @property
    def _limit(self) -> Path:
        return self._folder / disk_errors.LIMIT.name

    @property
    def _calls(self) -> Path:
        return self._folder / disk_errors.CALLS.name
