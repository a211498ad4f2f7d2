"""Logging of Engine.IO: one line without a traceback for a request that it could not parse."""

import logging


class _OneLine(logging.Filter):
    """Shortens errors that a client has caused: the reason is enough."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], ValueError | KeyError | IndexError):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.args = f"{record.getMessage()}: {record.exc_info[1]}", ()
            record.exc_info = None
        return True


def shorten_client_errors() -> None:
    """Keep Engine.IO from logging a traceback for each malformed request."""
    logger = logging.getLogger("engineio.server")
    if not any(isinstance(existing, _OneLine) for existing in logger.filters):
        logger.addFilter(_OneLine())
