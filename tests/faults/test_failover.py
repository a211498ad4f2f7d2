"""PostgreSQL fails over to a replica while people chat: the replica is promoted, and chatapp finds it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chatapp.config import Settings
from chatapp.storage.engines import writer_engine
from tests.harness.audit import Participant, audit, chatting, wait_until_all_have_sent
from tests.harness.people import NewPerson, Socket
from tests.harness.pgbouncer import PgBouncer
from tests.harness.redis import Redis
from tests.harness.servers import NewServer, Postgres, PostgresTemplate, Server, failover_url
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults

ROLE = "chatapp"


@pytest.fixture
def primary(postgres_template: PostgresTemplate, tmp_path: Path) -> Iterator[Postgres]:
    primary = postgres_template.new(tmp_path)
    primary.start()
    yield primary
    primary.close()


@pytest.fixture
def database(primary: Postgres) -> str:
    """The name of a database. It belongs to a role without other rights."""
    url = primary.create_database()
    name = url.rpartition("/")[2]
    primary.execute(f"CREATE ROLE {ROLE} LOGIN")
    with psycopg.connect(url) as connection:
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}")
        connection.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
    return name


@pytest.fixture
def replica(primary: Postgres, database: str, tmp_path: Path) -> Iterator[Postgres]:
    """A streaming replica."""
    replica = primary.new_replica(tmp_path)
    replica.start()
    yield replica
    replica.close()


@pytest.fixture
def servers(
    primary: Postgres, replica: Postgres, database: str, redis: Redis, new_server: NewServer
) -> tuple[Server, Server]:
    """Two processes, which know both servers of PostgreSQL."""
    settings = {
        "REDIS_URL": redis.url,
        "DATABASE_READ_URL": failover_url(ROLE, database, primary, replica, wanted="prefer-standby"),
        "CHATAPP_GENERAL_KEEP_LAST": "0",
        "CHATAPP_HEARTBEAT_SECONDS": "1",
    }
    url = failover_url(ROLE, database, primary, replica)
    first = new_server(database_url=url, **settings).start()
    second = new_server(database_url=url, **settings, CHATAPP_DATA_DIR=str(first.data_dir)).start()
    return first, second


def disconnect(replica: Postgres) -> None:
    """Let a replica receive nothing more."""
    replica.execute("ALTER SYSTEM SET primary_conninfo = ''")
    replica.execute("SELECT pg_reload_conf()")
    eventually(lambda: replica.fetch_one("SELECT count(*) FROM pg_stat_wal_receiver") == 0, "it receives nothing")


def get_epoch(server: Server) -> object:
    return server.rows("SELECT epoch FROM installation")[0][0]


def post_before_failover(socket: Socket, primary: Postgres, replica: Postgres) -> tuple[dict[str, Any], str]:
    """Post a message that the replica has and one that it lacks. Return that one, and the epoch."""
    socket.join()
    socket.post("replicated")
    replica.wait_for(primary)
    disconnect(replica)
    lost = socket.post("lost")
    return lost, socket.join(after=lost["version"])["epoch"]


def expect_reset(socket: Socket, lost: dict[str, Any], known: str) -> None:
    """Post after a failover, and check that the page of the former epoch is replaced."""
    assert socket.send("again")["ok"]
    eventually(lambda: not socket.join()["pending"], "it is stored")
    ack = socket.join(after=lost["version"], epoch=known)
    assert ack["reset"]
    assert [message["content"] for message in ack["messages"]] == ["replicated", "again"]


def get_replica_state(server: Server) -> object:
    return server.health().json()["replica"]["state"]


def wait_for_new_epoch(server: Server, known: object) -> object:
    return eventually(lambda: get_epoch(server) != known, "the epoch is renewed", timeout=20) and get_epoch(server)


def test_with_synchronous_replication_nothing_is_lost_in_two_failovers(
    servers: tuple[Server, Server], primary: Postgres, replica: Postgres, new_person: NewPerson
) -> None:
    chatters = [
        Participant(person, "general", f"{name} {number}", url=server.url, edit_every=7, may_be_reset=True)
        for name in ("ana", "bob", "eve")
        for person in [new_person(servers[0], name)]
        for number, server in enumerate(servers)
    ]
    primary.set_synchronous(is_synchronous=True)
    known = get_epoch(servers[0])
    with chatting(*chatters):
        wait_until_all_have_sent(chatters)
        primary.crash()
        replica.promote()
        wait_until_all_have_sent(chatters)
        known = wait_for_new_epoch(servers[0], known)
        primary.follow(replica)
        replica.set_synchronous(is_synchronous=True)
        eventually(lambda: {get_replica_state(server) for server in servers} == {"available"}, "the replica is read")
        wait_until_all_have_sent(chatters)
        replica.crash()
        wait_until_all_have_sent(chatters)  # They are pending.
        primary.promote()
        wait_until_all_have_sent(chatters)
        wait_for_new_epoch(servers[0], known)
        eventually(lambda: not any(server.count_pending() for server in servers), "the spools are empty", timeout=30)
    audit(servers[0], *chatters)
    for server in servers:
        assert "Traceback" not in server.log()


def test_pages_are_reset_when_a_promoted_replica_lacks_messages(
    servers: tuple[Server, Server], primary: Postgres, replica: Postgres, new_person: NewPerson
) -> None:
    ana, bob = (new_person(servers[0], name) for name in ("ana", "bob"))
    ana_socket, bob_socket = ana.connect(), bob.on_server(servers[1]).connect()
    for socket in (ana_socket, bob_socket):
        socket.join()
    ana_socket.post("replicated")
    replica.wait_for(primary)
    disconnect(replica)
    lost = [ana_socket.post(f"lost {number}") for number in range(3)]
    bob_socket.wait_for_contents("replicated", "lost 0", "lost 1", "lost 2")
    known = bob_socket.join(after=lost[-1]["version"])["epoch"]

    primary.crash()
    replica.promote()

    # Nobody writes: the pages are notified all the same.
    for socket in (ana_socket, bob_socket):
        eventually(
            lambda each=socket: each.payloads("heads") and each.payloads("heads")[-1]["epoch"] != known,  # type: ignore[misc]
            "the page is notified of the new epoch",
        )
        ack = socket.join(after=lost[-1]["version"], epoch=known)
        assert ack["reset"]
        assert [message["content"] for message in ack["messages"]] == ["replicated"]
    # The numbers of the lost messages are assigned again, and these messages are broadcast at once.
    again = [sender.post(f"again {number}") for number, sender in enumerate([ana_socket, bob_socket] * 2)]
    assert [message["seq"] for message in again] == [lost[0]["seq"] + number for number in range(4)]
    contents = [message["content"] for message in again]
    for socket in (ana_socket, bob_socket):
        socket.wait_for_contents("replicated", "lost 0", "lost 1", "lost 2", *contents)
    assert len(re.findall("promoted replica", servers[0].log() + servers[1].log())) == 1


def test_a_machine_that_has_gone_away_is_noticed_within_seconds_unless_the_url_says_otherwise(
    primary: Postgres, database: str, tmp_path: Path
) -> None:
    def read_timeout(url: str) -> str:
        with writer_engine(Settings(data_dir=tmp_path, database_url=url)).connect() as connection:
            parameters: dict[str, str] = connection.connection.dbapi_connection.info.get_parameters()  # type: ignore[union-attr]
            return parameters["tcp_user_timeout"]

    url = failover_url(ROLE, database, primary)
    assert read_timeout(url) == "10000"
    assert read_timeout(f"{url}&tcp_user_timeout=3000") == "3000"


def test_a_failover_behind_a_pooler_is_detected_at_the_next_message(
    primary: Postgres, replica: Postgres, database: str, new_server: NewServer, new_person: NewPerson
) -> None:
    pooler = PgBouncer(primary)
    try:
        server = new_server(database_url=pooler.url(primary.url(database))).start()
        socket = new_person(server, "ana").connect()
        lost, known = post_before_failover(socket, primary, replica)

        primary.crash()
        replica.promote()
        pooler.lead_to(replica)

        expect_reset(socket, lost, known)
    finally:
        pooler.close()


def test_without_the_right_to_read_the_timeline_missing_messages_are_detected_by_the_watermarks(
    primary: Postgres, replica: Postgres, database: str, new_server: NewServer, new_person: NewPerson
) -> None:
    with psycopg.connect(primary.url(database)) as connection:
        connection.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    server = new_server(database_url=failover_url(ROLE, database, primary, replica)).start()
    socket = new_person(server, "ana").connect()
    lost, known = post_before_failover(socket, primary, replica)

    primary.crash()
    replica.promote()

    expect_reset(socket, lost, known)
    assert "database lacks acknowledged events" in server.log()
