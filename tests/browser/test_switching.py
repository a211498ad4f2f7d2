"""Switching between pages: the window stays, no message is lost or doubled, and nothing that was typed."""

import re

import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from tests.harness.assistants import insert_quotable_messages, shared_conversation
from tests.harness.pages import (
    NewPage,
    message_seqs,
    message_texts,
    send_message,
    wait_for_message,
    wait_until_connected,
    wait_until_stored,
)
from tests.harness.people import Person, Socket, room_path
from tests.harness.rows import fill_general
from tests.harness.servers import Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.browser

LATENCY_MS = 150
KEY_MS = 60


def entry(page: Page, conversation: str) -> Locator:
    return page.locator(f"[data-entry='{conversation}']")


def switch(page: Page, conversation: str) -> None:
    """Click on a conversation in the sidebar, and wait until it is shown and has caught up."""
    entry(page, conversation).click()
    expect(page.locator("main")).to_have_attribute("data-conversation", conversation)


def fill_room(person: Person, name: str, messages: int = 3) -> str:
    room = person.create_room(name)
    socket = person.connect()
    for number in range(1, messages + 1):
        socket.post(f"{name} {number}", room)
    return room


def mark_window(page: Page) -> None:
    page.evaluate("window.isMarked = true")


def is_marked(page: Page) -> bool:
    """Return whether the window was not loaded again since it was marked."""
    return page.evaluate("window.isMarked === true") is True


def scroll_up_to(page: Page, seq: int) -> None:
    """Load older messages until the one with this number is on the page."""

    def is_loaded() -> bool:
        page.locator("[data-timeline]").evaluate("view => { view.scrollTop = 0; }")
        return page.locator(f"#message-{seq}").count() == 1

    eventually(is_loaded, f"message {seq} is on the page", timeout=30)


def set_latency(page: Page, milliseconds: int) -> None:
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": milliseconds, "downloadThroughput": -1, "uploadThroughput": -1},
    )


def test_a_switch_keeps_the_socket_the_sidebar_and_drafts(ana: Person, new_page: NewPage) -> None:
    rooms = [ana.create_room(f"Room {number}") for number in range(14)]
    page = wait_until_connected(new_page(ana, viewport={"width": 1280, "height": 500}))
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright cannot wrap a built-in.
    mark_window(page)
    page.fill("#content", "a draft")
    sidebar = page.locator("[data-sidebar]")
    entry(page, rooms[3]).scroll_into_view_if_needed()
    top = sidebar.evaluate("list => list.scrollTop")
    assert top > 0

    switch(page, rooms[3])
    expect(page).to_have_url(re.compile(room_path(rooms[3]) + "$"))
    expect(page).to_have_title("Room 3 · chatapp")
    expect(page.locator("h1")).to_have_text(re.compile("Room 3"))
    expect(page.locator("[data-page-announcement]")).to_have_text("Room 3 · chatapp")
    expect(page.locator(".sidebar [aria-current]")).to_have_count(1)
    expect(entry(page, rooms[3])).to_have_attribute("aria-current", "page")
    expect(page.locator("#content")).to_be_focused()
    expect(page.locator("#content")).to_have_value("")
    page.fill("#content", "another draft")
    page.click(".sidebar-foot >> text=People")
    expect(page).to_have_title("People · chatapp")
    expect(page.locator("main")).to_be_focused()
    switch(page, rooms[3])
    expect(page.locator("#content")).to_have_value("another draft")
    assert sidebar.evaluate("list => list.scrollTop") == top
    page.go_back()
    page.go_back()
    page.go_back()
    expect(page.locator("#content")).to_have_value("a draft")
    expect(page).to_have_title("General · chatapp")
    expect(entry(page, "general")).to_be_in_viewport()
    assert is_marked(page)
    switch(page, rooms[3])
    assert sockets == []
    top = sidebar.evaluate("list => list.scrollTop")
    assert top > 0
    page.reload()
    wait_until_connected(page)
    assert sidebar.evaluate("list => list.scrollTop") == top


def test_back_and_forward_restore_the_position(ana: Person, new_page: NewPage) -> None:
    room, other = fill_room(ana, "Long", 70), fill_room(ana, "Other", 70)
    page = wait_until_connected(new_page(ana, room_path(room)))
    mark_window(page)
    view = page.locator("[data-timeline]")
    expect(page.locator("#message-70")).to_be_in_viewport()

    scroll_up_to(page, 1)
    view.evaluate("view => { view.scrollTop = 1000; }")
    expect(page.locator("[data-jump-to-latest]")).to_be_visible()

    def position() -> list[float]:
        positions: list[float] = page.eval_on_selector_all(
            ".message", "messages => messages.map((message) => message.getBoundingClientRect().top)"
        )
        return positions[-20:]

    before = position()
    switch(page, other)
    expect(page.locator("#message-70")).to_be_in_viewport()
    page.go_back()
    expect(page.locator("main")).to_have_attribute("data-conversation", room)
    assert position() == before
    page.go_forward()
    expect(page.locator("#message-70")).to_be_in_viewport()
    assert is_marked(page)
    # In a window that was loaded again, too.
    page.go_back()
    page.goto(ana.server.url + "/sign-in/unknown")
    page.go_back()
    wait_until_connected(page)
    expect(page.locator("[data-jump-to-latest]")).to_be_visible()
    assert position()[-1] == pytest.approx(before[-1], abs=1)


def test_a_busy_browser_loads_all_older_messages(server: Server, ana: Person, new_page: NewPage) -> None:
    fill_general(server, 200)
    page = new_page(ana, "/settings")
    page.add_init_script(
        """
        const Observer = window.IntersectionObserver;
        window.IntersectionObserver = class extends Observer {
          constructor(callback, options) {
            // With little processor time, several changes are reported at once, the earliest one first.
            const earlier = ({ target, isIntersecting, boundingClientRect, rootBounds }) =>
              ({ target, isIntersecting: !isIntersecting, boundingClientRect, rootBounds });
            super((entries, observer) => callback([...entries.map(earlier), ...entries], observer), options);
          }
        };
        """
    )
    page.goto(server.url)
    wait_until_connected(page)
    scroll_up_to(page, 1)


def test_back_restores_a_position_that_is_far_from_the_latest_message(
    server: Server, ana: Person, new_page: NewPage
) -> None:
    fill_general(server, 700)
    page = wait_until_connected(new_page(ana))
    message = page.locator("#message-100")
    scroll_up_to(page, 100)

    def top() -> float:
        position: float = message.evaluate("message => message.getBoundingClientRect().top")
        return position

    def is_centered() -> bool:
        # Messages that have not been on the screen have an estimated height.
        before = top()
        message.evaluate("message => message.scrollIntoView({ block: 'center' })")
        return abs(top() - before) < 1

    eventually(is_centered, "the message is in the middle")
    before = top()
    page.get_by_role("link", name="Threads").click()
    expect(page.get_by_text("No threads yet.")).to_be_visible()
    # The window does not keep its pages.
    ana.create_room("Design")
    expect(page.get_by_role("link", name="Design")).to_be_visible()
    page.go_back()
    expect(message).to_be_in_viewport()
    eventually(lambda: abs(top() - before) <= 1, "the same position")
    page.goto(ana.server.url + "/sign-in/unknown")
    page.go_back()
    wait_until_connected(page)
    expect(message).to_be_in_viewport()
    eventually(lambda: abs(top() - before) <= 1, "the same position")
    page.locator("[data-jump-to-latest]").click()
    expect(page.locator("#message-700")).to_be_in_viewport()


def post_changes(socket: Socket, room: str, number: int) -> None:
    """Post a message, edit it, and delete an earlier one."""
    seq = socket.post(f"first {number}", room)["seq"]
    socket.post(f"second {number}", room)
    socket.call("edit_message", {"conversation": room, "seq": seq, "content": f"first {number}, edited"})
    if number == 2:
        socket.call("delete_message", {"conversation": room, "seq": seq})


def test_each_message_is_shown_once_after_going_back_and_forth(
    server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    page = wait_until_connected(new_page(ana, room_path(room)))
    mark_window(page)
    socket = bob.connect()
    for number in range(5):
        send_message(page, f"mine {number}")
        # At once: the message is acknowledged, and others arrive, before, while and after the room is joined again.
        switch(page, "general")
        post_changes(socket, room, number)
        if number % 2 == 0:
            expect(entry(page, room).locator("[data-badge]")).to_be_visible()
        switch(page, room)
        socket.post(f"third {number}", room)
        wait_for_message(page, f"third {number}")
    wait_until_stored(page)

    stored = server.rows("SELECT seq, content, deleted_at FROM messages WHERE conversation_id <> 1 ORDER BY seq")
    assert message_seqs(page) == [seq for seq, _, _ in stored]
    assert message_texts(page) == [
        "This message was deleted." if deleted else str(content) for _, content, deleted in stored
    ]
    assert len(stored) == 20
    assert is_marked(page)


def test_messages_are_sent_while_another_page_is_shown(server: Server, ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    page = wait_until_connected(new_page(ana, room_path(room)))
    switch(page, "general")
    switch(page, room)
    page.context.set_offline(offline=True)
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "offline")
    for text in ("one", "two"):
        send_message(page, text)
    expect(page.locator(".message-sending")).to_have_count(2)
    switch(page, "general")
    page.click(".sidebar-foot >> text=People")
    expect(page.locator("[data-page-unavailable]")).to_be_visible()
    page.context.set_offline(offline=False)

    wait_until_connected(page)
    expect(page).to_have_title("People · chatapp")
    switch(page, room)
    wait_until_stored(page)
    assert message_texts(page) == ["one", "two"]
    assert server.rows("SELECT content FROM messages ORDER BY seq") == [("one",), ("two",)]


def test_an_answer_that_streams_is_whole_after_a_switch(server: Server, ana: Person, new_page: NewPage) -> None:
    insert_quotable_messages(server, shared_conversation(server, "helper"))
    page = wait_until_connected(new_page(ana, "/assistants/helper"))
    mark_window(page)
    send_message(page, "find budget")
    answer = page.locator(".message[data-answer-state]").last
    expect(answer).to_contain_text("Messages about")
    for _ in range(2):
        switch(page, "general")
        page.go_back()
        expect(answer).to_have_attribute("data-answer-state", re.compile("streaming|complete"))
    expect(answer).to_have_attribute("data-answer-state", "complete")
    shown = answer.locator("[data-answer]").inner_text()
    assert is_marked(page)
    page.reload()
    assert answer.locator("[data-answer]").inner_text() == shown


def test_no_keystroke_is_lost_during_a_switch(ana: Person, new_page: NewPage) -> None:
    room, other = ana.create_room("Design"), ana.create_room("Sales")
    page = wait_until_connected(new_page(ana))
    set_latency(page, LATENCY_MS)
    text = "typed while the page loads"
    for name in (room, other, room):
        entry(page, name).click()
        page.keyboard.type(text, delay=KEY_MS)
        expect(page.locator("main")).to_have_attribute("data-conversation", name)
        expect(page.locator("#content")).to_have_value(text)
        expect(page.locator("#content")).to_be_focused()
        page.keyboard.press("Enter")
        wait_until_stored(page)
        assert message_texts(page)[-1] == text


def test_a_message_that_is_finished_before_the_page_is_shown_is_sent_there(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    page = wait_until_connected(new_page(ana))
    set_latency(page, 3 * LATENCY_MS)
    entry(page, room).click()
    page.keyboard.type("hi\nmore")
    assert page.locator("main").get_attribute("data-conversation") == "general"
    expect(page.locator("#content")).to_have_value("more")
    wait_until_stored(page)
    expect(page.locator("main")).to_have_attribute("data-conversation", room)
    assert message_texts(page) == ["hi"]


def test_a_page_that_is_fetched_in_advance_marks_nothing_as_read(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    page = wait_until_connected(new_page(bob))
    ana.connect().post("unread", room)
    expect(entry(page, room).locator("[data-badge]")).to_be_visible()
    with page.expect_response(lambda response: response.url.endswith(room_path(room))):
        entry(page, room).hover()
    assert bob.sidebar_counts(room) == (1, 0)
    entry(page, room).click()
    wait_for_message(page, "unread")
    expect(page.locator(".unread-divider")).to_be_visible()
    expect(entry(page, room).locator("[data-badge]")).to_be_hidden()


def test_messages_that_arrived_while_away_are_below_a_line(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    socket = ana.connect()
    socket.post("read", room)
    page = wait_until_connected(new_page(bob, room_path(room)))
    expect(entry(page, room).locator("[data-badge]")).to_be_hidden()
    switch(page, "general")
    socket.post("missed", room)
    expect(entry(page, room).locator("[data-badge]")).to_be_visible()
    switch(page, room)
    expect(page.locator(".unread-divider + .message .message-body")).to_have_text("missed")
    expect(entry(page, room).locator("[data-badge]")).to_be_hidden()


def test_pages_that_were_seen_are_not_shown_after_signing_out(ana: Person, new_page: NewPage) -> None:
    room = fill_room(ana, "Secret")
    page = wait_until_connected(new_page(ana, room_path(room)))
    switch(page, "general")
    ana.post("/sign-out")
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "signed-out")
    assert room_path(room) not in page.evaluate("Object.values(localStorage).join()")
    entry(page, room).click()
    expect(page.get_by_role("heading")).to_have_text("Sign in")
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Secret 1")).to_have_count(0)


def test_a_room_that_was_renamed_meanwhile_has_its_new_name(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    page = wait_until_connected(new_page(bob, room_path(room)))
    switch(page, "general")
    ana.post(
        f"{room_path(room)}/settings", f"{room_path(room)}/settings", name="Drafts", topic="", visibility="private"
    )
    expect(entry(page, room)).to_contain_text("Drafts")
    switch(page, room)
    expect(page.locator("h1")).to_contain_text("Drafts")
    expect(page).to_have_title("Drafts · chatapp")
    switch(page, "general")
    ana.remove(room, bob)
    expect(entry(page, room)).to_have_count(0)
    page.go_back()
    expect(page.locator(".error-status")).to_have_text("404")


def test_pages_work_without_javascript(ana: Person, new_page: NewPage) -> None:
    room = fill_room(ana, "Design")
    page = new_page(ana, java_script_enabled=False)
    entry(page, room).click()
    expect(page).to_have_title("Design · chatapp")
    expect(page.locator("#content")).to_be_focused()
    page.fill("#content", "posted by a form")
    page.click("button[aria-label=Send]")
    wait_for_message(page, "posted by a form")


def test_a_switch_on_a_phone_closes_the_menu_and_opens_no_keyboard(ana: Person, new_page: NewPage) -> None:
    room = fill_room(ana, "Design")
    phone = {"viewport": {"width": 390, "height": 840}, "has_touch": True, "is_mobile": True, "user_agent": "Mobile"}
    page = wait_until_connected(new_page(ana, **phone))
    expect(page.locator("#content")).not_to_be_focused()
    page.get_by_role("button", name="Open menu").tap()
    entry(page, room).tap()
    expect(page.locator("main")).to_have_attribute("data-conversation", room)
    expect(page.locator("#sidebar")).to_be_hidden()
    expect(page.locator("#content")).not_to_be_focused()


def test_pages_with_scripts_of_their_own_are_loaded_in_full(ana: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(ana))
    page.click(".sidebar-foot >> text=Administration")
    expect(page).to_have_title("Webhooks, links and tokens · chatapp")
    page.get_by_role("link", name="Status").click()
    expect(page.locator("[data-plot][data-points]").first).to_be_visible()
    entry(page, "general").click()
    wait_until_connected(page)
    send_message(page, "back again")
    wait_until_stored(page)
    page.go_back()
    expect(page.locator("[data-plot][data-points]").first).to_be_visible()


def test_back_from_an_error_shows_the_page_before_it(ana: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(ana))
    page.evaluate("navigation.navigate('/rooms/99')")
    expect(page.get_by_role("heading", name="Not Found")).to_be_visible()
    page.go_back()
    send_message(wait_until_connected(page), "back again")
    wait_until_stored(page)
