"""Pictures of people and rooms in a browser."""

import pytest
from playwright.sync_api import FilePayload, expect

from tests.harness.accessibility import list_violations
from tests.harness.media import draw, encode
from tests.harness.pages import SCROLLS_SIDEWAYS, NewPage, wait_until_connected
from tests.harness.people import Person, room_path

pytestmark = pytest.mark.browser


def test_a_picture_that_somebody_chooses_is_shown_beside_their_messages(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    socket = ana.connect()
    socket.post("before", room)
    bob.open_direct(ana)
    socket.post("hello", ana.open_direct(bob))
    page = new_page(ana, "/settings")
    picture: FilePayload = {"name": "me.png", "mimeType": "image/png", "buffer": encode(draw(600, 300), "PNG")}
    for path, text in (("/settings", "Add picture"), (f"{room_path(room)}/settings", "Picture")):
        page.goto(ana.server.url + path)
        page.get_by_role("link", name=text).click()
        page.locator("#picture").set_input_files(picture)
        assert list_violations(page) == []
        page.get_by_role("button", name="Save picture").click()
        expect(page.get_by_text("was changed")).to_be_visible()
    reader = wait_until_connected(new_page(bob, room_path(room)))
    socket.post("after", room)
    for selector in (".message > .avatar img", ".sidebar .avatar img", "h1 .avatar img"):
        for image in reader.locator(selector).all():
            expect(image).to_have_js_property("complete", value=True)
            assert image.evaluate("image => image.naturalWidth") == 256
            assert image.evaluate("image => image.offsetWidth === image.parentElement.offsetWidth")
    expect(reader.locator(".message").last.locator(".avatar img")).to_have_count(1)
    expect(reader.locator(".sidebar .avatar img")).to_have_count(2)
    assert not reader.evaluate(SCROLLS_SIDEWAYS)
    assert list_violations(reader) == []
