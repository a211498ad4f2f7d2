"""The handshake of a socket: the first packets, as they are on the wire."""

import json
import time

import pytest

from tests.harness.abuse import Polling, RawSocket
from tests.harness.people import NewPerson, Person
from tests.harness.servers import NewServer, Server


@pytest.fixture(params=["fast", "stock"])
def server(request: pytest.FixtureRequest, new_server: NewServer) -> Server:
    """A server with each of the socket engines."""
    return new_server(CHATAPP_SOCKET_ENGINE=request.param).start()


def test_no_event_arrives_before_the_connect_packet(server: Server, ana: Person) -> None:
    with RawSocket(server.url, ana.cookie) as socket:
        assert socket.receive().startswith(b"0{")
        socket.send_packets("40")
        assert socket.receive().startswith(b'40{"sid"')
        assert socket.receive().startswith(b'42["presence",{"people":{"1":"online"},"whole":true}]')


def test_no_event_arrives_before_the_connect_packet_over_polling(server: Server, ana: Person) -> None:
    polling = Polling(server.url, ana.cookie)
    polling.sid = json.loads(polling.fetch()[2][1:])["sid"]
    assert polling.post("40")[0] == 200
    packets: list[bytes] = []
    while len(packets) < 2:
        packets += polling.fetch()[2].split(b"\x1e")
    assert packets[0].startswith(b'40{"sid"')
    assert packets[1].startswith(b'42["presence"')


def test_a_page_that_belongs_to_another_user_is_refused(server: Server, ana: Person, new_person: NewPerson) -> None:
    bob = new_person(server, "bob")
    with RawSocket(server.url, bob.cookie) as socket:
        assert socket.receive().startswith(b"0{")
        socket.send_packets(f'40{{"user_id":{ana.id}}}')
        assert socket.receive() == b'44{"message":"signed_out"}'


def test_a_socket_that_has_disconnected_cannot_connect_again(server: Server, ana: Person) -> None:
    with RawSocket(server.url, ana.cookie) as socket:
        socket.receive()
        socket.send_packets("40")
        assert socket.receive().startswith(b'40{"sid"')
        socket.send_packets("41")
        socket.send_packets("40")
        assert socket.is_closed_within(10)


def test_a_page_fetches_the_sidebar_again_if_it_has_changed_before_the_page_was_connected(
    server: Server, ana: Person, new_person: NewPerson
) -> None:
    bob = new_person(server, "bob")
    socket = ana.connect()
    assert "sidebar_changed" in list_first_events(bob, page_age_ms=2**53 - 1)
    assert "sidebar_changed" not in list_first_events(bob)
    assert "sidebar_changed" not in list_first_events(bob, page_age_ms=0)

    rendered_at = time.monotonic()
    socket.join()
    socket.post("hello")
    socket.wait_for("chat_message")
    assert "sidebar_changed" in list_first_events(bob, page_age_ms=1_000 * (time.monotonic() - rendered_at))


@pytest.mark.parametrize("age", ["-1", "true", "[1]", '"1"', "null", "1e400", "9" * 400, "NaN"])
def test_any_age_of_a_page_is_accepted(server: Server, ana: Person, age: str) -> None:
    assert list_first_events(ana, page_age_ms=age)[-1] == "presence"


def list_first_events(person: Person, **auth: float | str) -> list[str]:
    """Return the names of the events that a new socket receives up to the presence of all."""
    with RawSocket(person.server.url, person.cookie) as socket:
        socket.receive()
        sent = ",".join(f'"{name}":{value}' for name, value in auth.items())
        socket.send_packets(f"40{{{sent}}}")
        assert socket.receive().startswith(b'40{"sid"')
        names: list[str] = []
        while True:
            name, payload = json.loads(socket.receive()[2:])
            names.append(name)
            # Changes of the presence may come before.
            if name == "presence" and payload["whole"]:
                return names
