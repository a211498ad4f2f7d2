"""Storing running answers: their progress at intervals, and their final state with retries."""

import time
from collections.abc import Sequence

import structlog
from flask import Flask

from chatapp.assistants.answer_queue import Job, finish_job, save_progress
from chatapp.assistants.generation import SERVER_PROBLEM
from chatapp.assistants.running import RunningAnswer
from chatapp.errors import Busy, ChatError, Unavailable
from chatapp.files.attached import AttachedFile
from chatapp.files.uploads import delete_uploads
from chatapp.storage import log_database_error
from chatapp.timeline.metadata import Metadata

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0

MAX_FINISH_ATTEMPTS = 3
"""Attempts to store the end of an answer, not counting those while the database is unavailable."""


class AnswerSaver:
    """Stores the answers that a worker runs."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def save_progress(self, answers: Sequence[RunningAnswer]) -> None:
        """Store the content of running answers. End those that were stopped or deleted in another process."""
        with self._app.app_context():
            try:
                continuing = save_progress([(answer.job, answer.content) for answer in answers])
            except ChatError as error:
                log_database_error(error, work="answer saving", answers=len(answers))
                return
        for answer in answers:
            if answer.job.answer_id not in continuing:
                answer.end("stopped")

    def finish(self, answer: RunningAnswer) -> None:
        """Store the content, the files and the state of an answer that is over, or at least that it failed.

        If even that is impossible, the lease of the answer expires, and the next claim interrupts it.
        """
        job, content, files = answer.job, answer.content, answer.files
        if not self._try_to_finish(job, answer.state, content, answer.problem, answer.metadata, files):
            self._try_to_finish(job, "failed", "", SERVER_PROBLEM, None)
        with self._app.app_context():
            delete_uploads(upload.id for upload in answer.uploads)

    def _try_to_finish(
        self,
        job: Job,
        state: str,
        content: str,
        problem: str | None,
        metadata: Metadata | None,
        files: Sequence[AttachedFile] = (),
    ) -> bool:
        failures = 0
        while failures < MAX_FINISH_ATTEMPTS:
            with self._app.app_context():
                try:
                    finish_job(job, state=state, content=content, problem=problem, metadata=metadata, files=files)
                except (Busy, Unavailable) as error:
                    log_database_error(error, work="answer saving", answer=job.answer_id)
                except Exception:
                    log.exception("end of answer cannot be stored", answer=job.answer_id)
                    failures += 1
                else:
                    return True
            time.sleep(RETRY_SECONDS)
        return False
