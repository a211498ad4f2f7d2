"""Spools changes while the database is unavailable, and drains the spool afterwards."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import structlog

from chatapp.concurrency.native import NativePool
from chatapp.errors import Busy, ChatError, Internal, Unavailable
from chatapp.failpoints import failpoint
from chatapp.signals import Signals
from chatapp.storage.changes import IdempotencyKey, SpoolableChange
from chatapp.storage.spool import SPOOL_ERRORS, Entry, Spool
from chatapp.storage.submissions import Submission
from chatapp.storage.transaction import DeferredSignal, send_deferred

log = structlog.get_logger(__name__)


class Spooler:
    """Moves changes into the spool and back, and keeps the provisional result of each pending one."""

    def __init__(
        self,
        spool: Spool,
        signals: Signals,
        change_class: type[SpoolableChange[Any]],
        native: NativePool,
        *,
        max_spooled: int,
    ) -> None:
        self._spool = spool
        self._signals = signals
        self._change_class = change_class
        self._native = native
        self._max_spooled = max_spooled
        self._pending: dict[IdempotencyKey, Any] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def list_pending(self) -> list[Any]:
        """Return the provisional results of the pending changes, in their order."""
        return list(self._pending.values())

    def load(self) -> datetime | None:
        """Load the entries that an earlier process left in the spool. Return when the oldest was spooled.

        Raises one of `SPOOL_ERRORS` when the spool cannot be read.
        """
        entries = self._parse(self._native.run(self._spool.list_pending))
        self._pending |= {change.key: change.pending_result() for _, change in entries}
        return entries[0][0].spooled_at if entries else None

    def add(self, submissions: Iterable[Submission]) -> list[DeferredSignal[Any]]:
        """Spool the spoolable changes, and set an error on the other submissions. Return the signals to send."""
        added: dict[IdempotencyKey, tuple[Submission, SpoolableChange[Any]]] = {}
        repeated: list[tuple[Submission, IdempotencyKey]] = []
        for submission in submissions:
            if submission.is_uncertain:
                continue  # It may be stored: its error says so.
            change = submission.change
            pending = change.pending_result() if isinstance(change, SpoolableChange) else None
            if not isinstance(change, SpoolableChange) or pending is None:
                submission.error = Unavailable("The database does not respond. Nothing was saved; try again.")
            elif change.key in self._pending or change.key in added:
                repeated.append((submission, change.key))
            elif len(self) + len(added) >= self._max_spooled:
                submission.error = Busy("The database is unavailable, and the spool is full. Try again later.")
            else:
                submission.result, submission.error = pending, None
                added[change.key] = submission, change
        try:
            if added:
                self._native.run(self._spool.add, [(*key, change.to_fields()) for key, (_, change) in added.items()])
        except SPOOL_ERRORS as error:
            log.exception("spool cannot be written", reason=str(error))
            for submission, _ in (*added.values(), *repeated):
                submission.error = Unavailable("Neither the database nor the disk accepts messages now. Try again.")
            return []
        self._pending |= {key: submission.result for key, (submission, _) in added.items()}
        for submission, key in repeated:
            submission.result, submission.error = self._pending[key], None
        return [change.pending_signal(submission.result) for submission, change in added.values()]

    def drain(self, commit: Callable[[Sequence[Submission]], list[DeferredSignal[Any]]], max_batch: int) -> None:
        """Commit the pending entries in their order, until none is left.

        Raises what `commit` raises, and one of `SPOOL_ERRORS` when the spool cannot be read or written.
        """
        while listed := self._native.run(self._spool.list_pending, max_batch):
            entries = self._parse(listed)
            if not entries:
                continue
            submissions = [Submission(change) for _, change in entries]
            signals = self._native.run(commit, submissions)
            failpoint("after-drain")
            committed = []
            for (entry, change), submission in zip(entries, submissions, strict=True):
                if submission.error is None:
                    committed.append(entry.id)
                else:
                    self._reject(entry, submission.error)
                    signals.append(change.rejected_signal(_public_error(submission.error)))
            self._native.run(self._spool.remove, committed)
            for _, change in entries:
                self._pending.pop(change.key, None)
            send_deferred(self._signals, signals)
            log.info("spool drained", messages=len(committed), pending=len(self))

    def _parse(self, entries: Iterable[Entry]) -> list[tuple[Entry, SpoolableChange[Any]]]:
        """Return the entries with their changes. Damaged entries are rejected and left out."""
        parsed = []
        for entry in entries:
            try:
                change = self._change_class.from_fields(entry.parse())
            except Exception as error:
                self._reject(entry, error)
            else:
                parsed.append((entry, change))
        return parsed

    def _reject(self, entry: Entry, error: BaseException) -> None:
        reason = error.message if isinstance(error, ChatError) else f"{type(error).__name__}: {error}"
        log.error("spooled message rejected", entry=entry.id, reason=reason)
        self._native.run(self._spool.reject, entry.id, reason)

    def close(self) -> None:
        """Close the spool's file."""
        self._native.run(self._spool.close)


def _public_error(error: BaseException) -> ChatError:
    """Return the error that the sender gets. Others than `ChatError` are for the log: their text may quote rows."""
    return error if isinstance(error, ChatError) else Internal("The message cannot be stored.")
