"""Files that can be imported: a JSON dump, or a SQLite file with a table of messages."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatapp.errors import Invalid


@dataclass(frozen=True, slots=True)
class Row:
    """A message of a source, not validated."""

    number: int
    conversation: str
    sender: object
    content: object
    timestamp: object
    message_type: object = None
    metadata: object = None
    """A JSON object, also as text."""

    @property
    def key(self) -> tuple[object, ...]:
        """The values that distinguish the row from all others of its source.

        They are the same as before type and metadata were imported: importing a file again adds nothing.
        """
        return (self.conversation, self.number, self.sender, self.content, self.timestamp)


@dataclass(frozen=True, slots=True)
class Source:
    """The rows of a file, grouped by conversation, and their number."""

    count: int
    has_sessions: bool
    """Whether each conversation is a session of one user. Otherwise all users share it."""
    rows: Iterable[Row]


def open_source(path: Path) -> Source:
    """Open a file. Raises `Invalid` if it is neither a JSON dump nor a SQLite file with a table of messages.

    A JSON file is read whole, a SQLite file row by row.
    """
    with path.open("rb") as file:
        is_sqlite = file.read(16) == b"SQLite format 3\0"
    return _open_sqlite(path) if is_sqlite else _open_json(path)


def _open_json(path: Path) -> Source:
    try:
        dump: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise Invalid("The file is neither a SQLite file nor JSON.") from None
    if not isinstance(dump, dict) or not all(isinstance(messages, list) for messages in dump.values()):
        raise Invalid('The JSON must have the form {"bot_id": [{"role": …, "content": …, "timestamp": …}]}.')
    return Source(sum(map(len, dump.values())), has_sessions=False, rows=_iterate_json(dump))


def _iterate_json(dump: dict[str, list[Any]]) -> Iterator[Row]:
    for bot, messages in dump.items():
        for number, message in enumerate(messages, 1):
            values = message if isinstance(message, dict) else {}
            fields = ("role", "content", "timestamp", "message_type", "metadata")
            yield Row(number, bot, *map(values.get, fields))


def _open_sqlite(path: Path) -> Source:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            columns = {row[1] for row in connection.execute("PRAGMA table_info(messages)")}
            has_sessions = {"session_id", "sender", "content", "timestamp"} <= columns
            if not has_sessions and not {"bot_id", "role", "content", "timestamp"} <= columns:
                raise Invalid("The SQLite file has no table “messages” with the expected columns.")
            ((count,),) = connection.execute("SELECT count(*) FROM messages")
    except sqlite3.Error as error:
        raise Invalid(f"The SQLite file cannot be read: {error}.") from None
    conversation, sender = ("session_id", "sender") if has_sessions else ("bot_id", "role")
    optional = [column if column in columns else "NULL" for column in ("message_type", "metadata")]
    return Source(count, has_sessions, _iterate_sqlite(uri, conversation, sender, *optional))


def _iterate_sqlite(uri: str, conversation: str, *others: str) -> Iterator[Row]:
    sender, message_type, metadata = others
    query = (
        f"SELECT rowid, {conversation}, {sender}, content, timestamp, {message_type}, {metadata} "  # noqa: S608 - constants
        f"FROM messages ORDER BY CAST({conversation} AS TEXT), rowid"
    )
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        # A value that is not UTF-8 makes an invalid row and does not end the import.
        connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        for number, name, *values in connection.execute(query):
            yield Row(number, str(name), *values)
