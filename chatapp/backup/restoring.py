"""Restoring a backup: all of it is checked and prepared beside the data, then it takes the place of the data.

The folder `restoring` in the data folder is the point of no return: what it has is complete. If the process ends before
the folder is there, everything is as before. If it ends afterwards, the next start of chatapp completes the restore.
"""

import hashlib
import json
import os
import secrets
import shutil
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory

from chatapp import sqlite
from chatapp.backup.databases import check_sqlite, has_users, load_postgres
from chatapp.backup.encryption import (
    Converted,
    convert_backup,
    convert_installation,
    find_wrong_key,
)
from chatapp.backup.files import (
    DATA_FILES,
    FORMAT,
    MANIFEST,
    find_sqlite_path,
    is_allowed,
    list_files,
    list_spools,
    remove,
    restoring_folder,
)
from chatapp.backup.lock import exclusive_lock
from chatapp.config import ROOT, Settings
from chatapp.durability import sync
from chatapp.encryption.keys import BACKUP, DATABASE, FILES, SPOOL, MasterKey
from chatapp.encryption.streams import Undecryptable, is_encrypted, open_decrypted
from chatapp.errors import ChatError, Conflict, Invalid
from chatapp.failpoints import failpoint

BLOCK_BYTES = 1_000_000

WATERMARKS = "watermarks.bin"
"""Replaced only if the data stay the same: a restored backup must not have it."""

DRAFT = "restore.partial"
"""Name of the folder in which a restore is prepared."""

_CLEARED = "cleared"
"""Name of the file in `restoring` that exists once the old files were removed."""

_NO_UPLOADS = "no-uploads"
"""Name of the file in `restoring` that exists if uploads are removed: what they refer to is not in the backup."""


def restore_backup(settings: Settings, source: Path, *, force: bool) -> None:
    """Replace the data of the installation by a backup, with a new epoch: clients load the last page.

    Nothing is changed if it raises: `Conflict` while a server is running, or if there are data and `force` is false;
    `Invalid` if the backup is damaged or belongs to another database; `OSError`.
    """
    with exclusive_lock(settings.data_dir):
        archived = any(path.suffix in {".gz", ".enc"} for path in list_files(settings.data_dir))
        if not force and (has_users(settings) or archived):
            raise Conflict("The installation has data. Use --force to replace them.")
        with _replace_data(settings) as draft:
            is_sealed = is_encrypted(source)
            _check(settings, draft, _extract(settings, source, draft), with_key=is_sealed)
            if settings.master_key is not None and not is_sealed:
                convert_backup(draft, settings.master_key)
            _renew_epoch(settings, draft)
            (draft / _NO_UPLOADS).touch()


def convert_database(settings: Settings, target: MasterKey | None) -> Converted:
    """Encrypt the data of the installation with another key, or decrypt them.

    Nothing is changed if it raises: `Conflict` while a server is running; `Invalid` if the key of the settings is
    wrong, or something is damaged; `OSError`.
    """
    with exclusive_lock(settings.data_dir):
        if problem := find_wrong_key(settings):
            raise Invalid(problem[0].upper() + problem[1:])
        _check_bucket(settings, target)
        with _replace_data(settings) as draft:
            return convert_installation(settings, target, draft)


def _check_bucket(settings: Settings, target: MasterKey | None) -> None:
    """Raise `Invalid` if files in the bucket could not be decrypted any more."""
    key = settings.derive_key(FILES)
    if settings.s3_bucket and key is not None and (target is None or target.derive(FILES) != key):
        raise Invalid("Files in the bucket are encrypted with the key of the settings, which must stay.")


@contextmanager
def _replace_data(settings: Settings) -> Iterator[Path]:
    """Replace the data by what the block writes to a folder; change nothing if it raises."""
    draft = settings.data_dir / DRAFT
    remove(draft)
    draft.mkdir(mode=0o700)
    try:
        yield draft
        for path in draft.rglob("*"):
            sync(path)
        sync(draft)
        failpoint("restore-checked")
        draft.rename(restoring_folder(settings))
    except BaseException:
        remove(draft)
        raise
    sync(settings.data_dir)
    failpoint("restore-begun")
    _complete(settings)


def complete_restore(settings: Settings) -> None:
    """Complete a restore that was interrupted. Exits if that is impossible."""
    try:
        with exclusive_lock(settings.data_dir):
            if restoring_folder(settings).is_dir():
                _complete(settings)
    except ChatError as error:
        sys.exit(f"chatapp does not start: a backup is being restored, or was restored in part. {error.message}")


def _extract(settings: Settings, source: Path, folder: Path) -> dict[str, Any]:
    """Extract a backup, compare it with its checksums, and return its manifest."""
    found: dict[str, dict[str, Any]] = {}
    try:
        with (
            open_decrypted(source, settings.derive_key(BACKUP)) as file,
            tarfile.open(fileobj=file, mode="r|") as tar,
        ):
            for member in tar:
                # A sparse file is as large as its header claims, whatever the size of the backup.
                if not member.isreg() or member.issparse() or not is_allowed(member.name):
                    raise Invalid(f"{source} is no backup of chatapp: it has “{member.name}”.")
                found[member.name] = _extract_member(tar, member, folder / member.name)
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        files: dict[str, dict[str, Any]] = dict(manifest["files"])
    except Undecryptable as error:
        raise Invalid(f"{source} cannot be read: {error}") from error
    except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError, RecursionError, FileNotFoundError) as error:
        raise Invalid(f"{source} is no complete backup of chatapp: {error}") from error
    found.pop(MANIFEST)
    if found != files:
        damaged = sorted(name for name in found.keys() | files.keys() if found.get(name) != files.get(name))
        raise Invalid(f"{source} is damaged: {', '.join(damaged[:5])}")
    return manifest


def _extract_member(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> dict[str, Any]:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, content = hashlib.sha256(), tar.extractfile(member)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while content is not None and (block := content.read(BLOCK_BYTES)):
            digest.update(block)
            file.write(block)
    return {"size": target.stat().st_size, "sha256": digest.hexdigest()}


def _check(settings: Settings, folder: Path, manifest: dict[str, Any], *, with_key: bool) -> None:
    """Raise `Invalid` if this installation cannot use the backup."""
    database = "database.sqlite3" if find_sqlite_path(settings) else "database.sql"
    if not (folder / database).is_file():
        raise Invalid("The backup is of another database: one is of SQLite, the other of PostgreSQL. See DATABASE_URL.")
    known = {script.revision for script in ScriptDirectory(str(ROOT / "migrations")).walk_revisions()}
    if manifest.get("format") != FORMAT or manifest.get("revision") not in known:
        raise Invalid("The backup was made by a newer version of chatapp. Update chatapp first.")
    for path in folder.glob("*.sqlite3"):
        purpose = DATABASE if path.name == database else SPOOL
        check_sqlite(path, settings.derive_key(purpose) if with_key else None)


def _renew_epoch(settings: Settings, folder: Path) -> None:
    epoch = secrets.token_hex(16)
    if find_sqlite_path(settings) is None:
        (folder / "epoch").write_text(epoch)
        return
    with closing(sqlite.connect(folder / "database.sqlite3", settings.derive_key(DATABASE))) as database, database:
        database.execute("UPDATE installation SET epoch = ?", (epoch,))


def _complete(settings: Settings) -> None:
    """Put what is in `restoring` in the place of the data. It can be repeated from its beginning after any crash."""
    folder, database = restoring_folder(settings), find_sqlite_path(settings)
    if not (folder / _CLEARED).exists():
        _clear(settings)
    for path in sorted(folder.iterdir()):
        if path.name == "database.sqlite3" and database is not None:
            _move(path, database)
        elif path.name in {*DATA_FILES, WATERMARKS} or path in list_spools(folder):
            _move(path, settings.data_dir / path.name)
    sync(settings.data_dir)
    failpoint("restore-moved")
    _discard(settings)


def _clear(settings: Settings) -> None:
    """Load the database on PostgreSQL, and remove the files that are replaced."""
    folder, data_dir, database = restoring_folder(settings), settings.data_dir, find_sqlite_path(settings)
    if database is None and (folder / "database.sql").exists():
        try:
            load_postgres(settings, folder / "database.sql", (folder / "epoch").read_text())
        except ChatError:
            _discard(settings)  # Nothing has changed.
            raise
        failpoint("restore-loaded")
    # SQLite's with its write-ahead log, which would be applied to the new one.
    for path in (*list_spools(data_dir), *([database] if database else [])):
        for suffix in ("", "-wal", "-shm"):
            remove(path.with_name(path.name + suffix))
    for name in (*DATA_FILES, WATERMARKS):
        remove(data_dir / name)
    if (folder / _NO_UPLOADS).exists():
        remove(settings.uploads_path)
    (folder / _CLEARED).touch()
    sync(folder)
    failpoint("restore-cleared")


def _discard(settings: Settings) -> None:
    """Delete `restoring`. Its name goes first: half of it must not be taken for a restore that was interrupted."""
    draft = settings.data_dir / DRAFT
    remove(draft)
    restoring_folder(settings).rename(draft)
    sync(settings.data_dir)
    remove(draft)


def _move(path: Path, target: Path) -> None:
    if path.stat().st_dev == target.parent.stat().st_dev:
        path.rename(target)
        return
    draft = target.with_name(f"{target.name}.partial")
    shutil.copyfile(path, draft)
    draft.chmod(0o600)
    sync(draft)
    draft.rename(target)
    sync(target.parent)
    path.unlink()
