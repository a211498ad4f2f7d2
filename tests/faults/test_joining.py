"""Joining a conversation while others post: no event is lost between the catch-up and the first broadcast."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.harness.audit import Participant, audit, chatting
from tests.harness.people import NewPerson
from tests.harness.servers import NewServer

pytestmark = pytest.mark.faults

JOINS = 60
"""Minimum number of joins."""


@dataclass
class RejoiningParticipant(Participant):
    """A person who joins and leaves repeatedly, and posts nothing."""

    joins: int = 0
    versions: list[int] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        """Join, wait for the next event and leave, until `stop`."""
        socket = await self._connect()
        while not stop.is_set():
            self.versions.clear()
            ack = await socket.call("join_chat", {"conversation": self.conversation})
            await self._check_next_event(ack["to"], stop)
            await socket.call("leave_chat", {"conversation": self.conversation})
        socket.close()

    async def _check_next_event(self, end: int, stop: asyncio.Event) -> None:
        while not (new := [version for version in self.versions if version > end]):
            if stop.is_set():
                return
            await asyncio.sleep(0.001)
        self.joins += 1
        if new[0] != end + 1:
            self.problems.append(f"the catch-up ended at {end}, the next event was {new[0]}")

    def _receive(self, event: str, payload: Any) -> None:
        if event == "chat_message":
            self.versions.append(payload["version"])


def test_no_event_is_lost_between_the_catch_up_and_the_first_broadcast(
    new_server: NewServer, new_person: NewPerson, variant_settings: dict[str, str]
) -> None:
    server = new_server(CHATAPP_GENERAL_KEEP_LAST="0", CHATAPP_EVENTS_PER_SECOND="0", **variant_settings).start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    participants = [Participant(ana, "general", f"ana {number}", pause=0) for number in range(4)]
    rejoining = [RejoiningParticipant(bob, "general", f"bob {number}") for number in range(2)]
    with chatting(*participants, *rejoining):
        end = time.monotonic() + 60
        while sum(participant.joins for participant in rejoining) < JOINS and time.monotonic() < end:
            time.sleep(0.05)
    assert not [problem for participant in rejoining for problem in participant.problems]
    assert sum(participant.joins for participant in rejoining) >= JOINS
    audit(server, *participants)
