"""Several workers behind one address: `bin/serve --workers N` restarts and replaces them without loss."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from chatapp.storage.spool import Spool
from tests.harness.audit import Participant, audit, chatting, wait_until_all_have_sent
from tests.harness.people import Person
from tests.harness.redis import Redis
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Postgres, PostgresTemplate, Server
from tests.harness.waiting import eventually, scaled

pytestmark = pytest.mark.faults

WORKERS = 2

MAX_PARENT_KB = 20_000


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, postgres_template: PostgresTemplate) -> Iterator[Postgres]:
    """A PostgreSQL that a test may stop."""
    postgres = postgres_template.new(tmp_path_factory.mktemp("postgres"))
    postgres.start()
    yield postgres
    postgres.close()


@pytest.fixture(scope="module")
def installation(database: Postgres, shared_redis: Redis, new_shared_server: NewServer) -> Server:
    """Two workers."""
    server = new_shared_server(
        database_url=database.create_database(),
        REDIS_URL=shared_redis.url,
        CHATAPP_HEARTBEAT_SECONDS="1",
        CHATAPP_GENERAL_KEEP_LAST="0",
    )
    server.launch("--workers", str(WORKERS), "--upgrade")
    server.wait_until_ready()
    return server


@pytest.fixture(scope="module")
def members(installation: Server) -> Iterator[list[Person]]:
    members = add_people(installation, "ana", "bob", "eve", "dan")
    yield members
    for member in members:
        member.close()


def worker_pids(server: Server) -> dict[int, int]:
    """Return the process ids of the workers by their numbers."""
    found = re.findall(r"worker is ready .*worker=(\d) process=(\d+)", server.log())
    return {int(number): int(pid) for number, pid in found}


def resident_kb(pid: int) -> int:
    """Return the memory of a process."""
    (size,) = re.findall(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(size)


def run_reload(server: Server) -> "subprocess.CompletedProcess[str]":
    """Run `bin/serve reload`, without the set-up."""
    command = server._command("-m", "chatapp.serving.reload")
    return subprocess.run(
        command, env=server.environment, capture_output=True, text=True, timeout=scaled(120), check=False
    )


@contextmanager
def requesting(person: Person) -> Iterator[list[str]]:
    """Request pages on connections that stay open, and on new ones, while the block runs. Yields what has failed."""
    failures: list[str] = []
    is_over = threading.Event()

    def request(session: requests.Session | None) -> None:
        url = person.server.url + "/"
        while not is_over.wait(0.1):
            try:
                if session is None:
                    response = requests.get(url, headers={"Cookie": person.cookie}, timeout=scaled(20))
                else:
                    response = session.get(url, headers={"Cookie": person.cookie}, timeout=scaled(20))
            except requests.RequestException as error:
                failures.append(repr(error))
            else:
                if response.status_code != 200 or response.url != url:
                    failures.append(f"{response.status_code} {response.url}")

    with requests.Session() as session:
        threads = [threading.Thread(target=request, args=(each,)) for each in (session, None)]
        for thread in threads:
            thread.start()
        try:
            yield failures
        finally:
            is_over.set()
            for thread in threads:
                thread.join()


def participants(members: list[Person]) -> list[Participant]:
    return [
        Participant(person, "general", f"{person.username} {number}", pause=0.1, edit_every=7)
        for person in members
        for number in range(2)
    ]


def test_the_parent_is_small(installation: Server) -> None:
    assert set(worker_pids(installation)) == set(range(WORKERS))
    assert resident_kb(installation.pid) < MAX_PARENT_KB


def test_connections_are_shared_and_each_worker_is_visible_whichever_responds(installation: Server) -> None:
    with ExitStack() as connections:
        for _ in range(30):
            address = ("127.0.0.1", installation.port)
            connections.enter_context(socket.create_connection(address))
        eventually(
            lambda: sum(read_metric(installation, "chatapp_http_connections").values()) >= 30, "all are accepted"
        )
        counts = read_metric(installation, "chatapp_http_connections")
        print(counts)
    assert set(counts) == set(range(WORKERS))
    assert min(counts.values()) >= 3
    assert set(read_metric(installation, "chatapp_worker_up").values()) == {1}
    assert all(size > 10_000_000 for size in read_metric(installation, "process_resident_memory_bytes").values())
    assert {read_health(installation, number)["worker"] for number in range(WORKERS)} == set(range(WORKERS))


def read_metric(server: Server, name: str) -> dict[int, float]:
    """Return the values of a metric by the numbers of the workers."""
    text = requests.get(f"{server.url}/metrics", timeout=scaled(10)).text
    found = re.findall(rf'^{name}{{worker="(\d)"}} (\S+)$', text, re.MULTILINE)
    return {int(number): float(value) for number, value in found}


def read_health(server: Server, worker: int) -> dict[str, Any]:
    """Return the health of one worker, which its own socket has."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.data_dir / f"worker-{worker}.sock"))
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        response = connection.makefile("rb").read()
    health: dict[str, Any] = json.loads(response.partition(b"\r\n\r\n")[2])
    return health


def test_a_killed_worker_returns_and_no_message_is_lost(installation: Server, members: list[Person]) -> None:
    before = worker_pids(installation)
    chatters = participants(members)
    with chatting(*chatters):
        wait_until_all_have_sent(chatters)
        os.kill(before[1], signal.SIGKILL)
        eventually(lambda: worker_pids(installation)[1] != before[1], "the worker is ready again", timeout=20)
        wait_until_all_have_sent(chatters)
    audit(installation, *chatters)
    assert worker_pids(installation)[0] == before[0]


def test_a_reload_loses_no_message_and_fails_no_request(installation: Server, members: list[Person]) -> None:
    before = worker_pids(installation)
    chatters = participants(members)
    with chatting(*chatters), requesting(members[0]) as failures:
        wait_until_all_have_sent(chatters)
        reload = run_reload(installation)
        wait_until_all_have_sent(chatters)
    assert (reload.returncode, reload.stdout) == (0, "The workers were replaced.\n"), reload.stderr
    assert failures == []
    audit(installation, *chatters)
    assert not set(before.values()) & set(worker_pids(installation).values())


def test_the_spool_of_a_process_that_is_gone_is_stored_once_and_in_order(
    installation: Server, members: list[Person]
) -> None:
    contents = [f"spooled {number}" for number in range(50)]
    draft = installation.data_dir / "draft.sqlite3"
    with closing(Spool(draft)) as spool:
        spool.add([spool_entry(members[1], content) for content in contents])
    draft.rename(installation.data_dir / "spool-7.sqlite3")

    query = "SELECT content FROM messages WHERE content LIKE 'spooled %' ORDER BY seq"
    eventually(lambda: len(installation.rows(query)) >= len(contents), "the spool is drained", timeout=20)
    time.sleep(1.5)  # The others check for it too.
    assert installation.rows(query) == [(content,) for content in contents]
    assert installation.flask("spool", "list") == ""


def spool_entry(person: Person, content: str) -> tuple[str, int, dict[str, object]]:
    client_id = str(uuid.uuid4())
    fields: dict[str, object] = {
        "conversation": "general",
        "content": content,
        "client_id": client_id,
        "sender": {"id": person.id, "username": person.username, "name": person.username.title()},
        "created_at": "2026-01-01T00:00:00+00:00",
    }
    return client_id, person.id, fields


def test_what_a_person_posts_to_several_workers_during_an_outage_is_stored_in_its_order(
    installation: Server, database: Postgres, members: list[Person]
) -> None:
    ana = members[0]
    sockets = [ana.connect() for _ in range(4 * WORKERS)]
    for each in sockets:
        each.join()
    contents = [f"during an outage {number}" for number in range(2 * len(sockets))]
    database.stop()
    for number, content in enumerate(contents):
        assert sockets[number % len(sockets)].send(content)["message"]["pending"]
    listed = re.findall(r"^(spool-\d) .* pending$", installation.flask("spool", "list"), re.MULTILINE)
    assert len(listed) == len(contents)
    assert len(set(listed)) > 1, "several workers have spooled"
    database.start()
    query = "SELECT content FROM messages WHERE content LIKE 'during an outage %' ORDER BY seq"
    eventually(lambda: len(installation.rows(query)) >= len(contents), "the messages are stored", timeout=20)
    assert installation.rows(query) == [(content,) for content in contents]
    eventually(lambda: set(read_metric(installation, "chatapp_spool_waiting").values()) == {0}, "all have recovered")


def test_pages_connect_with_websocket_only_and_polling_is_refused(installation: Server, members: list[Person]) -> None:
    ana = members[0]
    assert "data-websocket-only" in ana.get("/").text
    refused = ana.get("/socket.io/?EIO=4&transport=polling")
    assert refused.status_code == 400
    assert "transports: ['websocket']" in refused.text


def test_the_workers_stop_when_the_parent_is_killed(installation: Server, members: list[Person]) -> None:
    before = count_graceful_ends(installation)
    pids = worker_pids(installation)
    chatters = participants(members)
    with chatting(*chatters):
        wait_until_all_have_sent(chatters)
        installation.kill()
        eventually(lambda: not any(is_running(pid) for pid in pids.values()), "the workers have ended", timeout=20)
        assert count_graceful_ends(installation) == before + WORKERS
        refused = run_reload(installation)
        assert refused.returncode == 1
        assert "No bin/serve --workers runs" in refused.stderr
        installation.launch("--workers", str(WORKERS))
        installation.wait_until_ready()
        wait_until_all_have_sent(chatters)
    audit(installation, *chatters)
    assert installation.terminate() == 0
    assert not any(is_running(pid) for pid in worker_pids(installation).values())


def count_graceful_ends(server: Server) -> int:
    return len(re.findall(r"\] stopped  ", server.log()))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "they need PostgreSQL"),
        ({"database_url": "postgresql://127.0.0.1:1/none"}, "they need Redis"),
    ],
)
def test_several_workers_need_postgresql_and_redis(
    new_server: NewServer, settings: dict[str, str], reason: str
) -> None:
    server = new_server(**settings)
    server.launch("--workers", "2", "--upgrade")
    eventually(lambda: not server.is_running, "the server ends", timeout=20)
    (line,) = server.log().splitlines()
    assert line.startswith(f"chatapp cannot start 2 workers: {reason}")
