"""The network is cut, half open and slow, and everybody comes back at once."""

import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.harness.audit import Participant, audit, chatting
from tests.harness.people import Person
from tests.harness.proxy import Proxy
from tests.harness.servers import Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server)
    yield proxy
    proxy.close()


def two_participants(ana: Person, bob: Person, proxy: Proxy) -> list[Participant]:
    return [Participant(person, "general", person.username, url=proxy.url, ack_timeout=2) for person in (ana, bob)]


def test_connections_that_are_cut_lose_nothing(server: Server, ana: Person, bob: Person, proxy: Proxy) -> None:
    participants = two_participants(ana, bob, proxy)
    with chatting(*participants):
        for _ in range(15):
            time.sleep(0.2)
            proxy.cut()
    audit(server, *participants)


def test_half_open_connections_lose_nothing(server: Server, ana: Person, bob: Person, proxy: Proxy) -> None:
    participants = two_participants(ana, bob, proxy)
    with chatting(*participants):
        for _ in range(2):
            time.sleep(0.5)
            proxy.hold()
            time.sleep(2.5)
            proxy.release()
        time.sleep(1)
    audit(server, *participants)


def test_acknowledgements_that_never_arrive_double_nothing(
    server: Server, ana: Person, bob: Person, proxy: Proxy
) -> None:
    participants = two_participants(ana, bob, proxy)
    with chatting(*participants):
        for _ in range(8):
            time.sleep(0.2)
            stored = count_messages(server)
            proxy.hold_downstream()
            # Whoever speaks now is heard, and never told so.
            eventually(
                partial(lambda before: count_messages(server) > before, stored), "something is stored", timeout=30
            )
            proxy.release()
    audit(server, *participants)


def count_messages(server: Server) -> int:
    ((count,),) = server.rows("SELECT count(*) FROM messages")
    assert isinstance(count, int)
    return count


def test_a_slow_network_loses_nothing(server: Server, ana: Person, bob: Person, proxy: Proxy) -> None:
    proxy.delay = 0.05
    participants = two_participants(ana, bob, proxy)
    with chatting(*participants):
        time.sleep(3)
        proxy.cut()
        time.sleep(2)
    audit(server, *participants)


def test_five_hundred_who_come_back_at_once_all_see_everything(server: Server, ana: Person) -> None:
    participants = [Participant(ana, "general", f"socket {number}", pause=5, ack_timeout=60) for number in range(500)]
    with chatting(*participants):
        eventually(
            lambda: all(participant.acknowledged for participant in participants), "everybody is there", timeout=100
        )
        server.kill()
        said = [len(participant.acknowledged) for participant in participants]
        server.start(CHATAPP_GENERAL_KEEP_LAST="0")
        eventually(
            lambda: all(
                len(participant.acknowledged) > before for participant, before in zip(participants, said, strict=True)
            ),
            "everybody is back",
            timeout=100,
        )
    audit(server, *participants)
