"""The transaction that changes work with, and the signals that it sends after the commit."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from chatapp.operation import current_request_id
from chatapp.signals import Signal, Signals

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeferredSignal(Generic[T]):
    """A signal with its payload, to be sent after the commit."""

    signal: Signal[T]
    payload: T
    request_id: str = ""
    """The id of the request that has caused it."""


class Transaction:
    """The database session of a batch, with the signals to send and the watermarks to record after its commit."""

    def __init__(self, session: Session, signals: Signals) -> None:
        self.session = session
        self._signals = signals
        self.watermarks: dict[int, int] = {}
        """Watermarks to record after the commit, by key: see `chatapp.storage.watermarks`."""
        self.deferred_signals: list[DeferredSignal[Any]] = []
        self._has_changes = False
        """Whether there is something to keep if a later change is undone."""

    def lock(self, lock: Callable[[Session, Collection[int]], object], keys: Collection[int]) -> None:
        """Call `lock` with keys of rows. The rows stay locked if a change is undone."""
        lock(self.session, keys)
        self._has_changes = True

    def send_on_commit(self, signal: Signal[T], payload: T) -> None:
        """Send `signal` with `payload` after the commit, in the order of the changes; never if there is no commit."""
        self.deferred_signals.append(DeferredSignal(signal, payload, current_request_id.get()))

    def send(self, signal: Signal[T], payload: T) -> None:
        """Send `signal` now, so that its receivers write within this transaction. Raises what they raise."""
        self._signals.send(signal, payload)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what the block did, its deferred signals and watermarks included, if it raises.

        Until a block has succeeded, the database transaction has nothing to keep: it is rolled back instead, and the
        next statement begins another one. So most batches, which have one block, need no savepoint.
        """
        signal_count, watermarks = len(self.deferred_signals), self.watermarks.copy()
        try:
            if self._has_changes:
                with self.session.begin_nested():
                    yield
            else:
                yield
                self.session.flush()
                self._has_changes = True
        except Exception:
            if not self._has_changes:
                self.session.rollback()
            del self.deferred_signals[signal_count:]
            self.watermarks = watermarks
            raise


def send_deferred(signals: Signals, deferred_signals: Iterable[DeferredSignal[Any]]) -> None:
    """Send signals in their order. Exceptions of receivers are logged: they must not end the writer."""
    for deferred in deferred_signals:
        current_request_id.set(deferred.request_id)
        signals.send_robust(deferred.signal, deferred.payload)
    current_request_id.set("")
