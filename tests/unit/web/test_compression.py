"""Compression of pages."""

import gzip
from pathlib import Path

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from flask_wtf.csrf import validate_csrf

from chatapp.config import Settings
from chatapp.web.compression import CHUNK_BYTES, MAX_PADDING, init_compression
from chatapp.web.csrf import get_csrf_token

PAGE = "<p>A message.</p>" * (CHUNK_BYTES // 5)
"""Several chunks."""
ACCEPT = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    app = Flask("chatapp")
    app.config.update(SECRET_KEY="secret", WTF_CSRF_TIME_LIMIT=None)
    init_compression(app, Settings(data_dir=tmp_path))
    app.add_url_rule("/form", "form", lambda: f"<input name=csrf_token value='{get_csrf_token()}'>{PAGE}")
    app.add_url_rule("/page", "page", lambda: PAGE, methods=["GET", "POST"])
    app.add_url_rule("/small", "small", lambda: "<p>ok</p>")
    app.add_url_rule("/data", "data", lambda: {"text": PAGE})
    app.add_url_rule("/parts", "parts", lambda: Response(iter(["<p>", PAGE]), mimetype="text/html"))

    @app.get("/tagged")
    def tagged() -> Response:
        response = Response(PAGE)
        response.set_etag("version")
        return response

    return app.test_client()


def test_a_page_is_compressed_for_clients_that_accept_it(client: FlaskClient) -> None:
    response = client.get("/page", headers=ACCEPT)
    assert response.headers["Content-Encoding"] == "gzip"
    assert int(response.headers["Content-Length"]) == len(response.data) < len(PAGE) / 10
    assert "Accept-Encoding" in response.vary
    assert gzip.decompress(response.data).decode() == PAGE


@pytest.mark.parametrize("accepted", ["", "identity", "br, zstd", "gzip;q=0, br"])
def test_other_clients_get_it_as_it_is(client: FlaskClient, accepted: str) -> None:
    response = client.get("/page", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in response.headers
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.text == PAGE


@pytest.mark.parametrize("path", ["/small", "/data", "/parts"])
def test_small_pages_data_and_streams_are_not_compressed(client: FlaskClient, path: str) -> None:
    response = client.get(path, headers=ACCEPT, buffered=True)
    assert response.status_code == 200
    assert "Content-Encoding" not in response.headers


def test_the_response_to_a_form_is_not_compressed(client: FlaskClient) -> None:
    assert "Content-Encoding" not in client.post("/page", headers=ACCEPT).headers


def test_the_tag_of_a_compressed_page_is_weak(client: FlaskClient) -> None:
    assert client.get("/tagged").headers["ETag"] == '"version"'
    assert client.get("/tagged", headers=ACCEPT).headers["ETag"] == 'W/"version"'


def test_the_size_of_a_page_varies_so_that_it_reveals_little(client: FlaskClient) -> None:
    sizes = {len(client.get("/page", headers=ACCEPT).data) for _ in range(20)}
    assert len(sizes) > 5
    assert max(sizes) - min(sizes) < MAX_PADDING


def test_a_compressed_page_has_another_valid_csrf_token_each_second(client: FlaskClient) -> None:
    def find_token(**headers: str) -> str:
        response = client.get("/form", headers=headers)
        page = gzip.decompress(response.data) if headers else response.data
        return page.split(b"'")[1].decode()

    assert find_token() == find_token()
    tokens = {find_token(), find_token(**ACCEPT)}
    assert len(tokens) == 2
    with client:
        client.get("/page")
        for token in tokens:
            validate_csrf(token)


def test_compression_can_be_disabled(tmp_path: Path) -> None:
    app = Flask("chatapp")
    init_compression(app, Settings(data_dir=tmp_path, compress_pages=False))
    app.add_url_rule("/page", "page", lambda: PAGE)
    assert app.test_client().get("/page", headers=ACCEPT).text == PAGE
