"""Reminders: set by a command, on a message and over the API, and due once on all devices."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.harness.api import check_problem
from tests.harness.html import find_element
from tests.harness.people import NewPerson, Person, Socket, message_payload
from tests.harness.servers import Server
from tests.harness.waiting import eventually


def after(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def remind(socket: Socket, due_at: str, **about: Any) -> dict[str, Any]:
    ack = socket.call("remind_me", {"due_at": due_at, "client_id": str(uuid.uuid4())} | about)
    assert ack["ok"], ack
    reminder: dict[str, Any] = ack["reminder"]
    return reminder


def due(socket: Socket) -> list[dict[str, Any]]:
    return [each for each in socket.payloads("reminder_changed") if each["state"] == "due"]


def listed_text(person: Person) -> str:
    return " ".join(find_element(person.get("/scheduled").text, "[data-scheduled]").text().split())


def test_a_reminder_is_due_once_on_all_devices_and_stays_until_it_is_done(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket, other, bobs = ana.connect(), ana.connect(), bob.connect()
    seq = bobs.post("the original")["seq"]
    key = str(uuid.uuid4())
    first = remind(socket, after(1), content="call Bob", conversation="general", seq=seq, client_id=key)
    assert remind(socket, after(60), content="again", client_id=key) == first
    for each in (socket, other):
        eventually(lambda each=each: len(due(each)) == 1, "the device is reminded")  # type: ignore[misc]
    assert due(other) == [
        {"id": first["id"], "state": "due", "content": "call Bob", "conversation": "general", "seq": seq}
    ]
    text = listed_text(ana)
    assert all(part in text for part in ("Due", "call Bob", "the original", "Mark as done"))
    assert "1 due or not sent" in " ".join(
        find_element(ana.get("/sidebar").text, "a[href='/scheduled']").text().split()
    )
    assert bobs.payloads("reminder_changed") == []
    for event in ("move_reminder", "finish_reminder"):
        payload = {"id": first["id"]} | ({"due_at": after(60)} if event == "move_reminder" else {})
        assert bobs.call(event, payload)["error"]["code"] == "not_found"
    assert socket.call("move_reminder", {"id": first["id"], "due_at": after(1)})["reminder"]["fired_at"] is None
    eventually(lambda: len(due(socket)) == 2, "it is due again")
    assert ana.post(f"/reminders/{first['id']}/done", "/scheduled").ok
    assert any_server.rows("SELECT count(*) FROM reminders") == [(0,)]
    assert "/scheduled" not in ana.get("/sidebar").text


def test_a_reminder_of_a_message_that_one_may_no_longer_read_has_no_text_of_it(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    secret, deleted = (ana.connect().post(text, room)["seq"] for text in ("a secret", "a mistake"))
    socket = bob.connect()
    remind(socket, after(0.5), conversation=room, seq=secret)
    remind(socket, after(0.5), conversation=room, seq=deleted)
    assert "a secret" in listed_text(bob)
    ana.connect().call("delete_message", {"conversation": room, "seq": deleted})
    assert "a mistake" not in listed_text(bob)
    ana.remove(room, bob)
    again = bob.connect()
    eventually(lambda: len(due(socket)) + len(due(again)) >= 2, "both are due")
    assert "a secret" not in listed_text(bob)
    assert listed_text(bob).count("This message was deleted, or you do not have access to it.") == 2
    ack = again.call("remind_me", {"due_at": after(9), "client_id": str(uuid.uuid4()), "conversation": room, "seq": 1})
    assert ack["error"]["code"] == "not_found"


def test_a_command_sets_a_reminder_in_every_conversation(server: Server, ana: Person) -> None:
    socket = ana.connect()
    for conversation in ("general", ana.create_room(), ana.open_direct(ana)):
        payload = {"conversation": conversation, "content": "/remind me to call Bob tomorrow 9:00"}
        ack = socket.call("run_command", payload | {"zone": "Europe/Berlin"})
        assert ack["notice"] == "Reminder set: Tomorrow at 09:00."
    reminders = ana.api().get("/reminders").json()
    assert reminders["total"] == 3
    assert reminders["reminders"][0]["content"] == "call Bob"
    assert reminders["reminders"][0]["due_at"][11:13] in {"07", "08"}
    refused = socket.call("run_command", {"conversation": "general", "content": "/remind me later"})
    assert "“in 20 minutes”" in refused["error"]["message"]
    # Without JavaScript.
    page = ana.post("/conversations/general/messages", **message_payload("/remind me to rest in 3 hours"))
    assert "Reminder set: " in page.text
    assert server.rows("SELECT count(*) FROM messages WHERE message_type = 'text'") == [(0,)]


def test_the_api_has_reminders(any_server: Server, new_person: NewPerson) -> None:
    api = new_person(any_server, "ana").api()
    created = api.post("/reminders", json={"content": "call", "due_at": after(60)}, headers={"Idempotency-Key": "1"})
    assert created.status_code == 201
    path = created.headers["Location"].removeprefix("/api")
    assert api.get(path).json() == created.json()
    moved = api.request("PATCH", path, json={"due_at": after(120)}).json()
    assert moved["due_at"] > created.json()["due_at"]
    assert check_problem(api.post("/reminders", json={"due_at": after(60)})) == (400, "not_text")
    assert check_problem(api.post("/reminders", json={"seq": 1, "due_at": after(60)})) == (400, "invalid")
    assert api.request("DELETE", path).status_code == 204
    assert check_problem(api.get(path)) == (404, "not_found")


def test_a_reminder_whose_time_passed_while_the_server_was_down_is_due_at_the_next_start(
    any_server: Server, new_person: NewPerson
) -> None:
    ana = new_person(any_server, "ana")
    remind(ana.connect(), after(1), content="wake up")
    any_server.terminate()
    time.sleep(1.1)
    any_server.start()
    query = "SELECT count(*) FROM reminders WHERE fired_at IS NOT NULL"
    eventually(lambda: any_server.rows(query) == [(1,)], "it is due")


def test_a_command_says_nothing_of_a_conversation_that_one_may_not_see(server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    for conversation in (ana.open_direct(ana), ana.create_room(), "direct_999"):
        refused = bob.post(f"/conversations/{conversation}/messages", content="/remind me to call in 5 minutes")
        assert refused.status_code == 404, conversation
        assert "ana" not in refused.url
    assert bob.api().get("/reminders").json()["total"] == 0
