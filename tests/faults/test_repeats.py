"""A message that arrives repeatedly, by any transport, is stored once."""

import threading
import uuid
from functools import partial
from typing import Any

import pytest

from tests.harness.people import NewPerson, Person, message_payload
from tests.harness.servers import Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults


def test_a_message_sent_fifty_times_at_once_is_stored_broadcast_and_acknowledged_as_one(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    bob_socket = bob.connect()
    bob_socket.join()
    sockets = [ana.connect() for _ in range(5)]
    payload = message_payload("once", client_id=str(uuid.uuid4()))

    waiting = [socket.emit("send_message", payload) for _ in range(10) for socket in sockets]
    acks = [wait(20) for wait in waiting]

    assert all(ack == acks[0] for ack in acks)
    assert acks[0]["ok"]
    assert any_server.rows("SELECT content, seq FROM messages") == [("once", 1)]
    ana.sockets[0].post("marker")
    bob_socket.wait_for_contents("once", "marker")


def test_form_and_socket_with_one_client_id_store_one_message(server: Server, ana: Person) -> None:
    socket = ana.connect()
    ana.get("/")
    for number in range(10):
        payload = message_payload(f"message {number}")
        form = threading.Thread(target=ana.post, args=("/conversations/general/messages",), kwargs=payload)
        form.start()
        assert socket.call("send_message", payload)["ok"]
        form.join()
    assert server.rows("SELECT content FROM messages ORDER BY seq") == [(f"message {n}",) for n in range(10)]


def test_simultaneous_posts_get_event_numbers_without_gaps(any_server: Server, new_person: NewPerson) -> None:
    people = [new_person(any_server, name) for name in ("ana", "bob", "eve")]
    sockets = [person.connect() for person in people]
    for socket in sockets:
        socket.join()
    waiting = [socket.emit("send_message", message_payload(f"{n}")) for n in range(30) for socket in sockets]
    for wait in waiting:
        assert wait(20)["ok"]

    def received_versions(socket: Any) -> list[int]:
        return [message["version"] for message in socket.messages()]

    for socket in sockets:
        eventually(
            partial(lambda socket: received_versions(socket) == list(range(1, 91)), socket),
            "all messages are received in the order of their numbers",
        )
