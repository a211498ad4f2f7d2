"""Connections that are cut, half open or slow, and many clients that reconnect at once."""

import time
from collections.abc import Iterator, Sequence

import pytest

from tests.harness.audit import Participant, audit, chatting, wait_until_all_have_sent
from tests.harness.people import NewPerson, Person
from tests.harness.proxy import Proxy
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.url)
    yield proxy
    proxy.close()


def two_participants(ana: Person, bob: Person, proxy: Proxy) -> list[Participant]:
    return [Participant(person, "general", person.username, url=proxy.url, ack_timeout=2) for person in (ana, bob)]


def test_no_message_is_lost_when_connections_are_cut(server: Server, ana: Person, bob: Person, proxy: Proxy) -> None:
    participants = two_participants(ana, bob, proxy)
    with chatting(*participants):
        for _ in range(15):
            time.sleep(0.2)
            proxy.cut()
        wait_until_all_have_sent(participants)
    audit(server, *participants)


def test_no_message_is_lost_on_half_open_connections(server: Server, ana: Person, bob: Person, proxy: Proxy) -> None:
    participants = two_participants(ana, bob, proxy)
    with chatting(*participants):
        for _ in range(2):
            wait_until_all_have_sent(participants)
            proxy.hold()
            time.sleep(2.5)
            proxy.release()
        wait_until_all_have_sent(participants)
    audit(server, *participants)


def test_no_message_is_duplicated_when_acknowledgements_are_lost(
    server: Server, ana: Person, bob: Person, proxy: Proxy
) -> None:
    participants = two_participants(ana, bob, proxy)
    with chatting(*participants):
        eventually(lambda: all(participant.acknowledged for participant in participants), "both are connected")
        for _ in range(8):
            time.sleep(0.2)
            # A client that has just been disconnected posts nothing until the network is back.
            eventually(
                lambda: lose_an_acknowledgement(server, participants, proxy),
                "a message is stored whose acknowledgement is lost",
                timeout=60,
            )
    audit(server, *participants)


def lose_an_acknowledgement(server: Server, participants: Sequence[Participant], proxy: Proxy) -> bool:
    """Hold what the server sends until it has stored a message that it could not acknowledge, or for some seconds."""
    proxy.hold_downstream()
    try:
        for _ in range(50):
            if count_messages(server) > sum(len(participant.acknowledged) for participant in participants):
                return True
            time.sleep(0.1)
        return False
    finally:
        proxy.release()


def count_messages(server: Server) -> int:
    ((count,),) = server.rows("SELECT count(*) FROM messages")
    assert isinstance(count, int)
    return count


def test_no_message_is_lost_on_a_slow_network(server: Server, ana: Person, bob: Person, proxy: Proxy) -> None:
    proxy.delay = 0.05
    participants = two_participants(ana, bob, proxy)
    with chatting(*participants):
        time.sleep(3)
        proxy.cut()
        wait_until_all_have_sent(participants)
    audit(server, *participants)


@pytest.mark.parametrize("count", [150, pytest.param(500, marks=pytest.mark.soak)])
def test_clients_that_reconnect_at_once_receive_all_messages(
    new_server: NewServer, new_person: NewPerson, count: int
) -> None:
    settings = {
        "CHATAPP_MAX_CONNECTIONS_PER_LOGIN": "0",
        "CHATAPP_EVENTS_PER_SECOND": "0",
        "CHATAPP_GENERAL_KEEP_LAST": "0",
    }
    server = new_server(**settings).start()
    ana = new_person(server, "ana")
    # In rooms of 25: in a single one, each message would be received by all.
    rooms = [ana.create_room(f"Room {number}") for number in range(count // 25)]
    participants = [
        Participant(ana, rooms[number % len(rooms)], f"socket {number}", pause=15, ack_timeout=60)
        for number in range(count)
    ]
    with chatting(*participants):
        eventually(
            lambda: all(participant.acknowledged for participant in participants),
            "every client has an acknowledged message",
            timeout=100,
        )
        server.kill()
        counts = [len(participant.acknowledged) for participant in participants]
        server.start()
        eventually(
            lambda: all(
                len(participant.acknowledged) > before for participant, before in zip(participants, counts, strict=True)
            ),
            "every client has a new acknowledged message",
            timeout=100,
        )
    audit(server, *participants)
