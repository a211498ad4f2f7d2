"""Clients that mean harm: a room of 50 people beside each attack, against the same room without it.

Latency is from the sending of a message until each of the others has it. The attacks take turns on one server; each
comes from an address of its own, with a sign-in, in several connections at once, and comes back whenever it was ended.
The server has one core, the load and the attacker the other one. With `--full` a million fuzzed packets are said.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from bench.attacker import ATTACKS, FUZZ, Plan, Toll
from bench.installation import LOAD_CORE, Installation, installation
from bench.report import Figure
from bench.room import Room, p99

ROUNDS = 3
PEOPLE = 50
SECONDS = 8.0
ALONE = "without"
MILLION = "1,000,000 fuzzed packets"
VILLAINS = 10
"""Accounts, and addresses, that a million packets come from: one alone is read too slowly for it."""


def run() -> Sequence[Figure]:
    """Measure the room alone and beside each attack, in turn."""
    return _run(is_full=False)


def run_full() -> Sequence[Figure]:
    """Measure the same, and then beside a million fuzzed packets."""
    return _run(is_full=True)


@dataclass
class Side:
    """What was measured beside one attack, or alone, a value for each round."""

    p99: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    lines: list[float] = field(default_factory=list)
    """In the log, for each connection of the attacker's."""

    def figures(self, name: str, alone: "Side") -> list[Figure]:
        """Tell it beside what was measured alone."""
        mine, theirs = "beside an attack", "without"
        return [
            Figure.of(f"{name}: latency, p99", "ms", (mine, self.p99), (theirs, alone.p99)),
            Figure.of(f"{name}: latency, longest", "ms", (mine, self.longest), (theirs, alone.longest)),
            Figure.of(f"{name}: memory", "MB", ("after it", self.after), ("before it", self.before)),
            Figure.of(f"{name}: log, for each connection", "lines", (mine, self.lines), ("at the most", [1])),
        ]


def _run(*, is_full: bool) -> Sequence[Figure]:
    with installation() as place:
        sides = asyncio.run(_measure(place, is_full=is_full))
        assert "Traceback" not in place.log()
    alone = sides.pop(ALONE)
    return [figure for name, side in sides.items() for figure in side.figures(name, alone)]


async def _measure(place: Installation, *, is_full: bool) -> dict[str, Side]:
    people = place.add_people(PEOPLE + VILLAINS)
    cookies = [person.cookie for person in people[PEOPLE:]]
    room = await Room.open(place, people[:PEOPLE])
    os.sched_setaffinity(0, {LOAD_CORE})
    sides = {name: Side() for name in (ALONE, *ATTACKS, FUZZ)}
    await room.chat(SECONDS)
    for number in range(ROUNDS):
        latencies = await room.chat(SECONDS)
        sides[ALONE].p99.append(p99(latencies))
        sides[ALONE].longest.append(max(latencies))
        for place_in_turn, name in enumerate([*ATTACKS, FUZZ]):
            address = f"127.0.{number + 2}.{place_in_turn + 1}"
            await _attack(place, room, sides[name], Plan(name, place.url, cookies[:1], [address], SECONDS))
    if is_full:
        addresses = [f"127.0.1.{number + 1}" for number in range(VILLAINS)]
        sides[MILLION] = Side()
        plan = Plan(FUZZ, place.url, cookies, addresses, 3_600, threads=2 * VILLAINS, packets=1_000_000, events=200)
        await _attack(place, room, sides[MILLION], plan)
    return sides


async def _attack(place: Installation, room: Room, side: Side, plan: Plan) -> None:
    side.before.append(place.memory())
    lines = _count_lines(place)
    attacker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.attacker", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        over = asyncio.create_task(attacker.communicate(json.dumps(asdict(plan)).encode() + b"\n"))
        latencies = await room.chat(SECONDS)
        while not over.done() and plan.packets is not None:
            latencies += await room.chat(SECONDS)
        toll = Toll(**json.loads((await over)[0]))
    finally:
        if attacker.returncode is None:
            attacker.kill()
    await asyncio.sleep(1)
    side.p99.append(p99(latencies))
    side.longest.append(max(latencies))
    side.after.append(place.memory())
    side.lines.append((_count_lines(place) - lines) / max(1, toll.opened))
    print(time.strftime("%H:%M:%S"), plan.attack, toll, file=sys.stderr)


def _count_lines(place: Installation) -> int:
    return len(place.log().splitlines())
