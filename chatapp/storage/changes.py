"""The changes that the writer accepts: plain functions, changes that are batched, and changes that can be spooled."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from chatapp.errors import ChatError
from chatapp.storage.transaction import DeferredSignal, Transaction

T = TypeVar("T")

Change = Callable[[Transaction], T]
"""Changes the database within the transaction, and returns the result for the submitter or raises an error."""

IdempotencyKey = tuple[str, int]
"""Client id and sender: the idempotency key of a spoolable change."""


@dataclass(frozen=True, slots=True)
class LockingChange(Generic[T]):
    """A change that locks rows, whose keys are known before: see `list_lock_keys`."""

    change: Change[T]
    lock_keys: Collection[int]

    def __call__(self, transaction: Transaction) -> T:
        """Apply the change."""
        return self.change(transaction)


class BatchChange(ABC, Generic[T]):
    """A change that is cheaper to apply together with others: adjacent changes of one class are applied in one call."""

    runs_last: ClassVar[bool] = False
    """Whether it may be applied after the other changes of its transaction, so that it does not separate them."""

    @property
    def lock_keys(self) -> Collection[int]:
        """The keys of the rows that it locks."""
        return ()

    def __call__(self, transaction: Transaction) -> T:
        """Apply this change alone."""
        (result,) = self.apply_batch(transaction, [self])
        if isinstance(result, ChatError):
            raise result
        return result

    @classmethod
    @abstractmethod
    def apply_batch(cls, transaction: Transaction, changes: Sequence[Any]) -> Sequence[T | ChatError]:
        """Apply `changes` in their order. Return for each its result, or the error that rejects it alone."""


class SpoolableChange(BatchChange[T]):
    """A change that can wait in the spool while the database is unavailable."""

    @property
    @abstractmethod
    def key(self) -> IdempotencyKey:
        """The idempotency key: a change that is submitted again under the same key is applied once."""

    @abstractmethod
    def pending_result(self) -> T | None:
        """Return the provisional result of the spooled change, or None if only the database can authorize it."""

    @abstractmethod
    def pending_signal(self, result: T) -> DeferredSignal[Any]:
        """Return the signal to send when it has been spooled with this provisional result."""

    @abstractmethod
    def rejected_signal(self, error: ChatError) -> DeferredSignal[Any]:
        """Return the signal to send when it has been spooled and is then rejected with `error`."""

    @abstractmethod
    def to_fields(self) -> dict[str, object]:
        """Return the fields that the spool stores as JSON."""

    @classmethod
    @abstractmethod
    def from_fields(cls, fields: dict[str, Any]) -> "SpoolableChange[T]":
        """Create the change from the fields that the spool stored."""


def list_lock_keys(changes: Sequence[Change[Any]]) -> set[int]:
    """Return the keys of the rows that changes lock one after the other.

    They are locked together before: two processes whose changes lock the same rows in another order would wait for each
    other. Return none if one query of the changes locks all rows anyway.
    """
    if len(changes) < 2 or (isinstance(changes[0], BatchChange) and len({type(change) for change in changes}) == 1):
        return set()
    locking = (change for change in changes if isinstance(change, LockingChange | BatchChange))
    return {key for change in locking for key in change.lock_keys}
