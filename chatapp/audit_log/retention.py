"""Deletes entries of the audit log that are older than the operator wants them kept."""

import time
from datetime import timedelta

from sqlalchemy import delete, select

from chatapp.models import AuditEntry, now
from chatapp.storage import Transaction, write

BATCH_ENTRIES = 1_000
"""Maximum number of entries that one transaction deletes. Other changes wait meanwhile, for some milliseconds."""

PAUSE_SECONDS = 0.01
"""Pause between two transactions, in which other processes can write."""


def delete_expired_entries(days: int) -> int:
    """Delete the entries that are older than `days`; none if that is 0. Return how many were deleted."""
    if not days:
        return 0
    expired = (
        select(AuditEntry.id)
        .where(AuditEntry.recorded_at < now() - timedelta(days=days))
        .order_by(AuditEntry.recorded_at)
        .limit(BATCH_ENTRIES)
    )

    def change(transaction: Transaction) -> int:
        ids = transaction.session.scalars(expired).all()
        transaction.session.execute(delete(AuditEntry).where(AuditEntry.id.in_(ids)))
        return len(ids)

    total = 0
    while removed := write(change):
        total += removed
        time.sleep(PAUSE_SECONDS)
    return total
