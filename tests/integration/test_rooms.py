"""Rooms: who may come in, who may not know of them, and who has to leave."""

import re

import pytest
import requests

from tests.harness.people import Person, PythonSocket, drawn_messages, message_payload, room_path
from tests.harness.ports import eventually
from tests.harness.servers import Server


def body(answer: requests.Response) -> str:
    """Give what is on a page, without the tokens that differ on each."""
    return re.sub(r'value="[^"]+"', "", answer.text)


def test_a_stranger_cannot_tell_a_private_room_from_none_at_all(ana: Person, bob: Person) -> None:
    room = ana.create_room("Secret plans", topic="hush")
    ana.connect().post("the word is swordfish", room)
    path, nowhere = room_path(room), "/rooms/999"
    number = room.removeprefix("room_")

    for there, not_there in (
        (path, nowhere),
        (f"{path}/settings", f"{nowhere}/settings"),
        (f"{path}?before=5", f"{nowhere}?before=5"),
        (f"/conversations/{room}/messages?before=5", "/conversations/room_999/messages?before=5"),
    ):
        hidden, missing = bob.get(there), bob.get(not_there)
        assert (hidden.status_code, body(hidden)) == (missing.status_code, body(missing)) == (404, body(missing))

    for action in ("membership", "membership/end", "members", "archive", "restore", "settings", "members/1/remove"):
        fields = {"username": "bob", "name": "mine", "visibility": "open"}
        hidden = bob.post(f"{path}/{action}", **fields)
        missing = bob.post(f"{nowhere}/{action}", **fields)
        assert (hidden.status_code, body(hidden)) == (missing.status_code, body(missing)), action
        assert hidden.status_code == 404, action
    posted = bob.post(f"/conversations/{room}/messages", **message_payload("let me in"))
    assert posted.status_code == 404

    his = bob.connect()
    for event in ("join_chat", "send_message", "edit_message", "delete_message", "react"):
        payload = {"content": "x", "client_id": message_payload("")["client_id"], "seq": 1, "reaction": "👍"}
        hidden_answer = his.call(event, {"conversation": room} | payload)
        assert hidden_answer == his.call(event, {"conversation": "room_999"} | payload)
        assert hidden_answer["error"]["code"] == "not_found"
    ana.sockets[0].post("still among us", room)
    bob.connect().post("marker")
    his.join()
    assert his.messages(room) == []
    for page in ("/", "/rooms", "/sidebar", "/people"):
        text = bob.get(page).text
        assert "Secret plans" not in text
        assert f"/rooms/{number}" not in text
        assert "swordfish" not in text


def test_an_open_room_is_listed_and_joined_before_it_is_read(ana: Person, bob: Person) -> None:
    room = ana.create_room("Lunch", visibility="open", topic="Where to?")
    ana.connect().post("Noodles?", room)
    path = room_path(room)
    assert "Lunch" in bob.get("/rooms").text
    page = bob.get(path)
    assert page.status_code == 200
    assert "Where to?" in page.text
    assert "Noodles?" not in page.text
    his = bob.connect()
    assert his.call("join_chat", {"conversation": room})["error"]["code"] == "forbidden"
    assert his.send("hello", room)["error"]["code"] == "forbidden"
    assert bob.get(f"/conversations/{room}/messages").status_code == 403

    assert bob.post(f"{path}/membership", path).ok
    assert drawn_messages(bob.get(path).text) == [(1, "Noodles?")]
    his.join(room)
    his.post("Yes", room)
    bob.post(f"{path}/membership/end", path)
    assert his.call("join_chat", {"conversation": room})["error"]["code"] == "forbidden"
    bob.post(f"{path}/membership", path)
    assert [text for _, text in drawn_messages(bob.get(path).text)] == ["Noodles?", "Yes"]


def test_a_removed_member_stops_receiving_at_once(ana: Person, bob: Person) -> None:
    room = ana.create_room()
    ana.invite(room, bob)
    hers = ana.connect()
    his = [bob.connect(), bob.connect()]
    for socket in (hers, *his):
        socket.join(room)
    hers.post("before", room)
    for socket in his:
        socket.hear("before", conversation=room)

    assert ana.remove(room, bob).ok
    hers.post("after", room)

    for socket in his:
        assert socket.wait_for("removed_from_chat") == [{"conversation": room}]
        assert socket.send("may I?", room)["error"]["code"] == "not_found"
        assert socket.call("join_chat", {"conversation": room, "after": 0})["error"]["code"] == "not_found"
        assert socket.contents(room) == ["before"]
        assert socket.is_connected()
    hers.hear("before", "after", conversation=room)
    assert bob.get(room_path(room)).status_code == 404


def test_only_managers_change_a_room_and_any_member_invites(ana: Person, bob: Person, eve: Person) -> None:
    room = ana.create_room("Old name")
    ana.invite(room, bob)
    path = room_path(room)
    form = {"name": "New name", "topic": "New topic", "visibility": "private"}
    assert bob.post(f"{path}/settings", path, **form).status_code == 403
    assert bob.post(f"{path}/archive", path).status_code == 403
    assert bob.post(f"{path}/members/{ana.id}/remove", path).status_code == 403
    bob.invite(room, eve)
    assert eve.get(path).status_code == 200

    socket = bob.connect()
    assert ana.post(f"{path}/settings", f"{path}/settings", **form).ok
    socket.wait_for("sidebar_changed")
    assert "New name" in bob.get("/sidebar").text
    assert "New topic" in bob.get(path).text


def test_an_archived_room_is_read_only_until_it_is_restored(ana: Person, bob: Person) -> None:
    room = ana.create_room("Done")
    ana.invite(room, bob)
    path = room_path(room)
    socket = bob.connect()
    socket.post("kept", room)
    ana.post(f"{path}/archive", f"{path}/settings")
    assert socket.send("late", room)["error"]["code"] == "archived"
    assert socket.call("edit_message", {"conversation": room, "seq": 1, "content": "x"})["error"]["code"] == "archived"
    assert bob.post(f"/conversations/{room}/messages", **message_payload("late")).status_code == 409
    assert drawn_messages(bob.get(path).text) == [(1, "kept")]
    assert "Done" not in bob.get("/sidebar").text
    assert "Done" in bob.get("/rooms").text
    ana.post(f"{path}/restore", f"{path}/settings")
    assert socket.post("again", room)["seq"] == 2


def test_when_the_last_manager_leaves_somebody_takes_over(ana: Person, bob: Person, eve: Person) -> None:
    room = ana.create_room(visibility="open")
    path = room_path(room)
    ana.invite(room, bob)
    ana.invite(room, eve)
    ana.post(f"{path}/membership/end", path)
    assert bob.post(f"{path}/archive", path).ok
    assert bob.post(f"{path}/restore", path).ok
    for person in (bob, eve):
        person.post(f"{path}/membership/end", path)
    ana.post(f"{path}/membership", path)
    assert ana.post(f"{path}/archive", path).ok


def test_what_is_invited_twice_or_does_not_exist_is_told(ana: Person, bob: Person) -> None:
    room = ana.create_room()
    path = room_path(room)
    ana.invite(room, bob)
    again = ana.post(f"{path}/members", f"{path}/settings", username="@Bob")
    assert again.status_code == 422
    assert "is in this room already" in again.text
    nobody = ana.post(f"{path}/members", f"{path}/settings", username="nobody\0")
    assert nobody.status_code == 422
    assert "Nobody here is called" in nobody.text


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\0b"])
def test_a_room_needs_a_proper_name(ana: Person, name: str) -> None:
    answer = ana.post("/rooms/new", "/rooms/new", name=name, topic="", visibility="open")
    assert answer.status_code == 422
    assert "name" in answer.text


def test_a_session_that_ends_closes_its_open_sockets(server: Server, ana: Person) -> None:
    copied = Person(server, "ana")
    copied.http.cookies.update(ana.http.cookies)
    elsewhere = Person(server, "ana")
    elsewhere.sign_in()
    here, there = ana.connect(), elsewhere.connect()
    ana.post("/sign-out")
    assert here.wait_for("signed_out") == [{}]
    eventually(lambda: not here.is_connected(), "closed")
    assert there.is_connected()
    assert copied.get("/").url.endswith("/sign-in?next=/")
    with pytest.raises(Exception, match="failed to connect"):
        PythonSocket(server.url, copied.cookie)
    there.post("I am still here")
    elsewhere.close()
