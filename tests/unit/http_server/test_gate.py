"""Requests that are recognised as those of a login session, by the signature of their cookie."""

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from chatapp.http_server.gate import find_login_token
from chatapp.web.security import SESSION_COOKIE


@pytest.fixture
def app() -> Flask:
    app = Flask("chatapp")
    app.config.update(SECRET_KEY="key", SESSION_COOKIE_NAME=SESSION_COOKIE)
    return app


def make_cookie(app: Flask, content: object) -> str:
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    return f"{SESSION_COOKIE}={serializer.dumps(content)}"


def test_a_signed_cookie_with_a_login_has_its_token(app: Flask) -> None:
    cookie = make_cookie(app, {"_user_id": "token"})
    assert find_login_token(app, {"HTTP_COOKIE": f"other=1; {cookie}"}) == "token"


def test_every_other_cookie_is_that_of_a_visitor(app: Flask) -> None:
    forger = Flask("forger")
    forger.secret_key = "another key"
    for cookie in (
        "",
        "other=1",
        make_cookie(app, {"csrf_token": "x"}),
        make_cookie(app, ["_user_id"]),
        make_cookie(app, {"_user_id": 1}),
        make_cookie(forger, {"_user_id": "token"}),
        *(f"{SESSION_COOKIE}={value}" for value in ("", "x", "." * 50, "eyJ4IjoxfQ.x.y", "\xff", '"', ";" * 10)),
    ):
        assert find_login_token(app, {"HTTP_COOKIE": cookie}) is None, cookie
    assert find_login_token(app, {}) is None
