"""Searches as people type: a room of 50 users beside 20 others who search 100,000 messages, against the room alone.

Latency is from the sending of a message until each of the others receives it. The server has one core, and the limits
that it has by default.
"""

import asyncio
import os
from collections.abc import Sequence

from bench.attacks import SEARCH
from bench.attacks.attack import Plan
from bench.attacks.search import PEOPLE as SEARCHERS
from bench.hostile import RATES, Side, measure_attack
from bench.installation import LOAD_CORE, Installation, installation
from bench.report import Figure
from bench.room import Room
from bench.search import SENDERS, fill_general, make_searches

ROUNDS = 5
PEOPLE = 50
SECONDS = 10.0
MESSAGES = 100_000
GOAL_RATIO = 1.5


def run() -> Sequence[Figure]:
    """Measure the room alone and beside the searches, alternately."""
    # Otherwise the cleanup removes most of the messages during the measurement.
    with installation(**RATES, CHATAPP_GENERAL_KEEP_LAST="0") as target:
        alone, beside = asyncio.run(_measure(target))
        assert "Traceback" not in target.log()
    subject, other = ("beside searches", "alone")
    goal = [GOAL_RATIO]
    ratios = [with_searches / without for with_searches, without in zip(beside.p99, alone.p99, strict=True)]
    return [
        Figure.of("latency, p99", "ms", (subject, beside.p99), (other, alone.p99)),
        Figure.of("latency, longest", "ms", (subject, beside.longest), (other, alone.longest)),
        Figure.of("latency, p99, against alone", "times", (subject, ratios), ("goal", goal)),
    ]


async def _measure(target: Installation) -> tuple[Side, Side]:
    # The messages are of as many senders.
    people = target.add_people(SENDERS)
    target.fill_with(lambda server: fill_general(server, MESSAGES))
    words = [search.words.strip() for searches in make_searches().values() for search in searches]
    cookies = [person.cookie for person in people[-SEARCHERS:]]
    room = await Room.open(target, people[:PEOPLE])
    os.sched_setaffinity(0, {LOAD_CORE})
    alone, beside = Side(), Side()
    await room.chat(SECONDS)
    for _ in range(ROUNDS):
        alone.add(await room.chat(SECONDS))
        plan = Plan(SEARCH, target.url, cookies, ["127.0.2.1"], SECONDS, SEARCHERS, words)
        await measure_attack(target, room, beside, plan)
    return alone, beside
