"""The spool: a SQLite file on the local disk that stores changes durably while the database cannot commit.

An entry is pending until the database commits it, which removes it, or rejects it permanently. Entries survive a crash
of the process and of the machine: `synchronous=FULL`, and one transaction for each call.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from chatapp import sqlite
from chatapp.failpoints import failpoint
from chatapp.file_locks import try_lock

log = structlog.get_logger(__name__)

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
        for orphan in self._list_others():
            try:
                if orphan.claim() and orphan.list_pending(1):
                    yield orphan
                    continue
            except SPOOL_ERRORS as error:
                self._report_unreadable(orphan, error)
            orphan.close()

    def read_others(self) -> dict[int, datetime]:
        """Return when the oldest pending entry of each sender in the spools beside this one was spooled."""
        oldest: dict[int, datetime] = {}
        for other in self._list_others():
            try:
                for sender_id, spooled_at in other.read_oldest():
                    oldest[sender_id] = min(spooled_at, oldest.get(sender_id, spooled_at))
            except SPOOL_ERRORS as error:
                self._report_unreadable(other, error)
            finally:
                other.close()
        return oldest

    def read_oldest(self) -> Sequence[tuple[int, datetime]]:
        """Return the senders of pending entries, and when the oldest of each was spooled."""
        query = "SELECT sender_id, MIN(CAST(spooled_at AS TEXT)) FROM spooled WHERE refused IS NULL GROUP BY sender_id"
        with closing(self._open().execute(query)) as rows:
            return [(sender_id, _parse_time(spooled_at)) for sender_id, spooled_at in rows]

    def _list_others(self) -> Iterator["Spool"]:
        for path in sorted(self._path.parent.glob("spool-*.sqlite3")):
            if path != self._path and path.stem not in self._unreadable:
                yield Spool(path, self._key)

    def _report_unreadable(self, other: "Spool", error: Exception) -> None:
        self._unreadable.add(other.name)
        log.warning("spool of another process cannot be read", spool=other.name, reason=str(error))

    def add(self, entries: Iterable[tuple[str, int, dict[str, object]]]) -> None:
        """Store entries (client id, sender, fields) in their order; they are durable when it returns.

        An entry whose key is in the spool already is ignored. Raises one of `SPOOL_ERRORS` when the disk is full or
        broken; nothing is stored then.
        """
        connection = self._open()
        spooled_at = datetime.now(UTC).isoformat()
        with _transaction(connection):
            connection.executemany(
                "INSERT INTO spooled (client_id, sender_id, entry, spooled_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                [(*key, json.dumps(fields), spooled_at) for *key, fields in entries],
            )
            failpoint("in-spool")

    def list_pending(self, limit: int = -1) -> Sequence[Entry]:
        """Return the pending entries, oldest first."""
        return self._list("refused IS NULL", limit)

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
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _list(self, condition: str, limit: int) -> Sequence[Entry]:
        if not self._path.exists():
            return []
        columns = "id, sender_id, CAST(entry AS TEXT), CAST(spooled_at AS TEXT), refused"
        query = f"SELECT {columns} FROM spooled WHERE {condition} ORDER BY id LIMIT ?"  # noqa: S608
        with closing(self._open().execute(query, (limit,))) as rows:
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
