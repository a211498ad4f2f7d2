"""The time that a read may take, and a transaction without statements."""

import shutil
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from flask import Flask
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from chatapp import create_app
from chatapp.config import EXTENSION as SETTINGS
from chatapp.config import Settings, current_settings
from chatapp.errors import TooComplex
from chatapp.extensions import db
from chatapp.models import User
from chatapp.signals import Signals
from chatapp.storage import Transaction, Watermarks, current_writer, is_dropped, read_natively
from chatapp.storage.committer import Committer
from chatapp.storage.engines import writer_engine
from chatapp.storage.submissions import Submission
from chatapp.timeline.event_numbers import lock_conversations
from tests.harness.pgbouncer import PgBouncer
from tests.harness.servers import Postgres, SqliteTemplate

ENDLESS = text("WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT max(n) FROM numbers")


def read_endlessly(session: Session) -> object:
    return session.execute(ENDLESS).scalar_one()


@pytest.mark.parametrize("database_url", [""], ids=["sqlite"])
def test_a_read_of_sqlite_that_takes_too_long_is_ended_and_the_connection_stays_usable(app: Flask) -> None:
    app.extensions[SETTINGS] = current_settings().model_copy(update={"read_timeout_seconds": 0.1})
    for _ in range(2):
        with pytest.raises(TooComplex):
            read_natively(db.session(), read_endlessly)
        assert read_natively(db.session(), lambda session: session.execute(text("SELECT 1")).scalar_one()) == 1


@pytest.fixture(params=["postgresql", "pgbouncer"])
def postgres_url(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[str]:
    """The URL of a database on PostgreSQL, also through PgBouncer, which ignores options at the connect."""
    if request.param == "postgresql":
        yield f"{postgres.create_database()}?options=-c%20application_name%3Dtest"
        return
    pgbouncer = PgBouncer(postgres)
    yield f"{pgbouncer.url(postgres.create_database())}?application_name=test"
    pgbouncer.close()


@pytest.fixture
def serving_app(postgres_url: str, sqlite_template: SqliteTemplate) -> Iterator[Flask]:
    """The application of a server on PostgreSQL, with short time-outs."""
    settings = Settings(
        data_dir=sqlite_template.copy(),
        database_url=postgres_url,
        read_timeout_seconds=0.3,
        idle_transaction_timeout_seconds=0.2,
        log_level="WARNING",
    )
    app = create_app(settings, is_serving=True)
    with app.app_context():
        yield app
        db.session.remove()
        current_writer().stop(5)
        db.engine.dispose()
    shutil.rmtree(settings.data_dir)


def sleep(session: Session, seconds: float = 0.5) -> object:
    return session.execute(select(text(f"pg_sleep({seconds})::text"))).scalar_one()


def test_a_read_of_postgresql_that_takes_too_long_is_ended(serving_app: Flask) -> None:
    @serving_app.get("/test")
    def view() -> str:
        return str(sleep(db.session()))

    serving_app.extensions["chatapp.is_set_up"] = True
    assert serving_app.test_client().get("/test").status_code == 422
    assert db.session.scalar(text("SELECT current_setting('application_name')")) == "test"
    with pytest.raises(TooComplex):
        read_natively(db.session(), sleep)


@pytest.mark.usefixtures("serving_app")
def test_a_check_of_the_whole_database_may_take_longer_than_a_read() -> None:
    assert read_natively(db.session(), sleep, is_limited=False) == ""
    with pytest.raises(TooComplex):
        sleep(db.session())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("app")
def test_commands_of_the_shell_have_no_time_limit() -> None:
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    for engine in (db.engine, writer_engine(current_settings())):
        with engine.connect() as connection:
            assert [connection.scalar(text(f"SHOW {name}")) for name in names] == ["0", "0", "0"]


@pytest.mark.usefixtures("serving_app")
def test_a_transaction_that_is_idle_is_ended_and_a_change_is_then_applied_again() -> None:
    db.session.execute(select(1))
    time.sleep(0.4)
    with pytest.raises(Exception, match="idle-in-transaction") as error:
        db.session.execute(select(1))
    assert is_dropped(error.value)

    pauses = [0.4, 0]

    def change(transaction: Transaction) -> None:
        transaction.session.execute(insert(User).values(username="ana", name="Ana", password_hash="none"))
        time.sleep(pauses.pop(0))
        transaction.session.execute(select(1))

    submission = Submission(change)
    engine = writer_engine(current_settings(), is_serving=True)
    with closing(
        Committer(engine, Signals(), Watermarks(current_settings().watermarks_path), lock=lock_conversations)
    ) as committer:
        committer.commit([submission])
    assert submission.error is None
    db.session.remove()
    assert db.session.scalars(select(User.username)).all() == ["ana"]
