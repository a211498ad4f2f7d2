"""Taking in what was said elsewhere: in order, once, and without the bad rows."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatapp.assistants.importing.entries import parse_timestamp
from chatapp.errors import Invalid
from tests.harness.people import NewPerson
from tests.harness.servers import Server

SAID = (
    "SELECT sender_type, sender_name, content, state FROM messages m JOIN conversations c ON c.id = m.conversation_id "
    "WHERE c.kind = 'assistant' ORDER BY c.id, m.seq"
)


def dump(path: Path, rows: object) -> str:
    path.write_text(json.dumps(rows))
    return str(path)


def test_a_dump_goes_into_the_shared_conversation_once_and_asks_nobody(any_server: Server, tmp_path: Path) -> None:
    rows = [
        {"role": "user", "content": "When is lunch?", "timestamp": "2024-05-01T10:00:00"},
        {"role": "assistant", "content": "At noon.", "timestamp": 1714557601},
    ]
    file = dump(tmp_path / "dump.json", {"helper": rows, "gone": rows[:1]})

    assert "3 imported, 0 already imported, 0 invalid" in any_server.flask("import-history", file)
    assert "0 imported, 3 already imported, 0 invalid" in any_server.flask("import-history", file)
    assert any_server.rows(SAID) == [
        ("user", None, "When is lunch?", None),
        ("assistant", "Helper", "At noon.", "complete"),
        ("user", None, "When is lunch?", None),
    ]
    assert any_server.rows("SELECT count(*) FROM answers") == [(0,)]
    assert any_server.rows(
        "SELECT last_event, message_count FROM conversations WHERE kind = 'assistant' ORDER BY id"
    ) == [(2, 2), (1, 1)]


def test_bad_rows_are_told_by_number_and_the_others_go_in(server: Server, tmp_path: Path) -> None:
    good = {"role": "user", "content": "good", "timestamp": 1}
    bad = [good | change for change in ({"role": "x"}, {"content": " "}, {"content": "a\0"}, {"timestamp": "soon"})]
    printed = server.flask("import-history", dump(tmp_path / "dump.json", {"helper": [*bad, "text", good]}))
    assert "1 imported, 0 already imported, 5 invalid" in printed
    assert [row[2] for row in server.rows(SAID)] == ["good"]


def test_sessions_of_a_file_become_their_owners(any_server: Server, new_person: NewPerson, tmp_path: Path) -> None:
    new_person(any_server, "ana")
    file = tmp_path / "chat.sqlite"
    with closing(sqlite3.connect(file)) as source, source:
        source.execute("CREATE TABLE messages (session_id, content, sender, message_type, timestamp, metadata)")
        source.executemany(
            "INSERT INTO messages VALUES (?, ?, ?, 'text', 1714557600000, NULL)",
            [("a", "first of a", "human"), ("b", "first of b", "Bob"), ("a", "second of a", "bot")],
        )
    any_server.flask("import-history", str(file), expect=2)
    assert "3 imported" in any_server.flask("import-history", str(file), "--owner", "ana")
    assert "0 imported, 3 already" in any_server.flask("import-history", str(file), "--owner", "ana")
    assert any_server.rows(
        "SELECT name, message_count, role FROM conversations c JOIN memberships m ON m.conversation_id = c.id "
        "WHERE kind = 'assistant' ORDER BY c.id"
    ) == [("first of a", 2, "manager"), ("first of b", 1, "manager")]
    assert ("user", "Bob", "first of b", None) in any_server.rows(SAID)


@pytest.mark.parametrize("content", [b"nonsense", b"[1]", b'{"helper": 1}', b"SQLite format 3\0 and no more"])
def test_a_file_that_is_neither_is_refused_with_a_reason(server: Server, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    printed = server.flask("import-history", str(file), expect=2)
    assert "FILE" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "written", ["2024-05-01T10:00:00", "2024-05-01T12:00:00+02:00", "2024-05-01 10:00:00Z", 1714557600, 1714557600000]
)
def test_moments_are_read_in_the_forms_that_chats_write(written: object) -> None:
    assert parse_timestamp(written) == datetime(2024, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("written", [None, True, "", "soon", float("nan"), 1e300])
def test_what_is_no_moment_is_refused(written: object) -> None:
    with pytest.raises(Invalid):
        parse_timestamp(written)
