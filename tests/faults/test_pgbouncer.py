"""PgBouncer in transaction mode between chatapp and PostgreSQL."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest
from sqlalchemy import text

from chatapp.config import Settings
from chatapp.storage.engines import migration_engine, writer_engine
from tests.harness.people import NewPerson, Person
from tests.harness.pgbouncer import PgBouncer
from tests.harness.servers import NewServer, Postgres, SqliteTemplate, find_postgres_binaries
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults

POSTS = 25
"""More than the driver needs to prepare a statement."""


@pytest.fixture
def pgbouncer(own_postgres: Postgres) -> Iterator[PgBouncer]:
    pgbouncer = PgBouncer(own_postgres)
    yield pgbouncer
    pgbouncer.close()


def test_no_statement_is_prepared_in_a_session_that_is_another_one_later(
    postgres: Postgres, sqlite_template: SqliteTemplate
) -> None:
    url = postgres.create_database()
    with closing(PgBouncer(postgres)) as pgbouncer:
        settings = Settings(data_dir=sqlite_template.copy(), database_url=pgbouncer.url(url))
        for engine in (writer_engine(settings), migration_engine(settings)):
            with engine.connect() as connection, closing(psycopg.connect(pgbouncer.url(url))) as other:
                for number in range(POSTS):
                    if number == POSTS - 1:
                        other.execute("SELECT 1")  # Its transaction occupies the session that was used last.
                    assert connection.execute(text("SELECT :number"), {"number": number}).scalar_one() == number
                    connection.commit()


def test_behind_pgbouncer_in_transaction_mode_nothing_is_lost_also_in_an_outage(
    own_postgres: Postgres, pgbouncer: PgBouncer, new_server: NewServer, new_person: NewPerson
) -> None:
    programs = find_postgres_binaries("nobody" if os.getuid() == 0 else None)
    server = new_server(
        database_url=pgbouncer.url(own_postgres.create_database(migrated=False)),
        PATH=f"{programs}:{os.environ['PATH']}",
        CHATAPP_GENERAL_KEEP_LAST="0",
    )
    server.flask("db", "upgrade")
    server.start()
    people = [new_person(server, name) for name in ("ana", "bob", "eve")]

    together = threading.Barrier(len(people))

    def chat(person: Person) -> None:
        socket = person.connect()
        socket.join()
        together.wait()  # A socket that joins later receives the last page, which does not have all messages.
        for number in range(POSTS):
            socket.post(f"{person.username} {number}")
            assert person.get("/").ok

    threads = [threading.Thread(target=chat, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ana, bob, _eve = (person.sockets[0] for person in people)
    count = len(people) * POSTS
    eventually(lambda: all(len(person.sockets[0].messages()) == count for person in people), "all have all messages")

    # Each of these transactions occupies the session of PostgreSQL that chatapp has used last.
    with ExitStack() as occupied:
        for number in range(1, PgBouncer.sessions):
            other = occupied.enter_context(closing(psycopg.connect(server.environment["DATABASE_URL"])))
            other.execute("SELECT 1")
            assert bob.post("in another session")["seq"] == count + number
            assert people[0].get("/").ok
    count += PgBouncer.sessions - 1

    own_postgres.stop()
    assert ana.send("during the outage")["message"]["pending"]
    own_postgres.start()
    (saved,) = bob.wait_for("message_saved")
    assert saved["message"]["seq"] == count + 1
    assert bob.post("after")["seq"] == count + 2
    for person in people:
        expected = [f"{person.username} {number}" for number in range(POSTS)]
        contents = "SELECT content FROM messages WHERE content LIKE '{} %' ORDER BY seq"
        assert [content for (content,) in server.rows(contents.format(person.username))] == expected
    assert "prepared statement" not in server.log()
    assert "leads to a connection pooler" in server.flask("backup", str(server.data_dir / "x.tar"), expect=1)
