"""Editing, deleting and reacting: each is an event of the timeline."""

import pytest

from tests.harness.api import check_problem
from tests.harness.html import attribute, rendered_messages
from tests.harness.people import NewPerson, Person, Socket
from tests.harness.servers import NewServer, Server


@pytest.fixture
def room(ana: Person, bob: Person) -> str:
    room = ana.create_room()
    ana.invite(room, bob)
    return room


def received_changes(socket: Socket) -> list[tuple[int, int, str]]:
    return [(each["seq"], each["version"], each["content"]) for each in socket.wait_for("message_changed")]


def test_changes_take_the_next_event_numbers_and_are_broadcast(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    ana_socket, bob_socket = ana.connect(), bob.connect()
    cursor = bob_socket.join()["last_event"]
    ana_socket.join()
    bob_socket.wait_for_contents()
    seq = ana_socket.post("helo")["seq"]

    edited = ana_socket.call("edit_message", {"conversation": "general", "seq": seq, "content": "greetings"})["message"]
    reacted = bob_socket.call("react", {"conversation": "general", "seq": seq, "reaction": "👍", "on": True})["message"]
    again = bob_socket.call("react", {"conversation": "general", "seq": seq, "reaction": "👍", "on": True})["message"]

    assert (edited["seq"], edited["version"], edited["content"]) == (1, 2, "greetings")
    assert edited["edited_at"] is not None
    assert reacted["version"] == again["version"] == 3
    assert reacted["reactions"] == [{"reaction": "👍", "users": [{"id": bob.id, "name": "Bob"}]}]
    bob_socket.wait_for("message_changed", 2)
    assert [each["version"] for each in bob_socket.payloads("message_changed")] == [2, 3]

    missed = bob.connect().join(after=cursor)
    assert missed["messages"] == [reacted]
    assert (missed["from"], missed["to"]) == (0, 3)

    deleted = ana_socket.call("delete_message", {"conversation": "general", "seq": seq})["message"]
    assert (deleted["version"], deleted["content"], deleted["reactions"]) == (4, "", [])
    assert "greetings" not in bob.get("/").text
    assert (
        ana_socket.call("edit_message", {"conversation": "general", "seq": seq, "content": "x"})["error"]["code"]
        == "conflict"
    )


def test_only_senders_edit_and_only_managers_delete_messages_of_others(
    ana: Person, bob: Person, eve: Person, room: str
) -> None:
    ana_socket, bob_socket = ana.connect(), bob.connect()
    from_ana, from_bob = ana_socket.post("from ana", room), bob_socket.post("from bob", room)

    def refuses(person: Person, event: str, message: dict[str, object], code: str) -> None:
        fields: dict[str, dict[str, object]] = {
            "edit_message": {"content": "changed"},
            "react": {"reaction": "👍", "on": True},
        }
        payload = {"conversation": room, "seq": message["seq"]} | fields.get(event, {})
        assert person.connect().call(event, payload)["error"]["code"] == code

    refuses(bob, "edit_message", from_ana, "forbidden")
    refuses(bob, "delete_message", from_ana, "forbidden")
    refuses(ana, "edit_message", from_bob, "forbidden")
    for event in ("edit_message", "delete_message", "react"):
        refuses(eve, event, from_ana, "not_found")
        refuses(bob, event, {"seq": 99}, "not_found")
    assert ana_socket.call("delete_message", {"conversation": room, "seq": from_bob["seq"]})["ok"]
    assert next(text for _, text in rendered_messages(ana.get("/rooms/" + room[5:]).text)) == "from ana"


def test_messages_are_edited_and_deleted_within_the_time_limits_only(
    new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(CHATAPP_EDIT_SECONDS="300", CHATAPP_DELETE_SECONDS="86400").start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    socket, api, path = bob.connect(), bob.api(), "/conversations/general/messages/1"
    message = {"conversation": "general", "seq": socket.post("hello")["seq"]}
    assert api.request("PATCH", path, json={"content": "within the limit"}).ok
    server.execute("UPDATE messages SET created_at = '2026-01-01 00:00:00'")

    for too_late in (
        socket.call("edit_message", message | {"content": "too late"})["error"],
        socket.call("edit_message", message | {"metadata": {}})["error"],
    ):
        assert too_late["code"] == "forbidden"
        assert too_late["message"] == "Messages can be edited only within 5 minutes after they were sent."
    assert check_problem(api.request("PATCH", path, json={"content": "too late"})) == (403, "forbidden")
    assert "within 1 day after" in socket.call("delete_message", message)["error"]["message"]
    assert check_problem(api.request("DELETE", path)) == (403, "forbidden")
    page = bob.get("/").text
    assert attribute(page, "main", "data-edit-seconds") == "300"
    assert attribute(page, "main", "data-delete-seconds") == "86400"
    # An admin may delete all messages.
    assert ana.connect().call("delete_message", message)["ok"]


@pytest.mark.parametrize("reaction", ["", "x", "<b>", "👍" * 17, "👍x", " ", None, 5, "\ud800"])
def test_a_reaction_that_is_not_an_emoji_is_invalid(ana: Person, reaction: object) -> None:
    socket = ana.connect()
    seq = socket.post("hello")["seq"]
    ack = socket.call("react", {"conversation": "general", "seq": seq, "reaction": reaction, "on": True})
    assert ack["error"]["code"] == "invalid"
