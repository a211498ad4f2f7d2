"""The server is killed while people post, at failpoints and at random times."""

import os
import random
import signal
import time
from contextlib import suppress

import pytest
import requests

from tests.harness.audit import Participant, audit, audit_index, chatting
from tests.harness.people import NewPerson
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults

FAILPOINTS = [
    "before-insert",  # before the rows of a batch of posts are inserted
    "before-commit",  # before a commit
    "after-commit",  # after it, before its acknowledgements
    "after-acknowledgement",  # after these, before the broadcast
    "",  # at a random time
    "",
]
"""Failpoints while the database is available. test_outage.py has those of the spool."""

CYCLES = 10
SOAK_CYCLES = 150


def run_and_kill(server: Server, failpoint: str, chance: random.Random) -> None:
    """Start the server, and kill it at a failpoint or at a random time."""
    server.launch(CHATAPP_FAILPOINT=f"{failpoint}:{chance.randint(1, 15)}" if failpoint else "")
    if failpoint:
        # Perhaps before it can be seen that the server was ready.
        eventually(lambda: not server.is_running, f"killed at {failpoint}", timeout=40)
        assert server.exit_code == -signal.SIGKILL
    else:
        server.wait_until_ready()
        time.sleep(chance.uniform(0.2, 1.0))
        assert server.is_running
        server.kill()


def post_while_killing(cycles: int, new_server: NewServer, new_person: NewPerson, database_url: str) -> None:
    seed = os.environ.get("CHATAPP_SEED") or str(random.randrange(10**6))
    print(f"replay with CHATAPP_SEED={seed}")
    chance = random.Random(seed)
    failpoints = [FAILPOINTS[number % len(FAILPOINTS)] for number in range(cycles)]
    chance.shuffle(failpoints)
    server = new_server(database_url=database_url, CHATAPP_GENERAL_KEEP_LAST="0").start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    participants = [
        Participant(
            person, conversation, f"{person.username} in {conversation}", edit_every=5, reply_every=3, schedule_every=7
        )
        for person in (ana, bob)
        for conversation in ("general", room)
    ]
    server.kill()
    with chatting(*participants):
        for failpoint in failpoints:
            run_and_kill(server, failpoint, chance)
        server.start(CHATAPP_FAILPOINT="")
    audit(server, *participants)
    audit_index(server)


def test_a_deleted_text_is_not_found_after_the_server_was_killed(
    new_server: NewServer, new_person: NewPerson, database_url: str
) -> None:
    server = new_server(database_url=database_url, CHATAPP_GENERAL_KEEP_LAST="0").start()
    ana = new_person(server, "ana")
    socket, api = ana.connect(), ana.api()
    numbers = [socket.post(f"needle {number}")["seq"] for number in range(40)]
    server.kill()
    server.launch(CHATAPP_FAILPOINT="after-commit:12")
    server.wait_until_ready()
    with suppress(requests.ConnectionError):
        for seq in numbers:
            assert api.request("DELETE", f"/conversations/general/messages/{seq}").ok
    eventually(lambda: not server.is_running, "killed after a commit")
    server.start(CHATAPP_FAILPOINT="")

    stored = [seq for (seq,) in server.rows("SELECT seq FROM messages WHERE deleted_at IS NULL ORDER BY seq")]
    found = api.get("/search", params={"q": "needle", "limit": 100}).json()["messages"]
    assert sorted(hit["message"]["seq"] for hit in found) == stored
    assert len(stored) < len(numbers)
    audit_index(server)


def test_no_acknowledged_message_is_lost_duplicated_or_reordered_when_the_server_is_killed(
    new_server: NewServer, new_person: NewPerson, database_url: str
) -> None:
    post_while_killing(CYCLES, new_server, new_person, database_url)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_kills_in_a_row(new_server: NewServer, new_person: NewPerson, database_url: str) -> None:
    post_while_killing(SOAK_CYCLES, new_server, new_person, database_url)
