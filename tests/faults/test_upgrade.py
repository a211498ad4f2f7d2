"""An installation of several processes is upgraded, one process after another, while people chat.

It needs the history of this repository, and the packages of an earlier commit: it runs with `--soak`.
"""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.harness import ROOT
from tests.harness.audit import Participant, audit, chatting, wait_until_all_have_sent
from tests.harness.checkout import checkout
from tests.harness.nginx import Nginx
from tests.harness.people import PASSWORD, Person
from tests.harness.redis import Redis
from tests.harness.servers import Postgres, Server
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.soak, pytest.mark.timeout(900)]

PROCESSES = 3
NAMES = ("ana", "bob", "eve")


@pytest.fixture(scope="module", params=["*", "0039_message_search.py"], ids=["newest", "search"])
def previous(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Check out the last commit before the newest migration, and the last one without a search index."""
    added_files = f"migrations/versions/{request.param}"
    command = ["git", "log", "-1", "--format=%H", "--diff-filter=A", "--", added_files]
    added = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    with checkout(f"{added}^") as root:
        yield root


@pytest.fixture(scope="module")
def processes(
    previous: Path, postgres: Postgres, shared_redis: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Server]]:
    """Processes of the previous code on one data folder."""
    url, data_dir = postgres.create_database(migrated=False), tmp_path_factory.mktemp("installation") / "data"
    settings = {
        "REDIS_URL": shared_redis.url,
        "CHATAPP_TRUSTED_PROXIES": "1",
        "CHATAPP_SECURE_COOKIES": "true",
        "CHATAPP_ALLOWED_HOSTS": "127.0.0.1",
        "CHATAPP_HEARTBEAT_SECONDS": "1",
        "CHATAPP_GENERAL_KEEP_LAST": "0",
    }
    servers = [Server(data_dir, previous, database_url=url, **settings) for _ in range(PROCESSES)]
    for number, server in enumerate(servers):
        server.log_path = data_dir.with_name(f"{number}.log")
    servers[0].flask("db", "upgrade")
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def nginx(processes: list[Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    nginx = Nginx(tmp_path_factory.mktemp("nginx"), processes)
    nginx.start()
    yield nginx
    nginx.close()


@pytest.fixture(scope="module")
def people(processes: list[Server], nginx: Nginx) -> Iterator[list[Person]]:
    """People with login sessions of the previous code."""
    people = [Person(nginx.address(processes[0]), name) for name in NAMES]
    for person in people:
        processes[0].flask("users", "create", person.username, "--admin", stdin=f"{PASSWORD}\n{PASSWORD}\n")
        nginx.trust(person.http)
        assert person.sign_in().ok
    yield people
    for person in people:
        person.close()


@pytest.fixture
def chatters(people: list[Person], nginx: Nginx) -> list[Participant]:
    """Participants in the general chat."""
    return [
        Participant(person, "general", f"{person.username} {number}", edit_every=7, ack_timeout=3, tls=nginx.tls())
        for person in people
        for number in range(4)
    ]


def replace(servers: Sequence[Server], root: Path, chatters: Sequence[Participant], *arguments: str) -> None:
    """Stop one process after another, and start it with the code in `root`, while the participants chat."""
    for server in servers:
        wait_until_all_have_sent(chatters)
        assert server.terminate() == 0
        wait_until_all_have_sent(chatters)
        server.use_code_of(root)
        server.launch(*arguments)
        server.wait_until_ready()
    wait_until_all_have_sent(chatters)


def check(processes: Sequence[Server], nginx: Nginx, people: Sequence[Person], chatters: Sequence[Participant]) -> None:
    """Fail if a message was lost, doubled or reordered, or if a person has to sign in again."""
    audit(nginx.address(processes[0]), *chatters)
    assert all(person.get("/").url == f"{nginx.url}/" for person in people)
    assert all("Traceback" not in server.log() for server in processes)


def check_index(server: Server) -> None:
    """Fail unless the search index soon has all messages, also those that older processes have written."""
    is_behind = "SELECT 1 FROM conversations WHERE last_event > 0 AND indexed_event <> last_event"
    query = f"SELECT position, tokenizer > 0, EXISTS ({is_behind}) FROM message_search_state"
    eventually(lambda: server.rows(query) == [(0, True, False)], "the search index is complete", timeout=60)
    assert "consistent" in server.flask("search", "check")


def test_processes_are_upgraded_one_after_another_while_people_chat(
    processes: list[Server], nginx: Nginx, people: list[Person], chatters: list[Participant]
) -> None:
    with chatting(*chatters):
        replace(processes, ROOT, chatters, "--upgrade")
    check(processes, nginx, people, chatters)
    check_index(processes[0])


def test_an_upgrade_is_rolled_back_one_process_after_another_on_the_newer_schema(
    previous: Path, processes: list[Server], nginx: Nginx, people: list[Person], chatters: list[Participant]
) -> None:
    with chatting(*chatters):
        replace(processes, previous, chatters)
    check(processes, nginx, people, chatters)


def test_what_older_processes_have_stored_is_found_after_the_next_upgrade(
    processes: list[Server], nginx: Nginx, people: list[Person], chatters: list[Participant]
) -> None:
    with chatting(*chatters):
        replace(processes, ROOT, chatters)
    check(processes, nginx, people, chatters)
    check_index(processes[0])
