"""Sessions in cookies that are verified once."""

import time
from datetime import timedelta

import pytest
from flask import Flask, session
from flask.sessions import SecureCookieSessionInterface

from chatapp.web.sessions import VerifiedSessions


@pytest.fixture
def app() -> Flask:
    app = Flask("chatapp")
    app.config.update(SECRET_KEY="key", PERMANENT_SESSION_LIFETIME=timedelta(days=1))
    app.session_interface = VerifiedSessions(app)
    return app


def read(app: Flask, cookie: str) -> dict[str, object]:
    with app.test_request_context(headers={"Cookie": f"session={cookie}"}):
        return dict(session)


def sign(app: Flask, content: object) -> str:
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    return serializer.dumps(content)


def test_a_cookie_has_its_content_each_time(app: Flask) -> None:
    cookie = sign(app, {"_user_id": "token", "_permanent": True})
    for _ in range(2):
        assert read(app, cookie) == {"_user_id": "token", "_permanent": True}


def test_what_a_request_changes_is_not_seen_by_the_next_one(app: Flask) -> None:
    for content in ({"a": "b"}, {"a": "b", "_flashes": [("message", "Saved.")]}):
        cookie = sign(app, content)
        with app.test_request_context(headers={"Cookie": f"session={cookie}"}):
            session["a"] = "c"
            session.setdefault("_flashes", []).append(("message", "Sent."))
        assert read(app, cookie) == content


def test_cookies_that_are_forged_malformed_or_too_old_have_no_content(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    forger = Flask("forger")
    forger.secret_key = "another key"
    for cookie in ("", "x", "a.b.c", sign(forger, {"_user_id": "token"}), sign(app, ["_user_id"])):
        assert read(app, cookie) == {}, cookie
    cookie = sign(app, {"_user_id": "token"})
    assert read(app, cookie)
    tomorrow = time.time() + timedelta(days=1, minutes=1).total_seconds()
    monkeypatch.setattr("chatapp.web.sessions.time.time", lambda: tomorrow)
    assert read(app, cookie) == {}
