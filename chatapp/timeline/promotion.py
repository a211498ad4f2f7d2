"""Renew the epoch when a replica of PostgreSQL was promoted, before anything is written to it.

A promotion begins a new timeline of PostgreSQL, with whatever the replica had received by then. With asynchronous
replication it may lack commits that were acknowledged, and their event numbers are then assigned again. The
installation's row has the timeline that its event numbers were assigned on: the first writer that connects to another
timeline renews the epoch, so that clients start again from the last page.

A database that lacks acknowledged events for another reason is detected by its watermarks, at the same time.
"""

import structlog
from sqlalchemy import Connection, Engine, event, select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from chatapp.extensions import db
from chatapp.models import Installation
from chatapp.storage import write
from chatapp.storage.timeouts import has_pooler
from chatapp.storage.watermarks import Watermarks
from chatapp.timeline.epoch import is_lacking_events, record_all, renew_in

log = structlog.get_logger(__name__)

_READ_TIMELINE = (
    "SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()"
)
"""The cluster of PostgreSQL and its timeline. `pg_control_checkpoint()` has the timeline of the last checkpoint."""

_CHECKED = "chatapp_timeline"
"""Key of the timeline that a connection was checked with, in its `info`."""


class TimelineChangedError(Exception):
    """A pooler leads the connection to a server that was promoted."""


def watch_for_promotion(engine: Engine, watermarks: Watermarks) -> None:
    """Check each connection of a writer before it is used, and behind a pooler each transaction."""
    if engine.dialect.name != "postgresql":
        return

    @event.listens_for(engine, "engine_connect")
    def check(connection: Connection) -> None:
        with Session(connection) as session:
            timelines = _read_timelines(session)
            _renew_if_necessary(session, watermarks, timelines)
        connection.info[_CHECKED] = timelines and timelines[0]

    @event.listens_for(engine, "begin")
    def check_again(connection: Connection) -> None:
        checked = connection.info.get(_CHECKED)
        if checked is None or not has_pooler(connection):
            return
        if connection.exec_driver_sql(_READ_TIMELINE).scalar_one() != checked:
            connection.invalidate()
            raise OperationalError(None, None, TimelineChangedError(), connection_invalidated=True)


def renew_epoch_if_promoted() -> None:
    """Renew the epoch if a replica was promoted, also while nobody writes. Raises `Unavailable`."""
    timelines = _read_timelines(db.session())
    db.session.rollback()
    if timelines and timelines[0] != timelines[1]:
        # The writer notices that its connection is closed, and checks the next one.
        write(lambda transaction: transaction.session.execute(select(1)))


def _read_timelines(session: Session) -> tuple[str, str | None] | None:
    """Return the current timeline and the recorded one; None if PostgreSQL does not report it."""
    try:
        current: str = session.execute(text(_READ_TIMELINE)).scalar_one()
        return current, session.scalars(select(Installation.database_timeline)).one()
    except OperationalError:
        raise
    except DBAPIError as error:
        # Some hosting services permit these functions to nobody.
        if error.connection_invalidated:
            raise
        session.rollback()
        log.debug("timeline of the database is not known", reason=str(error.orig).strip())
        return None


def _renew_if_necessary(session: Session, watermarks: Watermarks, timelines: tuple[str, str | None] | None) -> None:
    is_promoted = False
    if timelines and timelines[0] != timelines[1]:
        current, recorded = timelines
        is_recorded = session.scalar(
            update(Installation)
            .where(Installation.database_timeline.is_not_distinct_from(recorded))
            .values(database_timeline=current)
            .returning(Installation.id)
        )
        # A dump that was restored in another cluster keeps its event numbers.
        is_same_cluster = recorded is not None and recorded.partition("/")[0] == current.partition("/")[0]
        # Another process may have been faster.
        is_promoted = is_same_cluster and bool(is_recorded)
    is_lacking = not is_promoted and is_lacking_events(watermarks, session)
    if is_promoted or is_lacking:
        renew_in(session)
    session.commit()
    if is_promoted:
        log.warning("database is a promoted replica: open pages load their last page", timeline=timelines)
    elif is_lacking:
        log.warning("database lacks acknowledged events: open pages load their last page")
    if is_promoted or is_lacking:
        try:
            record_all(watermarks, session)
        except OSError as error:
            # Their maintenance detects later that they are of another epoch.
            log.warning("watermarks cannot be replaced", reason=str(error))
        session.rollback()
