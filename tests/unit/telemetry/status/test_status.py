"""The status of one process: alerts in the log, also while the shared file cannot be used."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from flask import Flask
from structlog.testing import capture_logs

from chatapp.concurrency.supervision import EXTENSION as SUPERVISOR
from chatapp.concurrency.supervision import Supervisor
from chatapp.storage import EXTENSION as WRITER
from chatapp.storage import Backlog
from chatapp.telemetry.health import Health
from chatapp.telemetry.status import status
from chatapp.telemetry.status.processes import ProcessReport
from chatapp.telemetry.status.status import Status
from chatapp.telemetry.status.store import MINUTES, StatusStore

NOW = 1_000_000.0

WELL = ProcessReport("a", "Server on port 5000", 1, NOW, NOW)


@pytest.mark.parametrize("folder", [".", "missing"])
def test_an_alert_is_logged_when_it_begins_and_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr(status, "log", structlog.get_logger())
    known = Status(StatusStore(tmp_path / folder / "status.sqlite3"))
    outdated = replace(WELL, has_pending_migrations=True)
    with capture_logs() as lines:
        for seconds, report in enumerate((WELL, outdated, outdated, WELL, WELL)):
            known.record(replace(report, reported_at=NOW + 10 * seconds), {})
            assert [alert.name for alert in known.alerts] == ["migrations"] * report.has_pending_migrations
    alerts = [(line["event"], line["alert"], line.get("seconds")) for line in lines if "alert" in line]
    assert alerts == [("alert", "migrations", None), ("alert ended", "migrations", 20)]
    errors = [line["event"] for line in lines if "alert" not in line]
    assert errors == ([] if folder == "." else ["status cannot be recorded"])


def test_a_process_shows_what_it_knows_of_itself_while_the_file_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "status.sqlite3"
    path.mkdir()
    known = Status(StatusStore(path))
    known.record(report := replace(WELL, has_pending_migrations=True), {})
    contents = known.read(MINUTES)
    assert contents.reports == [report]
    assert [(active.alert.name, active.began_at) for active in contents.alerts] == [("migrations", NOW)]


def test_a_check_of_readiness_asks_for_the_revision_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # While the database does not respond, each question waits.
    app = Flask("chatapp")
    asked: list[None] = []
    writer = SimpleNamespace(backlog=Backlog(0, None), accepts_changes=True, committing_seconds=0.0)
    app.extensions |= {SUPERVISOR: Supervisor(), WRITER: writer}
    health = Health(app)
    monkeypatch.setattr(health._revision, "get", lambda: asked.append(None))
    health.present_readiness()
    assert len(asked) == 1
    assert not health.has_pending_migrations()
