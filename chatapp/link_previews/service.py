"""The background service that stores the previews of new messages. What it does not store is lost: it is no queue.

Only the process that stored a message gets its signal, and so only that process fetches.
"""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog
from flask import Flask

from chatapp.concurrency.supervision import OnFailure, Supervisor
from chatapp.config import Settings
from chatapp.errors import ChatError
from chatapp.link_previews.own_hosts import get_own_hosts
from chatapp.link_previews.pages import PageFetcher
from chatapp.markdown.urls import find_urls, normalize_url
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.timeline import TimelineMessage
from chatapp.timeline.changing import store_previews
from chatapp.timeline.signals import ContentEdited, content_edited, message_saved, messages_posted

log = structlog.get_logger(__name__)

MAX_PREVIEWS = 3
"""Maximum number of previews of a message: those of its first links."""

MAX_JOBS = 100
"""Maximum number of messages whose pages are fetched at the same time. Further ones get no previews."""

MAX_JOBS_OF_ONE = 10
"""The same for those of one person, and for those of the bots of one conversation."""

find_previewed = partial(find_urls, limit=MAX_PREVIEWS)


@dataclass(frozen=True, slots=True)
class _Job:
    message: TimelineMessage
    old_content: str = ""
    """What the message had before an edit. Its links are not fetched again: their previews may have been removed."""

    @property
    def owner(self) -> int:
        """The id of the sender; for a bot a negative number, which its conversation has."""
        return self.message.sender.id if self.message.sender else -self.message.conversation.id


class LinkPreviewer:
    """Fetches the pages that messages of people and bots link to, and stores their previews."""

    def __init__(self, app: Flask, settings: Settings, supervisor: Supervisor) -> None:
        self._app = app
        self._supervisor = supervisor
        self._fetcher = PageFetcher(settings, get_own_hosts(app))
        self._queue: deque[_Job] = deque(maxlen=MAX_JOBS)
        self._wake = threading.Event()
        self._jobs: Counter[int] = Counter()
        """The number of jobs that run, by their owners."""
        signals: Signals = app.extensions[SIGNALS]
        signals.connect(messages_posted, self._on_posted)
        signals.connect(message_saved, lambda message: self._on_posted([message]))
        signals.connect(content_edited, self._on_edited)

    def run(self) -> None:
        """Start a job for each message, forever."""
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                self._start(self._queue.popleft())

    def _on_posted(self, messages: Sequence[TimelineMessage]) -> None:
        for message in messages:
            self._add(_Job(message))

    def _on_edited(self, edited: ContentEdited) -> None:
        self._add(_Job(edited.message, edited.old_content))

    def _add(self, job: _Job) -> None:
        # A message from an outage may have been deleted meanwhile.
        if "://" in job.message.content and job.message.sender_type != "assistant" and job.message.id is not None:
            self._queue.append(job)
            self._wake.set()

    def _start(self, job: _Job) -> None:
        if self._jobs.total() >= MAX_JOBS or self._jobs[job.owner] >= MAX_JOBS_OF_ONE:
            log.info("no previews of a message: too many are fetched", conversation=job.message.conversation.wire_name)
            return
        self._jobs[job.owner] += 1
        self._supervisor.start("link previews of messages", self._run, job, on_failure=OnFailure.LOG)

    def _run(self, job: _Job) -> None:
        try:
            with self._app.app_context():
                self._store(job)
        except ChatError as error:
            log.info("previews not stored", reason=error.message)
        finally:
            self._jobs -= Counter({job.owner: 1})

    def _store(self, job: _Job) -> None:
        urls, old = find_previewed(job.message.content), find_previewed(job.old_content)
        fetched = [
            replace(preview, url=url)
            for url in urls
            if url not in old and (preview := self._fetcher.fetch(normalize_url(url)))
        ]
        if fetched or any(preview.url not in urls for preview in job.message.previews):
            store_previews(job.message, fetched, find_previewed)
