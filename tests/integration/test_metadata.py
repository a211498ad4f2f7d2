"""Metadata and types of messages and assistant sessions: over events and the API, in imports and exports."""

import json
from pathlib import Path
from typing import Any

from tests.harness.api import MESSAGES, check_problem
from tests.harness.assistants import received_answers, start_session, wait_for_answer
from tests.harness.html import attribute, find_element
from tests.harness.people import NewPerson, Person, Socket, message_payload, room_path
from tests.harness.servers import Server

METADATA = {"tags": ["a", "é🎉"], "score": 1, "nested": {"none": None, "yes": True, "half": -0.5}}


def edit(socket: Socket, seq: int, **changes: Any) -> Any:
    return socket.call("edit_message", {"conversation": "general", "seq": seq, **changes})


def test_metadata_is_stored_and_returned_as_it_was_sent_until_the_message_is_deleted(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket, other, api = ana.connect(), bob.connect(), ana.api()
    other.join()

    payload = message_payload("with metadata") | {"metadata": METADATA}
    sent = socket.call("send_message", payload)["message"]
    assert sent["metadata"] == METADATA
    assert list(sent["metadata"]) == list(METADATA)
    other.wait_for_contents("with metadata")
    assert other.messages() == [sent]
    # A repetition returns the first one.
    assert socket.call("send_message", payload | {"metadata": {"other": 1}})["message"] == sent
    path = f"{MESSAGES}/{sent['seq']}"
    assert api.get(path).json()["metadata"] == METADATA
    assert api.post(MESSAGES, json={"content": "by the API", "metadata": {}}).json()["metadata"] == {}
    assert socket.post("without")["metadata"] is None
    assert any_server.rows("SELECT count(*) FROM messages WHERE metadata IS NULL") == [(1,)]

    # A change of metadata alone is an event, and no edit of the text.
    changed = edit(socket, 1, metadata=METADATA | {"score": True})["message"]
    assert (changed["metadata"]["score"], changed["version"], changed["edited_at"]) == (True, 4, None)
    assert changed["metadata"]["score"] is True
    assert edit(socket, 1, metadata=METADATA | {"score": True})["message"]["version"] == 4
    assert edit(socket, 1, content="another text")["message"]["metadata"]["score"] is True
    both = api.request("PATCH", path, json={"content": "third", "metadata": {"a": 1}}).json()
    assert (both["content"], both["metadata"], both["version"]) == ("third", {"a": 1}, 6)
    assert api.request("PATCH", path, json={"metadata": None}).json()["metadata"] is None
    assert check_problem(api.request("PATCH", path, json={})) == (400, "invalid")
    assert edit(socket, 1)["error"]["code"] == "invalid"
    assert edit(other, 1, metadata={})["error"]["code"] == "forbidden"
    missed = bob.connect().join(after=0)["messages"]
    assert [(each["seq"], each["metadata"]) for each in missed] == [(2, {}), (3, None), (1, None)]

    edit(socket, 2, metadata=METADATA)
    deleted = api.request("DELETE", f"{MESSAGES}/2").json()
    assert (deleted["content"], deleted["metadata"]) == ("", None)
    assert any_server.rows("SELECT count(*) FROM messages WHERE metadata IS NULL") == [(3,)]
    for value, code in ((["a"], "invalid"), ({"a": "x" * 16_384}, "too_long"), ({"a": "\0"}, "bad_characters")):
        assert socket.call("send_message", message_payload("x") | {"metadata": value})["error"]["code"] == code
        assert check_problem(api.post(MESSAGES, json={"content": "x", "metadata": value})) == (400, code)
        assert edit(socket, 1, metadata=value)["error"]["code"] == code


def test_sessions_have_metadata_and_every_export_has_it(server: Server, ana: Person) -> None:
    api = ana.api()
    session = api.post("/sessions", json={"title": "Plans", "metadata": {"theme": "dark"}}).json()
    assert session["metadata"] == {"theme": "dark"}
    path = f"/sessions/{session['id']}"
    renamed = api.request("PATCH", path, json={"title": "New plans"}).json()
    assert (renamed["title"], renamed["metadata"]) == ("New plans", {"theme": "dark"})
    assert api.request("PATCH", path, json={"metadata": METADATA}).json()["metadata"] == METADATA
    refused = api.request("PATCH", path, json={"title": "Not stored", "metadata": [1]})
    assert check_problem(refused) == (400, "invalid")
    assert [(each["title"], each["metadata"]) for each in api.get("/sessions").json()["sessions"]] == [
        ("New plans", METADATA)
    ]
    question = {"content": "thanks", "metadata": {"source": "é\u2028`"}}
    assert api.post(f"{path}/messages", json=question).json()["metadata"] == question["metadata"]

    files = {name: ana.get(f"/conversations/assistant_{session['id']}/export.{name}") for name in ("json", "md", "pdf")}
    exported = json.loads(files["json"].text)
    assert (exported["metadata"], exported["messages"][0]["metadata"]) == (METADATA, question["metadata"])
    assert exported["messages"][0]["message_type"] == "text"
    assert '```json\n{"source": "é\\u2028`"}\n```\n' in files["md"].text
    assert json.dumps(METADATA, ensure_ascii=False) in files["md"].text
    assert files["pdf"].content.startswith(b"%PDF-")

    assert api.request("PATCH", path, json={"metadata": None, "ended": True}).json()["metadata"] is None
    assert server.rows("SELECT metadata FROM conversations WHERE kind = 'assistant' AND name = 'New plans'") == [
        (None,)
    ]


def test_only_managers_and_admins_post_notices_and_nobody_posts_errors(
    server: Server, ana: Person, bob: Person
) -> None:
    room = bob.create_room()
    bob.invite(room, ana)
    ana_socket, bob_socket = ana.connect(), bob.connect()

    def post(socket: Socket, conversation: str, message_type: object) -> Any:
        payload = message_payload("Maintenance at noon", conversation) | {"message_type": message_type}
        ack = socket.call("send_message", payload)
        return ack["message"]["message_type"] if ack["ok"] else ack["error"]["code"]

    assert post(bob_socket, room, "text") == "text"
    assert post(bob_socket, room, "system") == "system"
    assert post(ana_socket, room, "system") == "system"  # An admin.
    assert post(ana_socket, "general", "system") == "system"
    assert post(bob_socket, "general", "system") == "forbidden"
    assert post(bob_socket, bob.open_direct(ana), "system") == "forbidden"
    assert post(ana_socket, "general", "error") == "forbidden"
    others: list[object] = ["message", "typing", "", None, 1, ["text"], {}]
    for value in others:
        assert post(ana_socket, "general", value) == "invalid", value
    refused = bob.api().post(MESSAGES, json={"content": "x", "message_type": "system"})
    assert check_problem(refused) == (403, "forbidden")
    assert "Only managers and admins" in refused.json()["detail"]
    assert ana.api().post(MESSAGES, json={"content": "x", "message_type": "system"}).json()["message_type"] == "system"

    page = bob.get(room_path(room)).text
    assert find_element(page, "#message-2.is-notice .badge").text() == "notice"
    assert "is-notice" not in attribute(page, "#message-1", "class")


def test_a_notice_is_no_question(ana: Person) -> None:
    session, socket = start_session(ana), ana.connect()
    socket.join(session)
    notice = message_payload("thanks, this is a note", session) | {"message_type": "system"}
    assert socket.call("send_message", notice)["ok"]
    socket.post("thanks", session)
    assert wait_for_answer(socket, session)["message_type"] == "text"
    assert [answer["seq"] for answer in received_answers(socket, session)] == [3]


def test_an_import_keeps_types_and_metadata(any_server: Server, tmp_path: Path) -> None:
    row = {"role": "user", "content": "Hi", "timestamp": 1}
    dump = {
        "helper": [
            row | {"metadata": METADATA, "message_type": "message"},
            row | {"metadata": json.dumps(METADATA), "role": "assistant", "message_type": "error"},
            row | {"role": "system"},
            row | {"metadata": None, "message_type": "system"},
            row | {"metadata": [1]},
            row | {"metadata": "{"},
        ]
    }
    file = tmp_path / "dump.json"
    file.write_text(json.dumps(dump))
    printed = any_server.flask("import-history", str(file), expect=1)
    assert "4 imported, 0 already imported, 0 skipped, 2 invalid" in printed
    rows = any_server.rows("SELECT message_type, metadata FROM messages ORDER BY seq")
    stored = [(kind, json.loads(value) if isinstance(value, str) else value) for kind, value in rows]
    assert stored == [("text", METADATA), ("error", METADATA), ("system", None), ("system", None)]
