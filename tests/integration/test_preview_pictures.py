"""Pictures of link previews: what is stored of them, who may load them, and when they are removed."""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image

from chatapp.config import current_settings
from chatapp.files import pictures
from chatapp.files.pictures import Picture, fetch_picture
from chatapp.files.store import current_store
from tests.harness.media import SECRET, draw, encode, encode_animation, new_exif, png_bomb

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
    file = current_store().open(picture.digest, variant)
    try:
        return file.read(0, file.size)
    finally:
        file.close()


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
