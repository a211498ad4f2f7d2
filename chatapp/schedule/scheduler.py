"""Does what is due, in the background of each process.

It sleeps until the next time at which something is due. Nothing is claimed: the change that does the work also records
it, so a second process finds nothing to do.
"""

import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import structlog
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from chatapp.errors import Busy, ChatError, Internal, SignedOut, Unavailable
from chatapp.extensions import db
from chatapp.models import now
from chatapp.schedule.delivery import Delivery
from chatapp.schedule.reminders import DueReminders
from chatapp.schedule.scheduled import SCHEDULED
from chatapp.schedule.service import record_problem
from chatapp.schedule.signals import reminder_changed, scheduled_changed
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.storage import current_writer, log_database_error

log = structlog.get_logger(__name__)

CHECK_SECONDS = 10.0
"""Maximum time between two checks: for what other processes have stored and not done, and for jumps of the clock."""

MIN_PAUSE_SECONDS = 1.0
"""Minimum time between two checks, so that many due times do not keep the writer busy."""

CLOCK_TOLERANCE_SECONDS = 0.01
"""Margin added to a wait: the wall clock and the clock that measures waits differ."""

MAX_SENT = 100
"""Maximum number of messages that are sent together."""

MAX_PROBLEM_CHARS = 300

TRANSIENT_ERRORS = (Busy, Internal, Unavailable)
"""Errors after which it is tried again."""


class DueWork(Protocol):
    """Something that is done at times that are stored in the database."""

    def find_next(self, session: Session) -> datetime | None:
        """Return the next time at which something is due; None if nothing is."""

    def do_due(self, session: Session, moment: datetime) -> None:
        """Do what is due at `moment`, each once."""


class Scheduler:
    """Does several kinds of work at the times at which it is due."""

    def __init__(self, app: Flask, works: Sequence[DueWork]) -> None:
        self._app = app
        self._works = works
        self._wake = threading.Event()

    def wake(self, _changed: object = None) -> None:
        """Check again: the next due time may have changed."""
        self._wake.set()

    def run(self) -> None:
        """Do what is due, forever."""
        while True:
            self._wake.clear()
            started = time.monotonic()
            self._wake.wait(self.check())
            time.sleep(max(0.0, started + MIN_PAUSE_SECONDS - time.monotonic()))

    def check(self) -> float:
        """Do what is due. Return the number of seconds until something is due again."""
        with self._app.app_context():
            try:
                for work in self._works:
                    work.do_due(db.session(), now())
                times = [work.find_next(db.session()) for work in self._works]
                # It fails if the database has closed the connection. The end of the context would do it too late.
                db.session.rollback()
            except (ChatError, SQLAlchemyError) as error:
                log_database_error(error, work="schedule")
                return 0.0
        moment = now()
        seconds = [(each - moment).total_seconds() for each in times if each is not None]
        return min(CHECK_SECONDS, max(0.0, min(seconds, default=CHECK_SECONDS)) + CLOCK_TOLERANCE_SECONDS)


class DueMessages:
    """The work of sending scheduled messages."""

    def find_next(self, session: Session) -> datetime | None:
        """Return the time at which the next message is due."""
        return SCHEDULED.find_next_due_at(session)

    def do_due(self, session: Session, moment: datetime) -> None:
        """Send the messages that are due, in the order of their times."""
        query = select(SCHEDULED.table.c.id, SCHEDULED.table.c.conversation_id).where(SCHEDULED.is_due(moment))
        due = session.execute(query.order_by(*SCHEDULED.order).limit(MAX_SENT)).all()
        db.session.remove()  # Its snapshot is older than what is sent.
        submissions = current_writer().submit_all([Delivery(*each) for each in due])
        for each, submission in zip(due, submissions, strict=True):
            if submission.error is not None and not isinstance(submission.error, TRANSIENT_ERRORS):
                record_problem(each.id, _describe(submission.error)[:MAX_PROBLEM_CHARS])


def _describe(error: BaseException) -> str:
    """Return why a message was not sent, for its author."""
    if isinstance(error, SignedOut):
        return "Your account was deactivated."
    if isinstance(error, ChatError):
        return error.message
    log.error("scheduled message failed", exc_info=error)
    return "Something went wrong on the server."


def create_scheduler(app: Flask) -> Scheduler:
    """Create the scheduler of a serving process, which changes of the schedule wake."""
    scheduler = Scheduler(app, [DueMessages(), DueReminders()])
    signals: Signals = app.extensions[SIGNALS]
    signals.connect(scheduled_changed, scheduler.wake)
    signals.connect(reminder_changed, scheduler.wake)
    return scheduler
