"""Drafts of one person on several devices."""

import pytest
from playwright.sync_api import Page, expect

from tests.harness.pages import NewPage, wait_until_connected
from tests.harness.people import PASSWORD, Person

pytestmark = pytest.mark.browser

MARK = "(draft)"


def show_value(page: Page, text: str) -> None:
    expect(page.locator("#content")).to_have_value(text)


def test_two_devices_write_one_draft_without_loss(ana: Person, new_page: NewPage) -> None:
    page, device = (wait_until_connected(new_page(ana)) for _ in range(2))
    other = wait_until_connected(new_page(ana, "/settings"))
    page.fill("#content", "Dear all, see you on Monday")
    show_value(device, "Dear all, see you on Monday")
    general = other.locator("[data-entry=general]")
    expect(general).to_contain_text(MARK)
    other.reload()
    expect(general).to_contain_text(MARK)

    device.context.set_offline(True)
    device.fill("#content", "Dear colleagues, see you on Monday")
    page.fill("#content", "Dear all, see you on Tuesday")
    # What was written without a connection survives a page that is closed by mistake, too.
    draft = "sessionStorage.getItem(Object.keys(sessionStorage).find((key) => key.startsWith('chatapp:draft:')))"
    assert device.evaluate(draft) == "Dear colleagues, see you on Monday"
    expect(page.locator("#content")).to_have_value("Dear all, see you on Tuesday")
    device.context.set_offline(False)
    for each in (page, device):
        show_value(each, "Dear colleagues, see you on Tuesday")

    page.press("#content", "Enter")
    expect(page.locator("#message-1 .message-body")).to_have_text("Dear colleagues, see you on Tuesday")
    for each in (page, device):
        show_value(each, "")
    expect(general).not_to_contain_text(MARK)
    ana.connect().call("save_draft", {"conversation": "general", "thread": 1, "content": "a reply", "version": 0})
    expect(other.get_by_role("link", name="Threads")).to_contain_text(MARK)
    expect(general).not_to_contain_text(MARK)


def test_signing_out_forgets_the_draft_in_the_browser_and_signing_in_brings_it_back(
    ana: Person, new_page: NewPage
) -> None:
    page = wait_until_connected(new_page(ana))
    page.fill("#content", "private")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Username", exact=True)).to_be_visible()
    kept = "Object.keys(sessionStorage).filter((key) => key.startsWith('chatapp:draft:'))"
    assert page.evaluate(kept) == []
    page.get_by_label("Username", exact=True).fill("ana")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    show_value(page, "private")


def test_an_unsaved_draft_survives_a_failed_sign_out_but_is_not_there_for_the_next_person(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    page = wait_until_connected(new_page(ana))
    too_long = "private " * 2_000
    page.fill("#content", too_long)
    page.route("**/sign-out", lambda route: route.fulfill(status=503, body="Try again."))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("Try again.")).to_be_visible()
    page.unroute("**/sign-out")
    page.goto(ana.server.url)
    show_value(page, too_long)

    wait_until_connected(page)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Username", exact=True).fill("bob")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#content")).to_have_value("")
    assert "private" not in page.evaluate("JSON.stringify(sessionStorage)")


def test_a_tab_that_does_not_learn_of_a_sign_out_shows_and_saves_nothing_for_the_next_person(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    tab = wait_until_connected(new_page(ana))
    other = tab.context.new_page()
    other.goto(ana.server.url)
    network = tab.context.new_cdp_session(tab)
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    network.send("Network.emulateNetworkConditions", {**conditions, "offline": True})
    expect(tab.locator("[data-connection]")).to_have_attribute("data-state", "offline")
    tab.fill("#content", "private")

    wait_until_connected(other).get_by_role("button", name="Sign out").click()
    other.get_by_label("Username", exact=True).fill("bob")
    other.get_by_label("Password").fill(PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    wait_until_connected(other)
    tab.wait_for_function("document.querySelector('#content')?.value !== 'private'")
    network.send("Network.emulateNetworkConditions", {**conditions, "offline": False})
    tab.goto(ana.server.url)
    show_value(wait_until_connected(tab), "")
    for page in (tab, other):
        expect(page.locator("[data-entry=general]")).not_to_contain_text(MARK)
    assert "private" not in tab.evaluate("JSON.stringify([sessionStorage, localStorage])")
    assert ana.server.rows("SELECT count(*) FROM drafts") == [(0,)]
