"""Threads: replies that only their thread shows, over events."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.harness.api import MESSAGES, check_problem, list_seqs
from tests.harness.assistants import start_session
from tests.harness.html import attribute, find_element, rendered_messages
from tests.harness.people import NewPerson, Person, Socket, message_payload, without_html
from tests.harness.servers import Server


def reply(socket: Socket, content: str, thread: int, conversation: str = "general", **fields: Any) -> dict[str, Any]:
    ack = socket.call("send_message", message_payload(content, conversation) | {"thread": thread} | fields)
    assert ack["ok"], ack
    message: dict[str, Any] = ack["message"]
    return message


def summary(message: dict[str, Any]) -> tuple[int, list[str]] | None:
    replies = message["replies"]
    return replies and (replies["count"], [person["username"] for person in replies["people"]])


def test_replies_are_shown_by_their_thread_and_change_its_root(any_server: Server, new_person: NewPerson) -> None:
    ana, bob, eve = (new_person(any_server, name) for name in ("ana", "bob", "eve"))
    ana_socket, bob_socket, eve_socket = ana.connect(), bob.connect(), eve.connect()
    ana_socket.join()
    root = ana_socket.post("the root")
    assert (root["thread"], root["in_room"], root["replies"]) == (None, True, None)

    first = reply(bob_socket, "one", 1)
    assert (first["thread"], first["in_room"], first["seq"], first["version"]) == (1, False, 2, 2)
    second = reply(eve_socket, "two", first["seq"], also_in_room=True)
    assert (second["thread"], second["in_room"]) == (1, True)
    changed = ana_socket.wait_for("message_changed", 2)
    assert [(each["seq"], each["version"], summary(each)) for each in changed] == [
        (1, 3, (1, ["bob"])),
        (1, 5, (2, ["eve", "bob"])),
    ]
    assert changed[-1]["replies"]["last_at"] == second["created_at"]
    ana_socket.wait_for_contents("the root", "one", "two")

    # Everything that reads the room leaves out what only the thread shows.
    api = ana.api()
    assert list_seqs(api.get(MESSAGES).json()) == [1, 4]
    assert list_seqs(api.get(MESSAGES, params={"since": "2000-01-01T00:00:00Z"}).json()) == [1, 4]
    assert [seq for seq, _ in rendered_messages(ana.get("/").text)] == [1, 4]
    last_page = bob.connect().join()
    assert [each["seq"] for each in last_page["messages"]] == [1, 4]
    assert summary(last_page["messages"][0]) == (2, ["eve", "bob"])
    # A catch-up has them: each event number counts.
    missed = eve.connect().join(after=1, epoch=last_page["epoch"])["messages"]
    assert [(each["seq"], each["version"]) for each in missed] == [(2, 2), (4, 4), (1, 5)]

    eve_socket.call("delete_message", {"conversation": "general", "seq": 4})
    assert summary(api.get(f"{MESSAGES}/1").json()) == (1, ["bob"])
    ana_socket.call("delete_message", {"conversation": "general", "seq": 1})
    assert summary(api.get(f"{MESSAGES}/1").json()) == (1, ["bob"])
    assert reply(bob_socket, "three", 1)["thread"] == 1
    deleted = ana.api().get(f"{MESSAGES}/1").json()
    assert (deleted["content"], summary(deleted)) == ("", (2, ["bob"]))


def test_a_thread_has_its_own_followers_and_unread_count(any_server: Server, new_person: NewPerson) -> None:
    ana, bob, eve, zoe = (new_person(any_server, name) for name in ("ana", "bob", "eve", "zoe"))
    sockets = {person.username: person.connect() for person in (ana, bob, eve, zoe)}
    sockets["ana"].post("the root")
    for person in (bob, eve, zoe):
        sockets[person.username].mark("general", 1)

    def states(name: str, count: int) -> tuple[bool, int, int]:
        last = sockets[name].wait_for("thread_changed", count)[-1]
        return last["following"], last["unread"], last["last_read_seq"]

    reply(sockets["bob"], "one", 1)
    assert states("ana", 1) == (True, 1, 1)
    assert states("bob", 1) == (True, 0, 2)
    reply(sockets["bob"], "two @eve", 1)
    assert states("ana", 2) == (True, 2, 1)
    assert states("eve", 1) == (True, 1, 3)
    assert states("bob", 2) == (True, 0, 4)
    # The room has nothing to read, not even for who is mentioned in the thread.
    assert [each.sidebar_counts("general") for each in (bob, eve, zoe)] == [(0, 0)] * 3
    assert not sockets["zoe"].payloads("thread_changed")
    news = sockets["zoe"].wait_for("news", 3)[-1]
    assert (news["thread"], news["in_room"], news["mentions"]) == (1, False, [eve.id])

    read = sockets["ana"].call("mark_thread_read", {"conversation": "general", "thread": 1, "seq": 2})
    assert (read["unread"], read["last_read_seq"], states("ana", 3)) == (1, 2, (True, 1, 2))
    assert sockets["ana"].call("mark_thread_read", {"conversation": "general", "thread": 1, "seq": 1})["unread"] == 1
    follow = {"conversation": "general", "thread": 1}
    unfollowed = sockets["ana"].call("follow_thread", follow | {"on": False})
    assert (unfollowed["following"], unfollowed["unread"]) == (False, 0)
    followed = sockets["zoe"].call("follow_thread", follow | {"on": True})
    assert (followed["following"], followed["unread"], followed["last_read_seq"]) == (True, 0, 4)
    reply(sockets["bob"], "three @ana", 1)
    assert states("zoe", 2) == (True, 1, 4)
    assert len(sockets["ana"].payloads("thread_changed")) == 4
    # Who replies follows it again.
    reply(sockets["ana"], "four", 1)
    assert states("ana", 5)[:2] == (True, 0)


def test_a_thread_is_marked_as_unread_from_a_reply_on(any_server: Server, new_person: NewPerson) -> None:
    ana, bob, eve = (new_person(any_server, name) for name in ("ana", "bob", "eve"))
    ana_socket, bob_socket, eve_socket = ana.connect(), bob.connect(), eve.connect()
    ana_socket.post("the root")
    for content in ("one", "two", "three"):
        reply(bob_socket, content, 1)
    payload = {"conversation": "general", "thread": 1}
    replies = [each["seq"] for each in ana.api().get("/conversations/general/threads/1").json()["messages"]]
    ana_socket.call("mark_thread_read", payload | {"seq": replies[2]})

    def mark(socket: Socket, seq: int) -> tuple[bool, int, int]:
        state = socket.call("mark_thread_unread", payload | {"seq": seq})
        return state["following"], state["unread"], state["last_read_seq"]

    assert mark(ana_socket, replies[1]) == (True, 2, replies[1] - 1)
    assert ana_socket.wait_for("thread_changed", 5)[-1]["unread"] == 2
    # Somebody who has not followed the thread does so then.
    assert mark(eve_socket, replies[2]) == (True, 1, replies[2] - 1)
    # One's own replies are always read.
    assert mark(bob_socket, replies[0]) == (True, 0, replies[2])
    assert ana.api().get("/threads").json()["threads"][0]["thread"]["unread"] == 2
    assert ana_socket.call("mark_thread_read", payload | {"seq": replies[2]})["unread"] == 0


def test_a_person_follows_a_bounded_number_of_threads(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket, other = ana.connect(), bob.connect()
    other.post("the root")
    other.post("another root")
    any_server.execute(
        "INSERT INTO thread_members (conversation_id, root_seq, user_id, is_following, last_read_seq) "
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000) "
        f"SELECT 1, 100 + n, {ana.id}, true, 0 FROM numbers"
    )
    payload = {"conversation": "general", "thread": 1}
    refused = socket.call("follow_thread", payload | {"on": True})["error"]
    assert (refused["code"], "5,000" in refused["message"]) == ("conflict", True)
    assert socket.call("mark_thread_unread", payload | {"seq": 1})["error"]["code"] == "conflict"
    assert check_problem(ana.api().request("PUT", "/conversations/general/threads/1/follow")) == (409, "conflict")
    # Threads in which they reply or are mentioned are followed nevertheless: no mention is lost.
    reply(socket, "one", 1)
    reply(other, "two @ana", 2)
    following = "SELECT count(*) FROM thread_members WHERE is_following AND user_id = "
    assert any_server.rows(f"{following}{ana.id}") == [(5002,)]
    assert any_server.rows(f"{following}{bob.id}") == [(2,)]
    any_server.execute(f"UPDATE thread_members SET is_following = false WHERE root_seq < 104 AND user_id = {ana.id}")
    assert socket.call("follow_thread", payload | {"on": True})["following"]


def test_typing_is_shown_where_it_is_done(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    ana_socket, bob_socket = ana.connect(), bob.connect()
    ana_socket.join()
    ana_socket.post("the root")
    assert bob_socket.call("typing", {"conversation": "general", "thread": 1})["ok"]
    assert [each["thread"] for each in ana_socket.wait_for("typing")] == [1]
    reply(bob_socket, "one", 1)
    assert bob_socket.call("typing", {"conversation": "general"})["ok"]
    assert [each["thread"] for each in ana_socket.wait_for("typing", 2)] == [1, None]


def test_an_author_follows_a_thread_that_somebody_has_followed_before_the_first_reply(
    server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    author, other = ana.connect(), bob.connect()
    author.post("the root")
    other.call("follow_thread", {"conversation": "general", "thread": 1, "on": True})
    reply(other, "one", 1)
    assert [each["unread"] for each in author.wait_for("thread_changed")] == [1]
    # A message that was deleted can have no first reply, also if somebody follows it.
    deleted = author.post("deleted")["seq"]
    other.call("follow_thread", {"conversation": "general", "thread": deleted, "on": True})
    author.call("delete_message", {"conversation": "general", "seq": deleted})
    ack = other.call("send_message", message_payload("x") | {"thread": deleted})
    assert ack["error"]["code"] == "thread_removed"


def test_many_people_read_a_thread_at_once(any_server: Server, new_person: NewPerson) -> None:
    people = [new_person(any_server, name) for name in ("ana", "bob", "eve", "zoe")]
    sockets = [person.connect() for person in people]
    sockets[0].post("the root")
    for socket in sockets[:3]:
        reply(socket, "a reply", 1)
    payload = {"conversation": "general", "thread": 1}
    with ThreadPoolExecutor() as pool:
        acks = list(
            pool.map(
                lambda each: each[0].call("mark_thread_read", payload | {"seq": each[1]}),
                [(socket, seq) for socket in sockets for seq in (6, 4, 99)],
            )
        )
    assert [ack["error"]["code"] for ack in acks[2::3]] == ["invalid"] * 4
    assert all(ack["ok"] for ack in acks if ack not in acks[2::3])
    # A person who has never followed the thread has no read marker in it.
    states = [socket.call("mark_thread_read", payload | {"seq": 1}) for socket in sockets]
    assert [(each["following"], each["unread"], each["last_read_seq"]) for each in states] == [
        *[(True, 0, 6)] * 3,
        (False, 0, 0),
    ]


def test_a_thread_needs_a_first_message_in_its_conversation(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket, stranger = ana.connect(), bob.connect()
    room = ana.create_room()
    socket.post("in the room", room)
    socket.post("in General")
    socket.post("deleted")
    socket.call("delete_message", {"conversation": "general", "seq": 2})
    for number in (0, 2, 99):
        ack = socket.call("send_message", message_payload("x") | {"thread": number})
        assert ack["error"]["code"] == "thread_removed", number
    for malformed in ("1", 1.5, -1, True, 2**63):
        ack = socket.call("send_message", message_payload("x") | {"thread": malformed})
        assert ack["error"]["code"] == "invalid", malformed
    for event, fields in (
        ("follow_thread", {"on": True}),
        ("mark_thread_read", {"seq": 1}),
        ("mark_thread_unread", {"seq": 1}),
    ):
        payload = {"conversation": room, "thread": 1} | fields
        assert stranger.call(event, payload)["error"]["code"] == "not_found"
        assert socket.call(event, payload | {"thread": 7})["error"]["code"] == "not_found"
        assert socket.call(event, payload)["ok"]
    for event in ("mark_thread_read", "mark_thread_unread"):
        assert socket.call(event, {"conversation": room, "thread": 1, "seq": 9})["error"]["code"] == "invalid"
    ack = stranger.call("send_message", message_payload("x", room) | {"thread": 1})
    assert ack["error"]["code"] == "not_found"
    message = reply(socket, "once", 1, room)
    again = message_payload("once", room, message["client_id"]) | {"thread": 1}
    assert without_html(socket.call("send_message", again)["message"]) == without_html(message)
    assert any_server.rows("SELECT reply_count FROM threads") == [(1,)]


def test_a_cleanup_removes_the_root_and_keeps_later_replies(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    socket = ana.connect()
    for content in ("root", "second"):
        socket.post(content)
    reply(socket, "early", 1)
    socket.post("third")
    reply(socket, "late", 1)
    reply(socket, "to the second", 2)
    any_server.flask("cleanup", "--conversation", "general", "--keep-last", "1", stdin="y\n")
    assert list_seqs(ana.api().get(MESSAGES).json()) == [5]
    assert any_server.rows("SELECT seq FROM messages ORDER BY seq") == [(5,), (6,), (8,)]
    assert any_server.rows("SELECT root_seq, reply_count FROM threads ORDER BY root_seq") == [(1, 1), (2, 1)]
    ack = socket.call("send_message", message_payload("x") | {"thread": 1})
    assert ack["error"]["code"] == "thread_removed"
    posted = ana.api().post(MESSAGES, json={"content": "x", "thread": 1})
    assert check_problem(posted) == (422, "thread_removed")
    any_server.flask("archive", "restore", "general")
    assert any_server.rows("SELECT root_seq, reply_count FROM threads ORDER BY root_seq") == [(1, 2), (2, 1)]
    assert summary(ana.api().get(f"{MESSAGES}/1").json()) == (2, ["ana"])
    assert reply(socket, "again", 1)["thread"] == 1
    # A thread of which nothing is left goes.
    assert ana.post("/conversations/general/clear").ok
    for table in ("threads", "thread_members"):
        assert any_server.rows(f"SELECT count(*) FROM {table}") == [(0,)], table


def test_threads_are_read_followed_and_posted_to_over_the_api(any_server: Server, new_person: NewPerson) -> None:
    ana, bob, eve = (new_person(any_server, name) for name in ("ana", "bob", "eve"))
    room = ana.create_room()
    ana.invite(room, bob)
    ana_api, bob_api = ana.api(), bob.api()
    messages, thread = f"/conversations/{room}/messages", f"/conversations/{room}/threads/1"
    ana_api.post(messages, json={"content": "the root"})
    for number in range(5):
        posted = bob_api.post(messages, json={"content": f"reply {number}", "thread": 1, "also_in_room": number == 2})
        assert posted.json()["in_room"] is (number == 2)
    read = ana_api.get(thread, params={"limit": 2}).json()
    assert read["thread"] == {"conversation": room, "thread": 1, "following": True, "unread": 5, "last_read_seq": 1}
    assert (summary(read["root"]), list_seqs(read), read["next"]) == ((5, ["bob"]), [8, 10], None)
    older = ana_api.get(read["previous"].removeprefix("/api")).json()
    assert list_seqs(older) == list_seqs(ana_api.get(thread, params={"after": 3, "limit": 2}).json()) == [4, 6]
    assert list_seqs(ana_api.get(older["previous"].removeprefix("/api")).json()) == [2]
    # A reply is no thread of its own.
    assert check_problem(ana_api.get(f"/conversations/{room}/threads/2")) == (404, "not_found")

    ana_api.post("/conversations/general/messages", json={"content": "another"})
    bob_api.post("/conversations/general/messages", json={"content": "x", "thread": 1})
    ana_api.post("/conversations/general/threads/1/read", json={})

    def list_threads(person: Person) -> list[tuple[str, int]]:
        return [
            (each["thread"]["conversation"], each["thread"]["unread"])
            for each in person.api().get("/threads").json()["threads"]
        ]

    # Those with unread replies are first.
    assert list_threads(ana) == [(room, 5), ("general", 0)]
    assert ana_api.get("/threads", params={"limit": 1}).json()["total"] == 2
    assert not ana_api.request("DELETE", f"{thread}/follow").json()["following"]
    assert list_threads(ana) == [("general", 0)]
    assert ana_api.request("PUT", f"{thread}/follow").json()["following"]
    assert list_threads(bob) == [("general", 0), (room, 0)]
    # Who was removed sees it no longer.
    ana.remove(room, bob)
    assert list_threads(bob) == [("general", 0)]
    assert check_problem(bob_api.get(thread)) == (404, "not_found")
    assert list_threads(eve) == []
    session = start_session(ana)
    refused = ana_api.post(f"/conversations/{session}/messages", json={"content": "x", "thread": 1})
    assert check_problem(refused) == (400, "invalid")


def test_a_thread_is_read_and_answered_without_javascript(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    path, socket = "/conversations/general/threads/1", bob.connect()
    ana.connect().post("the <root>")
    assert "Follow" in bob.get(path).text
    for number in range(60):
        reply(socket, f"reply {number}", 1)
    link = find_element(ana.get("/").text, "#message-1 .message-replies")
    assert (link.attributes["href"], find_element(ana.get("/").text, ".message-replies-count").text()) == (
        path,
        "60 replies",
    )
    page = ana.get("/threads").text
    assert attribute(page, ".thread-link", "href") == path
    assert find_element(page, ".thread-link .ellipsis").text().strip() == "the <root>"
    assert find_element(page, "[data-badge-of-thread]").text().split()[0] == "60"
    assert find_element(page, "[data-inbox=threads]").text().split()[0] == "1"

    shown = ana.get(path).text
    assert [seq for seq, _ in rendered_messages(shown)][:2] == [1, 22]
    older = ana.get(attribute(shown, "[data-older-messages] a", "href")).text
    assert [seq for seq, _ in rendered_messages(older)][-1] == 20
    assert ana.post(f"{path}/read", path, seq=attribute(shown, "[data-mark-thread-read] [name=seq]", "value")).url == (
        f"{any_server.url}{path}"
    )
    assert "hidden" in find_element(ana.get("/threads").text, "[data-inbox=threads]").attributes

    form_id = attribute(shown, "[name=form_id]", "value")
    for _ in range(2):
        sent = ana.post("/conversations/general/messages", path, content="by form", form_id=form_id, thread="1")
    assert sent.url.startswith(f"{any_server.url}{path}")
    assert [seq for seq, _ in rendered_messages(sent.text)][-1] == 122
    assert [seq for seq, _ in rendered_messages(ana.get("/").text)] == [1]
    # A permanent link leads to the thread, and a refused reply stays in its composer.
    linked = ana.get("/conversations/general/messages/4")
    assert (linked.url, [seq for seq, _ in rendered_messages(linked.text)]) == (
        f"{any_server.url}{path}?around=4#message-4",
        [1, 2, 4],
    )
    refused = ana.post("/conversations/general/messages", path, content="  ", form_id=form_id, thread="1")
    assert (refused.status_code, find_element(refused.text, "#composer-error").text()) == (
        400,
        "A message needs some text.",
    )
    assert ana.post(f"{path}/follow", path, follow="no").ok
    assert "No threads yet." in ana.get("/threads").text
    any_server.execute("DELETE FROM messages WHERE seq = 1")
    removed = ana.get(path)
    assert "The first message of this thread was removed" in removed.text
    # The conversation shows the draft: what remains of the thread has no composer.
    for _ in range(2):
        refused = ana.post("/conversations/general/messages", content="too late", form_id=form_id, thread="1")
        assert refused.status_code == 422
        assert find_element(refused.text, "[data-composer] textarea").text().strip() == "too late"
        assert "does not exist" in find_element(refused.text, "#composer-error").text()
        assert 'name="thread"' not in refused.text
        assert ana.post("/conversations/general/clear").ok
    assert ana.get(path).status_code == 404
