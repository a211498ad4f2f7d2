"""Resumable uploads, and what they become: a file of the store that a message can refer to.

The state is on the disk (`chatapp.files.upload_folder`), so what has begun goes on through an outage of the database.
Sending the bytes of an upload needs its id alone. Creating one and posting it need the user.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO

import structlog
from flask import Flask, current_app
from sqlalchemy import BindParameter, bindparam, func, select, union

from chatapp.concurrency.native import Interrupted, Interruption, current_pools
from chatapp.config import Settings, current_settings
from chatapp.durability import NO_SPACE
from chatapp.encryption.keys import SECRETS
from chatapp.errors import (
    Busy,
    ChatError,
    FileTooLarge,
    Invalid,
    InvalidUpload,
    Locked,
    NotFound,
    OffsetConflict,
    QuotaExceeded,
    RateLimited,
    StorageFull,
    Unavailable,
)
from chatapp.extensions import db
from chatapp.failpoints import failpoint
from chatapp.files.attached import AttachedFile
from chatapp.files.inspection import inspect
from chatapp.files.store import FileStore, add_file, current_store, init_store
from chatapp.files.upload_folder import OpenUpload, Upload, UploadFolder
from chatapp.limits.rates import UPLOADS, count_use
from chatapp.models import Attachment, ScheduledFile, ScheduledMessage
from chatapp.storage import DATABASE_ERRORS, log_database_error

log = structlog.get_logger(__name__)

EXTENSION = "chatapp.uploads"
"""Key of the application's `_Uploads` in `app.extensions`."""

MB = 1_000_000

MAX_NAME_CHARS = 10_000
"""Longest name that a browser may send. It is shortened for pages (`chatapp.files.names`)."""

MAX_ALT_CHARS = 1_000

MAX_UNFINISHED = 20
"""Number of uploads that a person may have begun and not completed."""

IDLE_SECONDS = 600.0
"""Time without progress after which an unfinished upload makes room for a new one of the same person."""

READ_BYTES = 64 * 1_024
"""Bytes that are read from a connection at once."""

WRITE_BYTES = 4 * READ_BYTES
"""Bytes that are written to the disk at once."""

SYNC_BYTES = MB
"""Bytes after which they are synced, so that no sync takes long: the database's would wait for it."""

BYTES_PER_SECOND = 64 * MB
"""Rate of all uploads of a process. Faster ones delay messages: each piece takes time of the event loop.

Measured by `bench upload`, with 50 people who chat: p99 7.3 ms, 14 without this limit, 5.5 without uploads."""

LOCK_SECONDS = 2.0
"""Time for which a request waits for the one before it to end."""

LOCK_POLL_SECONDS = 0.02

UPLOAD_ERRORS: tuple[type[ChatError], ...] = (
    Busy,
    FileTooLarge,
    QuotaExceeded,
    RateLimited,
    StorageFull,
    Unavailable,
)
"""What `upload_stream` raises besides `Invalid`: a form shows it."""

_USER: BindParameter[int] = bindparam("of_user")
_DIGESTS: BindParameter[str] = bindparam("digests", expanding=True)
_SCHEDULED = select(ScheduledFile).join(ScheduledMessage, ScheduledMessage.id == ScheduledFile.scheduled_id)
_SUM = select(
    select(func.coalesce(func.sum(Attachment.size), 0)).where(Attachment.user_id == _USER).scalar_subquery()
    + _SCHEDULED.with_only_columns(func.coalesce(func.sum(ScheduledFile.size), 0))
    .where(ScheduledMessage.user_id == _USER)
    .scalar_subquery()
)
_POSTED = union(
    select(Attachment.digest).where(Attachment.user_id == _USER, Attachment.digest.in_(_DIGESTS)),
    _SCHEDULED.with_only_columns(ScheduledFile.digest).where(
        ScheduledMessage.user_id == _USER, ScheduledFile.digest.in_(_DIGESTS)
    ),
)


class _Uploads:
    """The uploads of an application: their folder, and the requests of this process that add bytes."""

    def __init__(self, settings: Settings) -> None:
        self.folder = UploadFolder(settings.uploads_path, settings.derive_key(SECRETS))
        self.receiving: dict[str, Interruption] = {}
        self.creating = threading.Lock()
        """Held while an upload is created, so that only one native thread waits for other processes."""
        self._next_at = 0.0
        """When bytes may be received again."""

    def pace(self, size: int) -> None:
        """Wait after so many bytes, so that all uploads together do not exceed the rate."""
        now = time.monotonic()
        self._next_at = max(self._next_at, now) + size / BYTES_PER_SECOND
        time.sleep(self._next_at - now)


@dataclass(frozen=True, slots=True)
class _Posted:
    """The files of a user's messages and scheduled messages."""

    size: int
    digests: set[str]
    """Those among the digests of complete uploads that are in messages already."""

    def check_quota(self, limit_mb: int, size: int, own: Sequence[Upload]) -> None:
        """Raise `QuotaExceeded` if the files, uploads and `size` further bytes would exceed the user's limit."""
        waiting = {each.file.digest: each.size for each in own if each.file is not None}
        waiting_size = sum(each for digest, each in waiting.items() if digest not in self.digests)
        unfinished = sum(each.size for each in own if each.file is None)
        if self.size + waiting_size + unfinished + size > limit_mb * MB:
            raise QuotaExceeded(
                f"Your files can have at most {limit_mb} MB together. Delete messages with files first."
            )


@dataclass(frozen=True, slots=True)
class RequestedFile:
    """A file that a message should have: an upload, as far as it is known."""

    alt: str
    file: AttachedFile | None
    """None if the upload is not complete, or does not exist any more."""

    def may_be(self, file: AttachedFile) -> bool:
        """Return whether a stored file can be this one: nothing that is known of it differs."""
        return file.alt == self.alt if self.file is None else file == self.file


def init_files(app: Flask, settings: Settings) -> None:
    """Prepare the store and the uploads of an application."""
    init_store(app, settings)
    app.extensions[EXTENSION] = _Uploads(settings)


def create_upload(user_id: int, name: str, size: int, *, has_quota: bool = True) -> Upload:
    """Begin an upload of `size` bytes. One of 0 bytes is complete at once. `has_quota` applies the user's.

    Raises `Invalid`, `RateLimited`, `FileTooLarge`, `QuotaExceeded`, `StorageFull`, and for an empty file what `append`
    raises.
    """
    if size < 0 or len(name) > MAX_NAME_CHARS:
        raise Invalid(f"A file has a size in bytes, and a name of at most {MAX_NAME_CHARS} characters.")
    count_use(UPLOADS, user_id)
    settings = current_settings()
    if size > settings.max_file_mb * MB:
        raise FileTooLarge(f"A file can have at most {settings.max_file_mb} MB.")
    uploads, run = _current(), current_pools().files.run
    posted = _find_posted(uploads.folder, user_id) if has_quota else None
    with storage_errors(), uploads.creating:
        upload = run(_create, uploads.folder, current_store(), settings, posted, user_id, name, size)
    return upload if size else resume(upload.id)


def find_upload(upload_id: str) -> Upload:
    """Return an upload. Raises `NotFound`."""
    upload = current_pools().files.run(_current().folder.find, upload_id)
    if upload is None:
        raise _not_found()
    return upload


def append(upload_id: str, offset: int, read: Callable[[int], bytes]) -> int:
    """Add the bytes that `read` returns until there are none, and return the new offset. They are durable then.

    `read` gets the maximum number of bytes to return, and may raise: what it has returned before is kept. With the last
    byte the upload becomes complete; if that fails, a call without bytes repeats it. Raises `NotFound`,
    `OffsetConflict`, `Locked` if another process adds bytes, `StorageFull`, `Busy`, `Unavailable`. A request of this
    process that still adds bytes is interrupted: its client is gone.
    """
    with _open(upload_id) as opened:
        if isinstance(opened, Upload):
            if offset != opened.size:
                raise _offset_conflict(opened.size)
            return opened.size
        upload = opened.upload
        if offset != upload.offset:
            raise _offset_conflict(upload.offset)
        with storage_errors():
            added = _receive(opened, read)
            if added == upload.missing_bytes:
                _complete(opened)
        return offset + added


def resume(upload_id: str) -> Upload:
    """Return an upload that is to be continued. It becomes complete if all bytes are there. Raises like `append`."""
    upload = find_upload(upload_id)
    if upload.file is None:
        with _open(upload_id) as opened:
            if isinstance(opened, OpenUpload) and not opened.upload.missing_bytes:
                with storage_errors():
                    _complete(opened)
        upload = find_upload(upload_id)
    return upload


def delete_upload(upload_id: str) -> None:
    """Remove an upload. Raises `NotFound`, and `Locked`."""
    with _open(upload_id) as opened:
        if isinstance(opened, OpenUpload):
            current_pools().files.run(opened.delete)
            return
    current_pools().files.run(_current().folder.delete, upload_id)


def delete_uploads(upload_ids: Iterable[str]) -> None:
    """Remove uploads that are not needed any more. What fails expires later."""
    for upload_id in upload_ids:
        try:
            delete_upload(upload_id)
        except ChatError as error:
            log.warning("upload remains", upload=upload_id, reason=error.message)


def upload_stream(user_id: int, name: str, stream: IO[bytes], *, has_quota: bool = True) -> Upload:
    """Upload a file that a form contains, at once, and return the complete upload. `has_quota` applies the user's.

    Raises `Invalid`, and `UPLOAD_ERRORS`.

    If it cannot be completed, the upload is removed: nobody can continue it.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    upload = create_upload(user_id, name, size, has_quota=has_quota)
    try:
        if size:
            append(upload.id, 0, stream.read)
        return find_upload(upload.id)
    except BaseException:
        delete_upload(upload.id)
        raise


def find_complete(user_id: int, upload_ids: Sequence[str], alts: Sequence[str]) -> tuple[AttachedFile, ...]:
    """Return the files of a user's uploads with their alternative texts, for a message. They are kept for longer then.

    Raises `Invalid`, and `InvalidUpload`: see there.
    """
    return require_complete(find_requested(user_id, upload_ids, alts))


def find_requested(user_id: int, upload_ids: Sequence[str], alts: Sequence[str]) -> tuple[RequestedFile, ...]:
    """Return what is known of a user's uploads, for a message. They are kept for longer then. Raises `Invalid`."""
    check_file_count(len(upload_ids), current_settings().max_message_files)
    if any(len(alt) > MAX_ALT_CHARS for alt in alts):
        raise Invalid(f"A description of a file can have at most {MAX_ALT_CHARS} characters.")
    uploads = current_pools().files.run(_use_all, _current().folder, upload_ids)
    files = [upload.file if upload is not None and upload.user_id == user_id else None for upload in uploads]
    cleaned = [_clean_alt(alt) for alt in alts]
    return tuple(RequestedFile(alt, file and replace(file, alt=alt)) for file, alt in zip(files, cleaned, strict=True))


def require_complete(requested: Sequence[RequestedFile]) -> tuple[AttachedFile, ...]:
    """Return the files. Raises `InvalidUpload` if some are not available."""
    files = tuple(each.file for each in requested if each.file is not None)
    if len(files) < len(requested):
        raise InvalidUpload("A file of this message was not uploaded completely. Attach it again.")
    return files


def check_file_count(count: int, limit: int) -> None:
    """Raise `Invalid` if a message has more files than the setting `max_message_files` allows."""
    if count > limit:
        raise Invalid(f"A message can have at most {limit} files.")


def check_space(settings: Settings, size: int) -> None:
    """Raise `StorageFull` if `size` further bytes would not leave enough space. It blocks."""
    if shutil.disk_usage(settings.data_dir).free - size < settings.free_disk_mb * MB:
        raise StorageFull


def list_kept_digests() -> set[str]:
    """Return the digests of the files that uploads refer to."""
    return current_pools().files.run(_current().folder.list_kept_digests)


def delete_expired_uploads() -> None:
    """Remove the uploads that are kept no longer."""
    if count := current_pools().files.run(_current().folder.delete_expired):
        log.info("expired uploads deleted", uploads=count)


def _current() -> _Uploads:
    uploads: _Uploads = current_app.extensions[EXTENSION]
    return uploads


@contextmanager
def _open(upload_id: str) -> Iterator[OpenUpload | Upload]:
    """Hold the lock of an upload; only its state if it is complete. Raises `NotFound`, and `Locked`."""
    uploads, run = _current(), current_pools().files.run
    if receiving := uploads.receiving.get(upload_id):
        receiving.set()
    gives_up_at = time.monotonic() + LOCK_SECONDS
    opened: OpenUpload | None = None
    while opened is None:
        try:
            opened = run(uploads.folder.open, upload_id)
        except FileNotFoundError:
            break
        except BlockingIOError:
            if time.monotonic() > gives_up_at:
                raise Locked("This file is being uploaded by another request.") from None
            time.sleep(LOCK_POLL_SECONDS)
    if opened is None:
        upload = find_upload(upload_id)
        if upload.file is None:
            raise _not_found()
        yield upload
        return
    try:
        yield opened
    finally:
        opened.close()


def _receive(opened: OpenUpload, read: Callable[[int], bytes]) -> int:
    """Write what `read` returns, and return the number of bytes."""
    uploads, run, settings = _current(), current_pools().files.run, current_settings()
    missing = opened.upload.missing_bytes
    run(check_space, settings, missing)
    interruption = uploads.receiving[opened.upload.id] = Interruption()
    added = unsynced = 0

    def read_more(size: int) -> bytes:
        with interruption.ends():
            return read(size)

    try:
        for piece in _gather(read_more, missing):
            run(opened.write, piece)
            added += len(piece)
            unsynced += len(piece)
            uploads.pace(len(piece))
            if unsynced >= SYNC_BYTES:
                run(opened.sync)
                run(check_space, settings, missing - added)
                unsynced = 0
    except Interrupted:
        raise Locked("This file is being uploaded by a newer request.") from None
    finally:
        if uploads.receiving.get(opened.upload.id) is interruption:
            del uploads.receiving[opened.upload.id]
        run(opened.sync)
    return added


def _gather(read: Callable[[int], bytes], size: int) -> Iterator[bytearray]:
    """Yield what `read` returns, up to `size` bytes, in larger pieces. An error is raised after the last piece."""
    error: Exception | None = None
    is_ended = False
    while size and not is_ended:
        piece = bytearray()
        while len(piece) < WRITE_BYTES and size and not is_ended:
            try:
                part = read(min(READ_BYTES, size))
            except Exception as caught:
                error, part = caught, b""
            is_ended = not part
            piece += part
            size -= len(part)
        if piece:
            yield piece
    if error is not None:
        raise error


def _complete(opened: OpenUpload) -> None:
    """Store the file of an upload whose bytes have all arrived. Each step can be repeated after a crash."""
    run, upload = current_pools().files.run, opened.upload
    failpoint("upload-received")
    work = run(opened.make_work_folder)
    try:
        found = inspect(opened.path, upload.name, work, owner=upload.user_id)
        digest, size = add_file(found.content, found.variants)
        failpoint("upload-stored")
        file = AttachedFile(
            digest=digest,
            name=found.name,
            media_type=found.media_type,
            kind=found.kind,
            size=size,
            width=found.width,
            height=found.height,
            is_animated=found.is_animated,
            placeholder=found.placeholder,
            preview=found.preview,
        )
        run(opened.complete, file)
    finally:
        run(shutil.rmtree, work, ignore_errors=True)
    log.info("file uploaded", user=upload.user_id, digest=digest, kind=file.kind, size=size)


def _create(
    folder: UploadFolder,
    store: FileStore,
    settings: Settings,
    posted: _Posted | None,
    user_id: int,
    name: str,
    size: int,
) -> Upload:
    """Begin an upload if all limits permit it. Uploads that are begun at the same time count, too."""
    with folder.creating():
        own = _list_own(folder, user_id)
        if posted is not None:
            posted.check_quota(settings.person_files_mb, size, own)
        check_space(settings, size)
        if settings.all_files_mb:
            used = store.used_bytes() + sum(each.size for each in folder.list_unfinished())
            if used + size > settings.all_files_mb * MB:
                raise QuotaExceeded("There is no space for more files in this installation. Ask an admin.")
        return folder.create(user_id, name, size)


def _list_own(folder: UploadFolder, user_id: int) -> list[Upload]:
    """Return the uploads of a user. If there are many unfinished ones, those without progress are removed."""
    own = list(folder.list_of(user_id))
    unfinished = [each for each in own if each.file is None]
    if len(unfinished) < MAX_UNFINISHED:
        return own
    idle_since = time.time() - IDLE_SECONDS
    removed = {each.id for each in unfinished if each.progressed_at < idle_since and _try_delete(folder, each.id)}
    if not removed:
        raise RateLimited("You upload too many files at the same time. Wait until some are complete.", retry_after=30)
    return [each for each in own if each.id not in removed]


def _list_all_of(folder: UploadFolder, user_id: int) -> list[Upload]:
    return list(folder.list_of(user_id))


def _try_delete(folder: UploadFolder, upload_id: str) -> bool:
    """Remove an upload. Return False while a request uses it."""
    try:
        folder.delete(upload_id)
    except BlockingIOError:
        return False
    return True


def _use_all(folder: UploadFolder, upload_ids: Sequence[str]) -> list[Upload | None]:
    return [folder.use(upload_id) for upload_id in upload_ids]


def _find_posted(folder: UploadFolder, user_id: int) -> _Posted | None:
    """Return what a user has posted; None without a limit. Without the database there is none."""
    if not current_settings().person_files_mb:
        return None
    own = current_pools().files.run(_list_all_of, folder, user_id)
    digests = [each.file.digest for each in own if each.file is not None]
    try:
        size: int = db.session.execute(_SUM, {"of_user": user_id}).scalar_one()
        return _Posted(size, set(db.session.scalars(_POSTED, {"of_user": user_id, "digests": digests})))
    except DATABASE_ERRORS as error:
        db.session.rollback()
        log_database_error(error, work="quota of uploads")
        return None


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raise errors of the disk as errors that the client understands."""
    try:
        yield
    except (ConnectionError, TimeoutError):
        raise  # Of the client's connection.
    except OSError as error:
        if error.errno in NO_SPACE:
            log.warning("file cannot be stored", reason=str(error))
            raise StorageFull from error
        log.exception("file cannot be stored")
        raise Unavailable("The file cannot be stored at the moment. Try again.") from error


def _clean_alt(alt: str) -> str:
    """Return a description on one line, without characters that cannot be stored."""
    return " ".join("".join(each if each.isprintable() else " " for each in alt).split())


def _not_found() -> NotFound:
    return NotFound("This upload does not exist, or has expired.")


def _offset_conflict(offset: int) -> OffsetConflict:
    return OffsetConflict(f"The upload continues at byte {offset}.")
