"""Spools changes while the database is unavailable, and drains the spool afterwards."""

import time
from collections.abc import Callable, Iterable, Sequence
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

MAX_WAITING = 20
"""Number of entries that may wait for other processes while the database is available. A sender who goes on is then
asked to try again, so that each process drains faster than its spool grows."""

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
        if added and (error := self._store([change for _, change in added.values()])):
            for submission, _ in (*added.values(), *repeated):
                submission.error = error
            return []
        self._pending |= {key: submission.result for key, (submission, _) in added.items()}
        for submission, key in repeated:
            submission.result, submission.error = self._pending[key], None
        return [change.pending_signal(submission.result) for submission, change in added.values()]

    def _store(self, changes: Iterable[SpoolableChange[Any]]) -> Unavailable | None:
        """Store changes in the spool. Return the error for their submitters if that is not possible."""
        try:
            if not self.claim():
                # The process that this one replaces, or one that drains its spool, is about to release it.
                return Unavailable("Earlier messages are being stored. Try again in a moment.")
            self._native.run(self._spool.add, [(*change.key, change.to_fields()) for change in changes])
        except SPOOL_ERRORS as error:
            log.exception("spool cannot be written", reason=str(error))
            self._failed_at = time.monotonic()
            return Unavailable("Neither the database nor the disk accepts messages now. Try again.")
        return None

    def add_waiting(self, submissions: Sequence[Submission]) -> list[DeferredSignal[Any]]:
        """Spool changes that wait for other processes, or refuse them as busy. Return the signals to send."""
        if len(self) < MAX_WAITING:
            return self.add(submissions)
        for submission in submissions:
            submission.error = Busy("Your earlier messages are still being stored. Try again in a moment.")
        return []

    def separate(self, submissions: Sequence[Submission]) -> tuple[Sequence[Submission], Sequence[Submission]]:
        """Return the submissions that may be committed, and those that have to follow spooled changes of their senders.

        A sender who has been connected to several processes may have pending entries in the spools of the others.
        """
        senders = {sender_id for _, sender_id in self._pending}
        if self._spool.may_be_behind:
            senders |= self._native.run(self._spool.list_senders_elsewhere)
        if not senders:
            return submissions, ()
        ready: list[Submission] = []
        behind: list[Submission] = []
        for submission in submissions:
            change = submission.change
            is_behind = isinstance(change, SpoolableChange) and change.key[1] in senders
            (behind if is_behind else ready).append(submission)
        return ready, behind

    def drain(self, commit: Commit, max_batch: int, *, with_orphans: bool = False) -> int:
        """Commit the pending entries in their order, unless another process has the spool. Return their number.

        An entry stays as long as the spool of another process has an older one of the same sender. With `with_orphans`
        the entries in the spools of processes that are gone are committed, too.

        Raises what `commit` raises, and one of `SPOOL_ERRORS` when the spool cannot be read or written.
        """
        total = 0
        with ExitStack() as claims:
            spools = self._native.run(lambda: list(self._spool.claim_orphans())) if with_orphans else []
            for orphan in spools:
                claims.callback(self._native.run, orphan.close)
                log.warning("draining the spool of a process that is gone", spool=orphan.name)
            if self.claim():
                spools.append(self._spool)
            # In turns: an entry of the one may be older than one of the other.
            while count := self._drain(spools, commit, max_batch):
                total += count
        return total

    def _drain(self, spools: list[Spool], commit: Commit, max_batch: int) -> int:
        """Commit the entries of each spool, as far as they need not wait. Return the number of those committed.

        The spool of another process that cannot be read or written is removed from the list.
        """
        count = 0
        for spool in list(spools):
            try:
                count += self._commit_entries(spool, commit, max_batch)
            except SPOOL_ERRORS as error:
                if spool is self._spool:
                    raise
                spools.remove(spool)
                log.exception("spool of another process cannot be drained", spool=spool.name, reason=str(error))
        return count

    def _commit_entries(self, spool: Spool, commit: Commit, max_batch: int) -> int:
        count = 0
        while entries := self._native.run(_list_first, spool, max_batch):
            count += len(entries)
            changes = self._parse(spool, entries)
            if not changes:
                continue
            submissions = [Submission(change) for _, change in changes]
            signals = self._native.run(commit, submissions)
            failpoint("after-drain")
            committed = []
            for (entry, change), submission in zip(changes, submissions, strict=True):
                if submission.error is None:
                    committed.append(entry.id)
                else:
                    self._reject(spool, entry, submission.error)
                    signals.append(change.rejected_signal(_public_error(submission.error)))
            self._native.run(spool.remove, committed)
            for _, change in changes:
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


def _list_first(spool: Spool, limit: int) -> Sequence[Entry]:
    """Return the first entries that need not wait for an older one of the same sender in another spool."""
    elsewhere = spool.read_others()
    if not elsewhere:
        return spool.list_pending(limit)
    waiting = [sender_id for sender_id, oldest in spool.read_oldest() if elsewhere.get(sender_id, oldest) < oldest]
    entries = spool.list_pending(limit, without=waiting)
    return [entry for entry in entries if elsewhere.get(entry.sender_id, entry.spooled_at) >= entry.spooled_at]


def _public_error(error: BaseException) -> ChatError:
    """Return the error that the sender gets. Others than `ChatError` are for the log: their text may quote rows."""
    return error if isinstance(error, ChatError) else Internal("The message cannot be stored.")
