"""Forwarding a message in the dialog, and links to messages: live, after a reload, and by keyboard."""

import pytest
from playwright.sync_api import expect

from tests.harness.accessibility import list_violations
from tests.harness.message_actions import open_menu
from tests.harness.pages import PHONE, NewPage, send_message, wait_for_message, wait_until_connected
from tests.harness.people import Person, room_path
from tests.harness.servers import Server

pytestmark = pytest.mark.browser

DIALOG = "[data-forward-dialog]"


def test_a_message_is_forwarded_and_each_reader_sees_what_they_may_read(
    server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    room = ana.create_room("Plans")
    ana.connect().post("The budget is **tiny**", room)
    bob_page = wait_until_connected(new_page(bob))
    page = wait_until_connected(new_page(ana, room_path(room)))
    open_menu(page, 1).get_by_role("link", name="Forward…").click()
    dialog = page.locator(DIALOG)
    field = dialog.get_by_label("To", exact=True)
    expect(field).to_be_focused()
    expect(dialog.get_by_label("General")).to_be_visible()
    assert list_violations(page) == []
    field.fill("gener")
    expect(dialog.get_by_role("radio")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(dialog.get_by_role("radio")).to_be_checked()
    dialog.get_by_label("Comment").fill("Have a look")
    dialog.get_by_role("button", name="Forward").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#message-1:focus")).to_be_visible()
    page.get_by_role("status").get_by_role("button", name="Show").click()

    wait_for_message(bob_page, "Have a look")
    for _ in range(2):
        expect(page.locator("#message-1 blockquote")).to_contain_text("The budget is tiny")
        expect(bob_page.locator("#message-1 blockquote")).to_contain_text("you do not have access")
        page.goto(server.url)
        bob_page.reload()
    wait_until_connected(bob_page)

    # So is a link that is a paragraph; others stay links.
    link = f"{server.url}/conversations/{room}/messages/1"
    text = f"See\n\n{link}\n\nor {link} here"
    send_message(bob_page, text)
    wait_for_message(page, "See")
    message = page.locator("#message-2")
    expect(message.locator("blockquote")).to_contain_text("The budget is tiny")
    expect(message.locator(".message-body > a")).to_have_text(link)
    expect(bob_page.locator("#message-2 blockquote")).to_contain_text("you do not have access")
    bob_page.press("#content", "ArrowUp")
    expect(bob_page.locator("#message-2 textarea")).to_have_value(text)
    ana.connect().call("delete_message", {"conversation": room, "seq": 1})
    page.reload()
    expect(message.locator("blockquote")).to_contain_text("This message was deleted")


def test_the_dialog_shows_errors_and_fits_a_phone(ana: Person, new_page: NewPage) -> None:
    ana.connect().post("hello")
    page = wait_until_connected(new_page(ana, **PHONE))
    page.locator("#message-1 [data-more]").tap()
    page.locator("[data-open-menu]").tap()
    page.get_by_role("link", name="Forward…").tap()
    dialog = page.locator(DIALOG)
    dialog.get_by_label("General").check()
    dialog.get_by_label("Comment").fill("x" * 10_000)
    dialog.get_by_role("button", name="Forward").tap()
    expect(dialog.get_by_role("alert")).to_contain_text("at most 10,000 characters")
    expect(dialog.get_by_label("Comment")).to_have_value("x" * 10_000)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
