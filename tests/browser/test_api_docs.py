"""API tokens, and the API reference where requests can be tried."""

import pytest
from playwright.sync_api import expect

from tests.harness.pages import NewPage
from tests.harness.people import PASSWORD, Person

pytestmark = pytest.mark.browser


def test_a_token_is_created_used_and_revoked(ana: Person, new_page: NewPage) -> None:
    page = new_page(ana, "/settings")
    page.click("main a:text-is('API tokens')")
    # The settings have a field with the same name, too.
    form = page.locator("main form", has=page.locator("#days"))
    form.locator("#name").fill("Build server")
    form.locator("input[value=write]").check()
    form.locator("#days").select_option("30")
    form.locator("#password").fill(PASSWORD)
    form.locator("button[type=submit]").click()
    api = ana.api(page.locator("#token").input_value())
    assert api.post("/conversations/general/messages", json={"content": "green"}).ok
    page.goto(f"{ana.server.url}/settings/tokens")
    expect(page.locator(".row", has_text="Build server")).to_contain_text("last used on")
    page.click("[aria-label='Revoke Build server']")
    page.click(".dialog:popover-open button[type=submit]")
    expect(page.locator("main")).to_contain_text("You have no tokens.")
    assert api.get("/conversations").status_code == 401


def test_the_api_reference_sends_requests_and_loads_nothing_from_other_hosts(ana: Person, new_page: NewPage) -> None:
    page = new_page(ana, "/settings")
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.click("main a:text-is('API documentation')")
    operation = page.locator("[id$='post_message']")
    expect(operation).to_be_visible()
    operation.locator(".opblock-summary-control").click()
    operation.locator("textarea").fill('{"content": "sent from the reference"}')
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("201")
    page.goto(ana.server.url)
    expect(page.locator(".message-body", has_text="sent from the reference")).to_be_visible()
    assert all(url.startswith((ana.server.url, "data:", "blob:")) for url in requested), requested
