"""Formatted messages of people, live and after a reload."""

import pytest
from playwright.sync_api import Page, expect

from tests.harness.accessibility import list_violations
from tests.harness.message_actions import choose
from tests.harness.pages import PHONE, NewPage, send_message, wait_until_connected, wait_until_stored
from tests.harness.people import Person

pytestmark = pytest.mark.browser

CODE = "x = 1  # " + "a long line that does not fit " * 8

TABLE = f"|{'column|' * 12}\n|{'-|' * 12}\n|{'value |' * 12}"

TEXT = f"""**Bold** and ~~gone~~ for @bob,
a new line with `code @bob`, ||the secret|| and https://example.com/a_b_c

- [x] done
- [ ] open

> a quote

```python
{CODE}
```

{TABLE}

{"unbroken" * 40}"""


def expect_formatted(page: Page) -> None:
    """Expect that the first message is shown with every kind of formatting, within the width of the page."""
    body = page.locator("#message-1 .message-body")
    expect(body.locator("strong")).to_have_text("Bold")
    expect(body.locator("s")).to_have_text("gone")
    expect(body.locator(".mention")).to_have_text(["@bob"])
    expect(body.locator("code").first).to_have_text("code @bob")
    expect(body.get_by_role("link")).to_have_attribute("href", "https://example.com/a_b_c")
    expect(body.get_by_role("checkbox", name="Done", exact=True)).to_be_checked()
    expect(body.get_by_role("checkbox", name="Not done")).to_be_disabled()
    expect(body.locator("blockquote")).to_have_text("a quote")
    expect(body.locator("pre .hl-mi")).to_have_text("1")
    expect(body.get_by_text("the secret")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.eval_on_selector("#message-1", "message => message.scrollWidth <= message.clientWidth")


def test_a_formatted_message_is_shown_live_and_after_a_reload(ana: Person, bob: Person, new_page: NewPage) -> None:
    phone, page = wait_until_connected(new_page(bob, **PHONE)), wait_until_connected(new_page(ana))
    send_message(page, TEXT)
    wait_until_stored(page)
    for each in (phone, page):
        expect_formatted(each)
        each.reload()
        wait_until_connected(each)
        expect_formatted(each)
        assert list_violations(each) == []
    for scrolled in (".code pre", ".table"):
        assert phone.eval_on_selector(scrolled, "element => element.scrollWidth > element.clientWidth")

    spoiler = phone.get_by_role("button", name="Spoiler")
    spoiler.focus()
    phone.keyboard.press("Enter")
    expect(phone.get_by_text("the secret")).to_be_focused()
    expect(spoiler).to_be_hidden()

    # The source is edited.
    choose(page, 1, "Edit")
    expect(page.locator(".message-edit textarea")).to_have_value(TEXT)
    page.locator(".message-edit textarea").fill("**short**")
    page.locator(".message-edit textarea").press("Enter")
    for each in (phone, page):
        expect(each.locator("#message-1 strong")).to_have_text("short")


def test_long_messages_and_long_code_are_folded_until_somebody_unfolds_them(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    socket = ana.connect()
    socket.post("line\n" * 60 + "the end")
    socket.post("```\n" + "code\n" * 40 + "```")
    page = new_page(bob)
    for seq in (1, 2):
        message, folded = page.locator(f"#message-{seq}"), ".message-body"
        height = message.locator(folded).evaluate("element => element.clientHeight")
        message.get_by_role("button", name="Show more").click()
        expect(message.get_by_role("button", name="Show less")).to_be_visible()
        assert message.locator(folded).evaluate("element => element.clientHeight") > height
        # It stays so when the message changes.
        socket.call("react", {"conversation": "general", "seq": seq, "reaction": "👍"})
        expect(message.locator(".reaction")).to_be_visible()
        message.get_by_role("button", name="Show less").click()
        expect(message.get_by_role("button", name="Show more")).to_have_attribute("aria-expanded", "false")
        assert message.locator(folded).evaluate("element => element.clientHeight") == height
    assert list_violations(page) == []


def test_a_long_message_is_shown_at_once_and_then_formatted(ana: Person, bob: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(bob))
    # Longer than what is formatted at once, and far from the limit of time, after which a text stays as it is written.
    ana.connect().post("**long** text of many words, " * 100)
    expect(page.locator("#message-1 strong")).to_have_count(100)
