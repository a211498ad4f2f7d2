"""Starting a server while PostgreSQL is not available, or has an old schema."""

import psycopg
import pytest
import requests

from tests.harness.servers import NewServer, Postgres, Server
from tests.harness.waiting import eventually, scaled

pytestmark = pytest.mark.faults


def health_reason(server: Server) -> str:
    """Return why the server is unavailable; empty while it is available or does not listen."""
    try:
        return str(server.health().json().get("reason", ""))
    except requests.ConnectionError:
        return ""


def test_a_server_waits_for_postgresql_and_then_migrates_it(own_postgres: Postgres, new_server: NewServer) -> None:
    server = new_server(database_url=own_postgres.create_database(migrated=False))
    own_postgres.stop()
    server.launch("--upgrade")
    eventually(lambda: health_reason(server) == "The database does not respond.", "the server waits")
    assert server.health("/healthz").status_code == 200
    readiness = server.health("/readyz")
    assert (readiness.status_code, readiness.json()["reason"]) == (503, "The database does not respond.")
    page = requests.get(server.url, timeout=scaled(10))
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "waiting for the database" in server.log()
    assert server.terminate() == 0
    server.launch("--upgrade")

    own_postgres.start()
    server.wait_until_ready()

    assert (server.health().status_code, server.health("/readyz").json()["status"]) == (200, "ready")
    assert server.rows("SELECT count(*) FROM users") == [(0,)]


def test_a_server_is_unavailable_until_its_database_is_upgraded(postgres: Postgres, new_server: NewServer) -> None:
    url = postgres.create_database(migrated=False)
    server = new_server(database_url=url)
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('chatapp.migrations'))")
        server.launch("--upgrade")
        eventually(lambda: health_reason(server) == "The database is being upgraded.", "the server waits")
    server.wait_until_ready()
    assert server.health().status_code == 200


def test_a_server_ends_when_its_database_cannot_be_upgraded(new_server: NewServer) -> None:
    server = new_server()
    server.execute("UPDATE alembic_version SET version_num = 'unknown'")
    server.launch("--upgrade")
    eventually(lambda: not server.is_running, "the server ends", timeout=30)
    assert "cannot upgrade the database" in server.log()
