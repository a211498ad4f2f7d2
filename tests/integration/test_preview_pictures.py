"""Pictures of link previews: what is stored of them, who may load them, and when they are removed."""

import uuid
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sql
from flask import Flask
from PIL import Image
from selectolax.lexbor import LexborHTMLParser

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.config import current_settings
from chatapp.conversations.refs import GENERAL
from chatapp.files import pictures
from chatapp.files.checking import find_file_problems
from chatapp.files.pictures import Picture, fetch_picture
from chatapp.files.store import current_store
from chatapp.files.sweep import Swept, sweep
from chatapp.models import LinkPreview
from chatapp.storage import write
from chatapp.timeline import delete, post, undelete
from tests.harness.media import SECRET, draw, encode, encode_animation, new_exif, png_bomb
from tests.harness.people import NewPerson, Person
from tests.harness.servers import Server
from tests.harness.stored_files import add_preview, read
from tests.harness.waiting import scaled

PICTURE = encode(draw(600, 300), "PNG")

URL = "https://example.com/picture"


def serve(content: bytes) -> Callable[[str, str], Mapping[str, Any]]:
    """Return what fetches this content, as the worker process does."""

    def request(url: str, path: str) -> Mapping[str, Any]:
        assert url == URL
        Path(path).write_bytes(content)
        return {"picture": {"size": len(content)}}

    return request


def fetch(content: bytes) -> Picture | None:
    return fetch_picture(URL, serve(content))


def read_stored(picture: Picture, variant: str = "") -> bytes:
    return read(current_store(), picture.digest, variant)


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("content", [encode(draw(), "JPEG", exif=new_exif()), encode_animation("GIF")])
def test_a_picture_is_stored_as_a_still_webp_without_metadata(content: bytes) -> None:
    picture = fetch(content)
    assert picture is not None
    assert (picture.width, picture.height) == (60, 40)
    assert (picture.placeholder or "").startswith("data:image/webp;base64,")
    for variant in ("", "small"):
        stored = read_stored(picture, variant)
        assert SECRET not in stored
        with Image.open(BytesIO(stored)) as image:
            assert (image.format, getattr(image, "n_frames", 1)) == ("WEBP", 1)


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", b"<html>", b"%PDF-1.4"),
        *(encode(draw(8, 8), "PNG"), encode(draw(), "JPEG")[:200], png_bomb(20_000)),
    ],
)
def test_what_is_no_picture_or_too_small_or_too_large_is_not_stored(content: bytes) -> None:
    assert fetch(content) is None
    assert not list(current_store().list_digests())


@pytest.mark.usefixtures("app")
def test_a_picture_that_cannot_be_fetched_leaves_nothing() -> None:
    assert fetch_picture(URL, lambda _url, _path: {"error": "the response has status 404"}) is None
    assert not list(current_settings().uploads_path.iterdir())


def test_a_full_disk_or_quota_prevents_pictures(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    settings = current_settings()
    for changed in ({"free_disk_mb": 10**12}, {"all_files_mb": 4}):
        monkeypatch.setattr(pictures, "current_settings", lambda changed=changed: settings.model_copy(update=changed))
        assert fetch_picture(URL, lambda *_: pytest.fail("it requests")) is None


# Serving


def picture_path(conversation: str, digest: str | None) -> str:
    return f"/conversations/{conversation}/files/{digest}/preview.webp?size=small"


def test_the_picture_of_a_preview_is_for_those_who_may_read_the_conversation(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob, eve = (new_person(any_server, name) for name in ("ana", "bob", "eve"))
    room = ana.create_room()
    ana.invite(room, bob)
    socket = ana.connect()
    seq = socket.post("https://example.com/page", room)["seq"]
    path = picture_path(room, add_preview(any_server, room, seq, PICTURE))
    response = bob.get(path)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "image/webp")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert bob.get(path.partition("?")[0]).headers["Content-Type"] == "image/webp"
    api = bob.api(bob.create_token("read"))
    assert api.get(path).content == response.content
    assert socket.call("pin_message", {"conversation": room, "seq": seq, "on": True})["ok"]
    (preview,) = api.get(f"/conversations/{room}/messages/{seq}").json()["previews"]
    url = path.partition("?")[0]
    assert preview["picture"] == {"url": url, "small_url": path, "alt": "", "width": 600, "height": 300}
    assert eve.get(path).status_code == 404
    assert bob.get(path.replace(room, "general")).status_code == 404
    assert requests.get(any_server.url + path, allow_redirects=False, timeout=scaled(30)).status_code == 302

    assert socket.call("delete_message", {"conversation": room, "seq": seq})["ok"]
    assert bob.get(path).status_code == 404


def test_a_page_shows_a_preview_and_loads_nothing_from_its_site(server: Server, ana: Person) -> None:
    socket = ana.connect()
    seq = socket.post("https://example.com/page")["seq"]
    texts = {"title": "<b>Title</b>", "description": '"quoted" & more', "site": "Exämple"}
    texts["picture_alt"] = '"A" <cat>'
    add_preview(server, "general", seq, PICTURE, **texts)
    add_preview(server, "general", seq, url="https://example.org/other")
    # Storing previews is an event of the message, so that it has another version than its number.
    assert socket.call("pin_message", {"conversation": "general", "seq": seq, "on": True})["ok"]
    page = LexborHTMLParser(ana.get("/").text)
    first, second = page.css(".link-preview")
    link = first.css_first("a.link-preview-title")
    assert link is not None
    assert (link.attributes["href"], link.attributes["rel"], link.text()) == (
        "https://example.com/page",
        "noopener noreferrer nofollow",
        "<b>Title</b>",
    )
    shown = [each.text() for each in first.css(".link-preview-site, .link-preview-description")]
    assert shown == ["Exämple", '"quoted" & more']
    assert [each.text() for each in second.css(".link-preview-site")] == ["example.org"]
    sources = [image.attributes["src"] or "" for image in page.css(".link-preview img")]
    assert len(sources) == 2
    assert [image.attributes["alt"] for image in page.css(".link-preview img")] == ["", '"A" <cat>']
    assert all(source.startswith(("data:image/webp;", "/conversations/general/files/")) for source in sources)


# The sweep, and the check


@pytest.mark.usefixtures("app")
def test_a_picture_stays_as_long_as_a_preview_or_a_deletion_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatapp.files.sweep.MARKED_SECONDS", 0.0)
    ana = Actor(create_owner("ana", "Ana", "a good password"))
    picture = fetch(PICTURE)
    assert picture is not None
    message = post(GENERAL, ana, content="https://example.com/", client_id=str(uuid.uuid4()))
    preview = LinkPreview(
        message_id=message.id,
        position=0,
        conversation_id=GENERAL.id,
        url="https://example.com/",
        title="Title",
        description="",
        site="",
        picture_digest=picture.digest,
    )
    write(lambda transaction: transaction.session.add(preview))
    assert [sweep(), sweep()] == [Swept(0, 0)] * 2
    delete(GENERAL, ana, message.seq or 0)
    assert [sweep(), sweep()] == [Swept(0, 0)] * 2
    undelete(GENERAL, ana, message.seq or 0)
    assert [sweep(), sweep()] == [Swept(0, 0)] * 2
    assert not list(find_file_problems())

    write(lambda transaction: transaction.session.execute(sql.delete(LinkPreview)))
    assert [sweep(), sweep()] == [Swept(0, 1), Swept(1, 0)]


@pytest.mark.usefixtures("app")
def test_the_check_finds_a_missing_picture() -> None:
    ana = Actor(create_owner("ana", "Ana", "a good password"))
    message = post(GENERAL, ana, content="https://example.com/", client_id=str(uuid.uuid4()))
    fields = {"url": "https://example.com/", "title": "", "description": "", "site": "", "picture_digest": "a" * 64}
    preview = LinkPreview(message_id=message.id, position=0, conversation_id=GENERAL.id, **fields)
    write(lambda transaction: transaction.session.add(preview))
    picture, reason = "the picture of the preview of https://example.com/", f"is not stored (references: 1; {'a' * 64})"
    assert list(find_file_problems()) == [f"{each} {reason}" for each in (picture, f"the small thumbnail of {picture}")]
