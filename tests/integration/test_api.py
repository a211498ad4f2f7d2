"""The API: reading, writing and errors."""

import sqlite3
import uuid
from contextlib import closing

import requests

from tests.harness.api import MESSAGES, check_problem, list_seqs, post_message
from tests.harness.people import Api, NewPerson, Person, room_path
from tests.harness.servers import NewServer, Server

# Reading.


def fill(server: Server, count: int, step: int = 1) -> None:
    """Insert messages into the general chat, `step` numbers and one minute apart."""
    with closing(sqlite3.connect(server.data_dir / "chatapp.sqlite3")) as database, database:
        database.executemany(
            "INSERT INTO messages (conversation_id, seq, version, sender_id, sender_type, message_type, content,"
            " client_id, created_at) VALUES (1, ?, ?, 1, 'user', 'text', ?, ?, ?)",
            (
                (n * step, n * step, f"{n}", str(uuid.uuid4()), f"2026-01-01 {n // 60:02}:{n % 60:02}:00.000000")
                for n in range(1, count + 1)
            ),
        )
        database.execute("UPDATE conversations SET last_event = ?, message_count = ?", (count * step, count))
    database.close()


def walk_forwards(api: Api, path: str) -> list[int]:
    """Follow the links to the next page, and return the numbers of all messages."""
    response = api.get(path)
    walked = list_seqs(response.json())
    while "next" in response.links:
        assert response.links["next"]["url"] == response.json()["next"]
        response = api.get(response.links["next"]["url"].removeprefix("/api"))
        walked += list_seqs(response.json())
    assert response.json()["next"] is None
    return walked


def test_links_lead_through_the_whole_history_in_both_directions(server: Server, ana: Person) -> None:
    fill(server, 257, step=3)
    api = ana.api()
    everything = list(range(3, 258 * 3, 3))

    response = api.get(f"{MESSAGES}?limit=25")
    walked = list_seqs(response.json())
    assert walked == everything[-25:]
    while "prev" in response.links:
        assert response.links["prev"]["url"] == response.json()["previous"]
        response = api.get(response.links["prev"]["url"].removeprefix("/api"))
        assert (response.json()["total"], response.json()["limit"]) == (257, 25)
        walked = list_seqs(response.json()) + walked
    assert response.json()["previous"] is None
    assert walked == everything

    first = response.links["first"]["url"].removeprefix("/api")
    assert walk_forwards(api, first) == everything

    # The links of a period stay in it: it begins with `since` and ends before `until`.
    period = {"since": "2026-01-01T02:00:00+01:00", "until": "2026-01-01T02:00:00Z", "limit": 25}
    response = api.get(MESSAGES, params=period)
    assert list_seqs(response.json()) == list(range(95 * 3, 120 * 3, 3))
    assert walk_forwards(api, response.links["first"]["url"].removeprefix("/api")) == list(range(60 * 3, 120 * 3, 3))
    refused = api.get(MESSAGES, params={"since": "2026-01-01"})
    assert check_problem(refused) == (400, "invalid")
    assert "must be a time with its zone" in refused.json()["detail"]


def test_a_page_contains_the_messages_beside_its_cursors(server: Server, ana: Person) -> None:
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
        page = api.get(MESSAGES, params=asked).json()
        assert list_seqs(page) == found, asked
        assert (page["previous"] is not None, page["next"] is not None) == (has_previous, has_next), asked
        for way, is_there in (("previous", has_previous), ("next", has_next)):
            beside = is_there and list_seqs(api.get(page[way].removeprefix("/api")).json())
            assert not is_there or beside, (asked, way)


def test_the_total_counts_posted_messages_minus_removed_ones(any_server: Server, new_person: NewPerson) -> None:
    api = new_person(any_server, "ana").api()
    for number in range(1, 8):
        post_message(api, f"{number}")
    api.request("DELETE", f"{MESSAGES}/3")
    assert api.get(MESSAGES).json()["total"] == 7
    any_server.flask("cleanup", "--keep-last", "2", "--yes")
    page = api.get(MESSAGES).json()
    assert (page["total"], list_seqs(page)) == (2, [6, 7])
    ((counted,),) = any_server.rows("SELECT message_count FROM conversations WHERE id = 1")
    assert counted == 2
    # A message that a cleanup removed is not found.
    post_message(api, "one more")
    assert check_problem(api.get(f"{MESSAGES}/1")) == (404, "not_found")


def test_conversations_of_the_user_are_listed_in_pages(server: Server, ana: Person, bob: Person) -> None:
    rooms = [ana.create_room(f"Room {number}") for number in range(5)]
    ana.invite(rooms[2], bob)
    assert bob.open_direct(ana)
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


def test_direct_messages_can_be_read_by_their_people_only(any_server: Server, new_person: NewPerson) -> None:
    ana, bob, eve = (new_person(any_server, name) for name in ("ana", "bob", "eve"))
    ana_api, bob_api = ana.api(), bob.api()
    empty = ana_api.get(f"/chat/history/{bob.id}").json()
    assert (empty["messages"], empty["total"], empty["conversation"]) == ([], 0, None)
    assert check_problem(ana_api.post(f"/chat/mark-read/{bob.id}")) == (404, "not_found")

    assert ana.open_direct(bob)
    ((number,),) = any_server.rows("SELECT id FROM conversations WHERE kind = 'direct'")
    for word in ("one", "two", "three"):
        post_message(ana_api, word, f"direct_{number}")

    for api, person in ((ana_api, bob), (bob_api, ana)):
        page = api.get(f"/chat/history/{person.id}?limit=2").json()
        assert [message["content"] for message in page["messages"]] == ["two", "three"]
        assert (page["conversation"], page["total"], page["next"]) == (f"direct_{number}", 3, None)
        assert list_seqs(api.get(page["previous"].removeprefix("/api")).json()) == [1]
    assert eve.api().get(f"/chat/history/{ana.id}").json()["messages"] == []
    assert check_problem(eve.api().get(f"/conversations/direct_{number}/messages")) == (404, "not_found")

    assert bob_api.post(f"/chat/mark-read/{ana.id}", json={"seq": 2}).json()["unread"] == 1
    everything_read = bob_api.post(f"/chat/mark-read/{ana.id}").json()
    assert (everything_read["unread"], everything_read["last_read_seq"]) == (0, 3)
    assert bob_api.post(f"/chat/mark-read/{ana.id}", json={"seq": 1}).json()["last_read_seq"] == 3
    assert bob_api.post("/conversations/general/read", json={"seq": 0}).ok
    for wrong in ({"seq": 4}, {"seq": -1}, {"seq": "2"}, {"seq": True}, {"seq": 2**63}):
        assert check_problem(bob_api.post(f"/chat/mark-read/{ana.id}", json=wrong)) == (400, "invalid"), wrong


# Writing.


def test_programs_and_pages_receive_the_same_messages(ana: Person) -> None:
    socket = ana.connect()
    socket.join()
    api = ana.api()
    posted = post_message(api, "from a program")
    received = socket.wait_for("chat_message")[0]
    # The same message, without the keys that only pages need.
    assert {key: received[key] for key in received.keys() - {"html", "pending"}} == posted
    seq = socket.post("from the page")["seq"]
    assert api.get(f"{MESSAGES}/{seq}").json()["content"] == "from the page"

    changed = api.request("PATCH", f"{MESSAGES}/{seq}", json={"content": "edited"}).json()
    assert (changed["content"], changed["version"]) == ("edited", 3)
    reacted = api.request("PUT", f"{MESSAGES}/{seq}/reactions/👩‍🚀").json()
    assert reacted["reactions"] == [{"reaction": "👩‍🚀", "users": [{"id": ana.id, "name": "Ana"}]}]
    assert api.request("PUT", f"{MESSAGES}/{seq}/reactions/👩‍🚀").json() == reacted
    assert api.request("DELETE", f"{MESSAGES}/{seq}/reactions/👩‍🚀").json()["reactions"] == []
    deleted = api.request("DELETE", f"{MESSAGES}/{seq}").json()
    assert deleted["deleted_at"]
    assert check_problem(api.request("PATCH", f"{MESSAGES}/{seq}", json={"content": "again"})) == (
        409,
        "conflict",
    )
    assert [event["version"] for event in socket.wait_for("message_changed", 4)] == [3, 4, 5, 6]


def test_a_repeated_request_posts_one_message(any_server: Server, new_person: NewPerson) -> None:
    api = new_person(any_server, "ana").api()
    client_id = str(uuid.uuid4())
    for headers, body in (
        ({}, {"content": "one", "client_id": client_id}),
        ({"Idempotency-Key": "order 66"}, {"content": "two"}),
        ({"Idempotency-Key": '"5c1a6ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c"'}, {"content": "three"}),
    ):
        first, second = (api.post(MESSAGES, json=body, headers=headers) for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert first.headers["Location"] == second.headers["Location"]
        assert api.get(first.headers["Location"].removeprefix("/api")).json() == first.json()
    assert [message["content"] for message in api.get(MESSAGES).json()["messages"]] == ["one", "two", "three"]
    # A key that is a UUID is equivalent to a client_id.
    again = api.post(MESSAGES, json={"content": "x"}, headers={"Idempotency-Key": client_id})
    assert again.json()["content"] == "one"
    both = {"content": "x", "client_id": client_id}
    assert check_problem(api.post(MESSAGES, json=both, headers={"Idempotency-Key": "another"})) == (
        400,
        "invalid",
    )
    assert api.get(MESSAGES).json()["total"] == 3


# Errors.


def test_invalid_bodies_are_refused_with_a_reason(server: Server, ana: Person) -> None:
    api = ana.api()
    seq = post_message(api, "hello")["seq"]
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
        assert check_problem(api.post(MESSAGES, json={"content": content})) == (400, code), content
        assert check_problem(api.request("PATCH", f"{MESSAGES}/{seq}", json={"content": content})) == (
            400,
            code,
        ), content
    for client_id in (5, "", "x", [str(uuid.uuid4())], "\0"):
        body = {"content": "x", "client_id": client_id}
        assert check_problem(api.post(MESSAGES, json=body)) == (400, "invalid"), client_id
    for key in ("", '""', "x" * 256):
        headers = {"Idempotency-Key": key}
        assert check_problem(api.post(MESSAGES, json={"content": "x"}, headers=headers)) == (400, "invalid"), key
    as_json = {"Content-Type": "application/json"}
    endless = b'{"content": ' + b"9" * 5000 + b"}"
    for data in (b"{", b"{}", b"[]", b"5", b"null", b'"x"', b"\xff", b"[" * 100_000, endless):
        assert check_problem(api.post(MESSAGES, data=data, headers=as_json)) == (400, "invalid"), data[:20]
    assert check_problem(api.post(MESSAGES)) == (400, "invalid")
    assert check_problem(api.post(MESSAGES, data={"content": "x"})) == (415, "invalid")
    assert check_problem(api.post(MESSAGES, data=b"x" * 1_000_001, headers=as_json)) == (413, "invalid")
    assert server.rows("SELECT content, version FROM messages") == [("hello", 1)]
    assert "Traceback" not in server.log()


def test_invalid_numbers_and_names_are_refused_with_a_reason(any_server: Server, new_person: NewPerson) -> None:
    api = new_person(any_server, "ana").api()
    seq = post_message(api, "hello")["seq"]
    for asked in (
        *({"limit": value} for value in ("0", "101", "-1", "x", "", "1.0", "1e1", "١", " 5", "1_0", "9" * 30)),
        *({"before": value} for value in ("-1", "x", "", "1.5", str(2**63), "9" * 30)),
        {"after": "x"},
        {"limit": ["1", "2"]},
    ):
        for path in (MESSAGES, "/conversations", "/chat/history/1"):
            assert check_problem(api.get(path, params=asked)) == (400, "invalid"), (path, asked)
    for asked in ({"before": 2**31}, {"after": 2**31}):
        assert check_problem(api.get("/conversations", params=asked)) == (400, "invalid"), asked
        assert api.get(MESSAGES, params=asked).ok
    for asked in (
        {"before": 2**63 - 1},
        {"after": 2**63 - 1},
        {"before": 0},
        {"before": 2**31 - 1, "after": 2**31 - 1},
    ):
        page = api.get(MESSAGES, params=asked).json()
        assert all(api.get(page[way].removeprefix("/api")).ok for way in ("next", "previous") if page[way]), asked
    page = api.get("/conversations", params={"after": 2**31 - 1}).json()
    assert api.get(page["previous"].removeprefix("/api")).json()["total"] == 1
    for number in ("x", "-1", "1.0", str(2**63), "9" * 5000, "%00"):
        assert check_problem(api.get(f"{MESSAGES}/{number}")) == (400, "invalid"), number[:30]
        assert check_problem(api.get(f"/chat/history/{number}")) == (400, "invalid"), number[:30]
    for reaction in ("x", "%00", "👍👎x", "👍" * 17):
        assert check_problem(api.request("PUT", f"{MESSAGES}/{seq}/reactions/{reaction}")) == (
            400,
            "invalid",
        ), reaction
    for name in ("room_", "room_x", "room_01", "rooms_1", "room_" + "9" * 40, "%00", "%ff", "general%20"):
        for method, path in (("GET", ""), ("GET", "/messages"), ("GET", "/messages/1"), ("DELETE", "/messages/1")):
            response = api.request(method, f"/conversations/{name}{path}")
            assert check_problem(response) == (400, "invalid_conversation"), (name, path)
    assert any_server.rows("SELECT content, version FROM messages") == [("hello", 1)]
    assert "Traceback" not in any_server.log()


def test_conversations_of_others_are_hidden(any_server: Server, new_person: NewPerson) -> None:
    ana, eve = (new_person(any_server, name) for name in ("ana", "eve"))
    private, open_room = ana.create_room("Secret"), ana.create_room("Open", "open")
    ana_api = ana.api()
    for room in (private, open_room):
        post_message(ana_api, "inside", room)
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
            assert check_problem(api.request(method, path, json=body)) == refused, (room, method, path)
    # The id of the user's own room, as the name of another kind.
    assert check_problem(ana_api.get(private.replace("room_", "/conversations/direct_"))) == (404, "not_found")
    assert check_problem(ana_api.get(f"/conversations/{private}/messages/9")) == (404, "not_found")
    assert check_problem(ana_api.request("DELETE", f"/conversations/{private}/messages/9")) == (404, "not_found")
    assert check_problem(ana_api.get(f"/chat/history/{2**31 - 1}")) == (404, "not_found")
    ana.post(f"{room_path(private)}/archive", f"{room_path(private)}/settings")
    assert check_problem(ana_api.post(f"/conversations/{private}/messages", json={"content": "x"})) == (409, "archived")
    assert ana_api.get(f"/conversations/{private}/messages").ok


def test_unknown_fields_and_query_parameters_are_refused_by_name(server: Server, ana: Person) -> None:
    api = ana.api()
    message = {"content": "hello"}
    for method, path, body, name in (
        ("POST", MESSAGES, message | {"tags": []}, "tags"),
        ("POST", f"{MESSAGES}?client_id=x", message, "client_id"),
        ("GET", f"{MESSAGES}?q=hello", None, "q"),
        ("GET", f"{MESSAGES}?offset=10", None, "offset"),
        ("GET", "/conversations?q=room", None, "q"),
        ("GET", "/conversations/general?fields=id", None, "fields"),
        ("GET", "/sessions?before=3", None, "before"),
        ("DELETE", "/chat/history?bot_id=helper&before=3", None, "before"),
        ("POST", "/conversations/general/read", {"version": 1}, "version"),
        ("POST", "/sessions", {"system_prompt": "x"}, "system_prompt"),
        ("POST", "/conversations", {"kind": "room", "name": "x", "members": ["ana"]}, "members"),
        ("POST", "/conversations", {"kind": "direct", "people": ["ana"], "name": "x"}, "name"),
    ):
        response = api.request(method, path, json=body)
        assert check_problem(response) == (400, "invalid"), (method, path)
        assert f"{name}: This field or query parameter does not exist." in response.json()["detail"], (method, path)
    assert server.rows("SELECT count(*) FROM messages") == [(0,)]
    seq = post_message(api, "hello")["seq"]
    for method, path in (("DELETE", f"{MESSAGES}/{seq}"), ("PUT", f"{MESSAGES}/{seq}/reactions/👍")):
        assert check_problem(api.request(method, path, json={"reason": "x"})) == (400, "invalid")
        assert api.request(method, path, json={}).status_code in {200, 409}


def test_a_token_creates_rooms_and_starts_direct_conversations(any_server: Server, new_person: NewPerson) -> None:
    ana, bob, eve = (new_person(any_server, name) for name in ("ana", "bob", "eve"))
    api = ana.api()
    created = api.post(
        "/conversations", json={"kind": "room", "name": "Design", "topic": "Colours", "is_private": True}
    )
    assert created.status_code == 201, created.text
    room = created.json()
    assert (room["name"], room["topic"], room["is_private"], room["role"]) == ("Design", "Colours", True, "manager")
    assert created.headers["Location"] == f"/api/conversations/{room['conversation']}"
    assert check_problem(eve.api().get(f"/conversations/{room['conversation']}")) == (404, "not_found")
    assert not api.post("/conversations", json={"kind": "room", "name": "Open"}).json()["is_private"]

    started = api.post("/conversations", json={"kind": "direct", "people": ["Bob"]})
    assert started.status_code == 201
    direct = started.json()
    assert {person["username"] for person in direct["people"]} == {"ana", "bob"}
    post_message(api, "hello bob", direct["conversation"])
    again = bob.api().post("/conversations", json={"kind": "direct", "people": ["ana", "bob"]})
    assert (again.status_code, again.json()["conversation"]) == (200, direct["conversation"])
    assert again.json()["total"] == 1
    assert bob.open_direct(ana) == direct["conversation"]
    assert check_problem(eve.api().get(f"/conversations/{direct['conversation']}")) == (404, "not_found")

    bad: tuple[tuple[object, tuple[int, str]], ...] = (
        ({"kind": "direct", "people": ["nobody"]}, (404, "not_found")),
        ({"kind": "direct", "people": []}, (400, "invalid")),
        ({"kind": "direct", "people": [2]}, (400, "invalid")),
        ({"kind": "room", "name": " "}, (400, "invalid")),
        ({"kind": "room", "name": "x" * 81}, (400, "invalid")),
        ({"kind": "room"}, (400, "invalid")),
        ({"kind": "general"}, (400, "invalid")),
        ({}, (400, "invalid")),
        (None, (400, "invalid")),
    )
    for body, refused in bad:
        assert check_problem(api.post("/conversations", json=body)) == refused, body
    reader = ana.api(ana.create_token("read"))
    assert check_problem(reader.post("/conversations", json={"kind": "room", "name": "x"})) == (403, "forbidden")


def test_unknown_paths_and_methods_get_problem_documents_too(server: Server, ana: Person) -> None:
    for path in ("", "/conversation", "/conversations/general/message", "/%00", "/chat/history/"):
        assert check_problem(ana.api().get(path or "/")) == (404, "not_found"), path
    response = ana.api().request("PUT", MESSAGES)
    assert check_problem(response) == (405, "invalid")
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


def test_too_many_requests_are_refused_with_a_retry_after_header(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server(CHATAPP_API_REQUESTS_PER_MINUTE="5").start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    api = ana.api()
    responses = [api.get("/conversations") for _ in range(6)]
    assert [response.status_code for response in responses] == [200] * 5 + [429]
    assert {response.headers["X-RateLimit-Limit"] for response in responses} == {"5"}
    assert [response.headers["X-RateLimit-Remaining"] for response in responses] == ["4", "3", "2", "1", "0", "0"]
    # All requests of a user count together, with every token and to every path. Another user's do not.
    assert check_problem(api.get("/sessions")) == (429, "rate_limited")
    assert check_problem(api.get(MESSAGES)) == (429, "rate_limited")
    response = ana.api().get("/conversations")
    assert check_problem(response) == (429, "rate_limited")
    assert 1 <= response.json()["retry_after"] <= 61
    assert response.headers["Retry-After"] == str(response.json()["retry_after"])
    assert bob.api().get("/conversations").ok


def test_an_installation_without_accounts_refuses_requests_and_serves_the_document(server: Server) -> None:
    response = requests.get(f"{server.url}/api/conversations", allow_redirects=False)
    assert check_problem(response) == (401, "signed_out")
    assert requests.get(f"{server.url}/api/openapi.json").json()["openapi"].startswith("3.1")
