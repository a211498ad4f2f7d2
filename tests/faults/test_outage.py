"""Outages of the database while people post: no message is lost, duplicated or reordered."""

import resource
import signal
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import pytest

from chatapp.storage.spool import Spool
from tests.harness.audit import Participant, audit, audit_index, chatting, wait_until_all_have_sent
from tests.harness.html import rendered_messages
from tests.harness.people import NewPerson, Person, message_payload, without_html
from tests.harness.servers import NewServer, Postgres, Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults


def participants(server: Server, new_person: NewPerson) -> tuple[Person, Person]:
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    for person in (ana, bob):
        person.connect().join()
    return ana, bob


def test_messages_are_spooled_while_postgresql_is_stopped_and_stored_in_their_order(
    own_postgres: Postgres, new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(database_url=own_postgres.create_database()).start()
    ana, bob = participants(server, new_person)
    ana_socket, bob_socket = ana.sockets[0], bob.sockets[0]
    ana_socket.post("before")

    own_postgres.stop()
    client_id = str(uuid.uuid4())
    first = ana_socket.send("during 1", client_id=client_id)
    assert first["ok"]
    assert first["message"]["pending"]
    assert first["message"]["seq"] is None
    assert without_html(ana_socket.send("again", client_id=client_id)["message"]) == first["message"]
    for number in (2, 3):
        assert bob_socket.send(f"during {number}")["message"]["pending"]
    bob_socket.wait_for_contents("before", "during 1", "during 2", "during 3")
    assert bob_socket.messages()[1]["pending"]
    health = server.health()
    assert health.status_code == 503
    assert health.json()["spool"]["waiting"] == 3
    assert server.health("/healthz").status_code == 200
    readiness = server.health("/readyz")
    assert (readiness.status_code, readiness.json()["status"]) == (200, "degraded"), "people are served from the spool"
    assert readiness.json()["checks"]["spool"]["reason"] == "Messages that wait for the database: 3."
    assert bob_socket.payloads("backlog")[-1]["waiting"] == 3
    assert "chatapp_spool_waiting 3.0" in ana.get("/metrics").text
    page = ana.get("/")
    assert page.status_code == 503
    assert "database" in page.text

    own_postgres.start()
    saved = bob_socket.wait_for("message_saved", 3)
    assert [each["message"]["content"] for each in saved] == ["during 1", "during 2", "during 3"]
    assert [each["message"]["seq"] for each in saved] == [2, 3, 4]
    assert saved[0]["client_id"] == client_id
    eventually(lambda: server.health().status_code == 200, "the server is healthy")
    eventually(lambda: server.health("/readyz").json()["status"] == "ready", "the server is ready")
    ana_socket.post("after")
    assert rendered_messages(bob.get("/").text) == list(
        enumerate(["before", "during 1", "during 2", "during 3", "after"], start=1)
    )
    assert bob_socket.payloads("backlog")[-1] == {"waiting": 0, "since": None}


def test_a_spool_survives_a_kill_of_the_server_and_is_drained_at_the_next_start(
    own_postgres: Postgres, new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(database_url=own_postgres.create_database()).start()
    ana, _bob = participants(server, new_person)
    own_postgres.stop(signal.SIGQUIT)
    contents = [f"message {number}" for number in range(20)]
    for content in contents:
        assert ana.sockets[0].send(content)["ok"]

    server.kill()
    own_postgres.start()
    server.start()

    eventually(lambda: server.health().status_code == 200, "the spool is drained")
    assert [content for (content,) in server.rows("SELECT content FROM messages ORDER BY seq")] == contents


def test_messages_are_spooled_while_another_program_locks_sqlite(server: Server, new_person: NewPerson) -> None:
    ana, bob = participants(server, new_person)
    first = ana.sockets[0].post("before")["seq"]
    other = sqlite3.connect(server.data_dir / "chatapp.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    payload = message_payload("locked") | {"metadata": {"tags": ["é"]}, "reply_to": first}
    pending = ana.sockets[0].call("send_message", payload, timeout=15)["message"]
    assert (pending["pending"], pending["metadata"]) == (True, payload["metadata"])
    # It was acknowledged: that there is no such message is found too late to refuse it.
    no_reply = message_payload("no reply") | {"reply_to": 99}
    assert ana.sockets[0].call("send_message", no_reply, timeout=15)["message"]["pending"]
    # Only the database knows who may post notices.
    notice = message_payload("x") | {"message_type": "system"}
    assert ana.sockets[0].call("send_message", notice, timeout=15)["error"]["code"] == "unavailable"
    late = bob.connect()
    assert [each["content"] for each in late.call("join_chat", {"conversation": "general"})["pending"]] == [
        "locked",
        "no reply",
    ]
    assert ">locked</div>" in bob.get("/").text
    other.execute("ROLLBACK")
    other.close()

    saved = ana.sockets[0].wait_for("message_saved", 2)[0]["message"]
    assert (saved["metadata"], saved["reply_to"]) == (payload["metadata"], first)
    assert server.rows("SELECT content, reply_to FROM messages ORDER BY seq") == [
        ("before", None),
        ("locked", first),
        ("no reply", None),
    ]


def test_a_message_is_not_spooled_for_a_user_who_may_only_read(server: Server, new_person: NewPerson) -> None:
    ana, bob = participants(server, new_person)
    name = ana.open_direct(bob)
    ana.post("/direct/bob/block", "/direct/bob")
    ana.sockets[0].join(name)
    bob.sockets[0].join(name)
    with closing(sqlite3.connect(server.data_dir / "chatapp.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        payload = message_payload("blocked", name)
        assert bob.sockets[0].call("send_message", payload, timeout=15)["error"]["code"] == "unavailable"
        assert ana.sockets[0].call("send_message", payload, timeout=15)["message"]["pending"]


def test_a_full_spool_refuses_messages_with_busy_and_a_retry_delay(
    own_postgres: Postgres, new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(database_url=own_postgres.create_database(), CHATAPP_MAX_SPOOLED_MESSAGES="2").start()
    ana, _bob = participants(server, new_person)
    own_postgres.stop()
    assert [ana.sockets[0].send(text)["ok"] for text in ("one", "two")] == [True, True]

    refused = ana.sockets[0].send("three")

    assert refused["error"]["code"] == "busy"
    assert refused["error"]["retry_after"] > 0


def test_a_message_that_the_database_rejects_stays_in_the_spool_with_the_reason(
    own_postgres: Postgres, new_server: NewServer, new_person: NewPerson
) -> None:
    database_url = own_postgres.create_database()
    server = new_server(database_url=database_url, CHATAPP_HEARTBEAT_SECONDS="0.5").start()
    ana, bob = participants(server, new_person)
    room = ana.create_room()
    ana.invite(room, bob)
    for person in (ana, bob):
        person.sockets[0].join(room)
    own_postgres.stop()
    assert bob.sockets[0].send("too late", room)["ok"]
    server.kill()
    own_postgres.start()
    server.rows(f"DELETE FROM memberships WHERE user_id = {bob_id(server)} RETURNING 1")
    server.start()

    eventually(lambda: "too late" in server.flask("spool", "list"), "the message is rejected")
    listed = server.flask("spool", "list")
    assert "not a member" in listed
    assert "too late" in server.flask("spool", "export")
    eventually(lambda: server.health().status_code == 200, "the server is healthy")

    ana.invite(room, bob)
    assert "1 messages" in server.flask("spool", "retry")
    eventually(lambda: server.rows("SELECT content FROM messages") == [("too late",)], "the message is stored")
    assert server.flask("spool", "list") == ""


def test_a_server_with_a_damaged_spool_entry_starts_and_lists_it_as_rejected(new_server: NewServer) -> None:
    server = new_server()
    with closing(Spool(server.data_dir / f"spool-{server.port}.sqlite3")) as spool:
        spool.add([("first", 1, {"content": "damaged"})])
    (server.data_dir / "spool-1.sqlite3").write_bytes(b"no database" * 1_000)
    server.start()

    eventually(lambda: "rejected" in server.flask("spool", "list"), "the entry is rejected")
    assert '{"content": "damaged"}' in server.flask("spool", "list")
    assert '"content": "damaged"' in server.flask("spool", "export")
    assert server.health().status_code == 200


def bob_id(server: Server) -> object:
    return server.rows("SELECT id FROM users WHERE username = 'bob'")[0][0]


@contextmanager
def stopped(postgres: Postgres) -> Iterator[None]:
    postgres.stop()
    yield
    postgres.start()


@contextmanager
def killed(postgres: Postgres) -> Iterator[None]:
    postgres.stop(signal.SIGKILL)
    yield
    postgres.start()


@contextmanager
def cut_off(postgres: Postgres) -> Iterator[None]:
    """Terminate its connections repeatedly."""
    for _ in range(5):
        terminate_connections(postgres)
        time.sleep(0.3)
    yield
    terminate_connections(postgres)


@contextmanager
def read_only(postgres: Postgres) -> Iterator[None]:
    set_read_only(postgres, "on")
    yield
    set_read_only(postgres, "off")


def terminate_connections(postgres: Postgres) -> None:
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'chatapp%'")


def set_read_only(postgres: Postgres, state: str) -> None:
    postgres.execute(f"ALTER SYSTEM SET default_transaction_read_only = {state}")
    postgres.execute("SELECT pg_reload_conf()")
    for _ in range(3):
        # Repeated, because connections that were opened before the reload took effect have the old value.
        terminate_connections(postgres)
        time.sleep(0.3)


Fault = Callable[[Postgres], AbstractContextManager[None]]

FAULTS: list[Fault] = [stopped, killed, cut_off, read_only]


def two_participants(server: Server, new_person: NewPerson) -> list[Participant]:
    return [
        Participant(new_person(server, name), "general", name, edit_every=5, reply_every=4) for name in ("ana", "bob")
    ]


def count_spooled(server: Server) -> int:
    """Return the number of messages in the spool."""
    count = server.health().json()["spool"]["waiting"]
    assert isinstance(count, int)
    return count


def is_saved(server: Server) -> bool:
    """Return whether the database is available and the spool is empty."""
    return server.health().status_code == 200


def post_through_outages(
    fault: Fault, seconds: float, postgres: Postgres, server: Server, participants: list[Participant]
) -> None:
    with chatting(*participants):
        wait_until_all_have_sent(participants)
        with fault(postgres):
            time.sleep(seconds)
        eventually(lambda: is_saved(server), "the spool is drained", timeout=60)
        wait_until_all_have_sent(participants)
    audit(server, *participants)
    # A dropped connection is replaced: that is no outage.
    assert fault is cut_off or "spool drained" in server.log()


@pytest.mark.parametrize("fault", FAULTS)
def test_no_message_is_lost_in_any_outage_of_postgresql(
    own_postgres: Postgres, new_server: NewServer, new_person: NewPerson, fault: Fault
) -> None:
    server = new_server(database_url=own_postgres.create_database(), CHATAPP_GENERAL_KEEP_LAST="0").start()
    post_through_outages(fault, 1.5, own_postgres, server, two_participants(server, new_person))


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS)
def test_no_message_is_lost_in_a_minute_of_outages(
    own_postgres: Postgres, new_server: NewServer, new_person: NewPerson, fault: Fault
) -> None:
    server = new_server(database_url=own_postgres.create_database(), CHATAPP_GENERAL_KEEP_LAST="0").start()
    participants = two_participants(server, new_person)
    for participant in participants:
        participant.pause = 0.1  # More than 2,000 missed events would cause a reset to the last page.
    post_through_outages(fault, 60, own_postgres, server, participants)


def kill_with_a_full_spool(server: Server, failpoint: str) -> None:
    """Kill the server while messages are spooled: at the failpoint, or at a random time."""
    if failpoint:
        eventually(lambda: not server.is_running, f"killed at {failpoint}", timeout=30)
    else:
        eventually(lambda: count_spooled(server) > 5, "messages are spooled")
        server.kill()
    server.launch(CHATAPP_FAILPOINT="")


@pytest.mark.parametrize(
    ("fault", "failpoint"),
    [(stopped, ""), (killed, "in-spool:3"), (read_only, ""), (stopped, "after-drain")],
)
def test_no_message_is_lost_when_the_server_is_killed_during_an_outage(
    own_postgres: Postgres, new_server: NewServer, new_person: NewPerson, fault: Fault, failpoint: str
) -> None:
    server = new_server(database_url=own_postgres.create_database(), CHATAPP_GENERAL_KEEP_LAST="0").start()
    participants = two_participants(server, new_person)
    server.terminate()
    server.start(CHATAPP_FAILPOINT=failpoint)
    is_drain = failpoint == "after-drain"
    with chatting(*participants):
        wait_until_all_have_sent(participants)
        with fault(own_postgres):
            time.sleep(1)
            if not is_drain:
                kill_with_a_full_spool(server, failpoint)
        if is_drain:
            kill_with_a_full_spool(server, failpoint)
        server.wait_until_ready()
        eventually(lambda: is_saved(server), "the spool is drained", timeout=60)
    audit(server, *participants)
    assert any(None in participant.acknowledged.values() for participant in participants), (
        "nothing was acknowledged as pending"
    )


def test_no_message_is_lost_when_the_server_is_killed_while_sqlite_is_locked(
    new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(CHATAPP_GENERAL_KEEP_LAST="0").start()
    participants = two_participants(server, new_person)
    other = sqlite3.connect(server.data_dir / "chatapp.sqlite3", isolation_level=None)
    with chatting(*participants), closing(other):
        wait_until_all_have_sent(participants)
        other.execute("BEGIN IMMEDIATE")
        eventually(lambda: count_spooled(server) > 5, "messages are spooled after the lock timeout", timeout=30)
        server.kill()
        server.start()
        other.execute("ROLLBACK")
        eventually(lambda: is_saved(server), "the spool is drained", timeout=30)
        wait_until_all_have_sent(participants)
    audit(server, *participants)
    audit_index(server)
    assert any(None in participant.acknowledged.values() for participant in participants), (
        "nothing was acknowledged as pending"
    )


def test_a_message_sent_repeatedly_during_an_outage_is_spooled_once(
    own_postgres: Postgres, new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(database_url=own_postgres.create_database()).start()
    ana, bob = participants(server, new_person)
    ana_socket, bob_socket = ana.sockets[0], bob.sockets[0]
    other = ana.connect()
    other.join()
    stored = ana_socket.post("before")
    own_postgres.stop()
    payload = message_payload("during")

    acks = [
        wait(20) for wait in [socket.emit("send_message", payload) for _ in range(25) for socket in (ana_socket, other)]
    ]
    assert ana_socket.send("before", client_id=stored["client_id"])["message"]["pending"]

    assert all(without_html(ack["message"]) == without_html(acks[0]["message"]) for ack in acks)
    assert acks[0]["message"]["pending"]
    assert count_spooled(server) == 2
    own_postgres.start()
    first, again = bob_socket.wait_for("message_saved", 2)
    assert (first["client_id"], first["message"]["seq"]) == (payload["client_id"], 2)
    assert (again["client_id"], without_html(again["message"])) == (stored["client_id"], stored)
    assert server.rows("SELECT content FROM messages ORDER BY seq") == [("before",), ("during",)]
    assert ana_socket.send("during", client_id=payload["client_id"])["message"] == first["message"]
    assert bob_socket.contents().count("during") == 1


def test_messages_stay_in_the_outboxes_while_the_disk_is_full(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server(CHATAPP_GENERAL_KEEP_LAST="0").start()
    participants = two_participants(server, new_person)
    with chatting(*participants):
        wait_until_all_have_sent(participants)
        # The process cannot extend any file: writes of SQLite and of the spool fail as on a full disk.
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        eventually(lambda: server.health().status_code == 503, "the disk is full")
        time.sleep(1)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        eventually(lambda: server.health().status_code == 200, "the disk has space again", timeout=30)
        wait_until_all_have_sent(participants)
    audit(server, *participants)


def test_api_clients_get_unavailable_during_an_outage_and_can_retry_without_loss(
    own_postgres: Postgres, new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(database_url=own_postgres.create_database()).start()
    api = new_person(server, "ana").api()
    path, body = "/conversations/general/messages", {"content": "hello", "client_id": str(uuid.uuid4())}
    assert api.get(path).ok

    own_postgres.stop(signal.SIGQUIT)
    for response in (api.get(path), api.post(path, json=body), api.get("/conversations")):
        assert response.status_code == 503
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["code"] == "unavailable"
        assert response.headers["Retry-After"] == str(response.json()["retry_after"])

    own_postgres.start()
    eventually(lambda: api.post(path, json=body).status_code == 201, "the database is back")
    assert api.post(path, json=body).json()["seq"] == 1
    assert api.get(path).json()["total"] == 1
    audit(server)


def test_api_clients_can_read_while_the_database_cannot_be_written(server: Server, ana: Person) -> None:
    api = ana.api()
    path, body = "/conversations/general/messages", {"content": "hello", "client_id": str(uuid.uuid4())}
    with closing(sqlite3.connect(server.data_dir / "chatapp.sqlite3", isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        response = api.post(path, json=body)
        assert (response.status_code, response.json()["code"]) == (503, "unavailable")
        assert response.headers["Retry-After"] == str(response.json()["retry_after"])
        assert api.get(path).json()["messages"] == []
        lock.execute("ROLLBACK")
    eventually(lambda: api.post(path, json=body).status_code == 201, "the database is back")
    assert [each["content"] for each in api.get(path).json()["messages"]] == ["hello"]
    audit(server)
