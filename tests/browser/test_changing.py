"""Edit, delete and react on the page: what everybody else sees of it, and who is offered what."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NewPage
from tests.browser.pages import bodies, say, wait_connected, wait_for_text, wait_sent
from tests.harness.people import Person
from tests.harness.servers import Server

pytestmark = pytest.mark.browser


def offered(page: Page, seq: int) -> set[str]:
    """Point at a message and list what can be done with it."""
    page.locator(f"#message-{seq}").hover()
    tools = page.locator("[data-message-toolbar]")
    expect(tools).to_be_visible()
    return {each.get_attribute("aria-label") or "" for each in tools.locator("button:visible").all()}


def tool(page: Page, seq: int, name: str) -> Locator:
    assert name in offered(page, seq)
    return page.locator(f"[data-message-toolbar] [aria-label={name}]")


def react(page: Page, seq: int, name: str) -> None:
    tool(page, seq, "React").click()
    page.locator(f"[data-reaction-picker] [aria-label='{name}']").click()


@pytest.fixture
def pages(ana: Person, bob: Person, new_page: NewPage) -> tuple[Page, Page]:
    """Bob's page and, of an administrator, Ana's, with a message of each."""
    his, hers = wait_connected(new_page(bob)), wait_connected(new_page(ana))
    say(his, "from bob")
    wait_sent(his)
    say(hers, "from ana")
    wait_for_text(his, "from ana")
    return his, hers


def test_one_is_offered_what_one_may_do(pages: tuple[Page, Page]) -> None:
    his, hers = pages
    assert offered(his, 1) == {"React", "Mark as unread", "Edit", "Delete"}
    assert offered(his, 2) == {"React", "Mark as unread"}
    assert offered(hers, 1) == {"React", "Mark as unread", "Delete"}


def test_an_edit_is_seen_by_everybody_and_after_a_reload(pages: tuple[Page, Page]) -> None:
    his, hers = pages
    his.press("#content", "ArrowUp")
    form = his.locator("#message-1 .message-edit")
    expect(form.locator("textarea")).to_have_value("from bob")
    form.locator("textarea").fill("from Robert")
    form.locator("textarea").press("Enter")
    for page in (his, hers):
        expect(page.locator("#message-1 .message-body")).to_have_text("from Robert")
        expect(page.locator("#message-1 .message-edited")).to_be_visible()
    hers.reload()
    assert bodies(hers) == ["from Robert", "from ana"]


def test_what_one_is_writing_survives_a_restart_and_others_changes(server: Server, pages: tuple[Page, Page]) -> None:
    his, hers = pages
    tool(his, 1, "Edit").click()
    text = his.locator("#message-1 .message-edit textarea")
    text.fill("half of")
    react(hers, 1, "Heart")
    expect(his.locator("#message-1 .reaction")).to_be_visible()
    server.kill()
    server.start()
    wait_connected(his)
    expect(text).to_have_value("half of")
    text.press("Enter")
    expect(hers.locator("#message-1 .message-body")).to_have_text("half of")
    expect(hers.locator("#message-1 .reaction")).to_be_visible()


def test_a_deleted_message_is_gone_from_every_page(pages: tuple[Page, Page]) -> None:
    his, hers = pages
    tool(hers, 1, "Delete").click()
    hers.locator("[data-delete-dialog] button", has_text="Cancel").click()
    expect(hers.locator("#message-1 .message-body")).to_have_text("from bob")
    tool(hers, 1, "Delete").click()
    hers.locator("[data-delete-dialog] button", has_text="Delete").click()
    for page in (his, hers):
        expect(page.locator("#message-1")).to_contain_text("This message was deleted.")
    assert "from bob" not in his.content()


def test_reactions_are_counted_and_taken_back(pages: tuple[Page, Page]) -> None:
    his, hers = pages
    react(hers, 1, "Thumbs up")
    chip = his.locator("#message-1 .reaction")
    expect(chip).to_have_text("👍 1")
    expect(chip).to_have_attribute("aria-pressed", "false")
    chip.click()
    expect(hers.locator("#message-1 .reaction")).to_have_text("👍 2")
    expect(chip).to_have_attribute("aria-pressed", "true")
    chip.click()
    hers.locator("#message-1 .reaction").click()
    expect(chip).to_have_count(0)


def test_the_tools_can_be_used_by_touch_and_by_keyboard(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    for text in ("one", "two"):
        socket.post(text)
    phone = wait_connected(new_page(ana, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True))
    phone.locator("#message-1 [data-more]").tap()
    phone.locator("[data-message-toolbar] [data-react]").tap()
    phone.locator("[data-reaction-picker] [aria-label=Party]").tap()
    desk = wait_connected(new_page(ana))
    expect(desk.locator("#message-1 .reaction")).to_have_text("🎉 1")

    desk.locator("#message-2").focus()
    desk.keyboard.press("ArrowUp")
    expect(desk.locator("#message-1")).to_be_focused()
    desk.locator("[data-message-toolbar] [data-edit]").focus()
    desk.keyboard.press("Enter")
    desk.keyboard.type("!")
    desk.keyboard.press("Enter")
    expect(desk.locator("#message-1 .message-body")).to_have_text("one!")
    expect(phone.locator("#message-1 .message-body")).to_have_text("one!")
