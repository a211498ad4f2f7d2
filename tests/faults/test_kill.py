"""The server is killed, at random moments and where it hurts most, while people talk."""

import os
import random
import time

import pytest

from tests.harness.audit import Participant, audit, chatting
from tests.harness.people import NewPerson
from tests.harness.servers import NewServer, Server

pytestmark = pytest.mark.faults

MOMENTS = ["before-insert", "before-commit", "after-commit", "after-acknowledgement", "", ""]
"""The failpoints that are passed while the database is there (test_outage.py has the others), and random moments."""

CYCLES = 10
SOAK_CYCLES = 150


def cycle(server: Server, moment: str, chance: random.Random) -> None:
    """Start, let people talk, and end the process at a failpoint or at a random moment."""
    server.start(CHATAPP_FAILPOINT=f"{moment}:{chance.randint(1, 15)}" if moment else "")
    # Whoever waits for a failpoint is given the time to come there.
    end = time.monotonic() + (10 if moment else chance.uniform(0.2, 1.0))
    while server.is_running and time.monotonic() < end:
        time.sleep(0.005)
    assert bool(moment) != server.is_running, f"{moment or 'the server'} was not reached"
    if server.is_running:
        server.kill()


def talk_through(cycles: int, new_server: NewServer, new_person: NewPerson, database_url: str) -> None:
    seed = os.environ.get("CHATAPP_SEED") or str(random.randrange(10**6))
    print(f"replay with CHATAPP_SEED={seed}")
    chance = random.Random(seed)
    moments = [MOMENTS[number % len(MOMENTS)] for number in range(cycles)]
    chance.shuffle(moments)
    server = new_server(database_url=database_url, CHATAPP_GENERAL_KEEP_LAST="0").start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    participants = [
        Participant(person, conversation, f"{person.username} in {conversation}", edit_every=5)
        for person in (ana, bob)
        for conversation in ("general", room)
    ]
    server.kill()
    with chatting(*participants):
        for moment in moments:
            cycle(server, moment, chance)
        server.start(CHATAPP_FAILPOINT="")
    audit(server, *participants)


def test_nothing_acknowledged_is_lost_doubled_or_out_of_order_when_the_server_is_killed_again_and_again(
    new_server: NewServer, new_person: NewPerson, database_url: str
) -> None:
    talk_through(CYCLES, new_server, new_person, database_url)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_same_for_long(new_server: NewServer, new_person: NewPerson, database_url: str) -> None:
    talk_through(SOAK_CYCLES, new_server, new_person, database_url)
