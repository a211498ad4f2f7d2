"""The network is cut, half open and slow, and everybody comes back at once."""

import time
from collections.abc import Iterator

import pytest

from tests.harness.audit import Talker, audit, talking
from tests.harness.people import Person
from tests.harness.ports import eventually
from tests.harness.proxy import Proxy
from tests.harness.servers import Server

pytestmark = pytest.mark.faults


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server)
    yield proxy
    proxy.close()


def two_talkers(ana: Person, bob: Person, proxy: Proxy) -> list[Talker]:
    return [Talker(person, "general", person.username, url=proxy.url, patience=2) for person in (ana, bob)]


def test_connections_that_are_cut_lose_nothing(server: Server, ana: Person, bob: Person, proxy: Proxy) -> None:
    talkers = two_talkers(ana, bob, proxy)
    with talking(*talkers):
        for _ in range(15):
            time.sleep(0.2)
            proxy.cut()
    audit(server, *talkers)


def test_half_open_connections_lose_nothing(server: Server, ana: Person, bob: Person, proxy: Proxy) -> None:
    talkers = two_talkers(ana, bob, proxy)
    with talking(*talkers):
        for _ in range(2):
            time.sleep(0.5)
            proxy.hold()
            time.sleep(2.5)
            proxy.release()
        time.sleep(1)
    audit(server, *talkers)


def test_acknowledgements_that_never_arrive_double_nothing(
    server: Server, ana: Person, bob: Person, proxy: Proxy
) -> None:
    talkers = two_talkers(ana, bob, proxy)
    with talking(*talkers):
        for _ in range(8):
            time.sleep(0.2)
            stored = count_messages(server)
            proxy.mute()
            # Whoever speaks now is heard, and never told so.
            eventually(lambda stored=stored: count_messages(server) > stored, "something is stored", timeout=30)
            proxy.release()
    audit(server, *talkers)


def count_messages(server: Server) -> int:
    ((count,),) = server.rows("SELECT count(*) FROM messages")
    assert isinstance(count, int)
    return count


def test_a_slow_network_loses_nothing(server: Server, ana: Person, bob: Person, proxy: Proxy) -> None:
    proxy.delay = 0.05
    talkers = two_talkers(ana, bob, proxy)
    with talking(*talkers):
        time.sleep(3)
        proxy.cut()
        time.sleep(2)
    audit(server, *talkers)


@pytest.mark.timeout(360)
def test_five_hundred_who_come_back_at_once_all_see_everything(server: Server, ana: Person) -> None:
    talkers = [Talker(ana, "general", f"socket {number}", pause=5, patience=60) for number in range(500)]
    with talking(*talkers):
        eventually(lambda: all(talker.acknowledged for talker in talkers), "everybody is there", timeout=100)
        server.kill()
        said = [len(talker.acknowledged) for talker in talkers]
        server.start(CHATAPP_GENERAL_KEEP_LAST="0")
        eventually(
            lambda: all(len(talker.acknowledged) > before for talker, before in zip(talkers, said, strict=True)),
            "everybody is back",
            timeout=100,
        )
    audit(server, *talkers)
