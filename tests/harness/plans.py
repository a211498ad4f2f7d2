"""Plans of SQL statements."""

from typing import Any

from sqlalchemy import Connection


def explain(connection: Connection, statement: str, parameters: Any = None, *, may_sort: bool = True) -> str:
    """Return the plan of a statement. PostgreSQL would read such small tables as a whole, and sort their rows."""
    if connection.dialect.name == "sqlite":
        return "\n".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    connection.exec_driver_sql(f"SET LOCAL enable_sort = {'on' if may_sort else 'off'}")
    return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
