"""Earlier versions of edited messages, and replies: over events and the API, on pages and in exports."""

import json
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from tests.harness.api import MESSAGES, check_problem, list_seqs, post_message
from tests.harness.assistants import insert_messages, start_session
from tests.harness.html import attribute, find_element
from tests.harness.people import NewPerson, Person, Socket, message_payload, without_html
from tests.harness.servers import Server


def edit(socket: Socket, conversation: str, content: str) -> Any:
    return socket.call("edit_message", {"conversation": conversation, "seq": 1, "content": content})["message"]


def test_members_see_every_earlier_version_until_the_message_is_deleted(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob, eve = (new_person(any_server, name) for name in ("ana", "bob", "eve"))
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket, reference = ana.connect(), {"conversation": room, "seq": 1}
    first = ana_socket.post("first <b>", room)
    ana_socket.call("react", reference | {"reaction": "👍", "on": True})
    second = edit(ana_socket, room, "second")
    ana_socket.call("edit_message", reference | {"metadata": {"a": 1}})
    edit(ana_socket, room, "third")
    assert edit(ana_socket, room, "third")["version"] == 5

    path = f"/conversations/{room}/messages/1/versions"
    page = bob.api().get(path).json()
    assert (page["total"], page["next"], page["previous"]) == (2, None, None)
    assert page["versions"] == [
        {"version": 2, "content": "first <b>", "written_at": first["created_at"]},
        {"version": 4, "content": "second", "written_at": second["edited_at"]},
    ]
    ack = bob.connect().call("message_versions", reference)
    assert ack == {"ok": True, "versions": page["versions"], "more": False}
    assert attribute(bob.get(f"/rooms/{room[5:]}").text, "#message-1 a.message-edited", "href") == path
    texts = [find_element(bob.get(path).text, f".versions li:nth-child({n}) .message-body").text() for n in (1, 2, 3)]
    assert texts == ["third", "second", "first <b>"]

    def is_hidden_from(person: Person) -> bool:
        assert check_problem(person.api().get(path)) == (404, "not_found")
        assert person.connect().call("message_versions", reference)["error"]["code"] == "not_found"
        return person.get(path).status_code == 404

    assert is_hidden_from(eve)
    ana_socket.call("delete_message", reference)
    assert is_hidden_from(bob)
    assert any_server.rows("SELECT count(*) FROM message_versions") == [(0,)]

    # So does a cleanup.
    ana_socket.post("in General")
    edit(ana_socket, "general", "edited")
    assert any_server.rows("SELECT content FROM message_versions") == [("in General",)]
    assert ana.post("/conversations/general/clear").ok
    assert any_server.rows("SELECT count(*) FROM message_versions") == [(0,)]


def test_many_versions_are_paged(server: Server, ana: Person) -> None:
    socket, api = ana.connect(), ana.api()
    socket.post("hello")
    path = f"{MESSAGES}/1/versions"
    assert api.get(path).json()["versions"] == []
    assert "This message was not edited." in ana.get(path).text
    for number in range(1, 61):
        server.execute(
            "INSERT INTO message_versions (message_id, version, content, written_at) "
            f"SELECT id, {number}, 'text {number}', created_at FROM messages"
        )

    def numbers(response: Any) -> list[int]:
        return [version["version"] for version in response.json()["versions"]]

    response = api.get(path, params={"limit": 25})
    found = numbers(response)
    while "prev" in response.links:
        response = api.get(response.links["prev"]["url"].removeprefix("/api"))
        found = numbers(response) + found
    assert found == list(range(1, 61))
    assert numbers(api.get(path, params={"after": 58})) == [59, 60]
    assert numbers(api.get(path, params={"before": 1})) == numbers(api.get(path, params={"after": 60})) == []
    assert api.get(path, params={"before": 1}).json()["next"] is not None

    ack = socket.call("message_versions", {"conversation": "general", "seq": 1})
    assert ([each["version"] for each in ack["versions"]], ack["more"]) == (list(range(11, 61)), True)
    older = socket.call("message_versions", {"conversation": "general", "seq": 1, "before": 11, "limit": 2})
    assert ([each["version"] for each in older["versions"]], older["more"]) == ([9, 10], True)
    page = ana.get(path).text
    assert "text 11<" in page
    assert "text 10<" not in page
    oldest = ana.get(attribute(page, ".versions p:last-child a", "href")).text
    assert "text 10<" in oldest
    assert "Older versions" not in oldest


def test_an_export_has_the_earlier_versions_and_replies(server: Server, ana: Person) -> None:
    session = start_session(ana)
    insert_messages(server, session, "first", "reply")
    server.execute(f"UPDATE messages SET sender_id = {ana.id}")
    server.execute("UPDATE messages SET reply_to = 1 WHERE seq = 2")
    socket = ana.connect()
    edit(socket, session, "second")
    edited_at = edit(socket, session, "third")["edited_at"]
    exported = json.loads(ana.get(f"/conversations/{session}/export.json").text)["messages"]
    assert exported[0]["edited_at"] == edited_at.replace("Z", "+00:00")
    assert [version["content"] for version in exported[0]["versions"]] == ["first", "second"]
    assert [(each["reply_to"], len(each["versions"])) for each in exported] == [(None, 2), (1, 0)]


def test_a_reply_names_a_message_that_exists_in_its_conversation(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket, other, api = ana.connect(), bob.connect(), ana.api()
    room = ana.create_room()
    post_message(api, "in the room", room)
    socket.join()
    other.join()
    for content in ("one", "two"):
        socket.post(content)

    payload = message_payload("a reply") | {"reply_to": 1}
    sent = other.call("send_message", payload)["message"]
    assert sent["reply_to"] == 1
    repeated = other.call("send_message", payload | {"reply_to": 99})["message"]
    assert without_html(repeated) == sent
    socket.wait_for_contents("one", "two", "a reply")
    assert socket.messages()[-1] == repeated
    assert api.post(MESSAGES, json={"content": "by the API", "reply_to": 2}).json()["reply_to"] == 2
    assert api.get(f"{MESSAGES}/3").json()["reply_to"] == 1
    assert socket.post("no reply")["reply_to"] is None

    # What happens to the message later does not change the reply.
    socket.call("delete_message", {"conversation": "general", "seq": 2})
    assert api.get(f"{MESSAGES}/4").json()["reply_to"] == 2
    for number, conversation in ((2, "general"), (99, "general"), (0, "general"), (2, room)):
        body = {"content": "x", "reply_to": number}
        refused = api.post(f"/conversations/{conversation}/messages", json=body)
        assert check_problem(refused) == (422, "invalid_reply"), (number, conversation)
        assert "does not exist in this conversation" in refused.json()["detail"]
        ack = socket.call("send_message", message_payload("x", conversation) | {"reply_to": number})
        assert ack["error"]["code"] == "invalid_reply"
    for malformed in ("1", 1.5, -1, True, 2**63):
        ack = socket.call("send_message", message_payload("x") | {"reply_to": malformed})
        assert ack["error"]["code"] == "invalid", malformed
        assert check_problem(api.post(MESSAGES, json={"content": "x", "reply_to": malformed})) == (400, "invalid")
    any_server.flask("cleanup", "--conversation", "general", "--keep-last", "2", stdin="y\n")
    assert check_problem(api.get(f"{MESSAGES}/2")) == (404, "not_found")
    kept = api.get(MESSAGES).json()
    assert (list_seqs(kept), [each["reply_to"] for each in kept["messages"]]) == ([4, 5], [2, None])


def test_replies_quote_the_original_as_it_is_now(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    socket = ana.connect()
    socket.join()
    socket.post("the **original**")
    for number in range(60):
        socket.post(f"message {number}")
    socket.call("send_message", message_payload("a reply") | {"reply_to": 1})

    def read_quotes(path: str = "/") -> list[str]:
        return [" ".join(quote.text().split()) for quote in LexborHTMLParser(ana.get(path).text).css("a.reply-quote")]

    requested = "/conversations/general/quotes?seq=1&seq=99"
    assert read_quotes() == ["In reply to Ana the original"]
    assert read_quotes("/conversations/general/messages?after=60") == ["In reply to Ana the original"]
    assert ana.get(requested).json() == {"quotes": [{"seq": 1, "version": 1, "sender": "Ana", "text": "the original"}]}
    socket.call("edit_message", {"conversation": "general", "seq": 1, "content": "changed"})
    assert read_quotes() == ["In reply to Ana changed"]
    socket.call("delete_message", {"conversation": "general", "seq": 1})
    assert read_quotes() == ["Deleted message"]
    (quote,) = ana.get(requested).json()["quotes"]
    assert quote["text"] is None
    many = "&".join(f"seq={number}" for number in range(51))
    assert ana.get(f"/conversations/general/quotes?{many}").status_code == 400
