"""Import of conversations from other chat programs: complete, in order, and only once."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness.people import NewPerson
from tests.harness.servers import Server

IMPORTED = (
    "SELECT sender_type, sender_name, content, state FROM messages m JOIN conversations c ON c.id = m.conversation_id "
    "WHERE c.kind = 'assistant' ORDER BY c.id, m.seq"
)


def write_dump(path: Path, dump: object) -> str:
    path.write_text(json.dumps(dump))
    return str(path)


def test_a_dump_is_imported_once_into_shared_conversations_and_queues_no_answers(
    any_server: Server, tmp_path: Path
) -> None:
    messages = [
        {"role": "user", "content": "When is lunch?", "timestamp": "2024-05-01T10:00:00"},
        {"role": "assistant", "content": "At noon.", "timestamp": 1714557601},
    ]
    file = write_dump(tmp_path / "dump.json", {"helper": messages, "removed": messages[:1]})

    assert "3 imported, 0 already imported, 0 skipped, 0 invalid" in any_server.flask("import-history", file)
    assert "0 imported, 3 already imported, 0 skipped, 0 invalid" in any_server.flask("import-history", file)
    assert any_server.rows(IMPORTED) == [
        ("user", None, "When is lunch?", None),
        ("assistant", "Helper", "At noon.", "complete"),
        ("user", None, "When is lunch?", None),
    ]
    assert any_server.rows("SELECT count(*) FROM answers") == [(0,)]
    assert any_server.rows(
        "SELECT last_event, message_count FROM conversations WHERE kind = 'assistant' ORDER BY id"
    ) == [(2, 2), (1, 1)]


def test_invalid_rows_are_counted_and_skipped(server: Server, tmp_path: Path) -> None:
    valid = {"role": "user", "content": "valid", "timestamp": 1}
    changes: list[dict[str, object]] = [{"role": "x"}, {"content": " "}, {"content": "a\0"}, {"timestamp": "soon"}]
    invalid = [valid | change for change in changes]
    typing = valid | {"message_type": "typing"}
    dump = {"helper": [*invalid, "text", typing, valid], "No Name": [valid]}

    printed = server.flask("import-history", write_dump(tmp_path / "dump.json", dump), expect=1)

    assert "1 imported, 0 already imported, 1 skipped, 6 invalid" in printed
    assert [content for _, _, content, _ in server.rows(IMPORTED)] == ["valid"]


def test_an_imported_assistant_that_is_not_configured_can_be_read_at_once(
    server: Server, new_person: NewPerson, tmp_path: Path
) -> None:
    messages = [{"content": "I am here.", "timestamp": "2024-05-01T10:00:00"}, {"role": "user", "content": "Good."}]

    printed = server.flask("import-history", write_dump(tmp_path / "dump.json", {"BOT-001": messages}))

    assert "1 had no time" in printed
    assert '[[assistant]]\n  name = "BOT-001"' in printed
    assert server.rows("SELECT count(DISTINCT created_at) FROM messages") == [(1,)]
    ana = new_person(server, "ana")
    page = ana.get("/assistants/bot-001").text
    assert "I am here." in page
    assert "not configured" in page
    sidebar, _, main = ana.get("/sessions").text.partition("<main")
    for listing in (sidebar, main):
        assert 'href="/assistants/BOT-001"' in listing
    history = ana.api().get("/chat/history?bot_id=BOT-001").json()
    assert [(each["role"], each["content"]) for each in history["messages"]] == [
        ("assistant", "I am here."),
        ("user", "Good."),
    ]
    ((number,),) = server.rows("SELECT id FROM conversations WHERE assistant = 'bot-001'")
    assert ana.connect().send("hello", f"assistant_{number}")["error"]["code"] == "archived"


def test_imported_sessions_belong_to_their_owner(any_server: Server, new_person: NewPerson, tmp_path: Path) -> None:
    new_person(any_server, "ana")
    file = tmp_path / "chat.sqlite"
    with closing(sqlite3.connect(file)) as source, source:
        source.execute("CREATE TABLE messages (session_id, content, sender, message_type, timestamp, metadata)")
        source.executemany(
            "INSERT INTO messages VALUES (?, ?, ?, 'text', 1714557600000, NULL)",
            [("a", "first of a", "human"), ("b", "first of b", "Bob"), ("a", "second of a", "bot")],
        )
        source.execute("CREATE TABLE chat_sessions (id, title, metadata, category, tags)")
        source.execute(
            """INSERT INTO chat_sessions VALUES ('b', ' About  tea ', '{"theme": "dark"}', 'Food', 'tea, cake')"""
        )
    assert "Specify their owner with --owner" in any_server.flask("import-history", str(file), expect=2)
    assert "There is no user eve." in any_server.flask("import-history", str(file), "--owner", "eve", expect=2)
    assert "3 imported" in any_server.flask("import-history", str(file), "--owner", "ana")
    assert "0 imported, 3 already imported" in any_server.flask("import-history", str(file), "--owner", "ana")
    assert any_server.rows(
        "SELECT name, message_count, role, category, tags FROM conversations c "
        "JOIN memberships m ON m.conversation_id = c.id WHERE kind = 'assistant' ORDER BY c.id"
    ) == [("first of a", 2, "manager", "", ""), ("About tea", 1, "manager", "Food", "tea,cake")]
    ((extra,),) = any_server.rows("SELECT metadata FROM conversations WHERE name = 'About tea'")
    assert (json.loads(extra) if isinstance(extra, str) else extra) == {"theme": "dark"}
    assert ("user", "Bob", "first of b", None) in any_server.rows(IMPORTED)


@pytest.mark.parametrize("content", [b"nonsense", b"SQLite format 3\0 and no more"])
def test_other_files_are_refused_with_a_reason(server: Server, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    printed = server.flask("import-history", str(file), expect=2)
    assert "FILE" in printed
    assert "Traceback" not in printed
