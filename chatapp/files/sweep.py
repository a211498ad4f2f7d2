"""Removing files that nothing refers to any more.

A sweep marks them; a later one removes those that are marked for long enough, and still unused. Who refers to a file
anew has uploaded it again, which renews it in the store, or has copied a row in a transaction that is over by then.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import structlog
from flask import current_app
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chatapp.backup.lock import SWEEP_LOCK
from chatapp.concurrency.native import current_pools
from chatapp.config import Settings, current_settings
from chatapp.encryption.files import replace
from chatapp.encryption.keys import SPOOL
from chatapp.errors import Conflict
from chatapp.extensions import db
from chatapp.failpoints import failpoint
from chatapp.file_locks import try_lock
from chatapp.files.store import current_store
from chatapp.files.uploads import list_kept_digests
from chatapp.models import Deletion
from chatapp.models.file_references import FILE_REFERENCES
from chatapp.storage import read_natively
from chatapp.storage.spool import SPOOL_ERRORS, Spool

log = structlog.get_logger(__name__)

EXTENSION = "chatapp.unwritten_marks"
"""Key of the `UnwrittenMarks` in `app.extensions`, if there are any."""

MARKED_SECONDS = 3_600.0
"""Time for which a file must have been unused before it is removed: no transaction lasts that long."""

INTERVAL_SECONDS = 3_600.0
"""Interval at which servers sweep."""

MARKS = "unused.json"
"""Name of a file in the folder of the store. No backup has it."""

BATCH_FILES = 500
"""Number of files that one query looks for."""

_SELECTS = tuple(
    select(reference.digest).where(reference.digest.in_(bindparam("digests", expanding=True))).distinct()
    for reference in FILE_REFERENCES
)
_SELECT_DELETED = select(Deletion.removed)


@dataclass(frozen=True, slots=True)
class UnwrittenMarks:
    """Marks that could not be written, because the disk was full. What the next sweep removes makes room."""

    marks: dict[str, float]
    marked_at: float


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep has done."""

    removed: int
    marked: int
    """The number of unused files that a later sweep removes."""


def sweep() -> Swept:
    """Remove files that nothing has referred to for some time, and mark those that nothing refers to now.

    On a full disk the marks are kept in memory. Raises `Conflict` if nothing may be removed now, `OSError`, and errors
    of the database.
    """
    run, store, settings = current_pools().files.run, current_store(), current_settings()
    if not settings.files_path.is_dir():
        return Swept(0, 0)
    with _only_sweep(settings.files_path):
        run(_check_spools, settings)
        run(store.remove_drafts)
        marks = run(_read_marks, settings.files_path, current_app.extensions.get(EXTENSION))
        unused = set(_list_unused()) - _list_deleted() - list_kept_digests()
        now, removed = time.time(), 0
        for digest in sorted(unused & marks.keys()):
            if marks[digest] + MARKED_SECONDS > now:
                continue
            if not run(store.delete, digest, if_older_than=marks[digest]):
                del marks[digest]  # It has been stored again since then: it is marked anew.
                continue
            unused.remove(digest)
            removed += 1
            log.info("unused file removed", digest=digest)
            failpoint("file-swept")
        marked = {digest: marks.get(digest, now) for digest in unused}
        try:
            run(replace, settings.files_path / MARKS, json.dumps(marked).encode(), None)
            current_app.extensions.pop(EXTENSION, None)
        except OSError as error:
            log.warning("the marks of unused files cannot be written", reason=str(error))
            current_app.extensions[EXTENSION] = UnwrittenMarks(marked, now)
    return Swept(removed, len(marked))


def sweep_if_due() -> Swept | None:
    """Sweep unless the last sweep was a short time ago. Raises like `sweep`."""
    path = current_settings().files_path / MARKS
    if path.exists() and path.stat().st_mtime + INTERVAL_SECONDS > time.time():
        return None
    return sweep()


@contextmanager
def _only_sweep(folder: Path) -> Iterator[None]:
    """Exclude other sweeps and backups. Raises `Conflict` while there is one."""
    descriptor = os.open(folder / SWEEP_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not try_lock(descriptor):
            raise Conflict("Another process removes unused files, or writes a backup.")
        yield
    finally:
        os.close(descriptor)


def _check_spools(settings: Settings) -> None:
    """Raise `Conflict` if messages that the database does not have yet may refer to files."""
    for path in settings.data_dir.glob("spool-*.sqlite3"):
        spool = Spool(path, settings.derive_key(SPOOL))
        try:
            if spool.list_pending(1) or spool.list_rejected():
                raise Conflict(f"{path.name} has messages that are not in the database, and may have files.")
        except SPOOL_ERRORS as error:
            raise Conflict(f"{path.name} cannot be read: {error}") from error
        finally:
            spool.close()


def _read_marks(folder: Path, unwritten: UnwrittenMarks | None) -> dict[str, float]:
    """Return when each unused file was marked, in seconds since 1970.

    Marks that this process could not write count, unless another process has written some since.
    """
    path = folder / MARKS
    if unwritten and not (path.exists() and path.stat().st_mtime > unwritten.marked_at):
        return unwritten.marks
    try:
        marks = json.loads(path.read_bytes())
        return {str(digest): float(marked_at) for digest, marked_at in marks.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        log.warning("the marks of unused files are damaged, and begin anew", reason=str(error))
        return {}


def _list_unused() -> Iterator[str]:
    """Yield the digests of stored files that no row refers to."""
    pool = current_pools().files
    stored = current_store().list_digests()
    while batch := pool.run(list, islice(stored, BATCH_FILES)):
        digests = [digest for digest, _ in batch]
        find = partial(_find_used, digests)
        used = read_natively(db.session(), find, pool=pool, is_limited=False)
        db.session.rollback()  # No transaction lasts for the whole sweep.
        yield from (digest for digest in digests if digest not in used)


def _find_used(digests: Sequence[str], session: Session) -> set[str]:
    return {str(digest) for select_used in _SELECTS for digest in session.scalars(select_used, {"digests": digests})}


def _list_deleted() -> set[str]:
    """Return the digests of the files and pictures of deleted messages that can be restored."""
    deletions = db.session.scalars(_SELECT_DELETED).all()
    db.session.rollback()
    files = {file["digest"] for removed in deletions for file in removed.get("files", ())}
    return files | {each["picture_digest"] for removed in deletions for each in removed.get("previews", ())}
