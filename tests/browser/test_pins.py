"""Pinning messages on the page."""

import pytest
from playwright.sync_api import expect

from tests.harness.message_actions import choose, open_menu
from tests.harness.pages import NewPage, wait_until_connected
from tests.harness.people import Person, room_path

pytestmark = pytest.mark.browser


def test_pins_are_counted_live_and_after_a_reload_and_lead_to_their_messages(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    socket = ana.connect()
    for number in range(1, 31):
        socket.post(f"message {number}", room)
    manager, member = (wait_until_connected(new_page(person, room_path(room))) for person in (ana, bob))
    choose(manager, 30, "Pin")
    expect(manager.get_by_role("status").filter(has_text="Message pinned")).to_be_visible()
    socket.call("pin_message", {"conversation": room, "seq": 2, "on": True})
    for page in (manager, member):
        expect(page.locator("#message-30 .message-pin")).to_be_visible()
        expect(page.locator("[data-pins-link]")).to_contain_text("2")
    expect(open_menu(member, 30).get_by_role("button", name="Pin")).to_be_hidden()
    member.keyboard.press("Escape")
    member.reload()
    expect(member.locator("[data-pins-link]")).to_contain_text("2")
    wait_until_connected(member)

    member.locator("[data-pins-link]").click()
    member.locator("li", has_text="message 2").get_by_role("link").last.click()
    expect(member.locator("#message-2 .message-pin")).to_be_in_viewport()

    choose(manager, 30, "Unpin")
    socket.call("delete_message", {"conversation": room, "seq": 2})
    for page in (manager, member):
        expect(page.locator("[data-pins-link]")).to_be_hidden()
