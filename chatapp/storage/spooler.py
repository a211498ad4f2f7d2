"""Spools changes while the database is unavailable, and drains the spool afterwards."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import structlog

from chatapp.concurrency.native import NativePool
from chatapp.errors import Busy, ChatError, Internal, Unavailable
from chatapp.failpoints import failpoint
from chatapp.signals import Signals
from chatapp.storage.changes import Key, SpoolableChange
from chatapp.storage.jobs import Job
from chatapp.storage.spool import SPOOL_ERRORS, Entry, Spool
from chatapp.storage.transaction import DeferredSignal, send_deferred

log = structlog.get_logger(__name__)


class Spooler:
    """Moves changes into the spool and back, and keeps the provisional result of each pending one."""

    def __init__(
        self,
        spool: Spool,
        signals: Signals,
        kind: type[SpoolableChange[Any]],
        native: NativePool,
        *,
        max_spooled: int,
    ) -> None:
        self._spool = spool
        self._signals = signals
        self._kind = kind
        self._native = native
        self._max_spooled = max_spooled
        self._pending: dict[Key, Any] = {}

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
        self._pending |= {change.key: change.pending() for _, change in entries}
        return entries[0][0].spooled_at if entries else None

    def add(self, jobs: Iterable[Job]) -> list[DeferredSignal[Any]]:
        """Spool the spoolable changes, and set an error on the other jobs. Return the signals to send."""
        added: dict[Key, tuple[Job, SpoolableChange[Any]]] = {}
        repeated: list[tuple[Job, Key]] = []
        for job in jobs:
            if job.is_uncertain:
                continue
            change = job.change
            pending = change.pending() if isinstance(change, SpoolableChange) else None
            if not isinstance(change, SpoolableChange) or pending is None:
                job.error = Unavailable("The database does not respond. Nothing was saved; try again.")
            elif change.key in self._pending or change.key in added:
                repeated.append((job, change.key))
            elif len(self) + len(added) >= self._max_spooled:
                job.error = Busy("The database is unavailable, and the spool is full. Try again later.")
            else:
                job.result, job.error = pending, None
                added[change.key] = job, change
        try:
            if added:
                self._native.run(self._spool.add, [(*key, change.to_fields()) for key, (_, change) in added.items()])
        except SPOOL_ERRORS as error:
            log.exception("spool cannot be written", reason=str(error))
            for job in [job for job, _ in added.values()] + [job for job, _ in repeated]:
                job.error = Unavailable("Neither the database nor the disk accepts messages now. Try again.")
            return []
        self._pending |= {key: job.result for key, (job, _) in added.items()}
        for job, key in repeated:
            job.result, job.error = self._pending[key], None
        return [change.pending_signal(job.result) for job, change in added.values()]

    def drain(self, commit: Callable[[Sequence[Job]], list[DeferredSignal[Any]]], max_batch: int) -> None:
        """Commit the pending entries in their order, until none is left.

        Raises what `commit` raises, and one of `SPOOL_ERRORS` when the spool cannot be read or written.
        """
        while listed := self._native.run(self._spool.list_pending, max_batch):
            entries = self._parse(listed)
            if not entries:
                continue
            jobs = [Job(change) for _, change in entries]
            signals = self._native.run(commit, jobs)
            failpoint("after-drain")
            committed = []
            for (entry, change), job in zip(entries, jobs, strict=True):
                if job.error is None:
                    committed.append(entry.id)
                else:
                    # The error of a bug or of the database is for the log: its text may quote rows.
                    error = job.error if isinstance(job.error, ChatError) else Internal("The message cannot be stored.")
                    self._reject(entry, job.error)
                    signals.append(change.rejected_signal(error))
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
                change = self._kind.from_fields(entry.parse())
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
