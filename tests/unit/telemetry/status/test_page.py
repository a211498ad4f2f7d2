"""The page of the installation's status."""

from datetime import UTC, datetime, timedelta

from chatapp.telemetry.status.page import make_page
from chatapp.telemetry.status.plots import RANGES
from chatapp.telemetry.status.processes import ProcessReport
from chatapp.telemetry.status.store import Contents


def test_an_outage_has_the_day_and_the_time_of_its_begin() -> None:
    began_at = datetime(2026, 12, 31, 23, 50, tzinfo=UTC)
    now = (began_at + timedelta(minutes=20)).timestamp()
    report = ProcessReport("1", "Server", 1, now, now, database_away_since=began_at.timestamp())
    page = make_page(RANGES["hours"], Contents([report], {}, []), None, {}, now)
    assert page.current["Database"] == "cannot commit since 31 December 2026, 23:50 UTC"
