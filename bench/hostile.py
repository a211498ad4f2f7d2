"""Abusive clients: a room of 50 users beside each attack, against the same room without it.

Latency is from the sending of a message until each of the others receives it. The attacks alternate on one server; each
comes from an address of its own, over several connections at once, and reconnects whenever it is disconnected. The
server has one core, the load and the attacker the other. With `--full` a million fuzzed packets are sent; with
`--only NAME` just one attack is measured.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from bench.attacks import ATTACKS, FUZZ
from bench.attacks.attack import Outcome, Plan
from bench.attacks.work import EXPORTERS
from bench.installation import LOAD_CORE, Installation, installation
from bench.report import Figure
from bench.room import Room, p99
from chatapp.config import Settings

ROUNDS = 3
PEOPLE = 50
SECONDS = 5.0
ATTACKS_PER_PAUSE = 4
"""The room is measured without an attack after so many attacks."""

ATTACKERS = EXPORTERS
"""Accounts of the attackers. Most attacks use only the first."""

RATES = {
    f"CHATAPP_{name.upper()}": str(Settings.model_fields[name].default)
    for name in ("connections_per_second", "requests_per_second")
}
"""The defaults, which the servers of tests and of other benchmarks do not have."""

MILLION = "1,000,000 fuzzed packets"
MILLION_ATTACKERS = 10
"""Accounts, and addresses, of the million packets: the server reads those of a single one too slowly."""


def run(*, only: str | None = None) -> Sequence[Figure]:
    """Measure the room alone and beside each attack, or beside `only` one, alternately."""
    return _run([only] if only else list(ATTACKS))


def run_full(*, only: str | None = None) -> Sequence[Figure]:
    """Measure the same, and the room beside a million fuzzed packets."""
    return _run([only] if only else list(ATTACKS), is_full=True)


@dataclass
class Side:
    """The measurements beside one attack, or alone, a value for each round."""

    p99: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    lines: list[float] = field(default_factory=list)
    """Lines of the log for each connection of the attacker."""

    def add(self, latencies: Sequence[float]) -> None:
        """Add the latencies of one round."""
        self.p99.append(p99(latencies))
        self.longest.append(max(latencies))

    def figures(self, name: str, alone: "Side") -> list[Figure]:
        """Return the figures, compared with those without an attack."""
        beside, without = "beside an attack", "without"
        return [
            Figure.of(f"{name}: latency, p99", "ms", (beside, self.p99), (without, alone.p99)),
            Figure.of(f"{name}: latency, longest", "ms", (beside, self.longest), (without, alone.longest)),
            Figure.of(f"{name}: memory", "MB", ("after it", self.after), ("before it", self.before)),
            Figure.of(f"{name}: log, for each connection", "lines", (beside, self.lines), ("limit", [1])),
        ]


def _run(names: Sequence[str], *, is_full: bool = False) -> Sequence[Figure]:
    # The receivers of the webhooks are on this machine.
    with installation(CHATAPP_WEBHOOK_PRIVATE_NETWORKS="1", **RATES) as target:
        alone, sides = asyncio.run(_measure(target, names, is_full=is_full))
        assert "Traceback" not in target.log()
    return [figure for name, side in sides.items() for figure in side.figures(name, alone)]


async def _measure(target: Installation, names: Sequence[str], *, is_full: bool) -> tuple[Side, dict[str, Side]]:
    people = target.add_people(PEOPLE + ATTACKERS)
    room_people, attackers = people[:PEOPLE], people[PEOPLE:]
    cookies = [person.cookie for person in attackers]
    paths = {name: ATTACKS[name].prepare(target, attackers) for name in names}
    room = await Room.open(target, room_people)
    os.sched_setaffinity(0, {LOAD_CORE})
    alone, sides = Side(), {name: Side() for name in names}
    await room.chat(SECONDS)
    for number in range(ROUNDS):
        for index, name in enumerate(names):
            if index % ATTACKS_PER_PAUSE == 0:
                alone.add(await room.chat(SECONDS))
            attack = ATTACKS[name]
            address = f"127.0.{number + 2}.{index + 1}"
            plan = Plan(name, target.url, cookies[: attack.accounts], [address], SECONDS, attack.threads, paths[name])
            await measure_attack(target, room, sides[name], plan)
    if is_full:
        addresses = [f"127.0.1.{number + 1}" for number in range(MILLION_ATTACKERS)]
        sides[MILLION] = Side()
        plan = Plan(
            FUZZ,
            target.url,
            cookies[:MILLION_ATTACKERS],
            addresses,
            3_600,
            threads=2 * MILLION_ATTACKERS,
            packets=1_000_000,
            events=200,
        )
        await measure_attack(target, room, sides[MILLION], plan)
    return alone, sides


async def measure_attack(target: Installation, room: Room, side: Side, plan: Plan) -> None:
    """Add the latencies of a room beside an attack to a side."""
    side.before.append(target.memory())
    lines = _count_lines(target)
    attacker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.attacker", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert attacker.stdin is not None
    assert attacker.stdout is not None
    try:
        attacker.stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
        await attacker.stdout.readline()  # The modules are imported, and the attack begins.
        finished = asyncio.create_task(attacker.communicate())
        latencies = await room.chat(SECONDS)
        while not finished.done() and plan.packets is not None:
            latencies += await room.chat(SECONDS)
        outcome = Outcome(**json.loads((await finished)[0]))
    finally:
        if attacker.returncode is None:
            attacker.kill()
    await asyncio.sleep(1)
    side.add(latencies)
    side.after.append(target.memory())
    side.lines.append((_count_lines(target) - lines) / max(1, outcome.opened))
    print(f"{time.strftime('%H:%M:%S')} {plan.attack}: {side.p99[-1]:.0f} ms, {outcome}", file=sys.stderr)


def _count_lines(target: Installation) -> int:
    return len(target.log().splitlines())
