"""Queries of the audit log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_admin
from chatapp.audit_log.kinds import AuditKind
from chatapp.extensions import db
from chatapp.models import AuditEntry
from chatapp.storage import read_from_replica

EXPORT_BATCH = 1_000
"""Entries that an export reads at once."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are shown or exported. Each condition that is not None applies."""

    kind: AuditKind | None = None
    username: str | None = None
    """The actor, or the user it was done to."""
    since: datetime | None = None
    until: datetime | None = None
    """The first moment that is excluded."""


def list_entries(
    session: Session, condition: AuditFilter, *, limit: int, before: int | None = None
) -> Sequence[AuditEntry]:
    """List the entries that match, newest first; only those with an id below `before`."""
    query = select(AuditEntry).where(*_conditions(condition)).order_by(AuditEntry.id.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(AuditEntry.id < before)).all()


def iterate_entries(actor: Actor, condition: AuditFilter) -> Iterator[AuditEntry]:
    """Iterate over all entries that match, newest first.

    The actor is authorized again for each batch, and no database connection is held between them: the client may read
    slowly. Raises what `require_admin` raises.
    """
    before: int | None = None
    while True:
        try:
            # The session of now: a write at the end of the request has replaced an earlier one, which nobody closes.
            require_admin(db.session(), actor)
            read = partial(list_entries, condition=condition, limit=EXPORT_BATCH, before=before)
            entries = read_from_replica(db.session(), read)
        finally:
            db.session.remove()
        yield from entries
        if len(entries) < EXPORT_BATCH:
            return
        before = entries[-1].id


def _conditions(condition: AuditFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if condition.kind is not None:
        conditions.append(AuditEntry.kind == condition.kind)
    if condition.username is not None:
        target = f"@{condition.username}"
        conditions.append(
            or_(
                AuditEntry.actor == condition.username,
                AuditEntry.target == target,
                AuditEntry.target.startswith(f"{target} ", autoescape=True),
            )
        )
    if condition.since is not None:
        conditions.append(AuditEntry.recorded_at >= condition.since)
    if condition.until is not None:
        conditions.append(AuditEntry.recorded_at < condition.until)
    return conditions
