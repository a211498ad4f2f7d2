"""The server is killed, at random moments and where it hurts most, while people talk."""

import os
import random
import time

import pytest

from chatapp.failpoints import NAMES
from tests.conftest import NewPerson, NewServer
from tests.harness.audit import Talker, audit, talking
from tests.harness.servers import Server

pytestmark = pytest.mark.faults

CYCLES = 10
SOAK_CYCLES = 150


def cycle(server: Server, chance: random.Random) -> None:
    """Start, let people talk, and end the process at a failpoint or at a random moment."""
    name = chance.choice([*sorted(NAMES - {"in-spool", "after-drain"}), "", ""])
    server.start(CHATAPP_FAILPOINT=f"{name}:{chance.randint(1, 15)}" if name else "")
    end = time.monotonic() + chance.uniform(0.2, 1.0)
    while server.is_running and time.monotonic() < end:
        time.sleep(0.01)
    if server.is_running:
        server.kill()


def talk_through(cycles: int, new_server: NewServer, new_person: NewPerson, database_url: str) -> None:
    seed = os.environ.get("CHATAPP_SEED") or str(random.randrange(10**6))
    print(f"replay with CHATAPP_SEED={seed}")
    chance = random.Random(seed)
    server = new_server(database_url=database_url, CHATAPP_GENERAL_KEEP_LAST="0").start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    talkers = [
        Talker(person, conversation, f"{person.username} in {conversation}")
        for person in (ana, bob)
        for conversation in ("general", room)
    ]
    server.kill()
    with talking(*talkers):
        for _ in range(cycles):
            cycle(server, chance)
        server.start(CHATAPP_FAILPOINT="")
    audit(server, *talkers)


@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_doubled_or_out_of_order_when_the_server_is_killed_again_and_again(
    new_server: NewServer, new_person: NewPerson, database_url: str
) -> None:
    talk_through(CYCLES, new_server, new_person, database_url)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_same_for_long(new_server: NewServer, new_person: NewPerson, database_url: str) -> None:
    talk_through(SOAK_CYCLES, new_server, new_person, database_url)
