"""Undoing the deletion of a message: restored content, permission, and time limit."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.assistants.answer_queue import claim_jobs, finish_job, save_progress
from chatapp.assistants.service import start_session
from chatapp.conversations.refs import GENERAL, ConversationRef
from chatapp.extensions import db
from chatapp.models import Deletion, MessageVersion
from chatapp.storage import Transaction, write
from chatapp.timeline import delete, deletions, edit, post, undelete
from chatapp.timeline.deletions import KEPT_SECONDS, purge_deletions
from tests.harness.api import check_problem
from tests.harness.html import attribute, rendered_messages
from tests.harness.people import NewPerson, Person, Socket, message_payload, room_path
from tests.harness.redis import Redis
from tests.harness.rows import read_all_rows
from tests.harness.servers import NewServer, Postgres, Server

ACTOR = Actor(1)

MESSAGE = "/conversations/general/messages/1"


def call(socket: Socket, event: str, conversation: str = "general", seq: int = 1, **fields: object) -> Any:
    return socket.call(event, {"conversation": conversation, "seq": seq} | fields)


def prolong(server: Server) -> None:
    """Give the test all the time that it needs to undo deletions."""
    server.execute("UPDATE deletions SET deleted_at = '2999-01-01 00:00:00'")


def test_undoing_a_deletion_restores_the_message_with_all_that_belongs_to_it(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket, bob_socket = ana.connect(), bob.connect()
    ana_socket.call("send_message", message_payload("@bob **first**", room) | {"metadata": {"a": [1]}})
    call(ana_socket, "edit_message", room, content="@bob **second**")
    call(bob_socket, "react", room, reaction="👍", on=True)
    call(ana_socket, "pin_message", room, on=True)
    cursor = bob_socket.join(room)["last_event"]
    (before,) = bob.connect().join(room)["messages"][:1]
    versions = bob.api().get(f"/conversations/{room}/messages/1/versions").json()
    assert versions["total"] == 1

    deleted = call(ana_socket, "delete_message", room)["message"]
    prolong(any_server)
    assert (deleted["content"], deleted["metadata"], deleted["reactions"], deleted["pinned"]) == ("", None, [], False)
    for path in (f"/conversations/{room}/messages/1/versions", f"/conversations/{room}/messages/1/quote"):
        assert bob.get(path).status_code == 404
    rows = read_all_rows(any_server)
    assert [rows[name] for name in ("mentions", "message_versions", "pins", "reactions")] == [[], [], [], []]

    restored = call(ana_socket, "undelete_message", room)["message"]
    assert restored["version"] == deleted["version"] + 1
    assert call(ana_socket, "undelete_message", room)["message"]["version"] == restored["version"]
    changes = {"version", "html"}
    assert {name: value for name, value in restored.items() if name not in changes} == {
        name: value for name, value in before.items() if name not in changes
    }
    assert bob_socket.wait_for("message_changed", 2)[-1] == restored
    assert bob.connect().join(room, after=cursor)["messages"] == [restored]
    assert bob.connect().join(room)["pins"] == [1]
    assert bob.api().get(f"/conversations/{room}/messages/1/versions").json() == versions
    assert "(edited)" in bob.get(room_path(room)).text
    assert read_all_rows(any_server)["deletions"] == []


def test_only_the_person_who_deleted_a_message_can_undo_it_for_ten_seconds(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob, eve = (new_person(any_server, name) for name in ("ana", "bob", "eve"))
    room = ana.create_room()
    ana.invite(room, bob)
    bob_socket = bob.connect()
    bob_socket.post("from bob", room)
    # A manager has deleted it: its author cannot undo that.
    call(ana.connect(), "delete_message", room)
    prolong(any_server)
    assert call(bob_socket, "undelete_message", room)["error"]["code"] == "forbidden"
    assert call(eve.connect(), "undelete_message", room)["error"]["code"] == "not_found"
    path = f"/conversations/{room}/messages/1/undelete"
    assert check_problem(bob.api().post(path)) == (403, "forbidden")
    # The page of the person who deleted it has a form, that of others has none.
    assert attribute(ana.get(room_path(room)).text, "#message-1 form", "action") == path
    assert f'action="{path}"' not in bob.get(room_path(room)).text
    assert ana.post(path, room_path(room)).ok
    assert [text for _, text in rendered_messages(bob.get(room_path(room)).text)] == ["from bob"]

    call(ana.connect(), "delete_message", room)
    any_server.execute("UPDATE deletions SET deleted_at = '2026-01-01 00:00:00'")
    refused = call(ana.connect(), "undelete_message", room)["error"]
    assert (refused["code"], "within 10 seconds" in refused["message"]) == ("conflict", True)
    assert check_problem(ana.api().post(path)) == (409, "conflict")
    any_server.execute("DELETE FROM deletions")
    assert call(ana.connect(), "undelete_message", room)["error"]["code"] == "conflict"


def test_a_restored_reply_counts_in_its_thread_again(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    ana_socket, bob_socket = ana.connect(), bob.connect()
    ana_socket.post("the root")
    for socket, text in ((ana_socket, "one"), (bob_socket, "two")):
        assert socket.call("send_message", message_payload(text) | {"thread": 1})["ok"]

    def replies() -> tuple[int, list[str]]:
        shown = ana.api().get(MESSAGE).json()["replies"]
        return shown["count"], [person["username"] for person in shown["people"]]

    before, seq = replies(), 4
    assert call(bob_socket, "delete_message", seq=seq)["ok"]
    prolong(any_server)
    assert replies() == (1, ["ana"])
    ana_socket.join()
    assert call(bob_socket, "undelete_message", seq=seq)["message"]["content"] == "two"
    assert replies() == before
    # The root was changed, too: its summary is live.
    assert {each["seq"] for each in ana_socket.wait_for("message_changed", 2)} == {1, seq}


def test_what_no_longer_fits_is_not_restored(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    socket = ana.connect()
    socket.post("@bob hello", room)
    for number in range(50):
        socket.post(f"{number}", room)
    call(socket, "pin_message", room, on=True)
    call(socket, "delete_message", room)
    for number in range(50):
        any_server.execute(
            "INSERT INTO pins (message_id, conversation_id, pinned_at) "
            f"SELECT id, conversation_id, created_at FROM messages WHERE content = '{number}'"
        )
    any_server.execute(f"DELETE FROM memberships WHERE user_id = {bob.id} AND conversation_id = {room[5:]}")
    prolong(any_server)
    restored = call(socket, "undelete_message", room)["message"]
    assert (restored["content"], restored["pinned"], restored["mentions"]) == ("@bob hello", False, [])
    call(socket, "delete_message", room)
    prolong(any_server)
    assert ana.post(f"{room_path(room)}/archive", room_path(room)).ok
    assert call(socket, "undelete_message", room)["error"]["code"] == "archived"


def test_a_deletion_can_be_undone_after_the_server_was_killed_and_by_another_process(
    new_server: NewServer, new_person: NewPerson, postgres: Postgres, redis: Redis
) -> None:
    url = postgres.create_database()
    first = new_server(database_url=url, REDIS_URL=redis.url).start()
    second = new_server(database_url=url, REDIS_URL=redis.url, CHATAPP_DATA_DIR=str(first.data_dir)).start()
    ana, bob = (new_person(first, name) for name in ("ana", "bob"))
    bob_socket = bob.on_server(second).connect()
    bob_socket.join()
    socket = ana.connect()
    socket.post("hello")
    call(socket, "delete_message")
    prolong(first)
    first.kill()
    restored = call(ana.on_server(second).connect(), "undelete_message")["message"]
    assert (restored["content"], restored["version"]) == ("hello", 3)
    assert bob_socket.wait_for("message_changed", 2)[-1] == restored
    first.start()
    call(ana.on_server(second).connect(), "delete_message")
    prolong(first)
    assert call(ana.on_server(first).connect(), "undelete_message")["message"]["version"] == 5


def test_a_cleanup_archives_nothing_that_was_deleted(server: Server, ana: Person) -> None:
    socket = ana.connect()
    socket.post("the secret")
    call(socket, "edit_message", content="the other secret")
    call(socket, "delete_message")
    prolong(server)
    assert ana.post("/conversations/general/clear").ok
    assert server.rows("SELECT count(*) FROM deletions") == [(0,)]
    assert "secret" not in server.flask("archive", "show", "general")
    assert call(socket, "undelete_message")["error"]["code"] == "not_found"


def test_an_answer_that_was_deleted_while_it_was_written_is_restored_as_stopped(app: Flask) -> None:
    del app
    create_owner("ana", "Ana", "a good password")
    session = ConversationRef("assistant", start_session(ACTOR, "helper"))
    for ends in (False, True):
        question = post(session, ACTOR, content="Hello", client_id=str(uuid.uuid4()))
        seq = (question.seq or 0) + 1
        (job,) = claim_jobs(10, running=[])
        save_progress([(job, "half an")])
        delete(session, ACTOR, seq)
        if ends:
            finish_job(job, state="complete", content="half an answer")
        restored = undelete(session, ACTOR, seq)
        assert (restored.content, restored.answer_state) == ("half an", "stopped" if ends else "streaming")
        finish_job(job, state="complete", content="half an answer")


def test_texts_are_purged_when_their_deletion_cannot_be_undone_any_more(app: Flask) -> None:
    del app
    create_owner("ana", "Ana", "a good password")
    for text in ("one", "two"):
        message = post(GENERAL, ACTOR, content=text, client_id=str(uuid.uuid4()))
        delete(GENERAL, ACTOR, message.seq or 0)

    def change(transaction: Transaction) -> None:
        first = transaction.session.scalars(select(Deletion).order_by(Deletion.message_id)).first()
        assert first is not None
        first.deleted_at -= timedelta(seconds=KEPT_SECONDS)

    write(change)
    purge_deletions()
    db.session.rollback()
    assert [deletion.removed["content"] for deletion in db.session.scalars(select(Deletion))] == ["two"]


def test_the_last_earlier_versions_are_restored_up_to_a_limit(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    monkeypatch.setattr(deletions, "MAX_KEPT_CHARS", 7)
    create_owner("ana", "Ana", "a good password")
    seq = post(GENERAL, ACTOR, content="four", client_id=str(uuid.uuid4())).seq or 0
    for text in ("five!", "six", "the end"):
        edit(GENERAL, ACTOR, seq, content=text)
    delete(GENERAL, ACTOR, seq)
    assert undelete(GENERAL, ACTOR, seq).content == "the end"
    assert list(db.session.scalars(select(MessageVersion.content))) == ["six"]


def test_an_author_cannot_undo_what_a_manager_has_deleted_as_well(server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket, bob_socket = ana.connect(), bob.connect()
    bob_socket.call("send_message", message_payload("abuse", room))
    assert call(bob_socket, "delete_message", room)["ok"]
    assert call(ana_socket, "delete_message", room)["ok"]
    prolong(server)
    for socket in (bob_socket, ana_socket):
        assert call(socket, "undelete_message", room)["error"]["code"] == "conflict"
    assert "abuse" not in str(read_all_rows(server))
