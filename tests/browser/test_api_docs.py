"""The pages of the API: tokens, and trying a call."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewPage
from tests.harness.people import Person

pytestmark = pytest.mark.browser


def test_a_token_is_made_used_and_revoked_by_clicking(ana: Person, new_page: NewPage) -> None:
    page = new_page(ana, "/settings")
    page.click("text=API tokens")
    page.fill("#name", "Build server")
    page.check("input[value=write]")
    page.click("main button[type=submit]")
    api = ana.api(page.locator("#token").input_value())
    assert api.post("/conversations/general/messages", json={"content": "green"}).ok
    page.goto(f"{ana.server.url}/settings/tokens")
    expect(page.locator(".row", has_text="Build server")).to_contain_text("last used on")
    page.click("[aria-label='Revoke Build server']")
    expect(page.locator("main")).to_contain_text("You have none.")
    assert api.get("/conversations").status_code == 401


def test_the_api_is_tried_on_its_page_with_nothing_from_elsewhere(ana: Person, new_page: NewPage) -> None:
    page = new_page(ana, "/settings")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.click("main a:text-is('API')")
    call = page.locator("[id$='post_message']")
    call.locator(".opblock-summary-control").click()
    call.locator("textarea").fill('{"content": "tried on the page"}')
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("201")
    page.goto(ana.server.url)
    expect(page.locator(".message-body", has_text="tried on the page")).to_be_visible()
    assert all(url.startswith((ana.server.url, "data:", "blob:")) for url in asked), asked
