"""A read replica: what it serves, that nobody sees an older state because of it, and its faults."""

import re
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from flask import Flask

from chatapp import create_app
from chatapp.actors import Actor
from chatapp.assistants.message_search import MessageSearch
from chatapp.config import Settings
from chatapp.conversations.refs import GENERAL
from chatapp.extensions import db
from chatapp.models import Conversation
from chatapp.search.query import Query
from chatapp.storage import PRIMARY_POSITION, current_writer, find_replica
from chatapp.storage.replica import Replica
from chatapp.timeline import catch_up, read_page
from chatapp.timeline.epoch import get_epoch
from tests.harness.assistants import insert_messages, start_session
from tests.harness.people import Person, room_path
from tests.harness.servers import NewServer, Postgres, PostgresTemplate, Server, SqliteTemplate
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def primary(postgres_template: PostgresTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    primary = postgres_template.new(tmp_path_factory.mktemp("primary"))
    primary.start()
    yield primary
    primary.close()


@pytest.fixture(scope="module")
def url(primary: Postgres) -> str:
    return primary.create_database()


@pytest.fixture(scope="module")
def replica(primary: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A streaming replica of `primary`."""
    replica = primary.new_replica(tmp_path_factory.mktemp("replica"))
    replica.start()
    yield replica
    replica.close()


@pytest.fixture(scope="module")
def read_url(url: str, replica: Postgres) -> str:
    return replica.url(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def server(url: str, read_url: str, new_shared_server: NewServer) -> Server:
    """A server that reads from the replica when it can."""
    return new_shared_server(
        database_url=url,
        DATABASE_READ_URL=read_url,
        CHATAPP_REPLICA_MAX_LAG_SECONDS="1.5",
        CHATAPP_GENERAL_KEEP_LAST="0",
    ).start()


@pytest.fixture(autouse=True)
def available(server: Server) -> None:
    wait_for_state(server, "available")


def wait_for_state(server: Server, state: str) -> None:
    eventually(lambda: server.health().json()["replica"]["state"] == state, f"the replica is {state}")


def reads(server: Server) -> int:
    """Return how many reads the replica has served."""
    metrics = Person(server, "nobody").get("/metrics").text
    return int(float(re.findall(r"^chatapp_replica_reads_total (\S+)$", metrics, re.MULTILINE)[0]))


@contextmanager
def paused(replica: Postgres) -> Iterator[None]:
    """Keep the replica in the state that it has now."""
    replica.execute("SELECT pg_wal_replay_pause()")
    with psycopg.connect(replica.url("postgres"), autocommit=True) as connection:
        is_paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
        eventually(lambda: connection.execute(is_paused).fetchone() == (True,), "replay is paused")
    yield
    replica.execute("SELECT pg_wal_replay_resume()")


def test_history_catch_up_and_exports_are_read_from_the_replica(server: Server, people: tuple[Person, Person]) -> None:
    ana, bob = people
    seqs = [ana.sockets[0].post(f"message {number}")["seq"] for number in range(20)]
    session = start_session(ana)
    insert_messages(server, session, "a question")
    api = ana.api()
    edited = {"conversation": "general", "seq": seqs[3], "content": "edited"}
    assert ana.sockets[0].call("edit_message", edited)["ok"]
    messages = "/conversations/general/messages"

    def served(count: int) -> bool:
        """Return whether the replica has served so many reads more. Other transactions may make it late meanwhile."""
        before = reads(server)
        assert f"message {seqs[5] - seqs[0]}" in ana.get(f"{messages}?before={seqs[6]}").text
        found = api.get(f"{messages}?after={seqs[0]}&limit=5").json()["messages"]
        assert [message["seq"] for message in found] == seqs[1:6]
        joined = bob.connect().join(after=seqs[0])
        assert [message["seq"] for message in joined["messages"]] == [*seqs[1:3], *seqs[4:], seqs[3]]
        assert "message 3" in ana.get(f"{messages}/{seqs[3]}/versions").text
        assert "a question" in ana.get(f"/conversations/{session}/export.md").text
        assert "sign_in" not in ana.get("/admin/audit-log.jsonl").text
        return reads(server) - before >= count

    eventually(lambda: served(6), "the replica serves all of these reads")


def test_who_has_just_written_sees_the_own_message_at_once(server: Server, people: tuple[Person, Person]) -> None:
    ana, bob = people
    before = reads(server)
    for number in range(20):
        message = ana.sockets[0].post(f"own {number}")
        for person in (ana, bob):
            page = person.get(f"/conversations/general/messages?before={message['seq'] + 1}")
            assert f"own {number}<" in page.text
    assert reads(server) > before


def test_nobody_sees_an_older_state_while_the_replica_is_late(
    server: Server, people: tuple[Person, Person], replica: Postgres
) -> None:
    ana, bob = people
    room = ana.create_room("Team")
    ana.invite(room, bob)
    ana_socket, bob_socket = ana.sockets[0], bob.sockets[0]
    cursor = ana_socket.join(room)["last_event"]
    bob_socket.join(room)
    token = bob.create_token()
    secret = ana_socket.post("to be deleted", room)
    wait_for_state(server, "available")
    with paused(replica):
        seqs = [ana_socket.post(f"late {number}", room)["seq"] for number in range(5)]
        assert ana_socket.call("delete_message", {"conversation": room, "seq": secret["seq"]})["ok"]
        page = ana.get(f"/conversations/{room}/messages?before={seqs[-1] + 1}").text
        assert "late 4" in page
        assert "to be deleted" not in page
        # A client that resumes misses nothing, and goes on from the right event.
        missed = bob.connect().join(room, after=cursor)
        assert [message["seq"] for message in missed["messages"]] == [*seqs, secret["seq"]]
        assert (missed["to"], missed["more"]) == (missed["last_event"], False)
        # A member who is removed reads nothing more, nor does a token that is revoked.
        assert ana.remove(room, bob).ok
        assert bob.get(f"/conversations/{room}/messages?before={seqs[0]}").status_code == 404
        assert bob.connect().call("join_chat", {"conversation": room, "after": cursor})["error"]["code"] == "not_found"
        assert bob.get(room_path(room)).status_code == 404
        assert bob.api(token).get("/conversations/general/messages?before=5").status_code == 200
        server.execute("DELETE FROM api_tokens")
        assert bob.api(token).get("/conversations/general/messages?before=5").status_code == 401
        wait_for_state(server, "lagging")
        served = reads(server)
        assert "late 4" in ana.get(f"/conversations/{room}/messages?before={seqs[-1] + 1}").text
        assert reads(server) == served
        assert server.health().status_code == 200
        assert re.search("replica is not used.*late", server.log())
    wait_for_state(server, "available")
    assert "replica is used" in server.log().rpartition("replica is not used")[2]
    assert "late 4" in ana.get(f"/conversations/{room}/messages?before={seqs[-1] + 1}").text
    assert ana.get(f"/conversations/{room}/messages?before=3").ok
    assert reads(server) > served


@pytest.mark.parametrize("is_frozen", [False, True], ids=["stopped", "frozen"])
def test_a_replica_that_does_not_respond_is_replaced_by_the_primary(
    server: Server, people: tuple[Person, Person], replica: Postgres, *, is_frozen: bool
) -> None:
    ana, _bob = people
    seq = ana.sockets[0].post("before the outage")["seq"]
    if is_frozen:
        replica.signal_all(signal.SIGSTOP)
    else:
        replica.stop()
    page = ana.get(f"/conversations/general/messages?before={seq + 1}")
    assert (page.status_code, "before the outage" in page.text) == (200, True)
    wait_for_state(server, "unavailable")
    assert server.health().status_code == 200
    assert not ana.sockets[0].post("during the outage")["pending"]
    if is_frozen:
        replica.signal_all(signal.SIGCONT)
    else:
        replica.start()
    wait_for_state(server, "available")
    assert "during the outage" in ana.get(f"/conversations/general/messages?before={seq + 2}").text


@pytest.fixture
def app(url: str, read_url: str, sqlite_template: SqliteTemplate) -> Iterator[Flask]:
    """An application that waits long for the replica."""
    settings = Settings(
        data_dir=sqlite_template.copy(),
        database_url=url,
        database_read_url=read_url,
        replica_wait_seconds=20,
        log_level="WARNING",
    )
    app = create_app(settings, is_serving=True)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()
        current_replica(app).close()
        current_writer().stop(5)
    shutil.rmtree(settings.data_dir)


def current_replica(app: Flask) -> Replica:
    replica = find_replica(app)
    assert replica is not None
    return replica


def is_usable(app: Flask) -> bool:
    """Check the replica, and return whether it can be used then."""
    with app.app_context():
        position, epoch = db.session.execute(PRIMARY_POSITION).scalar_one(), get_epoch(db.session())
    current_replica(app).check(position, epoch, get_epoch)
    return current_replica(app).is_usable


def test_a_replica_that_catches_up_while_a_read_may_wait_is_used(
    app: Flask, people: tuple[Person, Person], replica: Postgres
) -> None:
    ana, _bob = people
    with ThreadPoolExecutor(1) as threads:
        with paused(replica):
            ana.sockets[0].post("while replay is paused")
            usable = threads.submit(is_usable, app)
            with pytest.raises(TimeoutError):
                usable.result(timeout=0.5)  # It waits.
        assert usable.result()


def test_what_was_posted_after_the_authorization_is_not_returned(app: Flask, people: tuple[Person, Person]) -> None:
    ana, _bob = people
    replica = current_replica(app)
    old = ana.sockets[0].post("before the authorization")["seq"]
    assert is_usable(app)
    with app.app_context():
        general = db.session.get_one(Conversation, GENERAL.id)
        new = ana.sockets[0].post("after the authorization")["seq"]
        page = read_page(db.session(), general, before=new + 1, limit=5)
        missed = catch_up(db.session(), general, after=old - 1)
        assert replica.status.reads == 2  # They were newer, and read again.
        assert [page.messages[-1].seq, missed.messages[-1].seq, missed.end] == [old, old, old]
        search = MessageSearch(app, Actor(ana.id), GENERAL, 0, is_private=True, assistant="Helper")
        found = search.find_messages(["authorization"], Query())
        assert {message.seq for message in found} >= {old, new}
        assert replica.status.reads == 3


def test_a_promoted_replica_is_not_read(
    server: Server, people: tuple[Person, Person], replica: Postgres, read_url: str
) -> None:
    # The last test: the replica cannot become one again.
    ana, _bob = people
    seq = ana.sockets[0].post("on the primary")["seq"]
    replica.execute("SELECT pg_promote()")
    with psycopg.connect(read_url) as promoted:
        promoted.execute("UPDATE messages SET content = 'on the promoted one'")
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        assert "on the primary" in ana.get(f"/conversations/general/messages?before={seq + 1}").text
    wait_for_state(server, "not a replica")
    assert re.search("replica is not used.*promoted", server.log())
