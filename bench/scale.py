"""One, two and four workers on PostgreSQL and Redis: messages, deliveries, processor time, latency and memory.

The load has one core; the workers, PostgreSQL (which syncs each commit) and Redis may use both. On a machine with two
cores the rates therefore say little about more workers. The processor time of each part says what they cost anywhere.
The sides alternate, each with a new database.
"""

import asyncio
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench.installation import LOAD_CORE, UNLIMITED, processor_seconds
from bench.listeners import listening
from bench.report import Figure
from bench.room import SENTENCE, make_message
from bench.sockets import LoadSocket
from tests.harness.people import Person
from tests.harness.redis import Redis
from tests.harness.rows import add_people
from tests.harness.servers import Postgres, Server

ROUNDS = 3
WORKERS = (1, 2, 4)
ROOMS = 50
"""Rooms of two people."""
LISTENERS = 200
"""People in the general chat."""
SENDERS = 5
IN_FLIGHT = 10
"""Messages that each of the senders to the general chat has in flight."""
SECONDS = 4.0
LATENCY_MESSAGES = 300
IDLE_CONNECTIONS = 1_000
SETTLING_SECONDS = 3.0


Sample = dict[tuple[str, str], float]
"""What was measured of one number of workers in one round, by name and unit."""

WITHIN, ACROSS = ("to the same worker", "ms"), ("to another worker", "ms")
"""The median latency from a socket to one of the same worker, and to one of another."""


class Site:
    """Workers, the people who use them, and the services that the workers share."""

    def __init__(self, server: Server, postgres: Postgres, redis: Redis) -> None:
        self.server = server
        self.people: list[Person] = []
        self._parts = {"workers": server.pid, "PostgreSQL": postgres.pid, "Redis": redis.pid}

    def processor_seconds(self) -> dict[str, float]:
        """Return the processor time of each part, with that of all its processes."""
        return {name: sum(map(processor_seconds, _processes(pid))) for name, pid in self._parts.items()}

    @property
    def worker_pids(self) -> list[int]:
        """The processes that serve: the children of the parent, or the only one."""
        children = [pid for pid in _processes(self.server.pid) if pid != self.server.pid]
        return [pid for pid in children if b"wsgi.py" in Path(f"/proc/{pid}/cmdline").read_bytes()] or [self.server.pid]

    def memory(self) -> float:
        """Return the memory of all workers in MB, without what they share with other processes."""
        return sum(map(_unshared_memory, self.worker_pids))

    def find_worker(self, port: int) -> int:
        """Return the process that a connection from a port of this machine is connected to."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        # Other connections of this machine may come from the same port.
        own, other = (f":{each:04X}" for each in (int(self.server.url.rpartition(":")[2]), port))
        fields = [line.split() for line in lines]
        (inode,) = [each[9] for each in fields if each[1].endswith(own) and each[2].endswith(other)]
        for pid in self.worker_pids:
            if any(each.readlink() == Path(f"socket:[{inode}]") for each in Path(f"/proc/{pid}/fd").iterdir()):
                return pid
        raise AssertionError("no worker has this connection")


def run() -> Sequence[Figure]:
    """Measure all numbers of workers alternately."""
    samples: dict[int, list[Sample]] = {workers: [] for workers in WORKERS}
    for _ in range(ROUNDS):
        for workers in WORKERS:
            with _site(workers) as site:
                samples[workers].append(asyncio.run(_measure(site)))
    one, *others = WORKERS
    figures = [
        Figure.of(name, unit, *(_values(f"{workers} workers", samples[workers], (name, unit)) for workers in pair))
        for pair in ((workers, one) for workers in others)
        for name, unit in samples[one][0]
    ]
    between = samples[others[0]]
    sides = _values(ACROSS[0], between, ACROSS), _values(WITHIN[0], between, WITHIN)
    return [*figures, Figure.of("latency", "ms", *sides)]


def _values(side: str, samples: Sequence[Sample], key: tuple[str, str]) -> tuple[str, list[float]]:
    return side, [sample[key] for sample in samples]


@contextmanager
def _site(workers: int) -> Iterator[Site]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres, redis = Postgres(folder, fsync=True), Redis(folder)
        for service in (postgres, redis):
            service.start()
            stack.callback(service.close)
        url = postgres.create_database(migrated=False)
        server = Server(
            folder / "data",
            database_url=url,
            REDIS_URL=redis.url,
            CHATAPP_LOG_LEVEL="WARNING",
            **UNLIMITED,
        )
        server.launch("--upgrade", "--workers", str(workers))
        stack.callback(server.terminate)
        server.wait_until_ready()
        site = Site(server, postgres, redis)
        site.people = add_people(server, *(f"person{number}" for number in range(LISTENERS + SENDERS)))
        yield site


async def _measure(site: Site) -> Sample:
    os.sched_setaffinity(0, {LOAD_CORE})
    return {
        **await _measure_messages(site),
        **await _measure_latency(site),
        **await _measure_deliveries(site),
        ("a worker", "MB"): site.memory() / len(site.worker_pids),
        ("an idle connection", "KB"): await asyncio.to_thread(_measure_connections, site),
    }


async def _measure_messages(site: Site) -> Sample:
    """Each of 100 people sends the next message when the last one is acknowledged."""
    pairs = list(zip(site.people[:ROOMS], site.people[ROOMS : 2 * ROOMS], strict=True))
    rooms = [first.create_room() for first, _ in pairs]
    sockets: list[tuple[LoadSocket, str]] = []
    for (first, second), room in zip(pairs, rooms, strict=True):
        first.invite(room, second)
        for person in (first, second):
            connection = await LoadSocket.connect(site.server.url, person.cookie)
            assert (await connection.call("join_chat", {"conversation": room}))["ok"]
            sockets.append((connection, room))
    await asyncio.sleep(SETTLING_SECONDS)
    before, end = site.processor_seconds(), time.monotonic() + SECONDS

    async def send(connection: LoadSocket, room: str) -> int:
        sent = 0
        while time.monotonic() < end:
            assert (await connection.call("send_message", make_message(room, SENTENCE)))["ok"]
            sent += 1
        return sent

    count = sum(await asyncio.gather(*(send(*each) for each in sockets)))
    cost = _cost("messages", before, site.processor_seconds(), count)
    await _close(connection for connection, _ in sockets)
    return {("acknowledged", "1/s"): count / SECONDS, **cost}


async def _measure_latency(site: Site) -> Sample:
    """One person sends, and listens on a socket of the same worker and, if there is one, of another."""
    room, person = site.people[0].create_room(), site.people[0]
    sender = await LoadSocket.connect(site.server.url, person.cookie)
    own = site.find_worker(sender.port)
    arrivals: dict[int, asyncio.Queue[float]] = {}
    sockets = [sender]
    while own not in arrivals or len(arrivals) < min(2, len(site.worker_pids)):
        arrived = asyncio.Queue[float]()
        connection = await LoadSocket.connect(site.server.url, person.cookie, partial(_note_arrival, arrived))
        assert (await connection.call("join_chat", {"conversation": room}))["ok"]
        worker = site.find_worker(connection.port)
        if worker == own or not arrivals.keys() - {own}:
            arrivals.setdefault(worker, arrived)
        sockets.append(connection)
    latencies: dict[int, list[float]] = {worker: [] for worker in arrivals}
    for _ in range(LATENCY_MESSAGES):
        start = time.perf_counter()
        assert (await sender.call("send_message", make_message(room, SENTENCE)))["ok"]
        for worker, arrived in arrivals.items():
            latencies[worker].append((await arrived.get() - start) * 1000)
    await _close(sockets)
    sample = {WITHIN: statistics.median(latencies.pop(own))}
    if latencies:
        (sample[ACROSS],) = map(statistics.median, latencies.values())
    return sample


def _note_arrival(arrived: "asyncio.Queue[float]", event: str, _payload: object) -> None:
    if event == "chat_message":
        arrived.put_nowait(time.perf_counter())


async def _measure_deliveries(site: Site) -> Sample:
    """Five people send to the general chat, in which all others listen. Each listener gets all messages in order."""
    senders, listeners = site.people[:SENDERS], site.people[SENDERS:]
    with listening(site.server.url, [person.cookie for person in listeners], "general") as crowd:
        sockets = [await LoadSocket.connect(site.server.url, person.cookie) for person in senders]
        for connection in sockets:
            assert (await connection.call("join_chat", {"conversation": "general"}))["ok"]
        await asyncio.sleep(SETTLING_SECONDS)
        before, start = site.processor_seconds(), time.monotonic()
        seqs: list[int] = []

        async def send(connection: LoadSocket) -> None:
            while time.monotonic() < start + SECONDS:
                ack = await connection.call("send_message", make_message("general", SENTENCE))
                seqs.append(ack["message"]["seq"])

        await asyncio.gather(*(send(connection) for connection in sockets * IN_FLIGHT))
        report = await asyncio.to_thread(crowd.finish, len(seqs))
        cost = _cost("deliveries", before, site.processor_seconds(), report.received)
        await _close(sockets)
    assert not report.problems, report.problems[:5]
    return {("deliveries", "1/s"): report.received / (report.last - start), **cost}


def _measure_connections(site: Site) -> float:
    cookies = [person.cookie for person in site.people]
    with listening(site.server.url, cookies, None):
        pass  # Memory that is allocated once is not counted.
    time.sleep(SETTLING_SECONDS)
    before = site.memory()
    number = IDLE_CONNECTIONS // len(cookies) * len(cookies)
    with listening(site.server.url, cookies * (number // len(cookies)), None) as crowd:
        time.sleep(SETTLING_SECONDS)
        after = site.memory()
        crowd.finish(0)
    return (after - before) * 1024 / number


def _cost(work: str, before: Mapping[str, float], after: Mapping[str, float], count: int) -> Sample:
    """Return the processor time of each part."""
    return {(f"1,000 {work}: {part}", "ms CPU"): (after[part] - before[part]) * 1e6 / count for part in before}


async def _close(sockets: Iterable[LoadSocket]) -> None:
    for connection in sockets:
        connection.close()
    await asyncio.sleep(0)  # Their readers end.


def _processes(root: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # It has ended.
        children.setdefault(parent, []).append(int(path.parent.name))
    found, rest = [], [root]
    while rest:
        pid = rest.pop()
        found.append(pid)
        rest += children.get(pid, [])
    return found


def _unshared_memory(pid: int) -> float:
    """Return the memory that a process shares with no other, in MB."""
    sizes = re.findall(r"^Private_\w+: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return sum(map(int, sizes)) / 1024
