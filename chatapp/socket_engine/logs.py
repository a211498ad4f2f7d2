"""What the libraries say of clients: a line each at the most, and no traceback."""

import logging


class _OneLine(logging.Filter):
    """What a client sent is no fault of the program: the reason is enough."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], ValueError | KeyError | IndexError):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.args = f"{record.getMessage()}: {record.exc_info[1]}", ()
            record.exc_info = None
        return True


def quieten() -> None:
    """Let Engine.IO's own server log no tracebacks of what it could not read."""
    logger = logging.getLogger("engineio.server")
    if not any(isinstance(each, _OneLine) for each in logger.filters):
        logger.addFilter(_OneLine())
