"""Requests that are recognised as those of a login session or an API token."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from chatapp.config import Settings
from chatapp.fallback import EXTENSION, Fallback
from chatapp.http_server import rates
from chatapp.http_server.connections import HttpConnection, HttpConnections
from chatapp.http_server.gate import CONNECTION_KEY, ConnectionGate, find_api_token
from chatapp.http_server.rates import RequestRates
from chatapp.identity import CONFIRM_API_USER
from chatapp.socket_engine import tarpit, token_bucket
from chatapp.telemetry.health import HEALTH_PATHS
from chatapp.telemetry.operations import RequestMeasures
from chatapp.web.files_origin import FilesOrigin, FileTicket
from chatapp.web.security import SESSION_COOKIE
from chatapp.web.sessions import VerifiedSessions, find_login_token
from tests.harness.clock import Delays

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@pytest.fixture
def app() -> Flask:
    app = Flask("chatapp")
    app.config.update(SECRET_KEY="key", SESSION_COOKIE_NAME=SESSION_COOKIE)
    app.session_interface = VerifiedSessions(app)
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


def test_an_api_token_is_that_of_a_request_to_the_api() -> None:
    for path, header, token in (
        ("/api/conversations", "Bearer x", "x"),
        ("/api/conversations", "bearer x", "x"),
        ("/api/conversations", "Bearer ", None),
        ("/api/conversations", "Basic eDp5", None),
        ("/api/conversations", "Basic \xff", None),
        ("/api/conversations", "x", None),
        ("/rooms/1", "Bearer x", None),
    ):
        assert find_api_token({"PATH_INFO": path, "HTTP_AUTHORIZATION": header}) == token, (path, header)
    assert find_api_token({"PATH_INFO": "/api/conversations"}) is None


Request = Callable[..., int]


@pytest.fixture
def request_api(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    """Send a request from one network, and return its status. The token `ana 1` is valid, as are all that start so."""
    clock = Delays()
    for module in (rates, tarpit, token_bucket):
        monkeypatch.setattr(module, "time", clock)
    settings = Settings(
        data_dir=tmp_path,
        requests_per_second=1,
        max_connections_per_login=2,
        allowed_hosts="chat.example.org",
        files_origin="https://files.example.org",
    )
    app.extensions[EXTENSION] = Fallback(60)
    connections = HttpConnections(settings)

    def inner(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if confirm := environ.get(CONFIRM_API_USER):
            confirm(1 if " ana" in environ["HTTP_AUTHORIZATION"] else None)
        start_response("200 OK", [])
        return []

    gate = ConnectionGate(app, inner, RequestRates(settings), FilesOrigin(app, inner, settings, RequestMeasures().add))

    def send(token: str = "", *, path: str = "/api/conversations", host: str = "", stays_open: bool = False) -> int:
        connection = connections.open("192.0.2.1", lambda: None)
        assert isinstance(connection, HttpConnection)
        environ = {"PATH_INFO": path, "HTTP_HOST": host, "REMOTE_ADDR": "192.0.2.1", CONNECTION_KEY: connection}
        if token:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        statuses: list[str] = []
        # The gate is used without a database: reading from it would raise an error.
        gate(environ, lambda status, _headers, _error=None: statuses.append(status))  # type: ignore[arg-type]
        if not stays_open:
            connection.close()
        return int(statuses[0].split()[0])

    return send


def use_up(send: Request, token: str = "") -> None:
    """Send requests until one is refused."""
    for _ in range(100):
        if send(token) == 429:
            return
    pytest.fail("no request was refused")


def test_the_requests_of_a_token_count_as_those_of_its_user(request_api: Request) -> None:
    assert request_api("ana 1") == request_api("ana 2") == 200
    use_up(request_api)
    use_up(request_api, "invented")
    assert request_api("ana 1") == 200, "neither visitors nor invalid tokens of the same address affect it"
    use_up(request_api, "ana 1")
    assert request_api("ana 2") == 429, "further tokens allow no further requests"


def test_visitors_and_invalid_tokens_do_not_use_up_each_others_share(request_api: Request) -> None:
    use_up(request_api)
    assert request_api("ana 1") == 200, "a token that is used for the first time"
    use_up(request_api, "invented")
    assert request_api("ana 2") == 429


def test_an_invalid_token_has_no_part_in_the_share_of_a_user(request_api: Request) -> None:
    assert request_api("ana 1") == 200
    use_up(request_api, "invented")
    assert request_api("invented") == 429
    assert request_api("ana 1") == 200


def test_the_connections_of_a_token_are_counted_for_its_user(request_api: Request) -> None:
    statuses = [request_api(token, stays_open=True) for token in ("ana 1", "ana 1", "ana 1", "ana 1")]
    assert statuses == [200, 200, 429, 429]
    assert request_api() == 200


def test_visitors_do_not_delay_or_refuse_the_health_checks_of_their_address(request_api: Request) -> None:
    use_up(request_api)
    for path in sorted(HEALTH_PATHS):
        assert request_api(path=path) == 200
    assert 429 in [request_api(path="/healthz") for _ in range(200)], "they have a limit of their own"


def test_a_request_with_an_expired_ticket_for_a_file_counts_as_one_of_a_visitor(
    app: Flask, request_api: Request
) -> None:
    expired, valid = (
        FileTicket(
            name="a.png",
            url="https://chat.example.org/conversations/general/files/d1",
            media_type="image/png",
            is_download=False,
            reader_id=1,
            expires_at=int(time.time()) + seconds,
        ).make_path(app)
        for seconds in (-1, 600)
    )
    request_file = partial(request_api, host="files.example.org")
    use_up(partial(request_file, path=expired))
    assert request_file(path=valid) == 200
    assert request_api() == 429
    use_up(partial(request_file, path=valid))
    assert request_api("ana 1") == 200, "files have a limit of their own"
