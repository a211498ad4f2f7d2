"""The spool: a SQLite file on the local disk that stores changes durably while the database cannot commit.

An entry is pending until the database commits it, which removes it, or rejects it permanently. Entries survive a crash
of the process and of the machine: `synchronous=FULL`, and one transaction for each call.

Each process of a data folder has a spool. The times of entries order them over all spools, also if the clocks of the
processes differ: a new entry is later than every entry that it can follow (a Lamport clock).
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from chatapp import sqlite
from chatapp.failpoints import failpoint
from chatapp.file_locks import try_lock

log = structlog.get_logger(__name__)

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spooled (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL,
    sender_id INTEGER NOT NULL,
    entry TEXT NOT NULL,
    spooled_at TEXT NOT NULL,
    refused TEXT,
    UNIQUE (client_id, sender_id)
)
"""


SPOOL_ERRORS = (sqlite.Error, OSError)
"""Errors of a spool whose file cannot be read or written."""

LISTING_SECONDS = 1.0
"""Age of a folder's last change from which its time distinguishes it from the next one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A change in the spool, in the order of `id`."""

    id: int
    sender_id: int
    text: str
    """The change as JSON, as it is stored: it may be damaged."""
    spooled_at: datetime
    rejected: str | None
    """Why it was rejected; None while it is pending."""

    def parse(self) -> dict[str, Any]:
        """Return the fields of the change: see `SpoolableChange.to_fields`. Raises `ValueError` if it is damaged."""
        fields = json.loads(self.text)
        if not isinstance(fields, dict):
            raise ValueError("the entry is not a JSON object")  # noqa: TRY004 - the value is wrong, not our call
        return fields


class Spool:
    """The spool of one process. A running server uses it from native threads, one call at a time."""

    def __init__(self, path: Path, key: bytes | None = None) -> None:
        self._path = path
        self._key = key
        self._connection: sqlite.Connection | None = None
        self._lock: int | None = None
        """Descriptor of the locked file, once the spool is claimed."""
        self._unreadable: set[str] = set()
        """Names of other spools that could not be read."""
        self._others: dict[Path, Spool] = {}
        """The spools beside this one, for reading."""
        self._listed_at = 0
        """The folder's time when they were listed, in nanoseconds."""

    @property
    def name(self) -> str:
        """The name of the file, without its suffix."""
        return self._path.stem

    def claim(self) -> bool:
        """Reserve the spool for this process, until `close` or the end of the process.

        Return False while another process has reserved it. Raises `OSError`.
        """
        if self._lock is None:
            # Not a lock of the SQLite file: SQLite would lose its own locks when a second descriptor is closed.
            descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            is_locked = False
            try:
                is_locked = try_lock(descriptor)
            finally:
                if not is_locked:
                    os.close(descriptor)
            if not is_locked:
                return False
            self._lock = descriptor
        return True

    def claim_orphans(self) -> Iterator["Spool"]:
        """Claim the spools beside this one that have pending entries and whose process is gone. Close them after use.

        Such a process was on another port, or its worker is not started any more.
        """
        for other in self._read_others():
            orphan = Spool(self._path.with_stem(other.name), self._key)
            try:
                if orphan.claim() and orphan.list_pending(1):
                    yield orphan
                    continue
            except SPOOL_ERRORS as error:
                self._report_unreadable(orphan, error)
            orphan.close()

    @property
    def may_be_behind(self) -> bool:
        """Whether other processes may have pending entries: see `list_senders_elsewhere`. It takes microseconds."""
        self._list_others()
        return self._lock is None or bool(self._others)

    def list_senders_elsewhere(self) -> set[int]:
        """Return the senders of pending entries in other spools, and in this one while another process has it."""
        spools = [*self._read_others(), *([self] if self._lock is None and self._path.exists() else [])]
        return {sender_id for spool in spools for sender_id, _ in self._read_from(spool, Spool.read_oldest)}

    def read_others(self) -> dict[int, datetime]:
        """Return when the oldest pending entry of each sender in the spools beside this one was spooled."""
        oldest: dict[int, datetime] = {}
        for other in self._read_others():
            for sender_id, spooled_at in self._read_from(other, Spool.read_oldest):
                oldest[sender_id] = min(spooled_at, oldest.get(sender_id, spooled_at))
        return oldest

    def read_oldest(self) -> Sequence[tuple[int, datetime]]:
        """Return the senders of pending entries, and when the oldest of each was spooled."""
        query = "SELECT sender_id, MIN(CAST(spooled_at AS TEXT)) FROM spooled WHERE refused IS NULL GROUP BY sender_id"
        with closing(self._open().execute(query)) as rows:
            return [(sender_id, _parse_time(spooled_at)) for sender_id, spooled_at in rows]

    def read_newest(self) -> Sequence[datetime]:
        """Return when the newest entry was spooled, if there is any."""
        with closing(
            self._open().execute("SELECT CAST(spooled_at AS TEXT) FROM spooled ORDER BY id DESC LIMIT 1")
        ) as rows:
            return [_parse_time(spooled_at) for (spooled_at,) in rows]

    def _read_from(self, other: "Spool", read: Callable[["Spool"], Sequence[T]]) -> Sequence[T]:
        """Return what `read` returns for a spool; nothing if that cannot be read."""
        try:
            return read(other)
        except SPOOL_ERRORS as error:
            self._report_unreadable(other, error)
            return []

    def _read_others(self) -> list["Spool"]:
        self._list_others()
        return [other for other in self._others.values() if other.name not in self._unreadable]

    def _list_others(self) -> None:
        """List the spools beside this one again if the folder may have changed."""
        changed_at = self._path.parent.stat().st_mtime_ns
        # Two changes within the resolution of the file system's clock have the same time.
        if changed_at == self._listed_at and time.time_ns() - changed_at > LISTING_SECONDS * 1e9:
            return
        paths = set(self._path.parent.glob("spool-*.sqlite3")) - {self._path}
        for path in self._others.keys() - paths:
            self._others.pop(path).close()
        for path in sorted(paths - self._others.keys()):
            self._others[path] = Spool(path, self._key)
        self._listed_at = changed_at

    def _report_unreadable(self, other: "Spool", error: Exception) -> None:
        self._unreadable.add(other.name)
        log.warning("spool of another process cannot be read", spool=other.name, reason=str(error))

    def add(self, entries: Iterable[tuple[str, int, dict[str, object]]]) -> None:
        """Store entries (client id, sender, fields) in their order; they are durable when it returns.

        An entry whose key is in the spool already is ignored. Raises one of `SPOOL_ERRORS` when the disk is full or
        broken; nothing is stored then.
        """
        connection = self._open()
        spools = [self, *self._read_others()]
        newest = [spooled_at for spool in spools for spooled_at in self._read_from(spool, Spool.read_newest)]
        spooled_at = max([datetime.now(UTC), *(each + timedelta(microseconds=1) for each in newest)]).isoformat()
        with _transaction(connection):
            connection.executemany(
                "INSERT INTO spooled (client_id, sender_id, entry, spooled_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                [(*key, json.dumps(fields), spooled_at) for *key, fields in entries],
            )
            failpoint("in-spool")

    def list_pending(self, limit: int = -1, *, without: Sequence[int] = ()) -> Sequence[Entry]:
        """Return the pending entries, oldest first, but not those of the senders `without`."""
        return self._list("refused IS NULL AND sender_id NOT IN (SELECT value FROM json_each(?))", limit, without)

    def list_rejected(self) -> Sequence[Entry]:
        """Return the rejected entries, oldest first."""
        return self._list("refused IS NOT NULL", -1)

    def remove(self, ids: Iterable[int]) -> None:
        """Remove entries."""
        with _transaction(self._open()) as connection:
            connection.executemany("DELETE FROM spooled WHERE id = ?", [(entry_id,) for entry_id in ids])

    def reject(self, entry_id: int, reason: str) -> None:
        """Mark an entry as rejected."""
        with _transaction(self._open()) as connection:
            connection.execute("UPDATE spooled SET refused = ? WHERE id = ?", (reason, entry_id))

    def retry_rejected(self) -> int:
        """Make the rejected entries pending again and return their number."""
        with _transaction(self._open()) as connection:
            return connection.execute("UPDATE spooled SET refused = NULL WHERE refused IS NOT NULL").rowcount

    def close(self) -> None:
        """Close the file, and release the claim."""
        while self._others:
            self._others.popitem()[1].close()
        self._listed_at = 0
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _list(self, condition: str, limit: int, senders: Sequence[int] | None = None) -> Sequence[Entry]:
        if not self._path.exists():
            return []
        columns = "id, sender_id, CAST(entry AS TEXT), CAST(spooled_at AS TEXT), refused"
        query = f"SELECT {columns} FROM spooled WHERE {condition} ORDER BY id LIMIT ?"  # noqa: S608
        parameters = (limit,) if senders is None else (json.dumps(senders), limit)
        with closing(self._open().execute(query, parameters)) as rows:
            return [
                Entry(entry_id, sender_id, text, _parse_time(spooled_at), rejected)
                for entry_id, sender_id, text, spooled_at, rejected in rows
            ]

    def _open(self) -> sqlite.Connection:
        if self._connection is None:
            connection = sqlite.connect(self._path, self._key, isolation_level=None, check_same_thread=False, timeout=5)
            # A damaged text must not make the other entries unreadable.
            connection.text_factory = partial(str, encoding="utf-8", errors="replace")
            self._path.chmod(0o600)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(_SCHEMA)
            self._connection = connection
        return self._connection


def _parse_time(text: str) -> datetime:
    """Return the time that an entry has, or the current time if it is damaged."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)


@contextmanager
def _transaction(connection: sqlite.Connection) -> Iterator[sqlite.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
