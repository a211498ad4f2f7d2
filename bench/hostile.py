"""Abusive clients: a room of 50 users beside each attack, against the same room without it.

Latency is from the sending of a message until each of the others receives it. The attacks alternate on one server; each
comes from an address of its own, with a login session, over several connections at once, and reconnects whenever it is
disconnected. The server has one core, the load and the attacker the other. With `--full` a million fuzzed packets are
sent.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from bench.attacker import ATTACKS, FUZZ, HTTP_ATTACKS, Outcome, Plan
from bench.installation import LOAD_CORE, Installation, installation
from bench.report import Figure
from bench.room import Room, p99

ROUNDS = 3
PEOPLE = 50
SECONDS = 8.0
ALONE = "without"
MILLION = "1,000,000 fuzzed packets"
ATTACKERS = 10
"""Accounts, and addresses, of the million packets: the server reads those of a single one too slowly."""


def run() -> Sequence[Figure]:
    """Measure the room alone and beside each attack, alternately."""
    return _run(is_full=False)


def run_full() -> Sequence[Figure]:
    """Measure the same, and the room beside a million fuzzed packets."""
    return _run(is_full=True)


@dataclass
class Side:
    """The measurements beside one attack, or alone, a value for each round."""

    p99: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    lines: list[float] = field(default_factory=list)
    """Lines of the log for each connection of the attacker."""

    def figures(self, name: str, alone: "Side") -> list[Figure]:
        """Return the figures, compared with those without an attack."""
        beside, without = "beside an attack", "without"
        return [
            Figure.of(f"{name}: latency, p99", "ms", (beside, self.p99), (without, alone.p99)),
            Figure.of(f"{name}: latency, longest", "ms", (beside, self.longest), (without, alone.longest)),
            Figure.of(f"{name}: memory", "MB", ("after it", self.after), ("before it", self.before)),
            Figure.of(f"{name}: log, for each connection", "lines", (beside, self.lines), ("limit", [1])),
        ]


def _run(*, is_full: bool) -> Sequence[Figure]:
    with installation() as target:
        sides = asyncio.run(_measure(target, is_full=is_full))
        assert "Traceback" not in target.log()
    alone = sides.pop(ALONE)
    return [figure for name, side in sides.items() for figure in side.figures(name, alone)]


async def _measure(target: Installation, *, is_full: bool) -> dict[str, Side]:
    people = target.add_people(PEOPLE + ATTACKERS)
    cookies = [person.cookie for person in people[PEOPLE:]]
    room = await Room.open(target, people[:PEOPLE])
    os.sched_setaffinity(0, {LOAD_CORE})
    sides = {name: Side() for name in (ALONE, *ATTACKS, *HTTP_ATTACKS, FUZZ)}
    await room.chat(SECONDS)
    for number in range(ROUNDS):
        latencies = await room.chat(SECONDS)
        sides[ALONE].p99.append(p99(latencies))
        sides[ALONE].longest.append(max(latencies))
        for index, name in enumerate([*ATTACKS, *HTTP_ATTACKS, FUZZ]):
            address = f"127.0.{number + 2}.{index + 1}"
            await _attack(target, room, sides[name], Plan(name, target.url, cookies[:1], [address], SECONDS))
    if is_full:
        addresses = [f"127.0.1.{number + 1}" for number in range(ATTACKERS)]
        sides[MILLION] = Side()
        plan = Plan(FUZZ, target.url, cookies, addresses, 3_600, threads=2 * ATTACKERS, packets=1_000_000, events=200)
        await _attack(target, room, sides[MILLION], plan)
    return sides


async def _attack(target: Installation, room: Room, side: Side, plan: Plan) -> None:
    side.before.append(target.memory())
    lines = _count_lines(target)
    attacker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.attacker", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        finished = asyncio.create_task(attacker.communicate(json.dumps(asdict(plan)).encode() + b"\n"))
        latencies = await room.chat(SECONDS)
        while not finished.done() and plan.packets is not None:
            latencies += await room.chat(SECONDS)
        outcome = Outcome(**json.loads((await finished)[0]))
    finally:
        if attacker.returncode is None:
            attacker.kill()
    await asyncio.sleep(1)
    side.p99.append(p99(latencies))
    side.longest.append(max(latencies))
    side.after.append(target.memory())
    side.lines.append((_count_lines(target) - lines) / max(1, outcome.opened))
    print(time.strftime("%H:%M:%S"), plan.attack, outcome, file=sys.stderr)


def _count_lines(target: Installation) -> int:
    return len(target.log().splitlines())
