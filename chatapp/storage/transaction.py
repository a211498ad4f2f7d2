"""The transaction that changes work with, and the signals that it sends after the commit."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from chatapp.signals import Signal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeferredSignal(Generic[T]):
    """A signal with its payload, to be sent after the commit."""

    signal: Signal[T]
    payload: T


class Transaction:
    """The database session of a batch, and the signals to send after its commit."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.deferred_signals: list[DeferredSignal[Any]] = []

    def send_on_commit(self, signal: Signal[T], payload: T) -> None:
        """Send `signal` with `payload` after the commit, in the order of the changes; never if there is no commit."""
        self.deferred_signals.append(DeferredSignal(signal, payload))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what the block did, its deferred signals included, if it raises."""
        mark = len(self.deferred_signals)
        try:
            with self.session.begin_nested():
                yield
        except Exception:
            del self.deferred_signals[mark:]
            raise


def send_deferred(deferred_signals: Iterable[DeferredSignal[Any]]) -> None:
    """Send signals in their order. Exceptions of receivers are logged: they must not end the writer."""
    for deferred in deferred_signals:
        deferred.signal.send_robust(deferred.payload)
