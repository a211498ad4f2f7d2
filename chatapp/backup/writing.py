"""Writing a backup while chatapp runs."""

import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from chatapp.backup.databases import (
    copy_sqlite,
    dump_postgres,
    list_digests,
    read_revision,
    remove_deleted_texts,
)
from chatapp.backup.files import (
    COLUMN_KEYS,
    FORMAT,
    MANIFEST,
    find_digest,
    find_sqlite_path,
    list_files,
    list_spools,
    member_name,
)
from chatapp.backup.lock import keep_files
from chatapp.config import Settings
from chatapp.durability import sync
from chatapp.encryption.keys import BACKUP, DATABASE, SPOOL
from chatapp.encryption.streams import encrypting
from chatapp.errors import Conflict


@dataclass(frozen=True, slots=True)
class WrittenBackup:
    """A backup that was written."""

    size: int
    """In bytes."""
    missing: int
    """Number of files of messages that it lacks, because they are only in the bucket, or not stored."""


def write_backup(settings: Settings, target: Path) -> WrittenBackup:
    """Write a backup to `target`. Raises `Invalid`, `Conflict` and `OSError`.

    The order loses nothing: a message leaves the spool when the database has it, so the spools are copied before the
    database. Cleanups move messages from the database to the archive, and restores move them back, so archived files
    are copied before and after it. A file of a message is stored before its message, and is never changed, so these
    are copied after the database; no sweep removes any meanwhile.
    """
    if target.exists():
        raise Conflict(f"{target} exists.")
    draft = target.with_name(f"{target.name}.partial")
    try:
        with TemporaryDirectory(dir=target.parent, prefix=".backup-") as folder:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with (
                keep_files(settings.files_path),
                os.fdopen(descriptor, "wb") as file,
                encrypting(file, settings.derive_key(BACKUP)) as content,
                tarfile.open(fileobj=content, mode="w|") as tar,
            ):
                missing = _add_all(_Backup(tar), settings, Path(folder))
        sync(draft)
        draft.rename(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(target.parent)
    return WrittenBackup(target.stat().st_size, missing)


def _add_all(backup: "_Backup", settings: Settings, folder: Path) -> int:
    """Add everything, and return how many files of messages are missing."""
    for spool in list_spools(settings.data_dir):
        copy_sqlite(spool, folder / spool.name, settings.derive_key(SPOOL))
        backup.add(folder / spool.name, spool.name)
    for path in list_files(settings.data_dir):
        name = member_name(settings.data_dir, path)
        if path.name == COLUMN_KEYS or find_digest(name):
            continue  # Copied after the database, which has no value then whose key or file is missing.
        try:
            backup.add(path, name)
        except FileNotFoundError:
            continue  # It was restored, and the database will have its messages.
    database = find_sqlite_path(settings)
    copy = folder / ("database.sqlite3" if database else "database.sql")
    if database:
        copy_sqlite(database, copy, settings.derive_key(DATABASE))
        remove_deleted_texts(copy, settings.derive_key(DATABASE))
    else:
        dump_postgres(settings, copy)
    backup.add(copy, copy.name)
    digests = list_digests(settings, copy)
    for path in list_files(settings.data_dir):
        name = member_name(settings.data_dir, path)
        if name not in backup.files:
            try:
                backup.add(path, name)
            except FileNotFoundError as error:
                if find_digest(name):
                    continue  # It was moved to the bucket.
                raise Conflict("Messages were archived and restored meanwhile. Run the command again.") from error
    backup.finish(revision=read_revision(settings, copy))
    return len(digests - {find_digest(name) for name in backup.files})


class _Backup:
    """A tar file with checksums."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.files: dict[str, dict[str, Any]] = {}
        """Size and checksum of each member, by name."""

    def add(self, path: Path, name: str) -> None:
        """Add a file."""
        with path.open("rb") as file:
            self._add(file, name, os.fstat(file.fileno()).st_size)

    def finish(self, *, revision: str) -> None:
        """Add the manifest."""
        manifest = {
            "format": FORMAT,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "revision": revision,
            "files": self.files,
        }
        content = json.dumps(manifest, indent=1).encode()
        self._add(io.BytesIO(content), MANIFEST, len(content))

    def _add(self, file: BinaryIO, name: str, size: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, int(datetime.now(UTC).timestamp())
        reader = _HashingReader(file)
        self._tar.addfile(info, reader)
        self.files[name] = {"size": size, "sha256": reader.digest.hexdigest()}


class _HashingReader(io.RawIOBase):
    """Computes the checksum of what is read from a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """Read bytes, and add them to the checksum."""
        content = self._file.read(size)
        self.digest.update(content)
        return content
