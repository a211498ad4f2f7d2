"""Transcripts of conversations with assistants: exports, and public pages behind a share link."""

import json
import re

import requests

from tests.harness.assistants import insert_messages, shared_conversation, start_session, wait_for_answer
from tests.harness.html import attribute, find_element
from tests.harness.people import NewPerson, Person
from tests.harness.servers import Server
from tests.harness.waiting import scaled


def start_session_with(person: Person, *contents: str) -> str:
    """Start a session and insert these messages, which no assistant answers."""
    conversation = start_session(person)
    insert_messages(person.server, conversation, *contents)
    return conversation


def test_every_export_format_has_all_messages(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    contents = [f"message {number}" for number in range(1, 402)]
    conversation = start_session_with(ana, *contents, "deleted")
    any_server.execute("UPDATE messages SET deleted_at = '2026-01-02 00:00:00' WHERE content = 'deleted'")
    files = {name: ana.get(f"/conversations/{conversation}/export.{name}") for name in ("json", "md", "pdf")}

    assert [message["content"] for message in json.loads(files["json"].text)["messages"]] == contents
    assert re.findall(r"^> (message \d+)$", files["md"].text, re.MULTILINE) == contents
    assert files["pdf"].content.startswith(b"%PDF-")
    for name, response in files.items():
        assert response.headers["Content-Disposition"] == f"attachment; filename=New_session.{name}"
        assert response.headers["Cache-Control"] == "no-store"


def test_anyone_with_the_link_can_read_until_it_is_revoked(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    conversation = start_session_with(ana, "written before")
    any_server.execute(f"UPDATE messages SET sender_id = {ana.id}, edited_at = '2026-01-02 00:00:00'")
    path = ana.get(f"/sessions/{conversation.removeprefix('assistant_')}").url.removeprefix(any_server.url)
    ana.post(f"/conversations/{conversation}/share", path)
    ana.post(f"/conversations/{conversation}/share", path)
    (token,) = any_server.share_tokens()
    url = f"{any_server.url}/shared/{token}"

    assert url in ana.get(path).text
    assert token not in str(any_server.rows("SELECT token, token_hash FROM share_links"))
    any_server.execute("UPDATE share_links SET token = 'lost.AAAA'")
    assert "The link cannot be shown. Revoke it" in ana.get(path).text, "the file with the keys was lost"
    response = requests.get(url, timeout=scaled(30))
    assert "written before" in response.text
    assert response.headers["X-Robots-Tag"] == "noindex"
    assert "data-sender-id" not in response.text
    assert attribute(response.text, ".message-sender", "title") == "@ana"
    assert "/people/" not in response.text
    assert "(edited)" in response.text
    assert "/versions" not in response.text
    assert "<form" not in response.text
    assert "written before" not in requests.get(f"{url}?before=1", timeout=scaled(30)).text

    ana.post(f"/conversations/{conversation}/unshare", path)
    assert requests.get(url, timeout=scaled(30)).status_code == 404


def test_a_public_link_reveals_no_message_of_another_conversation(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room, session = ana.create_room("Hidden plans"), start_session(ana)
    path = f"/sessions/{session.removeprefix('assistant_')}"
    socket = ana.connect()
    message = socket.post("the budget of tonight is swordfish", room)
    assert socket.join(session)["is_public"] is False
    socket.post("find budget", session)
    answer = wait_for_answer(socket, session)
    reference = f"/conversations/{room}/messages/{message['seq']}"
    assert answer["content"].endswith(f"> [Quoted message]({reference})")

    ana.post(f"/conversations/{session}/share", path)
    assert socket.wait_for("sharing_changed") == [{"conversation": session, "is_public": True}]
    socket.post("find tonight", session)
    assert "I found nothing" in wait_for_answer(socket, session, 2)["content"]
    (token,) = any_server.share_tokens()
    public = requests.get(f"{any_server.url}/shared/{token}", timeout=scaled(30)).text
    assert reference in public
    exports = [ana.get(f"/conversations/{session}/export.{name}").text for name in ("json", "md")]
    deltas = str(socket.payloads("assistant_delta"))
    for text in (public, *exports, ana.api().get(f"/conversations/{session}/messages").text, deltas, str(answer)):
        assert "swordfish" not in text
        assert "Hidden plans" not in text

    assert "the budget of tonight is swordfish" in ana.get(f"{reference}/quote").text
    assert bob.get(f"{reference}/quote").status_code == 404
    assert requests.get(f"{any_server.url}{reference}/quote", timeout=scaled(30)).status_code == 404
    socket.call("delete_message", {"conversation": room, "seq": message["seq"]})
    assert ana.get(f"{reference}/quote").status_code == 404


def test_everybody_in_a_conversation_sees_that_it_is_public(server: Server, ana: Person, bob: Person) -> None:
    conversation, socket = shared_conversation(server, "helper"), bob.connect()
    socket.join(conversation)
    assert find_element(bob.get("/assistants/helper").text, "[data-public-notice][hidden]")

    ana.post(f"/conversations/{conversation}/share", "/assistants/helper")

    assert socket.wait_for("sharing_changed") == [{"conversation": conversation, "is_public": True}]
    assert socket.join(conversation)["is_public"] is True
    bob_page = bob.get("/assistants/helper").text
    assert find_element(bob_page, "[data-public-notice]:not([hidden])")
    assert "/shared/" not in bob_page
    assert "/shared/" in attribute(ana.get("/assistants/helper").text, "[data-public-notice] #share-url", "value")
    assert bob.api().get(f"/conversations/{conversation}").json()["is_public"] is True
    ana.post(f"/conversations/{conversation}/unshare", "/assistants/helper")
    assert socket.wait_for("sharing_changed", 2)[1] == {"conversation": conversation, "is_public": False}
    assert socket.join(conversation)["is_public"] is False


def test_only_an_admin_can_share_a_shared_conversation(server: Server, ana: Person, bob: Person) -> None:
    conversation = shared_conversation(server, "helper")
    assert bob.post(f"/conversations/{conversation}/share").status_code == 403
    assert server.rows("SELECT count(*) FROM share_links") == [(0,)]
    assert ana.post(f"/conversations/{conversation}/share").ok
    assert server.rows("SELECT count(*) FROM share_links") == [(1,)]
