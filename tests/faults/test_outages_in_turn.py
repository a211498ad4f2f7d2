"""Faults while people chat on three processes behind nginx, with a synchronous replica of PostgreSQL.

Two of the processes have a wrong clock. Redis, PostgreSQL, a process and nginx are killed in turn, and two at once. A
process hangs.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count
from typing import NamedTuple

import pytest

from tests.harness.audit import Participant, audit, chatting, wait_until_all_have_sent
from tests.harness.clock import wrong_clock
from tests.harness.nginx import Nginx
from tests.harness.people import Person
from tests.harness.redis import Redis
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Postgres, PostgresTemplate, Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults

CLOCKS = ("-1h", "+1h")
"""By how much the clocks of the second and the third process are wrong."""

PAUSE_SECONDS = 10.0

NUMBERS = count(1)
"""Numbers of the people of all tests."""


class Crowd(NamedTuple):
    """How many people chat, each with several clients."""

    rooms: int
    """Rooms with three members each. Nobody is in two of them."""
    clients: int
    """Clients of each person."""
    pause: float
    """Seconds between two messages of a client."""
    ack_timeout: float
    """Seconds after which a client connects again."""

    def __str__(self) -> str:
        return f"{self.rooms * MEMBERS * self.clients}-clients"


MEMBERS = 3

FEW = Crowd(rooms=1, clients=6, pause=0.1, ack_timeout=3)

MANY = Crowd(rooms=10, clients=10, pause=4, ack_timeout=10)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, postgres_template: PostgresTemplate) -> Iterator[Postgres]:
    """A PostgreSQL that the test may stop."""
    postgres = postgres_template.new(tmp_path_factory.mktemp("postgres"))
    postgres.start()
    yield postgres
    postgres.close()


@pytest.fixture(scope="module")
def replica(database: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A synchronous replica of `database`, which soon finds it again."""
    database.execute("ALTER SYSTEM SET wal_retrieve_retry_interval = '200ms'")
    replica = database.new_replica(tmp_path_factory.mktemp("replica"))
    replica.start()
    database.set_synchronous(is_synchronous=True)
    yield replica
    replica.close()


@pytest.fixture(scope="module")
def processes(database: Postgres, replica: Postgres, shared_redis: Redis, new_shared_server: NewServer) -> list[Server]:
    """Three processes with one data folder."""
    url = database.create_database()
    settings = {
        "DATABASE_READ_URL": replica.url(url.rpartition("/")[2]),
        "REDIS_URL": shared_redis.url,
        "CHATAPP_TRUSTED_PROXIES": "1",
        "CHATAPP_SECURE_COOKIES": "true",
        "CHATAPP_ALLOWED_HOSTS": "127.0.0.1",
        "CHATAPP_HEARTBEAT_SECONDS": "1",
        "CHATAPP_GENERAL_KEEP_LAST": "0",
    }
    first = new_shared_server(database_url=url, **settings).start()
    settings["CHATAPP_DATA_DIR"] = str(first.data_dir)
    return [
        first,
        *(new_shared_server(database_url=url, **settings, **wrong_clock(offset)).start() for offset in CLOCKS),
    ]


@pytest.fixture(scope="module")
def nginx(processes: list[Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    nginx = Nginx(tmp_path_factory.mktemp("nginx"), processes)
    nginx.start()
    yield nginx
    nginx.close()


@pytest.fixture
def chatters(request: pytest.FixtureRequest, processes: list[Server], nginx: Nginx) -> Iterator[list[Participant]]:
    """Participants in rooms of their own."""
    crowd: Crowd = getattr(request, "param", FEW)
    tls = nginx.tls()
    with ExitStack() as stack:
        yield [
            Participant(
                person,
                room,
                f"{person.username} {number}",
                pause=crowd.pause,
                edit_every=7,
                ack_timeout=crowd.ack_timeout,
                tls=tls,
            )
            for _ in range(crowd.rooms)
            for members in [[stack.enter_context(closing(person)) for person in add_members(processes, nginx)]]
            for room in [open_room(members, processes)]
            for person in members
            for number in range(crowd.clients)
        ]


def add_members(processes: list[Server], nginx: Nginx) -> list[Person]:
    """Create people who sign in through nginx."""
    people = add_people(nginx.address(processes[0]), *(f"user{next(NUMBERS)}" for _ in range(MEMBERS)))
    for person in people:
        nginx.trust(person.http)
    return people


def open_room(members: list[Person], processes: list[Server]) -> str:
    """Create a room, and connect its members to each process once."""
    owner, *others = members
    room = owner.create_room()
    for person in others:
        owner.invite(room, person)
    for person in members:
        for server in processes:
            # In an outage of the database a process admits only people who were connected to it.
            with closing(person.on_server(server).connect()) as socket:
                socket.join(room)
    return room


@pytest.mark.parametrize(
    "chatters",
    [FEW, pytest.param(MANY, marks=(pytest.mark.soak, pytest.mark.timeout(900)))],
    indirect=True,
    ids=str,
)
def test_no_message_is_lost_doubled_or_reordered(
    database: Postgres, shared_redis: Redis, processes: list[Server], nginx: Nginx, chatters: list[Participant]
) -> None:
    def chat() -> None:
        wait_until_all_have_sent(chatters, timeout=60)

    for chatter in chatters:
        chatter.may_be_reset = True
    with chatting(*chatters):
        chat()
        shared_redis.stop(signal.SIGKILL)
        chat()
        shared_redis.start()
        database.crash()
        chat()
        database.start()
        nginx.stop()
        nginx.start()
        chat()
        database.crash()
        processes[1].kill()
        chat()
        processes[1].launch()
        chat()
        database.start()
        processes[1].wait_until_ready()
        processes[2].kill()
        chat()
        processes[2].start()
        shared_redis.stop(signal.SIGKILL)
        nginx.stop()
        nginx.start()
        chat()
        shared_redis.start()
        chat()
    eventually(lambda: not any(server.count_pending() for server in processes), "the spools are empty", timeout=30)
    with chatting(*chatters):
        chat()
    audit(nginx.address(processes[0]), *chatters)


def test_clients_of_a_process_that_hangs_move_to_the_others_and_nothing_is_lost_when_it_continues(
    processes: list[Server], nginx: Nginx, chatters: list[Participant]
) -> None:
    for chatter in chatters:
        # If the process hangs in a transaction, its locks remain. Until it continues, the others fill their spools.
        chatter.pause = 0.3
    with chatting(*chatters):
        wait_until_all_have_sent(chatters, timeout=40)
        hanging = processes[1]
        hanging.send_signal(signal.SIGSTOP)
        try:
            ends_at = time.monotonic() + PAUSE_SECONDS
            while time.monotonic() < ends_at:
                wait_until_all_have_sent(chatters, timeout=60)
        finally:
            hanging.send_signal(signal.SIGCONT)
        wait_until_all_have_sent(chatters, timeout=60)
        eventually(lambda: not any(server.count_pending() for server in processes), "the spools are empty", timeout=60)
    audit(nginx.address(processes[0]), *chatters)
