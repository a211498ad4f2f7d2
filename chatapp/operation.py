"""The name of what a thread works on: it names the cause of a log line and of a statement of the database."""

from contextvars import ContextVar

current_operation: ContextVar[str] = ContextVar("chatapp.operation", default="")
"""A route such as `POST /rooms`, a socket event such as `send_message`, or background work; empty elsewhere.

Each green thread has its own. It is not passed to native threads by itself.
"""
