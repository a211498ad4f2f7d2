"""Which URLs and IP addresses webhooks may use."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from chatapp.errors import Invalid
from chatapp.http_client import MAX_INFORMATIONAL_RESPONSES, RequestFailed, addresses, is_public
from chatapp.limits.response_budget import MAX_HEAD_BYTES, READ_BYTES
from chatapp.webhooks.client import check_url, post

INFORMATIONAL = b"HTTP/1.1 100 \r\n\r\n"


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("0.1.2.3", "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1"),
        *("fec0::1", "feff::1", "::7f00:1", "::127.0.0.1", "::ffff:0:7f00:1", "192.88.99.1", "::ffff:192.88.99.1"),
    ],
)
def test_a_private_local_or_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "url", ["http://example.com", "https://example.com/hook?x=1", "https://example.com:8443/", "http://[2606:4700::1]/"]
)
def test_a_url_of_http_is_accepted(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://example.com/", "file:///etc/passwd", "http://", "javascript:1"),
        *("http://a:b@example.com/", "http://exa mple.com", "http://example.com/\r\nX: 1", "http://[::1"),
        *("http://example.com:99999/", "http://example.com:0/", "http://exämple/"),
    ],
)
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        check_url(url)


def test_a_host_with_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(_host: str, port: int, **_options: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("1.1.1.1", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(RequestFailed, match="private network"):
        post("http://example.com/", b"", {}, allow_private=False, timeout_seconds=10)


def test_this_machine_is_refused_under_its_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "is_own_address", lambda address: str(address) == "1.1.1.1")
    with pytest.raises(RequestFailed, match="this machine"):
        post("http://1.1.1.1/", b"", {}, allow_private=False, timeout_seconds=10)


@pytest.mark.parametrize("host", ["chat.example.org", "CHAT.example.org.:8443"])
def test_the_host_names_of_the_installation_are_refused(host: str) -> None:
    with pytest.raises(RequestFailed, match="itself"):
        post(f"https://{host}/", b"", {}, allow_private=False, own_hosts={"chat.example.org"}, timeout_seconds=10)


@pytest.mark.parametrize("host", ["example.org", "chat.example.org", "a.b.example.org."])
def test_all_host_names_of_a_domain_of_the_installation_are_refused(host: str) -> None:
    with pytest.raises(RequestFailed, match="itself"):
        post(f"https://{host}/", b"", {}, allow_private=False, own_hosts={".example.org"}, timeout_seconds=10)


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0", "localhost", "[::]", "[::1]"),
        *("[::ffff:7f00:1]", "[::ffff:127.0.0.1]", "2852039166", "[fe80::1%25lo]", "%6cocalhost"),
    ],
)
def test_no_notation_of_a_private_address_is_a_way_around(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it connects"))
    with pytest.raises(RequestFailed, match=r"private network|not found"):
        post(f"http://{host}/", b"", {}, allow_private=False, timeout_seconds=10)


def test_a_second_dns_response_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["1.1.1.1", "127.0.0.1"])
    connected: list[object] = []

    def resolve(_host: str, port: int, **_options: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(address: object, _timeout: float) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(RequestFailed, match="connection failed"):
        post("http://rebinding.example/", b"", {}, allow_private=False, timeout_seconds=10)
    assert connected == [("1.1.1.1", 80)]


def test_a_host_that_does_not_resolve_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror("unknown host")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(RequestFailed, match="not found"):
        post("http://example.com/", b"", {}, allow_private=True, timeout_seconds=10)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def send_to(listener: socket.socket, response: bytes) -> bytes:
    """Send a request to a server that responds with these bytes, and return what the server received."""
    received: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            received.append(connection.recv(65_536))
            try:
                connection.sendall(response)
                while connection.recv(65_536):
                    pass
            except OSError:
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook?x=1"
        post(url, b"{}", {"X-Test": "1"}, allow_private=True, timeout_seconds=10)
    finally:
        thread.join()
    return received[0]


def test_only_the_head_of_the_response_is_read(listener: socket.socket) -> None:
    # The body never ends: the server waits until the connection is closed.
    request = send_to(listener, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 9999\r\n\r\n")

    assert request.startswith(b"POST /hook?x=1 HTTP/1.1\r\n")
    assert b"x-test: 1\r\n" in request.lower()
    assert request.endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "status 302"),
        (b"nonsense\r\n\r\n", "not valid HTTP"),
        (INFORMATIONAL * 3_855, "informational"),
        (INFORMATIONAL * (MAX_INFORMATIONAL_RESPONSES + 1) + b"HTTP/1.1 200 OK\r\n\r\n", "informational"),
        (b"HTTP/1.1 100 \r\nX: " + b"x" * 9_000 + b"\r\n\r\nHTTP/1.1 200 OK\r\nX: " + b"x" * 9_000, "too long"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000, "too long"),
    ],
)
def test_another_response_fails_the_delivery(listener: socket.socket, response: bytes, reason: str) -> None:
    with pytest.raises(RequestFailed, match=reason):
        send_to(listener, response)


def test_a_response_at_the_limits_succeeds_and_other_threads_run_between_the_reads(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr(time, "sleep", sleeps.append)
    start = INFORMATIONAL * MAX_INFORMATIONAL_RESPONSES + b"HTTP/1.1 200 OK\r\nX: "
    end = b"\r\n\r\n"
    head = start + b"x" * (MAX_HEAD_BYTES - len(start) - len(end)) + end

    send_to(listener, head + b"the body is not read")

    assert len(sleeps) >= MAX_HEAD_BYTES // READ_BYTES
    assert 0.0 < max(sleeps) < 0.1
