"""A conversation with hundreds of unread messages: from the first one to the latest, without a gap."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_unread import badge
from tests.harness.pages import NewPage, message_seqs, send_message, wait_until_connected, wait_until_stored
from tests.harness.people import Person
from tests.harness.rows import fill_general
from tests.harness.servers import Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.browser

READ = 100
POSTED = READ + 590


@pytest.fixture
def busy_server(server: Server, ana: Person, bob: Person) -> Server:
    """A server on which Bob has read the first messages of the general chat."""
    fill_general(server, POSTED)
    server.execute(f"UPDATE memberships SET last_read_seq = {READ}")
    return server


def last_read(server: Server) -> int:
    ((seq,),) = server.rows(
        "SELECT last_read_seq FROM memberships JOIN users ON user_id = users.id WHERE username = 'bob'"
    )
    assert isinstance(seq, int)
    return seq


def scroll_to_end(page: Page) -> None:
    page.locator("[data-timeline]").evaluate("view => { view.scrollTop = view.scrollHeight; }")


def test_a_reader_catches_up_from_the_first_unread_message_to_the_latest(
    busy_server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    socket = ana.connect()
    page = wait_until_connected(new_page(bob))
    page.bring_to_front()
    banner = page.locator("[data-unread-banner]")
    expect(banner).to_contain_text("590 unread")
    expect(page.locator(f"#message-{POSTED}")).to_be_in_viewport()
    banner.locator("text=Jump to first").click()

    # The place, with what is above and below it.
    for seq in (READ - 1, READ + 1, READ + 2):
        expect(page.locator(f"#message-{seq}")).to_be_in_viewport()
    expect(page.locator(f".unread-divider + #message-{READ + 1}")).to_have_count(1)
    expect(banner).to_be_hidden()
    # What was on the screen is read: neither more nor less.
    eventually(lambda: READ < last_read(busy_server) < READ + 100, "what was on the screen is read")
    assert badge(page, "general").get_attribute("data-unread") != "0"

    # A new message is not shown below the gap.
    jump = page.locator("[data-jump-to-latest]")
    expect(jump).to_have_text("Jump to latest")
    latest = socket.post("first news")["seq"]
    socket.post("second news")
    expect(jump).to_have_text("Jump to latest (2)")
    assert max(message_seqs(page)) < POSTED

    page.locator("[data-timeline]").evaluate("view => { view.scrollTop = 0; }")
    expect(page.locator(f"#message-{READ - 60}")).to_be_attached()
    while max(message_seqs(page)) < latest:
        newest = max(message_seqs(page))
        scroll_to_end(page)
        expect(page.locator(f"#message-{newest + 1}")).to_be_attached()
    expect(page.locator(f"#message-{latest + 1}")).to_be_attached()
    seqs = message_seqs(page)
    assert seqs == list(range(seqs[0], latest + 2))
    expect(page.locator(f".unread-divider + #message-{READ + 1}")).to_have_count(1)
    scroll_to_end(page)
    expect(jump).to_be_hidden()
    socket.post("live again")
    expect(page.locator(f"#message-{latest + 2}")).to_be_in_viewport()
    # Those that were skipped are still unread.
    assert last_read(busy_server) < POSTED


def test_a_message_sent_from_an_earlier_place_leads_to_the_latest(
    busy_server: Server, bob: Person, new_page: NewPage
) -> None:
    page = wait_until_connected(new_page(bob, "/conversations/general/messages/300"))
    expect(page).to_have_url(re.compile(r"\?around=300#message-300$"))
    expect(page.locator("#message-300")).to_be_in_viewport()
    send_message(page, "from here")
    wait_until_stored(page)
    expect(page.locator(f"#message-{POSTED + 1}")).to_be_in_viewport()
    expect(page).to_have_url(re.compile("/$"))
    seqs = message_seqs(page)
    assert seqs == list(range(seqs[0], POSTED + 2))
    # "Mark as read" does not need them on the screen.
    expect(badge(page, "general")).not_to_have_attribute("data-unread", "0")
    page.click("[popovertarget=conversation-menu]")
    page.click("#conversation-menu >> text=Mark as read")
    expect(badge(page, "general")).to_have_attribute("data-unread", "0")
    eventually(lambda: last_read(busy_server) > POSTED, "the conversation is read")
