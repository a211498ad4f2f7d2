"""The page of the installation's status: plots, their tables, and updates while it is open."""

import time

import pytest
from playwright.sync_api import expect

from chatapp.telemetry.status.processes import ProcessReport
from chatapp.telemetry.status.store import StatusStore
from tests.harness.pages import NewPage
from tests.harness.people import Person
from tests.harness.servers import Server

pytestmark = pytest.mark.browser

PATH = "/admin/status"
SPOOLED = 7


def record_history(server: Server, minutes: int) -> None:
    """Record that messages waited in the last minutes."""
    store = StatusStore(server.data_dir / "status.sqlite3")
    for minute in range(minutes, 0, -1):
        reported_at = time.time() - 60 * minute
        report = ProcessReport("earlier", f"Server on port {server.port}", 1, reported_at, reported_at)
        store.record(report, {"messages": minute, "spooled": SPOOLED, "disk_free": 0.5})


def test_plots_are_drawn_and_have_tables(server: Server, ana: Person, new_page: NewPage) -> None:
    record_history(server, minutes=20)
    page = new_page(ana, PATH)
    plot = page.locator("[data-plot=spool]")
    expect(plot.locator("canvas")).to_be_visible()
    expect(plot.locator("[data-summary]")).to_contain_text(f"highest {SPOOLED} (messages)")
    plot.locator("summary").click()
    expect(plot.locator("tbody tr").first).to_be_visible()
    page.locator("text=Year").click()
    expect(page).to_have_url(f"{server.url}{PATH}?range=year")
    expect(page.locator("[data-plot=messages]")).to_be_visible()


def test_the_page_updates_itself(server: Server, ana: Person, new_page: NewPage) -> None:
    page = new_page(ana, PATH)
    updated = page.locator("[data-part=updated]")
    before = updated.inner_text()
    expect(updated).not_to_have_text(before)
    expect(page.locator("[data-part=processes]")).to_contain_text(f"Server on port {server.port}")


def test_without_javascript_figures_are_tables_and_nothing_overflows_on_a_phone(
    server: Server, ana: Person, new_page: NewPage
) -> None:
    record_history(server, minutes=20)
    phone = {"width": 390, "height": 844}
    page = new_page(ana, PATH, java_script_enabled=False, viewport=phone)
    expect(page.locator("canvas")).to_have_count(0)
    expect(page.locator("[data-plot=spool] [data-summary]")).to_contain_text(f"highest {SPOOLED}")
    assert new_page(ana, PATH, viewport=phone).evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
