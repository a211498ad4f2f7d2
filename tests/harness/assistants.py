"""Helpers for tests of assistants on a running server."""

import json
from collections.abc import Iterator
from typing import Any

import requests
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.models import Message
from chatapp.search.index import index_rows
from tests.harness.people import Person, Socket
from tests.harness.servers import Server
from tests.harness.waiting import eventually

UNFINISHED_STATES = {"queued", "streaming"}


def shared_conversation(server: Server, assistant: str = "model") -> str:
    """Wait for the conversation that all users share with an assistant, and return its name."""

    def list_ids() -> list[Any]:
        return server.rows(f"SELECT id FROM conversations WHERE assistant = '{assistant}' AND visibility = 'open'")

    ((conversation_id,),) = eventually(list_ids, "the shared conversation exists")
    return f"assistant_{conversation_id}"


def start_session(person: Person, assistant: str = "helper") -> str:
    """Start a session and return the name of its conversation."""
    return "assistant_" + person.post("/sessions", "/sessions", assistant=assistant).url.rpartition("/")[2]


def insert_messages(server: Server, conversation: str, *contents: str) -> None:
    """Insert messages of a user into an empty conversation, which no assistant answers."""
    conversation_id = conversation.removeprefix("assistant_")
    for number, content in enumerate(contents, 1):
        server.execute(
            "INSERT INTO messages (conversation_id, seq, version, sender_type, sender_name, message_type, content, "
            f"created_at) VALUES ({conversation_id}, {number}, {number}, 'user', 'Ana', 'text', '{content}', "
            "'2026-01-01 00:00:00')"
        )
    server.execute(f"UPDATE conversations SET last_event = {len(contents)} WHERE id = {conversation_id}")
    with Session(server.engine()) as session, session.begin():
        index_rows(session, session.scalars(select(Message).where(Message.conversation_id == int(conversation_id))))


def insert_quotable_messages(server: Server, conversation: str) -> None:
    """Insert messages which the built-in assistant quotes when it is asked to “find budget”, for some seconds."""
    contents = (f"The budget, part {number}: " + "a word or two about money " * 6 for number in range(5))
    insert_messages(server, conversation, *contents)


def received_answers(socket: Socket, conversation: str) -> list[dict[str, Any]]:
    """Return the latest version that the socket has received of each answer, in the order of `seq`."""
    received = [*socket.payloads("chat_message"), *socket.payloads("message_changed")]
    by_seq = {
        message["seq"]: message
        for message in sorted(received, key=lambda message: message["version"])
        if message["conversation"] == conversation and message["sender_type"] == "assistant"
    }
    return [by_seq[seq] for seq in sorted(by_seq)]


def wait_for_answer(socket: Socket, conversation: str, count: int = 1) -> dict[str, Any]:
    """Wait until the socket has received `count` finished answers, and return the last of them."""

    def finished() -> list[dict[str, Any]]:
        answers = received_answers(socket, conversation)
        return [answer for answer in answers if answer["state"] not in UNFINISHED_STATES]

    eventually(lambda: len(finished()) >= count, f"{count} answers are finished", 30)
    return finished()[count - 1]


def read_events(response: requests.Response) -> Iterator[tuple[str, Any]]:
    """Yield the name and the data of each server-sent event."""
    name = ""
    for line in response.iter_lines(decode_unicode=True):
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
