"""The store of files with a bucket: a file is written to the folder, and moved to the bucket in the background.

So a file is durable when `put` returns, whether or not the bucket's server responds. A file leaves the folder only when
the bucket has it, with the same size; a crash at any point leaves it in one of both, or in both. The names of objects
are those of the files.
"""

import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from chatapp.durability import make_folder
from chatapp.encryption.streams import RandomAccessReader, Undecryptable
from chatapp.failpoints import failpoint
from chatapp.file_locks import wait_for_lock
from chatapp.files.bucket import Bucket, StoredObject
from chatapp.files.store import ENCRYPTED_SUFFIX, VARIANTS, FileStore, StoredFile, StoreUnavailable, is_digest

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_AHEAD_BYTES = 1_048_576
"""Bytes of an object that one request reads: it is served, and decrypted, in smaller pieces."""

LOCK_NAME = ".moving"
"""File in the folder, locked while a file is moved or deleted."""


class BucketStore(FileStore):
    """The files of an installation in a bucket, and in a folder until they are moved there. All methods block.

    In addition to what those of `FileStore` raise, all but `put` and `used_bytes` raise `StoreUnavailable`.

    A file stays in the folder for `keep_seconds` after it was stored: it is read most in this time.
    """

    def __init__(self, folder: Path, key: bytes | None, bucket: Bucket, *, keep_seconds: float) -> None:
        super().__init__(folder, key)
        self.bucket = bucket
        self._keep_seconds = keep_seconds
        self._bucket_bytes = 0

    def open(self, digest: str, variant: str = "") -> StoredFile:
        """Open a file, in the folder or in the bucket."""
        with suppress(FileNotFoundError):  # A file is in the bucket before it leaves the folder.
            return super().open(digest, variant)
        found = self._find_object(digest, variant)
        if found is None:
            raise FileNotFoundError(f"{digest} does not exist, neither in the folder nor in the bucket")
        file = io.BufferedReader(_ObjectReader(self.bucket, found), READ_AHEAD_BYTES)
        if not found.key.endswith(ENCRYPTED_SUFFIX):
            return _PlainObject(file, found.size)
        if self._key is None:
            raise Undecryptable(f"{found.key} is encrypted, and there is no key")
        return RandomAccessReader(file, self._key)

    def exists(self, digest: str, variant: str = "") -> bool:
        """Return whether a file is stored."""
        return super().exists(digest, variant) or self._find_object(digest, variant) is not None

    def delete(self, digest: str, *, if_older_than: float | None = None) -> bool:
        """Delete a file with its variants from both places, and return whether it was deleted."""
        with self._moving():
            objects = [found for variant in VARIANTS if (found := self._find_object(digest, variant))]
            if if_older_than is not None and any(found.stored_at > if_older_than for found in objects):
                return False
            was_in_folder = super().delete(digest, if_older_than=if_older_than)
            if any(self._find(digest, variant) for variant in VARIANTS):
                return False  # It was stored again since then.
            for found in reversed(objects):
                self.bucket.delete(found.key)
                failpoint("file-deleted")
        return was_in_folder or bool(objects)

    def list_digests(self) -> Iterator[tuple[str, float]]:
        """Yield the digest of each file, and when it was stored last. A file that is in both places comes twice."""
        yield from super().list_digests()  # First, as a file that moves meanwhile is in the bucket then.
        for digest, objects in groupby(self.bucket.list(), lambda found: _parse_name(found.key)):
            if is_digest(digest):
                yield digest, max(found.stored_at for found in objects)

    def count_bytes(self) -> int:
        """Determine the size of both places. A file that is in both counts once.

        While the bucket is away, what it had when it was last counted is used.
        """
        sizes: dict[str, int] = {}
        for path in self.list_paths():
            with suppress(FileNotFoundError):
                sizes[path.name] = path.stat().st_size
        with suppress(StoreUnavailable):
            objects = self.bucket.list()
            self._bucket_bytes = sum(found.size for found in objects if found.key.rpartition("/")[2] not in sizes)
        return sum(sizes.values()) + self._bucket_bytes

    def move_files(self) -> None:
        """Move the files of the folder to the bucket, except for new ones.

        If a file cannot be moved, the others are, and its error is raised at the end. Raises `OSError`, and
        `StoreUnavailable` at once.
        """
        failed: OSError | None = None
        for path in list(self.list_paths()):
            try:
                self._move(path)
            except StoreUnavailable:
                raise
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed

    def _move(self, path: Path) -> None:
        with self._moving():
            try:
                status = path.stat()
            except FileNotFoundError:
                return  # It was deleted, or moved by another process.
            if time.time() < status.st_mtime + self._keep_seconds:
                return
            key = f"{path.parent.name}/{path.name}"
            failpoint("file-uploading")
            self.bucket.put(path, key)
            failpoint("file-uploaded")
            if (size := self.bucket.find(key).size) != status.st_size:
                raise OSError(f"the bucket has {size:,} bytes of {key} instead of {status.st_size:,}")
            with self._lock():
                if path.stat().st_mtime_ns != status.st_mtime_ns:
                    return  # It was stored again, so it has to be new in the bucket too: it is moved once more.
                path.unlink()
            failpoint("file-moved")

    def _find_object(self, digest: str, variant: str) -> StoredObject | None:
        for path in self.list_candidates(digest, variant):
            with suppress(FileNotFoundError):
                return self.bucket.find(f"{path.parent.name}/{path.name}")
        return None

    @contextmanager
    def _moving(self) -> Iterator[None]:
        """Exclude that an object is deleted while its file is moved, by this process or another one."""
        make_folder(self._folder)
        descriptor = os.open(self._folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            wait_for_lock(descriptor)
            yield
        finally:
            os.close(descriptor)


def _parse_name(key: str) -> str:
    """Return the digest in the key of an object."""
    return key.rpartition("/")[2].partition(".")[0]


class _PlainObject:
    """An object that is not encrypted."""

    def __init__(self, file: "io.BufferedReader[_ObjectReader]", size: int) -> None:
        self._file = file
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)

    def close(self) -> None:
        self._file.close()


class _ObjectReader(io.RawIOBase):
    """Reads an object as a file, at any position."""

    def __init__(self, bucket: Bucket, found: StoredObject) -> None:
        self._bucket = bucket
        self._found = found
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._found.size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        target = memoryview(buffer).cast("B")
        length = max(0, min(len(target), self._found.size - self._position))
        target[:length] = self._bucket.read(self._found.key, self._position, length)
        self._position += length
        return length
