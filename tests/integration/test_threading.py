"""Serving with native threads instead of eventlet."""

from tests.harness.html import rendered_messages
from tests.harness.people import JavaScriptSocket, NewPerson, message_payload
from tests.harness.servers import NewServer


def test_users_chat_on_native_threads(new_server: NewServer, new_person: NewPerson, database_url: str) -> None:
    server = new_server(database_url=database_url, CHATAPP_ASYNC_MODE="threading").start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket, bob_socket = ana.connect(), bob.connect(JavaScriptSocket)
    bob_socket.join(room)
    contents = [f"message {number}" for number in range(50)]

    waiting = [ana_socket.emit("send_message", message_payload(text, room)) for text in contents]

    assert [wait(30)["message"]["seq"] for wait in waiting] == list(range(1, 51))
    bob_socket.wait_for_contents(*contents, conversation=room)
    server.kill()
    server.start()
    page = bob.get("/rooms/" + room.removeprefix("room_")).text
    assert [text for _, text in rendered_messages(page)] == contents[-10:]
    assert bob.connect(JavaScriptSocket).join(room, after=48)["to"] == 50
