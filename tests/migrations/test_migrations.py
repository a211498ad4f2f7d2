"""Migrations in both directions, and the settings of database connections."""

import json
import re
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from chatapp import create_app
from chatapp.config import EXTENSION as SETTINGS
from chatapp.config import Settings
from chatapp.extensions import db
from chatapp.models import Conversation
from chatapp.storage.engines import BUSY_TIMEOUT_MS, writer_engine
from chatapp.storage.schema import LOCKING_TIME, newest_revision
from chatapp.tokens import hash_token
from tests.harness import ROOT
from tests.harness.people import Person
from tests.harness.servers import Launchers, NewServer, Postgres, Server, SqliteTemplate

WITHOUT_LONG_LOCKS = {
    "0001_accounts_conversations_messages.py",  # It creates the table.
    "0007_incoming_webhooks.py",  # A column that may be NULL: only the catalog changes.
}
"""Migrations whose time does not depend on the number of messages."""

TABLES = "users, conversations WHERE kind <> 'assistant', messages, reactions, user_sessions"


@pytest.fixture(params=["sqlite", "postgresql"])
def unmigrated(request: pytest.FixtureRequest, tmp_path: Path, launchers: Launchers) -> Server:
    url = ""
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.create_database(migrated=False)
    return Server(tmp_path / "data", ROOT, launchers, database_url=url)


def test_the_schema_matches_the_models_and_can_be_removed(unmigrated: Server) -> None:
    unmigrated.flask("db", "upgrade")
    unmigrated.flask("db", "check")
    assert unmigrated.rows("SELECT id, kind FROM conversations") == [(1, "general")]
    unmigrated.flask("db", "downgrade", "base")
    with pytest.raises(Exception, match="conversations"):
        unmigrated.rows("SELECT * FROM conversations")
    unmigrated.flask("db", "upgrade")
    assert unmigrated.rows("SELECT enforces_hosts FROM installation") == [(True,)]


def test_each_migration_keeps_the_rows_of_tables_that_it_does_not_drop(
    new_server: NewServer, database_url: str
) -> None:
    server = new_server(database_url=database_url).start()
    ana = Person(server, "ana").set_up()
    ana.create_room()
    socket = ana.connect()
    for number in range(3):
        socket.post(f"message {number}")
    ana.close()
    server.terminate()
    # A post of a webhook has another type since 0019.
    server.execute("UPDATE messages SET sender_type = 'system' WHERE seq = 2")

    def counts() -> list[object]:
        return [server.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES.split(", ")]

    before = counts()
    # The secrets of webhooks are encrypted since 0023, the tokens of links since 0025.
    server.flask("db", "downgrade", "0022")
    server.execute(
        "INSERT INTO outgoing_webhooks (conversation_id, name, url, secret, created_at)"
        " VALUES (1, 'hook', 'http://a/', 'whsec_text', '2026-01-01 00:00:00')"
    )
    server.execute(
        "INSERT INTO share_links (conversation_id, token, created_at) VALUES (1, 'open sesame', '2026-01-01 00:00:00')"
    )
    server.flask("db", "upgrade")
    assert server.share_tokens() == ["open sesame"]
    assert server.rows("SELECT token_hash FROM share_links") == [(hash_token("open sesame"),)]
    assert server.webhook_secrets() == ["whsec_text"]
    assert server.rows("SELECT secret FROM outgoing_webhooks") != [("whsec_text",)]
    server.flask("db", "downgrade", "0022")
    assert server.rows("SELECT secret FROM outgoing_webhooks") == [("whsec_text",)]
    assert server.rows("SELECT token FROM share_links") == [("open sesame",)]
    server.flask("db", "downgrade", "0001")
    server.flask("db", "upgrade")
    assert counts() == before
    types = server.rows("SELECT message_type, metadata FROM messages ORDER BY seq")
    assert types == [("text", None), ("system", None), ("text", None)]
    # It had people before host names were checked.
    assert server.rows("SELECT enforces_hosts FROM installation") == [(False,)]
    assert server.rows("SELECT message_count FROM conversations WHERE kind <> 'assistant' ORDER BY id") == [(3,), (0,)]


def test_an_upgrade_that_locks_the_messages_for_long_is_refused_while_others_use_the_database(
    new_server: NewServer, postgres: Postgres
) -> None:
    server = new_server(database_url=postgres.create_database())
    server.flask("db", "downgrade", "0017")
    # The number of messages is estimated by the last id.
    server.execute(
        "INSERT INTO messages (id, conversation_id, seq, version, sender_type, message_type, content, created_at)"
        " VALUES (10000000, 1, 1, 1, 'system', 'text', 'x', now())"
    )
    with psycopg.connect(server.environment["DATABASE_URL"]) as other:
        refused = server.flask("db", "upgrade", expect=1)
        assert "Upgrading 10,000,000 messages takes about 55 seconds, in which nobody can post." in refused
        assert "Other programs use the database." in refused
        server.configure(CHATAPP_MIGRATION_LOCK_SECONDS="60", CHATAPP_LOCK_TIMEOUT_SECONDS="0.3")
        other.execute("SELECT * FROM messages")
        assert "The upgrade has changed nothing: another session holds a lock" in server.flask(
            "db", "upgrade", expect=1
        )
        other.rollback()
        server.flask("db", "upgrade", "0018")
    server.configure(CHATAPP_MIGRATION_LOCK_SECONDS="0")
    server.flask("db", "upgrade")
    assert server.rows("SELECT version_num FROM alembic_version") == [(newest_revision(),)]


def test_each_migration_that_reads_or_changes_all_messages_says_how_long_it_takes() -> None:
    uses_messages = re.compile(r"""\b(?:FROM|UPDATE|INTO|JOIN|TABLE) messages\b|(?<!Column\()["']messages["']""")
    for path in sorted((ROOT / "migrations" / "versions").glob("*.py")):
        if not uses_messages.search(path.read_text()) or path.name in WITHOUT_LONG_LOCKS:
            continue
        times = re.search(rf"^{LOCKING_TIME} = (.+)$", path.read_text(), re.MULTILINE)
        assert times, f"{path.name} locks `messages`: see docs/patterns.md"
        assert set(json.loads(times[1])) == {"postgresql", "sqlite"}


@pytest.mark.usefixtures("app")
def test_readers_cannot_write() -> None:
    values = {"kind": "room", "name": "x", "topic": "", "visibility": "open", "last_event": 0, "floor": 0}
    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        db.session.execute(insert(Conversation).values(**values))
    db.session.rollback()


def test_each_connection_has_its_pragmas_and_only_the_writer_can_write(sqlite_template: SqliteTemplate) -> None:
    settings = Settings(data_dir=sqlite_template.copy(), database_url="")
    promised = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": BUSY_TIMEOUT_MS}

    def pragmas(connection: Connection) -> dict[str, object]:
        return {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in [*promised, "query_only"]}

    with create_app(settings).app_context():
        with db.engine.connect() as first, db.engine.connect() as second:
            assert pragmas(first) == pragmas(second) == promised | {"query_only": 1}
        db.engine.dispose()
    with writer_engine(settings).connect() as connection:
        assert pragmas(connection) == promised | {"query_only": 0}


def test_a_reader_sees_one_snapshot_until_its_transaction_ends(app: Flask) -> None:
    def events() -> int:
        db.session.expire_all()
        return db.session.scalars(select(Conversation.last_event)).one()

    assert events() == 0
    with writer_engine(app.extensions[SETTINGS]).begin() as connection:
        connection.execute(update(Conversation).values(last_event=7))
    assert events() == 0
    db.session.rollback()
    assert events() == 7
