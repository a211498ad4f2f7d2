"""Start-up: wait until the database responds, and bring its schema up to date."""

import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain, repeat

import structlog
from flask import Flask
from sqlalchemy.exc import DBAPIError

from chatapp.config import ROOT
from chatapp.database_copy.progress import has_unfinished_copy
from chatapp.extensions import db
from chatapp.storage.schema import find_revision, newest_revision

log = structlog.get_logger(__name__)

DELAYS_SECONDS = (0.5, 1, 2, 4, 8, 15)
"""Pauses before successive attempts to connect; the last one repeats."""

NO_DATABASE = "The database does not respond."
UNFINISHED_COPY = (
    "chatapp does not start: the database is an unfinished copy. Complete it with `flask --app chatapp copy-database`."
)
UPGRADING = "The database is being upgraded."


def prepare_database(app: Flask, report: Callable[[str], None], *, upgrade: bool) -> None:
    """Return when the database responds and, with `upgrade`, has the newest schema. Exits if that fails.

    `report` receives the reason whenever this has to wait.
    """
    with app.app_context():
        has_failed = False
        while not _is_ready(report, upgrade=upgrade):
            if has_failed:
                sys.exit("chatapp cannot upgrade the database: see the error above.")
            report(UPGRADING)
            db.engine.dispose()  # The upgrade asks before it locks out others: this process does not count.
            # In a process of its own: migrations block, and log from wherever they run.
            command = [sys.executable, "-m", "flask", "--app", "chatapp", "db", "upgrade"]
            has_failed = subprocess.run(command, cwd=ROOT, check=False).returncode != 0  # noqa: S603 - constant


def _is_ready(report: Callable[[str], None], *, upgrade: bool) -> bool:
    """Wait for the database, and return whether its schema is as it must be."""
    is_waiting = False
    for delay in chain(DELAYS_SECONDS, repeat(DELAYS_SECONDS[-1])):
        try:
            if has_unfinished_copy(db.session.connection()):
                sys.exit(UNFINISHED_COPY)
            is_ready = not upgrade or _is_up_to_date()
        except DBAPIError as error:
            if db.engine.dialect.name == "sqlite":
                raise  # A file that cannot be opened does not appear by waiting.
            log.warning("waiting for the database", reason=str(error.orig).strip(), retry_seconds=delay)
            report(NO_DATABASE)
            is_waiting = True
            db.session.remove()
            time.sleep(delay)
        else:
            db.session.remove()
            if is_waiting:
                log.info("database responds")
            return is_ready
    raise AssertionError  # The delays never end.


def _is_up_to_date() -> bool:
    return find_revision(db.session.connection()) == newest_revision()
