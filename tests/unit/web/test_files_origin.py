"""URLs of the origin of files."""

import time
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import Client

from chatapp import create_app
from chatapp.config import Settings
from chatapp.files.store import StoreUnavailable, get_store
from chatapp.web.files_origin import FilesOrigin, FileTicket, choose_expiry

ORIGIN = "http://files.example"


@pytest.mark.parametrize("now", [1_200_000, 1_200_001, 1_200_029])
def test_a_url_is_the_same_for_half_of_its_time_so_that_browsers_find_the_file_in_their_caches(now: int) -> None:
    assert choose_expiry(60, now) == 1_200_060
    assert choose_expiry(60, 1_200_030) == 1_200_090


@pytest.mark.parametrize("max_seconds", [2, 3, 60, 61, 3_600])
def test_a_url_is_valid_for_half_of_the_time_at_least(max_seconds: int) -> None:
    seconds = [choose_expiry(max_seconds, now) - now for now in range(1_200_000, 1_203_600)]
    assert max(seconds) <= max_seconds
    assert min(seconds) > max_seconds / 2 - 1


def test_a_response_without_the_bucket_names_when_to_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path, files_origin=ORIGIN, allowed_hosts="chat.example")
    app = create_app(settings)

    def fail(_digest: str, _variant: str) -> None:
        raise StoreUnavailable("The bucket does not respond.")

    monkeypatch.setattr(get_store(app), "open", fail)
    origin = FilesOrigin(app, Flask("pages").wsgi_app, settings, lambda *_measured: None)
    ticket = FileTicket(
        name="a.png",
        url=f"http://chat.example/conversations/general/files/{'0' * 64}",
        media_type="image/png",
        is_download=False,
        reader_id=1,
        expires_at=int(time.time()) + 600,
    )
    response = Client(origin).get(ticket.make_path(app), base_url=ORIGIN)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "cannot be loaded at the moment" in response.text
