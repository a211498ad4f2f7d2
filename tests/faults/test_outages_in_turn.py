"""Redis, PostgreSQL, a process and nginx are killed in turn, and two at once, while people chat on three processes."""

import signal
from collections.abc import Iterator

import pytest

from tests.harness.audit import Participant, audit, chatting, wait_until_all_have_sent
from tests.harness.nginx import Nginx
from tests.harness.people import Person
from tests.harness.redis import Redis
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Postgres, PostgresTemplate, Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults

PROCESSES = 3


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, postgres_template: PostgresTemplate) -> Iterator[Postgres]:
    """A PostgreSQL that the test may stop."""
    postgres = postgres_template.new(tmp_path_factory.mktemp("postgres"))
    postgres.start()
    yield postgres
    postgres.close()


@pytest.fixture(scope="module")
def processes(database: Postgres, shared_redis: Redis, new_shared_server: NewServer) -> list[Server]:
    """Processes with one data folder."""
    url = database.create_database()
    settings = {
        "REDIS_URL": shared_redis.url,
        "CHATAPP_TRUSTED_PROXIES": "1",
        "CHATAPP_SECURE_COOKIES": "true",
        "CHATAPP_ALLOWED_HOSTS": "127.0.0.1",
        "CHATAPP_HEARTBEAT_SECONDS": "1",
        "CHATAPP_GENERAL_KEEP_LAST": "0",
    }
    first = new_shared_server(database_url=url, **settings).start()
    settings["CHATAPP_DATA_DIR"] = str(first.data_dir)
    return [first, *(new_shared_server(database_url=url, **settings).start() for _ in range(PROCESSES - 1))]


@pytest.fixture(scope="module")
def nginx(processes: list[Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    nginx = Nginx(tmp_path_factory.mktemp("nginx"), processes)
    nginx.start()
    yield nginx
    nginx.close()


@pytest.fixture(scope="module")
def people(processes: list[Server], nginx: Nginx) -> Iterator[list[Person]]:
    people = add_people(nginx.address(processes[0]), "ana", "bob", "eve")
    for person in people:
        nginx.trust(person.http)
    yield people
    for person in people:
        person.close()


def count_pending(server: Server) -> int:
    """Return how many messages wait in the spool of a process."""
    count: int = server.health().json()["spool"]["waiting"]
    return count


def test_no_message_is_lost_doubled_or_reordered(
    database: Postgres, shared_redis: Redis, processes: list[Server], nginx: Nginx, people: list[Person]
) -> None:
    chatters = [
        Participant(person, "general", f"{person.username} {number}", edit_every=7, ack_timeout=3, tls=nginx.tls())
        for person in people
        for number in range(6)
    ]

    def chat() -> None:
        wait_until_all_have_sent(chatters, timeout=40)

    with chatting(*chatters):
        chat()
        shared_redis.stop(signal.SIGKILL)
        chat()
        shared_redis.start()
        database.stop()
        chat()
        database.start()
        chat()
        database.stop()
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
    eventually(lambda: not any(count_pending(server) for server in processes), "the spools are empty", timeout=30)
    with chatting(*chatters):
        chat()
    audit(nginx.address(processes[0]), *chatters)
