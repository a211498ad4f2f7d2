"""Spools changes while the database is unavailable, and drains the spool afterwards."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
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

Commit = Callable[[Sequence[Submission]], list[DeferredSignal[Any]]]
"""Commits submissions, and returns the signals to send."""

FAILURE_SECONDS = 15.0
"""Time for which the spool counts as not accepting changes after its file could not be written."""


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
        self._failed_at = float("-inf")

    @property
    def accepts_changes(self) -> bool:
        """Whether there is room in the spool, and its file could be written during the last `FAILURE_SECONDS`."""
        return len(self) < self._max_spooled and time.monotonic() - self._failed_at >= FAILURE_SECONDS

    def __len__(self) -> int:
        return len(self._pending)

    def list_pending(self) -> list[Any]:
        """Return the provisional results of the pending changes, in their order."""
        return list(self._pending.values())

    def claim(self) -> bool:
        """Reserve the spool for this process. Return False while another process has it. Raises `OSError`."""
        return self._native.run(self._spool.claim)

    def load(self) -> datetime | None:
        """Load the entries that an earlier process left in the spool. Return when the oldest was spooled.

        Raises one of `SPOOL_ERRORS` when the spool cannot be read.
        """
        entries = self._parse(self._spool, self._native.run(self._spool.list_pending))
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
                self._store([change for _, change in added.values()])
        except SPOOL_ERRORS as error:
            log.exception("spool cannot be written", reason=str(error))
            self._failed_at = time.monotonic()
            for submission, _ in (*added.values(), *repeated):
                submission.error = Unavailable("Neither the database nor the disk accepts messages now. Try again.")
            return []
        self._pending |= {key: submission.result for key, (submission, _) in added.items()}
        for submission, key in repeated:
            submission.result, submission.error = self._pending[key], None
        return [change.pending_signal(submission.result) for submission, change in added.values()]

    def _store(self, changes: Iterable[SpoolableChange[Any]]) -> None:
        if not self.claim():
            raise BlockingIOError("another process uses the spool")
        self._native.run(self._spool.add, [(*change.key, change.to_fields()) for change in changes])

    def drain(self, commit: Commit, max_batch: int, *, with_orphans: bool = False, waits: bool = False) -> bool:
        """Commit the pending entries in their order, until none is left, unless another process has the spool.

        With `with_orphans` it commits those of the spools whose processes are gone, too. With `waits` an entry stays as
        long as another spool has an older one of the same sender, who has been connected to several processes. Return
        False if entries stay for this reason, or if other processes still have entries.

        Raises what `commit` raises, and one of `SPOOL_ERRORS` when the spool cannot be read or written.
        """
        with ExitStack() as claims:
            spools = self._native.run(lambda: list(self._spool.claim_orphans())) if with_orphans else []
            for orphan in spools:
                claims.callback(self._native.run, orphan.close)
                log.warning("draining the spool of a process that is gone", spool=orphan.name)
            if self.claim():
                spools.append(self._spool)
            # In turns: an entry of the one may be older than one of the other.
            while self._drain(spools, commit, max_batch, waits=True):
                pass
            if not waits:
                self._drain(spools, commit, max_batch, waits=False)
        return not waits or not self._native.run(self._spool.read_others)

    def _drain(self, spools: list[Spool], commit: Commit, max_batch: int, *, waits: bool) -> int:
        """Commit the entries of each spool, as far as they need not wait. Return the number of those committed.

        The spool of another process that cannot be read or written is removed from the list.
        """
        count = 0
        for spool in list(spools):
            try:
                count += self._commit_entries(spool, commit, max_batch, waits=waits)
            except SPOOL_ERRORS as error:
                if spool is self._spool:
                    raise
                spools.remove(spool)
                log.exception("spool of another process cannot be drained", spool=spool.name, reason=str(error))
        return count

    def _commit_entries(self, spool: Spool, commit: Commit, max_batch: int, *, waits: bool) -> int:
        count = 0
        while listed := self._native.run(spool.list_pending, max_batch):
            entries = self._parse(spool, listed)
            if waits and entries:
                oldest = self._native.run(spool.read_others)
                entries = entries[: _count_first(entries, oldest)]
                if not entries:
                    break
            if not entries:
                continue
            count += len(entries)
            submissions = [Submission(change) for _, change in entries]
            signals = self._native.run(commit, submissions)
            failpoint("after-drain")
            committed = []
            for (entry, change), submission in zip(entries, submissions, strict=True):
                if submission.error is None:
                    committed.append(entry.id)
                else:
                    self._reject(spool, entry, submission.error)
                    signals.append(change.rejected_signal(_public_error(submission.error)))
            self._native.run(spool.remove, committed)
            for _, change in entries:
                self._pending.pop(change.key, None)
            send_deferred(self._signals, signals)
            log.info("spool drained", messages=len(committed), pending=len(self))
        return count

    def _parse(self, spool: Spool, entries: Iterable[Entry]) -> list[tuple[Entry, SpoolableChange[Any]]]:
        """Return the entries with their changes. Damaged entries are rejected and left out."""
        parsed = []
        for entry in entries:
            try:
                change = self._change_class.from_fields(entry.parse())
            except Exception as error:
                self._reject(spool, entry, error)
            else:
                parsed.append((entry, change))
        return parsed

    def _reject(self, spool: Spool, entry: Entry, error: BaseException) -> None:
        reason = error.message if isinstance(error, ChatError) else f"{type(error).__name__}: {error}"
        log.error("spooled message rejected", entry=entry.id, reason=reason)
        self._native.run(spool.reject, entry.id, reason)

    def close(self) -> None:
        """Close the spool's file."""
        self._native.run(self._spool.close)


def _count_first(entries: Sequence[tuple[Entry, object]], oldest: Mapping[int, datetime]) -> int:
    """Return how many entries come before the first one that has to wait."""
    behind = (index for index, (entry, _) in enumerate(entries) if _is_behind(entry, oldest))
    return next(behind, len(entries))


def _is_behind(entry: Entry, oldest: Mapping[int, datetime]) -> bool:
    """Return whether another spool has an older entry of the same sender."""
    return entry.sender_id in oldest and oldest[entry.sender_id] < entry.spooled_at


def _public_error(error: BaseException) -> ChatError:
    """Return the error that the sender gets. Others than `ChatError` are for the log: their text may quote rows."""
    return error if isinstance(error, ChatError) else Internal("The message cannot be stored.")
