"""Health checks: what each of them reports, and what it costs the database."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import Client

from chatapp.concurrency.supervision import EXTENSION as SUPERVISOR
from chatapp.concurrency.supervision import Supervisor
from chatapp.storage import EXTENSION as WRITER
from chatapp.storage import Backlog
from chatapp.storage.schema import newest_revision
from chatapp.telemetry import health
from chatapp.telemetry.health import MAX_COMMIT_SECONDS, SLOW_COMMIT, Health, HealthChecks, RevisionCheck
from chatapp.telemetry.operations import RequestMeasures

AWAY = Backlog(waiting=3, since=datetime(2026, 1, 31, tzinfo=UTC))


class Process:
    """A process with a writer and a database of which the test chooses the state."""

    def __init__(self) -> None:
        self.writer = SimpleNamespace(backlog=Backlog(0, None), accepts_changes=True, committing_seconds=0.0)
        self.read: Callable[[], str] = newest_revision
        app = Flask("chatapp")
        app.extensions |= {SUPERVISOR: Supervisor(), WRITER: self.writer}
        self.health = Health(app)
        self.health._revision = RevisionCheck(Supervisor(), self._read)
        self.measures = RequestMeasures()
        self.client = Client(HealthChecks(app.wsgi_app, self.health, self.measures))

    def _read(self) -> str:
        return self.read()

    def ready(self) -> tuple[int, dict[str, str]]:
        """Return the status of `/readyz`, and that of each check."""
        response = self.client.get("/readyz")
        assert response.json is not None
        return response.status_code, {
            "": response.json["status"],
            **{name: check["status"] for name, check in response.json.get("checks", {}).items()},
        }


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    return Process()


def fail() -> str:
    raise OperationalError("SELECT", None, Exception("password=secret"))


def test_a_process_is_ready_while_all_that_it_needs_responds(process: Process) -> None:
    assert process.ready() == (200, {"": "ready", "database": "ok", "migrations": "ok", "spool": "ok"})


def test_a_process_that_starts_or_stops_is_alive_but_not_ready(process: Process) -> None:
    process.health.refusal = "chatapp is being restarted."
    for path, status in (("/healthz", 200), ("/readyz", 503), ("/health", 503)):
        response = process.client.get(path)
        assert response.status_code == status
        assert ("chatapp is being restarted." in response.text) is (status == 503)


def test_a_process_without_its_database_stays_ready_as_long_as_it_stores_messages(process: Process) -> None:
    process.read = fail
    assert process.ready() == (200, {"": "degraded", "database": "degraded", "migrations": "ok", "spool": "ok"})
    process.writer.backlog = AWAY
    assert process.ready()[1]["spool"] == "degraded"
    assert (process.client.get("/health").status_code, process.client.get("/healthz").status_code) == (503, 200)
    process.writer.accepts_changes = False
    status, states = process.ready()
    assert (status, states[""], states["spool"]) == (503, "unavailable", "failed")
    response = process.client.get("/readyz")
    assert "The spool is full, or cannot be written." in response.text
    assert "secret" not in response.text


def test_a_process_whose_database_reads_but_cannot_commit_is_degraded(process: Process) -> None:
    process.writer.backlog = AWAY
    assert process.ready()[1]["database"] == "degraded"
    response = process.client.get("/health")
    assert (response.status_code, (response.json or {})["reason"]) == (503, "The database cannot commit.")


def test_a_commit_that_does_not_end_is_reported(process: Process) -> None:
    # PostgreSQL waits for a synchronous replica without a limit, and responds to queries meanwhile.
    process.writer.committing_seconds = MAX_COMMIT_SECONDS + 1
    assert process.ready() == (200, {"": "degraded", "database": "degraded", "migrations": "ok", "spool": "ok"})
    response = process.client.get("/health")
    assert (response.status_code, (response.json or {})["reason"]) == (503, SLOW_COMMIT)
    process.writer.committing_seconds = MAX_COMMIT_SECONDS - 1
    assert (process.ready()[0], process.client.get("/health").status_code) == (200, 200)


def test_a_process_is_not_ready_with_an_older_schema_but_with_a_newer_one(process: Process) -> None:
    process.read = lambda: "0001"
    status, states = process.ready()
    assert (status, states["migrations"], states["database"]) == (503, "failed", "ok")
    process.read = lambda: "9999"
    assert process.ready() == (200, {"": "ready", "database": "ok", "migrations": "ok", "spool": "ok"})


def test_redis_is_reported_if_there_are_several_processes_and_its_outage_takes_none_out(process: Process) -> None:
    process.health.is_bus_connected = lambda: False
    status, states = process.ready()
    assert (status, states[""], states["redis"]) == (200, "degraded", "degraded")
    process.health.is_bus_connected = lambda: True
    assert process.ready()[1]["redis"] == "ok"


def test_a_bucket_is_reported_and_its_outage_takes_no_process_out(process: Process) -> None:
    process.health.find_bucket_problem = lambda: "The bucket does not respond."
    status, states = process.ready()
    assert (status, states[""], states["bucket"]) == (200, "degraded", "degraded")
    process.health.find_bucket_problem = lambda: None
    assert process.ready()[1]["bucket"] == "ok"


def test_a_check_waits_for_the_database_only_for_a_moment(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "WAIT_SECONDS", 0.01)
    may_respond, queries = threading.Event(), iter(range(100))

    def read() -> str:
        next(queries)
        assert may_respond.wait(30)
        return newest_revision()

    process.read = read
    assert process.ready()[1]["database"] == "degraded"
    assert process.ready()[1]["database"] == "degraded"
    assert next(queries) == 1, "the second check has waited for the query of the first"
    monkeypatch.setattr(health, "WAIT_SECONDS", 30.0)
    may_respond.set()
    assert process.ready()[1]["database"] == "ok"


def test_many_checks_share_a_query(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CACHE_SECONDS", 1_000.0)
    queries: Iterator[int] = iter(range(100))
    process.read = lambda: str(next(queries))
    for _ in range(10):
        for path in ("/healthz", "/readyz", "/health"):
            process.client.get(path)
    assert next(queries) == 1


def test_checks_have_a_length_and_may_ask_for_the_head_only(process: Process) -> None:
    for path in ("/healthz", "/readyz", "/health"):
        head, whole = process.client.head(path), process.client.get(path)
        assert (head.status_code, head.text) == (200, "")
        assert head.headers["Content-Length"] == whole.headers["Content-Length"] == str(len(whole.data))
        assert whole.content_type == "application/json"
        refused = process.client.post(path)
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
    assert process.measures.counts["GET", "/healthz", "200"] == 1
