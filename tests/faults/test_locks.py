"""Another session of PostgreSQL holds a lock: nobody waits for it longer than the time-out, and nothing is lost."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.harness.html import rendered_messages
from tests.harness.people import Person, message_payload
from tests.harness.servers import NewServer, Postgres, Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def server(postgres: Postgres, new_shared_server: NewServer) -> Server:
    """A server that waits for locks only briefly."""
    return new_shared_server(
        database_url=postgres.create_database(),
        CHATAPP_LOCK_TIMEOUT_SECONDS="0.5",
        CHATAPP_READ_TIMEOUT_SECONDS="20",
        CHATAPP_GENERAL_KEEP_LAST="0",
    ).start()


@contextmanager
def locked(server: Server, statement: str) -> Iterator[None]:
    """Hold the locks that a statement takes."""
    with psycopg.connect(server.environment["DATABASE_URL"]) as other:
        other.execute(statement.encode())
        yield
        other.rollback()


@pytest.mark.parametrize(
    "statement",
    ["LOCK TABLE messages IN ACCESS EXCLUSIVE MODE", "SELECT 1 FROM conversations WHERE id = 1 FOR UPDATE"],
    ids=["table", "row"],
)
def test_messages_are_spooled_while_a_lock_is_held_and_stored_in_their_order(
    server: Server, people: tuple[Person, Person], statement: str
) -> None:
    ana, bob = people
    ana_socket, bob_socket = ana.sockets[0], bob.sockets[0]
    first = ana_socket.post("before")["seq"]
    saved = len(bob_socket.payloads("message_saved"))
    log_start = len(server.log())
    contents = [f"during {number}" for number in range(1, 5)]
    with locked(server, statement):
        payload = message_payload(contents[0])
        ack = ana_socket.call("send_message", payload)
        assert ack["message"]["pending"]
        repeated = ana_socket.call("send_message", payload)
        # Only the first one is broadcast, with its HTML.
        assert repeated["message"] | {"html": None} == ack["message"] | {"html": None}
        assert server.health().status_code == 503
        assert server.health().json()["reason"] == "The database cannot commit."
        # Long enough for the probe to find the lock again.
        for socket, content in ((bob_socket, contents[1]), (ana_socket, contents[2]), (bob_socket, contents[3])):
            assert socket.send(content)["message"]["pending"]
        assert server.health().json()["spool"]["waiting"] == 4
        assert server.health("/readyz").json()["checks"]["database"]["status"] == "degraded"

    eventually(lambda: len(bob_socket.payloads("message_saved")) == saved + 4, "the spool is drained")
    eventually(lambda: server.health().status_code == 200, "the server is healthy")
    assert ana_socket.call("send_message", payload)["message"]["seq"] == first + 1
    after = bob_socket.post("after")
    assert after["seq"] == first + 5
    stored = server.rows(f"SELECT content FROM messages WHERE conversation_id = 1 AND seq >= {first} ORDER BY seq")
    assert stored == [(content,) for content in ("before", *contents, "after")]
    assert [content for _, content in rendered_messages(bob.get("/").text)][-6:] == ["before", *contents, "after"]
    log = server.log()[log_start:]
    assert log.count("database cannot commit") == 1
    assert "lock timeout" in log


def test_people_who_were_connected_read_from_memory_while_messages_are_locked(
    server: Server, people: tuple[Person, Person]
) -> None:
    ana, bob = people
    message = ana.sockets[0].post("to be remembered")
    eventually(lambda: "to be remembered" in bob.sockets[0].contents(), "the message is broadcast")
    assert bob.get("/").status_code == 200
    token = ana.create_token()
    with locked(server, "LOCK TABLE messages IN ACCESS EXCLUSIVE MODE"):
        page = bob.get("/")
        assert "to be remembered" in page.text
        joined = bob.connect().join()
        assert joined["messages"][-1]["seq"] == message["seq"]
        response = ana.api(token).get("/conversations/general/messages")
        assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert ana.api(token).get("/conversations/general/messages").status_code == 200
