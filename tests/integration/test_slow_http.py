"""Clients that are silent or slow, and clients that open too many connections: others are served as before."""

import select
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest
import requests
from flask import Flask
from sqlalchemy.pool import QueuePool

from chatapp.extensions import db
from chatapp.models import IncomingWebhook
from chatapp.storage import write
from chatapp.tokens import hash_token
from chatapp.web.security import MAX_FILE_FORM_BYTES, MAX_REQUEST_BYTES, SESSION_COOKIE
from tests.harness.abuse import RawSocket
from tests.harness.people import Api, NewPerson, Person
from tests.harness.rows import sign_cookie
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually, scaled

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECTIONS = 40
DATABASE_CONNECTIONS = 40
"""The most connections for reading that a server opens."""

TIMEOUT_SECONDS = 2.0


SMALL = {
    "CHATAPP_MAX_CONNECTIONS": str(CONNECTIONS),
    "CHATAPP_HTTP_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
    "CHATAPP_KEEP_ALIVE_SECONDS": "3",
}


@pytest.fixture(scope="module")
def small(new_shared_server: NewServer) -> Server:
    """A server with few connections and short time-outs."""
    return new_shared_server(**SMALL).start()


@pytest.fixture
def ana(small: Server, new_person: NewPerson) -> Person:
    """A person of the test's own, whose connections it closes."""
    return new_person(small, f"ana-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def connect(small: Server) -> Iterator[Callable[[bytes], socket.socket]]:
    """Open connections that send something and then nothing more."""
    with ExitStack() as stack:

        def create(data: bytes = b"") -> socket.socket:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", small.port), timeout=scaled(30)))
            connection.sendall(data)
            return connection

        yield create


def is_closed(connection: socket.socket) -> bool:
    """Wait until the server closes the connection."""
    end = monotonic() + scaled(30)
    while monotonic() < end:
        try:
            if not connection.recv(65_536):
                return True
        except ConnectionError:
            return True
    return False


POST = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HT", id="half_a_request_line"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", id="half_a_header"),
        pytest.param(POST + b"Content-Length: 1000\r\n\r\nusername=", id="half_a_body"),
    ],
)
def test_a_client_that_stops_sending_is_disconnected_and_meanwhile_others_are_served(
    small: Server, ana: Person, connect: Callable[[bytes], socket.socket], data: bytes
) -> None:
    chat = ana.connect()
    slow = [connect(data) for _ in range(2 * CONNECTIONS)]
    assert ana.get("/").ok
    assert chat.post("hello")["content"] == "hello"
    assert ana.connect().post("hello again")
    assert all(is_closed(connection) for connection in slow)
    assert chat.is_connected()
    assert "Traceback" not in small.log()
    # All connections are free again.
    visitors = [connect(b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n") for _ in range(10)]
    assert all(connection.recv(12) == b"HTTP/1.1 200" for connection in visitors)


@pytest.mark.parametrize("last_line", [b"X-Slow: ", b"X-Slow: 1\r\n"], ids=["half_a_line", "no_empty_line"])
def test_a_request_whose_header_ends_with_the_connection_is_refused(
    connect: Callable[[bytes], socket.socket], last_line: bytes
) -> None:
    connection = connect(b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n" + last_line)
    connection.shutdown(socket.SHUT_WR)
    with connection.makefile("rb") as response:
        status, _, body = response.read().partition(b"\r\n")
    assert status == b"HTTP/1.1 400 Bad Request"
    assert b"The header is incomplete" in body


def test_a_request_whose_body_ends_with_the_connection_does_not_reach_the_application(
    small: Server, connect: Callable[[bytes], socket.socket]
) -> None:
    connection = connect(POST + b"Content-Length: 1000\r\n\r\nusername=")
    connection.shutdown(socket.SHUT_WR)
    response = read_to_the_end(connection)
    assert response.startswith(b"HTTP/1.1 400 Bad Request"), response
    assert b"The body is incomplete" in response
    assert b"<html" not in response


def test_a_long_body_is_read_to_its_end(small: Server, ana: Person) -> None:
    api = Api(small, ana.create_token())
    response = api.post("/conversations/general/messages", json={"content": "x" * 300_000})
    assert "this one has 300,000" in response.text


def test_a_header_that_arrives_byte_by_byte_is_cut_off_and_a_slow_but_steady_body_is_read(
    small: Server, connect: Callable[[bytes], socket.socket]
) -> None:
    dripping = connect(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    steady = connect(POST + b"Content-Length: 20000\r\n\r\n")
    for connection in (dripping, steady):
        connection.setblocking(False)
    start = monotonic()
    dropped_after = None
    sent = 0
    while sent < 20_000:
        sent += steady.send(b"x" * 2_000)
        if dropped_after is None:
            try:
                if dripping.recv(100) == b"":
                    dropped_after = monotonic() - start
            except BlockingIOError:
                dripping.send(b"x")
            except ConnectionError:
                dropped_after = monotonic() - start
        deadline = monotonic() + TIMEOUT_SECONDS / 6
        eventually(lambda deadline=deadline: monotonic() > deadline)  # type: ignore[misc]
    steady.settimeout(scaled(30))
    assert steady.recv(12) == b"HTTP/1.1 400", "the form has no token; but its body was read"
    assert dropped_after is not None or is_closed(dripping)
    assert "Traceback" not in small.log()


def test_a_body_that_does_not_arrive_gets_an_explanation(
    connect: Callable[[bytes], socket.socket], ana: Person
) -> None:
    start = "POST /api/conversations/general/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    head = f"{start}Authorization: Bearer {ana.create_token()}\r\n".encode()
    connection = connect(head + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    response = read_to_the_end(connection)
    assert response.startswith(b"HTTP/1.1 408"), response
    assert b"did not arrive in time" in response
    assert b"Traceback" not in response


def test_slow_bodies_take_no_database_connections(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server(CHATAPP_HTTP_TIMEOUT_SECONDS="300").start()
    ana = new_person(server, "ana")
    chat = ana.connect()
    with ExitStack() as stack:
        for count in range(DATABASE_CONNECTIONS + 2):
            cookie = sign_cookie(server, f"revoked login session {count}")
            start = f"POST /sign-out HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {SESSION_COOKIE}={cookie}\r\n"
            head = f"{start}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ncsrf_token="
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=scaled(30)))
            slow.sendall(head.encode())
        assert ana.get("/").ok
        assert chat.post("hello")
    assert "QueuePool limit" not in server.log()


class RecordingBody(BytesIO):
    """A request's body that records how many database connections were in use when it was read."""

    in_use: int | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        self._record()
        return super().read(size)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        self._record()
        return super().readinto(buffer)

    def _record(self) -> None:
        pool = db.engine.pool
        assert isinstance(pool, QueuePool)
        self.in_use = max(self.in_use or 0, pool.checkedout())


def test_bodies_are_read_before_the_database(app: Flask) -> None:
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "a login session that was revoked"
    webhook = IncomingWebhook(conversation_id=1, name="Builder", token_hash=hash_token("token"))
    write(lambda transaction: transaction.session.add(webhook))
    for path, content_type in (
        ("/sign-out", "application/x-www-form-urlencoded"),
        ("/sign-in", "application/x-www-form-urlencoded"),
        ("/setup/unknown", "multipart/form-data; boundary=x"),
        ("/api/conversations/general/messages", "application/json"),
        ("/hooks/token", "text/plain"),
        ("/unknown", "text/plain"),
    ):
        headers = {"Authorization": "Bearer unknown"} if path.startswith("/api/") else {}
        body = RecordingBody(b"{}")
        db.session.remove()
        client.post(path, input_stream=body, content_length=2, content_type=content_type, headers=headers)
        assert body.in_use == 0, path


@pytest.mark.parametrize("coding", ["chunked", "CHUNKED", "gzip, chunked", "unknown"])
def test_a_body_without_a_length_is_refused_and_not_kept_in_memory(
    small: Server, connect: Callable[[bytes], socket.socket], coding: str
) -> None:
    connection = connect(POST + f"Transfer-Encoding: {coding}\r\n\r\n".encode())
    response = read_to_the_end(connection)
    assert response.startswith(b"HTTP/1.1 411 Length Required\r\nConnection: close\r\n"), response
    head, _, text = response.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(text)}".encode() in head
    assert b"Send the body with Content-Length" in text
    assert "Traceback" not in small.log()


def read_to_the_end(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(b"Content-Length: 1_0\r\n", id="a_length_with_an_underscore"),
        pytest.param(b"Content-Length: +10\r\n", id="a_length_with_a_sign"),
        pytest.param("Content-Length: ١٠\r\n".encode(), id="digits_of_another_script"),
        pytest.param(b"Content-Length: 1\xb2\r\n", id="a_superscript_digit"),
        pytest.param(b"Content-Length:\r\n", id="an_empty_length"),
        pytest.param(b"Content-Length: 5\r\nContent-Length: 5\r\n", id="two_lengths"),
        pytest.param(b"Content-Length : 5\r\n", id="a_space_before_the_colon"),
        pytest.param(b"X-Text: a\rContent-Length: 5\r\n", id="a_cr_within_a_line"),
        pytest.param(b"A line without a colon\r\nContent-Length: 5\r\n", id="a_line_without_a_colon"),
    ],
)
def test_a_request_whose_end_is_in_doubt_is_refused(
    small: Server, connect: Callable[[bytes], socket.socket], lines: bytes
) -> None:
    response = read_to_the_end(connect(POST + lines + b"\r\nGET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
    assert response.startswith(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"), response
    assert response.count(b"HTTP/1.1 ") == 1, "what follows is not read as another request"
    head, _, text = response.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(text)}".encode() in head
    assert "Traceback" not in small.log()


def test_responses_of_long_polling_are_not_stored(small: Server, ana: Person) -> None:
    response = ana.get("/socket.io/?EIO=4&transport=polling")
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")


def test_the_size_of_a_chunk_cannot_fill_the_memory(new_server: NewServer) -> None:
    server = new_server(**SMALL).start()  # Not the shared one, which may have used more memory before.
    before = memory_bytes(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=scaled(30)) as connection:
        with suppress(ConnectionError):
            connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n1;")
            for _ in range(40):
                connection.sendall(b"a" * 1_000_000)
        assert is_closed(connection)
    assert memory_bytes(server) - before < 20_000_000


def memory_bytes(server: Server) -> int:
    """Return the largest amount of memory that a server has used."""
    (line,) = (
        line for line in Path(f"/proc/{server.pid}/status").read_text().splitlines() if line.startswith("VmHWM:")
    )
    return int(line.split()[1]) * 1_024


def test_a_client_that_does_not_read_its_response_is_disconnected(
    small: Server, ana: Person, connect: Callable[[bytes], socket.socket]
) -> None:
    request = f"GET /api/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {ana.cookie}\r\n\r\n".encode()
    connection = connect(request * 400)
    eventually(lambda: count_connections(small) > 0, "it is connected")
    eventually(lambda: count_connections(small) == 0, "it is disconnected", timeout=30)
    connection.close()
    assert ana.get("/").ok


def count_connections(server: Server) -> int:
    """Return how many connections to the server's port are established, as the kernel lists them."""
    port = f":{server.port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(port) and line[3] == "01" for line in lines)


class Flood:
    """A client that sends as fast as it can and reads all responses. It connects again when it is disconnected."""

    def __init__(self, port: int, head: bytes, data: bytes) -> None:
        self._address = ("127.0.0.1", port)
        self._head, self._data = head, data
        self.sent_bytes = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            with suppress(ConnectionError), socket.create_connection(self._address) as connection:
                connection.sendall(self._head)
                connection.setblocking(False)
                self._send_on(connection)

    def _send_on(self, connection: socket.socket) -> None:
        rest = self._data
        while not self.stopping.is_set():
            readable, writable, _ = select.select([connection], [connection], [], 0.1)
            if readable and not connection.recv(1_000_000):
                return
            if writable:
                size = connection.send(rest)
                self.sent_bytes += size
                rest = rest[size:] or self._data


@contextmanager
def flooding(port: int, head: bytes, data: bytes) -> Iterator[Flood]:
    """Flood a server from another thread."""
    flood = Flood(port, head, data)
    thread = threading.Thread(target=flood.run)
    thread.start()
    try:
        eventually(lambda: flood.sent_bytes > 0, "the flood has begun")
        yield flood
    finally:
        flood.stopping.set()
        thread.join()


ENDLESS_BODY = POST + b"Content-Length: 1000000000000\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "data"),
    [
        pytest.param(b"", b"GET /n HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 1_000, id="pipelined_requests"),
        pytest.param(ENDLESS_BODY, b"x" * 1_000_000, id="an_endless_body"),
    ],
)
def test_a_client_that_sends_without_pause_does_not_delay_others(
    small: Server, ana: Person, head: bytes, data: bytes
) -> None:
    chat = ana.connect()
    with flooding(small.port, head, data) as flood:
        for number in range(3):
            before = flood.sent_bytes
            assert requests.get(f"{small.url}/sign-in", timeout=scaled(10)).ok
            assert chat.post(f"hello {number}")
            eventually(lambda before=before: flood.sent_bytes > before, "the flood goes on")  # type: ignore[misc]
    assert "Traceback" not in small.log()


def test_visitors_who_request_too_much_are_refused_and_people_are_served(
    new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(CHATAPP_REQUESTS_PER_SECOND="1").start()
    ana = new_person(server, "ana")
    api = ana.api()
    assert api.get("/conversations").ok
    with ThreadPoolExecutor(50) as threads:
        statuses = list(threads.map(lambda _: requests.get(f"{server.url}/sign-in", timeout=60).status_code, range(50)))
        assert set(statuses) == {200, 429}
        assert ana.get("/").ok
        assert server.health("/healthz").ok, "orchestrators are served, too"
        invented = Api(server, "invented")
        statuses = list(threads.map(lambda _: invented.get("/conversations").status_code, range(50)))
    assert set(statuses) == {401, 429}
    assert api.get("/conversations").ok, "programs with a token are served, too"


@pytest.mark.parametrize(
    ("head", "data"),
    [
        pytest.param(ENDLESS_BODY, b"x" * 100_000_000, id="a_length"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1" * 100_000_000, id="a_chunk_size"),
    ],
)
def test_an_endless_body_is_cut_off_after_the_response(
    connect: Callable[[bytes], socket.socket], head: bytes, data: bytes
) -> None:
    connection = connect(head)
    with pytest.raises(ConnectionError):
        connection.sendall(data)


def test_a_body_that_is_slightly_too_large_gets_an_explanation(connect: Callable[[bytes], socket.socket]) -> None:
    size = MAX_REQUEST_BYTES + 100_000
    connection = connect(POST + f"Content-Length: {size}\r\n\r\n".encode() + b"x" * size)
    assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_post_to_an_unknown_webhook_is_refused_before_its_body_arrives(
    connect: Callable[[bytes], socket.socket],
) -> None:
    head = b"POST /hooks/unknown HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % MAX_FILE_FORM_BYTES
    assert connect(head).recv(12) == b"HTTP/1.1 404"


def test_a_living_websocket_outlasts_all_time_outs(small: Server, ana: Person) -> None:
    with RawSocket.connect(small.url, ana.cookie) as quiet:
        end = monotonic() + 2 * TIMEOUT_SECONDS + 3
        eventually(lambda: monotonic() > end, timeout=30)
        assert quiet.call("typing", {"conversation": "general"})["ok"]


def test_an_idle_connection_is_kept_for_a_while_and_then_closed(connect: Callable[[bytes], socket.socket]) -> None:
    connection = connect(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert connection.recv(12) == b"HTTP/1.1 200"
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert is_closed(connection)


def test_visitors_and_revoked_logins_cannot_use_the_connections_of_people_who_are_signed_in(
    small: Server, ana: Person, connect: Callable[[bytes], socket.socket]
) -> None:
    half_a_body = b"Content-Length: 200000\r\n\r\nusername=" + b"x" * 100_000  # A short one would count as waiting.
    revoked = f"Cookie: {SESSION_COOKIE}={sign_cookie(small, 'a revoked login session')}\r\n".encode()
    slow = [connect(POST + cookie + half_a_body) for _ in range(CONNECTIONS // 2) for cookie in (revoked, b"")]
    request = partial(requests.get, f"{small.url}/sign-in", timeout=scaled(30))
    eventually(lambda: request().status_code == 429, "all connections of visitors are in use", 30)
    refused = request()
    assert refused.headers["Retry-After"] == "5"
    assert "Too many connections from your address" in refused.text
    assert ana.get("/").ok
    assert ana.connect().post("hello")
    assert all(is_closed(connection) for connection in slow)
    assert requests.get(f"{small.url}/sign-in", timeout=scaled(30)).ok
