"""Logs: one line for each event, with its values, on standard error.

What clients send can neither begin a line nor control the terminal: control characters are escaped, and the lines of a
traceback are indented.
"""

import logging
import re
import sys
from collections.abc import Iterable
from functools import partial
from io import StringIO
from typing import TextIO

import structlog
from flask import Flask
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from chatapp.audit_log.signals import RecordedEvent, event_recorded
from chatapp.concurrency.native import new_shared_lock
from chatapp.operation import current_request_id
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.text import escape_controls
from chatapp.timeline import TimelineMessage
from chatapp.timeline.signals import message_saved, messages_posted

log = structlog.get_logger(__name__)

CONTENT_LOGGERS = ("socketio", "engineio", "geventwebsocket", "openai", "httpx2", "httpcore2")
"""Loggers that below WARNING log what users have written, or secret URLs."""

SOCKET_LOGGERS = ("engineio.server", "socketio.server")
"""Loggers to which their libraries add a handler of their own, which writes raw text, unless they have a level."""

VERBOSE_LOGGERS = ("alembic.runtime.plugins", "fontTools", "fpdf")
"""Loggers that at INFO log each plugin of Alembic, or each step of making a PDF."""

SQL_LOGGERS = {"sqlalchemy.engine": logging.INFO, "sqlalchemy.pool": logging.DEBUG}
"""Loggers of statements and of the connection pool, and their levels. Below INFO the first one logs rows."""

_DETAIL = re.compile(r"\n?DETAIL: .*?(?=\n\[SQL|\n\n|\Z)", re.DOTALL)
"""The part of an error of PostgreSQL that repeats the values of the row."""


def init_logs(level: str, *, with_sql: bool = False, worker: int | None = None) -> None:
    """Format our logs and those of libraries in the same way. Each line has the number of the worker, if it has one.

    With `with_sql`, or at the level DEBUG, statements without their parameters and events of the connection pool are
    logged too.
    """
    shared: list[Processor] = [
        *([] if worker is None else [partial(_add_worker, worker)]),
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    # Native threads log too. Its formatter does not yield; finding the name of a thread may wait for a green lock.
    handler.lock = new_shared_lock()
    logging.logThreads = False
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _escape_values,
                structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_write_traceback),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in (*CONTENT_LOGGERS, *VERBOSE_LOGGERS):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    for name, sql_level in SQL_LOGGERS.items():
        logging.getLogger(name).setLevel(sql_level if with_sql or level == "DEBUG" else logging.NOTSET)
    for name in SOCKET_LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.ERROR)
        logger.handlers.clear()


def init_event_log(app: Flask) -> None:
    """Log the messages that the application stores, and what it records in the audit log."""
    signals: Signals = app.extensions[SIGNALS]
    signals.connect(messages_posted, log_posted)
    signals.connect(message_saved, log_stored)
    signals.connect(event_recorded, log_recorded)


def _add_worker(worker: int, _logger: WrappedLogger, _name: str, event_dict: EventDict) -> EventDict:
    event_dict.setdefault("worker", worker)
    return event_dict


def _add_request_id(_logger: WrappedLogger, _name: str, event_dict: EventDict) -> EventDict:
    if request_id := current_request_id.get():
        event_dict.setdefault("request_id", request_id)
    return event_dict


def _escape_values(_logger: WrappedLogger, _name: str, event_dict: EventDict) -> EventDict:
    return {
        key: escape_controls(_DETAIL.sub("", value)) if isinstance(value, str) else value
        for key, value in event_dict.items()
    }


def _write_traceback(output: TextIO, exc_info: ExcInfo) -> None:
    plain = StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    output.writelines(
        f"\n    {escape_controls(line)}" for line in _DETAIL.sub("", plain.getvalue()).strip("\n").split("\n")
    )


def log_posted(messages: Iterable[TimelineMessage]) -> None:
    """Log new messages without their content."""
    # Asked once, not for each message.
    if logging.getLogger(__name__).isEnabledFor(logging.INFO):
        for message in messages:
            log_stored(message)


def log_stored(message: TimelineMessage) -> None:
    """Log a stored message without its content. Messages of assistants and bots have no user."""
    values: dict[str, object] = {"conversation": message.conversation.wire_name, "seq": message.seq}
    values |= {"user_id": message.sender.id} if message.sender else {"sender_type": message.sender_type}
    if message.request_id:
        values["request_id"] = message.request_id
    log.info("message stored", message_id=message.id, **values)


def log_recorded(event: RecordedEvent) -> None:
    """Log an event of the audit log as one line."""
    values = {
        "kind": event.kind,
        "actor": event.actor,
        "target": event.target or None,
        "conversation": event.conversation,
        "address": event.address,
        "count": event.count if event.count > 1 else None,
    }
    log.info("audit", **{name: value for name, value in values.items() if value is not None})
