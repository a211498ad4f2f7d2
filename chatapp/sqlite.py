"""The one SQLite library of chatapp: SQLCipher, which reads and writes plain files as well as encrypted ones.

If a process opens a file through two SQLite libraries, closing it in one of them releases the locks of the other
(https://www.sqlite.org/howtocorrupt.html). So no other module may import `sqlite3` or `sqlcipher3`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3 as driver  # sqlcipher3 has the interface of the standard module, but no types.
else:
    from sqlcipher3 import dbapi2 as driver

__all__ = [
    "NOT_A_DATABASE",
    "SQLITE_ERROR",
    "Connection",
    "Cursor",
    "DatabaseError",
    "Error",
    "OperationalError",
    "connect",
    "driver",
    "is_plain",
    "keyed_factory",
    "quote_key",
]

SQLITE_ERROR = driver.SQLITE_ERROR
Connection = driver.Connection
Cursor = driver.Cursor
DatabaseError = driver.DatabaseError
Error = driver.Error
OperationalError = driver.OperationalError


NOT_A_DATABASE = driver.SQLITE_NOTADB
"""The code of the error if the key is wrong or missing, or the file is not a database."""

PLAIN_HEADER = b"SQLite format 3\0"
"""First bytes of a file that is not encrypted."""


def connect(database: Path | str, key: bytes | None = None, **options: Any) -> Connection:
    """Open a file, which is encrypted if a key is given. The options are those of `sqlite3.connect`."""
    connection: Connection = driver.connect(database, **options)
    return _unlock(connection, key)


def keyed_factory(connection_class: type[Connection], key: bytes | None) -> Callable[..., Connection]:
    """Return what creates connections of a class, for the option `factory` of `connect`."""
    return lambda *arguments, **options: _unlock(connection_class(*arguments, **options), key)


def is_plain(path: Path) -> bool:
    """Return whether a file is a database that is not encrypted."""
    with path.open("rb") as file:
        return file.read(len(PLAIN_HEADER)) == PLAIN_HEADER


def quote_key(key: bytes | None) -> str:
    """Return a key as SQLCipher expects it: not a password, from which a key would be derived for each connection."""
    return f"x'{key.hex()}'" if key else ""


def _unlock(connection: Connection, key: bytes | None) -> Connection:
    if key:
        # Otherwise a wrong key, which raises an error too, prints lines to standard error.
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute(f'PRAGMA key = "{quote_key(key)}"')
    return connection
