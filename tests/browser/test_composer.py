"""Writing with Markdown: the toolbar, the keys, pasting, and undo."""

import re
from collections.abc import Mapping

import pytest
from playwright.sync_api import Page, expect

from tests.harness.accessibility import list_violations
from tests.harness.pages import PHONE, NewPage, wait_until_connected
from tests.harness.people import Person, room_path

pytestmark = pytest.mark.browser

TEXT = "#content"

PASTE = """(field, { isPlain, ...parts }) => {
  const data = new DataTransfer();
  for (const [type, text] of Object.entries(parts)) data.setData(type, text);
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  const keys = { key: "V", ctrlKey: true, shiftKey: isPlain, bubbles: true };
  field.dispatchEvent(new KeyboardEvent("keydown", keys));
  // The browser pastes the plain text itself.
  if (field.dispatchEvent(event)) document.execCommand("insertText", false, parts["text/plain"]);
}"""
"""Pastes without the clipboard, which all tests on a machine share."""

DOCUMENT = """
<h2>Title</h2><p>Some <b>bold</b>, <i>italic</i> and <del>old</del> text, <a href="https://a.example/b">a link</a>,
<a href="javascript:alert(1)">no link</a>.</p><ol start="3"><li>one<ul><li>in <code>code</code></li></ul></li>
<li>two</li>
</ol><ul><li><input type="checkbox" checked> done</li></ul><pre><code>x = 1
</code></pre><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td><b>2</b></td></tr></table>"""

MARKDOWN = """## Title

Some **bold**, *italic* and ~~old~~ text, [a link](https://a.example/b), no link.

3. one
   - in `code`
4. two

- [x] done

```
x = 1
```

| a | b |
| --- | --- |
| 1 | **2** |"""


@pytest.fixture
def page(ana: Person, new_page: NewPage) -> Page:
    return wait_until_connected(new_page(ana))


def expect_text(page: Page, text: str) -> None:
    expect(page.locator(TEXT)).to_have_value(text)


def select_end(page: Page, count: int) -> None:
    """Select the last characters of the composer by keyboard."""
    page.press(TEXT, "End")
    for _ in range(count):
        page.press(TEXT, "Shift+ArrowLeft")


def test_keys_and_buttons_format_what_is_selected_and_undo_takes_it_back(page: Page) -> None:
    page.locator(TEXT).press_sequentially("see this")
    select_end(page, 4)
    for key, text in (
        ("Control+b", "see **this**"),
        ("Control+i", "see ***this***"),
        ("Control+b", "see *this*"),
        ("Control+i", "see this"),
        ("Control+e", "see `this`"),
        ("Control+z", "see this"),
        ("Control+Shift+x", "see ~~this~~"),
        ("Control+z", "see this"),
        ("Control+Shift+u", "see [this](url)"),
    ):
        page.press(TEXT, key)
        expect_text(page, text)
    page.keyboard.type("https://a.example")
    expect_text(page, "see [this](https://a.example)")

    page.fill(TEXT, "")
    page.click("[data-format=list]")
    page.keyboard.type("one")
    page.press(TEXT, "Shift+Enter")
    page.keyboard.type("two")
    page.press(TEXT, "Tab")
    expect_text(page, "- one\n  - two")
    page.press(TEXT, "Shift+Tab")
    page.press(TEXT, "Shift+Enter")
    page.press(TEXT, "Shift+Enter")
    page.keyboard.type("end")
    expect_text(page, "- one\n- two\nend")
    for _ in range(2):
        page.press(TEXT, "Control+z")
    expect_text(page, "- one\n- two\n- ")

    page.fill(TEXT, "no list")
    page.press(TEXT, "Shift+Tab")
    expect(page.locator("[data-toggle-formatting]")).not_to_be_focused()
    expect(page.locator("[data-format=bold]")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-format=italic]")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect_text(page, "1. no list")
    expect(page.locator(TEXT)).to_be_focused()


def test_the_editor_of_messages_formats_too(ana: Person, page: Page) -> None:
    ana.connect().post("hello")
    expect(page.locator(".message-body", has_text="hello")).to_be_visible()
    page.press(TEXT, "ArrowUp")
    text = page.locator(".message-edit textarea")
    text.press("Control+a")
    text.press("Control+b")
    expect(text).to_have_value("**hello**")
    page.click(".message-edit [data-format=quote]")
    expect(text).to_have_value("> **hello**")
    expect(text).to_be_focused()


def test_the_toolbar_stays_hidden_or_shown(page: Page, ana: Person, new_page: NewPage) -> None:
    toggle, toolbar = page.locator("[data-toggle-formatting]"), page.locator("[data-formatting-toolbar]")
    expect(toggle).to_have_attribute("aria-expanded", "true")
    toggle.click()
    page.reload()
    expect(toolbar).to_be_hidden()
    expect(toggle).to_have_attribute("aria-expanded", "false")

    phone = wait_until_connected(new_page(ana, **PHONE))
    toggle, toolbar = phone.locator("[data-toggle-formatting]"), phone.locator("[data-formatting-toolbar]")
    expect(toolbar).to_be_hidden()
    toggle.tap()
    expect(toolbar).to_be_visible()
    phone.fill(TEXT, "word")
    phone.locator("[data-format=bold]").tap()
    expect(phone.locator(TEXT)).to_have_value("**word**")


def paste(page: Page, text: str, parts: Mapping[str, str] | None = None, *, is_plain: bool = False) -> None:
    """Paste a text, and its forms of other types, into the composer, with Ctrl + V or Ctrl + Shift + V."""
    page.locator(TEXT).evaluate(PASTE, {"isPlain": is_plain, "text/plain": text, **(parts or {})})


def test_pasted_text_becomes_markdown_and_undo_leads_to_the_plain_text(page: Page) -> None:
    page.locator(TEXT).press_sequentially("see this")
    select_end(page, 4)
    paste(page, "https://a.example")
    expect_text(page, "see [this](https://a.example)")
    page.press(TEXT, "Control+z")
    expect_text(page, "see this")
    paste(page, "https://a.example", is_plain=True)
    expect_text(page, "see https://a.example")

    html = {"text/html": DOCUMENT}
    page.fill(TEXT, "")
    paste(page, "the plain text", html)
    expect_text(page, MARKDOWN)
    page.press(TEXT, "Control+z")
    expect_text(page, "the plain text")

    page.fill(TEXT, "")
    paste(page, "a\tb\n1\t2")
    expect_text(page, "| a | b |\n| --- | --- |\n| 1 | 2 |")
    page.fill(TEXT, "")
    paste(page, "def f():\n    pass\n", {"vscode-editor-data": '{"mode":"python"}'})
    expect_text(page, "```python\ndef f():\n    pass\n```")
    page.fill(TEXT, "```\n")
    paste(page, "plain", html)
    expect_text(page, "```\nplain")


def test_a_preview_replaces_the_field_until_escape_or_sending(ana: Person, page: Page) -> None:
    preview, text = page.locator("[data-composer] [data-preview-content]"), page.locator(TEXT)
    text.fill("see https://a.example")
    page.press(TEXT, "Control+Shift+p")
    expect(preview).to_be_focused()
    expect(preview.locator("a")).to_have_attribute("href", "https://a.example")
    expect(text).to_be_hidden()
    assert not list_violations(page)
    page.keyboard.press("Escape")
    expect(text).to_be_focused()
    expect(preview).to_have_count(0)

    page.click("[data-composer] [data-preview]")
    expect(preview).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#message-1 .message-body")).to_have_text("see https://a.example")
    expect(text).to_be_focused()
    expect_text(page, "")

    page.press(TEXT, "ArrowUp")
    page.click(".message-edit [data-preview]")
    expect(page.locator(".message-edit [data-preview-content] a")).to_be_visible()
    page.keyboard.press("Control+Shift+p")
    expect(page.locator(".message-edit textarea")).to_be_focused()
    page.keyboard.press("Escape")

    text.fill("x" * (1 + int(page.locator("main").get_attribute("data-message-limit") or 0)))
    page.click("[data-composer] [data-preview]")
    expect(page.locator("[data-composer-error]")).to_contain_text("A message has at most")


def test_emoji_are_picked_for_texts_and_reactions(ana: Person, page: Page) -> None:
    ana.connect().post("hello")
    picker, search = page.locator("[data-emoji-picker]"), page.locator("[data-emoji-picker] [type=search]")
    page.fill(TEXT, "well done ")
    page.click("[data-insert-emoji]")
    expect(search).to_be_focused()
    search.fill("tada")
    expect(picker.locator("button").first).to_have_text("🎉")
    assert not list_violations(page)
    page.keyboard.press("Enter")
    expect_text(page, "well done 🎉")
    expect(page.locator(TEXT)).to_be_focused()
    page.press(TEXT, "Control+z")
    expect_text(page, "well done ")

    page.locator("#message-1").hover()
    page.click("[data-message-toolbar] [data-react]")
    page.click("[data-reaction-picker] [data-more-emoji]")
    expect(picker.get_by_role("group", name="Recent").locator("button")).to_have_text(["🎉"])
    picker.locator("select").select_option("1")
    search.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    search.fill("thumbs up")
    search.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#message-1 .reaction")).to_have_text("👍🏻 1")

    page.click("[data-insert-emoji]")
    page.keyboard.press("Escape")
    expect(picker).to_be_hidden()
    expect(page.locator("[data-insert-emoji]")).to_be_focused()


def test_names_of_emoji_are_completed(page: Page) -> None:
    page.locator(TEXT).press_sequentially("so :tad")
    option = page.locator("[data-mention-options] [role=option]").first
    expect(option).to_have_text("🎉 :tada:")
    page.keyboard.press("Tab")
    expect_text(page, "so 🎉 ")
    page.press(TEXT, "Control+z")
    expect_text(page, "so :tad")
    page.keyboard.type("a:")
    expect(option).to_be_hidden()


def test_commands_are_completed_and_run(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Lunch")
    ana.invite(room, bob)
    page, reader = (wait_until_connected(new_page(person, room_path(room))) for person in (ana, bob))
    field = page.locator(TEXT)
    field.press_sequentially("/")
    expect(page.get_by_role("option")).to_have_count(5)
    field.press_sequentially("to")
    field.press("Enter")
    expect_text(page, "/topic ")
    field.press_sequentially("Noodles at noon")
    field.press("Enter")
    for each in (page, reader):
        expect(each.locator(".topic")).to_have_text("Noodles at noon")
    expect_text(page, "")
    expect(page.get_by_text("The topic was changed.")).to_be_visible()
    assert list_violations(page) == []

    reader.locator(TEXT).fill("/topic Pizza")
    reader.locator(TEXT).press("Enter")
    expect(reader.locator("[data-composer-error]")).to_contain_text("manager")
    expect_text(reader, "/topic Pizza")
    reader.locator(TEXT).fill("/me is **hungry**")
    reader.locator(TEXT).press("Enter")
    for each in (page, reader):
        expect(each.locator(".message .action")).to_have_text("Bob is hungry")
    reader.locator(TEXT).fill("/leave")
    reader.locator(TEXT).press("Enter")
    expect(reader).to_have_url(re.compile("/rooms$"))


def test_commands_of_webhooks_are_completed_and_sent_as_messages(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Releases")
    ana.invite(room, bob)
    path = f"{room_path(room)}/webhooks"
    assert ana.post(path, path, name="builder", url="https://deploy.invalid/", command="/deploy").ok
    page, reader = (wait_until_connected(new_page(person, room_path(room))) for person in (bob, ana))
    field = page.locator(TEXT)
    field.press_sequentially("/")
    expect(page.get_by_role("option")).to_have_count(6)
    field.press_sequentially("dep")
    expect(page.get_by_role("option")).to_contain_text("/deploy")
    assert list_violations(page) == []
    field.press("Enter")
    expect_text(page, "/deploy ")
    page.context.set_offline(True)
    field.press_sequentially("prod")
    field.press("Enter")
    expect_text(page, "")
    page.context.set_offline(False)
    for each in (page, reader):
        expect(each.locator(".message-body", has_text="/deploy prod")).to_have_count(1)
    assert ana.server.rows("SELECT count(*) FROM webhook_deliveries") == [(1,)]
