"""Revocations of login sessions and memberships, counted so that other processes detect them.

Signals do not reach other processes. Each process compares the count in the database with the number of revocations
that it made itself: see `chatapp.realtime.eviction`.
"""

from typing import TypeVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.models import Installation
from chatapp.signals import Signal
from chatapp.storage import Transaction

T = TypeVar("T")


def revoke(transaction: Transaction, signal: Signal[T], payload: T) -> None:
    """Count a revocation, and send `signal` with `payload` after the commit."""
    transaction.session.execute(update(Installation).values(revocations=Installation.revocations + 1))
    transaction.send_on_commit(signal, payload)


def get_revocation_count(session: Session) -> int:
    """Return how many login sessions and memberships have been revoked in this installation."""
    return session.scalars(select(Installation.revocations)).one()
