"""What leaves a conversation with an assistant: files for its readers, and a public page while there is a link."""

import json
import re

import pytest
import requests

from chatapp.conversations.names import ConversationName
from chatapp.models import now
from chatapp.timeline import TimelineMessage
from chatapp.transcripts.pdf import make_pdf
from tests.harness.people import NewPerson, Person, find_csrf_token
from tests.harness.servers import Server


def begin_session(person: Person, *said: str) -> str:
    """Let a person begin a session and say something there that no assistant answers."""
    address = _post(person, "/sessions", assistant="helper").url
    name = f"assistant_{address.rpartition('/')[2]}"
    server = person.server
    for number, text in enumerate(said, 1):
        server.execute(
            "INSERT INTO messages (conversation_id, seq, version, sender_type, sender_name, message_type, content, "
            f"created_at) VALUES ({name.partition('_')[2]}, {number}, {number}, 'user', 'Ana', 'text', '{text}', "
            "'2026-01-01 00:00:00')"
        )
    server.execute(f"UPDATE conversations SET last_event = {len(said)} WHERE id = {name.partition('_')[2]}")
    return name


def _post(person: Person, path: str, **form: str) -> requests.Response:
    token = find_csrf_token(person.http.get(person.server.url + "/people").text)
    return person.http.post(person.server.url + path, data={"csrf_token": token, **form}, timeout=30)


def test_every_form_of_an_export_has_all_that_was_said(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    name = begin_session(ana, *(f"said {number}" for number in range(1, 402)), "gone")
    any_server.execute("UPDATE messages SET deleted_at = '2026-01-02 00:00:00' WHERE content = 'gone'")
    answers = {form: ana.get(f"/conversations/{name}/export.{form}") for form in ("json", "md", "pdf")}

    assert [row["content"] for row in json.loads(answers["json"].text)["messages"]] == [
        f"said {number}" for number in range(1, 402)
    ]
    assert re.findall(r"^said \d+$", answers["md"].text, re.MULTILINE) == [f"said {number}" for number in range(1, 402)]
    assert answers["pdf"].content.startswith(b"%PDF-")
    for form, answer in answers.items():
        assert answer.headers["Content-Disposition"] == f"attachment; filename=New_session.{form}"


@pytest.mark.parametrize("text", ["日本語 🎉👩‍👩‍👧", "עברית العربية", "\u200b x \x07", "w" * 10_000, "\n\n", "<b>&"])
def test_a_pdf_is_made_of_any_text(text: str) -> None:
    said = TimelineMessage(
        conversation=ConversationName("assistant", 1),
        id=1,
        seq=1,
        version=1,
        content=text,
        created_at=now(),
        sender_name=text[:20],
    )
    assert make_pdf(text[:80], [said]).startswith(b"%PDF-")


def test_whoever_has_the_link_reads_until_it_is_revoked(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    name = begin_session(ana, "said before")
    _post(ana, f"/conversations/{name}/share")
    _post(ana, f"/conversations/{name}/share")
    ((token,),) = any_server.rows("SELECT token FROM share_links")
    address = f"{any_server.url}/shared/{token}"

    seen = requests.get(address, timeout=30)
    assert "said before" in seen.text
    assert seen.headers["X-Robots-Tag"] == "noindex"
    assert "data-sender-id" not in seen.text
    assert "<form" not in seen.text
    assert "said before" not in requests.get(address + "?before=1", timeout=30).text

    _post(ana, f"/conversations/{name}/unshare")
    assert requests.get(address, timeout=30).status_code == 404


def test_only_an_admin_shares_what_all_have_together(server: Server, new_person: NewPerson) -> None:
    ana, bob = new_person(server, "ana"), new_person(server, "bob")
    ((number,),) = server.rows("SELECT id FROM conversations WHERE kind = 'assistant' AND visibility = 'open'")
    assert _post(bob, f"/conversations/assistant_{number}/share").status_code == 403
    assert server.rows("SELECT count(*) FROM share_links") == [(0,)]
    assert _post(ana, f"/conversations/assistant_{number}/share").ok
    assert server.rows("SELECT count(*) FROM share_links") == [(1,)]
