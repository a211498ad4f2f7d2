"""Native threads beside eventlet's event loop."""

import os
import subprocess
import sys
from pathlib import Path

from tests.harness import ROOT
from tests.harness.servers import Launchers, SqliteTemplate
from tests.harness.waiting import scaled

PROGRAM = """
import logging, traceback
from wsgi import app
from eventlet import patcher, semaphore
from sqlalchemy import select
from chatapp.models import Conversation
from chatapp.storage import current_writer

get_ident = patcher.original("threading").get_ident
main_thread = get_ident()
is_recording = False
levels = []
acquire = semaphore.Semaphore.acquire

def record(lock, blocking=True, timeout=None):
    if is_recording and blocking and get_ident() != main_thread:
        print("green lock:", *traceback.format_stack(limit=4), flush=True)
    return acquire(lock, blocking, timeout)

semaphore.Semaphore.acquire = record

def read(transaction):
    assert get_ident() != main_thread
    logging.getLogger("sqlalchemy.pool").isEnabledFor(len(levels))  # As a new connection does.
    levels.append(None)
    return [conversation.id for conversation in transaction.session.scalars(select(Conversation))]

with app.app_context():
    current_writer().submit(read)  # The first connection takes locks of its own.
    is_recording = True
    print(current_writer().submit(read))
    current_writer().stop(5)
"""


def test_a_commit_waits_for_no_green_lock(sqlite_template: SqliteTemplate) -> None:
    environment = {**os.environ, "CHATAPP_DATA_DIR": str(sqlite_template.copy()), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", PROGRAM]
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=scaled(60), check=False
    )
    assert run.stdout == "[1]\n", run.stderr


def test_a_commit_of_a_server_that_the_tests_start_waits_for_no_green_lock(
    sqlite_template: SqliteTemplate, launchers: Launchers, tmp_path: Path
) -> None:
    program, printed = tmp_path / "program.py", tmp_path / "printed"
    program.write_text(PROGRAM)
    environment = {**os.environ, "CHATAPP_DATA_DIR": str(sqlite_template.copy())}
    with Path(os.devnull).open("rb") as nothing, printed.open("wb") as output:
        files = nothing.fileno(), output.fileno(), output.fileno()
        launchers.green.start([str(program)], environment, files).wait(scaled(60))
    assert printed.read_text() == "[1]\n"
