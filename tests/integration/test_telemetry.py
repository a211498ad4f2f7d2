"""Health, metrics and logs: what a process manager, a proxy, a monitoring system and an operator read."""

import logging
import re
import threading
import uuid
from collections.abc import Sequence
from functools import partial

import requests
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from chatapp.accounts.service import create_owner
from chatapp.concurrency.native import current_pools
from chatapp.concurrency.supervision import Supervisor, WorkStatus, current_supervisor
from chatapp.config import current_settings
from chatapp.conversations.kinds import AssistantSession
from chatapp.models import Message, User
from chatapp.storage import Transaction, write
from tests.harness.people import Person, Socket
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually, scaled


def test_health_reports_the_background_work_of_a_server(server: Server) -> None:
    work = {status["name"]: status for status in server.health().json()["background"]}
    assert {"writer", "http server", "heartbeats", "presence", "revocations", "answer queue", "webhooks"} <= set(work)
    assert work["writer"] == {"name": "writer", "state": "running", "restarts": 0, "last_error_at": None}


def test_a_server_is_ready_and_alive(server: Server) -> None:
    alive, ready = server.health("/healthz"), server.health("/readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    checks = {name: {"status": "ok"} for name in ("database", "migrations", "spool")}
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": checks})
    for response in (alive, ready):
        assert "Set-Cookie" not in response.headers
        assert (response.headers["X-Content-Type-Options"], response.headers["Cache-Control"]) == (
            "nosniff",
            "no-store",
        )


def test_a_server_is_not_ready_while_its_schema_is_older_than_its_code(app: Flask) -> None:
    write(lambda transaction: transaction.session.execute(text("UPDATE alembic_version SET version_num = '0001'")))
    response = app.test_client().get("/readyz")
    assert (response.status_code, (response.json or {})["checks"]["database"]["status"]) == (503, "ok")
    assert "Migrations are pending" in response.text


def test_work_that_waits_for_its_restart_is_reported_and_counted(app: Flask) -> None:
    failures = iter([ValueError("broken")])

    def fail_once() -> None:
        for error in failures:
            raise error

    supervisor = current_supervisor()
    supervisor.start("flaky work", fail_once)
    eventually(lambda: _find_flaky(supervisor).failures, "the failure is counted")
    client = app.test_client()
    response = client.get("/health")
    assert response.status_code == 200, "a restart does not cause 503"
    assert response.json is not None
    (work,) = (each for each in response.json["background"] if each["name"] == "flaky work")
    assert work["last_error_at"]
    assert 'chatapp_background_failures_total{work="flaky work"} 1.0' in client.get("/metrics").text


def test_the_calls_that_run_or_wait_are_reported_by_kind_of_work(app: Flask) -> None:
    started, may_end = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        may_end.wait(30)

    thread = threading.Thread(target=current_pools().searches.run, args=(work,))
    thread.start()
    assert started.wait(30)
    metrics = app.test_client().get("/metrics").text
    may_end.set()
    thread.join()
    for kind, calls in (("reads", 0), ("searches", 1), ("passwords", 0), ("pdf", 0)):
        assert f'chatapp_calls{{work="{kind}"}} {calls}.0' in metrics, kind


def test_the_metrics_need_the_token_of_the_setting(app: Flask) -> None:
    client, settings = app.test_client(), current_settings()
    app.extensions["chatapp.settings"] = settings.model_copy(update={"metrics_token": "sesame"})
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer sesam"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer sesame"}).status_code == 200


def test_the_metrics_report_sessions_queries_connections_and_the_size_of_the_database(app: Flask) -> None:
    ana = create_owner("ana", "Ana", "a good password")
    write(partial(add_sessions, ana, (1, 5)))
    client = app.test_client()
    client.get("/nothing")
    metrics = read_metrics(client.get("/metrics").text)
    assert metrics["chatapp_sessions"] == metrics["chatapp_sessions_created_last_hour"] == 2
    assert metrics["chatapp_session_messages_average"] == 3
    assert metrics["chatapp_session_messages_max"] == 5
    assert metrics["chatapp_query_seconds_count"] >= 1
    assert metrics["chatapp_commit_seconds_count"] == metrics["chatapp_commit_changes_count"] >= 2
    assert metrics['chatapp_commit_changes_bucket{le="+Inf"}'] == metrics["chatapp_commit_changes_count"]
    assert metrics["chatapp_database_pool_size"] == 20
    assert metrics['chatapp_database_connections{state="used"}'] >= 0
    assert metrics["chatapp_database_bytes"] > 10_000
    assert metrics['chatapp_http_requests_total{method="",route="",status="404"}'] == 1


def add_sessions(owner_id: int, message_counts: Sequence[int], transaction: Transaction) -> None:
    for count in message_counts:
        transaction.session.add(
            AssistantSession.new(name="", assistant="helper", creator_id=owner_id, message_count=count)
        )


def read_metrics(text: str) -> dict[str, float]:
    """Return the values by name and labels."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def _find_flaky(supervisor: Supervisor) -> WorkStatus:
    return next(status for status in supervisor.list_statuses() if status.name == "flaky work")


def test_a_server_repairs_and_names_files_that_others_can_read(server: Server) -> None:
    server.terminate()
    server.data_dir.chmod(0o755)
    (server.data_dir / "chatapp.sqlite3").chmod(0o644)
    start = len(server.log())
    server.start()
    files = [server.data_dir, *server.data_dir.rglob("*")]
    assert len(files) > 4
    assert [path for path in files if path.stat().st_mode & 0o077] == []
    assert re.search("permissions removed.*chatapp.sqlite3", server.log()[start:])


def test_logs_have_neither_control_characters_nor_message_text_nor_values_of_statements(
    new_server: NewServer, database_url: str
) -> None:
    server = new_server(database_url=database_url, CHATAPP_LOG_LEVEL="DEBUG", CHATAPP_SLOW_QUERY_MS="0.001").start()
    (ana,) = add_people(server, "ana")
    forged = "ana\n2026-01-01T00:00:00Z [info     ] forged\x1b[31m\x9b\u2028\u202e"
    for _ in range(11):
        ana.post("/sign-in", "/sign-in", username=forged, password="wrong password")
    assert "forged" in server.log(), "the rate limit logs the username"

    socket = ana.connect()
    socket.post("a secret plan")
    _check_metrics(ana, refusal=socket.call("join_chat", {"conversation": "room_99"})["error"]["code"])
    _check_request_ids(ana, socket)
    fault = "ALTER TABLE messages RENAME COLUMN content TO text"
    server.execute(fault)
    socket.send("another secret plan")
    ana.post("/conversations/general/messages", "/settings", content="a third secret plan", client_id=str(uuid.uuid4()))
    ana.get("/conversations/general/messages")
    error = re.compile(r"no (such )?column|column \S+ .*does not exist")
    eventually(lambda: error.search(server.log()), "the error is logged")

    log = server.log()
    assert not re.search("[^\n\x20-\x7e\xa0-\u2027\u2030-\U0010ffff]|\u202e", log)
    times = r"\d{4}-\d\d-\d\dT"
    assert all(re.match(rf"{times}|    |chatapp is ready|Create the owner", line) for line in log.splitlines() if line)
    assert not re.search(rf"^{times}[^.]*Z \[info     \] forged", log, re.MULTILINE)
    assert "secret plan" not in log
    for (token_hash,) in server.rows("SELECT token_hash FROM user_sessions"):
        assert str(token_hash) not in log

    for statement in ("INSERT INTO messages", "SELECT installation.epoch, installation.people_version, messages.id"):
        assert re.search(rf"{statement}.* \[sqlalchemy.engine.Engine\]", log), "DEBUG logs statements"
    assert re.search(r"checked out from pool", log), "DEBUG logs the connection pool"
    for operation, statement in (
        ("POST /sign-in", "SELECT"),  # on the event loop
        ("'GET /conversations/<[^']*>/messages'", "SELECT messages"),  # on a native thread, with SQLite
        ("send_message", "INSERT INTO messages"),  # on the writer's thread
        ("revocations", "SELECT"),  # in the background
    ):
        assert re.search(rf"slow query .*operation=\S*{operation}.* seconds=[\d.]+ .*statement='{statement}", log)
    ana.close()


def _check_request_ids(ana: Person, socket: Socket) -> None:
    """Check that the lines of a message have the id of its request: the write, the commit and the broadcast."""
    server, api = ana.server, ana.api()
    body = {"content": "hello", "client_id": str(uuid.uuid4())}
    response = api.post("/conversations/general/messages", json=body, headers={"X-Request-ID": "proxy-1"})
    assert (response.status_code, response.headers["X-Request-ID"]) == (201, "proxy-1")
    posted = socket.post("hello by socket")
    api.request(
        "PATCH",
        f"/conversations/general/messages/{posted['seq']}",
        {"X-Request-ID": "proxy-2"},
        json={"content": "changed"},
    )
    (event_id,) = re.findall(rf"message stored .*request_id=([0-9a-f]{{16}}-\d+) seq={posted['seq']} ", server.log())

    def logs(line: str) -> bool:
        return re.search(line, server.log()) is not None

    for request_id, event in (("proxy-1", "chat_message"), (event_id, "chat_message"), ("proxy-2", "message_changed")):
        broadcast = rf"message broadcast .*request_id={request_id} socket_event={event}"
        eventually(partial(logs, broadcast), f"the broadcast of {request_id} is logged")
        assert logs(rf"slow query .*request_id={request_id} .*statement=.UPDATE (conversations|messages)"), request_id
    assert logs("message stored .*request_id=proxy-1 ")


def test_the_shell_opens_with_the_names_that_an_operator_needs(new_server: NewServer) -> None:
    server = new_server()
    with Session(server.engine()) as session, session.begin():
        session.add(User(username="ana", name="Ana", password_hash="-"))
        session.flush()
        session.add(Message(conversation_id=1, seq=1, version=1, sender_id=1, content="a plan"))
    lines = (
        "[(message.sender.username, message.content) for message in history('general')]",
        "app.name, db.session.scalar(db.select(db.func.count(Message.id))), Conversation, User",
        "history('room_99')",
    )
    printed = server.flask("shell", stdin="\n".join(lines))
    assert "[('ana', 'a plan')]" in printed
    assert "('chatapp', 1, <class 'chatapp.models" in printed


def _check_metrics(ana: Person, refusal: str) -> None:
    """Check the metrics of a server on which one person has failed to sign in and has sent a message by a socket."""

    def read() -> dict[str, float]:
        return read_metrics(ana.get("/metrics").text)

    eventually(lambda: read()["chatapp_delivery_seconds_count"], "the message is delivered")
    eventually(lambda: read()["chatapp_event_loop_lag_seconds_count"], "the lag is measured")
    metrics = read()
    assert metrics["chatapp_sockets"] == metrics["chatapp_connected_users"] == 1
    assert metrics["chatapp_http_connections"] >= 2
    assert metrics["chatapp_messages_acknowledged_total"] == metrics["chatapp_messages_stored_total"] == 1
    assert metrics['chatapp_presented_messages_total{cached="false"}'] >= 1
    assert metrics["chatapp_message_cache_bytes"] > 0
    assert metrics['chatapp_events_total{code="ok",event="send_message"}'] == 1
    assert metrics[f'chatapp_events_total{{code="{refusal}",event="join_chat"}}'] == 1
    assert sum(value for name, value in metrics.items() if 'method="POST",route="/sign-in"' in name) == 11
    assert metrics['chatapp_background_running{work="writer"}'] == 1


def test_engine_io_logs_no_control_characters(server: Server) -> None:
    requests.get(f"{server.url}/socket.io/", params={"EIO": "4", "transport": "\x1b[31m\nforged"}, timeout=scaled(30))
    requests.post(f"{server.url}/socket.io/", params={"EIO": "4", "sid": "\x1b[31m\nforged"}, timeout=scaled(30))
    eventually(lambda: "forged" in server.log(), "the error is logged")
    assert "\x1b" not in server.log()
    assert not re.search("^forged", server.log(), re.MULTILINE)


def test_a_traceback_is_indented_and_hides_the_values_of_a_row(app: Flask) -> None:
    assert app  # It has configured the logs.
    handler = logging.getLogger().handlers[0]
    error = ValueError("bad\nDETAIL:  Failing row contains (1, secret).\n[SQL: INSERT]\x1b\nforged")
    record = logging.makeLogRecord({"msg": "failed", "levelname": "ERROR", "exc_info": (ValueError, error, None)})
    first, *others = handler.format(record).splitlines()
    assert "failed" in first
    assert others == ["    ValueError: bad", "    [SQL: INSERT]\\u001b", "    forged"]
