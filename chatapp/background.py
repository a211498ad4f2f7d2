"""What a serving process does besides answering. Commands of the shell do none of it."""

import threading
import time
from collections.abc import Callable

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from chatapp.assistants.answering import EXTENSION as ANSWERER
from chatapp.assistants.answering import Answerer
from chatapp.config import Settings
from chatapp.conversations.names import GENERAL
from chatapp.extensions import db
from chatapp.models import Conversation
from chatapp.realtime.assistants import AnswerTeller
from chatapp.realtime.broadcaster import Broadcaster
from chatapp.realtime.bus import Bus
from chatapp.realtime.presence import PERIOD, presence
from chatapp.realtime.processes import Processes
from chatapp.socket_engine import EXTENSION as CONNECTION_GUARD
from chatapp.socket_engine.connection_guard import ConnectionGuard
from chatapp.timeline.cleanup import plan_trim, trim
from chatapp.timeline.epoch import remember_events, renew_epoch_if_restored
from chatapp.timeline.writer import EXTENSION as WRITER
from chatapp.timeline.writer import Writer
from chatapp.webhooks.sender import WebhookSender

REVOCATION_CHECK_SECONDS = 0.5
"""Seconds between two looks at whether other processes have ended sign-ins or memberships."""

log = structlog.get_logger(__name__)


def start_background(app: Flask, settings: Settings) -> None:
    """Start to broadcast, to beat, and to trim the general chat."""
    broadcaster = Broadcaster(app, is_alone=not settings.redis_url)
    # Signals hold their listeners weakly.
    app.extensions["chatapp.broadcaster"] = broadcaster
    app.extensions["chatapp.teller"] = teller = AnswerTeller(app)
    connection_guard: ConnectionGuard = app.extensions[CONNECTION_GUARD]
    beats = [presence.tell_changes, connection_guard.sweep]
    if settings.redis_url:
        bus = Bus(settings.redis_url, settings.secret_key())
        app.extensions["chatapp.processes"] = processes = Processes(app, broadcaster, teller, bus)
        beats.append(processes.tell_presence)
        bus.start()
    _start(beat_forever, PERIOD, *beats)
    writer: Writer = app.extensions[WRITER]
    writer.start(recover=True)
    memory = settings.data_dir / "events.json"
    try:
        with app.app_context():
            renew_epoch_if_restored(memory)
    except SQLAlchemyError as error:
        log.warning("database does not answer at the start", reason=str(error))

    def remember() -> None:
        with app.app_context():
            remember_events(memory)

    _start(WebhookSender(app, settings).run)
    app.extensions[ANSWERER] = answerer = Answerer(app, settings)
    _start(answerer.run)
    _start(beat_forever, REVOCATION_CHECK_SECONDS, broadcaster.check_revocations)
    _start(beat_forever, settings.heartbeat_seconds, broadcaster.beat, writer.look_into_spool, remember)
    if settings.general_keep_last:
        _start(trim_general, app, settings.general_keep_last)


def beat_forever(interval: float, *beats: Callable[[], None]) -> None:
    """Call each of `beats` every `interval` seconds."""
    while True:
        time.sleep(interval)
        for beat in beats:
            try:
                beat()
            except SQLAlchemyError as error:
                # The database is away, which is told once, by the writer; the next beat comes.
                log.debug("beat without the database", beat=beat.__name__, reason=str(error))
            except Exception as error:
                log.warning("beat failed", beat=beat.__name__, reason=str(error))


def trim_general(app: Flask, keep_last: int) -> None:
    """Remove all but the general chat's last messages."""
    with app.app_context():
        general = db.session.get_one(Conversation, GENERAL.id)
        removed = sum(trim(plan_trim(db.session(), general, keep_last)))
    log.info("general chat trimmed", removed=removed, kept_last=keep_last)


def _start(work: object, *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()  # type: ignore[arg-type]
