"""Saving messages on the page."""

import pytest
from playwright.sync_api import expect

from tests.harness.message_actions import choose, open_menu
from tests.harness.pages import NewPage, wait_until_connected
from tests.harness.people import Person, room_path

pytestmark = pytest.mark.browser


def test_a_message_is_saved_and_removed_live_on_all_devices(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    socket = ana.connect()
    for number in range(1, 4):
        socket.post(f"message {number}", room)
    page, device = (wait_until_connected(new_page(bob, path)) for path in (room_path(room), "/saved"))
    expect(device.get_by_text("No saved messages.")).to_be_visible()
    choose(page, 2, "Save")
    expect(page.get_by_role("status").filter(has_text="Message saved")).to_be_visible()
    expect(device.locator(".listed-text")).to_have_text(["message 2"])
    bob.connect().call("save_message", {"conversation": room, "seq": 3})
    expect(device.locator(".listed-text")).to_have_text(["message 3", "message 2"])
    menu = open_menu(page, 3)
    expect(menu.get_by_role("button", name="Remove from saved")).to_be_visible()
    # The marks are only for the person who has saved the messages.
    expect(page.locator(".message-saved")).to_have_count(2)
    expect(page.locator("#message-3 .message-saved")).to_be_visible()
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Saved").click()
    page.locator("li", has_text="message 3").get_by_role("button", name="Remove from saved").click()
    for each in (page, device):
        expect(each.locator(".listed-text")).to_have_text(["message 2"])
    link = page.locator("li", has_text="message 2").get_by_role("link").last
    assert link.get_attribute("href") == f"/conversations/{room}/messages/2"
    page.goto(page.url.replace("/saved", room_path(room)))
    expect(page.locator("#message-2 .message-saved")).to_be_visible()
    choose(wait_until_connected(page), 2, "Remove from saved")
    expect(device.get_by_text("No saved messages.")).to_be_visible()
    expect(page.locator(".message-saved")).to_have_count(0)


def test_a_jump_to_a_saved_message_focuses_it(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    socket = ana.connect()
    for number in range(1, 41):
        socket.post(f"message {number}", room)
    for seq in (3, 5):
        socket.call("save_message", {"conversation": room, "seq": seq})
    page = wait_until_connected(new_page(ana, "/saved"))
    # The page that follows the form is loaded in full.
    page.locator("li", has_text="message 5").get_by_role("button", name="Remove from saved").click()
    expect(page.locator(".listed-text")).to_have_text(["message 3"])
    page.locator("li", has_text="message 3").get_by_role("link").last.click()
    expect(page.locator("#message-3")).to_be_focused()
    expect(page.locator("#message-3")).to_be_in_viewport()
    page.keyboard.type("writing goes to the composer")
    expect(page.locator("#content")).to_have_value("writing goes to the composer")
    page.goto(f"{ana.server.url}/conversations/{room}/messages/3")
    expect(page.locator("#message-3")).to_be_focused()


def test_a_page_that_is_shown_again_has_followed_what_was_saved_meanwhile(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    socket = ana.connect()
    for number in (1, 2):
        socket.post(f"message {number}", room)
    socket.call("save_message", {"conversation": room, "seq": 1})
    page = new_page(ana, "/threads")
    sent = list[str]()
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    page.goto(f"{ana.server.url}{room_path(room)}")
    expect(page.locator("#message-1 .message-saved")).to_be_visible()
    page.get_by_role("link", name="Threads").click()
    expect(page.get_by_text("No threads yet.")).to_be_visible()
    socket.call("save_message", {"conversation": room, "seq": 2})
    page.get_by_role("link", name="Design").click()
    expect(page.locator("#message-2 .message-saved")).to_be_visible()
    assert len([frame for frame in sent if "saved_messages" in frame]) == 1
