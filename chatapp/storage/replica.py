"""A read replica of PostgreSQL, and whether it can be used.

A read goes to the replica only once it has replayed everything that the primary had committed when the read began. So
it finds what the primary would find, however late the replica is otherwise: see docs/decisions/.
"""

import time
from _socket import SHUT_RDWR
from _socket import socket as native_socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from os import dup
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.005
"""Interval at which a read looks whether the replica has caught up."""

CHECK_SECONDS = 3.0
"""Time within which a check of the replica must end."""

MAX_SAMPLES = 3_600
"""Positions of the primary that are kept to measure the lag, one for each check."""

PRIMARY_POSITION = text(
    "SELECT ((CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn() "
    "ELSE pg_current_wal_flush_lsn() END) - '0/0')::bigint"
)
"""The position in the primary's log, in bytes, of all commits that are visible.

A commit is flushed before it is visible. What is not flushed yet is not sent to the replica: no read need wait for it.
"""

_REPLICA_POSITION = text("SELECT pg_is_in_recovery(), coalesce((pg_last_wal_replay_lsn() - '0/0')::bigint, 0)")


class ReplicaState(Enum):
    """Whether the replica is used."""

    STARTING = "starting"
    """It was not checked yet."""
    AVAILABLE = "available"
    LAGGING = "lagging"
    """It is late by more than the configured time."""
    UNAVAILABLE = "unavailable"
    """It accepts no connection, or does not respond."""
    NO_REPLICA = "not a replica"
    """It was promoted, or is a replica of another database."""


class ReplicaUnusableError(Exception):
    """The replica cannot serve this read."""

    def __init__(self, reason: str, state: ReplicaState | None = None) -> None:
        super().__init__(reason)
        self.state = state
        """The state that it is in from now on; None if it is only late."""


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """The state of the replica, and by how many seconds it was late at the last check."""

    state: ReplicaState
    lag_seconds: float
    reads: int
    """Number of reads that it has served."""


class Replica:
    """The replica of one application. Call `check` and `end_overdue` regularly."""

    def __init__(self, engine: Engine, *, wait_seconds: float, max_lag_seconds: float, read_seconds: float) -> None:
        self._engine = engine
        self._wait_seconds = wait_seconds
        self._max_lag_seconds = max_lag_seconds
        self._read_seconds = read_seconds
        self._state = ReplicaState.STARTING
        self._is_late = False
        """Whether a read has waited in vain since the last check: the next ones need not."""
        self._lag_seconds = 0.0
        self._reads = 0
        self._samples: deque[tuple[float, int]] = deque(maxlen=MAX_SAMPLES)
        """Times and positions of the primary that the replica has not reached."""
        self._uses: dict[int, tuple[float, Any]] = {}
        """The driver's connections that are in use, and when each use must have ended."""

    @property
    def is_usable(self) -> bool:
        """Whether to try the replica for a read."""
        return self._state is ReplicaState.AVAILABLE and not self._is_late

    @property
    def status(self) -> ReplicaStatus:
        """The state of the replica."""
        return ReplicaStatus(self._state, self._lag_seconds, self._reads)

    @contextmanager
    def open_session(self, position: int) -> Iterator[Session]:
        """Return a session that sees all that the primary had committed at `position`.

        Raises `ReplicaUnusableError` if the replica is later than a read may wait, and errors of the database.
        """
        with self._connect(self._wait_seconds + self._read_seconds) as connection:
            is_replica, replayed = self._wait_for(connection, position)
            if not is_replica:
                raise ReplicaUnusableError("it was promoted", ReplicaState.NO_REPLICA)
            if replayed < position:
                raise ReplicaUnusableError("it is late")
            with Session(connection) as session:
                yield session
        self._reads += 1

    def report(self, error: Exception) -> None:
        """Record why a read was not served."""
        if isinstance(error, ReplicaUnusableError):
            self._is_late = True
            if error.state is not None:
                self._enter(error.state, str(error))
        elif isinstance(error, DBAPIError) and (error.connection_invalidated or error.statement is None):
            self._enter(ReplicaState.UNAVAILABLE, str(error.orig).strip())
        else:
            log.debug("replica did not serve a read", reason=str(error))

    def check(self, position: int, identity: object, identify: Callable[[Session], object]) -> None:
        """Determine the state.

        `position` is the primary's. `identity` is what `identify` returns for the primary, and differs in other
        databases.
        """
        now = time.monotonic()
        self._samples.append((now, position))
        try:
            with self._connect(self._wait_seconds + CHECK_SECONDS) as connection:
                # Like a read: while people write, the replica is always a little late.
                is_replica, replayed = self._wait_for(connection, position)
                with Session(connection) as session:
                    is_same = identify(session) == identity
        except (DBAPIError, PoolTimeout) as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            self._enter(ReplicaState.UNAVAILABLE, str(reason).strip())
            return
        while self._samples and self._samples[0][1] <= replayed:
            self._samples.popleft()
        self._lag_seconds = now - self._samples[0][0] if self._samples else 0.0
        self._is_late = replayed < position
        if not is_replica:
            self._enter(ReplicaState.NO_REPLICA, "it was promoted")
            self._engine.dispose()  # The URL may name several servers: the next check finds one that is a replica.
        elif self._lag_seconds > self._max_lag_seconds:
            self._enter(ReplicaState.LAGGING, f"it is {self._lag_seconds:.0f} seconds late")
        elif not is_same and not self._is_late:
            self._enter(ReplicaState.NO_REPLICA, "it is a replica of another database")
        else:
            self._enter(ReplicaState.AVAILABLE)

    def end_overdue(self) -> None:
        """Disconnect uses that take too long: a server that does not respond ends nothing itself."""
        now = time.monotonic()
        for ends_at, connection in list(self._uses.values()):
            if now > ends_at:
                _disconnect(connection)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._engine.dispose()

    @contextmanager
    def _connect(self, seconds: float) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            key = id(connection)
            self._uses[key] = time.monotonic() + seconds, connection.connection.dbapi_connection
            try:
                yield connection
            finally:
                del self._uses[key]

    def _wait_for(self, connection: Connection, position: int) -> tuple[bool, int]:
        """Wait for a position as long as a read may, and return whether it is a replica, and its position."""
        ends_at = time.monotonic() + self._wait_seconds
        while True:
            is_replica, replayed = connection.execute(_REPLICA_POSITION).one()
            connection.rollback()  # The next statement sees what is replayed by then.
            if not is_replica or replayed >= position or time.monotonic() >= ends_at:
                return is_replica, replayed
            time.sleep(POLL_SECONDS)

    def _enter(self, state: ReplicaState, reason: str = "") -> None:
        if state is self._state:
            return
        if state is ReplicaState.AVAILABLE:
            log.info("replica is used")
        else:
            log.warning("replica is not used: everything is read from the primary database", reason=reason)
        self._state = state
        if state is ReplicaState.UNAVAILABLE:
            for _ends_at, connection in list(self._uses.values()):
                _disconnect(connection)


def _disconnect(connection: Any) -> None:
    """Make the driver's call fail that waits for the server now."""
    # A socket of the C library: a green one would be registered with the event loop.
    with suppress(Exception):
        socket = native_socket(fileno=dup(connection.fileno()))
        try:
            socket.shutdown(SHUT_RDWR)
        finally:
            socket.close()
