"""Revocations of login sessions and memberships, numbered so that other processes detect them.

Signals do not reach other processes. Each process compares the number of the last revocation in the database with the
last one that it has handled: see `chatapp.realtime.eviction`.
"""

from typing import TypeVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.models import Installation
from chatapp.signals import Signal
from chatapp.storage import ReadStatement, Transaction

T = TypeVar("T")

_LAST_REVOCATION = ReadStatement(select(Installation.__table__.c.revocations))

revocation_handled: Signal[int] = Signal("revocation-handled")
"""The number of a revocation by this process whose own signal was sent before."""


def revoke(transaction: Transaction, signal: Signal[T], payload: T) -> None:
    """Number a revocation, and send `signal` with `payload` after the commit."""
    number = transaction.session.scalars(
        update(Installation).values(revocations=Installation.revocations + 1).returning(Installation.revocations)
    ).one()
    transaction.send_on_commit(signal, payload)
    transaction.send_on_commit(revocation_handled, number)


def get_last_revocation(session: Session) -> int:
    """Return the number of the last revocation: how many there have been in this installation."""
    return int(_LAST_REVOCATION.fetch(session)[0][0])
