"""Saved messages: over events, the API and the page."""

import re

from selectolax.lexbor import LexborHTMLParser

from tests.harness.api import check_problem
from tests.harness.html import find_element
from tests.harness.people import NewPerson, Person, Socket
from tests.harness.servers import NewServer, Server

DELETED = "This message was deleted."
UNREADABLE = "This message was deleted, or you do not have access to it."


def save(socket: Socket, conversation: str, seq: int, *, on: bool = True) -> dict[str, object]:
    acknowledgement: dict[str, object] = socket.call(
        "save_message", {"conversation": conversation, "seq": seq, "on": on}
    )
    return acknowledgement


def listed(person: Person, path: str = "/saved") -> list[str]:
    return [element.text() for element in LexborHTMLParser(person.get(path).text).css(".listed-text")]


def test_saved_messages_are_private_and_the_same_on_all_devices(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    socket, device, other = bob.connect(), bob.connect(), ana.connect()
    for text in ("one", "two", "three"):
        other.post(text, room)
    for seq in (3, 1, 1):
        assert save(socket, room, seq) == {"ok": True}
    expected = [{"conversation": room, "seq": seq, "saved": True} for seq in (3, 1)]
    assert device.wait_for("saved_changed", 2) == expected
    assert socket.call("saved_messages", {"conversation": room})["seqs"] == [1, 3]
    assert other.call("saved_messages", {"conversation": room})["seqs"] == []
    assert other.payloads("saved_changed") == []
    assert listed(bob) == ["one", "three"]
    assert listed(ana) == []

    api = bob.api()
    assert api.request("PUT", f"/conversations/{room}/messages/2/saved").json()["is_saved"] is True
    assert api.request("DELETE", f"/conversations/{room}/messages/1/saved").json()["is_saved"] is False
    saved = api.get("/saved", params={"limit": 1}).json()
    assert [each["message"]["content"] for each in saved["saved"]] == ["two"]
    older = api.get(saved["next"].removeprefix("/api")).json()
    assert [each["seq"] for each in older["saved"]] == [3]
    assert older["next"] is None
    assert bob.post(f"/conversations/{room}/messages/3/saved", "/saved", saved="no").url.endswith("/saved")
    assert listed(bob) == ["two"]


def test_what_one_may_no_longer_read_has_a_placeholder_and_can_be_removed(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room("Secret plans")
    ana.invite(room, bob)
    other, socket = ana.connect(), bob.connect()
    for conversation in (room, "general"):
        for text in ("one", "two"):
            save(socket, conversation, other.post(text, conversation)["seq"])
    other.call("delete_message", {"conversation": room, "seq": 1})
    assert listed(bob).count(DELETED) == 1
    assert save(ana.connect(), room, 1)["error"]["code"] == "conflict"  # type: ignore[index]

    assert ana.remove(room, bob).ok
    html = bob.get("/saved").text
    assert listed(bob).count(UNREADABLE) == 2
    assert "Secret plans" not in find_element(html, "main").text()
    assert [each["message"] for each in bob.api().get("/saved").json()["saved"] if each["conversation"] == room] == [
        None,
        None,
    ]
    assert save(socket, room, 2)["error"]["code"] == "not_found"  # type: ignore[index]
    assert save(socket, room, 2, on=False) == {"ok": True}
    assert bob.post(f"/conversations/{room}/messages/1/saved", "/saved", saved="no").ok
    assert sorted(listed(bob)) == ["one", "two"]

    assert ana.post("/conversations/general/clear").ok
    assert listed(bob) == [DELETED, DELETED]


def test_saved_messages_have_pages_and_a_limit(new_server: NewServer, new_person: NewPerson) -> None:
    ana = new_person(new_server(CHATAPP_MAX_SAVED_MESSAGES="110", CHATAPP_REACTIONS_PER_MINUTE="0").start(), "ana")
    socket = ana.connect()
    for number in range(1, 112):
        socket.post(f"message {number}")
    for number in range(1, 111):
        save(socket, "general", number)
    refused = ana.api().request("PUT", "/conversations/general/messages/111/saved")
    assert check_problem(refused) == (409, "conflict")
    texts, path = list[str](), "/saved"
    while path:
        texts += listed(ana, path)
        link = re.search(r'href="(/saved\?after=\d+)"', ana.get(path).text)
        path = link[1] if link else ""
    assert texts == [f"message {number}" for number in range(110, 0, -1)]
