"""Every route and event refuses bad input with a helpful error. Nothing is stored, and later requests work."""

from typing import Any

import requests

from tests.harness.fuzzing import PAYLOADS
from tests.harness.html import find_csrf_token, text
from tests.harness.people import NewPerson, Person, message_payload
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
        response = ana.post("/conversations/general/messages", **message_payload(content))
        assert response.status_code == 400
        assert reason in response.text
        kept = text(response.text, "textarea")
        assert kept.strip("\n").replace("\ufffd", "\0") == content.strip("\n") or "\0" in content
    for wrong in (None, 5, ["text"], {"text": 1}, True):
        assert socket.send(wrong)["error"]["code"] == "not_text"
    assert socket.send("half \ud800 of a pair")["error"]["code"] == "bad_characters"
    assert server.rows("SELECT count(*) FROM messages") == [(0,)]
    assert socket.post("x" * 10_000)["seq"] == 1
    assert ana.post("/conversations/general/messages", **message_payload("two\r\nlines")).ok
    assert server.rows("SELECT content FROM messages WHERE seq = 2") == [("two\nlines",)]


def test_a_malformed_conversation_is_refused_everywhere(server: Server, ana: Person) -> None:
    socket = ana.connect()
    for name in [*CONVERSATIONS, None, 26, ["general"], "general\0"]:
        for event in ("join_chat", "leave_chat", "send_message"):
            payload = PAYLOADS[event] | {"conversation": name}
            assert socket.call(event, payload)["error"]["code"] == "invalid_conversation", (event, name)
    for name in ("room_", "room_x", "room_-1", "room_1e9", "room_01"):
        response = ana.get(f"/conversations/{name}/messages")
        assert response.status_code == 400
        assert "is not a conversation" in response.text
        assert ana.post(f"/conversations/{name}/messages", **message_payload("x")).status_code == 400
    for path in ("/rooms/0", "/rooms/1", "/rooms/-1", "/rooms/x", "/rooms/1e9", "/rooms/" + "9" * 40):
        assert ana.get(path).status_code == 404, path
    assert "Traceback" not in server.log()


def test_invalid_urls_show_an_error_page(server: Server, ana: Person) -> None:
    for before in ("x", "-1", "1e3", "", "9" * 30, "١"):
        assert ana.get("/", params={"before": before}).status_code == 400
        assert ana.get("/conversations/general/messages", params={"before": before}).status_code == 400
    assert ana.get("/invitation/\0").status_code == 404
    assert "Traceback" not in server.log()


def test_every_event_refuses_missing_and_mistyped_values(server: Server, ana: Person) -> None:
    socket = ana.connect()
    seq = socket.post("hello")["seq"]
    here: dict[str, Any] = {"conversation": "general"}
    valid: dict[str, dict[str, Any]] = {
        "join_chat": here | {"after": 0, "epoch": None},
        "leave_chat": here,
        "send_message": message_payload("x") | {"files": []},
        "edit_message": here | {"seq": seq, "content": "hello"},
        "delete_message": here | {"seq": 99},
        "undelete_message": here | {"seq": 99},
        "message_versions": here | {"seq": seq, "before": 3},
        "react": here | {"seq": seq, "reaction": "👍", "on": False},
        "pin_message": here | {"seq": seq, "on": False},
        "remove_previews": here | {"seq": seq, "url": None},
        "save_message": here | {"seq": seq, "on": False},
        "saved_messages": here,
        "save_draft": here | {"content": "begun", "version": 1},
        "draft": here,
        "follow_thread": here | {"thread": seq, "on": False},
        "mark_thread_read": here | {"thread": seq, "seq": seq},
        "mark_thread_unread": here | {"thread": seq, "seq": seq},
        "run_command": here | {"content": "/topic x", "zone": "UTC"},
        "schedule_message": message_payload("later") | {"due_at": "2000-01-01T09:00Z"},
        "change_scheduled": {"id": 1, "content": "later", "due_at": "2000-01-01T09:00Z"},
        "delete_scheduled": {"id": 1},
        "send_scheduled": {"id": 1},
        "remind_me": message_payload("call") | {"due_at": "2000-01-01T09:00Z", "seq": seq},
        "move_reminder": {"id": 1, "due_at": "2000-01-01T09:00Z"},
        "finish_reminder": {"id": 1},
        "mark_as_read": here | {"seq": seq},
        "mark_as_unread": here | {"seq": seq},
        "stop_answer": here | {"seq": seq},
        "answer_again": here | {"seq": seq},
        "typing": here,
        "presence": {"state": "online"},
        "create_upload": {"name": "photo.jpg", "size": 5},
    }
    assert valid.keys() == PAYLOADS.keys()
    malformed: dict[str, list[object]] = {
        "conversation": [{"conversation": "general"}, [["general"]]],
        "after": [-1, 1.5, "1", [1], True, 2**63, 10**99, float("nan"), float("inf")],
        "epoch": [5, "x" * 65, "\ud800"],
        "files": [5, "x", {"upload": "x"}, ["x"], [{}], [{"upload": 5}], [{"upload": "x", "alt": None}]],
        "seq": [None, -1, 1.5, "1", True, [seq], {"seq": seq}, 2**63, 10**99],
        "thread": [None, -1, 1.5, "1", True, [seq], 2**63],
        "on": [None, 1, "yes", []],
        "size": [None, -1, 1.5, "1", True, 2**63],
        "id": [None, -1, 1.5, "1", True, [1], 2**63],
        "due_at": [None, 5, "", "tomorrow", "2030-01-01T09:00", "x" * 99, "9999-12-31T23:59:59-12:00", ["2030-01-01"]],
        "client_id": [
            None,
            1,
            "",
            "x",
            "\0",
            "0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2",
            [message_payload("")["client_id"]],
        ],
    }
    for event, payload in valid.items():
        wrongs: tuple[tuple[Any, ...], ...] = ((), (None,), (5,), ("general",), ([payload],), (payload, payload), ({},))
        for wrong in wrongs:
            assert socket.call(event, *wrong)["error"]["code"] == "invalid", (event, wrong)
        for key in malformed.keys() & payload.keys():
            for value in malformed[key]:
                error = socket.call(event, payload | {key: value})["error"]
                code = "invalid_conversation" if key == "conversation" else "invalid"
                assert error["code"] == code, (event, key, value)
                assert error["message"]
        error = socket.call(event, payload | {"topic": 1})["error"]
        assert (error["code"], "topic" in error["message"]) == ("invalid", True), event
    assert "Traceback" not in server.log()

    # A number that overflows every type.
    socket.emit("send_message", {"number": 10**101})
    assert socket.post("still here")["content"] == "still here"
    assert server.rows("SELECT count(*) FROM messages") == [(2,)]


def test_bad_content_is_refused_in_edits(server: Server, ana: Person) -> None:
    socket = ana.connect()
    seq = socket.post("as it was")["seq"]
    others: list[tuple[object, str]] = [(None, "not_text"), ("half \ud800", "bad_characters")]
    for content, code in [*((content, code) for content, code, _ in CONTENTS), *others]:
        error = socket.call("edit_message", {"conversation": "general", "seq": seq, "content": content})["error"]
        assert error["code"] == code
    assert server.rows("SELECT content, version FROM messages") == [("as it was", 1)]


def test_incomplete_and_malformed_forms_are_refused(server: Server, ana: Person) -> None:
    action = server.url + "/conversations/general/messages"
    form = message_payload("hello") | {"csrf_token": find_csrf_token(ana.get("/").text)}
    for key, reason in (("content", "needs some text"), ("client_id", "must be a UUID")):
        response = ana.http.post(action, data={name: value for name, value in form.items() if name != key})
        assert (response.status_code, reason in response.text) == (400, True)
    as_file = {name: value for name, value in form.items() if name != "content"}
    assert ana.http.post(action, data=as_file, files={"content": ("x.txt", "hello")}).status_code == 400
    assert ana.http.post(action, json=form).status_code == 400
    assert ana.http.post(action, data=form | {"content": "x" * 10_100_000}).status_code == 413
    assert ana.http.put(action, data=form).status_code == 405
    for name in ("", "r" * 5000, "room_١", "room_%00", "general%20", "%ff", "room_" + "9" * 40):
        response = ana.http.post(f"{server.url}/conversations/{name}/messages", data=form)
        assert response.status_code == (400 if name else 404), name
    # Invalid UTF-8 becomes replacement characters, which can be stored.
    files = {name: (None, value) for name, value in as_file.items()} | {"content": (None, b"half \xed\xa0\x80")}
    assert ana.http.post(action, files=files).ok
    assert [content.rstrip("\ufffd") for (content,) in server.rows("SELECT content FROM messages")] == ["half "]  # type: ignore[attr-defined]
    assert "Traceback" not in server.log()


def test_malformed_urls_and_cookies_get_a_response(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    huge, last = 2**31, 2**31 - 1
    for path in (
        "/%00",
        "/%ff",
        "/rooms/%00",
        "/rooms/1%00",
        f"/rooms/{huge}",
        f"/rooms/{huge}/settings",
        f"/rooms/{last}",
        f"/rooms/{'9' * 25}",
    ):
        assert ana.get(path).status_code == 404, path
    assert ana.get("/?before=" + "9" * 18).ok
    assert ana.get("/?before=0").ok
    for search in ("/direct", "/sessions"):
        assert ana.get(search, params={"q": "a\0b"}).status_code == 400, search
    for action in (f"/rooms/{huge}/membership", f"/rooms/{last}/archive", f"/rooms/1/members/{huge}/remove"):
        assert ana.post(action).status_code == 404, action
    for name in ("\0", "\ud7ff", "x" * 900, "' OR 1=1 --", "%", "_"):
        assert Person(any_server, name).sign_in("x").status_code == 403
    for cookie in ("x", "." * 50, "eyJ4IjoxfQ.x.y", "\xff", '"', ";" * 10):
        response = requests.get(
            any_server.url + "/", headers={"Cookie": f"chatapp_session={cookie}"}, allow_redirects=False
        )
        assert response.status_code == 302
    socket = ana.connect()
    for event in ("join_chat", "send_message", "edit_message", "delete_message", "react"):
        payload = PAYLOADS[event] | {"conversation": f"room_{last}"}
        assert socket.call(event, payload)["error"]["code"] == "not_found"
        assert socket.call(event, payload | {"conversation": f"room_{huge}"})["error"]["code"] == "invalid_conversation"
    for event in ("edit_message", "delete_message", "react"):
        payload = PAYLOADS[event] | {"seq": 2**63 - 1}
        assert socket.call(event, payload)["error"]["code"] == "not_found"
    assert socket.join(after=2**63 - 1)["reset"]
    assert "Traceback" not in any_server.log()
