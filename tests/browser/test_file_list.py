"""The page of a conversation's files."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.harness import media
from tests.harness.media import draw, encode
from tests.harness.pages import PHONE, SCROLLS_SIDEWAYS, NewPage, wait_until_connected
from tests.harness.people import Person, room_path
from tests.harness.stored_files import attach_inspected

pytestmark = pytest.mark.browser


def test_pictures_are_a_grid_and_other_files_are_downloaded(ana: Person, new_page: NewPage):
    room = ana.create_room("Design")
    message = ana.connect().post("The files", room)
    attach_inspected(
        ana.server,
        room,
        message["seq"],
        {
            "a photo.png": encode(draw(1_200, 800), "JPEG"),
            "tall.png": encode(draw(300, 900), "PNG"),
            "moving.gif": media.encode_animation("GIF"),
            "paper.pdf": media.pdf(),
            "notes.txt": b"Remember the milk",
            f"a {'very ' * 30}long name.zip": b"PK\x03\x04" + bytes(30),
        },
    )
    page = wait_until_connected(new_page(ana, room_path(room)))
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Files", exact=True).click()
    pictures = page.get_by_role("list", name="Pictures").locator("img")
    expect(pictures).to_have_count(3)
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth") > 0
    sizes = {
        tuple(box[side] for side in ("width", "height")) for each in pictures.all() if (box := each.bounding_box())
    }
    assert len(sizes) == 1

    with page.expect_download() as download:
        page.get_by_role("link", name="notes.txt").click()
    assert download.value.suggested_filename == "notes.txt"
    assert Path(download.value.path()).read_bytes() == b"Remember the milk"

    page.get_by_role("link", name="PDFs").click()
    expect(page.get_by_role("link", name="paper.pdf")).to_be_visible()
    expect(page.get_by_role("link", name="notes.txt")).to_have_count(0)

    phone = new_page(ana, f"/conversations/{room}/files", color_scheme="dark", **PHONE)
    expect(phone.locator(".file-gallery img")).to_have_count(3)
    assert not phone.evaluate(SCROLLS_SIDEWAYS)
