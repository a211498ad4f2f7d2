"""The folder of uploads: `<id>` has the bytes that have arrived, `<id>.json` the rest. All of it blocks.

An upload is complete when its description has the file; then its bytes are removed. All processes share the folder: who
adds bytes holds the lock of the file with the bytes.
"""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from chatapp.durability import make_folder
from chatapp.encryption.files import read, replace
from chatapp.encryption.streams import Undecryptable
from chatapp.failpoints import failpoint
from chatapp.file_locks import try_lock, wait_for_lock
from chatapp.files.attached import AttachedFile

log = structlog.get_logger(__name__)

UNFINISHED_SECONDS = 24 * 3600.0
"""Time without progress after which an upload that is not complete is removed."""

COMPLETE_SECONDS = 7 * 24 * 3600.0
"""Time after its completion, or its last use, after which a complete upload is removed: an outbox may send late."""

DESCRIPTION_SUFFIX, WORK_SUFFIX = ".json", ".work"

_ID = re.compile(r"[0-9]{1,19}-[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload as it was when it was read."""

    id: str
    """Nobody can guess it. It begins with the number of the user."""
    user_id: int
    name: str
    """As the browser has sent it: it is not a clean name."""
    size: int
    offset: int
    """The number of bytes that have arrived."""
    progressed_at: float
    """When the last bytes arrived, or a complete upload was used last, in seconds since 1970."""
    file: AttachedFile | None
    """What is stored. None until the upload is complete."""

    @property
    def missing_bytes(self) -> int:
        """The number of bytes that have not arrived."""
        return self.size - self.offset


class OpenUpload:
    """An upload whose lock is held until it is closed."""

    def __init__(self, folder: "UploadFolder", upload: Upload, descriptor: int) -> None:
        self.upload = upload
        self._folder = folder
        self._descriptor = descriptor

    @property
    def path(self) -> Path:
        """The file with the bytes."""
        return self._folder.bytes_path(self.upload.id)

    def write(self, content: bytes | bytearray) -> None:
        """Add bytes. They are durable after `sync`. Raises `OSError`: some of them may have been added then."""
        left = memoryview(content)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def sync(self) -> None:
        """Write the bytes to the disk."""
        os.fdatasync(self._descriptor)

    def make_work_folder(self) -> Path:
        """Return an empty folder for files that are made from the bytes."""
        path = self._folder.work_path(self.upload.id)
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        return path

    def complete(self, file: AttachedFile) -> None:
        """Record what the upload has become, and remove its bytes."""
        self._folder.describe(self.upload.id, self.upload.user_id, self.upload.name, self.upload.size, file)
        failpoint("upload-complete")
        self.path.unlink(missing_ok=True)

    def delete(self) -> None:
        """Remove the upload."""
        self._folder.description_path(self.upload.id).unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)


class UploadFolder:
    """The uploads of an installation. Descriptions are encrypted if there is a key."""

    def __init__(self, path: Path, key: bytes | None) -> None:
        self.path = path
        self._key = key

    def create(self, user_id: int, name: str, size: int) -> Upload:
        """Begin an upload."""
        upload_id = f"{user_id}-{secrets.token_hex(16)}"
        make_folder(self.path)
        path = self.bytes_path(upload_id)
        path.touch(mode=0o600)
        try:
            self.describe(upload_id, user_id, name, size, None)
        except OSError:  # The disk is full.
            self.description_path(upload_id).unlink(missing_ok=True)
            path.unlink()
            raise
        return Upload(
            id=upload_id, user_id=user_id, name=name, size=size, offset=0, progressed_at=time.time(), file=None
        )

    @contextmanager
    def creating(self) -> Iterator[None]:
        """Exclude that others create uploads between a check of limits and a creation."""
        make_folder(self.path)
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            wait_for_lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def find(self, upload_id: str) -> Upload | None:
        """Return an upload; None if there is none, or it is damaged."""
        if not _ID.fullmatch(upload_id):
            return None
        path = self.description_path(upload_id)
        try:
            fields = json.loads(read(path, self._key))
            file = AttachedFile.from_fields(fields["file"]) if fields["file"] else None
            state = path.stat() if file else self.bytes_path(upload_id).stat()
        except FileNotFoundError:
            return None
        except (Undecryptable, ValueError, TypeError, KeyError) as error:
            log.warning("an upload is damaged", upload=str(path), reason=str(error))
            return None
        return Upload(
            id=upload_id,
            user_id=fields["user_id"],
            name=fields["name"],
            size=fields["size"],
            offset=fields["size"] if file else state.st_size,
            progressed_at=state.st_mtime,
            file=file,
        )

    def open(self, upload_id: str) -> OpenUpload:
        """Lock an upload. Raises `BlockingIOError` if it is locked, `FileNotFoundError` if complete or missing."""
        if not _ID.fullmatch(upload_id):
            raise FileNotFoundError("not the id of an upload")
        descriptor = os.open(self.bytes_path(upload_id), os.O_WRONLY | os.O_APPEND)
        try:
            if not try_lock(descriptor):
                raise BlockingIOError("the upload is locked")
            # It may have been completed or removed before the lock was free.
            upload = self.find(upload_id)
            if upload is None or upload.file is not None or not self._has(upload_id, descriptor):
                raise FileNotFoundError("the upload is complete, or has been removed")
        except BaseException:
            os.close(descriptor)
            raise
        return OpenUpload(self, upload, descriptor)

    def use(self, upload_id: str) -> Upload | None:
        """Return an upload. If it is complete, it is kept for a further period."""
        upload = self.find(upload_id)
        if upload is not None and upload.file is not None:
            try:
                os.utime(self.description_path(upload_id))
            except FileNotFoundError:
                return None
        return upload

    def list_of(self, user_id: int) -> Iterator[Upload]:
        """Yield the uploads of a user."""
        yield from self._list(f"{user_id}-")

    def list_unfinished(self) -> Iterator[Upload]:
        """Yield the uploads that are not complete."""
        for path in self._list_paths():
            upload = self.find(path.name)
            if upload is not None and upload.file is None:
                yield upload

    def list_kept_digests(self) -> set[str]:
        """Return the digests of the files of complete uploads."""
        return {upload.file.digest for upload in self._list("") if upload.file is not None}

    def delete(self, upload_id: str) -> None:
        """Remove an upload if there is one. Raises `BlockingIOError` if it is locked."""
        try:
            opened = self.open(upload_id)
        except FileNotFoundError:
            if self.find(upload_id) is not None:
                self.description_path(upload_id).unlink(missing_ok=True)
        else:
            opened.delete()
            opened.close()

    def delete_expired(self) -> int:
        """Remove the uploads that are kept no longer, and what crashes have left. Return the number of uploads."""
        now, count = time.time(), 0
        for upload in list(self._list("")):
            seconds = COMPLETE_SECONDS if upload.file else UNFINISHED_SECONDS
            if upload.progressed_at + seconds < now:
                with suppress(BlockingIOError):
                    self.delete(upload.id)
                    count += 1
        for path in self._list_paths():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime + UNFINISHED_SECONDS < now and self._is_left(path):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        return count

    def bytes_path(self, upload_id: str) -> Path:
        """Return the path of the bytes."""
        return self.path / upload_id

    def description_path(self, upload_id: str) -> Path:
        """Return the path of the description."""
        return self.path / f"{upload_id}{DESCRIPTION_SUFFIX}"

    def work_path(self, upload_id: str) -> Path:
        """Return the path of the folder for files that are made from the bytes."""
        return self.path / f"{upload_id}{WORK_SUFFIX}"

    def describe(self, upload_id: str, user_id: int, name: str, size: int, file: AttachedFile | None) -> None:
        """Write a description, and everything that the folder contains, to the disk."""
        fields: dict[str, Any] = {"user_id": user_id, "name": name, "size": size, "file": file and file.to_fields()}
        replace(self.description_path(upload_id), json.dumps(fields).encode(), self._key)

    def _has(self, upload_id: str, descriptor: int) -> bool:
        """Return whether an open file still has its name."""
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(descriptor), self.bytes_path(upload_id).stat())
        return False

    def _list(self, prefix: str) -> Iterator[Upload]:
        for path in self._list_paths():
            if path.suffix == DESCRIPTION_SUFFIX and path.name.startswith(prefix):
                upload = self.find(path.stem)
                if upload is not None:
                    yield upload

    def _list_paths(self) -> list[Path]:
        return list(self.path.iterdir()) if self.path.is_dir() else []

    def _is_left(self, path: Path) -> bool:
        """Return whether a crash has left a file, which is old."""
        if path.suffix not in {"", DESCRIPTION_SUFFIX}:
            return True
        upload = self.find(path.stem)
        return upload is None or (upload.file is not None and path.suffix == "")
