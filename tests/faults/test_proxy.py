"""Three processes on PostgreSQL and Redis behind nginx, with the configuration in `deploy/nginx/chatapp.conf`."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from bench.sockets import upgrade_request
from chatapp.files.names import MAX_CHARS
from chatapp.web.security import MAX_REQUEST_BYTES
from tests.harness.audit import Participant, audit, chatting, wait_until_all_have_sent
from tests.harness.nginx import Nginx
from tests.harness.people import JavaScriptWebSocket, Person, message_payload
from tests.harness.redis import Redis
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Postgres, Server
from tests.harness.uploading import send_files, upload
from tests.harness.waiting import eventually, scaled

pytestmark = pytest.mark.faults

PROCESSES = 3

SETTINGS = {
    "CHATAPP_TRUSTED_PROXIES": "1",
    "CHATAPP_SECURE_COOKIES": "true",
    "CHATAPP_ALLOWED_HOSTS": "127.0.0.1",
}


@pytest.fixture(scope="module")
def processes(postgres: Postgres, shared_redis: Redis, new_shared_server: NewServer) -> list[Server]:
    url = postgres.create_database()
    settings = SETTINGS | {
        "REDIS_URL": shared_redis.url,
        "CHATAPP_HEARTBEAT_SECONDS": "1",
        "CHATAPP_GENERAL_KEEP_LAST": "0",
    }
    first = new_shared_server(database_url=url, **settings).start()
    settings["CHATAPP_DATA_DIR"] = str(first.data_dir)
    servers = [first, *(new_shared_server(database_url=url, **settings) for _ in range(PROCESSES - 1))]
    for server in servers[1:]:
        server.launch()
    for server in servers[1:]:
        server.wait_until_ready()
    return servers


@pytest.fixture(scope="module")
def nginx(processes: list[Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    nginx = Nginx(tmp_path_factory.mktemp("nginx"), processes)
    nginx.start()
    yield nginx
    nginx.close()


@pytest.fixture(scope="module")
def installation(processes: list[Server], nginx: Nginx) -> Server:
    """The server as clients see it: at the address of nginx."""
    return nginx.address(processes[0])


@pytest.fixture(scope="module")
def members(installation: Server, nginx: Nginx) -> Iterator[list[Person]]:
    members = add_people(installation, "ana", "bob", "eve")
    for member in members:
        nginx.trust(member.http)
    yield members
    for member in members:
        member.close()


@pytest.fixture
def visitor(installation: Server, members: list[Person], nginx: Nginx) -> Iterator[Person]:
    """Ana in another browser, before she signs in."""
    visitor = Person(installation, "ana")
    nginx.trust(visitor.http)
    yield visitor
    visitor.close()


@pytest.fixture
def chatters(members: list[Person], nginx: Nginx) -> list[Participant]:
    """Participants in a room of their own."""
    owner, *others = members
    room = owner.create_room()
    for person in others:
        owner.invite(room, person)
    tls = nginx.tls()
    return [
        Participant(person, room, f"{person.username} {number}", pause=0.1, edit_every=7, ack_timeout=3, tls=tls)
        for person in members
        for number in range(4)
    ]


def connections(server: Server) -> float:
    """Return how many connections a process has."""
    text = requests.get(f"{server.url}/metrics", timeout=scaled(10)).text
    (count,) = re.findall(r"^chatapp_http_connections (\S+)$", text, re.MULTILINE)
    return float(count)


def test_signing_in_over_tls_sets_a_cookie_for_this_host_and_https_only(visitor: Person, nginx: Nginx) -> None:
    response = visitor.sign_in()
    assert (response.status_code, response.url) == (200, f"{nginx.url}/")
    assert "max-age=31536000" in response.headers["Strict-Transport-Security"]
    assert {cookie.name for cookie in visitor.http.cookies} >= {"__Host-chatapp_session"}
    assert all(cookie.secure for cookie in visitor.http.cookies)


def test_requests_without_tls_are_redirected(nginx: Nginx) -> None:
    response = requests.get(
        f"http://127.0.0.1:{nginx.http_port}/rooms?page=2", allow_redirects=False, timeout=scaled(10)
    )
    assert (response.status_code, response.headers["Location"]) == (301, "https://127.0.0.1/rooms?page=2")


def test_browsers_are_offered_http_2(nginx: Nginx) -> None:
    context = nginx.tls()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", nginx.port), timeout=scaled(10)) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as tls,
    ):
        assert tls.selected_alpn_protocol() == "h2"
        assert tls.version() in {"TLSv1.2", "TLSv1.3"}


def test_the_javascript_client_chats_through_nginx(
    members: list[Person], nginx: Nginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(nginx.certificate))
    ana, bob = (member.connect(JavaScriptWebSocket) for member in members[:2])
    bob.join()
    ana.join()
    ana.post("through nginx")
    bob.wait_for_contents("through nginx")


def test_a_body_may_be_as_large_as_chatapp_permits(members: list[Person], installation: Server) -> None:
    def post(size: int) -> requests.Response:
        url = f"{installation.url}/api/conversations/general/messages"
        return members[0].http.post(url, data=b"x" * size, timeout=scaled(30))

    assert post(MAX_REQUEST_BYTES).status_code not in {413, 502}
    refused = post(MAX_REQUEST_BYTES + 1)
    assert (refused.status_code, refused.headers["Server"]) == (413, "nginx")


def test_files_larger_than_other_bodies_pass_in_both_directions(
    members: list[Person], nginx: Nginx, installation: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(nginx.certificate))
    ana, content = members[0], bytes(range(256)) * 20_000
    socket = ana.connect(JavaScriptWebSocket)
    uploaded = upload(installation, socket, "data.bin", content, ana.http)
    payload = message_payload("") | {"files": [{"upload": uploaded.id}]}
    (file,) = socket.call("send_message", payload)["message"]["files"]
    assert ana.http.get(installation.url + file["url"], timeout=scaled(30)).content == content
    for path in ("/conversations/general/messages", "/scheduled/1"):
        form = ana.http.post(installation.url + path, data=b"x" * 2_000_000, timeout=scaled(30))
        assert form.status_code not in {413, 502}, path


def test_a_file_with_a_long_name_is_redirected_to_its_origin(
    new_server: NewServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = "https://files.of-an-organization-with-a-long-name.example.org"
    server = new_server(**SETTINGS, CHATAPP_FILES_ORIGIN=origin).start()
    with closing(Nginx(tmp_path, [server])) as nginx:
        nginx.start()
        installation = nginx.address(server)
        (ana,) = add_people(installation, "ana")
        nginx.trust(ana.http)
        monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(nginx.certificate))
        socket = ana.connect(JavaScriptWebSocket)
        name = "\N{GRINNING FACE}" * MAX_CHARS + ".txt"
        (file,) = send_files(socket, upload(installation, socket, name, b"hello", ana.http))["message"]["files"]
        response = ana.http.get(installation.url + file["url"], allow_redirects=False, timeout=scaled(30))
        assert response.status_code == 302
        ticket_url = installation.url + response.headers["Location"].removeprefix(origin)
        sent = ana.http.get(ticket_url, headers={"Host": origin.removeprefix("https://")}, timeout=scaled(30))
        assert sent.content == b"hello"


def test_a_body_without_a_length_arrives_with_one(members: list[Person], installation: Server) -> None:
    response = members[0].http.post(
        f"{installation.url}/api/conversations/general/messages", data=iter([b"{", b"}"]), timeout=scaled(30)
    )
    assert response.status_code not in {411, 502}


class FromAddress(HTTPAdapter):
    """Connect from another address of this machine than nginx does."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Bind connections to the address."""
        super().init_poolmanager(*arguments, **options, source_address=("127.0.0.2", 0))


def test_clients_cannot_choose_their_address_host_or_request_id(
    visitor: Person, installation: Server, nginx: Nginx
) -> None:
    visitor.http.mount("https://", FromAddress())
    visitor.http.headers.update(
        {
            "X-Forwarded-For": "203.0.113.9",
            "X-Forwarded-Host": "chat.example.net",
            "X-Forwarded-Proto": "http",
            "X-Request-ID": "chosen",
        }
    )
    response = visitor.sign_in("wrong password")
    assert (response.status_code, response.url) == (403, f"{nginx.url}/sign-in")
    query = "SELECT address FROM audit_log WHERE kind = 'sign_in.failed' AND target = '@ana'"
    eventually(lambda: installation.rows(query) == [("127.0.0.2",)], "the failure is recorded")
    request_id = response.headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{32}", request_id)
    eventually(lambda: request_id in nginx.access_log(), "nginx logs the request")
    assert "/sign-in" not in nginx.access_log()


def test_clients_of_a_killed_process_move_to_the_others_and_no_message_is_lost(
    processes: list[Server], installation: Server, members: list[Person], chatters: list[Participant]
) -> None:
    with chatting(*chatters):
        eventually(lambda: all(connections(server) > 1 for server in processes), "each process has clients")
        wait_until_all_have_sent(chatters)
        processes[1].kill()
        wait_until_all_have_sent(chatters)
        assert all(member.get("/").ok for member in members * PROCESSES)
        processes[1].start()
        processes[2].kill()
        wait_until_all_have_sent(chatters)
        processes[2].start()
    audit(installation, *chatters)


def test_processes_that_work_again_after_a_failure_accept_all_clients_at_once(
    processes: list[Server], members: list[Person], nginx: Nginx
) -> None:
    for server in processes:
        server.kill()
    assert members[0].get("/").status_code == 502
    for server in processes:
        server.launch()
    for server in processes:
        server.wait_until_ready()
    with ExitStack() as connections:
        for _ in range(4 * PROCESSES):
            plain = socket.create_connection(("127.0.0.1", nginx.port), timeout=scaled(10))
            tls = connections.enter_context(nginx.tls().wrap_socket(plain, server_hostname="127.0.0.1"))
            tls.sendall(upgrade_request(nginx.url, members[0].cookie))
            assert tls.recv(1000).startswith(b"HTTP/1.1 101 ")


def test_no_message_is_lost_when_nginx_restarts(
    installation: Server, nginx: Nginx, chatters: list[Participant]
) -> None:
    with chatting(*chatters):
        wait_until_all_have_sent(chatters)
        nginx.stop()
        nginx.start()
        wait_until_all_have_sent(chatters)
    audit(installation, *chatters)
