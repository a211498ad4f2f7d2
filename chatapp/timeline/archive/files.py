"""The files of the message archive: `archive/<conversation>/<time of the cleanup>/<first>-<last>-<count>.jsonl.gz`.

Files that are encrypted have the suffix `.enc` besides.

One cleanup makes one folder, a *run*, and each of its transactions one file. A file is on the disk before its
transaction commits, so after a crash the messages of the last one may be in both places. Changes to the archive of a
conversation need its lock.
"""

import gzip
import os
import re
import shutil
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.concurrency.native import NativePool, current_pools
from chatapp.config import current_settings
from chatapp.conversations.refs import ConversationRef, parse_ref
from chatapp.durability import make_folder, sync
from chatapp.encryption.keys import ARCHIVE
from chatapp.encryption.streams import EncryptingWriter, open_decrypted
from chatapp.errors import ChatError, Invalid, NotFound
from chatapp.file_locks import try_lock
from chatapp.models import Message
from chatapp.timeline.archive.rows import ArchivedMessage

LOCK_POLL_SECONDS = 0.05

ENCRYPTED_SUFFIX = ".enc"

_RUN_NAME = re.compile(r"\d{8}T\d{6}Z(-\d+)?", re.ASCII)
_FILE_NAME = re.compile(r"(?P<first>\d{12,})-(?P<last>\d{12,})-(?P<count>\d+)\.jsonl\.gz(?P<suffix>\.enc)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """The messages that one transaction removed, in the order of `seq`."""

    path: Path
    first: int
    last: int
    count: int
    key: bytes | None = field(repr=False)

    def overlaps(self, other: "ArchiveFile") -> bool:
        """Return whether both may have copies of a message."""
        return self.path != other.path and self.first <= other.last and other.first <= self.last

    def read(self) -> Iterator[ArchivedMessage]:
        """Yield the messages. Raises `Invalid` if the file is damaged, or the key is missing or wrong."""
        try:
            with open_decrypted(self.path, self.key) as file, gzip.open(file) as lines:
                for line in lines:
                    yield ArchivedMessage.from_line(line)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise Invalid(f"{self.path} cannot be read: {error}") from error

    def delete(self) -> None:
        """Delete the file, and the folder of its run if it was the last one in it."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self.path.parent.rmdir()


@dataclass(frozen=True, slots=True)
class Run:
    """What one cleanup of a conversation has archived."""

    conversation: ConversationRef
    path: Path
    key: bytes | None = field(repr=False)
    """The key of its files; None if new ones are not encrypted."""

    @property
    def name(self) -> str:
        """The name of the run for commands, such as `general/20260131T120000Z`."""
        return f"{self.conversation.wire_name}/{self.path.name}"

    @property
    def started_at(self) -> datetime:
        """When the cleanup began."""
        return datetime.strptime(self.path.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    def list_files(self) -> Sequence[ArchiveFile]:
        """Return the files in the order of their messages."""
        matches = [(path, _FILE_NAME.fullmatch(path.name)) for path in sorted(self.path.iterdir())]
        return [
            ArchiveFile(path, int(match["first"]), int(match["last"]), int(match["count"]), self.key)
            for path, match in matches
            if match
        ]

    def create_file(self) -> "FileWriter":
        """Begin a file."""
        make_folder(self.path)
        return FileWriter(self.path, self.key)


class FileWriter:
    """Writes one file. It has its name, and counts as archived, once it is complete on the disk."""

    def __init__(self, folder: Path, key: bytes | None) -> None:
        self._key = key
        self._path = folder / "writing.partial"
        self._file: IO[bytes] = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._encrypted = EncryptingWriter(self._file, key) if key else None
        target = self._encrypted or self._file
        self._compressed = gzip.GzipFile(filename="", fileobj=target, mode="wb", compresslevel=6)
        self._seqs: list[int] = []
        self.size = 0
        """Number of bytes before compression."""

    def write(self, messages: Iterable[ArchivedMessage]) -> None:
        """Add messages."""
        for message in messages:
            line = message.to_line()
            self._compressed.write(line)
            self.size += len(line)
            self._seqs.append(message.seq)

    def finish(self) -> ArchiveFile:
        """Return the complete file when it is durable."""
        self._compressed.close()
        if self._encrypted is not None:
            self._encrypted.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        first, last, count = self._seqs[0], self._seqs[-1], len(self._seqs)
        suffix = ENCRYPTED_SUFFIX if self._key else ""
        path = self._path.with_name(f"{first:012}-{last:012}-{count}.jsonl.gz{suffix}")
        self._path.rename(path)
        sync(path.parent)
        return ArchiveFile(path, first, last, count, self._key)

    def abort(self) -> None:
        """Delete the unfinished file, and the folder if it is empty then."""
        with suppress(OSError, ValueError):
            self._compressed.close()
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink()
            self._path.parent.rmdir()


class MessageArchive:
    """The message archive of an installation. All processes share it."""

    def __init__(self, folder: Path, pool: NativePool, key: bytes | None = None) -> None:
        self._folder = folder
        self._key = key
        self._pool = pool

    def list_conversations(self) -> Sequence[ConversationRef]:
        """Return the conversations of which messages are archived."""
        refs = []
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            with suppress(ChatError):
                refs.append(parse_ref(path.name))
        return refs

    def list_runs(self, ref: ConversationRef) -> Sequence[Run]:
        """Return the runs of a conversation, oldest first."""
        folder = self._folder_of(ref)
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        return [Run(ref, path, self._key) for path in paths if _RUN_NAME.fullmatch(path.name)]

    def find_runs(self, name: str) -> Sequence[Run]:
        """Return the run of this name, or all runs of the conversation of this name. Raises `ChatError`."""
        wire_name, separator, run_name = name.partition("/")
        runs = [run for run in self.list_runs(parse_ref(wire_name)) if not separator or run.path.name == run_name]
        if not runs:
            raise NotFound(f"Nothing is archived as “{name}”. See `flask archive list`.")
        return runs

    def list_files(self, ref: ConversationRef) -> Sequence[ArchiveFile]:
        """Return all files of a conversation."""
        return [file for run in self.list_runs(ref) for file in run.list_files()]

    def new_run(self, ref: ConversationRef) -> Run:
        """Return a new run. Its folder is created with its first file."""
        folder = self._folder_of(ref)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        taken = {run.path.name for run in self.list_runs(ref)}
        names = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
        return Run(ref, folder / next(each for each in names if each not in taken), self._key)

    @contextmanager
    def lock(self, ref: ConversationRef) -> Iterator[None]:
        """Wait until no other thread or process changes the archive of a conversation, and keep it so."""
        folder = self._folder_of(ref)
        self._pool.run(make_folder, folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            while not try_lock(descriptor):
                time.sleep(LOCK_POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)

    def remove_partial_files(self, ref: ConversationRef) -> None:
        """Delete what crashes have left unfinished."""
        for run in self.list_runs(ref):
            for path in run.path.glob("*.partial"):
                path.unlink()
            with suppress(OSError):
                run.path.rmdir()

    def delete(self, ref: ConversationRef) -> None:
        """Delete the archive of a conversation."""
        if self._folder_of(ref).is_dir():
            shutil.rmtree(self._folder_of(ref))

    def delete_expired(self, days: int) -> int:
        """Delete the runs that are older than `days`; none if that is 0. Return how many were deleted."""
        expired_at = datetime.now(UTC) - timedelta(days=days)
        deleted = 0
        for ref in self.list_conversations() if days else ():
            if not any(run.started_at < expired_at for run in self.list_runs(ref)):
                continue
            with self.lock(ref):
                for run in self.list_runs(ref):
                    if run.started_at < expired_at:
                        self._pool.run(shutil.rmtree, run.path)
                        deleted += 1
        return deleted

    def _folder_of(self, ref: ConversationRef) -> Path:
        return self._folder / ref.wire_name


def count_stored(session: Session, ref: ConversationRef, file: ArchiveFile) -> int:
    """Return how many messages of a file its conversation has, since they were not removed or were restored."""
    is_in_file = Message.conversation_id == ref.id, Message.seq.between(file.first, file.last)
    return session.scalars(select(func.count()).where(*is_in_file)).one()


def current_archive() -> MessageArchive:
    """Return the message archive of the current application."""
    settings = current_settings()
    return MessageArchive(settings.archive_path, current_pools().archive, settings.derive_key(ARCHIVE))
