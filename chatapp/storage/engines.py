"""Database engines: for reader connections, for the writer's connection, and for migrations.

All writes of a process use the writer's connection. So no two transactions of one process wait for each other's locks,
an fsync never blocks the event loop, and code that writes through a reader connection fails at once.
"""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from chatapp import sqlite
from chatapp.concurrency.cooperation import checkpoint
from chatapp.concurrency.native import NativePool, current_pools
from chatapp.config import Settings, current_settings
from chatapp.encryption.keyring import use_keyring
from chatapp.encryption.keys import DATABASE
from chatapp.errors import TooComplex
from chatapp.operation import current_operation, current_request_id
from chatapp.storage.statements import StatementObserver, cursor_arguments
from chatapp.storage.timeouts import (
    read_within,
    refuse_long_reads,
    support_pooler,
    timeout_arguments,
    timeouts,
    without_time_limit,
)
from chatapp.text import fold

T = TypeVar("T")

PROGRESS_INSTRUCTIONS = 1_000_000
"""Instructions of SQLite, some 10 milliseconds, between two checks of the time. Each needs the interpreter's lock."""

MAX_IDLE_CONNECTIONS = 10
"""Reader connections that are kept open while they are not used."""

TCP_LIMITS = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Arguments of the driver's `connect` with which a machine that has gone away is noticed within some seconds."""

SEARCH_INSTRUCTIONS = 10_000
"""Instructions between two checks of a search. FTS5 reads up to two thousand pages meanwhile: some 40 milliseconds."""

BEGIN_READING = "BEGIN"
"""Begins a transaction, whose snapshot is that of its first query."""

BUSY_TIMEOUT_MS = 5_000
"""How long SQLite waits for the lock of another process."""


def read_natively(
    session: Session,
    read: Callable[[Session], T],
    *,
    pool: NativePool | None = None,
    is_limited: bool = True,
    is_search: bool = False,
) -> T:
    """Call `read` in the session's transaction without blocking the event loop. Use it for queries that take long.

    By default it runs on the pool of reads. Raises `Busy` when too many calls wait for the pool, and `TooComplex` when
    the database takes longer than `read_timeout_seconds`, unless `is_limited` is false. With `is_search` it runs on the
    pool of searches, and takes at most `search_timeout_seconds`.
    """
    settings = current_settings()
    # The pool's locks may be green: take the connection before the call on a native thread.
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        # PostgreSQL's driver yields to the event loop while it waits.
        if is_search:
            return read_within(session, read, settings.search_timeout_seconds)
        with nullcontext() if is_limited else without_time_limit(session):
            return read(session)
    # Flask-SQLAlchemy's own session looks up the current application, which a native thread does not have.
    seconds = settings.read_timeout_seconds if is_limited else math.inf
    instructions = PROGRESS_INSTRUCTIONS
    if is_search:
        pool, seconds, instructions = current_pools().searches, settings.search_timeout_seconds, SEARCH_INSTRUCTIONS
    names = current_operation.get(), current_request_id.get()
    threads = pool or current_pools().reads
    with Session(connection, join_transaction_mode="rollback_only") as plain:
        result = threads.run(_read_within, names, seconds, instructions, connection, read, plain)
    checkpoint()
    return result


def _read_within(
    names: tuple[str, str],
    seconds: float,
    instructions: int,
    connection: Connection,
    read: Callable[[Session], T],
    session: Session,
) -> T:
    """Call `read`, on a native thread. Raises `TooComplex` when it takes longer than `seconds`.

    The time is checked after so many `instructions` of SQLite. `names` are the operation and the request id of the
    caller's thread.
    """
    current_operation.set(names[0])
    current_request_id.set(names[1])
    ends_at = time.monotonic() + seconds
    sqlite: Any = connection.connection.dbapi_connection
    sqlite.set_progress_handler(lambda: time.monotonic() > ends_at, instructions)
    try:
        return read(session)
    except OperationalError as error:
        if time.monotonic() > ends_at:
            raise TooComplex("This takes more time than the server allows.") from error
        raise
    finally:
        sqlite.set_progress_handler(None, 0)


def reader_options(settings: Settings, *, is_serving: bool) -> dict[str, Any]:
    """Return the arguments of `create_engine` for reader connections: read-only, one snapshot for each transaction."""
    kept = min(MAX_IDLE_CONNECTIONS, settings.database_connections)
    options: dict[str, Any] = {
        "pool_size": kept,
        "max_overflow": settings.database_connections - kept,
        **_driver_options(settings),
    }
    if not _is_sqlite(settings):
        # A page reads a conversation and then its messages from one snapshot, which SQLite gives every transaction.
        options |= {
            "isolation_level": "REPEATABLE READ",
            "execution_options": {"postgresql_readonly": True},
            "pool_pre_ping": True,
        }
        if is_serving:
            options["connect_args"] |= timeout_arguments(settings.sqlalchemy_url, timeouts(settings, is_reader=True))
    return options


def prepare_reader(engine: Engine, settings: Settings, statements: StatementObserver, *, is_serving: bool) -> None:
    """Do what `reader_options` cannot: observe the statements, and make the connections of SQLite read-only.

    A page that is computed in slices may let others run after each statement.
    """
    statements.observe(engine)
    use_keyring(engine.dialect, settings.keyring())
    event.listen(engine, "after_cursor_execute", lambda *_arguments: checkpoint())
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, begin=BEGIN_READING, pragmas=("query_only = ON",))
    else:
        support_pooler(engine, timeouts(settings, is_reader=True) if is_serving else None)
        refuse_long_reads(engine)


def replica_engine(settings: Settings, statements: StatementObserver) -> Engine:
    """Create the engine of the connections to the replica. They are like those of readers."""
    options = reader_options(settings, is_serving=True)
    limits = timeouts(settings, is_reader=True)
    options["connect_args"] |= timeout_arguments(settings.database_read_url, limits)
    # Each use begins with a statement that shows whether the connection works.
    engine = create_engine(settings.database_read_url, **options | {"pool_pre_ping": False})
    prepare_reader(engine, settings, statements, is_serving=True)
    return engine


def writer_engine(
    settings: Settings, statements: StatementObserver | None = None, *, is_serving: bool = False
) -> Engine:
    """Create the engine of the one connection that writes.

    It has no pool: a pool's locks are green under eventlet, and commits run on native threads.
    """
    options = _driver_options(settings)
    limits = timeouts(settings, is_reader=False) if is_serving and not _is_sqlite(settings) else None
    if limits:
        options["connect_args"] |= timeout_arguments(settings.sqlalchemy_url, limits)
    engine = create_engine(settings.sqlalchemy_url, poolclass=NullPool, **options)
    (statements or StatementObserver(settings)).observe(engine)
    use_keyring(engine.dialect, settings.keyring())
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, begin="BEGIN IMMEDIATE")
    else:
        support_pooler(engine, limits)
    return engine


def migration_engine(settings: Settings) -> Engine:
    """Create the engine that migrations run on.

    Foreign keys are off: batch mode rebuilds a table by dropping it, and the implicit DELETE of a DROP would cascade
    into the tables that refer to it.
    """
    engine = create_engine(settings.sqlalchemy_url, poolclass=NullPool, **_driver_options(settings))
    use_keyring(engine.dialect, settings.keyring())
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, begin="BEGIN IMMEDIATE", pragmas=("foreign_keys = OFF",))
    else:
        support_pooler(engine)
    return engine


def copying_engine(url: URL, key: bytes | None, *, is_locking: bool) -> Engine:
    """Create the engine of a database that is copied, or of its copy. A transaction may take hours.

    With `is_locking`, a transaction on SQLite locks out other writers. Bytes that are not UTF-8 become surrogates.
    """
    engine = create_engine(url, poolclass=NullPool, **_url_options(url, key))
    if engine.dialect.name == "sqlite":
        begin = "BEGIN IMMEDIATE" if is_locking else BEGIN_READING
        _prepare_sqlite(engine, begin=begin, pragmas=("foreign_keys = OFF",))

        @event.listens_for(engine, "connect")
        def keep_bytes(connection: Any, _record: ConnectionPoolEntry) -> None:
            connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")

        return engine
    support_pooler(engine)

    @event.listens_for(engine, "begin")
    def remove_limits(connection: Connection) -> None:
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {name} = 0")

    return engine


def _is_sqlite(settings: Settings) -> bool:
    return make_url(settings.sqlalchemy_url).get_backend_name() == "sqlite"


def _driver_options(settings: Settings) -> dict[str, Any]:
    return _url_options(make_url(settings.sqlalchemy_url), settings.derive_key(DATABASE))


def _url_options(url: URL, key: bytes | None) -> dict[str, Any]:
    """Return the arguments of `create_engine` that all engines have. Errors are logged, so they hide parameters."""
    if url.get_backend_name() != "sqlite":
        # Arguments replace what the URL says.
        limits = {name: value for name, value in TCP_LIMITS.items() if name not in url.query}
        return {"connect_args": limits | cursor_arguments(is_sqlite=False), "hide_parameters": True}
    # A connection is used from several native threads, one after the other.
    arguments = {"check_same_thread": False} | cursor_arguments(is_sqlite=True, key=key)
    return {"connect_args": arguments, "module": sqlite.driver, "hide_parameters": True}


def _prepare_sqlite(engine: Engine, *, begin: str, pragmas: tuple[str, ...] = ()) -> None:
    settings = (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        # Without this each batch would create and remove a file for the journal of its savepoints.
        "temp_store = MEMORY",
        # Overwrite what is deleted. SQLite of some systems does so by default, the library that chatapp uses does not.
        "secure_delete = FAST",
        *pragmas,
    )

    # The transactions of the module sqlite3 send no BEGIN before a read, which then has no snapshot:
    # https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#serializable-isolation-savepoints-transactional-ddl
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        connection.create_function("fold", 1, lambda text: text and fold(text), deterministic=True)
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        if begin == BEGIN_READING:
            # It waits for nothing and cannot fail: SQLAlchemy would take ten times as long.
            connection.connection.cursor().execute(begin)
        else:
            connection.exec_driver_sql(begin)
