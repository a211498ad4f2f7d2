"""Migrations, up and down, and what the connections promise."""

import sqlite3

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from chatapp.config import Settings
from chatapp.database import writer_engine
from chatapp.extensions import db
from chatapp.models import Conversation
from tests.conftest import NewServer
from tests.harness.people import Person
from tests.harness.servers import Postgres, Server

TABLES = "users, conversations, memberships, messages, reactions, user_sessions"


@pytest.fixture(params=["sqlite", "postgresql"])
def unmigrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Server:
    url = ""
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.create_database(migrated=False)
    return Server(tmp_path_factory.mktemp("unmigrated") / "data", database_url=url)


def test_the_schema_is_built_from_nothing_matches_the_models_and_goes_away_again(unmigrated: Server) -> None:
    unmigrated.flask("db", "upgrade")
    unmigrated.flask("db", "check")
    assert unmigrated.rows("SELECT id, kind FROM conversations") == [(1, "general")]
    unmigrated.flask("db", "downgrade", "base")
    with pytest.raises(Exception, match="conversations"):
        unmigrated.rows("SELECT * FROM conversations")
    unmigrated.flask("db", "upgrade")
    assert unmigrated.rows("SELECT count(*) FROM installation") == [(1,)]


def test_each_step_down_and_up_keeps_the_rows_that_it_does_not_drop(new_server: NewServer, database_url: str) -> None:
    server = new_server(database_url=database_url).start()
    ana = Person(server, "ana").set_up()
    ana.create_room()
    socket = ana.connect()
    for number in range(3):
        socket.post(f"message {number}")
    ana.close()
    server.terminate()

    def counts() -> list[object]:
        return [server.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES.split(", ")]

    before = counts()
    server.flask("db", "downgrade", "0001")
    server.flask("db", "upgrade")
    assert counts() == before


@pytest.mark.usefixtures("app")
def test_readers_cannot_write() -> None:
    values = {"kind": "room", "name": "x", "topic": "", "visibility": "open", "last_event": 0, "floor": 0}
    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        db.session.execute(insert(Conversation).values(**values))
    db.session.rollback()


def test_sqlite_is_durable_checks_keys_and_waits_for_locks(sqlite_template: object, tmp_path: object) -> None:
    engine = writer_engine(Settings(data_dir=str(tmp_path)))
    with engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    assert sqlite3.sqlite_version_info >= (3, 35)
