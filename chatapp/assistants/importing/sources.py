"""Files that can be imported: a JSON dump, or a SQLite file with a table of messages."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson

from chatapp import sqlite
from chatapp.errors import Invalid
from chatapp.limits.json_depth import MAX_JSON_DEPTH

JSON_FORM = 'The JSON must have the form {"bot_id": [{"role": …, "content": …, "timestamp": …}]}.'

JsonEvent = tuple[str, Any]

SESSION_COLUMNS = ("title", "metadata", "category", "tags")
"""Columns of the table `chat_sessions` that are imported if it has them."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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
    title: object = None
    """The title of the session that the message belongs to."""
    session_metadata: object = None
    category: object = None
    """The category of the session."""
    tags: object = None
    """The tags of the session: a JSON list as text, or separated by commas."""

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

    Both are read row by row. A JSON file is read twice: the first time to find errors before anything is imported.
    """
    with path.open("rb") as file:
        is_sqlite = file.read(16) == b"SQLite format 3\0"
    return _open_sqlite(path) if is_sqlite else _open_json(path)


def _open_json(path: Path) -> Source:
    return Source(sum(1 for _ in _iterate_json(path)), has_sessions=False, rows=_iterate_json(path))


def _iterate_json(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        if file.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
            file.seek(0)
        try:
            yield from _iterate_dump(ijson.basic_parse(file, use_float=True))
        except (ijson.JSONError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise Invalid(f"The file is neither a SQLite file nor JSON: {reason}.") from None


def _iterate_dump(events: Iterator[JsonEvent]) -> Iterator[Row]:
    _expect(events, "start_map")
    for event, bot in events:
        if event == "map_key":
            _expect(events, "start_array")
            for number, message in enumerate(_iterate_items(events), 1):
                values = message if isinstance(message, dict) else {}
                fields = ("role", "content", "timestamp", "message_type", "metadata")
                yield Row(number, bot, *map(values.get, fields))


def _expect(events: Iterator[JsonEvent], expected: str) -> None:
    event, _ = next(events)
    if event != expected:
        raise Invalid(JSON_FORM)


def _iterate_items(events: Iterator[JsonEvent]) -> Iterator[Any]:
    """Yield the items of a list that has begun. Items that are nested too deeply are None."""
    for event, value in events:
        if event == "end_array":
            return
        yield _build_item(event, value, events)


def _build_item(event: str, value: Any, events: Iterator[JsonEvent]) -> Any:
    builder = ijson.ObjectBuilder()
    builder.event(event, value)
    depth = max_depth = int(event.startswith("start_"))
    while depth:
        event, value = next(events)
        depth += event.startswith("start_") - event.startswith("end_")
        max_depth = max(max_depth, depth)
        if max_depth <= MAX_JSON_DEPTH:
            builder.event(event, value)
    return builder.value if max_depth <= MAX_JSON_DEPTH else None


def _open_sqlite(path: Path) -> Source:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite.connect(uri, uri=True)) as connection:
            columns = {row[1] for row in connection.execute("PRAGMA table_info(messages)")}
            has_sessions = {"session_id", "sender", "content", "timestamp"} <= columns
            if not has_sessions and not {"bot_id", "role", "content", "timestamp"} <= columns:
                raise Invalid("The SQLite file has no table “messages” with the expected columns.")
            session_columns = set()
            if has_sessions:
                session_columns = {row[1] for row in connection.execute("PRAGMA table_info(chat_sessions)")}
            if "id" not in session_columns:
                session_columns = set()
            ((count,),) = connection.execute("SELECT count(*) FROM messages")
    except sqlite.Error as error:
        raise Invalid(f"The SQLite file cannot be read: {error}.") from None
    conversation, sender = ("session_id", "sender") if has_sessions else ("bot_id", "role")
    optional = [f"m.{column}" if column in columns else "NULL" for column in ("message_type", "metadata")]
    columns_of_sessions = [f"s.{each}" if each in session_columns else "NULL" for each in SESSION_COLUMNS]
    query = (
        f"SELECT m.rowid, m.{conversation}, m.{sender}, m.content, m.timestamp, "  # noqa: S608 - constants
        f"{', '.join([*optional, *columns_of_sessions])} FROM messages m "
        + ("LEFT JOIN chat_sessions s ON s.id = m.session_id " if "id" in session_columns else "")
        + f"ORDER BY CAST(m.{conversation} AS TEXT), m.rowid"
    )
    return Source(count, has_sessions, _iterate_sqlite(uri, query))


def _iterate_sqlite(uri: str, query: str) -> Iterator[Row]:
    with closing(sqlite.connect(uri, uri=True)) as connection:
        # A value that is not UTF-8 makes an invalid row and does not end the import.
        connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        for number, name, *values in connection.execute(query):
            yield Row(number, str(name), *values)
