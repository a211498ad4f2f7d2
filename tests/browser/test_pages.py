"""Setup, rooms, the composer, layout."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.harness.pages import (
    PHONE,
    SCROLLS_SIDEWAYS,
    NewPage,
    message_seqs,
    message_texts,
    send_message,
    wait_for_message,
    wait_until_connected,
    wait_until_stored,
)
from tests.harness.people import PASSWORD, Person, message_payload, room_path
from tests.harness.rows import fill_general
from tests.harness.servers import Server
from tests.harness.visits import visit

pytestmark = pytest.mark.browser


def test_the_owner_sets_up_with_the_link_and_invites_another(server: Server, new_page: NewPage) -> None:
    page = new_page(url=server.url)
    expect(page).to_have_url(re.compile("/setup$"))
    page.goto(server.url + server.setup_path())
    page.fill("#username", "ana")
    page.fill("#name", "Ana Lopes")
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    wait_until_connected(page)
    page.click("text=People")
    page.click("text=Invite people")
    page.click("text=Create link")
    link = page.locator("input[readonly]").input_value()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("[data-copy]")
    assert page.evaluate("navigator.clipboard.readText()") == link

    other = new_page(url=link, path="")
    other.fill("#username", "bob")
    other.fill("#password", PASSWORD)
    other.click("main button[type=submit]")
    wait_until_connected(other)
    page.goto(server.url)
    wait_until_connected(page)
    send_message(other, "hello")
    wait_for_message(page, "hello")
    other.goto(f"{server.url}/direct/ana")
    stored = "Object.entries(localStorage).flat().join()"
    assert "/direct/ana" in other.evaluate(stored)
    other.click("[aria-label='Sign out']")
    expect(other).to_have_url(re.compile("/sign-in$"))
    assert "/direct/ana" not in other.evaluate(stored)
    other.go_back()
    expect(other).to_have_url(re.compile("/sign-in"))
    expect(other.locator(".message")).to_have_count(0)


def test_a_member_is_added_to_a_room_and_removed(ana: Person, bob: Person, eve: Person, new_page: NewPage) -> None:
    ana_page, bob_page = new_page(ana, "/rooms/new"), wait_until_connected(new_page(bob))
    ana_page.fill("#name", "Design")
    ana_page.check("input[value=private]")
    ana_page.click("main button[type=submit]")
    wait_until_connected(ana_page)
    room = ana_page.url
    ana_page.goto(room + "/settings")
    ana_page.fill("#username", "bob")
    ana_page.get_by_role("button", name="Add", exact=True).click()
    expect(bob_page.locator(".sidebar-link", has_text="Design")).to_be_visible()
    bob_page.click(".sidebar-link:has-text('Design')")
    expect(bob_page).to_have_url(room)
    expect(bob_page.locator("main[data-conversation^=room]")).to_be_visible()
    wait_until_connected(bob_page)
    send_message(bob_page, "here I am")
    wait_until_stored(bob_page)

    path = room.removeprefix(ana.server.url)
    expect(bob_page.locator("[data-member-count]:not(template)")).to_have_text("2")
    ana.invite("room_" + path.removeprefix("/rooms/"), eve)
    expect(bob_page.locator("[data-member-count]:not(template)")).to_have_text("3")
    bob_page.fill("#content", "a draft")
    ana.post(f"{path}/archive")
    expect(bob_page.get_by_text("This room is archived and is read-only.")).to_be_visible()
    expect(bob_page.locator("#content")).to_be_hidden()
    bob_page.locator(".message").last.hover()
    expect(bob_page.locator("[data-react]")).to_be_hidden()
    ana.post(f"{path}/restore")
    expect(bob_page.locator("#content")).to_have_value("a draft")
    expect(bob_page.locator("#content")).to_be_visible()
    expect(bob_page.locator("[data-archived-badge]")).to_be_hidden()

    ana_page.click("[aria-label='Remove Bob']")
    expect(bob_page.locator("[data-removed-notice]")).to_be_visible()
    expect(bob_page.locator("#content")).to_be_disabled()
    expect(bob_page.locator(".sidebar-link", has_text="Design")).to_have_count(0)


def test_the_composer_grows_validates_and_keeps_a_draft(ana: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(ana))
    before = page.locator("#content").bounding_box()
    page.locator("#content").press_sequentially("one")
    for _ in range(4):
        page.press("#content", "Shift+Enter")
    page.locator("#content").press_sequentially("two")
    after = page.locator("#content").bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] > before["height"] + 40
    page.press("#content", "Enter")
    wait_until_stored(page)
    assert message_texts(page) == ["one\n\n\n\ntwo"]

    send_message(page, "   ")
    expect(page.locator("#composer-error")).to_be_visible()
    page.fill("#content", "x" * 10_001)
    page.press("#content", "Enter")
    expect(page.locator("#composer-error")).to_contain_text(re.compile("10,?000"))
    expect(page.locator("#content")).to_have_value("x" * 10_001)
    page.fill("#content", "a draft")
    page.reload()
    expect(page.locator("#content")).to_have_value("a draft")
    assert len(message_texts(page)) == 1


def test_content_is_escaped_and_links_are_safe(ana: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(ana))
    content = "<img src=x onerror=alert(1)><script>alert(2)</script> see https://example.com/?a=1&b=2"
    send_message(page, content)
    wait_until_stored(page)
    page.reload()
    assert message_texts(page) == [content]
    link = page.locator(".message-body a")
    expect(link).to_have_attribute("href", "https://example.com/?a=1&b=2")
    expect(link).to_have_attribute("rel", re.compile("noopener"))
    expect(page.locator(".message-body img, .message-body script")).to_have_count(0)


def test_without_javascript_pages_show_history_and_a_form_posts(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    for number in range(12):
        socket.post(f"message {number}")
    page = new_page(ana, java_script_enabled=False)
    bodies = page.locator("[data-messages] .message-body")
    assert bodies.all_inner_texts() == [f"message {number}" for number in range(2, 12)]
    page.fill("#content", "by form")
    page.click("[aria-label=Send]")
    expect(bodies.last).to_have_text("by form")
    page.fill("#content", "x" * 10_001)
    page.click("[aria-label=Send]")
    expect(page.locator("#composer-error")).to_contain_text(re.compile("10,?000"))
    expect(page.locator("#content")).to_have_value("x" * 10_001)
    page.goto(ana.server.url)
    page.click("text=Older messages")
    expect(bodies.first).to_have_text("message 0")


def test_a_first_visit_is_small_and_later_ones_load_only_the_page(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    socket = ana.connect()
    for number in range(60):
        socket.post(f"message {number}", room)
    context, url = new_page(ana, "/health").context, ana.server.url + room_path(room)
    first, second = visit(context, url), visit(context, url)
    assert len(first.urls) <= 12, first.urls
    assert first.size <= 90_000
    assert len(second.urls) <= 3, second.urls


def test_long_words_and_names_fit_phones(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("A room with a rather long name that has to be cut off somewhere", topic="topic " * 20)
    socket = ana.connect()
    for text in ("x" * 300, "https://example.com/" + "y" * 300):
        socket.post(text, room)
    page = new_page(ana, **PHONE)
    for path in ("", "/settings"):
        page.goto(ana.server.url + room_path(room) + path)
        assert not page.evaluate(SCROLLS_SIDEWAYS), path


def test_a_message_above_that_becomes_longer_does_not_move_what_one_reads(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    socket = ana.connect()
    for number in range(1, 61):
        socket.post(f"message {number}")
    page = wait_until_connected(new_page(bob))
    read = page.locator("#message-30")
    read.evaluate("message => message.scrollIntoView()")
    expect(page.locator("[data-jump-to-latest]")).to_be_visible()  # The page knows that one has scrolled up.
    before = read.evaluate("message => message.getBoundingClientRect().top")
    for seq in (27, 26):
        content = "first line" + "\nanother line" * 10
        assert socket.call("edit_message", {"conversation": "general", "seq": seq, "content": content})["ok"]
    expect(page.locator("#message-26")).to_contain_text("another line")
    assert abs(read.evaluate("message => message.getBoundingClientRect().top") - before) <= 1


def test_new_messages_do_not_scroll_a_reader_who_has_scrolled_up(ana: Person, bob: Person, new_page: NewPage) -> None:
    socket = bob.connect()
    for number in range(80):
        socket.post(f"message {number}")
    page = wait_until_connected(new_page(ana))
    view = page.locator("[data-timeline]")
    expect(page.locator("#message-31")).to_be_attached()
    while 1 not in message_seqs(page):
        first = message_seqs(page)[0]
        view.evaluate("view => { view.scrollTop = 40; }")
        expect(page.locator(f"#message-{first - 1}")).to_be_attached()
    assert message_seqs(page) == list(range(1, 81))

    view.evaluate("view => { view.scrollTop = 300; }")
    page.wait_for_timeout(300)
    before = view.evaluate("view => view.scrollTop")
    socket.post("news")
    expect(page.locator("[data-jump-to-latest]")).to_be_visible()
    assert abs(view.evaluate("view => view.scrollTop") - before) <= 2
    page.click("[data-jump-to-latest]")
    expect(page.locator("#message-81")).to_be_in_viewport()


def test_messages_are_grouped_and_days_and_times_follow_the_clock_and_the_time_zone_of_the_browser(
    server: Server, ana: Person, new_page: NewPage
) -> None:
    fill_general(server, 3)
    server.execute("UPDATE messages SET created_at = '2026-03-05 23:30:00'")
    due_at = datetime.now(UTC) + timedelta(days=1)
    assert ana.connect().call("schedule_message", message_payload("later") | {"due_at": due_at.isoformat()})["ok"]
    page = new_page(ana, "/scheduled", locale="en-GB")
    devtools = page.context.new_cdp_session(page)

    def travel(zone: str) -> None:
        devtools.send("Emulation.setTimezoneOverride", {"timezoneId": zone})
        page.evaluate("window.dispatchEvent(new Event('focus'))")

    for zone in ("UTC", "Asia/Tokyo", "UTC"):
        travel(zone)
        expect(page.locator("[data-scheduled-id]")).to_contain_text(f"at {due_at.astimezone(ZoneInfo(zone)):%H:%M}")

    page.clock.install(time=datetime(2026, 3, 5, 23, 40, tzinfo=UTC))
    page.goto(server.url)
    wait_until_connected(page)
    day, time = page.locator(".date-separator"), page.locator(".message-time").first
    expect(page.locator(".message.is-continued")).to_have_count(2)
    expect(day).to_have_text("Today")
    page.clock.fast_forward("30:00")
    expect(day).to_have_text("Yesterday")
    expect(time).to_have_text("23:30")
    travel("Asia/Tokyo")
    expect(time).to_have_text("08:30")
    expect(day).to_have_text("Today")
