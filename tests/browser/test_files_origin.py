"""Pages that load files from an origin of their own."""

import pytest
from playwright.sync_api import Page, Response, expect

from tests.harness.media import draw, encode, encode_animation, wav
from tests.harness.pages import NewPage, wait_until_connected
from tests.harness.people import Person, room_path
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Server
from tests.harness.stored_files import attach, attach_inspected
from tests.harness.waiting import eventually

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(new_shared_server: NewServer) -> Server:
    """A server whose files are on another host name, where their URLs soon expire."""
    server = new_shared_server()
    settings = {"CHATAPP_FILES_ORIGIN": f"http://localhost:{server.port}", "CHATAPP_FILES_URL_SECONDS": "2"}
    return server.start(CHATAPP_ALLOWED_HOSTS="127.0.0.1", **settings)


@pytest.fixture(scope="module")
def ana(server: Server) -> Person:
    return add_people(server, "ana")[0]


def follow_files(page: Page, origin: str) -> list[int]:
    """Return the list to which the page adds the status of each response of the origin of files."""
    statuses: list[int] = []

    def on_response(response: Response) -> None:
        if response.url.startswith(origin):
            statuses.append(response.status)

    page.on("response", on_response)
    return statuses


def test_pictures_and_downloads_come_from_the_other_origin(server: Server, ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    files = {"a.png": encode(draw(300, 200), "PNG"), "c.gif": encode_animation("GIF"), "notes.txt": b"hello"}
    attach_inspected(server, room, ana.connect().post("files", room)["seq"], files)
    page = new_page(ana, room_path(room))
    statuses = follow_files(page, f"http://localhost:{server.port}/")
    wait_until_connected(page)
    page.get_by_role("button", name="Play animation").click()
    expect(page.locator(".message img[alt='c.gif']")).to_have_js_property("complete", value=True)
    eventually(lambda: statuses[-1:] == [200], "the animation is loaded from the other origin")
    assert page.locator(".message img[alt='c.gif']").evaluate("image => image.naturalWidth") == 60
    with page.expect_download() as download:
        page.locator(".file-row", has_text="notes.txt").click()
    assert download.value.suggested_filename == "notes.txt"
    page.locator(".message img[alt='a.png']").click()
    with page.expect_download() as download:
        page.locator(".viewer").get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "a.png"
    assert download.value.path().read_bytes() == files["a.png"]


def test_a_player_goes_on_after_the_url_of_its_file_has_expired(server: Server, ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Music")
    seq = ana.connect().post("a song", room)["seq"]
    attach(server, room, seq, wav(120), name="song.wav", media_type="audio/wav", kind="audio")
    page = new_page(ana, room_path(room))
    statuses = follow_files(page, f"http://localhost:{server.port}/")
    audio = wait_until_connected(page).locator(".message audio")
    audio.evaluate("audio => audio.play()")
    eventually(lambda: audio.evaluate("audio => audio.currentTime > 2.5"), "the URL has expired")
    audio.evaluate("audio => { audio.currentTime = 110; audio.playbackRate = 1.5; }")
    eventually(lambda: audio.evaluate("audio => audio.currentTime > 110.5 && !audio.paused"), "it plays on from there")
    assert audio.evaluate("audio => audio.playbackRate") == 1.5
    assert 302 in statuses
