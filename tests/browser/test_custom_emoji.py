"""Custom emoji: an admin uploads one, and everybody uses it."""

import re

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.harness.accessibility import list_violations
from tests.harness.media import draw, encode
from tests.harness.pages import NewPage, wait_until_connected
from tests.harness.people import Person

pytestmark = pytest.mark.browser

TEXT = "#content"

IS_LOADED = "image => image.complete && image.naturalWidth === 64"


def upload(page: Page, name: str) -> None:
    """Add an emoji on the page for admins."""
    page.set_input_files("[name=image]", {"name": "large.png", "mimeType": "image/png", "buffer": bytes(300_000)})
    message = "The file is too large. The limit is 256.0 kB."
    expect(page.locator("[name=image]")).to_have_js_property("validationMessage", message)
    image: FilePayload = {"name": "cat.png", "mimeType": "image/png", "buffer": encode(draw(64, 64), "PNG")}
    page.set_input_files("[name=image]", image)
    page.fill("[name=name]", name)
    page.get_by_role("button", name="Add emoji").click()
    expect(page.locator(".rows .custom-emoji")).to_be_visible()


def test_an_uploaded_emoji_is_completed_in_a_message_and_picked_for_a_reaction(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    ana.connect().post(":blobcat:")
    ana_page, bob_page = new_page(ana, "/admin/emoji"), wait_until_connected(new_page(bob))
    upload(ana_page, "blobcat")
    # A page that is open shows it where its name was.
    earlier = bob_page.locator("#message-1")
    expect(earlier.get_by_role("img", name=":blobcat:")).to_be_visible()
    expect(earlier).to_have_class(re.compile("is-few-emoji"))
    assert not list_violations(ana_page)
    ana_page.goto(ana.server.url)
    wait_until_connected(ana_page)

    bob_page.locator(TEXT).press_sequentially("see :blob")
    option = bob_page.locator("[data-mention-options] [role=option]").first
    expect(option).to_contain_text(":blobcat:")
    expect(option.locator("img")).to_be_visible()
    bob_page.keyboard.press("Tab")
    expect(bob_page.locator(TEXT)).to_have_value("see :blobcat: ")
    bob_page.keyboard.press("Enter")
    image = ana_page.locator("#message-2 .message-body .custom-emoji")
    expect(image).to_have_attribute("alt", ":blobcat:")
    image.evaluate(f"async image => {{ await image.decode(); if (!({IS_LOADED})(image)) throw image.src; }}")
    assert image.evaluate("image => image.offsetWidth === image.offsetHeight")

    ana_page.locator("#message-2").hover()
    ana_page.click("[data-message-toolbar] [data-react]")
    ana_page.click("[data-reaction-picker] [data-more-emoji]")
    picker = ana_page.locator("[data-emoji-picker]")
    custom = picker.get_by_role("group", name="Custom").get_by_role("button")
    expect(custom).to_have_attribute("title", ":blobcat:")
    custom.click()
    reaction = bob_page.locator("#message-2 .reaction")
    expect(reaction.locator(".custom-emoji")).to_be_visible()
    expect(reaction).to_have_attribute("title", "Ana")
    reaction.click()
    expect(ana_page.locator("#message-2 .reaction")).to_have_text("2")

    ana_page.fill(TEXT, "well")
    ana_page.click("[data-insert-emoji]")
    expect(picker.get_by_role("group", name="Recent").get_by_role("button").locator("img")).to_be_visible()
    ana_page.keyboard.press("Enter")
    expect(ana_page.locator(TEXT)).to_have_value("well :blobcat:")

    ana.post("/admin/emoji/blobcat/delete", "/admin/emoji")
    expect(bob_page.locator(".message .custom-emoji")).to_have_count(0)
    expect(earlier.locator(".message-body")).to_have_text(":blobcat:")
    expect(earlier).not_to_have_class(re.compile("is-few-emoji"))
    expect(reaction).to_have_text(re.compile(":blobcat:"))
