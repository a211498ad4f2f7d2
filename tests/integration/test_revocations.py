"""Revoked login sessions and memberships take effect on open sockets, whichever process revokes them."""

import pytest
import socketio

from tests.harness.people import PASSWORD, NewPerson, Person
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually

CLOSE_SECONDS = 2.0
"""Time within which an open socket is closed: one second, and a margin for a busy machine."""


@pytest.fixture
def unconnected_servers(new_server: NewServer, database_url: str) -> tuple[Server, Server]:
    """Two processes on one database without Redis, so that they do not notify each other."""
    first = new_server(database_url=database_url).start()
    second = new_server(database_url=database_url or f"sqlite:///{first.data_dir / 'chatapp.sqlite3'}")
    (second.data_dir / "secret_key").write_text((first.data_dir / "secret_key").read_text())
    return first, second.start()


def test_a_revocation_by_one_process_is_found_by_the_other_without_redis(
    unconnected_servers: tuple[Server, Server], new_person: NewPerson
) -> None:
    first, second = unconnected_servers
    ana, bob, eve = (new_person(first, name) for name in ("ana", "bob", "eve"))
    room = ana.create_room()
    for person in (bob, eve):
        ana.invite(room, person)
    bob_socket, eve_socket = (person.on_server(second).connect() for person in (bob, eve))
    bob_socket.join(room)
    ana.remove(room, bob)
    eventually(lambda: bob_socket.payloads("removed_from_chat"), "Bob is removed", timeout=CLOSE_SECONDS)
    assert bob_socket.call("join_chat", {"conversation": room})["error"]["code"] == "not_found"
    assert eve_socket.call("join_chat", {"conversation": room})["ok"]
    eve.post("/sign-out")
    eventually(lambda: not eve_socket.is_connected(), "Eve's socket is closed", timeout=CLOSE_SECONDS)
    assert bob_socket.is_connected()


def test_a_ban_by_a_command_takes_effect_at_once_and_can_be_lifted(server: Server, ana: Person, bob: Person) -> None:
    ana_socket, bob_socket = ana.connect(), bob.connect()
    bob_socket.join()
    server.flask("users", "ban", "@Bob")
    eventually(lambda: not bob_socket.is_connected(), "the socket is closed", timeout=CLOSE_SECONDS)
    assert bob_socket.payloads("signed_out") == [{}]
    assert bob.get("/", allow_redirects=False).status_code == 302
    assert bob.sign_in().status_code == 403
    with pytest.raises(socketio.exceptions.ConnectionError):
        bob.connect()
    assert ana_socket.post("during the ban")["seq"] == 1
    server.flask("users", "unban", "bob")
    assert bob.sign_in(PASSWORD).url == server.url + "/"
    assert bob.connect().join()["messages"][0]["content"] == "during the ban"


def test_an_admin_can_ban_on_the_page_and_nobody_can_ban_the_owner(server: Server, ana: Person, bob: Person) -> None:
    bob_socket = bob.connect()
    assert "Ban" not in bob.get("/people").text
    assert bob.post("/people/ana/ban").status_code == 403
    assert "Ban Ana" not in ana.get("/people").text
    page = ana.post("/people/bob/ban", "/people").text
    assert "@bob was banned" in page
    assert "Unban Bob" in page
    eventually(lambda: not bob_socket.is_connected(), "the socket is closed", timeout=CLOSE_SECONDS)
    assert ana.post("/people/ana/ban", "/people").status_code == 403
    assert ana.post("/people/nobody/ban", "/people").status_code == 404
    assert "can sign in again" in ana.post("/people/bob/ban/remove", "/people").text
    assert bob.sign_in().ok
