"""An outage of reads: the database accepts no connection. It is logged once, when it begins and when it ends."""

import time
from typing import Any

import structlog
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

log = structlog.get_logger(__name__)


class ReadOutage:
    """Whether an engine's database accepts connections."""

    def __init__(self, engine: Engine) -> None:
        self._since: float | None = None
        event.listen(engine, "handle_error", self._on_error)
        event.listen(engine, "checkout", self._on_checkout)

    @property
    def is_active(self) -> bool:
        """Whether the last attempt to connect has failed."""
        return self._since is not None

    def _on_error(self, context: ExceptionContext) -> None:
        # An error of an existing connection may be the statement's, or of this connection only.
        if context.connection is None and not context.is_pre_ping and self._since is None:
            self._since = time.monotonic()
            log.warning("database cannot be read", reason=str(context.original_exception).strip())

    def _on_checkout(self, *_arguments: Any) -> None:
        if self._since is not None:
            log.info("database can be read again", seconds=round(time.monotonic() - self._since, 1))
            self._since = None
