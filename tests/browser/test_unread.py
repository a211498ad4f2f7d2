"""Unread counts, read receipts, typing, presence and mentions on the pages of two people."""

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.harness.pages import (
    NewPage,
    message_seqs,
    send_message,
    wait_for_message,
    wait_until_connected,
    wait_until_stored,
)
from tests.harness.people import Person, room_path
from tests.harness.servers import Server

pytestmark = pytest.mark.browser


def sidebar_entry(page: Page, conversation: str) -> Locator:
    return page.locator(f"[data-entry='{conversation}']")


def badge(page: Page, conversation: str) -> Locator:
    return sidebar_entry(page, conversation).locator("[data-badge]")


def test_unread_counts_and_read_receipts_of_a_direct_message_survive_restarts(
    server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    ana_page, bob_page = wait_until_connected(new_page(ana, "/people")), wait_until_connected(new_page(bob))
    ana_page.click("text=Bob")
    expect(ana_page).to_have_url(re.compile("/people/bob$"))
    ana_page.click(".profile >> text=Message")
    ana_page.click("text=Start conversation")
    wait_until_connected(ana_page)
    expect(ana_page).to_have_url(re.compile("/direct/bob$"))
    send_message(ana_page, "have you seen this?")
    wait_until_stored(ana_page)
    name = ana_page.locator("main").get_attribute("data-conversation") or ""
    expect(sidebar_entry(bob_page, name)).to_contain_text("Ana")
    expect(badge(bob_page, name)).to_have_text(re.compile(r"^1"))
    expect(bob_page).to_have_title(re.compile(r"^\(1\) General"))
    expect(bob_page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("icon-unread"))

    server.kill()
    server.start()
    wait_until_connected(bob_page)
    expect(badge(bob_page, name)).to_have_text(re.compile(r"^1"))
    expect(ana_page.locator(".read-receipts")).to_have_count(0)
    sidebar_entry(bob_page, name).click()
    wait_until_connected(bob_page)
    wait_for_message(bob_page, "have you seen this?")
    expect(bob_page.locator(".unread-divider")).to_be_visible()
    bob_page.bring_to_front()
    expect(badge(bob_page, name)).to_be_hidden()
    expect(ana_page.locator(".read-receipts .sr-only")).to_have_text("Read by Bob")
    send_message(ana_page, "and this?")
    receipt = ana_page.locator(".message.is-continued .read-receipts .avatar")
    expect(receipt).to_have_css("clip-path", "none")
    expect(receipt).to_have_css("width", "16px")
    expect(bob_page).to_have_title(re.compile(r"^\s*Ana"))

    server.kill()
    server.start()
    for page in (ana_page, bob_page):
        page.reload()
        wait_until_connected(page)
    expect(ana_page.locator(".read-receipts .sr-only")).to_have_text("Read by Bob")
    expect(badge(bob_page, name)).to_be_hidden()
    expect_typing_and_presence(ana_page, bob_page)


def expect_typing_and_presence(ana_page: Page, bob_page: Page) -> None:
    indicator = ana_page.locator(".topbar [data-presence-of]")
    expect(indicator).to_have_attribute("data-presence", "online")
    expect(indicator).to_have_attribute("aria-label", "online")
    bob_page.locator("#content").press_sequentially("I am")
    line = ana_page.locator("[data-typing]")
    expect(line).to_have_text("Bob is typing…")
    bob_page.press("#content", "Enter")
    wait_for_message(ana_page, "I am")
    expect(line).to_have_text("")
    bob_page.locator("#content").press_sequentially("not sent")
    expect(line).to_have_text("Bob is typing…")
    expect(line).to_have_text("")
    bob_page.fill("#content", "")
    bob_page.context.close()
    expect(indicator).to_have_attribute("data-presence", "offline")


def test_unread_counts_are_the_same_on_two_devices(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    socket = ana.connect()
    desktop = wait_until_connected(new_page(bob))
    phone = wait_until_connected(new_page(bob, "/people", viewport={"width": 360, "height": 740}))
    for number in range(3):
        socket.post(f"message {number}", room)
    socket.post("and you, @bob", room)
    mentions = desktop.locator("[data-inbox=mentions]")
    expect(mentions).to_have_text(re.compile("^1"))
    for page in (desktop, phone):
        expect(badge(page, room)).to_have_text(re.compile("^4"))
        expect(page).to_have_title(re.compile(r"^\(1\)"))
    desktop.bring_to_front()
    sidebar_entry(desktop, room).click()
    wait_until_connected(desktop)
    expect(desktop.locator(".message.mentions-me .mention")).to_have_text("@bob")
    for page in (desktop, phone):
        expect(badge(page, room)).to_have_attribute("data-unread", "0")
    expect(mentions).to_be_hidden()
    expect(phone).not_to_have_title(re.compile(r"^\(1\)"))

    desktop.locator(".message").nth(1).hover()
    desktop.click("[data-message-toolbar] [data-open-menu]")
    desktop.click("[data-mark-unread]")
    for page in (desktop, phone):
        expect(badge(page, room)).to_have_attribute("data-unread", "3")
    expect(desktop.locator(".unread-divider + .message .message-body")).to_have_text("message 1")


def test_counts_that_change_while_the_list_is_fetched_are_shown(ana: Person, bob: Person, new_page: NewPage) -> None:
    room, other_room = ana.create_room("Design"), ana.create_room("Sales")
    for name in (room, other_room):
        ana.invite(name, bob)
    ana_socket, bob_socket = ana.connect(), bob.connect()
    seq = ana_socket.post("read while the list is fetched", room)["seq"]
    page = wait_until_connected(new_page(bob))
    expect(badge(page, room)).to_have_text(re.compile("^1"))
    requests: list[Route] = []

    def respond_late(route: Route) -> None:
        requests.append(route)
        if len(requests) > 1:
            route.continue_()
            return
        response = route.fetch()
        bob_socket.call("mark_as_read", {"conversation": room, "seq": seq})
        ana_socket.post("posted while the list is fetched", other_room)
        expect(badge(page, room)).to_be_hidden()
        expect(badge(page, other_room)).to_have_text(re.compile("^1"))
        route.fulfill(response=response)

    page.route("**/sidebar*", respond_late)
    with page.expect_response(lambda response: "/sidebar" in response.url and len(requests) > 1):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(badge(page, room)).to_be_hidden()
    expect(badge(page, other_room)).to_have_text(re.compile("^1"))


def test_the_unread_banner_leads_to_the_first_unread_message(ana: Person, bob: Person, new_page: NewPage) -> None:
    name = ana.open_direct(bob)
    socket = ana.connect()
    for number in range(80):
        socket.post(f"message {number}", name)
    page = wait_until_connected(new_page(bob, "/direct/ana"))
    banner = page.locator("[data-unread-banner]")
    expect(banner).to_contain_text("80 unread")
    assert message_seqs(page)[0] > 1
    banner.locator("a").click()
    expect(page.locator("#message-1")).to_be_in_viewport()
    expect(page.locator(".unread-divider + #message-1")).to_have_count(1)
    expect(banner).to_be_hidden()


def test_mentions_are_completed(ana: Person, bob: Person, eve: Person, new_page: NewPage) -> None:
    room = ana.create_room()
    ana.invite(room, bob)
    page = wait_until_connected(new_page(ana, room_path(room)))
    options = page.locator("[data-mention-options] [role=option]")
    page.locator("#content").press_sequentially("hello @b")
    expect(options).to_have_count(1)
    page.press("#content", "Enter")
    expect(page.locator("#content")).to_have_value("hello @bob ")
    page.locator("#content").press_sequentially("and @")
    # Not first, so that Enter notifies one person only.
    expect(options).to_contain_text(["@ana", "@bob", "@helper", "@all"])
    page.press("#content", "Escape")
    expect(page.locator("[data-mention-options]")).to_be_hidden()
    page.fill("#content", "")
    # What was suggested for the prefix before is not accepted.
    page.locator("#content").press_sequentially("@an")
    expect(options).to_have_count(1)
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    page.keyboard.type("bo")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_have_value("@bob ")
    page.locator("#content").press_sequentially("and @eve")
    expect(options).to_have_count(0)
    page.press("#content", "Enter")
    wait_until_stored(page)
    expect(page.locator(".mention")).to_have_text("@bob")


def test_mentioning_all_in_a_large_room_asks_for_a_confirmation(server: Server, ana: Person, new_page: NewPage) -> None:
    room = ana.create_room()
    server.execute(
        "INSERT INTO users (username, name, password_hash, role, created_at) VALUES "
        + ", ".join(f"('p{i}', 'P', 'x', 'member', '2026-01-01 00:00:00')" for i in range(25))
    )
    server.execute(
        "INSERT INTO memberships (conversation_id, user_id, role, created_at) "
        f"SELECT {room.removeprefix('room_')}, id, 'member', '2026-01-01 00:00:00' FROM users WHERE name = 'P'"
    )
    page = wait_until_connected(new_page(ana, room_path(room)))
    dialog = page.locator("[data-mention-all-dialog]")
    page.fill("#content", "@all dinner?")
    page.get_by_role("button", name="Send later").click()
    page.get_by_role("button", name="In 1 hour").click()
    expect(dialog).to_contain_text("26 people")
    dialog.locator("text=Cancel").click()
    assert server.rows("SELECT count(*) FROM scheduled_messages") == [(0,)]
    page.get_by_role("button", name="Send later").click()
    page.get_by_role("button", name="In 1 hour").click()
    dialog.locator("button", has_text="Send").click()
    expect(page.get_by_role("status").filter(has_text="Scheduled: ")).to_be_visible()
    assert server.rows("SELECT content FROM scheduled_messages") == [("@all dinner?",)]
    send_message(page, "@all lunch?")
    expect(dialog).to_contain_text("26 people")
    dialog.locator("text=Cancel").click()
    expect(page.locator("#content")).to_have_value("@all lunch?")
    page.press("#content", "Enter")
    dialog.locator("button", has_text="Send").click()
    wait_until_stored(page)
    expect(page.locator(".mention")).to_have_text("@all")
