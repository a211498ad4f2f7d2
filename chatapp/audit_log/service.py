"""Recording security-relevant events in the audit log."""

from datetime import timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.audit_log.kinds import AuditKind
from chatapp.audit_log.signals import RecordedEvent, event_recorded
from chatapp.errors import ChatError
from chatapp.limits.networks import client_network
from chatapp.models import AuditEntry, User, now
from chatapp.models.accounts import USERNAME_PATTERN
from chatapp.storage import Transaction, write

FAILURES_WINDOW = timedelta(hours=1)
"""Equal failures of a sign-in within this time share one entry."""

FAILURES = (AuditKind.SIGN_IN_FAILED, AuditKind.SIGN_IN_LIMITED, AuditKind.PASSWORD_CHANGE_FAILED)
"""The kinds that clients can cause in any number, because nothing changes."""

MAX_FAILURES_PER_WINDOW = 100
"""Maximum number of entries for failed sign-ins in a window, so that a flood of them cannot fill the disk."""

UNKNOWN_ACCOUNT = "unknown username"
"""Target of a failed sign-in without an account. The text is not stored: people type passwords into the wrong field."""

OTHER_FAILURES = "others"
"""Target of the entry that counts the failures past `MAX_FAILURES_PER_WINDOW`."""

MAX_TARGET_CHARS = 200

log = structlog.get_logger(__name__)


def record(
    transaction: Transaction,
    kind: AuditKind,
    actor: Actor | None,
    *,
    target: str = "",
    conversation: str | None = None,
) -> None:
    """Record an event in the transaction of the change that it describes, and log it after the commit.

    `actor` is None on the command line. `target` names what the change was applied to, `conversation` is a wire name.
    Neither may contain a secret or the text of a message.
    """
    session = transaction.session
    username = None
    if actor is not None:
        username = session.scalars(select(User.username).where(User.id == actor.user_id)).one_or_none()
    _insert(
        transaction,
        AuditEntry(
            kind=kind,
            actor_id=None if username is None else actor and actor.user_id,
            actor=username,
            target=target[:MAX_TARGET_CHARS],
            conversation=conversation,
            address=actor.address if actor is not None else None,
        ),
    )


def format_person(session: Session, user_id: int) -> str:
    """Return a user as the target of an event: `@username`."""
    return f"@{session.scalars(select(User.username).where(User.id == user_id)).one()}"


def record_failed_sign_in(username: str, address: str | None, kind: AuditKind = AuditKind.SIGN_IN_FAILED) -> None:
    """Record that a sign-in failed, in a transaction of its own. Equal failures within an hour share one entry.

    Failures are equal if account and network are: one client may have all addresses of an IPv6 network. The number of
    entries an hour is limited: further failures are counted in one entry.
    """
    account, network = username.strip().lower(), None if address is None else client_network(address)

    def change(transaction: Transaction) -> None:
        session = transaction.session
        target = f"@{account}" if _has_account(session, account) else UNKNOWN_ACCOUNT
        if _count_again(transaction, kind, target, network):
            return
        is_recent = AuditEntry.recorded_at > now() - FAILURES_WINDOW
        entries = select(func.count()).where(AuditEntry.kind.in_(FAILURES), is_recent)
        if session.scalars(entries).one() < MAX_FAILURES_PER_WINDOW:
            _insert(transaction, AuditEntry(kind=kind, target=target, address=network))
        elif not _count_again(transaction, kind, OTHER_FAILURES, None):
            _insert(transaction, AuditEntry(kind=kind, target=OTHER_FAILURES))

    try:
        write(change)
    except ChatError as error:  # The sign-in was refused: that must not depend on whether it can be recorded.
        log.warning("failed sign-in not recorded", reason=error.code)


def _has_account(session: Session, username: str) -> bool:
    # What no username can be is not sent to the database: PostgreSQL raises an error for NUL.
    is_possible = USERNAME_PATTERN.fullmatch(username) is not None
    return is_possible and session.scalars(select(User.id).where(User.username == username)).one_or_none() is not None


def _count_again(transaction: Transaction, kind: AuditKind, target: str, address: str | None) -> bool:
    """Count a failure in the entry that exists for it, and return whether there is one."""
    session = transaction.session
    entry = session.scalars(
        select(AuditEntry)
        .where(
            AuditEntry.target == target,
            AuditEntry.kind == kind,
            AuditEntry.address.is_(None) if address is None else AuditEntry.address == address,
            AuditEntry.recorded_at > now() - FAILURES_WINDOW,
        )
        .order_by(AuditEntry.id.desc())
        .limit(1)
    ).one_or_none()
    if entry is None:
        return False
    session.execute(update(AuditEntry).where(AuditEntry.id == entry.id).values(count=AuditEntry.count + 1))
    session.refresh(entry)
    if entry.count.bit_count() == 1:  # At powers of two, so that a flood of failures does not flood the log.
        transaction.send_on_commit(event_recorded, _to_event(entry))
    return True


def _insert(transaction: Transaction, entry: AuditEntry) -> None:
    transaction.session.add(entry)
    transaction.session.flush()
    transaction.send_on_commit(event_recorded, _to_event(entry))


def _to_event(entry: AuditEntry) -> RecordedEvent:
    return RecordedEvent(
        kind=str(entry.kind),
        actor=entry.actor,
        target=entry.target,
        conversation=entry.conversation,
        address=entry.address,
        count=entry.count,
    )
