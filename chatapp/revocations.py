"""Revocations of login sessions and memberships, numbered so that other processes detect them.

Signals do not reach other processes. Each process compares the number of the last revocation in the database with the
last one that it has handled: see `chatapp.realtime.eviction`.
"""

from typing import NamedTuple, TypeVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.models import Installation
from chatapp.signals import Signal
from chatapp.storage import ReadStatement, Transaction

T = TypeVar("T")

_LAST_REVOCATION = ReadStatement(select(Installation.__table__.c.epoch, Installation.__table__.c.revocations))

revocation_handled: Signal[int] = Signal("revocation-handled")
"""The number of a revocation by this process whose own signal was sent before."""


def revoke(transaction: Transaction, signal: Signal[T], payload: T) -> None:
    """Number a revocation, and send `signal` with `payload` after the commit."""
    number = transaction.session.scalars(
        update(Installation).values(revocations=Installation.revocations + 1).returning(Installation.revocations)
    ).one()
    transaction.send_on_commit(signal, payload)
    transaction.send_on_commit(revocation_handled, number)


class LastRevocation(NamedTuple):
    """Identifies the last revocation."""

    epoch: str
    """A restored backup, or a promoted replica, may lack revocations and assign their numbers again."""
    number: int


def get_last_revocation(session: Session) -> LastRevocation:
    """Return the last revocation of this installation."""
    return LastRevocation(*_LAST_REVOCATION.fetch(session)[0])
