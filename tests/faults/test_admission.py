"""People who were connected reload and reconnect while PostgreSQL is stopped. Nobody else is admitted."""

import uuid
from collections.abc import Iterator

import pytest
from socketio.exceptions import ConnectionError as ConnectionRefused

from tests.harness.audit import audit
from tests.harness.html import rendered_messages
from tests.harness.people import Person, room_path
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Postgres, PostgresTemplate, Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory, postgres_template: PostgresTemplate) -> Iterator[Postgres]:
    """A PostgreSQL server of the module's own, which it may stop."""
    postgres = postgres_template.new(tmp_path_factory.mktemp("own-postgres"))
    postgres.start()
    yield postgres
    postgres.close()


@pytest.fixture(scope="module")
def server(postgres: Postgres, new_shared_server: NewServer) -> Server:
    """A server on that database."""
    return new_shared_server(database_url=postgres.create_database(), CHATAPP_GENERAL_KEEP_LAST="0").start()


def is_refused(person: Person) -> bool:
    try:
        person.connect()
    except ConnectionRefused:
        return True
    return False


def sign_in_and_out(server: Server, username: str) -> Person:
    """Return a browser whose login session was revoked, with the cookie of it."""
    person = Person(server, username)
    assert person.sign_in().ok
    person.connect()
    cookies = person.http.cookies.copy()
    assert person.post("/sign-out").ok
    person.http.cookies = cookies
    return person


def test_people_who_were_connected_are_admitted_during_an_outage_and_nobody_else(
    server: Server, postgres: Postgres
) -> None:
    ana, bob, cleo, dan, eve = people = add_people(server, "ana", "bob", "cleo", "dan", "eve")
    room = ana.create_room()
    for person in (bob, cleo):
        ana.invite(room, person)
    for person in (ana, bob, cleo, dan):
        person.connect().join()
        assert person.get("/").ok
    for person in (ana, bob, cleo):
        person.sockets[0].join(room)
        assert person.get(room_path(room)).ok
    ana.sockets[0].post("in general")
    seq = bob.sockets[0].post("in the room", room)["seq"]
    edit = {"conversation": room, "seq": seq, "content": "edited in the room"}
    assert bob.sockets[0].call("edit_message", edit)["ok"]
    ana.remove(room, cleo)
    cleo.sockets[0].wait_for("removed_from_chat")
    server.flask("users", "ban", "dan")
    dan.sockets[0].wait_for("signed_out")
    bob_elsewhere = sign_in_and_out(server, "bob")
    log_start = len(server.log())

    postgres.stop()

    # The page, with the messages and the conversations in the sidebar.
    assert rendered_messages(ana.get("/").text) == [(1, "in general")]
    page = ana.get(room_path(room)).text
    assert rendered_messages(page) == [(1, "edited in the room")]
    assert f'data-entry="{room}"' in page
    # A socket, with the last page for a new one, and only the events that it lacks for another one.
    socket = ana.on_server(server).connect()
    ack = socket.join(room)
    assert [message["content"] for message in ack["messages"]] == ["edited in the room"]
    resumed = [socket.join(room, after=after, epoch=ack["epoch"]) for after in (seq, ack["last_event"])]
    assert [(each["reset"], each["messages"]) for each in resumed] == [(False, ack["messages"]), (False, [])]
    # Messages go to the spool, also on a page that is loaded afterwards.
    assert socket.send("during", room)["message"]["pending"]
    assert "during" in bob.get(room_path(room)).text
    eventually(lambda: "during" in bob.sockets[0].contents(room), "bob receives the message")
    sent = ana.post(
        f"/conversations/{room}/messages", room_path(room), content="by a form", client_id=str(uuid.uuid4())
    )
    assert (sent.status_code, "by a form" in sent.text) == (200, True)
    # What was revoked before stays revoked.
    assert cleo.get(room_path(room)).status_code == 503
    again = cleo.connect()
    assert again.call("join_chat", {"conversation": room})["error"]["code"] == "unavailable"
    assert again.join()
    assert [person.get("/").status_code for person in (dan, eve, bob_elsewhere)] == [503, 503, 503]
    assert all(is_refused(person) for person in (dan, eve, bob_elsewhere))
    # Pages with older messages, settings and administration need the database.
    assert [ana.get(path).status_code for path in ("/?before=1", "/settings", "/people")] == [503, 503, 503]
    log = server.log()[log_start:]
    assert [log.count(line) for line in ("database cannot be read", "database cannot commit", "Traceback")] == [1, 1, 0]

    postgres.start()
    eventually(lambda: server.health().status_code == 200, "the database is back")
    assert server.rows("SELECT content FROM messages ORDER BY id") == [
        ("in general",),
        ("edited in the room",),
        ("during",),
        ("by a form",),
    ]
    socket.wait_for("sidebar_changed")
    bob.sockets[0].post("afterwards")
    socket.wait_for("news")
    assert "database can be read again" in server.log()
    audit(server)
    for person in people:
        person.close()


def test_nobody_is_admitted_from_memory_when_it_is_switched_off(server: Server, postgres: Postgres) -> None:
    (fay,) = add_people(server, "fay")
    server.terminate()
    server.start(CHATAPP_OUTAGE_ADMISSION_MINUTES="0")
    fay.connect().join()
    assert fay.get("/").ok
    postgres.stop()
    assert fay.get("/").status_code == 503
    assert is_refused(fay)
    fay.close()
