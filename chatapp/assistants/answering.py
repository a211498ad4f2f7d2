"""The one that answers: takes what is asked, lets a provider speak, and keeps what it says."""

import random
import threading
import time
from collections.abc import Mapping, Sequence

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from chatapp.actors import Actor
from chatapp.assistant_config import EXTENSION as ASSISTANTS
from chatapp.assistant_config import Assistant
from chatapp.assistants.context import build_turns
from chatapp.assistants.message_search import MessageSearch
from chatapp.assistants.providers import Provider, ProviderFailed, Question
from chatapp.assistants.providers.factory import make_provider
from chatapp.assistants.service import share_with_all
from chatapp.assistants.signals import Growth, answer_grew, answer_stopped
from chatapp.assistants.work import INTERRUPTED, Job, finish, interrupt_orphans, is_work_open, keep, take_jobs
from chatapp.config import Settings
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.supervision import OnFailure, Supervisor
from chatapp.timeline import TimelineMessage
from chatapp.timeline.signals import message_changed, message_posted

log = structlog.get_logger(__name__)

EXTENSION = "chatapp.answerer"
"""Where a serving process keeps what answers, in `app.extensions`."""

PERIOD = 3.0
"""Seconds between two looks for answers of which no signal came."""

FASTEST = 0.05
"""Seconds between two deltas of one answer at the least."""

PER_STREAM = 0.01
"""Seconds by which each answer under way slows all of them down, so that a hundred cost no more than ten."""

STORED_EVERY = 1.0
"""Seconds between two times that the answers are stored while they grow, all of them at once; more where many do."""

STORED_PER_STREAM = 0.05
"""Seconds by which each answer under way makes that rarer: twenty are stored in a second at the most."""

WAITED = 0.001
"""Seconds after which a piece counts as waited for, not as read together with the one before."""

LENGTH = 50_000
"""Characters of an answer at the most."""

PATIENCE = 2.0
"""Seconds that answers have to be stored when the process stops. What is not is interrupted at the next start."""

RETRY = 1.0
"""Seconds between two attempts to store how an answer ended."""


class Live:
    """An answer that a provider is giving."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.content = ""
        self.state = "complete"
        self.problem: str | None = None
        self.is_over = threading.Event()

    def end(self, state: str, problem: str | None = None) -> None:
        """Take what was said for all there is. The first end counts."""
        if not self.is_over.is_set():
            self.state, self.problem = state, problem
            self.is_over.set()


class Answerer:
    """Works on answers, each on a thread of its own: one at a time in a conversation, in the order of the questions."""

    def __init__(self, app: Flask, settings: Settings, supervisor: Supervisor) -> None:
        self._app = app
        self._supervisor = supervisor
        self._is_alone = not settings.redis_url
        self._most = settings.max_concurrent_answers
        self._assistants: Mapping[str, Assistant] = app.extensions[ASSISTANTS]
        self._providers: dict[str, Provider] = {}
        self._live: dict[int, Live] = {}
        self._woken = threading.Event()
        self._is_stopping = False
        message_posted.connect(self._hear)
        message_changed.connect(self._hear)
        answer_stopped.connect(self._stop)

    def run(self) -> None:
        """Answer, for ever."""
        while not self._tidy():
            time.sleep(RETRY)
        self._supervisor.start("storing of growing answers", self._keep_forever)
        while True:
            self._woken.wait(PERIOD)
            self._woken.clear()
            for job in self._take():
                self._live[job.message_id] = live = Live(job)
                self._supervisor.start("answers", self._answer, live, on_failure=OnFailure.LOG)

    def interrupt(self) -> None:
        """End all answers under way where they are, and wait until that is stored: the process stops."""
        self._is_stopping = True  # The questions that are queued are answered after the restart.
        for live in list(self._live.values()):
            live.end("interrupted", INTERRUPTED)
        deadline = time.monotonic() + PATIENCE
        while self._live and time.monotonic() < deadline:
            time.sleep(FASTEST)

    @property
    def _pace(self) -> float:
        """Seconds between two looks at what is new of an answer: not the same for all, or all would look at once."""
        return max(FASTEST, PER_STREAM * len(self._live) * random.uniform(0.6, 1.4))  # noqa: S311 - no secret

    def _hear(self, message: TimelineMessage) -> None:
        if message.state == "queued":
            self._woken.set()

    def _stop(self, message_id: int) -> None:
        if message_id in self._live:
            self._live[message_id].end("stopped")

    def _tidy(self) -> bool:
        try:
            with self._app.app_context():
                share_with_all(self._assistants)
                if self._is_alone and is_work_open(db.session()):
                    interrupt_orphans()
        except (ChatError, SQLAlchemyError) as error:
            log.info("answers wait for the database", reason=str(error))
            return False
        return True

    def _take(self) -> list[Job]:
        if self._is_stopping:
            return []
        try:
            with self._app.app_context():
                if not is_work_open(db.session()):
                    return []
                mine = {live.job.answer_id for live in self._live.values()}
                return list(take_jobs(self._most - len(mine), mine=mine))
        except (ChatError, SQLAlchemyError) as error:
            log.info("answers wait for the database", reason=str(error))
            return []

    def _answer(self, live: Live) -> None:
        """Follow an answer from its beginning to its end: tell and store how it grows."""
        self._supervisor.start("assistant providers", self._listen, live, on_failure=OnFailure.LOG)
        told = ""
        while not live.is_over.wait(self._pace):
            if live.content != told:
                told = live.content
                self._tell(live)
        self._tell(live)
        self._finish(live)
        del self._live[live.job.message_id]
        self._tell(live, is_over=True)
        self._woken.set()

    def _listen(self, live: Live) -> None:
        """Take from the provider what it says."""
        try:
            provider, question = self._prepare(live.job)
            asked_at = time.monotonic()
            for piece in provider.answer(question):
                live.content += piece
                # It had to be waited for: let more come before it is looked for again.
                if time.monotonic() - asked_at > WAITED:
                    live.is_over.wait(self._pace)
                if live.is_over.is_set():
                    return
                asked_at = time.monotonic()
                if len(live.content) > LENGTH:
                    live.content = live.content[:LENGTH]
                    live.end("stopped", "The answer was cut: it was too long.")
                    return
            live.end("complete")
        except ProviderFailed as failure:
            live.end("failed", str(failure))
        except Exception:
            log.exception("answer failed", answer=live.job.answer_id, assistant=live.job.assistant)
            live.end("failed", "Something went wrong on the server. Try again.")

    def _prepare(self, job: Job) -> tuple[Provider, Question]:
        assistant = self._assistants.get(job.assistant)
        if assistant is None:
            raise ProviderFailed("This assistant is not here any more.")
        if job.assistant not in self._providers:
            self._providers[job.assistant] = make_provider(assistant)
        with self._app.app_context():
            turns = build_turns(db.session(), job, assistant)
        library = MessageSearch(
            self._app, Actor(job.asker.id), job.conversation, job.reply_to, is_private=job.is_private
        )
        return self._providers[job.assistant], Question(turns, job.asker, library)

    def _tell(self, live: Live, *, is_over: bool = False) -> None:
        answer_grew.send(Growth(live.job.conversation, live.job.seq, live.content, is_over))

    def _keep_forever(self) -> None:
        """Store now and then how far the answers have come: a commit for each would hold up what people say."""
        while True:
            time.sleep(max(STORED_EVERY, STORED_PER_STREAM * len(self._live)))
            if growing := [live for live in self._live.values() if not live.is_over.is_set()]:
                self._keep(growing)

    def _keep(self, growing: Sequence[Live]) -> None:
        try:
            with self._app.app_context():
                wanted = keep([(live.job, live.content) for live in growing])
        except ChatError as error:
            log.info("answers not stored yet", answers=len(growing), reason=error.message)
        except Exception:
            log.exception("answers not stored", answers=len(growing))
        else:
            for live in growing:
                if live.job.answer_id not in wanted:
                    live.end("stopped")

    def _finish(self, live: Live) -> None:
        while True:
            try:
                with self._app.app_context():
                    finish(live.job, state=live.state, content=live.content, problem=live.problem)
            except ChatError as error:
                log.info("answer's end not stored yet", answer=live.job.answer_id, reason=error.message)
                time.sleep(RETRY)
            else:
                return
