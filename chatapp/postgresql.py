"""What chatapp has to know about a connection to PostgreSQL. psycopg is not imported: SQLite does not need it."""

from typing import Any


def is_pooled(connection: Any) -> bool:
    """Return whether a driver's new connection leads to a connection pooler, such as PgBouncer.

    A pooler invents the process id that it sends at the connect. It may give each transaction another session, so what
    a session sets, locks or prepares cannot be relied on.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (process_id,) = cursor.fetchone()
    connection.rollback()
    return bool(connection.info.backend_pid != process_id)
