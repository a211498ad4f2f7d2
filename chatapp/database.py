"""The two ways to the database: many readers that cannot write, and one writer.

All writes of a process go through the writer's single connection (`chatapp.timeline.writer`): nothing inside the
process waits for a lock of its own, an fsync never stops the event loop, and a change that forgets the writer fails
at once.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from chatapp.config import Settings
from chatapp.extensions import db
from chatapp.native import run_native

T = TypeVar("T")

BUSY_TIMEOUT = 5_000
"""Milliseconds for which SQLite waits for another process' lock."""


def init_database(app: Flask, settings: Settings) -> None:
    """Give the application its readers: `db.session` reads, from one snapshot for each transaction."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.sqlalchemy_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 10, "max_overflow": 30} | _reader_options(settings)
    db.init_app(app)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            _prepare_sqlite(db.engine, begin="BEGIN", pragmas=("query_only = ON",))


def read_at_length(session: Session, read: Callable[[Session], T]) -> T:
    """Give what `read` reads, which may take long, in the session's transaction, without stopping the event loop."""
    # PostgreSQL's driver waits in a green way. The pool's locks may be green: the connection is taken here.
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return read(session)
    # Flask-SQLAlchemy's own session asks for the application, which a native thread does not know.
    with Session(connection, join_transaction_mode="rollback_only") as plain:
        return run_native(read, plain)


def writer_engine(settings: Settings) -> Engine:
    """Make the engine of the one connection that writes.

    It has no pool: a pool's locks are green under eventlet, and the writer's thread is a native one.
    """
    engine = create_engine(settings.sqlalchemy_url, poolclass=NullPool, connect_args=_connect_arguments(settings))
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, begin="BEGIN IMMEDIATE")
    return engine


def migration_engine(settings: Settings) -> Engine:
    """Make the engine that migrations run on.

    Foreign keys are off: batch mode rebuilds a table by dropping it, and the implicit DELETE of a DROP would cascade
    into the tables that point at it.
    """
    engine = create_engine(settings.sqlalchemy_url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, begin="BEGIN IMMEDIATE", pragmas=("foreign_keys = OFF",))
    return engine


def _is_sqlite(settings: Settings) -> bool:
    return make_url(settings.sqlalchemy_url).get_backend_name() == "sqlite"


def _reader_options(settings: Settings) -> dict[str, Any]:
    if _is_sqlite(settings):
        return {"connect_args": _connect_arguments(settings)}
    # A page reads a conversation and then its messages: both from one moment, as SQLite's transactions do.
    return {
        "isolation_level": "REPEATABLE READ",
        "execution_options": {"postgresql_readonly": True},
        "connect_args": _connect_arguments(settings),
        "pool_pre_ping": True,
    }


def _connect_arguments(settings: Settings) -> dict[str, Any]:
    # The writer's batches, and what is read at length, run on whichever native thread is free, one after the other.
    return {"check_same_thread": False} if _is_sqlite(settings) else {"connect_timeout": 5}


def _prepare_sqlite(engine: Engine, *, begin: str, pragmas: tuple[str, ...] = ()) -> None:
    settings = (
        f"busy_timeout = {BUSY_TIMEOUT}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        # A savepoint's journal needs no file, which would be made and removed with each batch.
        "temp_store = MEMORY",
        *pragmas,
    )

    # sqlite3's own transactions send no BEGIN before a read, which then has no snapshot:
    # https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#serializable-isolation-savepoints-transactional-ddl
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)
