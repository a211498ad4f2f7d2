"""Previews of links: they arrive after their message, and the author can remove them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.harness.accessibility import list_violations
from tests.harness.media import draw, encode
from tests.harness.pages import PHONE, SCROLLS_SIDEWAYS, NewPage, wait_until_connected
from tests.harness.people import NewPerson, Person, room_path
from tests.harness.servers import NewServer
from tests.harness.site import Site, SitePage, running_site

pytestmark = pytest.mark.browser

SETTINGS = {"CHATAPP_LINK_PREVIEWS": "true", "CHATAPP_LINK_PREVIEW_PRIVATE_NETWORKS": "true"}

TOP = "message => message.getBoundingClientRect().top"

LOADED = "image => image.complete && image.naturalWidth > 0"


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as site:
        png = encode(draw(1_200, 600), "PNG")
        site.pages["/picture.png"] = SitePage(png, headers={"Content-Type": "image/png"})
        picture = '<meta property="og:image" content="/picture.png"><meta property="og:image:alt" content="A bench">'
        site.add("/page", "A page", picture)
        site.add("/other", "שלום עולם", f'<meta name="description" content="{"x" * 390}">')
        yield site


@pytest.fixture
def people(new_server: NewServer, new_person: NewPerson) -> tuple[Person, Person]:
    server = new_server(**SETTINGS).start()
    return new_person(server, "ana"), new_person(server, "bob")


def test_a_preview_appears_without_moving_what_one_reads_and_is_removed_for_all(
    people: tuple[Person, Person], site: Site, new_page: NewPage
) -> None:
    ana, bob = people
    room = ana.create_room()
    ana.invite(room, bob)
    socket = ana.connect()
    for number in range(1, 41):
        socket.post(f"message {number}", room)
    author = wait_until_connected(new_page(ana, room_path(room)))
    reader = wait_until_connected(new_page(bob, room_path(room), **PHONE))
    requested: list[str] = []
    for page in (author, reader):
        page.on("request", lambda request: requested.append(request.url))

    # One who reads the end: it stays on the screen.
    seq = socket.post(f"{site.url}/page {site.url}/other", room)["seq"]
    for page in (author, reader):
        expect(page.locator(".link-preview")).to_have_count(2)
        expect(page.locator(".link-preview").last).to_be_in_viewport(ratio=1)
        assert not page.evaluate(SCROLLS_SIDEWAYS)
    picture = author.get_by_role("img", name="A bench")
    picture.scroll_into_view_if_needed()
    author.wait_for_function(f"image => ({LOADED})(image)", arg=picture.element_handle())
    assert all(url.startswith((ana.server.url, "data:")) for url in requested)
    assert list_violations(author) == []

    # Above what one reads.
    read = reader.locator("#message-15")
    read.evaluate("message => message.scrollIntoView()")
    expect(reader.locator("[data-jump-to-latest]")).to_be_visible()
    before = read.evaluate(TOP)
    edited = {"conversation": room, "seq": 5, "content": f"message 5 {site.url}/page"}
    assert socket.call("edit_message", edited)["ok"]
    expect(reader.locator("#message-5 .link-preview")).to_have_count(1)
    assert abs(read.evaluate(TOP) - before) <= 1

    # Removed by keyboard, on both pages; the reader has no buttons.
    expect(reader.get_by_role("button", name="Remove preview")).to_have_count(0)
    message = author.locator(f"#message-{seq}")
    message.get_by_role("button", name="Remove preview").first.focus()
    author.keyboard.press("Enter")
    for page in (author, reader):
        expect(page.locator(f"#message-{seq} .link-preview-title")).to_have_text(["שלום עולם"])
    expect(message).to_be_focused()
    message.hover()
    message.get_by_role("button", name="Remove preview").click()
    for page in (author, reader):
        expect(page.locator(f"#message-{seq} .link-preview")).to_have_count(0)
    author.reload()
    expect(author.locator(f"#message-{seq}")).to_be_visible()
    expect(author.locator(f"#message-{seq} .link-preview")).to_have_count(0)
