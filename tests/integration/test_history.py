"""Reading: the last page, older pages and catch-ups."""

import re
from typing import Any

from tests.harness.assistants import insert_messages, shared_conversation
from tests.harness.html import rendered_messages
from tests.harness.people import NewPerson, Person, message_payload
from tests.harness.rows import fill_general
from tests.harness.servers import Server
from tests.harness.waiting import eventually


def test_pages_contain_each_message_once_from_the_last_to_the_first(server: Server, ana: Person) -> None:
    fill_general(server, 137)
    assert [seq for seq, _ in rendered_messages(ana.get("/").text)] == list(range(128, 138))

    seen: list[int] = []
    before = 138
    while True:
        fragment = ana.get(f"/conversations/general/messages?before={before}").text
        page = [seq for seq, _ in rendered_messages(fragment)]
        seen = page + seen
        if 'data-older="false"' in fragment:
            break
        assert 'data-older="true"' in fragment
        before = page[0]
    assert seen == list(range(1, 138))
    older = ana.get("/?before=128").text
    assert [seq for seq, _ in rendered_messages(older)] == list(range(118, 128))


def test_a_broadcast_message_has_the_same_html_as_on_the_page(ana: Person) -> None:
    socket = ana.connect()
    socket.join()
    socket.post("<b>Tom & Jerry</b> https://example.com\nsecond line")
    html = socket.wait_for("chat_message")[0]["html"]

    def squeezed(text: str) -> str:
        return re.sub(r"\s+", " ", text)

    # The page adds classes for the reader: it is the own message, or continues a group.
    assert squeezed(html).removeprefix('<li class="message') in squeezed(ana.get("/").text)
    assert "&lt;b&gt;Tom &amp; Jerry&lt;/b&gt;" in html


def test_a_client_catches_up_in_steps_and_is_reset_when_it_is_too_far_behind(server: Server, ana: Person) -> None:
    fill_general(server, 2500)
    socket = ana.connect()
    cursor, received = 1000, []
    while True:
        ack = socket.join(after=cursor)
        assert not ack["reset"]
        assert ack["from"] == cursor
        received += [message["seq"] for message in ack["messages"]]
        cursor = ack["to"]
        if not ack["more"]:
            break
    assert received == list(range(1001, 2501))
    assert cursor == 2500

    for behind in ({"after": 499}, {"after": 2501}, {"after": 2400, "epoch": "another"}, {}):
        ack = socket.join(**behind)
        assert ack["reset"], behind
        assert [message["seq"] for message in ack["messages"]] == list(range(2491, 2501))
    assert not socket.join(after=2400, epoch=ack["epoch"])["reset"]


def test_a_client_that_joins_receives_ten_messages_by_default_and_up_to_a_hundred(server: Server, ana: Person) -> None:
    fill_general(server, 137)
    socket = ana.connect()

    def join(**payload: Any) -> list[int]:
        return [message["seq"] for message in socket.join(**payload)["messages"]]

    assert join() == join(after=138) == list(range(128, 138))
    assert join(limit=1) == [137]
    assert join(limit=100) == list(range(38, 138))
    # A cursor is continued with everything that was missed.
    assert join(after=100, limit=5) == list(range(101, 138))
    for wrong in (0, 101, -1, "10", 1.5, True):
        assert socket.call("join_chat", {"conversation": "general", "limit": wrong})["error"]["code"] == "invalid"

    # A conversation with an assistant brings the last 50.
    shared = shared_conversation(server, "helper")
    insert_messages(server, shared, *(f"message {number}" for number in range(60)))
    assert len(socket.join(shared)["messages"]) == 50
    assert len(socket.join(shared, limit=10)["messages"]) == 10


def test_two_hundred_missed_messages_come_in_one_step_and_one_more_in_two(server: Server, ana: Person) -> None:
    fill_general(server, 401)
    socket = ana.connect()
    for after, to, more in ((201, 401, False), (200, 400, True), (400, 401, False), (401, 401, False)):
        ack = socket.join(after=after)
        assert (ack["from"], ack["to"], ack["more"], ack["reset"]) == (after, to, more, False)
        assert [message["seq"] for message in ack["messages"]] == list(range(after + 1, to + 1))


def test_a_catch_up_of_long_messages_comes_in_more_steps(ana: Person) -> None:
    socket = ana.connect()
    for _ in range(12):
        socket.post("x" * 10_000)
    for after, to, more in ((0, 10, True), (10, 12, False)):
        ack = socket.join(after=after)
        assert [message["seq"] for message in ack["messages"]] == list(range(after + 1, to + 1))
        assert (ack["from"], ack["to"], ack["more"], ack["reset"]) == (after, to, more, False)
    # A last page has fewer of them, too. It ends at the last event, and the ones before it are loaded like older ones.
    ack = socket.join(limit=100)
    assert [message["seq"] for message in ack["messages"]] == list(range(3, 13))
    assert (ack["from"], ack["to"], ack["more"], ack["reset"]) == (0, 12, False, True)
    older = ana.api().get("/conversations/general/messages", params={"before": 3}).json()["messages"]
    assert [message["seq"] for message in older] == [1, 2]


def test_a_catch_up_has_each_changed_message_once(ana: Person) -> None:
    socket = ana.connect()
    for number in range(1, 6):
        socket.post(f"message {number}")
    for seq, content in ((1, "changed 1"), (2, "changed 2"), (1, "changed 1 again")):
        socket.call("edit_message", {"conversation": "general", "seq": seq, "content": content})
    socket.call("delete_message", {"conversation": "general", "seq": 4})

    ack = socket.join(after=4)

    received = [(each["version"], each["seq"], each["content"]) for each in ack["messages"]]
    assert received == [(5, 5, "message 5"), (7, 2, "changed 2"), (8, 1, "changed 1 again"), (9, 4, "")]
    assert (ack["to"], ack["last_event"], ack["more"]) == (9, 9, False)
    # The page keeps the order in which they were posted.
    shown = [seq for seq, _ in rendered_messages(ana.get("/").text)]
    assert shown == sorted(shown)
    assert {1, 2, 3, 5} <= set(shown)


def test_a_client_that_catches_up_while_others_post_gets_every_message_once(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    ana_socket = ana.connect()
    waiting = [ana_socket.emit("send_message", message_payload(f"message {number}")) for number in range(300)]

    bob_socket = bob.connect()
    caught_up: list[int] = []
    ack = {"to": 0, "more": True}
    while ack["more"]:
        ack = bob_socket.join(after=ack["to"])
        caught_up += [message["seq"] for message in ack["messages"]]
    assert all(wait(30)["ok"] for wait in waiting)

    eventually(
        lambda: {*caught_up, *(each["seq"] for each in bob_socket.messages())} == set(range(1, 301)),
        "all messages are received",
    )
    assert caught_up == list(range(1, len(caught_up) + 1))
    live = [each["seq"] for each in bob_socket.messages()]
    assert live == sorted(set(live))
