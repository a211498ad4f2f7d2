"""The API: what programs read and write with a token, and what they are refused."""

import re
import sqlite3
import uuid
from functools import partial
from typing import Any

import pytest
import requests

from chatapp.actors import Actor
from chatapp.conversations.names import GENERAL
from chatapp.errors import SignedOut
from chatapp.models import ApiToken, Membership, User
from chatapp.timeline import Transaction, delete, edit, mark_read, post, react, write
from tests.harness.people import Api, NewPerson, Person, find_csrf_token, room_path
from tests.harness.servers import NewServer, Server

TALK = "/conversations/general/messages"


def problem(answer: requests.Response) -> tuple[int, str]:
    """Give status and code of a problem document, which has to be whole."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    said = answer.json()
    assert said["status"] == answer.status_code
    assert said["type"] == f"urn:chatapp:problem:{said['code']}"
    assert said["title"]
    assert said["detail"]
    return answer.status_code, said["code"]


def say(api: Api, content: str, conversation: str = "general") -> dict[str, Any]:
    answer = api.post(f"/conversations/{conversation}/messages", json={"content": content})
    assert answer.status_code == 201, answer.text
    message: dict[str, Any] = answer.json()
    return message


def seqs(page: dict[str, Any]) -> list[int]:
    return [message["seq"] for message in page["messages"]]


# Tokens.


def test_a_token_is_shown_once_and_stored_hashed(server: Server, ana: Person) -> None:
    token = ana.create_token(name="Nightly report")
    assert ana.api(token).get("/conversations").ok

    page = ana.get("/settings/tokens").text
    assert "Nightly report" in page
    assert "last used on" in page
    assert token not in page
    assert token.encode() not in b"".join(path.read_bytes() for path in server.data_dir.iterdir() if path.is_file())
    ((token_hash, scopes),) = server.rows("SELECT token_hash, scopes FROM api_tokens")
    assert re.fullmatch(r"[0-9a-f]{64}", str(token_hash))
    assert scopes == "read write"


def test_a_revoked_token_does_nothing_any_more(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    api = ana.api()
    say(api, "before")
    ((number,),) = any_server.rows("SELECT id FROM api_tokens")
    assert bob.post(f"/settings/tokens/{number}/revoke", "/settings/tokens").status_code == 404
    say(api, "still")

    assert ana.post(f"/settings/tokens/{number}/revoke", "/settings/tokens").ok

    assert problem(api.get(TALK)) == (401, "signed_out")
    answer = api.post(TALK, json={"content": "after"})
    assert problem(answer) == (401, "signed_out")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert any_server.rows("SELECT count(*) FROM messages") == [(2,)]


def test_a_token_ends_with_its_account(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    his = bob.api()
    assert his.get("/conversations").ok
    any_server.execute("UPDATE users SET is_active = FALSE WHERE username = 'bob'")
    assert problem(his.get("/conversations")) == (401, "signed_out")
    assert problem(his.post(TALK, json={"content": "x"})) == (401, "signed_out")
    assert ana.api().get("/conversations").ok


@pytest.mark.usefixtures("app")
def test_what_a_revoked_token_has_under_way_is_refused_where_it_is_written() -> None:
    def make(transaction: Transaction) -> None:
        transaction.session.add(User(id=1, username="ana", name="Ana", password_hash="x"))
        transaction.session.flush()
        transaction.session.add(Membership(conversation_id=GENERAL.id, user_id=1))
        transaction.session.add(ApiToken(id=1, user_id=1, token_hash="x", name="x", scopes="read write"))

    write(make)
    said = post(GENERAL, Actor(1, token_id=1), content="hello", client_id=str(uuid.uuid4()))
    revoked = Actor(1, token_id=2)
    assert said.seq is not None
    for write_something in (
        partial(post, GENERAL, revoked, content="x", client_id=str(uuid.uuid4())),
        partial(edit, GENERAL, revoked, said.seq, content="x"),
        partial(delete, GENERAL, revoked, said.seq),
        partial(react, GENERAL, revoked, said.seq, "👍", on=True),
        partial(mark_read, GENERAL, revoked, said.seq),
    ):
        with pytest.raises(SignedOut):
            write_something()
    assert edit(GENERAL, Actor(1, token_id=1), said.seq, content="changed").version == 2


def test_a_token_that_may_only_read_writes_nothing(server: Server, ana: Person) -> None:
    seq = say(ana.api(), "hello")["seq"]
    reader = ana.api(ana.create_token("read"))
    assert seqs(reader.get(TALK).json()) == [seq]
    for method, path, body in (
        ("POST", TALK, {"content": "x"}),
        ("PATCH", f"{TALK}/{seq}", {"content": "x"}),
        ("DELETE", f"{TALK}/{seq}", None),
        ("PUT", f"{TALK}/{seq}/reactions/👍", None),
        ("DELETE", f"{TALK}/{seq}/reactions/👍", None),
        ("POST", "/conversations/general/read", {"seq": seq}),
        ("POST", "/chat/mark-read/1", None),
    ):
        assert problem(reader.request(method, path, json=body)) == (403, "forbidden"), (method, path)
    assert server.rows("SELECT content, version FROM messages") == [("hello", 1)]


def test_who_is_not_known_is_told_so_and_led_nowhere(server: Server, ana: Person) -> None:
    for headers in (
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer \xff"},
        {"Authorization": "Basic YW5hOnBhc3N3b3Jk"},
        {"Cookie": "chatapp_session=x"},
        # A token that is wrong is not made good by a session.
        {"Authorization": "Bearer wrong", "Cookie": ana.cookie},
    ):
        for path in ("/conversations", TALK, "/chat/history/1"):
            answer = requests.get(f"{server.url}/api{path}", headers=headers, allow_redirects=False)
            assert problem(answer) == (401, "signed_out"), (path, headers)


def test_a_token_opens_no_page(server: Server, ana: Person) -> None:
    headers = {"Authorization": f"Bearer {ana.create_token()}"}
    for path in ("/", "/settings", "/settings/tokens", "/people"):
        answer = requests.get(server.url + path, headers=headers, allow_redirects=False)
        assert answer.is_redirect, path


def test_nobody_can_have_more_tokens_than_anybody_could_look_after(server: Server, ana: Person) -> None:
    ana.create_token()
    server.execute(
        "INSERT INTO api_tokens (user_id, token_hash, name, scopes, created_at) "
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 49) "
        "SELECT 1, n, 'x', 'read', '2026-01-01 00:00:00' FROM numbers"
    )
    answer = ana.post("/settings/tokens", "/settings/tokens", name="one more", scope="read")
    assert (answer.status_code, "at most 50 tokens" in answer.text) == (409, True)
    for fields in ({"name": "", "scope": "read"}, {"name": "x", "scope": "admin"}, {"name": "x" * 65, "scope": "read"}):
        assert ana.post("/settings/tokens", "/settings/tokens", **fields).status_code == 400


# Sessions.


def test_a_session_reads_and_writes_with_the_token_of_a_page(server: Server, ana: Person) -> None:
    assert ana.get(f"/api{TALK}").ok
    body = {"content": "from the browser"}
    headers = {"X-CSRFToken": find_csrf_token(ana.get("/").text)}
    assert ana.http.post(f"{server.url}/api{TALK}", json=body, headers=headers).status_code == 201
    for method, path in (
        ("POST", TALK),
        ("PATCH", f"{TALK}/1"),
        ("DELETE", f"{TALK}/1"),
        ("PUT", f"{TALK}/1/reactions/👍"),
        ("DELETE", f"{TALK}/1/reactions/👍"),
        ("POST", "/conversations/general/read"),
        ("POST", "/chat/mark-read/1"),
    ):
        for forged in ({}, {"X-CSRFToken": "x"}, {"X-CSRFToken": headers["X-CSRFToken"][:-1]}):
            answer = ana.http.request(method, f"{server.url}/api{path}", json=body, headers=forged)
            assert problem(answer) == (403, "forbidden"), (method, path)
    assert server.rows("SELECT content, version FROM messages") == [("from the browser", 1)]
    ana.post("/sign-out")
    assert problem(ana.get(f"/api{TALK}")) == (401, "signed_out")


# Reading.


def fill(server: Server, count: int, step: int = 1) -> None:
    """Put messages into the general chat, with numbers between them that others have taken."""
    with sqlite3.connect(server.data_dir / "chatapp.sqlite3") as database:
        database.executemany(
            "INSERT INTO messages (conversation_id, seq, version, sender_id, sender_type, message_type, content,"
            " client_id, created_at) VALUES (1, ?, ?, 1, 'user', 'text', ?, ?, '2026-01-01 00:00:00.000000')",
            ((n * step, n * step, f"{n}", str(uuid.uuid4())) for n in range(1, count + 1)),
        )
        database.execute("UPDATE conversations SET last_event = ?, message_count = ?", (count * step, count))
    database.close()


def test_links_lead_through_a_whole_history_both_ways(server: Server, ana: Person) -> None:
    fill(server, 257, step=3)
    api = ana.api()
    everything = list(range(3, 258 * 3, 3))

    answer = api.get(f"{TALK}?limit=25")
    walked = seqs(answer.json())
    assert walked == everything[-25:]
    while "prev" in answer.links:
        assert answer.links["prev"]["url"] == answer.json()["previous"]
        answer = api.get(answer.links["prev"]["url"].removeprefix("/api"))
        assert (answer.json()["total"], answer.json()["limit"]) == (257, 25)
        walked = seqs(answer.json()) + walked
    assert answer.json()["previous"] is None
    assert walked == everything

    answer = api.get(answer.links["first"]["url"].removeprefix("/api"))
    walked = seqs(answer.json())
    while "next" in answer.links:
        assert answer.links["next"]["url"] == answer.json()["next"]
        answer = api.get(answer.links["next"]["url"].removeprefix("/api"))
        walked += seqs(answer.json())
    assert answer.json()["next"] is None
    assert walked == everything


def test_a_stretch_is_what_lies_around_its_numbers(server: Server, ana: Person) -> None:
    fill(server, 10, step=2)
    api = ana.api()
    for asked, found, has_previous, has_next in (
        ({}, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20], False, False),
        ({"limit": 3}, [16, 18, 20], True, False),
        ({"before": 8, "limit": 2}, [4, 6], True, True),
        ({"before": 5}, [2, 4], False, True),
        ({"after": 7, "limit": 2}, [8, 10], True, True),
        ({"after": 16}, [18, 20], True, False),
        ({"after": 3, "before": 9}, [4, 6, 8], True, True),
        ({"after": 3, "before": 9, "limit": 1}, [4], True, True),
        ({"before": 2}, [], False, True),
        ({"before": 0}, [], False, True),
        ({"after": 20}, [], True, False),
        ({"after": 2**63 - 1}, [], True, False),
        ({"before": 9, "after": 8}, [], True, True),
        ({"limit": 100}, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20], False, False),
    ):
        page = api.get(TALK, params=asked).json()
        assert seqs(page) == found, asked
        assert (page["previous"] is not None, page["next"] is not None) == (has_previous, has_next), asked
        for way, is_there in (("previous", has_previous), ("next", has_next)):
            beside = is_there and seqs(api.get(page[way].removeprefix("/api")).json())
            assert not is_there or beside, (asked, way)


def test_the_total_follows_what_is_said_and_cleaned_up(any_server: Server, new_person: NewPerson) -> None:
    api = new_person(any_server, "ana").api()
    for number in range(1, 8):
        say(api, f"{number}")
    api.request("DELETE", f"{TALK}/3")
    assert api.get(TALK).json()["total"] == 7
    any_server.flask("cleanup", "--keep-last", "2", "--yes")
    page = api.get(TALK).json()
    assert (page["total"], seqs(page)) == (2, [6, 7])
    ((counted,),) = any_server.rows("SELECT message_count FROM conversations WHERE id = 1")
    assert counted == 2
    # What a clean-up took away is answered without what it said.
    say(api, "one more")
    assert problem(api.get(f"{TALK}/1")) == (404, "not_found")


def test_conversations_are_those_that_one_is_in_page_by_page(server: Server, ana: Person, bob: Person) -> None:
    rooms = [ana.create_room(f"Room {number}") for number in range(5)]
    ana.invite(rooms[2], bob)
    assert bob.get("/direct/ana").ok
    ((direct,),) = server.rows("SELECT id FROM conversations WHERE kind = 'direct'")
    api = bob.api()

    everything = api.get("/conversations").json()
    names = ["general", rooms[2], f"direct_{direct}"]
    assert [each["conversation"] for each in everything["conversations"]] == names
    assert (everything["total"], everything["next"], everything["previous"]) == (3, None, None)
    general, room, private = everything["conversations"]
    assert (general["kind"], general["name"], general["people"]) == ("general", "General", None)
    assert (room["name"], room["role"], room["is_private"]) == ("Room 2", "member", True)
    assert (private["name"], [each["username"] for each in private["people"]]) == ("Ana", ["ana", "bob"])
    for each in everything["conversations"]:
        for name in (each["conversation"], each["id"]):
            assert api.get(f"/conversations/{name}").json() == each

    page = api.get("/conversations?limit=1").json()
    walked = [page]
    while page["next"]:
        page = api.get(page["next"].removeprefix("/api")).json()
        walked.append(page)
    assert [each["conversation"] for page in walked for each in page["conversations"]] == names
    back = [page]
    while page["previous"]:
        page = api.get(page["previous"].removeprefix("/api")).json()
        back.append(page)
    assert [each["conversation"] for page in back for each in page["conversations"]] == names[::-1]


def test_direct_messages_are_read_by_who_is_in_them(any_server: Server, new_person: NewPerson) -> None:
    ana, bob, eve = (new_person(any_server, name) for name in ("ana", "bob", "eve"))
    hers, his = ana.api(), bob.api()
    empty = hers.get(f"/chat/history/{bob.id}").json()
    assert (empty["messages"], empty["total"], empty["conversation"]) == ([], 0, None)
    assert problem(hers.post(f"/chat/mark-read/{bob.id}")) == (404, "not_found")

    assert ana.get("/direct/bob").ok
    ((number,),) = any_server.rows("SELECT id FROM conversations WHERE kind = 'direct'")
    for word in ("one", "two", "three"):
        say(hers, word, f"direct_{number}")

    for api, person in ((hers, bob), (his, ana)):
        page = api.get(f"/chat/history/{person.id}?limit=2").json()
        assert [message["content"] for message in page["messages"]] == ["two", "three"]
        assert (page["conversation"], page["total"], page["next"]) == (f"direct_{number}", 3, None)
        assert seqs(api.get(page["previous"].removeprefix("/api")).json()) == [1]
    assert eve.api().get(f"/chat/history/{ana.id}").json()["messages"] == []
    assert problem(eve.api().get(f"/conversations/direct_{number}/messages")) == (404, "not_found")

    assert his.post(f"/chat/mark-read/{ana.id}", json={"seq": 2}).json()["unread"] == 1
    everything_read = his.post(f"/chat/mark-read/{ana.id}").json()
    assert (everything_read["unread"], everything_read["last_read_seq"]) == (0, 3)
    assert his.post(f"/chat/mark-read/{ana.id}", json={"seq": 1}).json()["last_read_seq"] == 3
    assert his.post("/conversations/general/read", json={"seq": 0}).ok
    for wrong in ({"seq": 4}, {"seq": -1}, {"seq": "2"}, {"seq": True}, {"seq": 2**63}):
        assert problem(his.post(f"/chat/mark-read/{ana.id}", json=wrong)) == (400, "invalid"), wrong


# Writing.


def test_what_a_program_says_is_heard_on_the_page_and_the_other_way_round(ana: Person) -> None:
    socket = ana.connect()
    socket.join()
    api = ana.api()
    said = say(api, "from a program")
    heard = socket.wait_for("chat_message")[0]
    # The same message, but for what only pages need.
    assert {key: heard[key] for key in heard.keys() - {"html", "pending"}} == said
    seq = socket.post("from the page")["seq"]
    assert api.get(f"{TALK}/{seq}").json()["content"] == "from the page"

    changed = api.request("PATCH", f"{TALK}/{seq}", json={"content": "edited"}).json()
    assert (changed["content"], changed["version"]) == ("edited", 3)
    reacted = api.request("PUT", f"{TALK}/{seq}/reactions/👩‍🚀").json()
    assert reacted["reactions"] == [{"reaction": "👩‍🚀", "users": [{"id": ana.id, "name": "Ana"}]}]
    assert api.request("PUT", f"{TALK}/{seq}/reactions/👩‍🚀").json() == reacted
    assert api.request("DELETE", f"{TALK}/{seq}/reactions/👩‍🚀").json()["reactions"] == []
    deleted = api.request("DELETE", f"{TALK}/{seq}").json()
    assert deleted["deleted_at"]
    assert problem(api.request("PATCH", f"{TALK}/{seq}", json={"content": "again"})) == (409, "conflict")
    assert [event["version"] for event in socket.wait_for("message_changed", 4)] == [3, 4, 5, 6]


def test_the_same_request_again_is_one_message(any_server: Server, new_person: NewPerson) -> None:
    api = new_person(any_server, "ana").api()
    client_id = str(uuid.uuid4())
    for headers, body in (
        ({}, {"content": "one", "client_id": client_id}),
        ({"Idempotency-Key": "order 66"}, {"content": "two"}),
        ({"Idempotency-Key": '"5c1a6ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c"'}, {"content": "three"}),
    ):
        first, second = (api.post(TALK, json=body, headers=headers) for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert first.headers["Location"] == second.headers["Location"]
        assert api.get(first.headers["Location"].removeprefix("/api")).json() == first.json()
    assert [message["content"] for message in api.get(TALK).json()["messages"]] == ["one", "two", "three"]
    # A header with a UUID is the same as a client_id.
    again = api.post(TALK, json={"content": "x"}, headers={"Idempotency-Key": client_id})
    assert again.json()["content"] == "one"
    both = {"content": "x", "client_id": client_id}
    assert problem(api.post(TALK, json=both, headers={"Idempotency-Key": "another"})) == (400, "invalid")
    assert api.get(TALK).json()["total"] == 3


# What is refused.


def test_what_has_not_its_form_is_refused_with_a_reason(server: Server, ana: Person) -> None:
    api = ana.api()
    seq = say(api, "hello")["seq"]
    for content, code in (
        (5, "not_text"),
        (None, "not_text"),
        (["x"], "not_text"),
        ({"text": "x"}, "not_text"),
        (True, "not_text"),
        ("", "empty"),
        (" \n ", "empty"),
        ("x" * 10_001, "too_long"),
        ("\0", "bad_characters"),
        ("\ud800", "bad_characters"),
    ):
        assert problem(api.post(TALK, json={"content": content})) == (400, code), content
        assert problem(api.request("PATCH", f"{TALK}/{seq}", json={"content": content})) == (400, code), content
    for client_id in (5, "", "x", [str(uuid.uuid4())], "\0"):
        body = {"content": "x", "client_id": client_id}
        assert problem(api.post(TALK, json=body)) == (400, "invalid"), client_id
    for key in ("", '""', "x" * 256):
        headers = {"Idempotency-Key": key}
        assert problem(api.post(TALK, json={"content": "x"}, headers=headers)) == (400, "invalid"), key
    as_json = {"Content-Type": "application/json"}
    endless = b'{"content": ' + b"9" * 5000 + b"}"
    for data in (b"{", b"{}", b"[]", b"5", b"null", b'"x"', b"\xff", b"[" * 100_000, endless):
        assert problem(api.post(TALK, data=data, headers=as_json)) == (400, "invalid"), data[:20]
    assert problem(api.post(TALK)) == (400, "invalid")
    assert problem(api.post(TALK, data={"content": "x"})) == (415, "invalid")
    assert problem(api.post(TALK, data=b"x" * 1_000_001, headers=as_json)) == (413, "invalid")
    assert server.rows("SELECT content, version FROM messages") == [("hello", 1)]
    assert "Traceback" not in server.log()


def test_numbers_and_names_that_are_none_are_refused_with_a_reason(any_server: Server, new_person: NewPerson) -> None:
    api = new_person(any_server, "ana").api()
    seq = say(api, "hello")["seq"]
    for asked in (
        *({"limit": value} for value in ("0", "101", "-1", "x", "", "1.0", "1e1", "١", " 5", "1_0", "9" * 30)),
        *({"before": value} for value in ("-1", "x", "", "1.5", str(2**63), "9" * 30)),
        {"after": "x"},
        {"limit": ["1", "2"]},
    ):
        for path in (TALK, "/conversations", "/chat/history/1"):
            assert problem(api.get(path, params=asked)) == (400, "invalid"), (path, asked)
    for asked in ({"before": 2**31}, {"after": 2**31}):
        assert problem(api.get("/conversations", params=asked)) == (400, "invalid"), asked
        assert api.get(TALK, params=asked).ok
    for asked in (
        {"before": 2**63 - 1},
        {"after": 2**63 - 1},
        {"before": 0},
        {"before": 2**31 - 1, "after": 2**31 - 1},
    ):
        page = api.get(TALK, params=asked).json()
        assert all(api.get(page[way].removeprefix("/api")).ok for way in ("next", "previous") if page[way]), asked
    page = api.get("/conversations", params={"after": 2**31 - 1}).json()
    assert api.get(page["previous"].removeprefix("/api")).json()["total"] == 1
    for number in ("x", "-1", "1.0", str(2**63), "9" * 5000, "%00"):
        assert problem(api.get(f"{TALK}/{number}")) == (400, "invalid"), number[:30]
        assert problem(api.get(f"/chat/history/{number}")) == (400, "invalid"), number[:30]
    for reaction in ("x", "%00", "👍👎x", "👍" * 17):
        assert problem(api.request("PUT", f"{TALK}/{seq}/reactions/{reaction}")) == (400, "invalid"), reaction
    for name in ("room_", "room_x", "room_01", "rooms_1", "room_" + "9" * 40, "%00", "%ff", "general%20"):
        for method, path in (("GET", ""), ("GET", "/messages"), ("GET", "/messages/1"), ("DELETE", "/messages/1")):
            answer = api.request(method, f"/conversations/{name}{path}")
            assert problem(answer) == (400, "invalid_conversation"), (name, path)
    assert any_server.rows("SELECT content, version FROM messages") == [("hello", 1)]
    assert "Traceback" not in any_server.log()


def test_other_peoples_conversations_are_not_there(any_server: Server, new_person: NewPerson) -> None:
    ana, eve = (new_person(any_server, name) for name in ("ana", "eve"))
    private, open_room = ana.create_room("Secret"), ana.create_room("Open", "open")
    hers = ana.api()
    for room in (private, open_room):
        say(hers, "inside", room)
    api = eve.api()
    nowhere = f"room_{2**31 - 1}"
    for room, refused in (
        (private, (404, "not_found")),
        (nowhere, (404, "not_found")),
        (open_room, (403, "forbidden")),
    ):
        messages = f"/conversations/{room}/messages"
        for method, path, body in (
            ("GET", f"/conversations/{room}", None),
            ("GET", messages, None),
            ("GET", f"{messages}/1", None),
            ("POST", messages, {"content": "x"}),
            ("PATCH", f"{messages}/1", {"content": "x"}),
            ("DELETE", f"{messages}/1", None),
            ("PUT", f"{messages}/1/reactions/👍", None),
            ("POST", f"/conversations/{room}/read", {"seq": 1}),
        ):
            assert problem(api.request(method, path, json=body)) == refused, (room, method, path)
    # By the number of a room that one is in, under another kind's name.
    assert problem(hers.get(private.replace("room_", "/conversations/direct_"))) == (404, "not_found")
    assert problem(hers.get(f"/conversations/{private}/messages/9")) == (404, "not_found")
    assert problem(hers.request("DELETE", f"/conversations/{private}/messages/9")) == (404, "not_found")
    assert problem(hers.get(f"/chat/history/{2**31 - 1}")) == (404, "not_found")
    ana.post(f"{room_path(private)}/archive", f"{room_path(private)}/settings")
    assert problem(hers.post(f"/conversations/{private}/messages", json={"content": "x"})) == (409, "archived")
    assert hers.get(f"/conversations/{private}/messages").ok


def test_what_is_no_part_of_it_is_refused_as_a_problem_too(server: Server, ana: Person) -> None:
    for path in ("", "/conversation", "/conversations/general/message", "/%00", "/chat/history/"):
        assert problem(ana.api().get(path or "/")) == (404, "not_found"), path
    answer = ana.api().request("PUT", TALK)
    assert problem(answer) == (405, "invalid")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_too_many_requests_are_told_when_to_come_back(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server(CHATAPP_API_REQUESTS_PER_MINUTE="5").start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    api = ana.api()
    statuses = [api.get("/conversations").status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    # Another token of the same person does not help, another person's is not touched.
    answer = ana.api().get("/conversations")
    assert problem(answer) == (429, "rate_limited")
    assert 1 <= answer.json()["retry_after"] <= 61
    assert answer.headers["Retry-After"] == str(answer.json()["retry_after"])
    assert bob.api().get("/conversations").ok


def test_before_anybody_has_set_it_up_there_is_nobody_to_let_in(server: Server) -> None:
    answer = requests.get(f"{server.url}/api/conversations", allow_redirects=False)
    assert problem(answer) == (401, "signed_out")
    assert requests.get(f"{server.url}/api/openapi.json").json()["openapi"].startswith("3.1")
