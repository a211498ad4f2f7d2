"""The start of several workers: what they need, and the parent, which takes the place of this process."""

import os
import socket
import sys
from typing import NoReturn

from chatapp.concurrency.native import is_green
from chatapp.config import Settings, http_address
from chatapp.config.data_dir import prepare_data_dir
from chatapp.telemetry.logs import init_logs

BACKLOG = 1_024
"""Connections that wait to be accepted."""


def find_obstacle(settings: Settings) -> str | None:
    """Return why several workers cannot serve with these settings, and what to do."""
    if not settings.database_url.startswith("postgresql"):
        return (
            "they need PostgreSQL, because one process at a time writes to SQLite. Set DATABASE_URL and REDIS_URL "
            "(flask copy-database moves the data), or serve with one worker."
        )
    if not settings.redis_url:
        return "they need Redis to notify each other of new messages. Set REDIS_URL, or serve with one worker."
    if not is_green():
        return "CHATAPP_ASYNC_MODE=threading is for one process. Unset it, or serve with one worker."
    return None


def listen(settings: Settings) -> socket.socket:
    """Return a listening socket. Exits if the address cannot be used."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Send small frames at once. Accepted connections inherit the option.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        sys.exit(f"chatapp cannot listen on {settings.host}:{settings.port}: {error.strerror}. Set HOST or PORT.")
    listener.listen(BACKLOG)
    return listener


def start_parent(settings: Settings, *, upgrade: bool) -> NoReturn:
    """Become the parent of the workers. Exits if they cannot serve with these settings."""
    if obstacle := find_obstacle(settings):
        sys.exit(f"chatapp cannot start {settings.workers} workers: {obstacle}")
    init_logs(settings.log_level)
    prepare_data_dir(settings.data_dir)
    with listen(settings) as listener:
        listener.set_inheritable(True)
        address = http_address(settings.host, listener.getsockname()[1])
        options = [str(settings.workers), str(listener.fileno()), str(settings.data_dir), address]
        program = [sys.executable, "-m", "chatapp.serving.parent", *options, *(["--upgrade"] if upgrade else [])]
        os.execv(sys.executable, program)  # noqa: S606 - our own program
