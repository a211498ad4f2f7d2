"""What the server needs of the machine."""

import resource
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs
from werkzeug.test import Client

from chatapp import create_app
from chatapp.config import Settings
from chatapp.limits.networks import is_loopback
from chatapp.serving import server
from chatapp.telemetry.health import EXTENSION as HEALTH


@pytest.mark.parametrize(
    ("limits", "raised", "possible"),
    [
        ((1_024, 1_000_000), (2_000 + server.SPARE_FILES, 1_000_000), None),
        ((1_024, resource.RLIM_INFINITY), (2_000 + server.SPARE_FILES, resource.RLIM_INFINITY), None),
        ((1_024, 1_500), (1_500, 1_500), 1_500 - server.SPARE_FILES),
        ((1_000_000, 1_000_000), None, None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None, None),
    ],
)
def test_the_limit_of_open_files_is_raised_as_far_as_permitted(
    limits: tuple[int, int],
    raised: tuple[int, int] | None,
    possible: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _which, pair: changes.append(pair))
    monkeypatch.setattr(server, "log", structlog.get_logger())
    with capture_logs() as lines:
        server._raise_file_limit(2_000)
    assert changes == ([raised] if raised else [])
    assert [line["possible"] for line in lines] == ([possible] if possible else [])


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("a", False)])
def test_an_address_is_reachable_from_this_machine_only(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("host", "trusted_proxies", "serves"),
    [("127.0.0.1", 0, True), ("::1", 0, True), ("::", 0, False), ("chat.local", 0, False), ("127.0.0.1", 1, False)],
)
def test_without_limits_only_this_machine_is_served(
    host: str, trusted_proxies: int, serves: bool, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, host=host, trusted_proxies=trusted_proxies)
    if serves:
        server._require_loopback(settings)
        return
    with pytest.raises(SystemExit, match="CHATAPP_ASYNC_MODE=threading is for development"):
        server._require_loopback(settings)


def test_requests_are_refused_with_the_reason_and_security_headers_until_the_server_is_ready_and_again_when_it_stops(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path, secure_cookies=True)
    app = create_app(settings)
    gate = server.RequestGate(app, settings, app.extensions[HEALTH])
    client = Client(gate)

    def check_refusals(reason: str) -> None:
        for path in ("/", "/health", "/readyz"):
            response = client.get(path)
            assert response.status_code == 503
            assert reason in response.text
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Strict-Transport-Security"]
            assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        assert client.get("/healthz").status_code == 200

    check_refusals("chatapp is starting.")
    gate.wait("The database is being upgraded.")
    check_refusals("The database is being upgraded.")
    gate.open()
    assert client.get("/static/none").status_code == 404
    gate.announce_end(is_replaced=False)
    assert (client.get("/readyz").status_code, client.get("/static/none").status_code) == (503, 404)
    gate.close()
    check_refusals("chatapp is being restarted.")
