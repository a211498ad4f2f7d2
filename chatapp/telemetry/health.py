"""Health checks for orchestrators, load balancers and monitoring. They are answered before Flask, without a login.

- `/healthz`: the process is alive. It reads no database.
- `/readyz`: the process should get requests. An outage that all processes share does not make it unready: it serves the
  people who are connected, and stores their messages in the spool.
- `/health`: the database reads and writes. The body has details.
"""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from chatapp.concurrency.native import NativePool, TimeLimitExceeded, time_limit
from chatapp.concurrency.supervision import EXTENSION as SUPERVISOR
from chatapp.concurrency.supervision import OnFailure, Supervisor, WorkStatus
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.presentation.messages import present_backlog
from chatapp.storage import EXTENSION as WRITER
from chatapp.storage import Writer, find_replica, read_natively
from chatapp.storage.schema import find_revision, newest_revision
from chatapp.telemetry.operations import EXTENSION as REQUEST_MEASURES
from chatapp.telemetry.operations import RequestMeasures

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

EXTENSION = "chatapp.health"
"""Key of the application's `Health` in `app.extensions`."""

ALIVE, READY, HEALTH = "/healthz", "/readyz", "/health"

HEALTH_PATHS = frozenset({ALIVE, READY, HEALTH})

CACHE_SECONDS = 1.0
"""Time for which the result of a query is used."""

WAIT_SECONDS = 0.5
"""Time for which a request waits for the database. Kubernetes waits a second for a response."""

QUERY_SECONDS = 5.0
"""Time after which a query is ended."""

NO_DATABASE = "The database does not respond."
NO_COMMIT = "The database cannot commit."
MAX_COMMIT_SECONDS = 10.0
"""Time after which a commit that has not ended is reported."""

SLOW_COMMIT = f"The database has not completed a commit for more than {MAX_COMMIT_SECONDS:.0f} seconds."
RESTARTING = "chatapp is being restarted."


class RevisionCheck:
    """Reads the revision of the database's schema in the background: when asked, and at most once a second."""

    def __init__(self, supervisor: Supervisor, read: Callable[[], str]) -> None:
        self._supervisor = supervisor
        self._read = read
        self._lock = threading.Lock()
        self._revision: str | None = None
        self._expires_at = float("-inf")
        self._running: threading.Event | None = None
        """Set when the query that runs now has ended."""

    def get(self) -> str | None:
        """Return the revision, or None if the database does not respond in time."""
        if time.monotonic() < self._expires_at:
            return self._revision
        with self._lock:
            running = self._running
            if running is None:
                running = self._running = threading.Event()
                self._supervisor.start("health check", self._run, running, on_failure=OnFailure.LOG)
        return self._revision if running.wait(WAIT_SECONDS) else None

    def _run(self, ended: threading.Event) -> None:
        revision = None
        try:
            revision = self._read()
        except (SQLAlchemyError, ChatError, TimeLimitExceeded):
            pass  # The writer and the readers log outages.
        finally:
            self._revision, self._expires_at = revision, time.monotonic() + CACHE_SECONDS
            self._running = None
            ended.set()


class State(Enum):
    """State of one thing that the process needs."""

    OK = "ok"
    DEGRADED = "degraded"
    """It is impaired, and the process serves people nevertheless."""
    FAILED = "failed"


class Check(NamedTuple):
    """State of one thing that the process needs, and the reason if it is not well."""

    state: State = State.OK
    reason: str = ""

    def present(self) -> dict[str, str]:
        """Return it as JSON."""
        return {"status": self.state.value} | ({"reason": self.reason} if self.reason else {})


class Health:
    """Health of one process."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._supervisor: Supervisor = app.extensions[SUPERVISOR]
        self._writer: Writer = app.extensions[WRITER]
        self._revision = RevisionCheck(self._supervisor, self._read_revision)
        self._newest_revision = newest_revision()
        # Not that of pages, whose reads may be many.
        self._native = NativePool("health check", threads=1)
        self.refusal: str | None = None
        """Why the process refuses requests while it starts or stops; None while it accepts them."""
        self.is_ending = False
        """Whether the process ends soon, although it still accepts requests."""
        self.worker: int | None = None
        """The number of the process among several workers."""
        self.is_bus_connected: Callable[[], bool] | None = None
        """Returns whether Redis is connected. It is set if there are several processes."""
        self.find_bucket_problem: Callable[[], str | None] | None = None
        """Returns why files in the bucket cannot be read; None if they can. It is set if there is a bucket."""

    def present_liveness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the process is alive, and the response."""
        return True, {"status": "ok"}

    def present_readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the process should get requests, and the response."""
        if self.refusal is not None or self.is_ending:
            return False, {"status": "unavailable", "reason": self.refusal or RESTARTING}
        checks = self._check()
        reasons = [check.reason for check in checks.values() if check.reason]
        states = {check.state for check in checks.values()}
        is_ready = State.FAILED not in states
        status = "unavailable" if not is_ready else "degraded" if State.DEGRADED in states else "ready"
        body: dict[str, Any] = {"status": status} | ({"reason": " ".join(reasons)} if reasons else {})
        return is_ready, body | {"checks": {name: check.present() for name, check in checks.items()}}

    def has_pending_migrations(self) -> bool:
        """Return whether the schema of the database is older than the code; False while the database cannot be read."""
        return self._is_outdated(self._revision.get())

    def _is_outdated(self, revision: str | None) -> bool:
        # A newer schema is that of a newer process, which replaces this one.
        return revision is not None and revision < self._newest_revision

    def _check(self) -> dict[str, Check]:
        revision, backlog = self._revision.get(), self._writer.backlog
        checks = dict.fromkeys(("database", "migrations", "spool"), Check())
        if revision is None:
            checks["database"] = Check(State.DEGRADED, NO_DATABASE)
        elif problem := self._find_commit_problem():
            checks["database"] = Check(State.DEGRADED, problem)
        if self._is_outdated(revision):
            checks["migrations"] = Check(State.FAILED, "Migrations are pending: run “flask --app chatapp db upgrade”.")
        if not self._writer.accepts_changes:
            checks["spool"] = Check(State.FAILED, "The spool is full, or cannot be written.")
        elif backlog.waiting:
            checks["spool"] = Check(State.DEGRADED, f"Messages that wait for the database: {backlog.waiting}.")
        if self.is_bus_connected is not None:
            checks["redis"] = Check() if self.is_bus_connected() else Check(State.DEGRADED, "Redis does not respond.")
        if self.find_bucket_problem is not None:
            problem = self.find_bucket_problem()
            checks["bucket"] = Check(State.DEGRADED, problem) if problem else Check()
        return checks

    def _find_commit_problem(self) -> str | None:
        if self._writer.backlog.since is not None:
            return NO_COMMIT
        return SLOW_COMMIT if self._writer.committing_seconds > MAX_COMMIT_SECONDS else None

    def present_details(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the database reads and writes, and the response.

        It has the spool, the background work and the replica. Restarts of the work and an outage of the replica are no
        reason for a proxy to take the process out of service.
        """
        if self.refusal is not None:
            return False, {"status": "unavailable", "reason": self.refusal}
        backlog = self._writer.backlog
        details: dict[str, Any] = {
            "spool": present_backlog(backlog),
            "background": [_present_work(status) for status in self._supervisor.list_statuses()],
        }
        if self.worker is not None:
            details["worker"] = self.worker
        if replica := find_replica(self._app):
            details["replica"] = {
                "state": replica.status.state.value,
                "lag_seconds": round(replica.status.lag_seconds, 1),
            }
        reason = NO_DATABASE if self._revision.get() is None else self._find_commit_problem()
        if reason is not None:
            return False, {"status": "unavailable", "reason": reason} | details
        return True, {"status": "ok"} | details

    def _read_revision(self) -> str:
        with self._app.app_context():
            # A query of PostgreSQL's driver can be interrupted while it waits. Those of SQLite run on a native thread.
            is_sqlite = db.engine.dialect.name == "sqlite"
            with nullcontext() if is_sqlite else time_limit(QUERY_SECONDS):
                return read_natively(db.session(), _find_revision, pool=self._native)


class HealthChecks:
    """WSGI middleware that answers the requests for `HEALTH_PATHS`."""

    def __init__(self, inner: "WSGIApplication", health: Health, measures: RequestMeasures) -> None:
        self._inner = inner
        self._measures = measures
        self._checks = {
            ALIVE: health.present_liveness,
            READY: health.present_readiness,
            HEALTH: health.present_details,
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a health check, or pass a request on."""
        path = environ.get("PATH_INFO", "")
        check = self._checks.get(path)
        if check is None:
            return self._inner(environ, start_response)
        method = environ["REQUEST_METHOD"]
        if method not in {"GET", "HEAD"}:
            start_response("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return [b""]
        started = time.perf_counter()
        is_well, content = check()
        body = orjson.dumps(content)
        status = "200 OK" if is_well else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        self._measures.add(method, path, int(status[:3]), time.perf_counter() - started)
        return [b"" if method == "HEAD" else body]


def init_health(app: Flask) -> None:
    """Answer health checks. To be called when all that they report exists, and before the middleware around them."""
    app.extensions[EXTENSION] = health = Health(app)
    app.wsgi_app = HealthChecks(app.wsgi_app, health, app.extensions[REQUEST_MEASURES])  # type: ignore[method-assign]


def _find_revision(session: Session) -> str:
    return find_revision(session.connection()) or ""


def _present_work(status: WorkStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "state": status.state,
        "restarts": status.restarts,
        "last_error_at": status.last_error_at and status.last_error_at.isoformat(),
    }
