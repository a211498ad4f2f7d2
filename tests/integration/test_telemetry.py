"""Health and metrics: what a process manager, a proxy and a monitoring system read."""

from flask import Flask

from chatapp.supervision import Supervisor, WorkStatus, current_supervisor
from tests.harness.servers import Server
from tests.harness.waiting import eventually


def test_health_reports_the_background_work_of_a_server(server: Server) -> None:
    work = {status["name"]: status for status in server.health().json()["background"]}
    assert {"writer", "http server", "heartbeats", "presence", "revocations", "answer queue", "webhooks"} <= set(work)
    assert work["writer"] == {"name": "writer", "state": "running", "restarts": 0, "last_error_at": None}


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


def _find_flaky(supervisor: Supervisor) -> WorkStatus:
    return next(status for status in supervisor.list_statuses() if status.name == "flaky work")
