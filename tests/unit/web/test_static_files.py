"""Static files: which ones pages load, and how browsers may cache them."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp.web import static_files

SCRIPT = b"console.log('chatapp');" * 100
GZIPPED = gzip.compress(SCRIPT, mtime=0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with `static/dist/`, where a build has put a script and its compressed forms."""
    bundle = tmp_path / "static" / "dist"
    bundle.mkdir(parents=True)
    (bundle / "app-ABCD2345.js").write_bytes(SCRIPT)
    (bundle / "app-ABCD2345.js.gz").write_bytes(GZIPPED)
    (bundle / "app-ABCD2345.js.br").write_bytes(b"brotli")
    (bundle / "manifest.json").write_text(json.dumps({"js/app.js": "dist/app-ABCD2345.js"}))
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr(static_files, "BUNDLE", bundle)
    static_files._read_manifest.cache_clear()
    yield tmp_path
    static_files._read_manifest.cache_clear()


def make_app(folder: Path) -> Flask:
    return Flask("chatapp", static_folder=str(folder / "static"))


@pytest.fixture
def client(folder: Path) -> FlaskClient:
    app = make_app(folder)
    static_files.init_static_files(app, is_serving=True)
    return app.test_client()


def link(app: Flask) -> str:
    with app.test_request_context():
        rendered: str = app.jinja_env.from_string("{{ static_url('js/app.js') }}").render()
    return rendered


def test_pages_link_to_the_bundle(client: FlaskClient) -> None:
    assert link(client.application) == "/static/dist/app-ABCD2345.js"


def test_pages_link_to_the_sources_during_development(folder: Path) -> None:
    app = make_app(folder)
    app.debug = True
    static_files.init_static_files(app, is_serving=True)
    assert link(app) == "/static/js/app.js"


def test_a_server_without_a_bundle_does_not_start(folder: Path) -> None:
    (folder / "static" / "dist" / "manifest.json").unlink()
    static_files.init_static_files(make_app(folder), is_serving=False)  # A command, which renders no page.
    with pytest.raises(SystemExit, match=r"Run bin/setup\."):
        static_files.init_static_files(make_app(folder), is_serving=True)


@pytest.mark.parametrize(
    ("accepted", "encoding", "content"),
    [
        ("", None, SCRIPT),
        ("deflate", None, SCRIPT),
        ("gzip, deflate", "gzip", GZIPPED),
        ("gzip, deflate, br, zstd", "br", b"brotli"),
    ],
)
def test_a_file_is_sent_in_the_smallest_encoding_that_the_browser_accepts_and_kept_for_a_year(
    client: FlaskClient, accepted: str, encoding: str | None, content: bytes
) -> None:
    response = client.get("/static/dist/app-ABCD2345.js", buffered=True, headers={"Accept-Encoding": accepted})
    assert response.status_code == 200
    assert response.headers.get("Content-Encoding") == encoding
    assert response.data == content
    assert response.headers["Content-Type"] == 'text/javascript; charset="utf-8"'
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert "Access-Control-Allow-Origin" not in response.headers


def test_a_conditional_request_for_an_unchanged_file_gets_304(client: FlaskClient) -> None:
    headers = client.get("/static/dist/app-ABCD2345.js", buffered=True).headers
    for name, value in ("If-None-Match", headers["ETag"]), ("If-Modified-Since", headers["Last-Modified"]):
        response = client.get("/static/dist/app-ABCD2345.js", buffered=True, headers={name: value})
        assert (response.status_code, response.data) == (304, b"")
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (
        client.get("/static/dist/app-ABCD2345.js", buffered=True, headers={"If-None-Match": '"other"'}).status_code
        == 200
    )


def test_files_without_a_hash_are_not_kept(client: FlaskClient) -> None:
    assert "Cache-Control" not in client.get("/static/dist/manifest.json", buffered=True).headers


def test_a_file_that_was_bundled_after_the_start_is_served(client: FlaskClient, folder: Path) -> None:
    (folder / "static" / "dist" / "app-WXYZ6789.js").write_bytes(b"new")
    assert client.get("/static/dist/app-WXYZ6789.js", buffered=True).data == b"new"


@pytest.mark.parametrize(
    "path",
    [
        "/static/dist/app-00000000.js",
        "/static/dist/",
        "/static/dist/../../secret",
        "/static/dist/%2e%2e/%2e%2e/secret",
        "/static/dist/..%2f..%2fsecret",
        "/static/dist/app-ABCD2345.js/../../../secret",
        "/static/dist/app-ABCD2345.js%00",
    ],
)
def test_other_paths_do_not_exist(client: FlaskClient, path: str) -> None:
    assert client.get(path, buffered=True).status_code == 404


def test_files_cannot_be_written(client: FlaskClient) -> None:
    assert client.post("/static/dist/app-ABCD2345.js").status_code == 405


def test_a_file_of_the_bundle_that_is_opened_by_itself_may_load_nothing(client: FlaskClient) -> None:
    policy = client.get(link(client.application), buffered=True).headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; frame-ancestors 'none'"
