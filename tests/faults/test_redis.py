"""Redis is stopped, slow, full or shared: each process continues, and nobody receives what they may not read."""

import os
import signal
import socket as sockets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from chatapp.realtime.bus import PROCESS_BYTES, Bus
from tests.harness.audit import Participant, audit, chatting, wait_until_all_have_sent
from tests.harness.people import Api, NewPerson, Socket
from tests.harness.proxy import Proxy
from tests.harness.redis import Redis
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually, scaled

pytestmark = pytest.mark.faults

HEARTBEAT_SECONDS = 3.0
"""Seconds between two heartbeats of the servers of `two_servers`."""

SLOW_SECONDS = 1.0
"""Seconds by which a slow Redis delays each request and each response."""


def wait_until_fast(listener: Socket, sender: Socket) -> None:
    """Wait until a message of one process reaches the other at once."""
    eventually(
        lambda: listener.delivery_seconds(sender, os.urandom(4).hex()) < 0.5, "delivery is fast again", timeout=30
    )


def wait_until_unavailable(*servers: Server) -> None:
    """Wait until the processes have noticed that Redis is unavailable."""
    for server in servers:
        eventually(lambda log=server.log: "redis is unavailable" in log(), "the outage of Redis is logged", timeout=15)  # type: ignore[misc]


def redis_status(server: Server) -> object:
    """Return what a process reports of Redis."""
    return server.health("/readyz").json()["checks"]["redis"]["status"]


def open_connection(redis: Redis) -> sockets.socket:
    """Open a connection to Redis."""
    parts = urlsplit(redis.url)
    return sockets.create_connection((parts.hostname or "", parts.port or 0), timeout=5)


def send_command(connection: sockets.socket, *words: str | bytes) -> str:
    """Send a command to Redis and return its reply."""
    encoded = [word.encode() if isinstance(word, str) else word for word in words]
    connection.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
    return connection.recv(65_536).decode()


def command(redis: Redis, *words: str | bytes) -> str:
    """Send a command to Redis, on a connection of its own, and return its reply."""
    with open_connection(redis) as connection:
        return send_command(connection, *words)


@contextmanager
def limited(redis: Redis, option: str, limit: str, former: str) -> Iterator[None]:
    """Set a limit of Redis, and the former one at the end, on one connection: it may be the last that is accepted."""
    with open_connection(redis) as connection:
        assert send_command(connection, "CONFIG", "SET", option, limit) == "+OK\r\n"
        yield
        assert send_command(connection, "CONFIG", "SET", option, former) == "+OK\r\n"


def publish_everywhere(redis: Redis, packet: bytes) -> None:
    """Publish on every channel that has subscribers."""
    channels = [line for line in command(redis, "PUBSUB", "CHANNELS").split("\r\n") if line.startswith("chatapp")]
    assert channels
    for channel in channels:
        assert command(redis, "PUBLISH", channel, packet).startswith(":2")


def test_without_redis_each_process_continues_and_receives_events_of_the_other_at_a_heartbeat(
    two_servers: tuple[Server, Server], new_person: NewPerson, redis: Redis
) -> None:
    first, second = two_servers
    ana, bob = new_person(first, "ana"), new_person(first, "bob")
    ana_socket, bob_on_first, bob_on_second = ana.connect(), bob.connect(), bob.on_server(second).connect()
    for socket in (ana_socket, bob_on_first, bob_on_second):
        socket.join()
    assert bob_on_second.delivery_seconds(ana_socket, "with redis") < scaled(1)
    assert first.health("/readyz").json()["checks"]["redis"] == {"status": "ok"}
    redis.stop(signal.SIGKILL)
    assert bob_on_first.delivery_seconds(ana_socket, "without") < scaled(1)
    assert bob_on_second.delivery_seconds(ana_socket, "without, on the other process") < scaled(8)
    assert bob_on_second.contents() == ["with redis", "without", "without, on the other process"]
    readiness = first.health("/readyz")
    assert (readiness.status_code, readiness.json()["reason"]) == (200, "Redis does not respond.")
    redis.start()
    eventually(
        lambda: bob_on_second.delivery_seconds(ana_socket, os.urandom(4).hex()) < 0.7,
        "delivery is fast again",
        timeout=30,
    )
    assert "Traceback" not in first.log() + second.log()


def test_two_processes_lose_duplicate_and_reorder_no_message(
    two_servers: tuple[Server, Server], new_person: NewPerson, redis: Redis
) -> None:
    first, second = two_servers
    proxy = Proxy(redis.url)
    for server in two_servers:
        server.terminate()
        server.start(REDIS_URL=proxy.url)
    people = [new_person(first, name) for name in ("ana", "bob", "eve", "dan")]
    options: dict[str, Any] = {"conversation": "general", "edit_every": 7, "reply_every": 3}
    participants = [
        Participant(person, name=person.username, url=server.url, **options)
        for person, server in zip(people, (first, second, first, second), strict=True)
    ]

    def chat_until(status: str) -> None:
        eventually(
            lambda: {redis_status(server) for server in two_servers} == {status}, f"Redis is {status}", timeout=30
        )
        wait_until_all_have_sent(participants)

    with closing(proxy), chatting(*participants):
        chat_until("ok")
        slow_from = len(second.log())
        proxy.delay = SLOW_SECONDS
        ends_at = time.monotonic() + 4 * SLOW_SECONDS
        while time.monotonic() < ends_at:
            chat_until("ok")
        assert "redis is unavailable" not in second.log()[slow_from:], "it is slow, and works"
        proxy.delay = 0.0

        with limited(redis, "maxmemory", "1", "0"):
            chat_until("ok")  # It stores nothing of chatapp.
        with limited(redis, "maxclients", "1", "10000"):
            proxy.cut()
            chat_until("degraded")
        chat_until("ok")

        redis.stop()
        redis.start()
        chat_until("ok")
        redis.stop(signal.SIGKILL)
        chat_until("degraded")
        redis.start()
        second.kill()
        second.start()
        chat_until("ok")
    audit(first, *participants)


def test_a_member_removed_while_redis_is_down_receives_nothing_more_on_the_other_process(
    two_servers: tuple[Server, Server], new_person: NewPerson, redis: Redis
) -> None:
    first, second = two_servers
    ana, bob = new_person(first, "ana"), new_person(first, "bob")
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket, ana_on_second, bob_socket = (
        ana.connect(),
        ana.on_server(second).connect(),
        bob.on_server(second).connect(),
    )
    bob_socket.join(room)
    ana_on_second.join(room)
    redis.stop(signal.SIGKILL)
    wait_until_unavailable(first, second)
    ana.remove(room, bob)
    ana_socket.post("from the first process", room)
    ana_on_second.post("from the second process", room)
    ana_on_second.wait_for_contents("from the first process", "from the second process", conversation=room)
    assert bob_socket.contents(room) == []
    assert bob_socket.wait_for("removed_from_chat") == [{"conversation": room}]


def test_a_login_session_revoked_while_redis_is_down_receives_nothing_more_on_the_other_process(
    two_servers: tuple[Server, Server], new_person: NewPerson, redis: Redis
) -> None:
    first, second = two_servers
    ana, bob = new_person(first, "ana"), new_person(first, "bob")
    ana_on_second, bob_socket = ana.on_server(second).connect(), bob.on_server(second).connect()
    for socket in (ana_on_second, bob_socket):
        socket.join()
    redis.stop(signal.SIGKILL)
    wait_until_unavailable(first, second)
    bob.post("/sign-out")
    ana_on_second.post("after the sign-out")
    ana_on_second.wait_for_contents("after the sign-out")
    assert bob_socket.contents() == []
    bob_socket.wait_for("signed_out")
    eventually(lambda: not bob_socket.is_connected(), "the socket is closed")


def test_a_rate_limit_holds_for_all_processes_and_for_each_while_redis_is_down(
    two_servers: tuple[Server, Server], new_person: NewPerson, redis: Redis
) -> None:
    ana = new_person(two_servers[0], "ana")
    token = ana.create_token()
    first, second = (ana.on_server(server).api(token) for server in two_servers)

    def remaining(api: Api) -> int:
        response = api.get("/conversations")
        assert response.status_code == 200
        return int(response.headers["X-RateLimit-Remaining"])

    before = [remaining(first) for _ in range(5)][-1]
    eventually(lambda: remaining(second) < before, "the other process counts the requests of the first")
    redis.stop(signal.SIGKILL)
    wait_until_unavailable(*two_servers)
    before = remaining(first)
    assert remaining(first) == before - 1


def test_events_during_an_outage_of_redis_are_not_replayed_after_it(
    two_servers: tuple[Server, Server], new_person: NewPerson, redis: Redis
) -> None:
    first, second = two_servers
    ana, bob = new_person(first, "ana"), new_person(first, "bob")
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket, bob_socket = ana.connect(), bob.on_server(second).connect()
    for socket in (ana_socket, bob_socket):
        socket.join(room)
    redis.stop(signal.SIGKILL)
    wait_until_unavailable(first, second)
    ana.remove(room, bob)
    ana.invite(room, bob)
    ana_socket.call("typing", {"conversation": room})
    time.sleep(HEARTBEAT_SECONDS + 1)
    bob_socket.join(room)
    before = len(bob_socket.payloads("removed_from_chat"))
    redis.start()
    eventually(
        lambda: "redis is available" in second.log().rpartition("redis is unavailable")[2],
        "Redis is available",
        timeout=20,
    )
    ana_socket.post("welcome back", room)
    eventually(
        lambda: "welcome back" in bob_socket.contents(room), "the message is received", timeout=HEARTBEAT_SECONDS + 5
    )
    assert bob_socket.payloads("typing") == []
    assert len(bob_socket.payloads("removed_from_chat")) == before


def test_a_redis_that_hangs_blocks_nobody(
    two_servers: tuple[Server, Server], new_person: NewPerson, redis: Redis
) -> None:
    first, second = two_servers
    ana, bob = new_person(first, "ana"), new_person(first, "bob")
    ana_socket, bob_on_first, bob_on_second = ana.connect(), bob.connect(), bob.on_server(second).connect()
    for socket in (ana_socket, bob_on_first, bob_on_second):
        socket.join()
    wait_until_fast(bob_on_second, ana_socket)
    redis.send_signal(signal.SIGSTOP)
    try:
        assert bob_on_first.delivery_seconds(ana_socket, "at once") < scaled(1)
        assert bob_on_second.delivery_seconds(ana_socket, "a little later") < scaled(HEARTBEAT_SECONDS + 2)
        wait_until_unavailable(first, second)
        eventually(lambda: redis_status(first) == "degraded", "the process reports that Redis is unavailable")
    finally:
        redis.send_signal(signal.SIGCONT)
    wait_until_fast(bob_on_second, ana_socket)
    eventually(lambda: redis_status(first) == "ok", "the process reports that Redis is available")
    eventually(lambda: bob_on_second.contents() == bob_on_first.contents(), "both have the same messages")


def test_unread_counts_of_other_conversations_work_without_redis(
    two_servers: tuple[Server, Server], new_person: NewPerson, redis: Redis
) -> None:
    first, second = two_servers
    ana, bob = new_person(first, "ana"), new_person(first, "bob")
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket, bob_socket = ana.connect(), bob.on_server(second).connect()
    ana_socket.post("with redis", room)
    bob_socket.wait_for("news")
    redis.stop(signal.SIGKILL)
    ana_socket.post("without", room)
    assert [news["seq"] for news in bob_socket.wait_for("news", 2)] == [1, 2]


def test_invalid_data_on_the_channel_is_ignored(
    two_servers: tuple[Server, Server], new_person: NewPerson, redis: Redis
) -> None:
    first, second = two_servers
    ana, bob = new_person(first, "ana"), new_person(first, "bob")
    ana_socket, bob_socket = ana.connect(), bob.on_server(second).connect()
    bob_socket.join()
    wait_until_fast(bob_socket, ana_socket)
    secret = (first.data_dir / "secret_key").read_text()
    for messages in (
        *("", "x", "1", "[]", "{}", "[[]]", "[1]", '[["commits"]]', '[["commits", null]]'),
        '[["commits", {"room_x": 1}]]',
        '[["commits", {"general": "x"}], ["presence", 7]]',
        '[["commits", {"room_999": 5}]]',
    ):
        content = b"p" * PROCESS_BYTES + messages.encode()
        publish_everywhere(redis, messages.encode())
        publish_everywhere(redis, Bus(redis.url, secret)._sign(content) + content)
    publish_everywhere(redis, b"s" * 32 + b"p" * PROCESS_BYTES + b'[["login_sessions_revoked", [1, 2, 3, 4, 5]]]')
    for number in range(3):
        assert bob_socket.delivery_seconds(ana_socket, f"still {number}") < scaled(1)
    bob_socket.wait_for_presence(ana.id, "online")
    assert ana_socket.is_connected(), "what is not signed has no effect"


def test_installations_that_share_a_redis_do_not_mix(
    new_server: NewServer, new_person: NewPerson, redis: Redis
) -> None:
    first, second = (new_server(REDIS_URL=redis.url, CHATAPP_HEARTBEAT_SECONDS="2").start() for _ in range(2))
    ana, dan = new_person(first, "ana"), new_person(second, "dan")
    assert ana.id == dan.id == 1
    ana_socket = ana.connect()
    dan.post("/sign-out")
    bob, eve = new_person(first, "bob"), new_person(first, "eve")
    room = ana.create_room()
    ana.invite(room, bob)
    assert {bob.id, eve.id} == {2, 3}
    time.sleep(3)
    assert ana_socket.is_connected()
    assert ana_socket.payloads("signed_out") == []


def test_a_process_that_starts_broadcasts_nothing_again(
    two_servers: tuple[Server, Server], new_person: NewPerson, redis: Redis
) -> None:
    first, second = two_servers
    ana, bob = new_person(first, "ana"), new_person(first, "bob")
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket = ana.connect()
    ana_socket.post("before the start")
    ana_socket.post("before the start", room)
    second.kill()
    second.start()
    bob_socket = bob.on_server(second).connect()
    bob_socket.join()
    time.sleep(HEARTBEAT_SECONDS + 1.5)
    assert bob_socket.contents() == bob_socket.payloads("news") == []
    ana_socket.post("new")
    bob_socket.wait_for_contents("new")
