"""The message archive: what a cleanup removes can be listed, shown and restored."""

import gzip
import json
import re
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.conversations.refs import GENERAL
from chatapp.extensions import db
from chatapp.models import Conversation, Mention, Message, MessageVersion, Reaction
from chatapp.models.conversations import GENERAL_ID
from chatapp.storage import Transaction, write
from chatapp.timeline import cleanup
from chatapp.timeline.archive.files import current_archive
from chatapp.timeline.event_numbers import increment_last_event
from chatapp.timeline.messages import insert_message
from tests.harness.assistants import start_session
from tests.harness.people import NewPerson, Person, message_payload
from tests.harness.rows import fill_general
from tests.harness.servers import NewServer, Server
from tests.harness.stored_files import attach
from tests.harness.waiting import eventually


def archived_files(server: Server, conversation: str = "general") -> list[Path]:
    return sorted((server.data_dir / "archive" / conversation).rglob("*.gz"))


def read_rows(server: Server) -> tuple[list[dict[str, object]], list[tuple[object, ...]]]:
    """Return all messages without what a restore changes, and by `seq` what belongs to them."""
    engine = server.engine()
    with Session(engine) as session:
        messages = [
            {
                column.key: getattr(message, column.key)
                for column in Message.__mapper__.column_attrs
                if column.key not in {"id", "version"}
            }
            for message in session.scalars(select(Message).order_by(Message.conversation_id, Message.seq))
        ]
        reactions = session.execute(
            select(Message.seq, Reaction.user_id, Reaction.reaction, Reaction.created_at)
            .join(Message, Message.id == Reaction.message_id)
            .order_by(Message.seq, Reaction.user_id)
        )
        mentions = session.execute(
            select(Message.seq, Mention.user_id, Mention.seq, Mention.conversation_id)
            .join(Message, Message.id == Mention.message_id)
            .order_by(Message.seq)
        )
        versions = session.execute(
            select(Message.seq, MessageVersion.version, MessageVersion.content, MessageVersion.written_at)
            .join(Message, Message.id == MessageVersion.message_id)
            .order_by(Message.seq, MessageVersion.version)
        )
        return messages, [tuple(row) for row in (*reactions, *mentions, *versions)]


def test_what_a_cleanup_removes_is_restored_with_all_that_belongs_to_it(
    any_server: Server, new_person: NewPerson
) -> None:
    server = any_server
    ana, bob = new_person(server, "ana"), new_person(server, "bob")
    ana_socket, bob_socket = ana.connect(), bob.connect()
    client_id = "0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c"
    first = message_payload("first @ana", client_id=client_id) | {"metadata": {"ticket": 7, "tags": ["a"]}}
    sent = bob_socket.call("send_message", first)["message"]
    for text in ("to edit", "secret to delete", "fourth \x1b[31m", "last"):
        bob_socket.post(text.replace("\x1b", "\u202e"))
    bob_socket.call("edit_message", {"conversation": "general", "seq": 2, "content": "edited"})
    bob_socket.call("delete_message", {"conversation": "general", "seq": 3})
    ana_socket.call("react", {"conversation": "general", "seq": 1, "reaction": "👍", "on": True})
    before = read_rows(server)
    assert len(before[1]) == 3
    head = ana_socket.join()["last_event"]

    server.flask("cleanup", "--all", "--yes")

    (file,) = archived_files(server)
    assert oct(file.stat().st_mode)[-3:] == "600"
    assert {oct(folder.stat().st_mode)[-3:] for folder in list(file.parents)[:3]} == {"700"}
    text = gzip.decompress(file.read_bytes()).decode()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["message"]["seq"], line["sender"]) for line in lines] == [(number, "bob") for number in range(1, 6)]
    assert "secret" not in text
    listed = server.flask("archive", "list")
    assert re.fullmatch(r"general/\d{8}T\d{6}Z 5 messages \(1–5\), [\d.]+ kB\n", listed)
    shown = server.flask("archive", "show", "general").splitlines()
    assert [line.split(" ", 3)[0] for line in shown] == ["1", "2", "3", "4", "5"]
    assert shown[2].endswith("bob: (deleted)")
    assert "\\u202e" in shown[3]
    assert ana_socket.join()["messages"] == []

    assert "Restored 5 messages" in server.flask("archive", "restore", listed.split()[0])

    assert read_rows(server) == before
    assert server.rows("SELECT floor, message_count, last_event FROM conversations WHERE id = 1") == [(0, 5, head + 5)]
    assert server.rows("SELECT count(*) FROM retired_keys") == [(0,)]
    assert archived_files(server) == []
    assert "Nothing is archived" in server.flask("archive", "list")
    assert server.flask("check") == "The database is consistent.\n"
    # Open pages are reset, and a message that is sent again is the restored one.
    caught_up = ana_socket.join(after=head)
    assert caught_up["reset"]
    assert [message["content"] for message in caught_up["messages"]][:2] == ["first @ana", "edited"]
    again = bob_socket.call("send_message", first)["message"]
    assert (again["seq"], again["version"], again["metadata"]) == (sent["seq"], head + 1, first["metadata"])
    assert not ana_socket.join(after=head + 5)["reset"]


def test_open_pages_are_reset_at_the_next_heartbeat_after_a_restore(
    new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(CHATAPP_HEARTBEAT_SECONDS="0.2").start()
    socket = new_person(server, "ana").connect()
    for number in range(3):
        socket.post(f"message {number}")
    socket.join()
    server.flask("cleanup", "--all", "--yes")
    server.flask("archive", "restore", "general")

    head = socket.post("after it")["version"]
    assert head == 7
    expected = {"general": {"last_event": 7, "floor": 0}}
    eventually(
        lambda: any(heads["conversations"] == expected for heads in socket.payloads("heads")),
        "the heartbeat has the event of the restore",
    )
    assert socket.join(after=3)["reset"]


def test_open_pages_of_all_processes_are_reset_after_a_restore(
    two_servers: tuple[Server, Server], new_person: NewPerson
) -> None:
    first, second = two_servers
    ana = new_person(first, "ana")
    sockets = ana.connect(), ana.on_server(second).connect()
    for socket in sockets:
        socket.join()
    for number in range(3):
        sockets[0].post(f"message {number}")
    first.flask("cleanup", "--all", "--yes")
    assert "Restored 3 messages" in first.flask("archive", "restore", "general")
    expected = {"general": {"last_event": 6, "floor": 0}}
    for socket in sockets:
        eventually(
            lambda socket=socket: any(  # type: ignore[misc]
                heads["conversations"] == expected for heads in socket.payloads("heads")
            ),
            "the heartbeat has the events of the restore",
        )
        caught_up = socket.join(after=3)
        assert caught_up["reset"]
        assert [message["content"] for message in caught_up["messages"]] == [f"message {n}" for n in range(3)]


def test_a_restore_says_that_files_may_be_missing(server: Server, ana: Person) -> None:
    attach(server, "general", ana.connect().post("a file")["seq"], b"hello", name="notes.txt")
    server.flask("cleanup", "--all", "--yes")
    restored = server.flask("archive", "restore", "general")
    assert "Files that these messages have: 1. `flask files check` lists those that were removed" in restored
    assert server.rows("SELECT name FROM attachments") == [("notes.txt",)]


def test_a_restore_can_be_repeated_and_never_brings_back_deleted_text(server: Server, ana: Person) -> None:
    socket = ana.connect()
    for number in range(4):
        socket.post(f"text {number}")
    server.flask("cleanup", "--keep-last", "2", "--yes")
    (first,) = archived_files(server)
    copy = first.read_bytes()
    name = first.relative_to(server.data_dir / "archive").parent.as_posix()
    assert "Restored 2 messages." in server.flask("archive", "restore", name)

    # As if the process had ended after the commit, before the file was deleted.
    first.parent.mkdir()
    first.write_bytes(copy)
    assert "2 of them exist" in server.flask("archive", "list")
    assert "Restored 0 messages, skipped 2 that exist or have a newer copy" in server.flask("archive", "restore", name)

    first.parent.mkdir()
    first.write_bytes(copy)
    socket.call("delete_message", {"conversation": "general", "seq": 1})
    # The name of a folder is the time of its cleanup, in seconds.
    eventually(lambda: first.parent.name < f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}", "the next cleanup has another name")
    server.flask("cleanup", "--all", "--yes")
    assert len(archived_files(server)) == 1

    # Even if the older copy is still there, the newer one is restored.
    first.parent.mkdir()
    first.write_bytes(copy)
    assert "Restored 0 messages, skipped 2" in server.flask("archive", "restore", name)
    assert "Restored 4 messages." in server.flask("archive", "restore", "general")
    assert [message["content"] for message in socket.join()["messages"]] == ["", "text 1", "text 2", "text 3"]


@pytest.mark.parametrize("failpoint", ["archived", "after-commit"])
def test_a_crash_during_a_cleanup_loses_nothing(server: Server, ana: Person, failpoint: str) -> None:
    fill_general(server, 2_500)
    server.kill()
    command = ("cleanup", "--keep-last", "100", "--yes")
    server.flask(*command, expect=-signal.SIGKILL, CHATAPP_FAILPOINT=f"{failpoint}:2")
    stored = server.rows("SELECT count(*) FROM messages")[0][0]
    assert stored == (1_500 if failpoint == "archived" else 500)

    server.start(CHATAPP_GENERAL_KEEP_LAST="0")
    listed = server.flask("archive", "list")
    assert ("1,000 of them exist" in listed) == (failpoint == "archived")
    server.flask(*command)
    assert "of them exist" not in server.flask("archive", "list")
    assert server.rows("SELECT count(*) FROM messages") == [(100,)]
    assert "Restored 2,400 messages." in server.flask("archive", "restore", "general")
    assert server.rows("SELECT count(*), min(seq), max(seq), sum(seq) FROM messages") == [
        (2_500, 1, 2_500, 2_500 * 2_501 // 2)
    ]


def test_a_message_that_is_edited_during_the_cleanup_is_archived_as_it_was_removed(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def post(transaction: Transaction) -> int:
        general = transaction.session.get_one(Conversation, GENERAL_ID)
        return insert_message(transaction, general, sender_type="system", sender_name="bot", content="before").id

    message_id = write(post)
    is_edited = False

    def change(transaction: Transaction) -> None:
        message = transaction.session.get_one(Message, message_id)
        message.content = "after"
        general = transaction.session.get_one(Conversation, GENERAL_ID)
        message.version = increment_last_event(transaction, general)

    def edit(_failpoint: str) -> None:
        nonlocal is_edited
        if not is_edited:
            is_edited = True
            write(change)

    monkeypatch.setattr(cleanup, "failpoint", edit)

    assert sum(cleanup.trim(cleanup.plan_clearing(db.session.get_one(Conversation, GENERAL_ID)))) == 1

    (run,) = current_archive().list_runs(GENERAL)
    (file,) = run.list_files()
    assert [message.columns["content"] for message in file.read()] == ["after"]


def test_messages_of_deleted_users_are_restored_without_them(server: Server, ana: Person, bob: Person) -> None:
    bob_socket = bob.connect()
    bob_socket.post("from bob @ana")
    ana_socket = ana.connect()
    ana_socket.post("from ana @bob")
    bob_socket.call("react", {"conversation": "general", "seq": 2, "reaction": "👍", "on": True})
    server.flask("cleanup", "--all", "--yes")
    server.execute("PRAGMA foreign_keys = ON")
    server.execute(f"DELETE FROM users WHERE id = {bob.id}")
    server.flask("check", "--repair")

    server.flask("archive", "restore", "general")

    assert server.rows("SELECT seq, sender_id, content FROM messages ORDER BY seq") == [
        (1, None, "from bob @ana"),
        (2, ana.id, "from ana @bob"),
    ]
    assert server.rows("SELECT user_id, seq FROM mentions") == [(ana.id, 1)]
    assert server.rows("SELECT count(*) FROM reactions") == [(0,)]
    assert ana.get("/").ok


def test_bad_names_and_damaged_files_are_reported(server: Server, ana: Person) -> None:
    ana.connect().post("message")
    server.flask("cleanup", "--all", "--yes")
    (file,) = archived_files(server)
    for wrong in ("nonsense", "general/x", "general/../general", "room_9", "../general"):
        for command in ("show", "restore"):
            printed = server.flask("archive", command, wrong, expect=1)
            assert printed.startswith("Error: ")
            assert "Traceback" not in printed
    file.write_bytes(file.read_bytes()[:-10])
    for command in ("show", "restore"):
        printed = server.flask("archive", command, "general", expect=1)
        assert f"{file} cannot be read" in printed
    assert server.rows("SELECT count(*) FROM messages") == [(0,)]
    # Others can still be archived.
    ana.connect().post("another")
    server.flask("cleanup", "--all", "--yes")
    assert len(archived_files(server)) == 2


def test_the_archive_can_be_switched_off_and_must_be_writable(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server().start()
    ana = new_person(server, "ana")
    socket = ana.connect()
    socket.post("one")
    (server.data_dir / "archive").write_text("not a folder")
    assert "cannot be written" in server.flask("cleanup", "--all", "--yes", expect=1)
    response = ana.post("/conversations/general/clear")
    assert response.status_code == 503
    assert "cannot be written" in response.text
    assert server.rows("SELECT count(*) FROM messages") == [(1,)]
    (server.data_dir / "archive").unlink()

    assert "The operator of the server keeps an archive of it" in ana.get("/").text
    server.terminate()
    server.start(CHATAPP_ARCHIVE_REMOVED_MESSAGES="false")
    assert "This cannot be undone" in ana.get("/").text
    assert ana.post("/conversations/general/clear").ok
    assert archived_files(server) == []
    assert server.rows("SELECT count(*) FROM messages") == [(0,)]


def test_deleting_an_assistant_session_deletes_what_is_archived_of_it(server: Server, ana: Person) -> None:
    session = start_session(ana)
    ana.connect().post("a private question", session)
    assert ana.post(f"/conversations/{session}/clear").ok
    assert len(archived_files(server, session)) == 1

    assert ana.post(f"/sessions/{session.removeprefix('assistant_')}/delete").ok

    assert not (server.data_dir / "archive" / session).exists()
