"""Finds out what an uploaded file is, removes metadata, and makes thumbnails, in a worker process (`workers/media`)."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatapp.concurrency.worker_processes import WorkerPool
from chatapp.errors import TooComplex
from chatapp.files.names import clean_name, with_suffix

OCTET_STREAM = "application/octet-stream"

SUFFIXES = {
    "image/avif": (".avif",),
    "image/gif": (".gif",),
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/png": (".png", ".apng"),
    "image/webp": (".webp",),
}
"""An image gets the suffix of its content: a browser shows it, and saves it by this name."""

# Half of the processors stay free for chat; the processes also have a low priority.
_pool = WorkerPool(
    "media", processes=max(1, (os.cpu_count() or 1) // 2), max_queued=50, memory_mb=1_024, timeout_seconds=30.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What is known of a file after inspection. Most fields are those of `AttachedFile`."""

    kind: str
    media_type: str
    name: str
    content: Path
    """What to store: the file itself, or a copy without metadata."""
    width: int | None = None
    height: int | None = None
    is_animated: bool = False
    placeholder: str | None = None
    preview: str | None = None
    variants: Mapping[str, Path]
    """Thumbnails as WebP: `small` and `large`, or none."""


class _Owner:
    """A person whose files are inspected: one at a time, so that those of others come in between."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calls = 0


_owners: dict[int, _Owner] = {}
_owners_lock = threading.Lock()


def inspect(path: Path, name: str, folder: Path, *, owner: int = 0) -> Inspection:
    """Return what a file is. The name decides nothing. New files are written to `folder`, which may have old ones.

    The files of one `owner`, a user's id, are inspected one after the other.

    Call it on a green thread, not on a native one: it waits for the worker process. A file that cannot be decoded
    within the limits is of the kind `other`. Raises `Busy` when too many files wait, `StorageFull` if the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.iterdir():
        if earlier.is_file():
            earlier.unlink()  # The store may have a link to it: it must not be overwritten.
    arguments = {"path": str(path.resolve()), "folder": str(folder.resolve())}
    found: dict[str, Any] = {"kind": "other", "media_type": OCTET_STREAM}
    with _turn(owner):
        # A file that exceeds the limits gets no thumbnails, but its metadata is removed nevertheless.
        for may_decode in (True, False):
            with suppress(TooComplex):
                found = json.loads(_pool.run(**arguments, may_decode=may_decode))
                break
    content = folder / found.pop("content") if "content" in found else path
    variants = {variant: folder / file for variant, file in found.pop("variants", {}).items()}
    name = clean_name(name)
    if suffixes := SUFFIXES.get(found["media_type"]):
        name = with_suffix(name, suffixes)
    return Inspection(name=name, content=content, variants=variants, **found)


def crop(thumbnail: Path, folder: Path, pixels: int, *, owner: int) -> Path:
    """Crop a thumbnail to a square WebP with sides of at most `pixels`, and return its path in `folder`.

    Waits like `inspect`. Raises `Busy`, `TooComplex`, `StorageFull`, and `Internal`.
    """
    arguments = {"path": str(thumbnail.resolve()), "folder": str(folder.resolve())}
    with _turn(owner):
        found = json.loads(_pool.run(**arguments, may_decode=True, square=pixels))
    return folder / str(found["content"])


@contextmanager
def _turn(owner: int) -> Iterator[None]:
    with _owners_lock:
        entry = _owners.setdefault(owner, _Owner())
        entry.calls += 1
    try:
        with entry.lock:
            yield
    finally:
        with _owners_lock:
            entry.calls -= 1
            if not entry.calls:
                del _owners[owner]
