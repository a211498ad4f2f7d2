"""Orphans: rows of SQLite whose foreign key refers to a row that does not exist.

chatapp enforces foreign keys. Other programs that edit the database, such as `sqlite3`, do not by default.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Orphans:
    """The rows of a table that refer to missing rows by one foreign key."""

    table: str
    column: str
    parent: str
    on_delete: str
    """What the schema says to do with them: `CASCADE` or `SET NULL`."""
    row_ids: Sequence[int]

    def repair(self, connection: Connection) -> None:
        """Do what SQLite would have done when the missing rows were deleted."""
        if self.on_delete == "CASCADE":
            statement = f"DELETE FROM {self.table} WHERE rowid = :id"  # noqa: S608 - names from the schema
        else:
            statement = f"UPDATE {self.table} SET {self.column} = NULL WHERE rowid = :id"  # noqa: S608 - as above
        connection.execute(text(statement), [{"id": row_id} for row_id in self.row_ids])


def find_orphans(connection: Connection) -> list[Orphans]:
    """Return the orphans; none on PostgreSQL, which enforces foreign keys for every program."""
    if connection.dialect.name != "sqlite":
        return []
    row_ids: dict[tuple[str, int], list[int]] = defaultdict(list)
    for table, row_id, _, key_id in connection.execute(text("PRAGMA foreign_key_check")):
        row_ids[table, key_id].append(row_id)
    orphans = []
    for (table, key_id), ids in row_ids.items():
        keys = connection.execute(text(f"PRAGMA foreign_key_list({table})")).mappings()
        (key,) = (key for key in keys if key["id"] == key_id)
        orphans.append(Orphans(table, key["from"], key["table"], key["on_delete"], ids))
    return orphans
