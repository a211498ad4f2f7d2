"""Forwarding messages, and links to messages: each reader sees the original only where they may read it."""

import uuid

import requests

from tests.harness.api import check_problem
from tests.harness.assistants import shared_conversation
from tests.harness.html import attribute, find_element
from tests.harness.people import NewPerson, Person, room_path
from tests.harness.servers import Server
from tests.harness.waiting import scaled


def read_quotes(person: Person, *names: str) -> dict[str, str | None]:
    """Return the quotes that a person's page shows."""
    response = person.get("/quotes", params={"message": list(names)})
    assert response.ok
    quotes: dict[str, str | None] = response.json()["quotes"]
    return quotes


def test_each_reader_of_a_forwarded_message_sees_only_what_they_may_read(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room("Hidden plans")
    socket, bob_socket = ana.connect(), bob.connect()
    socket.post("the **swordfish**", room)
    path, name = f"/conversations/{room}/messages/1/forward", f"{room}/1"
    bob_socket.join()
    client_id = str(uuid.uuid4())
    body = {"to": "general", "content": "@bob have a look", "client_id": client_id}

    posted = ana.api().post(path, json=body)
    assert (posted.status_code, posted.json()["mentions"]) == (201, [bob.id])
    reference = f"> [Quoted message](/conversations/{room}/messages/1)"
    assert posted.json()["content"] == f"@bob have a look\n\n{reference}"
    assert ana.api().post(path, json=body).json() == posted.json()
    (received,) = bob_socket.wait_for("chat_message")
    for text in (str(received), bob.get("/").text):
        assert "swordfish" not in text
        assert "Hidden plans" not in text
    quote = read_quotes(ana, name, "general/1")[name] or ""
    assert "the swordfish" in quote
    assert "Hidden plans" in quote
    assert read_quotes(bob, name, "general/1", "room_9/1", "general/999", "nonsense", "general/x") == {
        name: None,
        "general/1": read_quotes(bob, "general/1")["general/1"],
        "room_9/1": None,
        "general/999": None,
        "nonsense": None,
        "general/x": None,
    }
    assert bob.get("/quotes", params={"message": [f"general/{n}" for n in range(51)]}).status_code == 400

    socket.call("edit_message", {"conversation": room, "seq": 1, "content": "the trout"})
    assert "the trout" in (read_quotes(ana, name)[name] or "")
    socket.call("delete_message", {"conversation": room, "seq": 1})
    assert read_quotes(ana, name) == {name: None}
    assert check_problem(ana.api().post(path, json={"to": "general"})) == (404, "not_found")


def test_both_conversations_are_authorized(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room, other = ana.create_room("Plans"), bob.create_room("Others")
    archived = ana.create_room("Old")
    ana.connect().post("the plan", room)
    assert ana.post(f"{room_path(archived)}/archive", room_path(archived)).ok
    path = f"/conversations/{room}/messages/1/forward"
    assert check_problem(bob.api().post(path, json={"to": "general"})) == (404, "not_found")
    assert check_problem(ana.api().post(path, json={"to": other})) == (404, "not_found")
    assert check_problem(ana.api().post(path, json={"to": archived})) == (409, "archived")
    assert check_problem(ana.api().post(path, json={"to": "nothing"}))[0] in {400, 404, 422}
    assert bob.get(path).status_code == 404
    refused = ana.post(path, path, to=other, content="my comment", form_id=str(uuid.uuid4()))
    assert refused.status_code == 404
    assert find_element(refused.text, "textarea").text() == "my comment"
    assert "not a member" in find_element(refused.text, "[role=alert]").text()
    too_long = ana.api().post(path, json={"to": "general", "content": "x" * 10_000})
    assert check_problem(too_long)[0] in {400, 422}


def test_a_message_is_forwarded_without_javascript(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room("Plans")
    eve_room = bob.create_room("Eve only")
    ana.connect().post("```\nthe plan", room)
    path = f"/conversations/{room}/messages/1/forward"
    page = ana.get(path).text
    assert attribute(page, "[value=general]", "type") == "radio"
    for value in (room, "@bob"):
        assert f'value="{value}"' in page
    assert eve_room not in page
    found = find_element(ana.get(path, params={"text": "plan"}).text, "[role=radiogroup]").text()
    assert "Plans" in found
    assert "General" not in found
    form = {"to": "@bob", "content": "~~~\nopen", "form_id": str(uuid.uuid4())}
    for _ in range(2):
        shown = ana.post(path, path, **form)
        assert shown.ok
        assert "/direct/bob" in shown.url
    (message,) = bob.connect().join(ana.open_direct(bob))["messages"]
    assert message["content"] == f"> [Quoted message](/conversations/{room}/messages/1)\n\n~~~\nopen"
    assert 'value="@bob"' not in ana.get(path).text


def test_what_is_forwarded_to_a_public_conversation_is_not_public(server: Server, ana: Person) -> None:
    conversation = shared_conversation(server, "helper")
    room = ana.create_room("Hidden plans")
    ana.connect().post("the swordfish", room)
    assert ana.post(f"/conversations/{conversation}/share", "/assistants/helper").ok
    path = f"/conversations/{room}/messages/1/forward"
    assert ana.api().post(path, json={"to": conversation}).status_code == 201
    (token,) = server.share_tokens()
    public = requests.get(f"{server.url}/shared/{token}", timeout=scaled(30)).text
    exports = [ana.get(f"/conversations/{conversation}/export.{name}").text for name in ("json", "md")]
    for text in (public, *exports):
        assert f"/conversations/{room}/messages/1" in text
        assert "swordfish" not in text
        assert "Hidden plans" not in text
    stranger = requests.get(f"{server.url}/quotes", params={"message": f"{room}/1"}, timeout=scaled(30))
    assert stranger.status_code == 401


def test_forwarding_a_forwarded_message_refers_to_the_original_where_the_person_may_read_it(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room, notes = ana.create_room("Plans"), ana.open_direct(ana)
    ana.connect().post("the original", room)

    def forward(person: Person, source: str, target: str, seq: int = 1, comment: str = "") -> str:
        body = {"to": target, "content": comment, "client_id": str(uuid.uuid4())}
        response = person.api().post(f"/conversations/{source}/messages/{seq}/forward", json=body)
        assert response.status_code == 201, response.text
        content: str = response.json()["content"]
        return content

    original = f"> [Quoted message](/conversations/{room}/messages/1)"
    assert forward(ana, room, "general") == original
    assert forward(ana, "general", notes) == original
    # Bob may read only the message that forwards it.
    bob_notes = bob.open_direct(bob)
    assert forward(bob, "general", bob_notes) == "> [Quoted message](/conversations/general/messages/1)"
    # A comment is part of what is forwarded.
    assert forward(ana, room, "general", comment="look") == f"look\n\n{original}"
    assert forward(ana, "general", notes, seq=2) == "> [Quoted message](/conversations/general/messages/2)"
