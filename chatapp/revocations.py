"""Revocations of login sessions and memberships, counted so that other processes detect them.

Signals do not reach other processes. Revocations are numbered, and each process knows the numbers of those that it made
itself. A higher count in the database shows that others made some: see `chatapp.realtime.eviction`.
"""

from typing import TypeVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.models import Installation
from chatapp.signals import Signal
from chatapp.storage import Transaction

T = TypeVar("T")

revocation_counted: Signal[int] = Signal("revocation-counted")
"""The number of a revocation that this process has made. Sent after the signal of what was revoked."""


def revoke(transaction: Transaction, signal: Signal[T], payload: T) -> None:
    """Count a revocation, and send `signal` with `payload` after the commit."""
    counted = update(Installation).values(revocations=Installation.revocations + 1).returning(Installation.revocations)
    number = transaction.session.scalars(counted).one()
    transaction.send_on_commit(signal, payload)
    transaction.send_on_commit(revocation_counted, number)


def get_revocation_count(session: Session) -> int:
    """Return how many login sessions and memberships have been revoked in this installation."""
    return session.scalars(select(Installation.revocations)).one()
