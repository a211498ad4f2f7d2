"""Read state: the same in every tab, after a reconnect and after a restart."""

import pytest
from sqlalchemy import text

from chatapp.models import Membership
from chatapp.timeline.read_state import SELECT_READ_STATES
from tests.harness.people import NewPerson, Person
from tests.harness.servers import Server
from tests.harness.waiting import eventually


@pytest.fixture
def pair(server: Server, new_person: NewPerson) -> tuple[Person, Person]:
    return new_person(server, "ana"), new_person(server, "bob")


def test_reading_moves_the_marker_forward_only_and_marking_as_unread_moves_it_back(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = new_person(any_server, "ana"), new_person(any_server, "bob")
    ana_socket, bob_socket = ana.connect(), bob.connect()
    for number in range(5):
        bob_socket.post(f"message {number}")
    assert ana.sidebar_counts("general") == (5, 0)
    assert ana_socket.mark("general", 3)["unread"] == 2
    assert ana_socket.mark("general", 1)["last_read_seq"] == 3
    assert ana.sidebar_counts("general") == (2, 0)
    assert ana_socket.mark("general", 2, "mark_as_unread") == {
        "conversation": "general",
        "last_read_seq": 1,
        "unread": 4,
        "mentions": 0,
    }
    assert ana_socket.mark("general", 5)["unread"] == 0
    assert bob.sidebar_counts("general") == (0, 0), "one's own messages are not unread"


def test_a_seq_beyond_the_last_event_is_invalid(pair: tuple[Person, Person]) -> None:
    socket = pair[0].connect()
    socket.post("hello")
    for event in ("mark_as_read", "mark_as_unread"):
        for seq in (3, 2**62, -1, "1", 1.5, None, True):
            error = socket.call(event, {"conversation": "general", "seq": seq})["error"]
            assert error["code"] == "invalid", (event, seq)
    assert socket.call("mark_as_unread", {"conversation": "general", "seq": 0})["error"]["code"] == "invalid"


def test_every_tab_and_device_receives_read_states_and_news(server: Server, pair: tuple[Person, Person]) -> None:
    ana, bob = pair
    tab, device = ana.connect(), ana.connect()
    bob_socket = bob.connect()
    name = bob.open_direct(ana)
    message = bob_socket.post("hello", name)
    for socket in (tab, device):
        assert socket.wait_for("news")[0] == {
            "conversation": name,
            "seq": message["seq"],
            "thread": None,
            "in_room": True,
            "sender_id": bob.id,
            "mentions": [],
        }
    assert tab.mark(name, message["seq"])["unread"] == 0
    state = {"conversation": name, "last_read_seq": 1, "unread": 0, "mentions": 0}
    assert device.wait_for("unread_changed") == tab.wait_for("unread_changed") == [state]

    device.join(name)
    bob_socket.post("again", name)
    device.wait_for_contents("again", conversation=name)
    eventually(lambda: len(tab.payloads("news")) == 2, "the other tab receives news")
    assert len(device.payloads("news")) == 1, "a socket in the conversation receives no news of it"
    device.call("leave_chat", {"conversation": name})
    bob_socket.post("and again", name)
    eventually(lambda: len(device.payloads("news")) == 2, "a socket that has left receives news again")

    before = ana.sidebar_counts(name)
    server.kill()
    server.start()
    assert ana.sidebar_counts(name) == before == (2, 0)


def test_a_new_member_receives_news_and_a_removed_one_does_not(pair: tuple[Person, Person]) -> None:
    ana, bob = pair
    room = ana.create_room()
    ana_socket, bob_socket = ana.connect(), bob.connect()
    ana_socket.post("before", room)
    ana.invite(room, bob)
    ana_socket.post("hello", room)
    bob_socket.wait_for("news")
    ana.remove(room, bob)
    bob_socket.wait_for("removed_from_chat")
    ana_socket.post("after the removal", room)
    ana_socket.post("in general")
    eventually(
        lambda: bob_socket.payloads("news")[-1]["conversation"] == "general", "the news of the general chat arrive"
    )
    assert [each["conversation"] for each in bob_socket.payloads("news")] == [room, "general"]


def test_messages_from_before_joining_are_not_unread(
    server: Server, pair: tuple[Person, Person], new_person: NewPerson
) -> None:
    ana, _bob = pair
    room = ana.create_room()
    socket = ana.connect()
    for _ in range(3):
        socket.post("before")
        socket.post("before", room)
    late = new_person(server, "late")
    ana.invite(room, late)
    assert late.sidebar_counts("general") == late.sidebar_counts(room) == (0, 0)
    socket.post("after", room)
    assert late.sidebar_counts(room) == (1, 0)


def test_members_see_read_receipts_of_those_who_share_them(
    pair: tuple[Person, Person],
) -> None:
    ana, bob = pair
    name = ana.open_direct(bob)
    ana_socket, bob_socket = ana.connect(), bob.connect()
    ana_socket.join(name)
    seq = ana_socket.post("have you seen this?", name)["seq"]
    bob_socket.mark(name, seq)
    reader = {"id": bob.id, "name": "Bob", "seq": seq}
    assert ana_socket.wait_for("messages_read") == [{"conversation": name, "reader": reader}]
    assert reader in ana_socket.join(name)["readers"]

    assert "saved" in bob.post("/settings/receipts", "/settings").text
    assert bob.id not in [each["id"] for each in ana_socket.join(name)["readers"]]
    seq = ana_socket.post("and this?", name)["seq"]
    bob_socket.mark(name, seq)
    eventually(lambda: bob_socket.payloads("unread_changed")[-1]["last_read_seq"] == seq, "the message is read")
    assert len(ana_socket.payloads("messages_read")) == 1


def test_the_general_chat_and_large_rooms_have_no_read_receipts(
    server: Server, pair: tuple[Person, Person], new_person: NewPerson
) -> None:
    ana, bob = pair
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket = ana.connect()
    assert ana_socket.join()["readers"] == []
    assert len(ana_socket.join(room)["readers"]) == 2
    number = room.removeprefix("room_")
    server.execute(
        "INSERT INTO users (username, name, password_hash, role, created_at) VALUES "
        + ", ".join(f"('p{i}', 'P', 'x', 'member', '2026-01-01 00:00:00')" for i in range(20))
    )
    server.execute(
        "INSERT INTO memberships (conversation_id, user_id, role, created_at) "
        f"SELECT {number}, id, 'member', '2026-01-01 00:00:00' FROM users WHERE password_hash = 'x'"
    )
    assert ana_socket.join(room)["readers"] == []


def test_counting_unread_messages_scans_ranges_of_indexes_only(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    ana.open_direct(ana)
    engine = any_server.engine()
    with engine.connect() as connection:
        states = SELECT_READ_STATES.where(Membership.user_id == 1)
        query = str(states.compile(engine, compile_kwargs={"literal_binds": True}))
        if engine.dialect.name == "sqlite":
            plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
            scans = [step for step in plan if step.startswith("SCAN") and "anon" not in step]
        else:
            connection.execute(text("SET enable_seqscan = off"))
            plan = [row[0] for row in connection.execute(text(f"EXPLAIN {query}"))]
            scans = [step for step in plan if "Seq Scan" in step]
    assert any("ix_messages_conversation_id_seq" in step for step in plan), plan
    assert any("ix_mentions_user_id_conversation_id_seq" in step for step in plan), plan
    assert not scans, plan
