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
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Saved").click()
    page.locator("li", has_text="message 3").get_by_role("button", name="Remove from saved").click()
    for each in (page, device):
        expect(each.locator(".listed-text")).to_have_text(["message 2"])
    link = page.locator("li", has_text="message 2").get_by_role("link").last
    assert link.get_attribute("href") == f"/conversations/{room}/messages/2"
    page.goto(page.url.replace("/saved", room_path(room)))
    choose(wait_until_connected(page), 2, "Remove from saved")
    expect(device.get_by_text("No saved messages.")).to_be_visible()
