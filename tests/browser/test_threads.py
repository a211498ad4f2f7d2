"""Threads: beside their conversation, and on a page of their own."""

import pytest
from playwright.sync_api import Page, expect

from tests.harness.accessibility import list_violations
from tests.harness.pages import (
    PHONE,
    NewPage,
    message_texts,
    open_pages,
    send_message,
    wait_for_message,
    wait_until_connected,
    wait_until_stored,
)
from tests.harness.people import Person, message_payload
from tests.harness.servers import Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.browser

PANE = "aside.pane"
THREAD = "/conversations/general/threads/1"


@pytest.fixture
def pages(ana: Person, bob: Person, new_page: NewPage) -> tuple[Page, Page]:
    """The pages of Bob and Ana, with a message by Bob."""
    return open_pages(bob, ana, new_page, "Who brings cake?")


def open_thread(page: Page, seq: int = 1) -> None:
    page.locator(f"main #message-{seq}").hover()
    page.click("main [data-message-toolbar] [data-open-thread]")
    expect(page.locator(f"{PANE} textarea[name=content]")).to_be_focused()


def reply(page: Page, text: str, root: str = PANE) -> None:
    page.fill(f"{root} textarea[name=content]", text)
    page.press(f"{root} textarea[name=content]", "Enter")


def replies(page: Page, root: str = PANE) -> list[str]:
    return page.locator(f"{root} [data-messages] .message-body").all_inner_texts()


def test_a_thread_is_read_and_answered_beside_its_conversation(server: Server, pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    open_thread(ana_page)
    assert ana_page.url == server.url + THREAD
    reply(ana_page, "I do")
    link = bob_page.locator("#message-1 .message-replies")
    expect(link).to_contain_text("1 reply")
    # Bob's message: he follows the thread.
    expect(bob_page.locator("[data-inbox=threads]")).to_contain_text("1")
    link.click()
    expect(bob_page.locator(f"{PANE} .message-body", has_text="I do")).to_be_visible()
    expect(bob_page.locator("[data-inbox=threads]")).to_be_hidden()
    reply(bob_page, "Thanks")
    bob_page.check(f"{PANE} [name=also_in_room]")
    reply(bob_page, "For everybody")
    for page in pages:
        expect(page.locator(f"{PANE} .message-body", has_text="For everybody")).to_be_visible()
        expect(page.locator("main .message-body", has_text="For everybody")).to_be_visible()
        assert replies(page) == ["I do", "Thanks", "For everybody"]
        assert message_texts_in_room(page) == ["Who brings cake?", "For everybody"]
        expect(page.locator("main #message-1 .message-replies")).to_contain_text("3 replies")
    assert list_violations(ana_page) == []

    server.kill()
    reply(ana_page, "during the restart")
    server.start()
    for page in pages:
        expect(page.locator(f"{PANE} .message-body", has_text="during the restart")).to_be_visible()
    ana_page.reload()
    assert replies(ana_page, "main") == ["I do", "Thanks", "For everybody", "during the restart"]
    assert list_violations(ana_page) == []


def message_texts_in_room(page: Page) -> list[str]:
    return page.locator("main [data-messages] .message-body").all_inner_texts()


def test_a_thread_is_opened_and_closed_by_keyboard(server: Server, pages: tuple[Page, Page]) -> None:
    page = pages[1]
    open_thread(page)
    page.keyboard.type("a draft")
    page.keyboard.press("Escape")
    expect(page.locator(PANE)).to_have_count(0)
    expect(page.locator("#message-1")).to_be_focused()
    assert page.url == server.url + "/"
    page.go_forward()
    expect(page.locator(f"{PANE} textarea[name=content]")).to_have_value("a draft")
    expect(page.locator("#content")).to_have_value("")
    page.click("[data-close-pane]")
    expect(page.locator(PANE)).to_have_count(0)
    # The conversation has stayed live.
    send_message(pages[0], "still here")
    wait_for_message(page, "still here")


def test_a_thread_is_a_page_of_its_own_on_a_phone(
    server: Server, pages: tuple[Page, Page], ana: Person, new_page: NewPage
) -> None:
    open_thread(pages[1])
    reply(pages[1], "I do")
    page = wait_until_connected(new_page(ana, **PHONE))
    page.tap("#message-1 .message-replies")
    expect(page.locator("main[data-thread]")).to_be_visible()
    page.fill("#content", "from the phone")
    page.tap(".send-button")
    wait_until_stored(page)
    assert message_texts(page)[-2:] == ["I do", "from the phone"]
    expect(pages[1].locator(f"{PANE} .message-body", has_text="from the phone")).to_be_visible()
    page.tap("[data-follow-thread] button")
    expect(page.locator("[data-follow-thread] button")).to_have_text("Follow")
    expect(pages[1].locator("[data-follow-thread] button")).to_have_text("Follow")
    page.go_back()
    expect(page.locator("#message-1 .message-replies")).to_contain_text("2 replies")


def test_a_reply_whose_thread_was_removed_is_sent_to_the_conversation(server: Server, pages: tuple[Page, Page]) -> None:
    bob_page, page = pages
    open_thread(page)
    reply(page, "I do")
    expect(page.locator(f"{PANE} [data-messages] [data-seq]")).to_have_count(1)
    server.execute("DELETE FROM messages WHERE seq = 1")
    reply(page, "too late")
    for root in (PANE, "main"):
        expect(page.locator(f"{root} [data-state=failed] [data-reason]")).to_contain_text("The thread was removed.")
    page.click(f"{PANE} [data-retry]")
    wait_for_message(bob_page, "too late")
    expect(page.locator("main [data-messages] [data-seq]", has_text="too late")).to_be_visible()
    assert replies(page) == ["I do"]


def test_the_first_message_of_a_thread_has_its_actions_there(pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    for page in pages:
        open_thread(page)
    reply(ana_page, "I do")
    root, elsewhere = f"{PANE} [data-thread-root] #message-1", "main #message-1"
    bob_page.locator(root).hover()
    toolbar = bob_page.locator(f"{root} [data-message-toolbar]")
    toolbar.locator("[data-react]").click()
    bob_page.click(f"{PANE} [data-emoji='🎉']")
    for page in pages:
        for place in (root, elsewhere):
            expect(page.locator(f"{place} [data-reaction='🎉']")).to_be_visible()
    # A reaction below it is a button.
    ana_page.click(f"{root} [data-reaction='🎉']")
    expect(bob_page.locator(f"{root} .reaction-count")).to_have_text("2")

    bob_page.locator(root).hover()
    toolbar.locator("[data-open-menu]").click()
    menu = bob_page.locator(f"{PANE} [data-message-menu]")
    menu.get_by_role("button", name="Edit").click()
    bob_page.fill(f"{root} .message-edit textarea", "Who brings two cakes?")
    bob_page.keyboard.press("Enter")
    expect(ana_page.locator(f"{root} .message-body")).to_have_text("Who brings two cakes?")

    bob_page.locator(root).hover()
    toolbar.locator("[data-open-menu]").click()
    menu.get_by_role("button", name="Delete").click()
    bob_page.click(f"{PANE} [data-delete-dialog] [value=delete]")
    for page in pages:
        expect(page.locator(f"{root}.is-deleted")).to_be_visible()
    assert list_violations(bob_page) == []
    bob_page.click(f"{root} [data-undelete] button")
    for page in pages:
        expect(page.locator(f"{root} .message-body")).to_have_text("Who brings two cakes?")
        expect(page.locator(f"{root}.is-deleted")).to_have_count(0)


def test_who_is_typing_is_shown_in_the_thread_only(pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    for page in pages:
        open_thread(page)
    bob_page.locator(f"{PANE} textarea[name=content]").press_sequentially("I ")
    expect(ana_page.locator(f"{PANE} [data-typing]")).to_have_text("Bob is typing…")
    expect(ana_page.locator("main [data-typing]")).to_have_text("")
    reply(bob_page, "I do")
    expect(ana_page.locator(f"{PANE} [data-typing]")).to_have_text("")
    bob_page.locator("main textarea[name=content]").press_sequentially("All")
    expect(ana_page.locator("main [data-typing]")).to_have_text("Bob is typing…")
    expect(ana_page.locator(f"{PANE} [data-typing]")).to_have_text("")


def test_a_thread_is_marked_as_unread_from_a_reply_on(pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    open_thread(ana_page)
    for text in ("one", "two"):
        reply(ana_page, text)
    open_thread(bob_page)
    badge = bob_page.locator("[data-inbox=threads]")
    expect(bob_page.locator(f"{PANE} .message-body", has_text="two")).to_be_visible()
    expect(badge).to_be_hidden()
    current = bob_page.locator(".sidebar-link[aria-current=page]")
    expect(current).to_contain_text("General")
    second = bob_page.locator(f"{PANE} [data-messages] [data-seq]").nth(1)
    second.hover()
    second.locator("[data-open-menu]").click()
    bob_page.locator(f"{PANE} [data-message-menu]").get_by_role("button", name="Mark as unread").click()
    expect(bob_page.locator(f"{PANE} .unread-divider + [data-seq] .message-body")).to_have_text("two")
    expect(badge).to_contain_text("1")
    # The sidebar was loaded again.
    expect(current).to_contain_text("General")


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with JavaScript", "without"])
def test_the_pages_of_a_long_thread_lead_in_both_directions(
    server: Server, ana: Person, new_page: NewPage, has_scripts: bool
) -> None:
    socket = ana.connect()
    socket.post("root")
    for number in range(1, 121):
        ack = socket.call("send_message", message_payload(str(number)) | {"thread": 1})
        assert ack["ok"], ack
    seqs = [each["seq"] for each in ana.api().get(f"{THREAD}?limit=100").json()["messages"]]
    page = new_page(ana, f"{THREAD}?before={seqs[-60]}", java_script_enabled=has_scripts)
    bodies = page.locator("main [data-messages] .message-body")
    if has_scripts:
        bodies.last.scroll_into_view_if_needed()
        page.mouse.move(700, 400)

        def is_at_end() -> bool:
            page.mouse.wheel(0, 20_000)
            return bodies.last.inner_text() == "120"

        # Each part that is loaded moves the end away.
        eventually(is_at_end, "the last reply is loaded")
        page.mouse.wheel(0, 20_000)
        expect(page.locator("[data-newer-messages]")).to_be_hidden()
        socket.call("send_message", message_payload("121") | {"thread": 1})
        expect(bodies.last).to_have_text("121")
        return
    shown = bodies.all_inner_texts()
    page.click("text=Newer replies")
    assert bodies.all_inner_texts()[0] == str(int(shown[-1]) + 1)
    page.click("text=Older replies")
    assert bodies.all_inner_texts() == shown
    page.click("text=Latest replies")
    assert bodies.all_inner_texts()[-1] == "120"
