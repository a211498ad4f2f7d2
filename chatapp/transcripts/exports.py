"""The exports that run: PDFs in worker processes, and one export at a time for each person."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType

from flask import Flask, current_app

from chatapp.concurrency.cooperation import checkpoint, in_slices
from chatapp.concurrency.worker_processes import WorkerPool
from chatapp.config import Settings
from chatapp.errors import RateLimited, TooComplex
from chatapp.timeline import TimelineMessage
from chatapp.timeline.metadata import Metadata
from chatapp.transcripts.export import (
    TranscriptHeader,
    describe_original,
    describe_sender,
    describe_time,
    format_metadata,
    list_file_lines,
)

EXTENSION = "chatapp.exports"
"""Key of the application's `Exports` in `app.extensions`."""

STALLED_SECONDS = 60.0
"""An export whose client has read nothing for so long does not count as running."""


class ExportSlot:
    """A person's permission to run one export, until it is closed. Closing it again has no effect."""

    def __init__(self, close: Callable[["ExportSlot"], None], clock: Callable[[], float]) -> None:
        self._close = close
        self._clock = clock
        self.used_at = math.inf

    def __enter__(self) -> None:
        """Use the slot in a `with` statement, which closes it."""

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Allow the person another export."""
        self._close(self)

    def stream(self, pieces: Iterable[str]) -> Iterator[str]:
        """Yield the pieces of an export. Close the slot before the client learns that it was the last one."""
        try:
            with in_slices():
                for piece in pieces:
                    self.used_at = self._clock()
                    yield piece
                    checkpoint()
        finally:
            self.close()


class Exports:
    """The running exports of one application."""

    def __init__(self, pool: WorkerPool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._slots: dict[int, ExportSlot] = {}
        self._lock = threading.Lock()

    def open_slot(self, user_id: int) -> ExportSlot:
        """Return a slot for one export of a person. Raises `RateLimited` while another export of theirs runs."""
        with self._lock:
            other = self._slots.get(user_id)
            if other is not None and self._clock() - other.used_at < STALLED_SECONDS:
                raise RateLimited("Another export of yours is still running. Try again when it is finished.")
            slot = ExportSlot(lambda closed: self._close(user_id, closed), self._clock)
            self._slots[user_id] = slot
            return slot

    def check_pdf_capacity(self) -> None:
        """Raise `Busy` when too many PDFs wait, before the messages of another one are read."""
        self._pool.check_capacity()

    @property
    def pdf_calls(self) -> int:
        """The number of PDFs that are made or wait for a process."""
        return self._pool.calls

    def make_pdf(
        self,
        header: TranscriptHeader,
        messages: Sequence[TimelineMessage],
        originals: Mapping[int | None, TimelineMessage],
        *,
        is_cut: bool,
    ) -> bytes:
        """Return the conversation as a PDF. `originals` are the messages that others quote, by number.

        Raises `Busy` when too many exports wait, and `TooComplex` when this one exceeds the limits.
        """
        note = "Latest messages only. The other export formats contain all messages." if is_cut else ""
        notes = [*header.describe(), _describe_metadata(header.metadata), note]
        contents = [
            (
                _describe(message, originals),
                message.content,
                "\n".join(filter(None, (*list_file_lines(message), _describe_metadata(message.metadata)))),
            )
            for message in messages
        ]
        try:
            return self._pool.run(title=header.title, notes=[note for note in notes if note], messages=contents)
        except TooComplex as error:
            raise TooComplex(
                "This conversation takes too long to export as PDF. Export it as Markdown or JSON instead."
            ) from error

    def _close(self, user_id: int, slot: ExportSlot) -> None:
        with self._lock:
            if self._slots.get(user_id) is slot:
                del self._slots[user_id]


def _describe(message: TimelineMessage, originals: Mapping[int | None, TimelineMessage]) -> str:
    heading = f"{describe_sender(message)} · {describe_time(message)}"
    if message.quoted_seq is None:
        return heading
    return f"{heading}\n{describe_original(originals.get(message.quoted_seq))}"


def _describe_metadata(metadata: Metadata | None) -> str:
    return "" if metadata is None else f"Metadata: {format_metadata(metadata)}"


def init_exports(app: Flask, settings: Settings) -> None:
    """Prepare exports. The processes start with the first PDF."""
    app.extensions[EXTENSION] = Exports(
        WorkerPool(
            "pdf",
            processes=settings.export_processes,
            max_queued=settings.max_queued_exports,
            memory_mb=settings.worker_memory_mb,
            timeout_seconds=settings.worker_timeout_seconds,
        )
    )


def current_exports() -> Exports:
    """Return the exports of the current application."""
    exports: Exports = current_app.extensions[EXTENSION]
    return exports
