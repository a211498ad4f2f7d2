"""Background work of a serving process: broadcasting, heartbeats, webhooks, answers, cleanup.

Commands of the shell start none of it.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from chatapp.assistants.worker import EXTENSION as ANSWER_WORKER
from chatapp.assistants.worker import AnswerWorker
from chatapp.config import Settings
from chatapp.conversations.names import GENERAL
from chatapp.extensions import db
from chatapp.models import Conversation
from chatapp.realtime.assistants import EXTENSION as ANSWER_BROADCASTER
from chatapp.realtime.assistants import AnswerBroadcaster
from chatapp.realtime.broadcaster import Broadcaster
from chatapp.realtime.bus import Bus
from chatapp.realtime.presence import PERIOD, presence
from chatapp.realtime.processes import Processes
from chatapp.socket_engine import EXTENSION as CONNECTION_GUARD
from chatapp.socket_engine.connection_guard import ConnectionGuard
from chatapp.supervision import EXTENSION as SUPERVISOR
from chatapp.supervision import OnFailure, Supervisor
from chatapp.timeline.cleanup import plan_trim, trim
from chatapp.timeline.epoch import remember_events, renew_epoch_if_restored
from chatapp.timeline.writer import EXTENSION as WRITER
from chatapp.timeline.writer import Writer
from chatapp.webhooks.sender import WebhookSender

REVOCATION_CHECK_SECONDS = 0.5
"""Interval at which revocations by other processes are looked for."""

SWEEP_SECONDS = 1.0
"""Interval at which connections that did not authenticate in time are closed."""

log = structlog.get_logger(__name__)


def start_background(app: Flask, settings: Settings) -> None:
    """Start the background work of `app`."""
    supervisor: Supervisor = app.extensions[SUPERVISOR]

    def repeat(name: str, interval_seconds: float, function: Callable[[], object]) -> None:
        supervisor.start(name, repeat_forever, interval_seconds, function)

    broadcaster = Broadcaster(app, is_alone=not settings.redis_url)
    # Signals hold their listeners weakly.
    app.extensions["chatapp.broadcaster"] = broadcaster
    app.extensions[ANSWER_BROADCASTER] = answer_broadcaster = AnswerBroadcaster()
    if settings.redis_url:
        bus = Bus(settings.redis_url, settings.secret_key())
        app.extensions["chatapp.processes"] = processes = Processes(app, broadcaster, answer_broadcaster, bus)
        repeat("presence between processes", PERIOD, processes.tell_presence)
        bus.start(supervisor)
    repeat("presence", PERIOD, presence.tell_changes)
    connection_guard: ConnectionGuard = app.extensions[CONNECTION_GUARD]
    repeat("connection sweep", SWEEP_SECONDS, connection_guard.sweep)

    writer: Writer = app.extensions[WRITER]
    writer.start(recover=True)
    remembered_events = settings.data_dir / "events.json"
    try:
        with app.app_context():
            renew_epoch_if_restored(remembered_events)
    except SQLAlchemyError as error:
        log.warning("database does not answer at the start", reason=str(error))

    supervisor.start("webhooks", WebhookSender(app, settings, supervisor).run)
    app.extensions[ANSWER_WORKER] = answer_worker = AnswerWorker(app, settings, supervisor)
    answer_worker.start()
    repeat("revocations", REVOCATION_CHECK_SECONDS, broadcaster.check_revocations)
    repeat("heartbeats", settings.heartbeat_seconds, broadcaster.beat)
    repeat("spool check", settings.heartbeat_seconds, writer.look_into_spool)
    repeat("remembered events", settings.heartbeat_seconds, partial(_remember_events, app, remembered_events))
    if settings.general_keep_last:
        supervisor.start("cleanup", trim_general, app, settings.general_keep_last, on_failure=OnFailure.LOG)


def repeat_forever(interval_seconds: float, function: Callable[[], object]) -> None:
    """Call `function` every `interval_seconds`. An error of the database skips one call: the writer reports outages."""
    while True:
        time.sleep(interval_seconds)
        try:
            function()
        except SQLAlchemyError as error:
            log.debug("skipped without the database", work=getattr(function, "__name__", ""), reason=str(error))


def trim_general(app: Flask, keep_last: int) -> None:
    """Remove all but the last `keep_last` messages of the general chat."""
    with app.app_context():
        general = db.session.get_one(Conversation, GENERAL.id)
        removed = sum(trim(plan_trim(db.session(), general, keep_last)))
    log.info("general chat trimmed", removed=removed, kept_last=keep_last)


def _remember_events(app: Flask, path: Path) -> None:
    with app.app_context():
        remember_events(path)
