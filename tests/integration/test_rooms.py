"""Rooms: joining, leaving, permissions, and what is hidden from non-members."""

import re
import uuid
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.harness.html import find_element, rendered_messages
from tests.harness.people import NewPerson, Person, PythonSocket, message_payload, room_path
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually


def body(response: requests.Response) -> str:
    """Return the text of a page without its tokens, which are different in each response."""
    return re.sub(r'value="[^"]+"', "", response.text)


def test_a_non_member_cannot_distinguish_a_private_room_from_a_missing_one(ana: Person, bob: Person) -> None:
    room = ana.create_room("Secret plans", topic="hush")
    ana.connect().post("the word is swordfish", room)
    path, missing_path = room_path(room), "/rooms/999"
    number = room.removeprefix("room_")

    for hidden_url, missing_url in (
        (path, missing_path),
        (f"{path}/settings", f"{missing_path}/settings"),
        (f"{path}?before=5", f"{missing_path}?before=5"),
        (f"/conversations/{room}/messages?before=5", "/conversations/room_999/messages?before=5"),
    ):
        hidden, missing = bob.get(hidden_url), bob.get(missing_url)
        assert (hidden.status_code, body(hidden)) == (missing.status_code, body(missing)) == (404, body(missing))

    for action in ("membership", "membership/end", "members", "archive", "restore", "settings", "members/1/remove"):
        fields = {"username": "bob", "name": "mine", "visibility": "open"}
        hidden = bob.post(f"{path}/{action}", **fields)
        missing = bob.post(f"{missing_path}/{action}", **fields)
        assert (hidden.status_code, body(hidden)) == (missing.status_code, body(missing)), action
        assert hidden.status_code == 404, action
    posted = bob.post(f"/conversations/{room}/messages", **message_payload("from outside"))
    assert posted.status_code == 404

    bob_socket = bob.connect()
    payloads: dict[str, dict[str, object]] = {
        "join_chat": {},
        "send_message": {"content": "x", "client_id": message_payload("")["client_id"]},
        "edit_message": {"content": "x", "seq": 1},
        "delete_message": {"seq": 1},
        "react": {"seq": 1, "reaction": "👍", "on": True},
    }
    for event, payload in payloads.items():
        hidden_ack = bob_socket.call(event, {"conversation": room} | payload)
        assert hidden_ack == bob_socket.call(event, {"conversation": "room_999"} | payload)
        assert hidden_ack["error"]["code"] == "not_found"
    ana.sockets[0].post("still private", room)
    bob.connect().post("marker")
    bob_socket.join()
    assert bob_socket.messages(room) == []
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
    bob_socket = bob.connect()
    assert bob_socket.call("join_chat", {"conversation": room})["error"]["code"] == "forbidden"
    assert bob_socket.send("hello", room)["error"]["code"] == "forbidden"
    assert bob.get(f"/conversations/{room}/messages").status_code == 403

    assert bob.post(f"{path}/membership", path).ok
    assert rendered_messages(bob.get(path).text) == [(1, "Noodles?")]
    bob_socket.join(room)
    bob_socket.post("Yes", room)
    bob.post(f"{path}/membership/end", path)
    assert bob_socket.call("join_chat", {"conversation": room})["error"]["code"] == "forbidden"
    bob.post(f"{path}/membership", path)
    assert [text for _, text in rendered_messages(bob.get(path).text)] == ["Noodles?", "Yes"]


def test_a_removed_member_stops_receiving_at_once(ana: Person, bob: Person) -> None:
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket = ana.connect()
    bob_sockets = [bob.connect(), bob.connect()]
    for socket in (ana_socket, *bob_sockets):
        socket.join(room)
    ana_socket.post("before", room)
    for socket in bob_sockets:
        socket.wait_for_contents("before", conversation=room)

    assert ana.remove(room, bob).ok
    ana_socket.post("after", room)

    for socket in bob_sockets:
        assert socket.wait_for("removed_from_chat") == [{"conversation": room}]
        assert socket.send("may I?", room)["error"]["code"] == "not_found"
        assert socket.call("join_chat", {"conversation": room, "after": 0})["error"]["code"] == "not_found"
        assert socket.contents(room) == ["before"]
        assert socket.is_connected()
    ana_socket.wait_for_contents("before", "after", conversation=room)
    assert bob.get(room_path(room)).status_code == 404


def test_a_removed_member_who_repeats_a_message_learns_only_that_it_is_stored(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket, bob_socket, api, client_id = ana.connect(), bob.connect(), bob.api(), str(uuid.uuid4())
    bob_socket.send("the first draft", room, client_id)
    bob_socket.call("edit_message", {"conversation": room, "seq": 1, "content": "secret plans"})
    ana_socket.call("react", {"conversation": room, "seq": 1, "reaction": "👍"})
    current = bob_socket.send("the first draft", room, client_id)["message"]
    assert (current["content"], current["version"], len(current["reactions"])) == ("secret plans", 3, 1)

    ana.remove(room, bob)
    bob_socket.wait_for("removed_from_chat")

    repeated = bob_socket.send("the first draft", room, client_id)
    path = f"/conversations/{room}/messages"
    posted = api.post(path, json={"content": "the first draft", "client_id": client_id})
    elsewhere = api.post("/conversations/general/messages", json={"content": "?", "client_id": client_id})
    assert repeated["ok"]
    assert (posted.status_code, elsewhere.status_code) == (201, 201), posted.text + elsewhere.text
    for message in (repeated["message"], posted.json(), elsewhere.json()):
        assert (message["conversation"], message["seq"], message["version"], message["id"]) == (room, 1, 1, None)
        assert (message["content"] in {"the first draft", "?"}, message["edited_at"]) == (True, None)
        assert message["reactions"] == []
    session = api.post("/sessions", json={}).json()["conversation"].removeprefix("assistant_")
    streamed = {"Accept": "text/event-stream"}
    asked = api.post(f"/sessions/{session}/messages", json={"content": "?", "client_id": client_id}, headers=streamed)
    assert (asked.status_code, "secret" in asked.text) == (409, False)
    assert bob_socket.send("a new one", room)["error"]["code"] == "not_found"
    assert any_server.rows("SELECT content FROM messages") == [("secret plans",)]


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
    # Nothing is sent if everything stays as it is.
    for changed in ({}, {}, {"topic": "Newer topic"}, {"visibility": "open"}):
        assert ana.post(f"{path}/settings", f"{path}/settings", **form | changed).ok
    assert len(socket.wait_for("sidebar_changed", 3)) == 3
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


def test_members_are_informed_of_the_number_of_members(ana: Person, bob: Person, eve: Person) -> None:
    room = ana.create_room(visibility="open")
    path = room_path(room)
    ana.invite(room, bob)
    reading, elsewhere, outside = ana.connect(), bob.connect(), eve.connect()
    reading.join(room)
    eve.post(f"{path}/membership", path)
    for socket in (reading, elsewhere):
        assert socket.wait_for("members_changed") == [{"conversation": room, "member_count": 3}]
    eve.post(f"{path}/membership/end", path)
    assert reading.wait_for("members_changed", 2)[1] == {"conversation": room, "member_count": 2}
    ana.post(f"{path}/members/{bob.id}/remove", f"{path}/settings")
    assert reading.wait_for("members_changed", 3)[2] == {"conversation": room, "member_count": 1}
    opened = find_element(ana.get(f"/sidebar?conversation={room}").text, "[data-opened]")
    assert opened.attributes["data-member-count"] == "1"
    assert outside.payloads("members_changed") == [{"conversation": room, "member_count": 3}], "while she was a member"


def test_commands_are_run_and_not_posted(ana: Person, bob: Person) -> None:
    room = ana.create_room()
    socket, path = ana.connect(), room_path(room)
    socket.join(room)

    def run(content: str) -> dict[str, Any]:
        ack: dict[str, Any] = socket.call("run_command", {"conversation": room, "content": content})
        return ack

    assert run("/topic Noodles\tat  noon")["notice"] == "The topic was changed."
    opened = find_element(ana.get(f"/sidebar?conversation={room}").text, "[data-opened]")
    assert opened.attributes["data-topic"] == "Noodles at noon"
    assert run("/invite @bob, @nobody")["error"]["code"] == "invalid"
    for command in ("/invite", "/topic"):
        assert run(command)["error"]["message"].startswith("Write ")
    assert bob.get(path).status_code == 404, "of several people all are added, or nobody"
    assert run("/invite @bob")["notice"] == "Bob was added to the room."
    # Without JavaScript.
    posted = bob.post(f"/conversations/{room}/messages", path, content="/topic Mine", client_id=str(uuid.uuid4()))
    assert posted.status_code == 403
    for text in ("/topics", "/usr/bin/topic", "see /topic"):
        assert run(text)["error"]["code"] == "invalid"
        socket.post(text, room)
    posted = ana.post(f"/conversations/{room}/messages", path, content="/leave", client_id=str(uuid.uuid4()))
    assert "You left the room." in posted.text
    assert ana.get(path).status_code == 404
    assert [text for _, text in rendered_messages(bob.get(path).text)] == ["/topics", "/usr/bin/topic", "see /topic"]


def test_when_the_last_manager_leaves_the_oldest_member_becomes_manager(ana: Person, bob: Person, eve: Person) -> None:
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


def test_inviting_a_member_or_an_unknown_user_shows_an_error(ana: Person, bob: Person) -> None:
    room = ana.create_room()
    path = room_path(room)
    ana.invite(room, bob)
    again = ana.post(f"{path}/members", f"{path}/settings", username="@Bob")
    assert again.status_code == 409
    assert "is already a member" in again.text
    unknown = ana.post(f"{path}/members", f"{path}/settings", username="nobody\0")
    assert unknown.status_code == 400
    assert "There is no user" in unknown.text


def test_several_people_are_added_at_once_or_none_of_them(ana: Person, bob: Person, eve: Person) -> None:
    room = ana.create_room()
    path = room_path(room)

    def add(*usernames: str) -> requests.Response:
        return ana.post(f"{path}/members", f"{path}/settings", username=usernames)

    refused = add("bob", "nobody", "eve")
    assert refused.status_code == 400
    assert bob.get(path).status_code == eve.get(path).status_code == 404
    assert "Bob and Eve were added to the room." in add("bob", "@Eve", "bob").text
    assert bob.get(path).ok
    assert eve.get(path).ok
    assert add().status_code == add("").status_code == add(" ", "@").status_code == 400


def test_a_new_room_ignores_its_creator_blank_names_and_repetitions_among_its_people(ana: Person, bob: Person) -> None:
    usernames = ["", " ", "@ana", "Ana", "bob", "@bob", " @Bob "]
    created = ana.post("/rooms/new", "/rooms/new", name="Design", visibility="private", username=usernames)
    assert created.ok, created.text
    path = urlsplit(created.url).path
    assert bob.get(path).ok
    assert ana.post(f"{path}/archive", path).ok, "the creator is its manager"


def test_invalid_names_and_topics_are_refused(ana: Person) -> None:
    valid = {"name": "Tea", "topic": "", "visibility": "open"}
    for key, value in (("name", ""), ("name", "   "), ("name", "x" * 81), ("name", "a\0b"), ("topic", "x" * 251)):
        response = ana.post("/rooms/new", "/rooms/new", **(valid | {key: value}))
        assert response.status_code == 400
        assert key in response.text
    assert ana.server.rows("SELECT count(*) FROM conversations WHERE kind = 'room'") == [(0,)]


def test_signing_out_closes_the_sockets_of_the_login_session(server: Server, ana: Person) -> None:
    copied = Person(server, "ana")
    copied.http.cookies.update(ana.http.cookies)
    elsewhere = Person(server, "ana")
    elsewhere.sign_in()
    socket, other_socket = ana.connect(), elsewhere.connect()
    ana.post("/sign-out")
    assert socket.wait_for("signed_out") == [{}]
    eventually(lambda: not socket.is_connected(), "closed")
    assert other_socket.is_connected()
    assert copied.get("/").url.endswith("/sign-in?next=/")
    with pytest.raises(Exception, match="failed to connect"):
        PythonSocket(server.url, copied.cookie)
    other_socket.post("still signed in")
    elsewhere.close()


def test_a_change_of_membership_updates_the_sidebar_of_that_user_only(ana: Person, bob: Person) -> None:
    room = ana.create_room("Tea", visibility="open")
    path = room_path(room)
    bob_socket, ana_socket = bob.connect(), ana.connect()
    count = 0

    def updates(change: Callable[[], object], *, is_listed: bool) -> None:
        nonlocal count
        change()
        count += 1
        assert bob_socket.wait_for("sidebar_changed", count) == [{}] * count
        assert ("Tea" in bob.get("/sidebar").text) is is_listed

    updates(lambda: bob.post(f"{path}/membership", path), is_listed=True)
    updates(lambda: bob.post(f"{path}/membership/end", path), is_listed=False)
    updates(lambda: ana.invite(room, bob), is_listed=True)
    updates(lambda: ana.remove(room, bob), is_listed=False)
    assert len(bob_socket.payloads("removed_from_chat")) == 2
    assert ana_socket.payloads("sidebar_changed") == []


def test_a_user_who_leaves_a_room_receives_no_more_events_from_it(ana: Person, bob: Person) -> None:
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket, bob_socket, other_socket = ana.connect(), bob.connect(), bob.connect()
    for socket in (bob_socket, other_socket):
        socket.join(room)
        socket.join()
    assert other_socket.call("leave_chat", {"conversation": room}) == {"ok": True}
    ana_socket.post("one", room)
    bob.post(f"{room_path(room)}/membership/end", room_path(room))
    seq = ana_socket.post("two", room)["seq"]
    ana_socket.call("edit_message", {"conversation": room, "seq": seq, "content": "three"})
    ana_socket.post("marker")

    for socket in (bob_socket, other_socket):
        socket.wait_for_contents("marker")
    assert bob_socket.contents(room) == ["one"]
    assert other_socket.contents(room) == []
    assert bob_socket.payloads("message_changed") == other_socket.payloads("message_changed") == []


def test_the_heartbeat_lists_rooms_to_their_members_only(
    new_server: NewServer, new_person: NewPerson, database_url: str
) -> None:
    server = new_server(database_url=database_url, CHATAPP_HEARTBEAT_SECONDS="0.2").start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    bob_socket = bob.connect()
    bob_socket.join()
    bob_socket.join(room)
    ana_socket = ana.connect()
    ana_socket.join(room)

    def listed() -> list[str]:
        return [name for beat in list(bob_socket.payloads("heads")) for name in beat["conversations"]]

    eventually(lambda: {room, "general"} <= set(listed()), "both heads")
    ana.remove(room, bob)
    bob_socket.wait_for("removed_from_chat")
    so_far, beats = listed().count(room), len(ana_socket.payloads("heads"))
    ana_socket.wait_for("heads", beats + 2)
    assert listed().count(room) == so_far
    assert bob_socket.call("join_chat", {"conversation": room})["error"]["code"] == "not_found"


def test_making_a_room_private_hides_it_from_non_members(ana: Person, bob: Person) -> None:
    room = ana.create_room("Tea", visibility="open")
    path = room_path(room)
    assert bob.get(path).ok
    form = {"name": "Tea", "topic": "", "visibility": "private"}
    assert ana.post(f"{path}/settings", f"{path}/settings", **form).ok
    assert bob.get(path).status_code == bob.post(f"{path}/membership").status_code == 404
    assert "Tea" not in bob.get("/rooms").text
    assert bob.connect().send("hello", room)["error"]["code"] == "not_found"
    assert ana.post(f"{path}/settings", f"{path}/settings", **(form | {"visibility": "secret"})).status_code == 400


def test_an_action_that_does_not_fit_the_state_of_the_room_is_refused_with_a_reason(ana: Person, bob: Person) -> None:
    room = ana.create_room("Tea", visibility="open")
    path = room_path(room)

    def refuses(person: Person, action: str, status: int, reason: str, **fields: str) -> None:
        response = person.post(f"{path}/{action}", **fields)
        assert (response.status_code, reason in unescape(response.text)) == (status, True), response.text

    refuses(ana, f"members/{ana.id}/remove", 403, "You cannot remove yourself")
    refuses(ana, f"members/{bob.id}/remove", 404, "is not a member of this room")
    refuses(ana, "members/2147483647/remove", 404, "is not a member of this room")
    refuses(ana, "restore", 409, "is not archived")
    refuses(bob, "membership/end", 403, "Join this room")
    refuses(bob, "members", 403, "Join this room", username="bob")
    assert ana.post(f"{path}/archive").ok
    refuses(ana, "archive", 409, "already archived")
    refuses(ana, "members", 409, "archived", username="bob")
    refuses(ana, "settings", 409, "archived", name="Coffee", visibility="open")
    refuses(bob, "membership", 409, "archived")
    assert "Tea" not in bob.get("/rooms").text


def test_joining_during_a_removal_does_not_let_the_user_stay(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana_socket, bob_socket = ana.connect(), bob.connect()
    bob_socket.join()
    for number in range(3):
        ana.invite(room, bob)
        bob_socket.join(room)
        joins = [
            bob_socket.emit("join_chat", {"conversation": room}) for _ in range(15)
        ]  # Each costs as much as twenty events.
        assert ana.remove(room, bob).ok
        joins += [bob_socket.emit("join_chat", {"conversation": room}) for _ in range(5)]
        ana_socket.post(f"secret {number}", room)
        assert [wait(20)["ok"] for wait in joins][-5:] == [False] * 5
        ana_socket.post(f"also secret {number}", room)
        ana_socket.post(f"marker {number}")
    bob_socket.wait_for_contents(*(f"marker {number}" for number in range(3)))
    assert bob_socket.contents(room) == []


def test_hundreds_of_rooms_do_not_fill_the_sidebar_and_all_are_listed_on_request(server: Server, ana: Person) -> None:
    moment = "'2026-01-01 00:00:00.000000'"
    server.execute(
        "INSERT INTO conversations (id, kind, name, topic, visibility, last_event, floor, created_at, updated_at) "
        "WITH RECURSIVE numbers(n) AS (SELECT 1001 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1400) "
        f"SELECT n, 'room', 'Room ' || n, '', 'private', 0, 0, {moment}, {moment} FROM numbers"
    )
    server.execute(
        "INSERT INTO memberships (conversation_id, user_id, role, created_at) "
        f"SELECT id, 1, 'member', {moment} FROM conversations WHERE id > 1000"
    )
    ana.connect().post("hello", "room_1003")
    sidebar = ana.get("/sidebar").text
    assert sidebar.count('data-entry="room_') == 50
    assert 'data-entry="room_1003"' in sidebar
    assert len(sidebar) < 70_000
    first = ana.get("/rooms").text
    assert (first.count('class="row"'), "Show all rooms" in first) == (100, True)
    everything = ana.get("/rooms?all=1").text
    assert (everything.count('class="row"'), "Show all rooms" in everything) == (400, False)
