"""The store of files by their digest: `files/ab/<digest>` in the data folder, and `<digest>.small` for a variant.

Files that are encrypted have the suffix `.enc` besides. A file has its name once it is complete on the disk, and is
never changed. Names that begin with a dot are of files that are being written.
"""

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from flask import Flask, current_app

from chatapp.concurrency.native import current_pools
from chatapp.config import Settings
from chatapp.durability import make_folder, sync
from chatapp.encryption.keys import FILES
from chatapp.encryption.streams import CHUNK_BYTES, RandomAccessReader, Undecryptable, encrypting
from chatapp.failpoints import failpoint
from chatapp.file_locks import wait_for_lock
from chatapp.models.files import THUMBNAILS

EXTENSION = "chatapp.files"
"""Key of the application's `FileStore` in `app.extensions`."""

VARIANTS = ("", *THUMBNAILS)
"""The file itself, and its thumbnails."""

ENCRYPTED_SUFFIX = ".enc"

DRAFT_SECONDS = 24 * 3600.0
"""Age at which a file that was being written counts as left by a crash."""

COUNT_SECONDS = 600.0
"""Time after which the size of the store is determined again: other processes change it too."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def is_digest(text: str) -> bool:
    """Return whether a text has the form of a digest."""
    return _DIGEST.fullmatch(text) is not None


class StoreUnavailable(OSError):
    """The bucket's server does not respond, or refuses the request. The text contains no secret."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(f"{reason} {details}".strip())
        self.reason = reason
        """What may be shown to everybody. The details have the address of the server."""


class StoredFile(Protocol):
    """An open file of the store."""

    size: int
    """In bytes, before encryption."""

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes from an offset; fewer at the end. It blocks. Raises `OSError` and `Undecryptable`."""

    def close(self) -> None:
        """Close the file."""


class FileStore:
    """The files of an installation in a folder. All processes share it. All methods block."""

    def __init__(self, folder: Path, key: bytes | None) -> None:
        self._folder = folder
        self._key = key
        self._used_bytes: int | None = None
        self._counted_at = 0.0

    def put(self, source: Path, digest: str, variant: str = "") -> None:
        """Store a file; it is durable then. If it is stored already, it counts as new for the sweep. Raises `OSError`.

        `source` can be deleted afterwards, but must not be changed: it may be a link to the same file.
        """
        path = self._path(digest, variant)
        make_folder(path.parent)
        if not self._renew(digest, variant):
            draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            try:
                self._write_draft(source, draft)
                failpoint("file-written")
                self._place(draft, digest, variant)
            finally:
                draft.unlink(missing_ok=True)
        failpoint("file-stored")
        sync(path.parent)  # Also if it existed: its name is perhaps not on the disk yet.

    def add(self, content: Path, variants: Mapping[str, Path]) -> tuple[str, int]:
        """Store a file and its variants as `put` does. Return its digest, and its size in bytes. Raises `OSError`."""
        with content.open("rb") as file:
            digest, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
        for variant, path in variants.items():
            self.put(path, digest, variant)
        self.put(content, digest)  # Last: what has no variants is not complete.
        return digest, size

    def open(self, digest: str, variant: str = "") -> StoredFile:
        """Open a file. Raises `FileNotFoundError`, `OSError`, and `Undecryptable` if it is damaged."""
        path = self._find(digest, variant)
        if path is None:
            raise FileNotFoundError(f"{self._path(digest, variant)} does not exist")
        file = path.open("rb")
        try:
            if path.suffix != ENCRYPTED_SUFFIX:
                return _PlainFile(file)
            if self._key is None:
                raise Undecryptable(f"{path} is encrypted, and there is no key")
            return RandomAccessReader(file, self._key)
        except BaseException:
            file.close()
            raise

    def exists(self, digest: str, variant: str = "") -> bool:
        """Return whether a file is stored."""
        return self._find(digest, variant) is not None

    def delete(self, digest: str, *, if_older_than: float | None = None) -> bool:
        """Delete a file with its variants, and return whether it was deleted.

        With `if_older_than`, a time in seconds since 1970, only if none of them was stored since then.
        """
        with self._lock():
            paths = [path for variant in VARIANTS if (path := self._find(digest, variant))]
            if if_older_than is not None and any(path.stat().st_mtime > if_older_than for path in paths):
                return False
            for path in reversed(paths):  # The file itself last: a crash leaves what the next sweep finds.
                self._count(-path.stat().st_size)
                path.unlink()
                failpoint("file-deleted")
        return bool(paths)

    def list_digests(self) -> Iterator[tuple[str, float]]:
        """Yield the digest of each file, and when it was stored last, in seconds since 1970.

        Variants without their file, which a crash has left, count as the file.
        """
        for folder in self._list_folders():
            stored: dict[str, float] = {}
            for path in folder.iterdir():
                digest = path.name.partition(".")[0]
                if is_digest(digest):
                    with suppress(FileNotFoundError):
                        stored[digest] = max(stored.get(digest, 0.0), path.stat().st_mtime)
            yield from stored.items()

    def used_bytes(self) -> int:
        """Return the size of the store in bytes, as it was some minutes ago at most."""
        if self._used_bytes is None or time.monotonic() > self._counted_at + COUNT_SECONDS:
            self._used_bytes, self._counted_at = self.count_bytes(), time.monotonic()
        return self._used_bytes

    def count_bytes(self) -> int:
        """Determine the size of the store in bytes."""
        size = 0
        for path in self.list_paths():
            with suppress(FileNotFoundError):
                size += path.stat().st_size
        return size

    def list_paths(self) -> Iterator[Path]:
        """Yield the path of each file in the folder, variants included, but nothing that is being written."""
        for folder in self._list_folders():
            yield from (path for path in folder.iterdir() if is_digest(path.name.partition(".")[0]))

    def remove_drafts(self) -> None:
        """Delete what crashes have left unfinished."""
        expired_at = time.time() - DRAFT_SECONDS
        for folder in self._list_folders():
            for path in folder.glob(".*"):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < expired_at:
                        path.unlink()

    def _renew(self, digest: str, variant: str) -> bool:
        """Let a stored file count as new. Return whether there is one."""
        with self._lock(is_shared=True):
            path = self._find(digest, variant)
            if path is not None:
                os.utime(path)
        return path is not None

    def _place(self, draft: Path, digest: str, variant: str) -> None:
        with self._lock(is_shared=True):
            if path := self._find(digest, variant):
                os.utime(path)  # Another upload of the same content was faster.
                return
            draft.replace(self._path(digest, variant))
            self._count(self._path(digest, variant).stat().st_size)

    def _write_draft(self, source: Path, draft: Path) -> None:
        """Write what is stored to a new file: encrypted, or as a link to the source, which costs nothing."""
        if self._key is None and _try_link(draft, source):
            sync(draft)
            os.utime(draft)
            return
        with source.open("rb") as original, draft.open("xb") as file:
            with encrypting(file, self._key) as target:
                shutil.copyfileobj(original, target, CHUNK_BYTES)
            file.flush()
            os.fsync(file.fileno())

    def _path(self, digest: str, variant: str) -> Path:
        """Return the path of a new file. Raises `ValueError` for what is no digest or variant."""
        if not is_digest(digest) or variant not in VARIANTS:
            raise ValueError(f"“{digest}” is no digest, or “{variant}” no variant")
        suffix = (f".{variant}" if variant else "") + (ENCRYPTED_SUFFIX if self._key else "")
        return self._folder / digest[:2] / f"{digest}{suffix}"

    def _find(self, digest: str, variant: str) -> Path | None:
        """Return the path of a stored file, which may be from before the installation had a key."""
        return next((path for path in self.list_candidates(digest, variant) if path.exists()), None)

    def list_candidates(self, digest: str, variant: str) -> list[Path]:
        """Return the paths that a file may have, which may be from before the installation had a key."""
        path = self._path(digest, variant)
        plain = path.with_name(path.name.removesuffix(ENCRYPTED_SUFFIX))
        return list(dict.fromkeys((path, plain, plain.with_name(plain.name + ENCRYPTED_SUFFIX))))

    def _list_folders(self) -> Iterator[Path]:
        if self._folder.is_dir():
            yield from (path for path in self._folder.iterdir() if path.is_dir())

    def _count(self, size: int) -> None:
        if self._used_bytes is not None:
            self._used_bytes += size

    @contextmanager
    def _lock(self, *, is_shared: bool = False) -> Iterator[None]:
        """Exclude that a file is deleted while it is stored again. The lock is held for the time of a few calls."""
        make_folder(self._folder)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            wait_for_lock(descriptor, is_shared=is_shared)
            yield
        finally:
            os.close(descriptor)


def _try_link(path: Path, source: Path) -> bool:
    """Create a link to a file. Return False if the file is on another file system, or on one without links."""
    try:
        path.hardlink_to(source)
    except OSError:
        return False
    return True


class _PlainFile:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        self._file.close()


def init_store(app: Flask, settings: Settings) -> None:
    """Prepare the store of an application."""
    folder, key = settings.files_path, settings.derive_key(FILES)
    if settings.s3_bucket:
        from chatapp.files.bucket import connect_bucket  # The client's library is needed only with a bucket.
        from chatapp.files.bucket_store import BucketStore

        keep_seconds = settings.s3_keep_seconds
        app.extensions[EXTENSION] = BucketStore(folder, key, connect_bucket(settings), keep_seconds=keep_seconds)
    else:
        app.extensions[EXTENSION] = FileStore(folder, key)


def add_file(content: Path, variants: Mapping[str, Path]) -> tuple[str, int]:
    """Store a file as `FileStore.add` does, on a background thread: hashing a large one takes long."""
    return current_pools().storing.run(current_store().add, content, variants)


def current_store() -> FileStore:
    """Return the store of the current application."""
    return get_store(current_app)


def get_store(app: Flask) -> FileStore:
    """Return the store of an application."""
    store: FileStore = app.extensions[EXTENSION]
    return store
