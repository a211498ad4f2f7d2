"""Background work of a serving process: broadcasting, heartbeats, webhooks, answers, cleanup.

Commands of the shell start none of it.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVarTuple, cast

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from chatapp.accounts.login_sessions import end_expired_login_sessions, record_login_use
from chatapp.assistants.worker import EXTENSION as ANSWER_WORKER
from chatapp.assistants.worker import AnswerWorker
from chatapp.audit_log.retention import delete_expired_entries
from chatapp.concurrency.native import NativePool, get_pools
from chatapp.concurrency.supervision import EXTENSION as SUPERVISOR
from chatapp.concurrency.supervision import OnFailure, Supervisor
from chatapp.config import Settings
from chatapp.config.assistants import current_assistants
from chatapp.conversations.name_space import list_assistant_names, log_clashes
from chatapp.conversations.refs import GENERAL
from chatapp.distribution import Distribution
from chatapp.errors import ChatError, TooComplex, Unavailable
from chatapp.extensions import db
from chatapp.files.moving import BUCKET_CHECK_SECONDS, MOVE_SECONDS, BucketWork
from chatapp.files.store import get_store
from chatapp.files.sweep import sweep_if_due
from chatapp.files.uploads import delete_expired_uploads
from chatapp.limits.rates import EXTENSION as RATE_LIMITS
from chatapp.limits.rates import REPORT_SECONDS, RateCounters
from chatapp.link_previews.service import LinkPreviewer
from chatapp.models import Conversation
from chatapp.presentation.loading import load_images
from chatapp.realtime.application import Realtime, get_realtime
from chatapp.realtime.assistants import EXTENSION as ANSWER_BROADCASTER
from chatapp.realtime.assistants import AnswerBroadcaster
from chatapp.realtime.broadcaster import Broadcaster
from chatapp.realtime.eviction import Evictor
from chatapp.realtime.heartbeats import Heartbeats
from chatapp.realtime.news import complete_news_channels
from chatapp.realtime.presence import BROADCAST_SECONDS
from chatapp.schedule.scheduler import create_scheduler
from chatapp.search.filling import CATCH_UP_SECONDS, complete_index
from chatapp.serving.backoff import Backoff
from chatapp.serving.garbage import CHECK_SECONDS, collect_when_quiet
from chatapp.storage import EXTENSION as WRITER
from chatapp.storage import PRIMARY_POSITION, Writer, find_replica, log_database_error, read_natively
from chatapp.storage.replica import Replica
from chatapp.telemetry.health import EXTENSION as HEALTH
from chatapp.telemetry.health import Health
from chatapp.telemetry.metrics import EXTENSION as METRICS
from chatapp.telemetry.metrics import Metrics
from chatapp.telemetry.status.sampler import EXTENSION as SAMPLER
from chatapp.telemetry.status.sampler import Sampler
from chatapp.timeline.archive.files import current_archive
from chatapp.timeline.cleanup import plan_trim, trim
from chatapp.timeline.consistency import find_problems, repair
from chatapp.timeline.deletions import purge_deletions
from chatapp.timeline.epoch import adopt_renewed_epoch, get_epoch, renew_epoch_if_restored
from chatapp.timeline.promotion import renew_epoch_if_promoted
from chatapp.webhooks.sender import WebhookSender

if TYPE_CHECKING:
    from chatapp.files.bucket_store import BucketStore

Ts = TypeVarTuple("Ts")

REVOCATION_CHECK_SECONDS = 0.5
"""Interval between two checks for revocations by other processes."""

HOUSEKEEPING_DELAY_SECONDS = 1.0
"""Time after the start at which housekeeping begins: the first pages come before it."""

RETENTION_SECONDS = 6 * 3600
"""Interval at which expired entries of the audit log and of the message archive are deleted."""

LOGIN_SESSION_CHECK_SECONDS = 60.0
"""Interval between two checks for login sessions that have expired."""

RESTORE_CHECK_SECONDS = 1.0
"""Pause before it is checked again whether the database was restored, while the database does not respond."""

NEWS_CHECK_SECONDS = 1.0
"""Interval between two attempts to complete sockets that connected during an outage."""

PURGE_SECONDS = 10.0
"""Interval at which deletions that can no longer be undone are purged."""

UPLOAD_CHECK_SECONDS = 600.0
"""Interval at which expired uploads are removed."""

SWEEP_CHECK_SECONDS = 300.0
"""Interval at which it is checked whether unused files are to be removed."""

REPLICA_CHECK_SECONDS = 1.0
"""Interval at which the replica is checked."""

LAG_CHECK_SECONDS = 0.5
"""Interval at which the lag of the event loop is measured."""

SWEEP_SECONDS = 1.0
"""Interval at which connections that did not authenticate in time are closed."""

log = structlog.get_logger(__name__)


def start_background(app: Flask, settings: Settings) -> None:
    """Start the background work of `app`."""
    supervisor: Supervisor = app.extensions[SUPERVISOR]

    def repeat(name: str, interval_seconds: float, function: Callable[[], object]) -> None:
        supervisor.start(name, repeat_forever, interval_seconds, function)

    realtime = get_realtime(app)
    evictor = Evictor(app, realtime)
    broadcaster = Broadcaster(app, realtime, evictor, is_single_process=not settings.redis_url)
    app.extensions[ANSWER_BROADCASTER] = answer_broadcaster = AnswerBroadcaster(
        realtime.server, realtime.signals, realtime.connections.count_sockets, realtime.presenter.render_answer
    )
    if broadcaster.queue is not None:
        from chatapp.realtime.bus import Bus  # A single process does without the library of Redis.
        from chatapp.realtime.relay import Relay

        bus = Bus(settings.redis_url, settings.secret_key())
        rate_counters: RateCounters = app.extensions[RATE_LIMITS]
        rate_counters.share()
        relay = Relay(realtime, broadcaster, broadcaster.queue, evictor, answer_broadcaster, rate_counters, bus)
        supervisor.start("broadcasting", broadcaster.queue.run)
        repeat("presence of other processes", BROADCAST_SECONDS, relay.publish_presence)
        repeat("rate limits of other processes", REPORT_SECONDS, relay.publish_uses)
        bus.start(supervisor)
        health: Health = app.extensions[HEALTH]
        health.is_bus_connected = lambda: bus.is_connected
    for name, run in (("formatting", broadcaster.formatting.run), ("thread states", broadcaster.threads.run)):
        supervisor.start(name, run)
    repeat("presence", BROADCAST_SECONDS, realtime.presence.broadcast_changes)
    repeat("connection sweep", SWEEP_SECONDS, realtime.engine.connection_guard.sweep)

    writer: Writer = app.extensions[WRITER]
    # Before the spool is drained: that assigns event numbers.
    if not check_for_restore(app):
        log.warning("whether the database was restored from a backup is checked when it responds")
        supervisor.start("restore check", retry_restore_check, app)
    with suppress(SQLAlchemyError):  # The first check of revocations loads them, too.
        load_images(app)
    writer.start(load_spool=True)
    supervisor.start("name check", run_later, check_names, app, on_failure=OnFailure.LOG)
    _start_queues(app, settings, supervisor)
    repeat("revocations", REVOCATION_CHECK_SECONDS, evictor.check_revocations)
    repeat("login sessions", LOGIN_SESSION_CHECK_SECONDS, partial(maintain_login_sessions, app, realtime))
    repeat("news of new sockets", NEWS_CHECK_SECONDS, partial(complete_news_channels, app, realtime))
    repeat(
        "heartbeats", settings.heartbeat_seconds, Heartbeats(app, realtime, broadcaster.order, broadcaster.queue).send
    )
    repeat("spool check", settings.heartbeat_seconds, writer.check_spool)
    repeat("watermarks", settings.heartbeat_seconds, partial(maintain_watermarks, app))
    if replica := find_replica(app):
        repeat("replica check", REPLICA_CHECK_SECONDS, partial(check_replica, app, replica))
        repeat("replica time-out", REPLICA_CHECK_SECONDS, replica.end_overdue)
    if settings.s3_bucket:
        _start_bucket(app, settings, repeat)
    repeat("garbage collection", CHECK_SECONDS, collect_when_quiet)
    _start_measuring(app, settings, supervisor)
    if not settings.worker:  # The first worker does this for all.
        _start_housekeeping(app, settings, supervisor)


def _start_bucket(app: Flask, settings: Settings, repeat: Callable[[str, float, Callable[[], object]], None]) -> None:
    health: Health = app.extensions[HEALTH]
    work = BucketWork(cast("BucketStore", get_store(app)), get_pools(app).bucket)
    health.find_bucket_problem = work.find_problem
    repeat("bucket check", BUCKET_CHECK_SECONDS, work.check)
    if not settings.worker:
        repeat("moving files", MOVE_SECONDS, work.move)


def _start_housekeeping(app: Flask, settings: Settings, supervisor: Supervisor) -> None:
    supervisor.start("deletions", repeat_forever, PURGE_SECONDS, partial(purge, app))
    supervisor.start("uploads", repeat_forever, UPLOAD_CHECK_SECONDS, partial(expire_uploads, app))
    supervisor.start("file sweep", repeat_forever, SWEEP_CHECK_SECONDS, partial(sweep_files, app))
    supervisor.start("database check", repair_database, app, on_failure=OnFailure.LOG)
    supervisor.start("search index", run_later, fill_search_index, app, on_failure=OnFailure.LOG)
    if settings.audit_log_days or settings.archive_days:
        supervisor.start("retention", run_later, delete_expired, app, settings)
    if settings.general_keep_last:
        supervisor.start("cleanup", trim_general, app, settings.general_keep_last, on_failure=OnFailure.LOG)


def run_later(function: Callable[[*Ts], object], *args: *Ts) -> None:
    """Do housekeeping once the first pages have been served."""
    time.sleep(HOUSEKEEPING_DELAY_SECONDS)
    function(*args)


def _start_queues(app: Flask, settings: Settings, supervisor: Supervisor) -> None:
    """Start what does the work that waits in the database."""
    supervisor.start("webhooks", WebhookSender(app, settings, supervisor).run)
    supervisor.start("schedule", create_scheduler(app).run)
    if settings.link_previews:
        supervisor.start("link previews", LinkPreviewer(app, settings, supervisor).run)
    app.extensions[ANSWER_WORKER] = answer_worker = AnswerWorker(app, settings, supervisor)
    answer_worker.start()


def _start_measuring(app: Flask, settings: Settings, supervisor: Supervisor) -> None:
    metrics: Metrics = app.extensions[METRICS]
    supervisor.start("event loop lag", measure_lag, metrics.loop_lag)
    app.extensions[SAMPLER] = sampler = Sampler(app, settings)
    supervisor.start("status", sampler.run)


def repeat_forever(interval_seconds: float, function: Callable[[], object]) -> None:
    """Call `function` every `interval_seconds`. An error of the database skips one call: the writer reports outages.

    So does a read that took too long.
    """
    while True:
        time.sleep(interval_seconds)
        try:
            function()
        except (SQLAlchemyError, TooComplex) as error:
            log.debug("skipped without the database", work=getattr(function, "__name__", ""), reason=str(error))


def measure_lag(distribution: Distribution) -> None:
    """Measure by how much the event loop wakes this thread too late, forever."""
    while True:
        due_at = time.monotonic() + LAG_CHECK_SECONDS
        time.sleep(LAG_CHECK_SECONDS)
        distribution.add(time.monotonic() - due_at)


def check_replica(app: Flask, replica: Replica) -> None:
    """Determine whether the replica can be used."""
    with app.app_context():
        epoch = get_epoch(db.session())
        position: int = db.session.execute(PRIMARY_POSITION).scalar_one()
    replica.check(position, epoch, get_epoch)


def maintain_login_sessions(app: Flask, realtime: Realtime) -> None:
    """Prolong the login sessions of open sockets, and end those that have expired."""
    with app.app_context():
        if ids := {user.login_session_id for user in realtime.connections.list_users()}:
            record_login_use(ids)
        end_expired_login_sessions()


def purge(app: Flask) -> None:
    """Delete permanently the texts of deleted messages."""
    with app.app_context(), suppress(ChatError):  # During an outage the next call does it.
        purge_deletions()


def expire_uploads(app: Flask) -> None:
    """Remove the uploads that are kept no longer."""
    with app.app_context():
        try:
            delete_expired_uploads()
        except OSError as error:
            log.warning("expired uploads not deleted", reason=str(error))


def sweep_files(app: Flask) -> None:
    """Remove files that nothing refers to any more."""
    with app.app_context():
        try:
            swept = sweep_if_due()
        except (ChatError, OSError) as error:
            log.info("unused files not removed", reason=str(error))
            return
        if swept is not None and (swept.removed or swept.marked):
            log.info("unused files removed", removed=swept.removed, marked=swept.marked)


def check_names(app: Flask) -> None:
    """Log a warning for names of users, assistants and bots that clash."""
    with app.app_context(), suppress(SQLAlchemyError):
        log_clashes(db.session(), list_assistant_names(current_assistants().values()))


def check_for_restore(app: Flask) -> bool:
    """Renew the epoch if the database was restored from a backup. Return False if that cannot be determined now."""
    try:
        with app.app_context():
            renew_epoch_if_restored(is_start=True)
    except (SQLAlchemyError, Unavailable, OSError) as error:
        log.debug("database cannot be checked for a restore", reason=str(error))
        return False
    return True


def retry_restore_check(app: Flask) -> None:
    """Repeat the check for a restored database until the database responds."""
    while True:
        time.sleep(RESTORE_CHECK_SECONDS)
        if check_for_restore(app):
            return


def repair_database(app: Flask) -> None:
    """Repair what another program has left inconsistent in the database, and log what was done.

    The search index is not compared with all messages. Entries without a message are never found.
    """
    pool = NativePool("database check", threads=1)
    find = partial(find_problems, with_index=False)
    with app.app_context():
        if not read_natively(db.session(), find, pool=pool, is_limited=False):
            return
        for problem in repair(with_index=False):
            log.warning("database repaired", problem=problem.description)
        for problem in read_natively(db.session(), find, pool=pool, is_limited=False):
            log.warning("database is inconsistent, and is not repaired automatically", problem=problem.description)


def maintain_watermarks(app: Flask) -> None:
    """Renew the epoch after a promotion, record one that another process has renewed, and write the watermarks."""
    writer: Writer = app.extensions[WRITER]
    with app.app_context():
        try:
            renew_epoch_if_promoted()
            adopt_renewed_epoch()
        except Unavailable as error:
            log_database_error(error, work="watermarks")
        except OSError as error:
            log.warning("watermarks cannot be maintained", reason=str(error))
    writer.flush_watermarks()


def fill_search_index(app: Flask) -> None:
    """Index the messages that the search index lacks, now and when a repair asks for it, forever."""
    backoff = Backoff()
    while True:
        pause = CATCH_UP_SECONDS
        started_at = time.monotonic()
        with app.app_context():
            try:
                complete_index(db.session())
            except (ChatError, SQLAlchemyError) as error:
                pause = backoff.next_pause(time.monotonic() - started_at)
                log.warning("search index cannot be completed", reason=str(error), again_in_seconds=pause)
        time.sleep(pause)


def trim_general(app: Flask, keep_last: int) -> None:
    """Remove all but the last `keep_last` messages of the general chat."""
    with app.app_context():
        general = db.session.get_one(Conversation, GENERAL.id)
        removed = sum(trim(plan_trim(db.session(), general, keep_last)))
    log.info("general chat trimmed", removed=removed, kept_last=keep_last)


def delete_expired(app: Flask, settings: Settings) -> None:
    """Delete what is kept for some days only and is older, now and then every few hours, forever."""
    while True:
        with app.app_context():
            try:
                entries = delete_expired_entries(settings.audit_log_days)
            except ChatError as error:
                log.warning("audit log not cleaned up", reason=error.message)
            else:
                log.info("audit log cleaned up", deleted=entries)
            try:
                cleanups = current_archive().delete_expired(settings.archive_days)
            except (ChatError, OSError) as error:
                log.warning("message archive not cleaned up", reason=str(error))
            else:
                log.info("message archive cleaned up", deleted=cleanups)
        time.sleep(RETENTION_SECONDS)
