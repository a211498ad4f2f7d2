"""Webhooks: who hears of what and how it is signed, where nothing may be sent, and who posts as a bot."""

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from chatapp.errors import Invalid
from chatapp.webhooks.outside import check_url, is_public
from tests.harness.people import NewPerson, Person, room_path
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually


class Receiver(ThreadingHTTPServer):
    """An address that gets webhooks, and answers each with the next of its answers, the last one for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = [204]
        self.delay = 0.0
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook?x=1"

    @property
    def contents(self) -> list[str]:
        """What the messages said that came."""
        return [json.loads(body)["message"]["content"] for _, _, body in list(self.requests)]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        time.sleep(self.server.delay)
        answers = self.server.answers
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        self.send_header("Location", self.server.url)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever)
    thread.start()
    yield receiver
    receiver.shutdown()
    thread.join()
    receiver.server_close()


SETTINGS = {"CHATAPP_WEBHOOK_PRIVATE_NETWORKS": "true", "CHATAPP_WEBHOOK_RETRY_SECONDS": "0.05"}


@pytest.fixture
def server(new_server: NewServer) -> Server:
    return new_server(**SETTINGS).start()


@pytest.fixture
def any_server(new_server: NewServer, database_url: str) -> Server:
    return new_server(database_url=database_url, **SETTINGS).start()


def add_webhook(person: Person, room: str, url: str, name: str = "deploy") -> str:
    """Make a webhook and give its secret."""
    path = f"{room_path(room)}/webhooks"
    answer = person.post(path, path, name=name, url=url)
    assert answer.ok, answer.text
    match = re.search(r'id="secret"[^>]*value="(\w{64})"', answer.text)
    assert match is not None
    return match[1]


def test_a_message_that_names_it_is_sent_and_signed(
    any_server: Server, new_person: NewPerson, receiver: Receiver
) -> None:
    ana = new_person(any_server, "ana")
    room = ana.create_room()
    secret = add_webhook(ana, room, receiver.url)
    socket = ana.connect()
    message = socket.post("please, @Deploy production", room)
    for content in ("deploy", "@deployment", "@deploy@example.com"):
        socket.post(content, room)
    socket.post("@deploy elsewhere")
    eventually(lambda: receiver.requests, "it came")
    socket.post("and again @deploy", room)
    eventually(lambda: receiver.contents[1:] == ["and again @deploy"], "the next one that names it came, and no other")

    path, headers, body = receiver.requests[0]
    assert (path, headers["Content-Type"]) == ("/hook?x=1", "application/json")
    sent = json.loads(body)["message"]
    assert sent == {key: value for key, value in message.items() if key not in {"html", "pending"}}
    signed = f"{headers['X-Chatapp-Timestamp']}.".encode() + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Chatapp-Signature"] == f"sha256={expected}"
    assert abs(int(headers["X-Chatapp-Timestamp"]) - time.time()) < 60
    assert secret not in ana.get(f"{room_path(room)}/webhooks").text
    eventually(lambda: any_server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)], "nothing is left over")


def test_what_fails_is_tried_again_under_its_id_and_given_up_at_last(
    server: Server, ana: Person, receiver: Receiver
) -> None:
    room = ana.create_room()
    add_webhook(ana, room, receiver.url)
    receiver.answers = [500, 404, 302, 200]
    socket = ana.connect()
    socket.post("@deploy one", room)
    eventually(lambda: len(receiver.requests) == 4, "tried until it was taken", timeout=40)
    assert len({headers["X-Chatapp-Delivery"] for _, headers, _ in receiver.requests}) == 1
    receiver.answers = [503]
    server.execute("UPDATE webhook_deliveries SET attempts = 4")
    socket.post("@deploy two", room)
    eventually(lambda: len(receiver.requests) >= 5, "tried", timeout=20)
    server.execute("UPDATE webhook_deliveries SET attempts = 5, due_at = '2026-01-01 00:00:00'")
    eventually(lambda: server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)], "given up", timeout=40)
    assert "The last attempt failed: it answered 503." in ana.get(f"{room_path(room)}/webhooks").text


def test_what_is_under_way_outlives_a_crash(any_server: Server, new_person: NewPerson, receiver: Receiver) -> None:
    ana = new_person(any_server, "ana")
    room = ana.create_room()
    add_webhook(ana, room, receiver.url)
    receiver.answers = [500]
    ana.connect().post("@deploy now", room)
    eventually(lambda: receiver.requests, "tried")
    any_server.kill()
    receiver.answers = [200]
    any_server.execute("UPDATE webhook_deliveries SET due_at = '2026-01-01 00:00:00'")
    any_server.start()
    eventually(lambda: any_server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)], "it arrived", timeout=20)


def test_a_slow_address_holds_up_neither_chat_nor_another_address(ana: Person, receiver: Receiver) -> None:
    room = ana.create_room()
    quick = Receiver()
    thread = threading.Thread(target=quick.serve_forever)
    thread.start()
    receiver.delay = 20
    add_webhook(ana, room, receiver.url, "slow")
    add_webhook(ana, room, quick.url, "quick")
    socket = ana.connect()
    start = time.monotonic()
    socket.post("@slow and @quick", room)
    socket.post("meanwhile", room)
    eventually(lambda: quick.requests, "the quick one has it")
    assert time.monotonic() - start < 10
    quick.shutdown()
    thread.join()
    quick.server_close()
    receiver.delay = 0


def test_a_removed_webhook_and_a_deleted_message_are_not_sent(server: Server, ana: Person, receiver: Receiver) -> None:
    room = ana.create_room()
    add_webhook(ana, room, receiver.url)
    receiver.answers = [500]
    socket = ana.connect()
    socket.post("@deploy one", room)
    eventually(lambda: receiver.requests, "tried")
    socket.call("delete_message", {"conversation": room, "seq": 1})
    server.execute("UPDATE webhook_deliveries SET due_at = '2026-01-01 00:00:00'")
    eventually(lambda: server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)], "dropped", timeout=20)
    page = f"{room_path(room)}/webhooks"
    match = re.search(r"/webhooks/(\d+)/remove", ana.get(page).text)
    assert match is not None
    assert "This room has none" in ana.post(f"{page}/{match[1]}/remove", page).text
    before = len(receiver.requests)
    socket.post("@deploy two", room)
    assert server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)]
    assert len(receiver.requests) == before


def test_nothing_is_sent_into_private_networks_unless_that_is_allowed(
    new_server: NewServer, new_person: NewPerson, receiver: Receiver
) -> None:
    server = new_server().start()
    ana = new_person(server, "ana")
    room = ana.create_room()
    add_webhook(ana, room, receiver.url)
    add_webhook(ana, room, receiver.url.replace("127.0.0.1", "localhost"), "named")
    ana.connect().post("@deploy @named", room)
    page = f"{room_path(room)}/webhooks"
    eventually(lambda: ana.get(page).text.count("private network") == 2, "both are refused", timeout=20)
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *((each, False) for each in ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254")),
        *((each, False) for each in ("0.1.2.3", "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1")),
        *((each, False) for each in ("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1")),
        *((each, False) for each in ("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1")),
        *((each, True) for each in ("1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1")),
    ],
)
def test_addresses_are_public_or_not(address: str, expected: bool) -> None:
    assert is_public(address) is expected


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://example.com/", "file:///etc/passwd", "http://", "javascript:1"),
        *("http://a:b@example.com/", "http://exa mple.com", "http://example.com/\r\nX: 1", "http://[::1"),
        *("http://example.com:99999/", "http://exämple/"),
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(Invalid):
        check_url(url)


def test_names_that_are_taken_and_too_many_are_refused(ana: Person) -> None:
    room = ana.create_room()
    page = f"{room_path(room)}/webhooks"
    for name, status, reason in (
        ("ana", 409, "somebody"),
        ("all", 400, "has 1 to 32"),
        ("a b", 400, "has 1 to 32"),
        ("", 400, "needs a name"),
    ):
        answer = ana.post(page, page, name=name, url="https://example.com/")
        assert (answer.status_code, reason in answer.text) == (status, True), name
    for number in range(10):
        add_webhook(ana, room, "https://example.com/", f"hook{number}")
    answer = ana.post(page, page, name="another", url="https://example.com/")
    assert (answer.status_code, "at most 10" in answer.text) == (409, True)
    assert "somebody" in ana.post(page, page, name="hook1", url="https://example.com/").text


def add_incoming(person: Person, room: str, name: str = "Builder") -> str:
    """Make an incoming webhook and give its address."""
    page = f"{room_path(room)}/webhooks"
    answer = person.post(f"{page}/incoming", page, bot_name=name)
    match = re.search(r'id="address"[^>]*value="([^"]+)"', answer.text)
    assert match is not None, answer.text
    return match[1]


def test_a_program_posts_to_a_room_as_a_bot(server: Server, ana: Person, new_person: NewPerson) -> None:
    bob = new_person(server, "bob")
    room = ana.create_room()
    ana.invite(room, bob)
    address = add_incoming(ana, room)
    socket = bob.connect()
    socket.join(room)
    assert requests.post(address, data=b"plain <b>text</b>", timeout=20).status_code == 201
    assert requests.post(address, data={"text": "of a form"}, timeout=20).status_code == 201
    answer = requests.post(address, json={"text": "JSON for @bob", "icon": "ignored"}, timeout=20)
    assert (answer.status_code, answer.json()["message"]["mentions"]) == (201, [bob.id])
    # What `curl -d` sends says that it is a form, and is none.
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert requests.post(address, data=b"50 % & more", headers=headers, timeout=20).status_code == 201
    socket.wait_for_contents("plain <b>text</b>", "of a form", "JSON for @bob", "50 % & more", conversation=room)
    message = socket.messages(room)[0]
    assert (message["sender"], message["sender_name"], message["sender_type"]) == (None, "Builder", "system")
    page = bob.get(room_path(room)).text
    assert page.count("Builder") == 4
    assert "plain &lt;b&gt;text&lt;/b&gt;" in page
    assert server.rows("SELECT token_hash FROM incoming_webhooks")[0][0] not in address
    assert address not in ana.get(f"{room_path(room)}/webhooks").text


def test_an_idempotency_key_posts_once(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    room = ana.create_room()
    addresses = [add_incoming(ana, room), add_incoming(ana, ana.create_room(), "Other")]
    headers = {"Idempotency-Key": "build 812"}
    answers = [requests.post(addresses[0], data=b"once", headers=headers, timeout=20).json() for _ in range(5)]
    assert all(answer == answers[0] for answer in answers)
    assert requests.post(addresses[1], data=b"elsewhere", headers=headers, timeout=20).status_code == 201
    assert requests.post(addresses[0], data=b"x", headers={"Idempotency-Key": ""}, timeout=20).status_code == 400
    assert any_server.rows("SELECT content FROM messages ORDER BY id") == [("once",), ("elsewhere",)]


def test_what_is_no_text_and_who_knows_no_address_are_refused(server: Server, ana: Person) -> None:
    room = ana.create_room()
    address = add_incoming(ana, room)
    for body in (b"", b"  ", b"\0", b"\xff\xfe", b"x" * 10_001):
        assert requests.post(address, data=body, timeout=20).status_code == 400, body[:9]
    for value in ({}, [], {"text": 5}, {"text": None}, "text", {"text": "\ud800"}):
        assert requests.post(address, json=value, timeout=20).status_code == 400, value
    assert requests.post(address[:-1], data=b"hello", timeout=20).status_code == 404
    assert requests.get(address, timeout=20).status_code == 405
    ana.post(f"{room_path(room)}/archive", room_path(room))
    assert requests.post(address, data=b"hello", timeout=20).status_code == 409
    page = f"{room_path(room)}/webhooks"
    match = re.search(r"/webhooks/incoming/(\d+)/remove", ana.get(page).text)
    assert match is not None
    ana.post(f"{page}/incoming/{match[1]}/remove", page)
    refused = requests.post(address, data=b"hello", timeout=20)
    assert (refused.status_code, refused.headers["Content-Type"]) == (404, "application/problem+json")
    assert server.rows("SELECT count(*) FROM messages") == [(0,)]


def test_a_bot_does_not_set_off_another_one(server: Server, ana: Person, receiver: Receiver) -> None:
    room = ana.create_room()
    add_webhook(ana, room, receiver.url)
    requests.post(add_incoming(ana, room), data=b"@deploy from a bot", timeout=20)
    assert server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)]
