"""Validation of rows that are imported from other chat programs."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatapp.assistants.importing.entries import parse_timestamp
from chatapp.assistants.importing.sources import Row, open_source
from chatapp.errors import Invalid


@pytest.mark.parametrize(
    "value", ["2024-05-01T10:00:00", "2024-05-01T12:00:00+02:00", "2024-05-01 10:00:00Z", 1714557600, 1714557600000]
)
def test_timestamps_are_parsed_in_the_usual_formats(value: object) -> None:
    assert parse_timestamp(value) == datetime(2024, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, True, "", "soon", float("nan"), 1e300])
def test_other_values_are_rejected_as_timestamps(value: object) -> None:
    with pytest.raises(Invalid):
        parse_timestamp(value)


def test_a_json_dump_is_a_source_of_shared_conversations(tmp_path: Path) -> None:
    file = tmp_path / "dump.json"
    file.write_text(json.dumps({"helper": [{"role": "user", "content": "Hi", "timestamp": 1}, "text"], "other": []}))
    source = open_source(file)
    assert (source.count, source.has_sessions) == (2, False)
    assert list(source.rows) == [Row(1, "helper", "user", "Hi", 1), Row(2, "helper", None, None, None)]


def test_a_sqlite_file_with_sessions_is_read_conversation_by_conversation(tmp_path: Path) -> None:
    file = tmp_path / "chat.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE messages (session_id, sender, content, timestamp)")
        connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?)", [("b", "Bob", "1", 1), ("a", "me", "2", 2)])
        connection.execute("INSERT INTO messages VALUES ('a', CAST(x'ff' AS TEXT), '3', 3)")
    source = open_source(file)
    assert (source.count, source.has_sessions) == (3, True)
    assert list(source.rows) == [
        Row(2, "a", "me", "2", 2),
        Row(3, "a", "\udcff", "3", 3),
        Row(1, "b", "Bob", "1", 1),
    ]


@pytest.mark.parametrize("content", [b"nonsense", b"[1]", b'{"helper": 1}', b"SQLite format 3\0 and no more", b""])
def test_other_files_are_rejected(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(Invalid):
        open_source(file)
