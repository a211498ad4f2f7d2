"""Replies that quote the original, on two pages."""

import pytest
from playwright.sync_api import Page, expect

from tests.harness.accessibility import list_violations
from tests.harness.pages import (
    PHONE,
    NewPage,
    message_texts,
    open_pages,
    send_message,
    wait_until_connected,
    wait_until_stored,
)
from tests.harness.people import Person

pytestmark = pytest.mark.browser

TEXT = "#content"
BAR = "[data-reply-bar]"


def quote(page: Page, seq: int) -> str:
    return f"#message-{seq} > .reply-quote"


@pytest.fixture
def pages(ana: Person, bob: Person, new_page: NewPage) -> tuple[Page, Page]:
    """The pages of Bob and Ana, with a message by Bob."""
    return open_pages(bob, ana, new_page, "Who brings **cake**?\n||me||")


def start_reply(page: Page, seq: int) -> None:
    page.locator(f"#message-{seq}").hover()
    page.click("[data-message-toolbar] [data-reply]")
    expect(page.locator(TEXT)).to_be_focused()


def test_a_reply_shows_the_original_as_it_is_now(pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    start_reply(ana_page, 1)
    expect(ana_page.locator(BAR)).to_contain_text("Bob Who brings cake? (spoiler)")
    send_message(ana_page, "I do")
    expect(ana_page.locator(BAR)).to_be_hidden()
    for page in pages:
        expect(page.locator(quote(page, 2))).to_have_text("In reply to Bob Who brings cake? (spoiler)")
    ana_page.reload()
    expect(ana_page.locator(quote(ana_page, 2))).to_have_text("In reply to Bob Who brings cake? (spoiler)")
    wait_until_connected(ana_page)
    bob_page.press(TEXT, "ArrowUp")
    bob_page.fill("#message-1 textarea", "Who brings pie?")
    bob_page.press("#message-1 textarea", "Enter")
    for page in pages:
        expect(page.locator(quote(page, 2))).to_have_text("In reply to Bob Who brings pie?")
    ana_page.click(quote(ana_page, 2))
    expect(ana_page.locator("#message-1")).to_be_focused()
    assert ana_page.url.endswith("#message-1")

    bob_page.locator("#message-1").hover()
    bob_page.click("[data-message-toolbar] [data-open-menu]")
    bob_page.click("[data-message-menu] [data-delete]")
    bob_page.click("[data-delete-dialog] [value=delete]")
    for page in pages:
        expect(page.locator(quote(page, 2))).to_have_text("Deleted message")
    ana_page.reload()
    expect(ana_page.locator(quote(ana_page, 2))).to_have_text("Deleted message")


def test_a_reply_is_begun_and_cancelled_by_keyboard_and_survives_a_reload(pages: tuple[Page, Page]) -> None:
    _, page = pages
    page.press(TEXT, "Shift+Tab")
    page.locator("#message-1").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#message-1")).to_be_focused()
    page.keyboard.press("r")
    expect(page.locator(TEXT)).to_be_focused()
    expect(page.locator(TEXT)).to_have_value("")
    page.keyboard.type("not sent yet")
    assert list_violations(page) == []
    page.reload()
    wait_until_connected(page)
    expect(page.locator(BAR)).to_contain_text("Who brings cake?")
    expect(page.locator(TEXT)).to_have_value("not sent yet")
    page.press(TEXT, "Escape")
    expect(page.locator(BAR)).to_be_hidden()
    page.reload()
    expect(page.locator(TEXT)).to_have_value("not sent yet")
    expect(page.locator(BAR)).to_be_hidden()


def test_a_reply_to_what_was_deleted_meanwhile_keeps_its_text(pages: tuple[Page, Page], bob: Person) -> None:
    _, page = pages
    start_reply(page, 1)
    page.context.set_offline(True)
    expect(page.locator("[data-connection]")).not_to_have_attribute("data-state", "connected")
    send_message(page, "too late")
    expect(page.locator(".message[data-state] .reply-quote")).to_contain_text("Who brings cake?")
    bob.connect().call("delete_message", {"conversation": "general", "seq": 1})
    page.context.set_offline(False)
    expect(page.locator(".message-failed")).to_have_text(
        "Not sent: The message that this replies to was deleted. Retry sends it without the quote."
    )
    page.click("[data-retry]")
    wait_until_stored(page)
    assert message_texts(page)[-1] == "too late"
    expect(page.locator(".reply-quote:visible")).to_have_count(0)


def test_the_original_is_quoted_and_found_when_it_is_not_on_the_page(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    socket = bob.connect()
    socket.join()
    socket.post("the beginning")
    for number in range(80):
        socket.post(f"message {number}")
    page = wait_until_connected(new_page(ana, **PHONE))
    socket.call("send_message", {"conversation": "general", "content": "live", "client_id": NEW_ID, "reply_to": 1})
    reply = page.locator(".message:has-text('live') > .reply-quote")
    expect(reply).to_have_text("In reply to Bob the beginning")
    socket.call("edit_message", {"conversation": "general", "seq": 1, "content": "the start"})
    expect(reply).to_have_text("In reply to Bob the start")
    reply.click()
    expect(page.locator("#message-1")).to_be_in_viewport()
    expect(page.locator("#message-1 .message-body")).to_have_text("the start")


NEW_ID = "5f0d2a1c-8f43-4b6e-9a55-0d3f6a5e7c11"
