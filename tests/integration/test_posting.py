"""Posting messages, with each of the official clients, databases and socket engines."""

import uuid

import pytest

from tests.harness.html import rendered_messages
from tests.harness.people import JavaScriptSocket, NewPerson, PythonSocket, Socket, message_payload, without_html
from tests.harness.servers import Server

CLIENTS = pytest.mark.parametrize("client", [PythonSocket, JavaScriptSocket], ids=["python", "javascript"])


@CLIENTS
def test_a_message_is_received_once_by_everybody_in_the_conversation(
    server_variant: Server, new_person: NewPerson, client: type[Socket]
) -> None:
    ana, bob = (new_person(server_variant, name) for name in ("ana", "bob"))
    ana_socket, bob_socket = ana.connect(client), bob.connect(client)
    assert ana_socket.join()["messages"] == []
    bob_socket.join()

    sent = ana_socket.post("Good morning")
    bob_socket.wait_for_contents("Good morning")
    ana_socket.wait_for_contents("Good morning")

    (received,) = bob_socket.messages()
    assert without_html(received) == sent
    assert (received["seq"], received["version"]) == (1, 1)
    assert received["sender"] == {"id": ana.id, "username": "ana", "name": "Ana"}
    assert 'class="message"' in received["html"]
    assert rendered_messages(bob.get("/").text) == [(1, "Good morning")]


@CLIENTS
def test_a_repeated_message_is_acknowledged_with_the_stored_one_and_its_html_and_not_broadcast_again(
    server_variant: Server, new_person: NewPerson, client: type[Socket]
) -> None:
    ana = new_person(server_variant, "ana")
    socket = ana.connect(client)
    socket.join()
    client_id = str(uuid.uuid4())

    first = socket.send("once", client_id=client_id)
    second = socket.send("twice", client_id=client_id.upper())
    socket.post("after")

    socket.wait_for_contents("once", "after")
    assert second["message"] == socket.messages()[0]
    # The first one is broadcast to its sender with the HTML.
    assert first["message"] == without_html(second["message"])


def test_a_message_that_its_sender_does_not_receive_is_acknowledged_with_its_html(
    server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    bob_socket = bob.connect()
    bob_socket.join()
    sent = ana.connect().post("from a program that has not joined")
    bob_socket.wait_for_contents("from a program that has not joined")
    assert sent == bob_socket.messages()[0]


@CLIENTS
def test_two_hundred_messages_sent_without_waiting_keep_their_order(
    server_variant: Server, new_person: NewPerson, client: type[Socket]
) -> None:
    ana, bob = (new_person(server_variant, name) for name in ("ana", "bob"))
    ana_socket, bob_socket = ana.connect(client), bob.connect(client)
    bob_socket.join()
    contents = [f"message {number}" for number in range(200)]

    waiting = [ana_socket.emit("send_message", message_payload(text)) for text in contents]
    acks = [wait(30) for wait in waiting]

    assert [ack["message"]["seq"] for ack in acks] == list(range(1, 201))
    bob_socket.wait_for_contents(*contents)
    assert [text for _, text in rendered_messages(bob.get("/").text)] == contents[-10:]


@CLIENTS
def test_a_client_that_reconnects_receives_what_it_missed(
    server_variant: Server, new_person: NewPerson, client: type[Socket]
) -> None:
    ana, bob = (new_person(server_variant, name) for name in ("ana", "bob"))
    ana_socket = ana.connect(client)
    ana_socket.post("before")
    cursor = bob.connect(client).join()["last_event"]
    for text in ("one", "two"):
        ana_socket.post(text)

    ack = bob.connect(client).join(after=cursor)

    assert [message["content"] for message in ack["messages"]] == ["one", "two"]
    assert (ack["from"], ack["to"], ack["more"], ack["reset"]) == (1, 3, False, False)


def test_acknowledged_messages_survive_a_kill_of_the_server(server_variant: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(server_variant, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    socket = ana.connect()
    sent = [socket.post(f"message {number}", room)["content"] for number in range(5)]

    server_variant.kill()
    server_variant.start()

    assert [text for _, text in rendered_messages(bob.get("/rooms/" + room.removeprefix("room_")).text)] == sent
    again = bob.connect()
    again.join(room, after=0)
    ana.connect().post("after", room)
    again.wait_for_contents("after", conversation=room)


def test_a_message_that_a_cleanup_removed_is_not_stored_again(server: Server, new_person: NewPerson) -> None:
    socket = new_person(server, "ana").connect()
    client_id = str(uuid.uuid4())
    first = socket.send("old", client_id=client_id)
    socket.post("new")
    server.flask("cleanup", "--keep-last", "1", "--yes")

    again = socket.send("old", client_id=client_id)

    assert again["ok"]
    assert again["message"]["seq"] == first["message"]["seq"]
    assert again["message"]["deleted_at"] is not None
    assert server.rows("SELECT content FROM messages") == [("new",)]
