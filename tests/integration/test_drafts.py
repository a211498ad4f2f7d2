"""Drafts on the server: over events, the API and pages."""

from typing import Any
from uuid import uuid4

from tests.harness.api import check_problem
from tests.harness.html import attribute, find_element
from tests.harness.people import NewPerson, Person, Socket, message_payload, room_path
from tests.harness.servers import NewServer, Server


def save(socket: Socket, conversation: str, content: str, version: int = 0, **fields: Any) -> dict[str, Any]:
    payload = {"conversation": conversation, "content": content, "version": version, **fields}
    acknowledgement: dict[str, Any] = socket.call("save_draft", payload)
    return acknowledgement


def stored(person: Person) -> list[tuple[str, int | None, str]]:
    drafts = person.api().get("/drafts").json()["drafts"]
    return [(each["conversation"], each["thread"], each["content"]) for each in drafts]


def places(person: Person) -> list[str]:
    return attribute(person.get("/").text, "[data-drafts]", "data-drafts").split()


def test_a_draft_is_the_same_on_all_devices_and_private(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    socket, device, other = ana.connect(), ana.connect(), bob.connect()
    first = save(socket, room, "hello ")
    assert first["saved"]
    changed = {"conversation": room, "thread": None, "content": "hello ", "version": first["draft"]["version"]}
    assert device.wait_for("draft_changed") == [changed]
    second = save(device, room, "hello world", first["draft"]["version"])
    assert second["draft"]["version"] > first["draft"]["version"]

    late = save(socket, room, "hello again", first["draft"]["version"])
    assert (late["saved"], late["draft"]["content"]) == (False, "hello world")
    assert not save(socket, room, "as if there was none")["saved"]
    assert socket.call("draft", {"conversation": room})["draft"] == second["draft"]
    assert other.call("draft", {"conversation": room})["draft"]["version"] == 0
    assert other.payloads("draft_changed") == []
    assert stored(ana) == [(room, None, "hello world")]
    assert stored(bob) == []
    assert places(ana) == [room]
    assert places(bob) == []

    removed = save(socket, room, " \n", second["draft"]["version"])
    assert removed == {"ok": True, "draft": {"content": "", "version": 0, "client_id": None}, "saved": True}
    assert device.wait_for("draft_changed", 3)[-1]["content"] == ""
    assert places(ana) == []


def test_sending_a_message_removes_its_draft_and_a_late_save_does_not_revive_it(
    any_server: Server, new_person: NewPerson
) -> None:
    ana = new_person(any_server, "ana")
    socket, device = ana.connect(), ana.connect()
    key = str(uuid4())
    version = save(socket, "general", "hello", client_id=key)["draft"]["version"]
    sent = message_payload("hello", client_id=key) | {"draft": version}
    assert socket.call("send_message", sent)["ok"]
    assert device.wait_for("draft_changed", 2)[-1]["content"] == ""
    assert stored(ana) == []
    for late in (0, version):
        assert not save(socket, "general", "hello", late, client_id=key)["saved"]
    assert stored(ana) == []

    # The acknowledgement of the save had not arrived when the message was sent.
    key = str(uuid4())
    save(socket, "general", "second", client_id=key)
    socket.call("send_message", message_payload("second", client_id=key) | {"draft": 0})
    assert stored(ana) == []

    # Another device has written on: that is not lost.
    key = str(uuid4())
    version = save(socket, "general", "third", client_id=key)["draft"]["version"]
    save(device, "general", "third, and more", version, client_id=str(uuid4()))
    socket.call("send_message", message_payload("third", client_id=key) | {"draft": version})
    assert stored(ana) == [("general", None, "third, and more")]
    # Programs that post for a person leave the drafts alone.
    ana.api().post("/conversations/general/messages", json={"content": "by a program"})
    assert len(stored(ana)) == 1


def test_a_thread_has_a_draft_of_its_own(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    socket = ana.connect()
    socket.post("root")
    save(socket, "general", "for the room")
    saved = save(socket, "general", "for the thread", thread=1)
    assert sorted(stored(ana), key=str) == [("general", 1, "for the thread"), ("general", None, "for the room")]
    assert sorted(places(ana)) == ["general", "general:thread:1"]
    path = "/conversations/general/threads/1"
    assert find_element(ana.get(path).text, "#content").text().strip() == "for the thread"
    assert find_element(ana.get("/").text, "#content").text().strip() == "for the room"
    assert save(socket, "general", "text", thread=99)["error"]["code"] == "not_found"
    reply = message_payload("for the thread") | {"thread": 1, "draft": saved["draft"]["version"]}
    assert socket.call("send_message", reply)["ok"]
    assert stored(ana) == [("general", None, "for the room")]


def test_without_javascript_the_form_shows_the_draft_and_removes_it(server: Server, ana: Person) -> None:
    socket = ana.connect()
    save(socket, "general", "\n  <b>begun & kept")
    page = ana.get("/").text
    # A browser leaves out the first line break of a text field.
    assert "data-markdown>\n\n  &lt;b&gt;begun &amp; kept</textarea>" in page
    version = attribute(page, "input[name=draft]", "value")
    key = attribute(page, "input[name=form_id]", "value")
    path = "/conversations/general/messages"
    refused = ana.post(path, content=" ", form_id=key, draft=version)
    assert refused.status_code == 400
    assert ana.post(path, content="finished", form_id=key, draft=version).ok
    assert stored(ana) == []
    assert attribute(ana.get("/").text, "#content", "data-draft-version") == "0"


def test_drafts_outlive_a_membership_and_go_with_their_conversation(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    socket = bob.connect()
    version = save(socket, room, "begun")["draft"]["version"]
    assert ana.remove(room, bob).ok
    assert save(socket, room, "written on", version)["error"]["code"] == "not_found"
    assert socket.call("draft", {"conversation": room})["error"]["code"] == "not_found"
    assert stored(bob) == [(room, None, "begun")]
    ana.invite(room, bob)
    assert "begun" in find_element(bob.get(room_path(room)).text, "#content").text()
    assert ana.remove(room, bob).ok
    assert save(socket, room, "", version)["saved"]
    assert stored(bob) == []


def test_the_api_saves_drafts_and_refuses_old_versions(server: Server, ana: Person) -> None:
    api = ana.api()
    path = "/conversations/general/draft"
    first = api.request("PUT", path, json={"content": "hello", "version": 0}).json()
    assert first | {"version": 1} == {"conversation": "general", "thread": None, "content": "hello", "version": 1}
    refused = api.request("PUT", path, json={"content": "late", "version": 0})
    assert check_problem(refused) == (409, "conflict")
    removed = api.request("PUT", path, json={"content": "", "version": first["version"]})
    assert removed.json()["version"] == 0
    assert stored(ana) == []
    root = ana.connect().post("root")["seq"]
    in_thread = api.request("PUT", path, json={"content": "a reply", "version": 0, "thread": root})
    assert (in_thread.status_code, in_thread.json()["thread"]) == (200, root)


def test_drafts_are_limited_in_size_number_and_rate(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server(
        CHATAPP_MAX_DRAFTS="1", CHATAPP_MAX_MESSAGE_CHARS="10", CHATAPP_DRAFT_SAVES_PER_MINUTE="4"
    ).start()
    ana = new_person(server, "ana")
    room = ana.create_room()
    socket = ana.connect()
    assert save(socket, room, "x" * 11)["error"]["code"] == "too_long"
    version = save(socket, room, "one")["draft"]["version"]
    assert save(socket, "general", "two")["error"]["code"] == "conflict"
    assert save(socket, room, "", version)["saved"]
    assert save(socket, "general", "two")["saved"]
    assert save(socket, "general", "three")["error"]["code"] == "rate_limited"


def test_a_draft_survives_a_crash(server: Server, ana: Person) -> None:
    save(ana.connect(), "general", "begun")
    server.kill()
    server.start()
    assert stored(ana) == [("general", None, "begun")]


def test_removing_a_draft_says_nothing_of_a_conversation_that_one_may_not_see(
    server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    socket = bob.connect()
    answers = [save(socket, conversation, "") for conversation in (ana.create_room(), "room_999", "direct_999")]
    assert answers[0]["ok"]
    assert answers.count(answers[0]) == 3
