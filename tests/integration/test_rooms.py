"""Rooms: who may come in, who may not know of them, and who has to leave."""

import re
from collections.abc import Callable
from html import unescape

import pytest
import requests

from tests.harness.html import rendered_messages
from tests.harness.people import NewPerson, Person, PythonSocket, message_payload, room_path
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually


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
    assert rendered_messages(bob.get(path).text) == [(1, "Noodles?")]
    his.join(room)
    his.post("Yes", room)
    bob.post(f"{path}/membership/end", path)
    assert his.call("join_chat", {"conversation": room})["error"]["code"] == "forbidden"
    bob.post(f"{path}/membership", path)
    assert [text for _, text in rendered_messages(bob.get(path).text)] == ["Noodles?", "Yes"]


def test_a_removed_member_stops_receiving_at_once(ana: Person, bob: Person) -> None:
    room = ana.create_room()
    ana.invite(room, bob)
    hers = ana.connect()
    his = [bob.connect(), bob.connect()]
    for socket in (hers, *his):
        socket.join(room)
    hers.post("before", room)
    for socket in his:
        socket.wait_for_contents("before", conversation=room)

    assert ana.remove(room, bob).ok
    hers.post("after", room)

    for socket in his:
        assert socket.wait_for("removed_from_chat") == [{"conversation": room}]
        assert socket.send("may I?", room)["error"]["code"] == "not_found"
        assert socket.call("join_chat", {"conversation": room, "after": 0})["error"]["code"] == "not_found"
        assert socket.contents(room) == ["before"]
        assert socket.is_connected()
    hers.wait_for_contents("before", "after", conversation=room)
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
    assert rendered_messages(bob.get(path).text) == [(1, "kept")]
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
    assert again.status_code == 409
    assert "is in this room already" in again.text
    nobody = ana.post(f"{path}/members", f"{path}/settings", username="nobody\0")
    assert nobody.status_code == 400
    assert "Nobody here is called" in nobody.text


def test_a_room_needs_a_proper_name_and_topic(ana: Person) -> None:
    fits = {"name": "Tea", "topic": "", "visibility": "open"}
    for key, value in (("name", ""), ("name", "   "), ("name", "x" * 81), ("name", "a\0b"), ("topic", "x" * 251)):
        answer = ana.post("/rooms/new", "/rooms/new", **(fits | {key: value}))
        assert answer.status_code == 400
        assert key in answer.text
    assert ana.server.rows("SELECT count(*) FROM conversations WHERE kind = 'room'") == [(0,)]


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


def test_a_membership_that_begins_or_ends_is_told_to_the_sidebar(ana: Person, bob: Person) -> None:
    room = ana.create_room("Tea", visibility="open")
    path = room_path(room)
    socket, hers = bob.connect(), ana.connect()
    told = 0

    def tells(change: Callable[[], object], *, is_listed: bool) -> None:
        nonlocal told
        change()
        told += 1
        assert socket.wait_for("sidebar_changed", told) == [{}] * told
        assert ("Tea" in bob.get("/sidebar").text) is is_listed

    tells(lambda: bob.post(f"{path}/membership", path), is_listed=True)
    tells(lambda: bob.post(f"{path}/membership/end", path), is_listed=False)
    tells(lambda: ana.invite(room, bob), is_listed=True)
    tells(lambda: ana.remove(room, bob), is_listed=False)
    assert len(socket.payloads("removed_from_chat")) == 2
    # It is nobody else's business.
    assert hers.payloads("sidebar_changed") == []


def test_who_leaves_hears_nothing_more_from_the_room(ana: Person, bob: Person) -> None:
    room = ana.create_room()
    ana.invite(room, bob)
    hers, his, page = ana.connect(), bob.connect(), bob.connect()
    for socket in (his, page):
        socket.join(room)
        socket.join()
    assert page.call("leave_chat", {"conversation": room}) == {"ok": True}
    hers.post("one", room)
    bob.post(f"{room_path(room)}/membership/end", room_path(room))
    seq = hers.post("two", room)["seq"]
    hers.call("edit_message", {"conversation": room, "seq": seq, "content": "three"})
    hers.post("marker")

    for socket in (his, page):
        socket.wait_for_contents("marker")
    assert his.contents(room) == ["one"]
    assert page.contents(room) == []
    assert his.payloads("message_changed") == page.payloads("message_changed") == []


def test_the_beacon_tells_of_a_room_to_its_members_only(
    new_server: NewServer, new_person: NewPerson, database_url: str
) -> None:
    server = new_server(database_url=database_url, CHATAPP_HEARTBEAT_SECONDS="0.2").start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    his = bob.connect()
    his.join()
    his.join(room)
    hers = ana.connect()
    hers.join(room)

    def told() -> list[str]:
        return [name for beat in list(his.payloads("heads")) for name in beat["conversations"]]

    eventually(lambda: {room, "general"} <= set(told()), "both heads")
    ana.remove(room, bob)
    his.wait_for("removed_from_chat")
    so_far, beats = told().count(room), len(hers.payloads("heads"))
    hers.wait_for("heads", beats + 2)
    assert told().count(room) == so_far
    assert his.call("join_chat", {"conversation": room})["error"]["code"] == "not_found"


def test_a_room_that_is_closed_is_hidden_from_who_is_not_in_it(ana: Person, bob: Person) -> None:
    room = ana.create_room("Tea", visibility="open")
    path = room_path(room)
    assert bob.get(path).ok
    form = {"name": "Tea", "topic": "", "visibility": "private"}
    assert ana.post(f"{path}/settings", f"{path}/settings", **form).ok
    assert bob.get(path).status_code == bob.post(f"{path}/membership").status_code == 404
    assert "Tea" not in bob.get("/rooms").text
    assert bob.connect().send("hello", room)["error"]["code"] == "not_found"
    assert ana.post(f"{path}/settings", f"{path}/settings", **(form | {"visibility": "secret"})).status_code == 400


def test_what_does_not_fit_the_state_of_a_room_is_told(ana: Person, bob: Person) -> None:
    room = ana.create_room("Tea", visibility="open")
    path = room_path(room)

    def answer(person: Person, action: str, **fields: str) -> tuple[int, str]:
        answered = person.post(f"{path}/{action}", **fields)
        return answered.status_code, unescape(answered.text)

    def refuses(person: Person, action: str, status: int, reason: str, **fields: str) -> None:
        got, text = answer(person, action, **fields)
        assert (got, reason in text) == (status, True), text

    refuses(ana, f"members/{ana.id}/remove", 403, "One does not remove oneself")
    refuses(ana, f"members/{bob.id}/remove", 404, "is not in this room")
    refuses(ana, "members/2147483647/remove", 404, "is not in this room")
    refuses(ana, "restore", 409, "is not archived")
    refuses(bob, "membership/end", 403, "Join this room")
    refuses(bob, "members", 403, "Join this room", username="bob")
    assert answer(ana, "archive")[0] == 200
    refuses(ana, "archive", 409, "archived already")
    refuses(ana, "members", 409, "archived", username="bob")
    refuses(ana, "settings", 409, "archived", name="Coffee", visibility="open")
    refuses(bob, "membership", 409, "archived")
    assert "Tea" not in bob.get("/rooms").text


def test_who_joins_while_being_removed_is_out_all_the_same(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    hers, his = ana.connect(), bob.connect()
    his.join()
    for number in range(5):
        ana.invite(room, bob)
        his.join(room)
        knocking = [his.emit("join_chat", {"conversation": room}) for _ in range(40)]
        assert ana.remove(room, bob).ok
        knocking += [his.emit("join_chat", {"conversation": room}) for _ in range(5)]
        hers.post(f"secret {number}", room)
        assert [knock(20)["ok"] for knock in knocking][-5:] == [False] * 5
        hers.post(f"also secret {number}", room)
        hers.post(f"marker {number}")
    his.wait_for_contents(*(f"marker {number}" for number in range(5)))
    assert his.contents(room) == []
