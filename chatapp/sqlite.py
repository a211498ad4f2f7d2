"""The one SQLite library of chatapp: SQLCipher, which reads and writes plain files as well as encrypted ones.

If a process opens a file through two SQLite libraries, closing it in one of them releases the locks of the other
(https://www.sqlite.org/howtocorrupt.html). So no other module may import `sqlite3` or `sqlcipher3`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3 as driver  # sqlcipher3 has the interface of the standard module, but no types.
else:
    from sqlcipher3 import dbapi2 as driver

__all__ = ["SQLITE_ERROR", "Connection", "Cursor", "DatabaseError", "Error", "OperationalError", "connect", "driver"]

SQLITE_ERROR = driver.SQLITE_ERROR
Connection = driver.Connection
Cursor = driver.Cursor
DatabaseError = driver.DatabaseError
Error = driver.Error
OperationalError = driver.OperationalError


def connect(database: Path | str, **options: Any) -> Connection:
    """Open a file. The options are those of `sqlite3.connect`."""
    connection: Connection = driver.connect(database, **options)
    return connection
