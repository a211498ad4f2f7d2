"""Two people watch an assistant answer, stop it, and find everything as it was after a restart."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.pages import say, wait_connected
from tests.harness.people import Person
from tests.harness.servers import Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.browser

PATH = "/assistants/helper"


def answer(page: Page, state: str = "") -> str:
    """Wait for the last answer on the page, in a state if one is given, and give its text."""
    found = page.locator(".message[data-answer-state]").last
    if state:
        expect(found).to_have_attribute("data-answer-state", state)
    text: str = found.locator("[data-answer]").inner_text()
    return text


def wait_for_words(page: Page, count: int) -> None:
    """Wait until the last answer has so many words."""
    eventually(lambda: len(answer(page).split()) >= count, f"{count} words are there")


@pytest.fixture
def history(ana: Person) -> None:
    """Enough to be found for an answer that takes some seconds."""
    socket = ana.connect()
    for number in range(5):
        socket.post(f"The budget, part {number}: " + "a word or two about money " * 10)


@pytest.mark.usefixtures("history")
def test_an_answer_streams_in_two_browsers_is_stopped_and_survives_a_restart(
    server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    hers, his = (wait_connected(new_page(person, PATH)) for person in (ana, bob))
    say(hers, "find budget")
    for page in (hers, his):
        wait_for_words(page, 10)
        assert page.locator(".message[data-answer-state]").last.get_attribute("data-answer-state") in {
            "queued",
            "streaming",
        }
    # Who did not ask cannot stop it.
    expect(his.locator("[data-stop-answer]")).to_be_hidden()
    hers.locator("[data-stop-answer]").click()
    stopped = answer(hers, "stopped")
    assert answer(his, "stopped") == stopped
    assert 10 <= len(stopped.split()) < 200

    hers.locator("[data-answer-again]").last.click()
    wait_for_words(his, 15)
    eventually(
        lambda: server.rows("SELECT count(*) FROM messages WHERE state = 'streaming' AND content <> ''") == [(1,)],
        "what grows is stored",
    )
    server.kill()
    expect(his.locator("[data-connection]")).to_have_attribute("data-state", "offline")
    server.start()
    interrupted = answer(hers, "interrupted")
    assert answer(his, "interrupted") == interrupted
    assert interrupted
    third = wait_connected(new_page(bob, PATH))
    assert answer(third) == interrupted
    expect(third.get_by_text("chatapp restarted while this answer was being written.")).to_be_visible()

    hers.get_by_role("button", name="Try again").click()
    whole = answer(third, "complete")
    assert whole.startswith("About “budget” I found:")
    for page in (hers, his):
        assert answer(page, "complete") == whole
        expect(page.locator(".message")).to_have_count(2)
    third.get_by_role("link", name=re.compile("General, ")).first.click()
    expect(third.locator("#message-5")).to_be_in_viewport()


@pytest.mark.usefixtures("history")
def test_whoever_opens_the_page_in_the_middle_sees_the_whole_answer(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    hers = wait_connected(new_page(ana, PATH))
    say(hers, "find budget")
    wait_for_words(hers, 20)
    his = wait_connected(new_page(bob, PATH))
    assert answer(his, "complete") == answer(hers, "complete")


def test_a_session_is_begun_named_renamed_and_deleted(ana: Person, new_page: NewPage) -> None:
    page = wait_connected(new_page(ana, PATH))
    page.get_by_role("button", name="New session").click()
    wait_connected(page)
    say(page, "help")
    answer(page, "complete")
    expect(page.get_by_role("navigation").get_by_role("link", name="help", exact=True)).to_be_visible()
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Rename").click()
    page.fill("#title", "What it knows")
    page.press("#title", "Enter")
    expect(page.get_by_role("heading", name="What it knows")).to_be_visible()
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Delete session…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete session").click()
    expect(page.get_by_text("Session deleted.")).to_be_visible()
    expect(page.get_by_role("link", name="What it knows")).to_have_count(0)


def test_an_assistant_is_offered_and_answers_in_a_room(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Plans")
    page = wait_connected(new_page(ana, "/rooms/" + room.removeprefix("room_")))
    page.locator("#content").press_sequentially("@hel")
    page.locator("[data-mention-options] [role=option]").click()
    page.locator("#content").press_sequentially("how do I invite somebody?")
    page.press("#content", "Enter")
    assert "invitation link" in answer(page, "complete")
    page.locator("[data-copy-answer]").click()
