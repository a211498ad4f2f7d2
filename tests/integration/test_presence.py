"""Presence and typing, and several processes that serve one database."""

import time

from tests.harness.people import NewPerson, Person
from tests.harness.servers import Server
from tests.harness.waiting import eventually, scaled


def test_a_user_is_online_if_one_of_their_pages_is(ana: Person, bob: Person) -> None:
    watcher = ana.connect()
    bob_id = bob.id
    assert watcher.sees_presence(bob_id, "offline")
    desk, phone = bob.connect(), bob.connect()
    watcher.wait_for_presence(bob_id, "online")
    assert desk.call("presence", {"state": "away"})["ok"]
    time.sleep(1.5)
    assert watcher.sees_presence(bob_id, "online")
    phone.call("presence", {"state": "away"})
    watcher.wait_for_presence(bob_id, "away")
    phone.call("presence", {"state": "online"})
    watcher.wait_for_presence(bob_id, "online")
    phone.close()
    watcher.wait_for_presence(bob_id, "away")
    desk.close()
    watcher.wait_for_presence(bob_id, "offline")
    assert desk.is_connected() is False


def test_a_user_who_reloads_a_page_stays_online(ana: Person, bob: Person) -> None:
    watcher = ana.connect()
    bob_id = bob.id
    first = bob.connect()
    watcher.wait_for_presence(bob_id, "online")
    for _ in range(3):
        first.close()
        time.sleep(0.7)
        first = bob.connect()
        time.sleep(0.7)
    assert "offline" not in [payload["people"].get(str(bob_id)) for payload in watcher.payloads("presence")]


def test_nobody_is_online_after_a_crash_of_the_server(server: Server, ana: Person, bob: Person) -> None:
    bob.connect()
    server.kill()
    server.start()
    watcher = ana.connect()
    assert watcher.wait_for("presence")[0] == {"people": {str(ana.id): "online"}, "whole": True}
    time.sleep(2)
    assert watcher.sees_presence(bob.id, "offline")


def test_unknown_states_are_refused(ana: Person) -> None:
    socket = ana.connect()
    for state in ("offline", "", None, 1, "busy"):
        assert socket.call("presence", {"state": state})["error"]["code"] == "invalid"


def test_many_users_who_connect_at_once_cause_few_events(server: Server, ana: Person) -> None:
    server.execute(
        "INSERT INTO users (username, name, password_hash, role, created_at) "
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 40) "
        "SELECT 'p' || n, 'P', (SELECT password_hash FROM users WHERE id = 1), 'member', '2026-01-01 00:00:00' "
        "FROM numbers"
    )
    watcher = ana.connect()
    crowd = [Person(server, f"p{number}") for number in range(1, 41)]
    for person in crowd:
        person.sign_in()
    start = time.monotonic()
    for person in crowd:
        person.connect()
    eventually(lambda: list(watcher.presence().values()).count("online") == 41, "all are online", timeout=20)
    seconds = time.monotonic() - start
    assert len(watcher.payloads("presence")) <= seconds + 4
    for person in crowd:
        person.close()
    eventually(lambda: list(watcher.presence().values()).count("offline") == 40, "all are offline", timeout=20)


def test_typing_is_broadcast_to_the_others_at_most_once_a_second(ana: Person, bob: Person, eve: Person) -> None:
    name = ana.open_direct(bob)
    ana_socket, ana_phone, bob_socket, eve_socket = ana.connect(), ana.connect(), bob.connect(), eve.connect()
    for socket in (ana_socket, ana_phone, bob_socket):
        socket.join(name)
    start = time.monotonic()
    for _ in range(100):
        assert ana_socket.call("typing", {"conversation": name})["ok"]
    seconds = time.monotonic() - start
    received = bob_socket.wait_for("typing")
    assert received[0] == {"conversation": name, "thread": None, "user": {"id": ana.id, "name": "Ana"}}
    assert len(received) <= seconds + 1
    assert eve_socket.call("typing", {"conversation": name})["error"]["code"] == "not_found"
    assert ana_socket.payloads("typing") == ana_phone.payloads("typing") == eve_socket.payloads("typing") == []


def test_events_of_one_process_reach_the_sockets_of_the_other(
    two_servers: tuple[Server, Server], new_person: NewPerson
) -> None:
    first, second = two_servers
    ana, bob = new_person(first, "ana"), new_person(first, "bob")
    bob_socket = bob.on_server(second).connect()
    ana_socket = ana.connect()
    ana_socket.join()
    bob_socket.join()
    assert bob_socket.delivery_seconds(ana_socket, "hello") < scaled(1)
    assert ana_socket.delivery_seconds(bob_socket, "hello to you") < scaled(1)
    ana_socket.call("edit_message", {"conversation": "general", "seq": 1, "content": "hello!"})
    assert bob_socket.wait_for("message_changed")[0]["content"] == "hello!"
    ana_socket.wait_for_presence(bob.id, "online")
    bob_socket.wait_for_presence(ana.id, "online")
    assert bob_socket.call("typing", {"conversation": "general"})["ok"]
    assert ana_socket.wait_for("typing")[0]["user"]["name"] == "Bob"

    room = ana.create_room()
    ana.invite(room, bob)
    bob_socket.wait_for("sidebar_changed")
    ana_socket.post("news for bob", room)
    assert bob_socket.wait_for("news")[0]["conversation"] == room
    bob_socket.join(room)
    ana.remove(room, bob)
    assert bob_socket.wait_for("removed_from_chat") == [{"conversation": room}]
    ana_socket.post("after the removal", room)
    assert bob_socket.delivery_seconds(ana_socket, "in general") < scaled(1)
    assert "after the removal" not in bob_socket.contents(room)

    bob_socket.call("mark_as_read", {"conversation": "general", "seq": 1})
    bob_at_first = bob.connect()
    bob_socket.call("mark_as_read", {"conversation": "general", "seq": 2})
    assert bob_at_first.wait_for("unread_changed")[0]["last_read_seq"] == 2
    bob.post("/sign-out")
    bob_socket.wait_for("signed_out")
    eventually(lambda: not bob_socket.is_connected(), "the socket is closed")
    for socket in (ana_socket, bob_socket):
        versions = [message["version"] for message in socket.messages()]
        assert versions == sorted(set(versions))


def test_the_users_of_a_killed_process_go_offline_on_the_other(
    two_servers: tuple[Server, Server], new_person: NewPerson
) -> None:
    first, second = two_servers
    ana, bob = new_person(first, "ana"), new_person(first, "bob")
    watcher = ana.connect()
    bob.on_server(second).connect()
    watcher.wait_for_presence(bob.id, "online")
    second.kill()
    watcher.wait_for_presence(bob.id, "offline", timeout=40)
