"""What a serving process does besides answering. Commands of the shell do none of it."""

import threading

import structlog
from flask import Flask

from chatapp.config import Settings
from chatapp.conversations.names import GENERAL
from chatapp.extensions import db
from chatapp.models import Conversation
from chatapp.realtime.broadcaster import Broadcaster
from chatapp.timeline.cleanup import plan_trim, trim

log = structlog.get_logger(__name__)


def start_background(app: Flask, settings: Settings) -> None:
    """Start to broadcast, to beat, and to trim the general chat."""
    broadcaster = Broadcaster(app)
    app.extensions["chatapp.broadcaster"] = broadcaster  # Signals hold their listeners weakly.
    _start(broadcaster.beat_forever, settings.heads_interval)
    if settings.general_keep_last:
        _start(trim_general, app, settings.general_keep_last)


def trim_general(app: Flask, keep_last: int) -> None:
    """Remove all but the general chat's last messages."""
    with app.app_context():
        general = db.session.get_one(Conversation, GENERAL.id)
        removed = sum(trim(plan_trim(db.session(), general, keep_last)))
    log.info("general chat trimmed", removed=removed, kept_last=keep_last)


def _start(work: object, *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()  # type: ignore[arg-type]
