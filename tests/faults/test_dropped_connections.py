"""PostgreSQL drops connections while it is available: nobody notices, and no write is repeated that may be stored."""

import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from chatapp.config import current_settings
from chatapp.extensions import db
from chatapp.models import User
from chatapp.signals import Signals
from chatapp.storage import Transaction, Watermarks, write
from chatapp.storage.committer import Committer
from chatapp.storage.engines import writer_engine
from chatapp.storage.submissions import Submission
from chatapp.timeline.event_numbers import lock_conversations
from tests.harness.people import Person, message_payload
from tests.harness.proxy import Proxy
from tests.harness.servers import NewServer, Postgres, Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    """A proxy in front of a database of PostgreSQL."""
    proxy = Proxy(postgres.create_database())
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def server(proxy: Proxy, new_shared_server: NewServer) -> Server:
    """A server that is connected to its database through the proxy."""
    return new_shared_server(database_url=proxy.url, CHATAPP_GENERAL_KEEP_LAST="0").start()


def terminate_connections(postgres: Postgres) -> None:
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'chatapp%'")


def count(server: Server, client_id: str) -> object:
    return server.rows(f"SELECT count(*) FROM messages WHERE client_id = '{client_id}'")[0][0]


@pytest.fixture
def log_start(server: Server) -> int:
    """The length of the log before the test."""
    return len(server.log())


def test_requests_and_events_after_dropped_connections_succeed(
    server: Server, people: tuple[Person, Person], postgres: Postgres, log_start: int
) -> None:
    ana, bob = people
    api = ana.api()
    message = ana.sockets[0].post("before")
    terminate_connections(postgres)
    assert api.post("/conversations/general/messages", json={"content": "by the API"}).status_code == 201
    terminate_connections(postgres)
    assert ana.get("/").status_code == 200
    terminate_connections(postgres)
    assert ana.create_room()
    terminate_connections(postgres)
    edit = {"conversation": "general", "seq": message["seq"], "content": "edited"}
    assert ana.sockets[0].call("edit_message", edit)["ok"]
    terminate_connections(postgres)
    assert not bob.sockets[0].post("by a socket")["pending"]
    terminate_connections(postgres)
    assert bob.connect().join()["ok"]
    log = server.log()[log_start:]
    # Work in the background is repeated later, which the log says.
    assert not [line for line in log.splitlines() if "database does not respond" in line and "work=" not in line]
    # That it cannot be read is logged if a connection is terminated while it is opened.
    assert "database cannot commit" not in log


def test_a_message_whose_commit_is_not_acknowledged_is_stored_and_broadcast_once(
    server: Server, people: tuple[Person, Person], proxy: Proxy, log_start: int
) -> None:
    ana, bob = people
    api = ana.api()
    ana.sockets[0].post("before")
    payload = message_payload("by a socket")
    body = {"content": "by the API", "client_id": str(uuid.uuid4())}

    proxy.lose_response_to = b"COMMIT"
    ack = ana.sockets[0].call("send_message", payload)
    assert not ack["message"]["pending"]
    proxy.lose_response_to = b"COMMIT"
    assert api.post("/conversations/general/messages", json=body).status_code == 201

    assert [count(server, each) for each in (payload["client_id"], body["client_id"])] == [1, 1]
    eventually(lambda: body["client_id"] in received(bob), "the messages are broadcast")
    assert [received(bob).count(each) for each in (payload["client_id"], body["client_id"])] == [1, 1]
    assert "database cannot commit" not in server.log()[log_start:]


def received(person: Person) -> list[str]:
    return [message["client_id"] for message in person.sockets[0].messages()]


def test_an_edit_whose_commit_is_not_acknowledged_is_not_repeated(
    server: Server, people: tuple[Person, Person], proxy: Proxy
) -> None:
    ana, _bob = people
    message = ana.sockets[0].post("before")
    for number in range(1, 10):
        edit = {"conversation": "general", "seq": message["seq"], "content": f"edited {number}"}
        proxy.lose_response_to = b"COMMIT"
        ack = ana.sockets[0].call("edit_message", edit)
        if not ack["ok"]:
            break  # Otherwise the response was lost by a transaction of the background.

    assert ack["error"]["code"] == "unavailable"
    assert "Check whether it was saved" in ack["error"]["message"]
    assert server.rows(f"SELECT content, version - {message['seq']} FROM messages WHERE id = {message['id']}") == [
        (f"edited {number}", number)
    ]
    assert server.health().status_code == 200


class DropOnce:
    """Ends the connection of a session at its first call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, session: Session) -> None:
        self.calls += 1
        if self.calls == 1:
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            session.execute(text("SELECT 1"))


on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@on_postgresql
def test_a_request_is_repeated_when_its_connection_is_dropped(app: Flask) -> None:
    drop = DropOnce()

    @app.get("/test")
    def view() -> str:
        assert db.session.execute(select(1)).scalar() == 1
        drop(db.session())
        return "ok"

    app.extensions["chatapp.is_set_up"] = True
    assert app.test_client().get("/test").data == b"ok"
    assert drop.calls == 2


@on_postgresql
def test_a_request_that_has_submitted_a_change_is_not_repeated(app: Flask) -> None:
    drop = DropOnce()

    @app.get("/test")
    def view() -> str:
        write(lambda _transaction: None)
        drop(db.session())
        return "ok"

    app.extensions["chatapp.is_set_up"] = True
    assert app.test_client().get("/test").status_code == 503
    assert drop.calls == 1


@on_postgresql
@pytest.mark.usefixtures("app")
def test_a_row_is_inserted_when_the_connection_is_dropped_after_its_insertion() -> None:
    drop = DropOnce()
    user = User(username="ana", name="Ana", password_hash="none")

    def change(transaction: Transaction) -> int:
        transaction.session.add(user)
        transaction.session.flush()
        return user.id

    def drop_later(transaction: Transaction) -> None:
        drop(transaction.session)

    submissions = [Submission(change), Submission(drop_later)]
    watermarks = Watermarks(current_settings().watermarks_path)
    with closing(
        Committer(writer_engine(current_settings()), Signals(), watermarks, lock=lock_conversations)
    ) as committer:
        committer.commit(submissions)

    assert [submission.error for submission in submissions] == [None, None]
    assert db.session.scalars(select(User.username)).all() == ["ana"]
    assert drop.calls == 2
