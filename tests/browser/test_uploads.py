"""Attaching files: choosing, dropping, pasting, and what happens to uploads."""

import base64
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.harness.accessibility import list_violations
from tests.harness.media import draw, encode
from tests.harness.pages import PHONE, SCROLLS_SIDEWAYS, NewPage, send_message, wait_until_connected, wait_until_stored
from tests.harness.people import Person
from tests.harness.servers import Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.browser

PICTURE = encode(draw(320, 200), "PNG")

LARGE = bytes(9_000_000)

CHIP = ".attachment"

MAKE_DATA = """(files) => {
  const data = new DataTransfer();
  for (const { name, type, content } of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    data.items.add(new File([bytes], name, { type }));
  }
  return data;
}"""


COUNT_OPEN_TABS = """async () => {
  const { held } = await navigator.locks.query();
  return held.filter(({ name }) => name.startsWith("chatapp:tab:")).length;
}"""


def choose(page: Page, *files: tuple[str, str, bytes]) -> None:
    """Choose files in the dialog of the button."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files([FilePayload(name=name, mimeType=kind, buffer=content) for name, kind, content in files])


def make_data(page: Page, *files: tuple[str, str, bytes]) -> Any:
    """Return a `DataTransfer` with files."""
    encoded = [
        {"name": name, "type": kind, "content": base64.b64encode(content).decode()} for name, kind, content in files
    ]
    return page.evaluate_handle(MAKE_DATA, encoded)


def paste(page: Page, target: str, data: Any) -> None:
    """Paste what a `DataTransfer` has."""
    page.locator(target).evaluate(
        "(element, data) => element.dispatchEvent(new ClipboardEvent('paste',"
        " { clipboardData: data, bubbles: true, cancelable: true }))",
        data,
    )


def list_files(server: Server) -> list[tuple[Any, ...]]:
    """Return the name and the alternative text of each file of the messages."""
    return [
        tuple(row) for row in server.rows("SELECT message_id, name, alt FROM attachments ORDER BY message_id, position")
    ]


@pytest.fixture
def page(ana: Person, new_page: NewPage) -> Page:
    return wait_until_connected(new_page(ana))


def test_several_files_are_uploaded_at_once_and_sent_with_the_message(
    ana: Person, bob: Person, page: Page, new_page: NewPage
) -> None:
    other = wait_until_connected(new_page(bob))
    choose(page, ("sea.png", "image/png", PICTURE), ("notes.txt", "text/plain", b"first"), ("a.zip", "", b"PK\x03\x04"))
    expect(page.locator(CHIP)).to_have_count(3)
    expect(page.locator(f"{CHIP} progress:visible")).to_have_count(0)
    page.get_by_role("button", name="Alternative text").first.click()
    page.get_by_role("textbox", name="Alternative text for sea.png").fill("The sea")
    page.keyboard.press("Enter")
    assert list_violations(page, ".conversation-foot") == []
    send_message(page, "Look")
    wait_until_stored(page)
    expect(page.locator(CHIP)).to_have_count(0)
    for each in (page, other):
        expect(each.locator("#message-1 .file-image")).to_have_attribute("alt", "The sea")
        expect(each.locator("#message-1 .file-name")).to_have_text(["notes.txt", "a.zip"])
    assert list_files(ana.server) == [(1, "sea.png", "The sea"), (1, "notes.txt", ""), (1, "a.zip", "")]


def test_files_are_dropped_anywhere_in_the_conversation(ana: Person, page: Page) -> None:
    data = make_data(page, ("dropped.txt", "text/plain", b"dropped"))
    page.dispatch_event("[data-timeline]", "dragenter", {"dataTransfer": data})
    expect(page.locator("[data-drop-overlay]")).to_be_visible()
    assert page.locator("[data-drop-overlay]").bounding_box() == page.locator("main").bounding_box()
    page.dispatch_event("[data-timeline]", "drop", {"dataTransfer": data})
    expect(page.locator("[data-drop-overlay]")).to_be_hidden()
    expect(page.locator(CHIP)).to_have_count(1)
    page.press("#content", "Enter")
    wait_until_stored(page)
    assert list_files(ana.server) == [(1, "dropped.txt", "")]


@pytest.mark.parametrize("target", ["#content", "[data-timeline]"])
def test_a_picture_is_pasted(ana: Person, page: Page, target: str) -> None:
    paste(page, target, make_data(page, ("image.png", "image/png", PICTURE)))
    expect(page.locator(f"{CHIP} canvas")).to_be_visible()
    page.press("#content", "Enter")
    wait_until_stored(page)
    assert list_files(ana.server) == [(1, "image.png", "")]


def test_files_are_chosen_dropped_and_pasted_in_a_thread(ana: Person, page: Page) -> None:
    send_message(page, "Which plan?")
    wait_until_stored(page)
    page.locator("main #message-1").hover()
    page.click("main [data-message-toolbar] [data-open-thread]")
    pane = page.locator("aside.pane")
    expect(pane.locator("textarea[name=content]")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        pane.get_by_role("button", name="Attach files").click()
    chooser.value.set_files([FilePayload(name="chosen.txt", mimeType="text/plain", buffer=b"chosen")])
    data = make_data(page, ("dropped.txt", "text/plain", b"dropped"))
    pane.locator("[data-timeline]").dispatch_event("dragenter", {"dataTransfer": data})
    expect(page.locator("[data-drop-overlay]:visible")).to_have_count(1)
    fills = "({ parentElement: pane, offsetWidth }) => pane.id === 'pane' && offsetWidth === pane.clientWidth"
    assert pane.locator("[data-drop-overlay]").evaluate(fills)
    pane.locator("[data-timeline]").dispatch_event("drop", {"dataTransfer": data})
    for name, target in (("field.png", "textarea[name=content]"), ("replies.png", "[data-timeline]")):
        paste(page, f"aside.pane {target}", make_data(page, (name, "image/png", PICTURE)))
    expect(pane.locator(CHIP)).to_have_count(4)
    expect(page.locator(f"main {CHIP}")).to_have_count(0)
    pane.locator("textarea[name=content]").press("Enter")
    expect(pane.locator(".message .file-name")).to_have_text(["chosen.txt", "dropped.txt"])
    expect(pane.locator(".message .file-image")).to_have_count(2)
    wait_until_stored(page)
    expect(pane.locator(".message:not([data-seq])")).to_have_count(0)
    names = ["chosen.txt", "dropped.txt", "field.png", "replies.png"]
    assert list_files(ana.server) == [(2, name, "") for name in names]
    assert ana.server.rows("SELECT thread_root FROM messages ORDER BY seq") == [(None,), (1,)]


def test_a_cancelled_file_is_not_sent(ana: Person, page: Page) -> None:
    choose(page, ("a.txt", "", b"a"), ("b.txt", "", b"b"))
    page.get_by_role("button", name="Remove a.txt").click()
    expect(page.locator(CHIP)).to_have_count(1)
    page.get_by_role("button", name="Remove b.txt").click()
    expect(page.locator(CHIP)).to_have_count(0)
    page.press("#content", "Enter")
    expect(page.locator("[data-composer-error]")).to_have_text("Write a message first.")
    eventually(lambda: not list((ana.server.data_dir / "uploads").iterdir()), "the uploads are removed")


def test_a_file_that_is_too_large_says_so(ana: Person, page: Page, server: Server) -> None:
    def refuse(route: Route) -> None:
        problem = {"detail": "There is no space for more files."}
        route.fulfill(status=507, json=problem)

    page.route("**/uploads/*", refuse)
    choose(page, ("a.txt", "", b"abc"))
    expect(page.locator(f"{CHIP}.is-failed")).to_contain_text("There is no space for more files.")
    page.press("#content", "Enter")
    expect(page.locator("[data-composer-error]")).to_contain_text("could not be uploaded")
    page.unroute("**/uploads/*")
    page.get_by_role("button", name="Retry a.txt").click()
    expect(page.locator(f"{CHIP}.is-failed")).to_have_count(0)
    page.press("#content", "Enter")
    wait_until_stored(page)
    assert list_files(server) == [(1, "a.txt", "")]


def hold(page: Page) -> None:
    """Let no chunk but the first of each upload reach the server."""
    page.route(
        "**/uploads/*",
        lambda route: route.abort() if route.request.headers.get("upload-offset", "0") != "0" else route.continue_(),
    )


def test_uploads_go_on_after_a_reload(ana: Person, page: Page, server: Server) -> None:
    hold(page)
    choose(page, ("large.bin", "", LARGE))
    progress = page.locator(f"{CHIP} [data-facts]")
    expect(progress).to_have_text("4.0 MB of 9.0 MB")
    page.fill("#content", "after the reload")
    page.reload()
    wait_until_connected(page)
    expect(page.locator(f"{CHIP} [data-name]")).to_have_text("large.bin")
    page.unroute("**/uploads/*")
    page.press("#content", "Enter")
    wait_until_stored(page)
    assert list_files(server) == [(1, "large.bin", "")]


def test_a_message_that_was_sent_during_its_upload_survives_a_reload(ana: Person, page: Page, server: Server) -> None:
    hold(page)
    choose(page, ("large.bin", "", LARGE))
    expect(page.locator(f"{CHIP} [data-facts]")).to_have_text("4.0 MB of 9.0 MB")
    send_message(page, "with a file")
    expect(page.locator(".message[data-state=sending] .file-name")).to_have_text("large.bin")
    send_message(page, "later")
    expect(page.locator("#message-1 .message-body")).to_have_text("later")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    wait_until_connected(page)
    expect(page.locator(".message[data-state=sending] .file-name")).to_have_text("large.bin")
    page.unroute("**/uploads/*")
    expect(page.locator("#message-2 .file-name")).to_have_text("large.bin")
    assert list_files(server) == [(2, "large.bin", "")]


def test_a_duplicated_tab_has_its_own_files_and_takes_over_those_of_a_closed_one(page: Page) -> None:
    chips = f"{CHIP} [data-name]"
    choose(page, ("first.txt", "text/plain", b"one"))
    expect(page.locator(f"{CHIP} [data-facts]")).to_contain_text("TXT")
    page.reload()
    wait_until_connected(page)
    expect(page.locator(chips)).to_have_text("first.txt")
    with page.expect_popup() as opened:
        page.evaluate("void window.open(location.href)")  # The popup has a copy of the session storage.
    duplicate = wait_until_connected(opened.value)
    choose(duplicate, ("second.txt", "text/plain", b"two"))
    expect(duplicate.locator(chips)).to_have_text("second.txt")
    expect(duplicate.locator(f"{CHIP} [data-facts]")).to_contain_text("TXT")
    page.close()
    eventually(lambda: duplicate.evaluate(COUNT_OPEN_TABS) == 1, "the lock of the other tab is free")
    duplicate.reload()
    wait_until_connected(duplicate)
    expect(duplicate.locator(chips)).to_have_text(["first.txt", "second.txt"])


def test_files_wait_while_the_page_is_offline(page: Page, server: Server, ana: Person) -> None:
    server.kill()
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "offline")
    choose(page, ("sea.png", "image/png", PICTURE))
    expect(page.locator(f"{CHIP} canvas")).to_be_visible()
    page.press("#content", "Enter")
    expect(page.locator(".message[data-state=sending] .file-local")).to_be_visible()
    server.start()
    wait_until_connected(page)
    wait_until_stored(page)
    expect(page.locator("#message-1 .file-image")).to_be_visible()
    assert list_files(server) == [(1, "sea.png", "")]


def test_a_picture_takes_the_same_room_before_and_after_it_is_sent(page: Page) -> None:
    choose(page, ("sea.png", "image/png", PICTURE))
    expect(page.locator(f"{CHIP} canvas")).to_be_visible()
    page.route("**/uploads/*", lambda route: route.abort())
    page.press("#content", "Enter")
    waiting = page.locator(".message .file-picture").bounding_box()
    page.unroute("**/uploads/*")
    wait_until_stored(page)
    stored = page.locator("#message-1 .file-picture").bounding_box()
    assert waiting
    assert stored
    assert (waiting["width"], waiting["height"]) == (stored["width"], stored["height"]) == (322, 202)


def test_chips_fit_on_a_phone(ana: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(ana, **PHONE))
    choose(page, ("صورة-" + "very " * 30 + "long.txt", "", b"a"), ("sea.png", "image/png", PICTURE))
    expect(page.locator(f"{CHIP} canvas")).to_be_visible()
    assert not page.evaluate(SCROLLS_SIDEWAYS)
    assert list_violations(page, ".conversation-foot") == []
