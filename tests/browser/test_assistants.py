"""Answers of an assistant in the browsers of two people: streaming, stopping, restarts, sessions."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.harness.assistants import insert_quotable_messages, shared_conversation
from tests.harness.pages import NewPage, send_message, wait_until_connected
from tests.harness.people import Person, room_path
from tests.harness.servers import Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.browser

PATH = "/assistants/helper"


def last_answer(page: Page) -> Locator:
    return page.locator(".message[data-answer-state]").last


def answer_text(page: Page, state: str = "") -> str:
    """Return the text of the last answer on the page. Waits until it is in `state`."""
    if state:
        expect(last_answer(page)).to_have_attribute("data-answer-state", state)
    text: str = last_answer(page).locator("[data-answer]").inner_text()
    return text


def wait_for_words(page: Page, count: int) -> None:
    """Wait until the last answer has at least `count` words."""
    eventually(lambda: len(answer_text(page).split()) >= count, f"the answer has {count} words")


@pytest.fixture
def history(server: Server) -> None:
    """Messages whose search result takes some seconds to stream."""
    insert_quotable_messages(server, shared_conversation(server, "helper"))


@pytest.mark.usefixtures("history")
def test_an_answer_streams_to_two_browsers_is_stopped_and_survives_a_restart(
    server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    ana_page, bob_page = (wait_until_connected(new_page(person, PATH)) for person in (ana, bob))
    send_message(ana_page, "find budget")
    for page in (ana_page, bob_page):
        wait_for_words(page, 10)
        assert last_answer(page).get_attribute("data-answer-state") in {"queued", "streaming"}
    # Only the person who asked may stop it.
    expect(bob_page.locator("[data-stop-answer]")).to_be_hidden()
    ana_page.locator("[data-stop-answer]").click()
    stopped = answer_text(ana_page, "stopped")
    assert answer_text(bob_page, "stopped") == stopped
    assert 10 <= len(stopped.split()) < 200

    ana_page.locator("[data-answer-again]").last.click()
    wait_for_words(bob_page, 15)
    eventually(
        lambda: server.rows("SELECT count(*) FROM messages WHERE state = 'streaming' AND content <> ''") == [(1,)],
        "the unfinished answer is stored",
    )
    server.kill()
    expect(bob_page.locator("[data-connection]")).to_have_attribute("data-state", "offline")
    server.start()
    interrupted = answer_text(ana_page, "interrupted")
    assert answer_text(bob_page, "interrupted") == interrupted
    assert interrupted
    third = wait_until_connected(new_page(bob, PATH))
    assert answer_text(third) == interrupted
    expect(third.get_by_text("chatapp restarted while this answer was being written.")).to_be_visible()

    ana_page.get_by_role("button", name="Try again").click()
    whole = answer_text(third, "complete")
    assert whole.startswith("Messages about “budget”:")
    for page in (ana_page, bob_page):
        assert answer_text(page, "complete") == whole
        expect(page.locator(".message")).to_have_count(7)
    third.get_by_role("link", name=re.compile("Helper, ")).first.click()
    expect(third.locator("#message-5")).to_be_in_viewport()


@pytest.mark.usefixtures("history")
def test_a_page_opened_during_an_answer_shows_all_of_it(ana: Person, bob: Person, new_page: NewPage) -> None:
    ana_page = wait_until_connected(new_page(ana, PATH))
    send_message(ana_page, "find budget")
    wait_for_words(ana_page, 20)
    bob_page = wait_until_connected(new_page(bob, PATH))
    assert answer_text(bob_page, "complete") == answer_text(ana_page, "complete")


def test_each_reader_sees_the_quotes_that_they_may_read_and_that_the_conversation_is_public(
    server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    room = ana.create_room("Plans", visibility="open")
    ana.connect().post("The budget is <b>tiny</b>", room)
    pages = ana_page, bob_page = [wait_until_connected(new_page(person, PATH)) for person in (ana, bob)]
    send_message(ana_page, "find budget")
    for page in pages:
        assert "Messages about" in answer_text(page, "complete")
    quote = last_answer(ana_page).locator("blockquote")
    expect(quote).to_contain_text("The budget is <b>tiny</b>")
    expect(last_answer(bob_page).locator("blockquote")).to_contain_text("you do not have access")
    quote.get_by_role("link", name=re.compile("Plans, ")).click()
    expect(ana_page.locator("#message-1")).to_contain_text("The budget is <b>tiny</b>")

    notice = bob_page.locator("[data-public-notice]")
    expect(notice).to_be_hidden()
    ana.post(f"/conversations/{shared_conversation(server, 'helper')}/share", PATH)
    expect(notice).to_be_visible()


def expect_title(page: Page, title: str) -> None:
    """Wait until the heading and the tab have the title. The message field names the assistant."""
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page).to_have_title(f"{title} · chatapp")
    expect(page.get_by_label("Message Helper", exact=True)).to_have_attribute("placeholder", "Message Helper")


def test_a_session_is_started_renamed_and_deleted(ana: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(ana, PATH))
    page.get_by_role("button", name="New session").click()
    wait_until_connected(page)
    send_message(page, "help")
    answer_text(page, "complete")
    expect(page.get_by_role("navigation").get_by_role("link", name="help", exact=True)).to_be_visible()
    expect_title(page, "help")
    path = page.url.removeprefix(ana.server.url)
    ana.post(f"{path}/title", f"{path}/title", title="What it does")  # On another device.
    expect_title(page, "What it does")
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Edit title and tags").click()
    page.fill("#title", "What it knows")
    page.press("#title", "Enter")
    expect(page.get_by_role("heading", name="What it knows")).to_be_visible()
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Delete session…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete session").click()
    expect(page.get_by_text("Session deleted.")).to_be_visible()
    expect(page.get_by_role("link", name="What it knows")).to_have_count(0)


def test_an_assistant_is_suggested_and_answers_in_a_room(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Plans")
    page = wait_until_connected(new_page(ana, room_path(room)))
    page.locator("#content").press_sequentially("@hel")
    page.locator("[data-mention-options] [role=option]").click()
    page.locator("#content").press_sequentially("how do I invite somebody?")
    page.press("#content", "Enter")
    assert "invitation link" in answer_text(page, "complete")
    page.locator("[data-copy-answer]").click()
