"""Transcripts of conversations with assistants: exports, and public pages behind a share link."""

import json
import re

import requests

from tests.harness.assistants import shared_conversation, start_session
from tests.harness.people import NewPerson, Person
from tests.harness.servers import Server
from tests.harness.waiting import scaled


def start_session_with(person: Person, *contents: str) -> str:
    """Start a session and insert these messages, which no assistant answers."""
    conversation, server = start_session(person), person.server
    conversation_id = conversation.removeprefix("assistant_")
    for number, content in enumerate(contents, 1):
        server.execute(
            "INSERT INTO messages (conversation_id, seq, version, sender_type, sender_name, message_type, content, "
            f"created_at) VALUES ({conversation_id}, {number}, {number}, 'user', 'Ana', 'text', '{content}', "
            "'2026-01-01 00:00:00')"
        )
    server.execute(f"UPDATE conversations SET last_event = {len(contents)} WHERE id = {conversation_id}")
    return conversation


def test_every_export_format_has_all_messages(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    contents = [f"message {number}" for number in range(1, 402)]
    conversation = start_session_with(ana, *contents, "deleted")
    any_server.execute("UPDATE messages SET deleted_at = '2026-01-02 00:00:00' WHERE content = 'deleted'")
    files = {name: ana.get(f"/conversations/{conversation}/export.{name}") for name in ("json", "md", "pdf")}

    assert [message["content"] for message in json.loads(files["json"].text)["messages"]] == contents
    assert re.findall(r"^message \d+$", files["md"].text, re.MULTILINE) == contents
    assert files["pdf"].content.startswith(b"%PDF-")
    for name, response in files.items():
        assert response.headers["Content-Disposition"] == f"attachment; filename=New_session.{name}"


def test_anyone_with_the_link_can_read_until_it_is_revoked(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    conversation = start_session_with(ana, "written before")
    path = ana.get(f"/sessions/{conversation.removeprefix('assistant_')}").url.removeprefix(any_server.url)
    ana.post(f"/conversations/{conversation}/share", path)
    ana.post(f"/conversations/{conversation}/share", path)
    ((token,),) = any_server.rows("SELECT token FROM share_links")
    url = f"{any_server.url}/shared/{token}"

    response = requests.get(url, timeout=scaled(30))
    assert "written before" in response.text
    assert response.headers["X-Robots-Tag"] == "noindex"
    assert "data-sender-id" not in response.text
    assert "<form" not in response.text
    assert "written before" not in requests.get(f"{url}?before=1", timeout=scaled(30)).text

    ana.post(f"/conversations/{conversation}/unshare", path)
    assert requests.get(url, timeout=scaled(30)).status_code == 404


def test_only_an_admin_can_share_a_shared_conversation(server: Server, ana: Person, bob: Person) -> None:
    conversation = shared_conversation(server, "helper")
    assert bob.post(f"/conversations/{conversation}/share").status_code == 403
    assert server.rows("SELECT count(*) FROM share_links") == [(0,)]
    assert ana.post(f"/conversations/{conversation}/share").ok
    assert server.rows("SELECT count(*) FROM share_links") == [(1,)]
