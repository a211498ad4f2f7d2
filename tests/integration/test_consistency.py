"""A database that another program has edited: chatapp repairs what is safe to repair, and says what it did."""

import uuid
from contextlib import closing

import pytest
from flask import Flask
from sqlalchemy import select, update

from chatapp import sqlite
from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.config import current_settings
from chatapp.conversations.refs import GENERAL
from chatapp.extensions import db
from chatapp.models import Conversation, Message
from chatapp.search.tokens import TOKENIZER_VERSION
from chatapp.storage import write
from chatapp.timeline import post, react
from chatapp.timeline.consistency import find_problems, repair
from chatapp.timeline.epoch import get_epoch
from tests.harness.people import Person
from tests.harness.servers import Server
from tests.harness.waiting import eventually


def test_a_start_repairs_what_deleting_messages_by_hand_has_left(server: Server, ana: Person) -> None:
    socket = ana.connect()
    for number in range(3):
        message = socket.post(f"message {number}")
    socket.call("react", {"conversation": "general", "seq": message["seq"], "reaction": "👍"})
    joined = socket.join()
    server.terminate()
    server.execute("DELETE FROM messages WHERE conversation_id = 1")
    server.flask("db", "upgrade")
    server.start()

    eventually(lambda: server.log().count("database repaired") == 2, "all problems are repaired")

    assert "rows of reactions that refer to missing messages: 1" in server.log()
    assert "general has 0 messages, and the stored number is 3" in server.log()
    assert "the search index differs" not in server.log()
    assert server.rows("SELECT count(*) FROM reactions") == [(0,)]
    assert ana.api().get("/conversations/general").json()["total"] == 0
    socket = ana.connect()
    again = eventually(
        lambda: (ack := socket.join(after=joined["last_event"], epoch=joined["epoch"]))["reset"] and ack,
        "open pages load their last page",
    )
    assert again["messages"] == []
    assert socket.post("after")["seq"] == joined["last_event"] + 1


def test_only_the_command_check_compares_the_search_index(server: Server, ana: Person) -> None:
    socket = ana.connect()
    for number in range(3):
        socket.post(f"message {number}")
    # Until a server has completed the index once, the next one does so, which repairs it.
    state = "SELECT position, tokenizer FROM message_search_state"
    eventually(lambda: server.rows(state) == [(0, TOKENIZER_VERSION)], "the index is complete")
    server.terminate()
    server.execute("DELETE FROM messages WHERE conversation_id = 1")
    server.start()
    eventually(lambda: "database repaired" in server.log(), "the number of messages is repaired")

    problem = "the search index differs from the messages: 3 messages."
    assert f"Problem: {problem}" in server.flask("check", expect=1)
    assert f"Repaired: {problem}" in server.flask("check", "--repair")
    assert "The database is consistent." in server.flask("check")


def test_the_command_check_lists_problems_and_repairs_them_on_request(server: Server, ana: Person) -> None:
    socket = ana.connect()
    for number in range(3):
        socket.post(f"message {number}")
    assert "The database is consistent." in server.flask("check")
    server.execute("DELETE FROM messages WHERE seq = 2")

    problem = "general has 2 messages, and the stored number is 3."
    assert f"Problem: {problem}" in server.flask("check", expect=1)
    assert f"Repaired: {problem}" in server.flask("check", "--repair")
    assert "The database is consistent." in server.flask("check")


@pytest.fixture
def owner(app: Flask) -> Actor:
    create_owner("ana", "Ana", "a good password")
    return Actor(1)


def test_event_numbers_that_were_set_back_are_repaired(app: Flask, owner: Actor) -> None:
    for _ in range(2):
        post(GENERAL, owner, content="hello", client_id=str(uuid.uuid4()))
    write(lambda transaction: transaction.session.execute(update(Conversation).values(last_event=0, message_count=7)))
    descriptions = [
        "general has 2 messages, and the stored number is 7",
        "general has event 2, and the stored last event is 0",
    ]
    assert [problem.description for problem in find_problems(db.session())] == descriptions
    assert [problem.description for problem in repair()] == descriptions
    assert find_problems(db.session()) == []
    assert post(GENERAL, owner, content="hello", client_id=str(uuid.uuid4())).seq == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_messages_without_a_conversation_are_reported_and_kept(app: Flask, owner: Actor) -> None:
    message = post(GENERAL, owner, content="hello", client_id=str(uuid.uuid4()))
    react(GENERAL, owner, message.seq or 0, "👍", on=True)
    epoch = get_epoch(db.session())
    db.session.rollback()
    with closing(sqlite.connect(current_settings().data_dir / "chatapp.sqlite3")) as database, database:
        database.execute("DELETE FROM conversations")
    repaired = [problem.description for problem in repair()]
    assert repaired == ["rows of memberships that refer to missing conversations: 1"]
    assert [problem.description for problem in find_problems(db.session())] == [
        "rows of messages that refer to missing conversations: 1"
    ]
    assert db.session.scalars(select(Message.content)).one() == "hello"
    assert get_epoch(db.session()) == epoch
