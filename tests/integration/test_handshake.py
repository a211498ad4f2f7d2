"""The handshake of a socket: the first packets, as they are on the wire."""

import json

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
