"""Outgoing webhooks: deliveries, signatures, retries and private networks. Incoming webhooks: posting as a bot."""

import base64
import hashlib
import hmac
import json
import re
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import structlog
from flask import Flask
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from chatapp.concurrency.supervision import Supervisor
from chatapp.config import current_settings
from chatapp.extensions import db
from chatapp.models import Message, OutgoingWebhook, User, WebhookDelivery, now
from chatapp.storage import application
from chatapp.storage.engines import writer_engine
from chatapp.storage.read_outage import ReadOutage
from chatapp.webhooks import sender
from chatapp.webhooks.queries import list_due_deliveries
from chatapp.webhooks.sender import WebhookSender
from tests.harness.html import attribute
from tests.harness.people import NewPerson, Person, room_path
from tests.harness.servers import NewServer, Server
from tests.harness.uploading import upload
from tests.harness.waiting import eventually, scaled


class Receiver(ThreadingHTTPServer):
    """A server that receives webhooks and responds with each of `statuses` in turn, then always with the last one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = [204]
        self.delay = 0.0
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook?x=1"

    @property
    def contents(self) -> list[str]:
        """The contents of the received messages."""
        return [json.loads(body)["message"]["content"] for _, _, body in list(self.requests)]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        time.sleep(self.server.delay)
        statuses = self.server.statuses
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
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


def add_webhook(person: Person, room: str, url: str, name: str = "deploy", command: str = "") -> str:
    """Add an outgoing webhook and return its secret."""
    path = f"{room_path(room)}/webhooks"
    response = person.post(path, path, name=name, url=url, command=command)
    assert response.ok, response.text
    assert f"@{name}<" in response.text
    return attribute(response.text, "#secret", "value")


def test_a_message_that_mentions_a_webhook_is_sent_and_signed(
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
    eventually(lambda: receiver.requests, "the message is received")
    socket.post("and again @deploy", room)
    eventually(
        lambda: receiver.contents[1:] == ["and again @deploy"], "only the next message that mentions it is received"
    )

    path, headers, body = receiver.requests[0]
    assert (path, headers["Content-Type"]) == ("/hook?x=1", "application/json")
    sent = json.loads(body)["message"]
    assert sent == {key: value for key, value in message.items() if key not in {"html", "pending"}}
    signed = f"{headers['X-Chatapp-Timestamp']}.".encode() + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Chatapp-Signature"] == f"sha256={expected}"
    assert abs(int(headers["X-Chatapp-Timestamp"]) - time.time()) < 60
    # The headers of Standard Webhooks, whose signature covers the id as well.
    signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")).decode()
    assert headers["Webhook-Signature"] == f"v1,{expected}"
    assert (headers["Webhook-Id"], headers["Webhook-Timestamp"]) == (
        headers["X-Chatapp-Delivery"],
        headers["X-Chatapp-Timestamp"],
    )
    assert secret not in ana.get(f"{room_path(room)}/webhooks").text
    eventually(lambda: any_server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)], "the queue is empty")

    # The database has the secret encrypted, also with a new key while the server runs.
    ((stored,),) = any_server.rows("SELECT secret FROM outgoing_webhooks")
    assert secret.removeprefix("whsec_") not in str(stored)
    assert any_server.flask("rotate-keys") == "Secrets encrypted with a new key: 1.\n"
    ((renewed,),) = any_server.rows("SELECT secret FROM outgoing_webhooks")
    assert str(renewed).partition(".")[0] != str(stored).partition(".")[0]
    assert any_server.webhook_secrets() == [secret]
    socket.post("with the new key @deploy", room)
    eventually(lambda: len(receiver.requests) == 3, "the server reads the new key")
    # A value that cannot be decrypted holds up neither messages nor other webhooks.
    any_server.execute("UPDATE outgoing_webhooks SET secret = 'lost.AAAA'")
    socket.post("without a key @deploy", room)
    eventually(lambda: "cannot be decrypted" in ana.get(f"{room_path(room)}/webhooks").text, "the page shows the error")
    assert any_server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)]
    assert "not in column_keys: 1." in any_server.flask("rotate-keys", expect=1)


def test_a_webhook_receives_the_names_types_and_sizes_of_files(ana: Person, receiver: Receiver) -> None:
    room = ana.create_room()
    add_webhook(ana, room, receiver.url)
    socket = ana.connect()
    files = [{"upload": upload(ana.server, socket, "notes.txt", b"Remember the milk").id, "alt": "A list"}]
    payload = {"conversation": room, "content": "@deploy", "client_id": str(uuid.uuid4()), "files": files}
    message = socket.call("send_message", payload)["message"]
    eventually(lambda: receiver.requests, "the message is received")
    (sent,) = json.loads(receiver.requests[0][2])["message"]["files"]
    assert [sent] == message["files"]
    assert (sent["name"], sent["type"], sent["size"]) == ("notes.txt", "text/plain; charset=utf-8", 17)


def test_a_failed_delivery_is_retried_under_its_id_and_finally_discarded(
    server: Server, ana: Person, receiver: Receiver
) -> None:
    room = ana.create_room()
    add_webhook(ana, room, receiver.url)
    receiver.statuses = [500, 404, 302, 200]
    socket = ana.connect()
    socket.post("@deploy one", room)
    eventually(lambda: len(receiver.requests) == 4, "retried until it succeeds", timeout=40)
    assert len({headers["Webhook-Id"] for _, headers, _ in receiver.requests}) == 1
    receiver.statuses = [503]
    server.execute("UPDATE webhook_deliveries SET attempts = 4")
    socket.post("@deploy two", room)
    eventually(lambda: len(receiver.requests) >= 5, "sent", timeout=20)
    server.execute("UPDATE webhook_deliveries SET attempts = 5, due_at = '2026-01-01 00:00:00'")
    eventually(lambda: server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)], "discarded", timeout=40)
    assert "The last delivery failed: the response has status 503." in ana.get(f"{room_path(room)}/webhooks").text


def test_a_queued_delivery_survives_a_crash(any_server: Server, new_person: NewPerson, receiver: Receiver) -> None:
    ana = new_person(any_server, "ana")
    room = ana.create_room()
    add_webhook(ana, room, receiver.url)
    receiver.statuses = [500]
    ana.connect().post("@deploy now", room)
    eventually(lambda: receiver.requests, "sent")
    any_server.kill()
    receiver.statuses = [200]
    any_server.execute("UPDATE webhook_deliveries SET due_at = '2026-01-01 00:00:00'")
    any_server.start()
    eventually(
        lambda: any_server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)], "it is delivered", timeout=20
    )


def test_a_slow_receiver_delays_neither_chat_nor_other_receivers(ana: Person, receiver: Receiver) -> None:
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
    eventually(lambda: quick.requests, "the quick receiver has the message")
    socket.post("@quick again", room)
    eventually(lambda: len(quick.requests) == 2, "it has the next one, while the slow receiver still has the first")
    assert time.monotonic() - start < 10
    quick.shutdown()
    thread.join()
    quick.server_close()
    receiver.delay = 0


def test_each_webhook_has_one_delivery_at_a_time_the_oldest_first(app: Flask) -> None:
    engine = writer_engine(current_settings())
    with Session(engine) as session:
        hooks = [OutgoingWebhook(conversation_id=1, name=name, url="http://a/", secret="s") for name in ("a", "b", "c")]
        message = Message(conversation_id=1, seq=1, version=1, content="@a @b @c")
        session.add_all([*hooks, message])
        session.flush()
        busy, slow, other = (hook.id for hook in hooks)
        deliveries = [
            WebhookDelivery(webhook_id=hook.id, message_id=message.id, due_at=now() + timedelta(seconds=seconds))
            for seconds in (-1, -2, 60)
            for hook in hooks
        ]
        session.add_all(deliveries)
        session.commit()
        oldest = {delivery.webhook_id: delivery.id for delivery in deliveries[3:6]}
    engine.dispose()

    def list_due(*busy: int, limit: int = 10, **webhooks: set[int]) -> dict[int, int]:
        due = list_due_deliveries(
            db.session(), limit=limit, limit_per_owner=10, busy=dict.fromkeys(busy, -1), **webhooks
        )
        return {each.webhook_id: each.id for each in due}

    assert list_due() == oldest
    assert list_due(busy) == {slow: oldest[slow], other: oldest[other]}
    assert list_due(without={busy, slow}) == {other: oldest[other]}
    assert list_due(busy, only={slow}) == {slow: oldest[slow]}
    assert len(list_due(limit=2)) == 2
    assert list_due(limit=-1) == {}
    db.session.close()


def test_a_person_with_many_webhooks_does_not_displace_those_of_others(app: Flask) -> None:
    engine = writer_engine(current_settings())
    with Session(engine) as session:
        people = [User(username=name, name=name, password_hash="", role="member") for name in ("mallory", "ana")]
        session.add_all(people)
        session.flush()
        mallory, ana = (person.id for person in people)
        hooks = [
            OutgoingWebhook(conversation_id=1, name=f"hook{number}", url="http://a/", secret="s", creator_id=creator)
            for number, creator in enumerate([mallory] * 40 + [ana, None, None])
        ]
        message = Message(conversation_id=1, seq=1, version=1, content="@hook1")
        session.add_all([*hooks, message])
        session.flush()
        due_at = now() - timedelta(seconds=1)
        session.add_all(WebhookDelivery(webhook_id=hook.id, message_id=message.id, due_at=due_at) for hook in hooks)
        session.commit()
        busy = {hook.id: mallory for hook in hooks[:4]}
    engine.dispose()

    def count_owners(limit: int, busy: Mapping[int, int]) -> Counter[int]:
        due = list_due_deliveries(db.session(), limit=limit, limit_per_owner=5, busy=busy)
        assert not {each.webhook_id for each in due} & busy.keys()
        return Counter(each.owner for each in due)

    assert count_owners(20, {}) == {mallory: 5, ana: 1, -1: 2}
    assert count_owners(3, {}) == {mallory: 1, ana: 1, -1: 1}
    assert count_owners(20, busy) == {mallory: 1, ana: 1, -1: 2}
    assert count_owners(20, dict.fromkeys(range(1_000, 1_005), mallory)) == {ana: 1, -1: 2}
    db.session.close()


def test_a_receiver_that_responds_byte_by_byte_is_cut_off(new_server: NewServer, new_person: NewPerson) -> None:
    # The next attempt would replace the reason.
    times = {"CHATAPP_WEBHOOK_TIMEOUT_SECONDS": "1", "CHATAPP_WEBHOOK_RETRY_SECONDS": "600"}
    server = new_server(**SETTINGS | times).start()
    ana = new_person(server, "ana")
    room = ana.create_room()
    received, is_cut_off = threading.Event(), threading.Event()

    def respond(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            received.set()
            try:
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1_000:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.2)
            except OSError:
                is_cut_off.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        add_webhook(ana, room, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        threading.Thread(target=respond, args=(listener,), daemon=True).start()
        ana.connect().post("@deploy", room)
        assert received.wait(scaled(20))
        assert is_cut_off.wait(scaled(20))
    page = f"{room_path(room)}/webhooks"
    eventually(lambda: "no response within 1 seconds" in ana.get(page).text, "the reason is shown", timeout=20)


def test_a_removed_webhook_and_a_deleted_message_are_not_sent(server: Server, ana: Person, receiver: Receiver) -> None:
    room = ana.create_room()
    add_webhook(ana, room, receiver.url)
    receiver.statuses = [500]
    socket = ana.connect()
    socket.post("@deploy one", room)
    eventually(lambda: receiver.requests, "sent")
    socket.call("delete_message", {"conversation": room, "seq": 1})
    server.execute("UPDATE webhook_deliveries SET due_at = '2026-01-01 00:00:00'")
    eventually(lambda: server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)], "discarded", timeout=20)
    page = f"{room_path(room)}/webhooks"
    remove = attribute(ana.get(page).text, "form[action$='/remove']", "action")
    assert "This room has no outgoing webhooks" in ana.post(remove, page).text
    before = len(receiver.requests)
    socket.post("@deploy two", room)
    assert server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)]
    assert len(receiver.requests) == before


def test_nothing_is_sent_to_private_networks_by_default(
    new_server: NewServer, new_person: NewPerson, receiver: Receiver
) -> None:
    server = new_server().start()
    ana = new_person(server, "ana")
    room = ana.create_room()
    add_webhook(ana, room, receiver.url)
    add_webhook(ana, room, receiver.url.replace("127.0.0.1", "localhost"), "named")
    ana.connect().post("@deploy @named", room)
    page = f"{room_path(room)}/webhooks"
    eventually(lambda: ana.get(page).text.count("private network") == 2, "both deliveries are refused", timeout=20)
    assert receiver.requests == []


def test_invalid_and_taken_names_and_too_many_webhooks_are_refused(ana: Person) -> None:
    room = ana.create_room()
    page = f"{room_path(room)}/webhooks"
    for name, status, reason in (
        ("ana", 409, "is taken"),
        ("all", 400, "must have 1 to 32"),
        ("a b", 400, "must have 1 to 32"),
        ("", 400, "Enter a name"),
    ):
        response = ana.post(page, page, name=name, url="https://example.com/")
        assert (response.status_code, reason in response.text) == (status, True), name
    for number in range(10):
        add_webhook(ana, room, "https://example.com/", f"hook{number}")
    response = ana.post(page, page, name="another", url="https://example.com/")
    assert (response.status_code, "at most 10" in response.text) == (409, True)
    assert "is taken" in ana.post(page, page, name="hook1", url="https://example.com/").text


def add_incoming(person: Person, room: str, name: str = "Builder", **fields: str) -> str:
    """Add an incoming webhook and return its URL."""
    page = f"{room_path(room)}/webhooks"
    response = person.post(f"{page}/incoming", page, bot_name=name, **fields)
    return attribute(response.text, "#webhook-url", "value")


def test_a_program_posts_to_a_room_as_a_bot(server: Server, ana: Person, new_person: NewPerson) -> None:
    bob = new_person(server, "bob")
    room = ana.create_room()
    ana.invite(room, bob)
    url = add_incoming(ana, room)
    socket = bob.connect()
    socket.join(room)
    assert requests.post(url, data=b"plain <b>text</b>", timeout=20).status_code == 201
    assert requests.post(url, data={"text": "of a form"}, timeout=20).status_code == 201
    response = requests.post(url, json={"text": "JSON for @bob", "icon": "ignored"}, timeout=20)
    assert (response.status_code, response.json()["message"]["mentions"]) == (201, [bob.id])
    # `curl -d` sends the content type of a form for any body.
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert requests.post(url, data=b"50 % & more", headers=headers, timeout=20).status_code == 201
    socket.wait_for_contents("plain <b>text</b>", "of a form", "JSON for @bob", "50 % & more", conversation=room)
    message = socket.messages(room)[0]
    assert (message["sender"], message["sender_name"], message["sender_type"]) == (None, "Builder", "system")
    page = bob.get(room_path(room)).text
    assert page.count("Builder") == 4
    assert "plain &lt;b&gt;text&lt;/b&gt;" in page
    assert str(server.rows("SELECT token_hash FROM incoming_webhooks")[0][0]) not in url
    assert url not in ana.get(f"{room_path(room)}/webhooks").text


def test_a_program_posts_files_which_count_to_the_limits_of_the_manager(
    new_server: NewServer, new_person: NewPerson, database_url: str
) -> None:
    server = new_server(database_url=database_url, CHATAPP_MAX_MESSAGE_FILES="2", CHATAPP_PERSON_FILES_MB="3").start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    url = add_incoming(ana, room)
    large, notes = ("file", ("build.bin", bytes(2_000_000))), ("file", ("notes.txt", b"All tests passed"))
    key = {"Idempotency-Key": "build 1"}

    def send(*files: tuple[str, tuple[str, bytes]], text: str = "", **options: Any) -> requests.Response:
        return requests.post(url, data={"text": text}, files=files, timeout=60, **options)

    first, again = (send(large, notes, text="Build *1*", headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201), first.text
    message = first.json()["message"]
    assert again.json()["message"]["seq"] == message["seq"]
    assert [file["name"] for file in message["files"]] == ["build.bin", "notes.txt"]
    assert ana.get(message["files"][1]["url"]).content == b"All tests passed"
    assert bob.get(message["files"][1]["url"]).status_code == 404
    assert "notes.txt" in ana.get(room_path(room)).text
    found = ana.api().get("/search", params={"q": "notes.txt"}).json()["messages"]
    assert [each["message"]["seq"] for each in found] == [message["seq"]], found
    assert send(notes).json()["message"]["content"] == ""
    assert send(notes, notes, notes, text="too many").status_code == 400
    over = send(("file", ("other.bin", b"x" * 2_000_000)), text="above the quota")
    assert over.status_code == 413, over.text
    owners = server.rows("SELECT DISTINCT user_id FROM attachments")
    assert owners == [(ana.id,)]
    server.execute("UPDATE incoming_webhooks SET suspended_at = '2026-01-01 00:00:00'")
    assert send(notes, text="suspended").status_code == 403
    assert server.rows("SELECT count(*) FROM messages WHERE sender_name = 'Builder'") == [(2,)]
    assert list((server.data_dir / "uploads").iterdir()) == []


def test_slacks_notation_is_stored_as_markdown_if_the_webhook_understands_it(
    any_server: Server, new_person: NewPerson
) -> None:
    ana = new_person(any_server, "ana")
    room = ana.create_room()
    text = "*Build* <https://ci.example.com/5|#5> &amp; <@U1|ana>"
    contents = [
        requests.post(url, json={"text": text}, timeout=20).json()["message"]["content"]
        for url in (add_incoming(ana, room), add_incoming(ana, room, "Slack", has_slack_notation="y"))
    ]
    assert contents == [text, "**Build** [#5](https://ci.example.com/5) & @ana"]
    page = ana.get(f"{room_path(room)}/webhooks").text
    assert page.count("Understands Slack’s notation") == 1
    empty = requests.post(add_incoming(ana, room, "Empty", has_slack_notation="y"), json={"text": "<"}, timeout=20)
    assert empty.status_code == 201


def test_an_idempotency_key_posts_once(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    room = ana.create_room()
    urls = [add_incoming(ana, room), add_incoming(ana, ana.create_room(), "Other")]
    headers = {"Idempotency-Key": "build 812"}
    responses = [requests.post(urls[0], data=b"once", headers=headers, timeout=20).json() for _ in range(5)]
    assert all(response == responses[0] for response in responses)
    # A webhook cannot read the room: it does not learn what became of its message.
    ana.connect().call("delete_message", {"conversation": room, "seq": 1})
    assert requests.post(urls[0], data=b"once", headers=headers, timeout=20).json() == responses[0]
    assert requests.post(urls[1], data=b"elsewhere", headers=headers, timeout=20).status_code == 201
    assert requests.post(urls[0], data=b"x", headers={"Idempotency-Key": ""}, timeout=20).status_code == 400
    assert any_server.rows("SELECT content FROM messages ORDER BY id") == [("",), ("elsewhere",)]


def test_invalid_texts_and_unknown_urls_are_refused(server: Server, ana: Person) -> None:
    room = ana.create_room()
    url = add_incoming(ana, room)
    for body in (b"", b"  ", b"\0", b"\xff\xfe", b"x" * 10_001):
        assert requests.post(url, data=body, timeout=20).status_code == 400, body[:9]
    invalid: tuple[Any, ...] = ({}, [], {"text": 5}, {"text": None}, "text", {"text": "\ud800"})
    for value in invalid:
        assert requests.post(url, json=value, timeout=20).status_code == 400, value
    assert requests.post(url[:-1], data=b"hello", timeout=20).status_code == 404
    assert requests.get(url, timeout=20).status_code == 405
    ana.post(f"{room_path(room)}/archive", room_path(room))
    assert requests.post(url, data=b"hello", timeout=20).status_code == 409
    page = f"{room_path(room)}/webhooks"
    ana.post(attribute(ana.get(page).text, "form[action*='/incoming/'][action$='/remove']", "action"), page)
    refused = requests.post(url, data=b"hello", timeout=20)
    assert (refused.status_code, refused.headers["Content-Type"]) == (404, "application/problem+json")
    assert server.rows("SELECT count(*) FROM messages") == [(0,)]


def test_a_message_of_a_bot_triggers_no_webhook(server: Server, ana: Person, receiver: Receiver) -> None:
    room = ana.create_room()
    add_webhook(ana, room, receiver.url)
    requests.post(add_incoming(ana, room), data=b"@deploy from a bot", timeout=20)
    assert server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)]


def test_attempts_during_an_outage_are_not_logged(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_session: Session) -> bool:
        raise OperationalError("SELECT 1", {}, OSError("connection refused"))

    monkeypatch.setattr(application, "log", structlog.get_logger())
    monkeypatch.setattr(sender, "is_delivery_due", fail)
    webhook_sender = WebhookSender(app, current_settings(), Supervisor())
    with capture_logs() as logs:
        assert webhook_sender._claim() == []
        monkeypatch.setattr(ReadOutage, "is_active", True)
        assert [webhook_sender._claim() for _ in range(3)] == [[], [], []]
    assert [entry["log_level"] for entry in logs] == ["warning", "debug", "debug", "debug"]


def test_a_connection_that_is_lost_at_the_end_of_a_read_ends_no_background_work(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        engine = db.engine
    failures = [True]

    def lose(connection: Connection) -> None:
        if failures:
            failures.pop()
            connection.invalidate()
            raise OperationalError("ROLLBACK", {}, Exception("the server closed the connection"))

    monkeypatch.setattr(application, "log", structlog.get_logger())
    event.listen(engine, "rollback", lose)
    with capture_logs() as logs:
        assert WebhookSender(app, current_settings(), Supervisor())._claim() == []
    event.remove(engine, "rollback", lose)
    assert not failures
    assert [entry["event"] for entry in logs] == ["database does not respond"]


def test_a_message_that_begins_with_a_command_calls_its_webhook_from_every_entrance(
    any_server: Server, new_person: NewPerson, receiver: Receiver
) -> None:
    ana, bob = new_person(any_server, "ana"), new_person(any_server, "bob")
    room, other_room = ana.create_room(), ana.create_room("Other")
    ana.invite(room, bob)
    add_webhook(ana, room, receiver.url, command="/Deploy")
    socket, reader = bob.connect(), ana.connect()
    reader.join(room)
    client_id = "00000000-0000-4000-8000-000000000001"
    for _ in range(2):
        assert socket.send("/deploy prod\nand wait", room, client_id)["ok"]
    for content in ("/deployed prod", "please /deploy prod", "/usr/bin/deploy", "//deploy prod"):
        socket.post(content, room)
    reader.post("/deploy elsewhere", other_room)
    path = f"/conversations/{room}/messages"
    assert bob.post(path, room_path(room), content="/deploy", form_id=client_id).ok
    assert bob.api().post(path, json={"content": "/deploy by @deploy", "client_id": client_id[:-1] + "2"}).ok

    eventually(lambda: len(receiver.requests) == 3, "each call is received")
    bodies = [json.loads(body) for _, _, body in receiver.requests]
    assert [(body["command"], body["text"]) for body in bodies] == [
        ("/deploy", "prod\nand wait"),
        ("/deploy", ""),
        ("/deploy", "by @deploy"),
    ]
    expected = ["/deploy prod\nand wait", "/deploy", "/deploy by @deploy"]
    assert receiver.contents == expected
    socket.post("@deploy", room)
    eventually(lambda: len(receiver.requests) == 4, "a mention is received")
    assert json.loads(receiver.requests[3][2]).keys() == {"message"}
    eventually(lambda: [text for text in reader.contents(room) if text in expected] == expected, "each is posted once")
    eventually(lambda: any_server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)], "the queue is empty")


def test_a_command_is_unique_in_its_room_and_none_of_chatapps_own(server: Server, ana: Person) -> None:
    room = ana.create_room()
    path = f"{room_path(room)}/webhooks"
    add_webhook(ana, room, "https://example.com/", command="/deploy")
    for command, reason in (
        ("deploy", "The command “/deploy” is taken."),
        ("/topic", "“/topic” is a command of chatapp."),
        ("me", "“/me” is a command of chatapp."),
        ("de ploy", "A command must have 1 to 32 characters"),
        ("-deploy", "A command must have 1 to 32 characters"),
    ):
        assert reason in ana.post(path, path, name="other", url="https://example.com/", command=command).text
    add_webhook(ana, ana.create_room("Other"), "https://example.com/", command="/deploy")
    for name in ("without", "either"):
        add_webhook(ana, room, "https://example.com/", name)
    assert server.rows("SELECT count(*) FROM outgoing_webhooks") == [(4,)]


def test_an_existing_webhook_gets_another_command_or_none(server: Server, ana: Person, bob: Person) -> None:
    room = ana.create_room()
    path = f"{room_path(room)}/webhooks"
    for name, command in (("deploy", "deploy"), ("other", "")):
        add_webhook(ana, room, "https://example.com/", name, command)

    def change(command: str) -> requests.Response:
        return ana.post(f"{path}/2/command", path, command=command)

    def offered() -> list[str]:
        return re.findall(r'data-command="(.+?)"', ana.get(f"/conversations/{room}/commands").text)

    for command, status, reason in (
        ("/deploy", 409, "The command “/deploy” is taken."),
        ("/topic", 400, "“/topic” is a command of chatapp."),
        ("x" * 40, 400, "Field cannot be longer than 33 characters."),
    ):
        refused = change(command)
        assert (refused.status_code, reason in refused.text) == (status, True)
    assert "The command was changed." in change("/Release").text
    assert offered() == ["deploy", "release"]
    assert change("release").ok
    assert change(" ").ok
    assert offered() == ["deploy"]
    ana.invite(room, bob)
    assert bob.post(f"{path}/2/command", command="mine").status_code == 403
    other = ana.create_room("Other")
    assert ana.post(f"{room_path(other)}/webhooks/2/command", path, command="mine").status_code == 404


def test_members_are_offered_the_commands_of_webhooks_that_work(server: Server, ana: Person, bob: Person) -> None:
    room = ana.create_room()
    add_webhook(ana, room, "https://example.com/", command="deploy")
    path = f"/conversations/{room}/commands"
    assert 'data-command="deploy"' in ana.get(path).text
    assert bob.get(path).status_code == 404
    ana.invite(room, bob)
    assert 'data-command="deploy"' in bob.get(path).text
    server.execute("UPDATE outgoing_webhooks SET suspended_at = '2026-01-01 00:00:00'")
    assert "data-command" not in bob.get(path).text
