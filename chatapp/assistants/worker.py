"""The worker of a process: it claims queued answers, produces them, and publishes and saves their progress."""

import random
import threading
import time
from collections.abc import Mapping, Sequence

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from chatapp.assistants.answer_queue import INTERRUPTED_PROBLEM, Job, claim_jobs, has_open_answers, interrupt_orphans
from chatapp.assistants.generation import SERVER_PROBLEM, AnswerGenerator
from chatapp.assistants.running import RunningAnswer
from chatapp.assistants.saving import AnswerSaver
from chatapp.assistants.service import synchronize_shared_conversations
from chatapp.assistants.signals import AnswerProgress, answer_progressed, answer_stopped
from chatapp.concurrency.supervision import OnFailure, Supervisor
from chatapp.config import Settings
from chatapp.config.assistants import EXTENSION as ASSISTANTS
from chatapp.config.assistants import Assistant
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.storage import log_database_error
from chatapp.timeline import TimelineMessage
from chatapp.timeline.signals import message_changed, messages_posted

EXTENSION = "chatapp.answer_worker"
"""Key of the worker of a serving process in `app.extensions`."""

CLAIM_INTERVAL_SECONDS = 3.0
"""Time between two polls of the queue. Usually a signal wakes the worker earlier."""

MIN_PROGRESS_INTERVAL_SECONDS = 0.05
PROGRESS_INTERVAL_SECONDS_PER_ANSWER = 0.01
"""The more answers run, the less often the progress of each is published: a hundred cost no more than ten."""

MIN_SAVE_INTERVAL_SECONDS = 1.0
SAVE_INTERVAL_SECONDS_PER_ANSWER = 0.05
"""The more answers run, the less often they are saved: at most twenty answers a second."""

RECOVERY_RETRY_SECONDS = 1.0

STOP_TIMEOUT_SECONDS = 2.0
"""Time to store the running answers when the process stops. The next process interrupts the others."""


class AnswerWorker:
    """Runs answers on threads of their own: one at a time in each conversation, in the order of the questions."""

    def __init__(self, app: Flask, settings: Settings, supervisor: Supervisor) -> None:
        self._app = app
        self._supervisor = supervisor
        self._is_only_process = not settings.redis_url
        self._max_answers = settings.max_concurrent_answers
        self._assistants: Mapping[str, Assistant] = app.extensions[ASSISTANTS]
        self._generator = AnswerGenerator(app, self._assistants)
        self._saver = AnswerSaver(app)
        self._signals: Signals = app.extensions[SIGNALS]
        self._running: dict[int, RunningAnswer] = {}
        """The running answers by their id. It is not the message's id, because an answer can be regenerated."""
        self._threads: list[threading.Thread] = []
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._has_stopped_claiming = False
        self._signals.connect(messages_posted, self._on_messages)
        self._signals.connect(message_changed, lambda message: self._on_messages([message]))
        self._signals.connect(answer_stopped, self._on_stopped)

    def start(self) -> None:
        """Start to claim and run answers."""
        self._threads = [
            self._supervisor.start("answer queue", self._claim_forever),
            self._supervisor.start("answer saving", self._save_forever),
        ]

    @property
    def running(self) -> int:
        """The number of answers that run."""
        return len(self._running)

    def stop_claiming(self) -> None:
        """Start no further answers: another process does."""
        self._has_stopped_claiming = True

    def stop(self, timeout: float = STOP_TIMEOUT_SECONDS) -> None:
        """Interrupt the running answers and wait up to `timeout` seconds until they are stored."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for answer in list(self._running.values()):
            answer.end("interrupted", INTERRUPTED_PROBLEM)
        while self._running and time.monotonic() < deadline:
            time.sleep(MIN_PROGRESS_INTERVAL_SECONDS)

    def _on_messages(self, messages: Sequence[TimelineMessage]) -> None:
        if any(message.answer_state == "queued" for message in messages):
            self._wake.set()

    def _on_stopped(self, message_id: int) -> None:
        for answer in list(self._running.values()):
            if answer.job.message_id == message_id:
                answer.end("stopped")

    def _claim_forever(self) -> None:
        while not self._recover():
            if self._stopping.wait(RECOVERY_RETRY_SECONDS):
                return
        while not self._stopping.is_set():
            for job in self._claim():
                self._start_answer(job)
            self._wake.wait(CLAIM_INTERVAL_SECONDS)
            self._wake.clear()

    def _recover(self) -> bool:
        """Synchronize the shared conversations and interrupt the answers of the previous process.

        Return False if the database is unavailable.
        """
        with self._app.app_context():
            try:
                synchronize_shared_conversations(self._assistants)
                if self._is_only_process and has_open_answers(db.session()):
                    interrupt_orphans(running=set(self._running))
            except (ChatError, SQLAlchemyError) as error:
                log_database_error(error, work="answer queue")
                return False
            return True

    def _claim(self) -> Sequence[Job]:
        with self._app.app_context():
            try:
                if not has_open_answers(db.session()):
                    return []
                limit = 0 if self._has_stopped_claiming else self._max_answers - len(self._running)
                return claim_jobs(limit, running=set(self._running))
            except (ChatError, SQLAlchemyError) as error:
                log_database_error(error, work="answer queue")
                return []

    def _start_answer(self, job: Job) -> None:
        self._running[job.answer_id] = answer = RunningAnswer(job)
        try:
            self._supervisor.start("answers", self._run_answer, answer, on_failure=OnFailure.LOG)
        except BaseException:
            # Its lease expires, and the next claim interrupts it.
            del self._running[job.answer_id]
            raise

    def _run_answer(self, answer: RunningAnswer) -> None:
        """Run an answer to its end. No failure blocks the conversation's next answer."""
        try:
            self._supervisor.start(
                "answer providers", self._generator.generate, answer, self._progress_interval, on_failure=OnFailure.LOG
            )
            self._publish_until_over(answer)
        finally:
            answer.end("failed", SERVER_PROBLEM)
            try:
                self._saver.finish(answer)
            finally:
                del self._running[answer.job.answer_id]
                self._publish(answer, is_complete=True, is_over=True)
                self._wake.set()

    def _publish_until_over(self, answer: RunningAnswer) -> None:
        while not answer.is_over.wait(self._progress_interval()):
            if answer.content:
                self._publish(answer)
        self._publish(answer, is_complete=True)

    def _publish(self, answer: RunningAnswer, *, is_complete: bool = False, is_over: bool = False) -> None:
        job = answer.job
        progress = AnswerProgress(job.conversation, job.seq, answer.content, is_complete, is_over)
        self._signals.send_robust(answer_progressed, progress)

    def _progress_interval(self) -> float:
        """Return the seconds between two publications of an answer's progress, with jitter that spreads the load."""
        jitter = random.uniform(0.6, 1.4)  # noqa: S311 - not for security
        return max(MIN_PROGRESS_INTERVAL_SECONDS, PROGRESS_INTERVAL_SECONDS_PER_ANSWER * len(self._running) * jitter)

    def _save_forever(self) -> None:
        """Save all running answers at intervals. A commit for each would slow down the messages of users."""
        while not self._stopping.wait(self._save_interval()):
            if growing := [answer for answer in list(self._running.values()) if not answer.is_over.is_set()]:
                self._saver.save_progress(growing)

    def _save_interval(self) -> float:
        return max(MIN_SAVE_INTERVAL_SECONDS, SAVE_INTERVAL_SECONDS_PER_ANSWER * len(self._running))
