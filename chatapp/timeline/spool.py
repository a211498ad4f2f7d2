"""The spool: where messages wait, durably, while the database cannot commit.

A SQLite file of its own in the data folder, on the local disk even where the database is not. What it took outlives a
crash of the process and of the machine: `synchronous=FULL`, one transaction for what came at once.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chatapp.failpoints import failpoint
from chatapp.models import now

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


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in the spool, in the order of `id`. `fields` is its `Post` as JSON."""

    id: int
    fields: dict[str, object]
    spooled_at: datetime
    refused: str | None
    """Why the database will not have it, ever; None while it waits."""


class Spool:
    """The spool of one process. Only the writer uses it, on a native thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def add(self, entries: Iterable[tuple[str, int, dict[str, object]]]) -> None:
        """Keep entries (client id, sender, fields) in their order; durable when it returns.

        One that is in the spool already stays as it is. Raises `sqlite3.Error` when the disk takes nothing more;
        nothing is kept then.
        """
        connection = self._open()
        moment = now().isoformat()
        with _transaction(connection):
            connection.executemany(
                "INSERT INTO spooled (client_id, sender_id, entry, spooled_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                [(*key, json.dumps(fields), moment) for *key, fields in entries],
            )
            failpoint("in-spool")

    def waiting(self, limit: int = -1) -> Sequence[Entry]:
        """List what waits for the database, oldest first."""
        return self._list("refused IS NULL", limit)

    def refused(self) -> Sequence[Entry]:
        """List what the database refused for good."""
        return self._list("refused IS NOT NULL", -1)

    def remove(self, ids: Iterable[int]) -> None:
        """Forget entries that are in the database now."""
        with _transaction(self._open()) as connection:
            connection.executemany("DELETE FROM spooled WHERE id = ?", [(each,) for each in ids])

    def refuse(self, entry_id: int, reason: str) -> None:
        """Keep an entry aside, with the reason."""
        with _transaction(self._open()) as connection:
            connection.execute("UPDATE spooled SET refused = ? WHERE id = ?", (reason, entry_id))

    def retry(self) -> int:
        """Let what was refused wait again, and tell how many that are."""
        with _transaction(self._open()) as connection:
            return connection.execute("UPDATE spooled SET refused = NULL WHERE refused IS NOT NULL").rowcount

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _list(self, condition: str, limit: int) -> Sequence[Entry]:
        if not self._path.exists():
            return []
        query = f"SELECT id, entry, spooled_at, refused FROM spooled WHERE {condition} ORDER BY id LIMIT ?"  # noqa: S608
        with closing(self._open().execute(query, (limit,))) as rows:
            return [
                Entry(entry_id, json.loads(entry), datetime.fromisoformat(spooled_at), refused)
                for entry_id, entry, spooled_at, refused in rows
            ]

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5)
            self._path.chmod(0o600)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(_SCHEMA)
            self._connection = connection
        return self._connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
