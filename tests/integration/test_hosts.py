"""Host headers: which names of the server are accepted."""

import shutil
import socket
from collections.abc import Callable, Iterator

import pytest
import requests
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from structlog.testing import capture_logs

from chatapp import create_app
from chatapp.config import Settings
from chatapp.extensions import db
from chatapp.models import Installation
from chatapp.storage import write
from chatapp.web import hosts
from tests.harness.servers import Server, SqliteTemplate

NewClient = Callable[..., FlaskClient]


@pytest.fixture
def new_client(sqlite_template: SqliteTemplate) -> Iterator[NewClient]:
    """Create applications with a new installation, and their clients."""
    apps: list[Flask] = []

    def create(*, has_people: bool = False, **settings: object) -> FlaskClient:
        app = create_app(Settings(data_dir=sqlite_template.copy(), log_level="WARNING", **settings))  # type: ignore[arg-type]
        apps.append(app)
        if has_people:
            with app.app_context():
                write(
                    lambda transaction: transaction.session.execute(update(Installation).values(enforces_hosts=False))
                )
        return app.test_client()

    yield create
    for app in apps:
        with app.app_context():
            db.engine.dispose()
        shutil.rmtree(app.instance_path)


def status(client: FlaskClient, host: str, path: str = "/health", **headers: str) -> int:
    return client.get(path, headers={"Host": host, **headers}).status_code


def test_a_server_refuses_pages_and_sockets_under_a_foreign_name(server: Server) -> None:
    for path in ("/", "/health", "/api/conversations", server.setup_path(), "/socket.io/?EIO=4&transport=polling"):
        response = requests.get(server.url + path, headers={"Host": "evil.example"}, allow_redirects=False)
        assert (response.status_code, "CHATAPP_ALLOWED_HOSTS" in response.text) == (400, True), path
        assert "Set-Cookie" not in response.headers
        assert requests.get(server.url + path, headers={"Host": "localhost"}).status_code != 400, path


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5000", "127.0.0.1:80", "[::1]:5000", "x.localhost"])
def test_loopback_names_are_accepted(new_client: NewClient, host: str) -> None:
    assert status(new_client(), host) == 200


def test_the_name_and_the_addresses_of_the_machine_are_accepted(new_client: NewClient) -> None:
    client = new_client()
    assert status(client, socket.gethostname()) == 200
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # This sends nothing, but selects an address.
        assert status(client, probe.getsockname()[0]) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "192.0.2.7", "localhost.evil.example", "[::1", "a b", "127.0.0.1.evil.example:80"]
)
def test_other_names_are_refused(new_client: NewClient, host: str) -> None:
    assert status(new_client(), host) == 400


def test_listed_names_are_accepted_and_no_others(new_client: NewClient) -> None:
    client = new_client(has_people=True, trusted_proxies=1, allowed_hosts="Chat.example.org, .example.net")
    for host in ("chat.example.org", "CHAT.example.org.:8080", "a.example.net", "example.net", "localhost"):
        assert status(client, host) == 200, host
    for host in ("example.org", "x.chat.example.org", "aexample.net"):
        assert status(client, host) == 400, host
    assert status(client, "127.0.0.1", **{"X-Forwarded-Host": "evil.example"}) == 400
    assert status(new_client(allowed_hosts="*"), "anything.example") == 200


def test_the_name_that_a_trusted_proxy_reports_is_accepted(new_client: NewClient) -> None:
    forwarded = {"X-Forwarded-Host": "chat.example.org"}
    assert status(new_client(trusted_proxies=1), "127.0.0.1", **forwarded) == 200
    assert status(new_client(), "evil.example", **forwarded) == 400


def test_a_check_of_a_foreign_name_for_life_and_readiness_needs_no_database(new_client: NewClient) -> None:
    client = new_client()
    assert (status(client, "evil.example", "/healthz"), status(client, "evil.example", "/readyz")) == (200, 200)
    assert status(client, "evil.example") == 400
    assert status(client, "evil.example", "/healthz") == 400, "that names are refused is known now"


def test_an_installation_that_had_people_before_the_check_only_warns(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = new_client(has_people=True)
    monkeypatch.setattr(hosts, "log", structlog.get_logger())
    with capture_logs() as logs:
        assert [status(client, "chat.example.org") for _ in range(2)] == [200, 200]
    assert [entry["host"] for entry in logs] == ["chat.example.org"]
    assert "CHATAPP_ALLOWED_HOSTS" in logs[0]["event"]
