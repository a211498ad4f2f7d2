"""Validation of rows that are imported from other chat programs."""

import json
import tracemalloc
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from chatapp import sqlite
from chatapp.assistants.importing.entries import Entry, is_transient, parse_entry, parse_tags, parse_timestamp
from chatapp.assistants.importing.importer import fill_times
from chatapp.assistants.importing.sources import Row, open_source
from chatapp.config import EXTENSION as SETTINGS
from chatapp.config import Settings
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


@pytest.mark.parametrize("value", ['["tea", "cake"]', "tea, cake", "tea,,cake,Tea"])
def test_tags_are_a_json_list_or_separated_by_commas(value: str) -> None:
    assert parse_tags(value) == "tea,cake"


@pytest.mark.parametrize("value", [None, "", " ", "[]"])
def test_tags_may_be_missing(value: object) -> None:
    assert parse_tags(value) == ""


def test_a_json_dump_is_a_source_of_shared_conversations(tmp_path: Path) -> None:
    file = tmp_path / "dump.json"
    file.write_text(json.dumps({"helper": [{"role": "user", "content": "Hi", "timestamp": 1}, "text"], "other": []}))
    source = open_source(file)
    assert (source.count, source.has_sessions) == (2, False)
    assert list(source.rows) == [Row(1, "helper", "user", "Hi", 1), Row(2, "helper", None, None, None)]


def test_a_sqlite_file_with_sessions_is_read_conversation_by_conversation(tmp_path: Path) -> None:
    file = tmp_path / "chat.sqlite"
    with closing(sqlite.connect(file)) as connection, connection:
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


@pytest.mark.parametrize(
    "content",
    [
        b"nonsense",
        b"[1]",
        b'{"helper": 1}',
        b'{"helper": [{}]',
        b'{"helper": []} {}',
        b"SQLite format 3\0 and no more",
        b"",
    ],
)
def test_other_files_are_rejected(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(Invalid):
        open_source(file)


NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)

VALID = Row(1, "helper", "user", "Hi", 1)


def parse(row: Row, *, has_sessions: bool = False) -> Entry:
    app = Flask(__name__)
    app.extensions[SETTINGS] = Settings()
    with app.app_context():
        return parse_entry(row, "Helper", owner_id=1, has_sessions=has_sessions, assumed_time=NOON)


def test_a_row_of_an_assistant_gets_its_display_name() -> None:
    entry = parse(replace(VALID, sender=" Bot "))
    assert (entry.sender_type, entry.sender_name, entry.content) == ("assistant", "Helper", "Hi")


@pytest.mark.parametrize("missing", [None, "", " "])
def test_a_row_without_a_role_is_one_of_the_assistant(missing: object) -> None:
    assert parse(replace(VALID, sender=missing)).sender_type == "assistant"
    with pytest.raises(Invalid, match="The sender is missing"):
        parse(replace(VALID, sender=missing), has_sessions=True)


@pytest.mark.parametrize("missing", [None, "", " "])
def test_a_row_without_a_time_gets_that_of_a_neighbour(missing: object) -> None:
    assert parse(replace(VALID, timestamp=missing)).created_at == NOON
    early, late = datetime.fromtimestamp(1, UTC), datetime.fromtimestamp(9, UTC)
    rows = [replace(VALID, timestamp=each) for each in (missing, 1, missing, 9)]
    assert fill_times(rows, None) == [early, early, early, late]
    assert fill_times(rows, late) == [late, early, early, late]
    (present,) = fill_times(rows[:1], None)
    assert present > NOON


def test_rows_of_typing_are_no_messages() -> None:
    assert is_transient(replace(VALID, message_type="Typing"))
    assert not any(is_transient(replace(VALID, message_type=each)) for each in (None, "message", "system", "ai_stream"))


def test_a_large_json_dump_is_read_in_constant_memory(tmp_path: Path) -> None:
    file = tmp_path / "dump.json"
    row = json.dumps({"role": "user", "content": "x" * 1_000, "timestamp": 1})
    with file.open("w") as dump:
        dump.write(f'{{"helper": [{row}' + f", {row}" * 20_000 + "]}")
    tracemalloc.start()
    try:
        assert sum(1 for _ in open_source(file).rows) == 20_001
        assert tracemalloc.get_traced_memory()[1] < 2_000_000 < file.stat().st_size / 5
    finally:
        tracemalloc.stop()


def test_a_json_row_that_is_nested_too_deeply_is_no_message(tmp_path: Path) -> None:
    file = tmp_path / "dump.json"
    file.write_text('\ufeff{"helper": [' + '{"metadata": ' * 5_000 + "1" + "}" * 5_000 + ', {"role": "user"}]}')
    assert list(open_source(file).rows) == [Row(1, "helper", None, None, None), Row(2, "helper", "user", None, None)]


def test_an_unknown_sender_in_a_session_is_a_user_of_that_name() -> None:
    entry = parse(replace(VALID, sender="Bob"), has_sessions=True)
    assert (entry.sender_type, entry.sender_name) == ("user", "Bob")


def test_the_client_id_depends_on_the_whole_row() -> None:
    rows = [VALID, replace(VALID, number=2), replace(VALID, content="Ho"), replace(VALID, timestamp=2)]
    ids = [parse(row).client_id for row in rows]
    assert len(set(ids)) == len(rows)
    assert parse(VALID).client_id == ids[0]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (replace(VALID, sender="robot"), "The role is not one of: assistant, system, user."),
        (replace(VALID, sender="us\x00er"), "The role is not one of"),
        (replace(VALID, content=" "), "A message"),
        (replace(VALID, content="a\0"), "characters that cannot be stored"),
        (replace(VALID, timestamp="soon"), "The timestamp is neither"),
    ],
)
def test_an_invalid_row_is_rejected_with_the_reason(row: Row, problem: str) -> None:
    with pytest.raises(Invalid) as rejected:
        parse(row)
    assert problem in rejected.value.message
