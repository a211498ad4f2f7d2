"""What a thread works on, for log lines: the kind of work, and the id of the request that causes it.

Each green thread has its own values. They are not passed to native threads by themselves.
"""

import random
from contextvars import ContextVar

current_operation: ContextVar[str] = ContextVar("chatapp.operation", default="")
"""A route such as `POST /rooms`, a socket event such as `send_message`, or background work; empty elsewhere."""

current_request_id: ContextVar[str] = ContextVar("chatapp.request_id", default="")
"""The id of an HTTP request or of a socket event; of several, separated by commas, where one commit serves them."""


def new_request_id() -> str:
    """Return a new id."""
    return f"{random.getrandbits(64):016x}"
