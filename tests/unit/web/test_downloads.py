"""Downloads: which part of a file a request is for, and what the browser may do with the content."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from chatapp import create_app
from chatapp.config import Settings
from chatapp.files.attached import AttachedFile
from chatapp.files.store import get_store
from chatapp.web.downloads import send_file

CONTENT = bytes(range(256)) * 1_200
DIGEST = sha256(CONTENT).hexdigest()


class Download:
    """An application that sends one file at `/file`."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client: FlaskClient = app.test_client()
        self.file = self.describe()

    def describe(self, **fields: Any) -> AttachedFile:
        known: dict[str, Any] = {"name": "photo.jpg", "media_type": "image/jpeg", "kind": "image", "size": len(CONTENT)}
        self.file = AttachedFile(digest=DIGEST, **known | fields)
        return self.file

    def get(self, method: str = "GET", **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open("/file", method=method, headers=named, buffered=True)


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Download:
    folder = tmp_path_factory.mktemp("downloads")
    app = create_app(Settings(data_dir=folder))
    app.before_request_funcs.clear()  # There is no database.
    source = folder / "source"
    source.write_bytes(CONTENT)
    get_store(app).put(source, DIGEST)
    made = Download(app)
    app.add_url_rule("/file", "file", lambda: send_file(made.file))
    return made


def test_a_file_is_sent_with_its_length_and_its_digest(download: Download) -> None:
    download.describe()
    response = download.get()
    assert response.data == CONTENT
    assert response.status_code == 200
    assert response.content_length == len(CONTENT)
    assert response.get_etag() == (DIGEST, False)
    assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_head_of_a_file_has_its_length_and_no_content(download: Download) -> None:
    download.describe()
    response = download.get("HEAD", Range="bytes=0-9")
    assert (response.status_code, response.content_length, response.data) == (200, len(CONTENT), b"")


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=0-", range(len(CONTENT))),
        ("bytes=100-199", range(100, 200)),
        ("bytes=262143-262144", range(262_143, 262_145)),
        ("bytes=-5", range(len(CONTENT) - 5, len(CONTENT))),
        ("bytes=-400000", range(len(CONTENT))),
        ("bytes=307199-400000", range(307_199, len(CONTENT))),
    ],
)
def test_a_range_is_sent_alone(download: Download, header: str, part: range) -> None:
    download.describe()
    response = download.get(Range=header)
    assert response.data == CONTENT[part.start : part.stop]
    is_whole = len(part) == len(CONTENT)
    assert response.status_code == (200 if is_whole else 206)
    if not is_whole:
        assert response.headers["Content-Range"] == f"bytes {part.start}-{part.stop - 1}/{len(CONTENT)}"


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 2 * len(CONTENT)))
def test_any_range_has_the_bytes_of_the_file(download: Download, start: int, length: int) -> None:
    download.describe()
    response = download.get(Range=f"bytes={start}-{start + length}")
    assert response.data == CONTENT[start : start + length + 1]


@pytest.mark.parametrize("header", ["bytes=307200-", "bytes=999999-1000000"])
def test_a_range_behind_the_end_is_refused_with_the_length(download: Download, header: str) -> None:
    download.describe()
    response = download.get(Range=header)
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(CONTENT)}"
    assert response.data == b""


@pytest.mark.parametrize("header", ["bytes=0-1,5-9", "lines=0-5", "bytes=x-y", "bytes=", "bytes=9-5", "0-5"])
def test_other_ranges_are_ignored(download: Download, header: str) -> None:
    download.describe()
    response = download.get(Range=header)
    assert (response.status_code, response.content_length) == (200, len(CONTENT))


def test_a_download_is_resumed_only_if_the_content_is_the_same(download: Download) -> None:
    download.describe()
    assert download.get(Range="bytes=5-9", If_Range=f'"{DIGEST}"').status_code == 206
    for other in ('"another"', f'W/"{DIGEST}"', "Sun, 29 Nov 2026 13:00:00 GMT"):
        assert download.get(Range="bytes=5-9", If_Range=other).status_code == 200


def test_a_browser_that_has_the_content_does_not_get_it_again(download: Download) -> None:
    download.describe()
    for value in (f'"{DIGEST}"', f'W/"{DIGEST}"', f'"x", "{DIGEST}"', "*"):
        response = download.get(If_None_Match=value)
        assert (response.status_code, response.data) == (304, b"")
    assert download.get(If_None_Match='"another"').status_code == 200


@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "video/mp4", "audio/mpeg", "application/pdf"])
def test_pictures_audio_video_and_pdf_are_shown(download: Download, media_type: str) -> None:
    download.describe(media_type=media_type)
    response = download.get()
    assert response.headers["Content-Type"] == media_type
    assert response.headers["Content-Disposition"].startswith("inline; filename=photo.jpg")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert ("sandbox" in response.headers["Content-Security-Policy"]) is media_type.startswith("image/")
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("media_type", "sent_as"),
    [
        ("text/html", "text/plain; charset=utf-8"),
        ("text/javascript", "text/plain; charset=utf-8"),
        ("image/svg+xml", "application/octet-stream"),
        ("application/xhtml+xml", "application/octet-stream"),
        ("application/xml", "application/octet-stream"),
        ("application/javascript", "application/octet-stream"),
        ("application/x-shockwave-flash", "application/octet-stream"),
        ("multipart/mixed", "application/octet-stream"),
        ("application/zip\r\nX-Header: 1", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("application/zip", "application/zip"),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
    ],
)
def test_everything_else_is_saved_and_never_run(download: Download, media_type: str, sent_as: str) -> None:
    download.describe(media_type=media_type)
    response = download.get()
    assert response.headers["Content-Type"] == sent_as
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert response.headers["Content-Security-Policy"].endswith("sandbox")
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.txt", 'inline; filename="a b.txt"'),
        ('say "hi".txt', 'inline; filename="say \\"hi\\".txt"'),
        ("Übersicht.pdf", "inline; filename=Ubersicht.pdf; filename*=UTF-8''%C3%9Cbersicht.pdf"),
        ("../../etc/passwd", "inline; filename=.._.._etc_passwd"),
        ("a\r\nSet-Cookie: x=1.txt", 'inline; filename="aSet-Cookie: x=1.txt"'),
        (
            "．．／passwd＼x",
            "inline; filename=.._passwd_x; filename*=UTF-8''%EF%BC%8E%EF%BC%8E%EF%BC%8Fpasswd%EF%BC%BCx",
        ),
        ("日本.png", "inline; filename=.png; filename*=UTF-8''%E6%97%A5%E6%9C%AC.png"),
    ],
)
def test_the_name_is_sent_in_both_forms_and_cannot_add_headers(download: Download, name: str, header: str) -> None:
    download.describe(name=name)
    assert download.get().headers["Content-Disposition"] == header


def test_a_file_that_is_gone_is_not_found(download: Download) -> None:
    download.file = AttachedFile(digest="0" * 64, name="a", media_type="image/png", kind="image", size=1)
    assert download.get().status_code == 404


def test_a_damaged_file_ends_the_response_early(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path, database_key="a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="))
    app.before_request_funcs.clear()
    (tmp_path / "source").write_bytes(CONTENT)
    get_store(app).put(tmp_path / "source", DIGEST)
    download = Download(app)
    app.add_url_rule("/file", "file", lambda: send_file(download.file))
    (path,) = (tmp_path / "files").rglob("*.enc")
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert download.get(Range="bytes=0-9").data == CONTENT[:10]
    with pytest.raises(ValueError, match="damaged"):
        download.get()
    path.write_bytes(damaged[:-1])
    assert download.get().status_code == 500
