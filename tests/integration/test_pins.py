"""Pinned messages: over events, the API and pages."""

from tests.harness.api import check_problem
from tests.harness.html import attribute, find_element
from tests.harness.people import NewPerson, room_path
from tests.harness.servers import NewServer, Server


def test_a_pin_is_an_event_of_its_message_until_that_is_deleted(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket, bob_socket = ana.connect(), bob.connect()
    for text in ("one", "two"):
        ana_socket.post(text, room)
    cursor = bob_socket.join(room)["last_event"]
    for seq in (2, 1, 1):
        ana_socket.call("pin_message", {"conversation": room, "seq": seq, "on": True})
    pinned = bob_socket.wait_for("message_changed", 2)
    assert [(each["seq"], each["version"], each["pinned"]) for each in pinned] == [(2, 3, True), (1, 4, True)]
    refused = bob_socket.call("pin_message", {"conversation": room, "seq": 1, "on": False})
    assert refused["error"]["code"] == "forbidden"

    missed = bob.connect().join(room, after=cursor)
    assert [each["pinned"] for each in missed["messages"]] == [True, True]
    assert missed["pins"] is None
    assert bob.connect().join(room)["pins"] == [1, 2]
    path = f"/conversations/{room}/pins"
    listed = bob.api().get(path).json()["pins"]
    assert [each["message"]["seq"] for each in listed] == [1, 2]
    assert listed[0]["pinned_by"]["name"] == "Ana"
    assert find_element(bob.get(path).text, ".listed-text").text() == "one"
    assert attribute(bob.get(room_path(room)).text, "[data-pins-link]", "data-pinned-seqs") == "1 2"

    assert ana.post(f"/conversations/{room}/messages/2/pin", path, pinned="no").ok
    ana_socket.call("delete_message", {"conversation": room, "seq": 1})
    assert bob.api().get(path).json()["pins"] == []
    assert any_server.rows("SELECT count(*) FROM pins") == [(0,)]


def test_a_cleanup_removes_pins_with_their_messages(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    socket = ana.connect()
    socket.post("one")
    socket.call("pin_message", {"conversation": "general", "seq": 1, "on": True})
    assert ana.post("/conversations/general/clear").ok
    assert any_server.rows("SELECT count(*) FROM pins") == [(0,)]
    assert ana.connect().join()["pins"] == []


def test_a_conversation_has_a_limited_number_of_pins(new_server: NewServer, new_person: NewPerson) -> None:
    ana = new_person(new_server(CHATAPP_MAX_PINS="1").start(), "ana")
    socket, api = ana.connect(), ana.api()
    for text in ("one", "two"):
        socket.post(text)
    assert api.request("PUT", "/conversations/general/messages/1/pin").ok
    refused = api.request("PUT", "/conversations/general/messages/2/pin")
    assert check_problem(refused) == (409, "conflict")
    assert "at most 1 pinned messages" in refused.json()["detail"]
