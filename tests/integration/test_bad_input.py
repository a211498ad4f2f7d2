"""Bad input gets an error that says what to do, at every entrance; nothing is stored and nothing breaks."""

import uuid
from html import unescape

import pytest

from tests.harness.people import Person, message_payload
from tests.harness.servers import Server

CONTENTS = [
    ("", "empty", "needs some text"),
    (" \n\t ", "empty", "needs some text"),
    ("\u200b\u2060", "empty", "needs some text"),
    ("x" * 10_001, "too_long", "at most 10,000"),
    ("😀" * 10_001, "too_long", "at most 10,000"),
    ("nul \0 inside", "bad_characters", "cannot be stored"),
]
CONVERSATIONS = ["room_", "room_x", "room_-1", "room_1e9", "room_01", "room_١", "rooms_1", "", "r" * 5000, "general "]


def test_bad_content_is_refused_by_socket_and_by_form(server: Server, ana: Person) -> None:
    socket = ana.connect()
    socket.join()
    for content, code, reason in CONTENTS:
        error = socket.send(content)["error"]
        assert error["code"] == code
        assert reason in error["message"]
        answer = ana.post("/conversations/general/messages", **message_payload(content))
        assert answer.status_code == 400
        assert reason in answer.text
        kept = unescape(answer.text.split("<textarea", 1)[1].split(">", 1)[1].split("</textarea>")[0])
        assert kept.strip("\n").replace("\ufffd", "\0") == content.strip("\n") or "\0" in content
    for content in (None, 5, ["text"], {"text": 1}, True):
        assert socket.send(content)["error"]["code"] == "not_text"
    assert socket.send("half \ud800 of a pair")["error"]["code"] == "bad_characters"
    assert server.rows("SELECT count(*) FROM messages") == [(0,)]
    assert socket.post("x" * 10_000)["seq"] == 1
    assert ana.post("/conversations/general/messages", **message_payload("two\r\nlines")).ok
    assert server.rows("SELECT content FROM messages WHERE seq = 2") == [("two\nlines",)]


def test_a_malformed_conversation_is_refused_everywhere(server: Server, ana: Person) -> None:
    socket = ana.connect()
    for name in [*CONVERSATIONS, None, 26, ["general"], "general\0"]:
        for event in ("join_chat", "leave_chat", "send_message"):
            payload = {"conversation": name, "content": "x", "client_id": str(uuid.uuid4())}
            assert socket.call(event, payload)["error"]["code"] == "invalid_conversation", (event, name)
    for name in ("room_", "room_x", "room_-1", "room_1e9", "room_01"):
        answer = ana.get(f"/conversations/{name}/messages")
        assert answer.status_code == 400
        assert "is no conversation" in answer.text
        assert ana.post(f"/conversations/{name}/messages", **message_payload("x")).status_code == 400
    for path in ("/rooms/0", "/rooms/1", "/rooms/-1", "/rooms/x", "/rooms/1e9", "/rooms/" + "9" * 40):
        assert ana.get(path).status_code == 404, path
    assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    "payload",
    [
        (),
        (None,),
        (5,),
        ("general",),
        ([],),
        ({"conversation": "general"}, {"more": 1}),
        ({"conversation": "general", "after": -1},),
        ({"conversation": "general", "after": "3"},),
        ({"conversation": "general", "after": 1e400},),
        ({"conversation": "general", "after": 2**63},),
        ({"conversation": "general", "after": True},),
        ({"conversation": "general", "epoch": 5},),
    ],
)
def test_a_malformed_payload_is_answered_with_the_reason_and_the_socket_lives_on(
    ana: Person, payload: tuple[object, ...]
) -> None:
    socket = ana.connect()
    error = socket.call("join_chat", *payload)["error"]
    assert error["code"] == "invalid"
    assert error["message"]
    assert socket.join()["ok"]


@pytest.mark.parametrize("client_id", [None, 5, "", "x", "0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2", "\0"])
def test_a_message_without_a_proper_client_id_is_refused(ana: Person, client_id: object) -> None:
    payload = {"conversation": "general", "content": "x", "client_id": client_id}
    assert ana.connect().call("send_message", payload)["error"]["code"] == "invalid"


def test_addresses_with_garbage_give_a_page_that_says_so(server: Server, ana: Person) -> None:
    for before in ("x", "-1", "1e3", "", "9" * 30, "١"):
        assert ana.get("/", params={"before": before}).status_code == 400
        assert ana.get("/conversations/general/messages", params={"before": before}).status_code == 400
    assert ana.get("/invitation/\0").status_code == 404
    assert "Traceback" not in server.log()
