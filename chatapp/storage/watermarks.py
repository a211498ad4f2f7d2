"""High-water marks: the highest number acknowledged for each key, in a memory-mapped file outside the database.

A database below one of the marks was restored from a backup. A mark is written before the change is acknowledged. It
costs microseconds and no fsync: it survives the end of the process, but a power cut may lose those of the time since
the last `flush`.
"""

import mmap
import os
from array import array
from collections.abc import Mapping
from pathlib import Path

from chatapp.concurrency.native import NativePool

LABEL_BYTES = 32
NUMBER_BYTES = 8

FIRST_SLOT = LABEL_BYTES // NUMBER_BYTES
"""The file is an array of 64-bit numbers. The label takes the first ones, then each key has a slot for its mark."""

DELETED = -1
"""The mark of a key that was deleted: the database must not have it."""


class Watermarks:
    """The high-water marks of all processes that share the file, with a label that says what the marks belong to.

    The file exists once it has a label. Until then marks are not recorded.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._map: mmap.mmap | None = None
        self._slots: memoryview | None = None
        self._error: Exception | None = None
        # Not the writer's thread, which would not write meanwhile.
        self._native = NativePool("watermarks", threads=1)

    @property
    def label(self) -> str | None:
        """What the marks belong to; None if there is no file."""
        if not self._open() or self._map is None:
            return None
        return self._map[:LABEL_BYTES].rstrip(b"\0").decode("ascii", "replace")

    def read(self) -> tuple[str, dict[int, int]] | None:
        """Return the label and the marks by key; None if there is no file."""
        self._remap()
        label = self.label
        if label is None or self._slots is None:
            return None
        return label, {key: mark for key, mark in enumerate(self._slots[FIRST_SLOT:]) if mark}

    def replace(self, label: str, marks: Mapping[int, int]) -> None:
        """Replace the marks, then the label. Creates the file. Raises `OSError`."""
        with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as file:
            # Overwritten with zeros, not truncated: other processes have mapped it.
            count = max(os.fstat(file.fileno()).st_size // NUMBER_BYTES, FIRST_SLOT + max(marks, default=0) + 1)
            slots = array("q", bytes(count * NUMBER_BYTES))
            for key, mark in marks.items():
                slots[FIRST_SLOT + key] = mark
            os.pwrite(file.fileno(), slots.tobytes(), 0)
            os.pwrite(file.fileno(), label.encode("ascii").ljust(LABEL_BYTES, b"\0"), 0)
        self._remap()

    def record(self, marks: Mapping[int, int]) -> None:
        """Raise the marks of these keys. Never raises: the changes are committed already.

        It may run on a native thread, which does not log: `take_error` returns the error.
        """
        try:
            if not marks or not self._open():
                return
            for key, mark in marks.items():
                current = self._get(key)
                if current != DELETED and (mark == DELETED or mark > current):
                    self._write(key, mark)
        except (OSError, ValueError) as error:
            self._error = error

    def flush(self) -> None:
        """Write the marks to the disk."""
        if self._map is not None:
            self._native.run(self._map.flush)

    def take_error(self) -> Exception | None:
        """Return once why the last mark could not be recorded."""
        error, self._error = self._error, None
        return error

    def _get(self, key: int) -> int:
        slot = FIRST_SLOT + key
        if self._slots is not None and slot >= len(self._slots):
            self._remap()  # Another process may have extended the file.
        return self._slots[slot] if self._slots is not None and slot < len(self._slots) else 0

    def _write(self, key: int, mark: int) -> None:
        slot = FIRST_SLOT + key
        if self._slots is not None and self._get(key):
            self._slots[slot] = mark
            return
        # The first mark of a key is written by a system call, which can extend the file. On a full disk it fails, where
        # a write to the map would end the process with SIGBUS.
        with self._path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), array("q", [mark]).tobytes(), slot * NUMBER_BYTES)

    def _open(self) -> bool:
        if self._map is None:
            self._remap()
        return self._map is not None

    def _remap(self) -> None:
        if not self._path.is_file():
            return
        with self._path.open("r+b") as file:
            size = os.fstat(file.fileno()).st_size // NUMBER_BYTES * NUMBER_BYTES
            if size >= LABEL_BYTES:
                # The old map is unmapped when nothing refers to it any more.
                self._map = mmap.mmap(file.fileno(), size)
                self._slots = memoryview(self._map).cast("q")
