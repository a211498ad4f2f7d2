"""Invitations: links with which people create accounts, until they expire or were used often enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_admin
from chatapp.audit_log import AuditKind, record
from chatapp.credentials import revoke_invitations
from chatapp.encryption.streams import Undecryptable
from chatapp.errors import Conflict, Invalid, NotFound
from chatapp.models import Invitation, User, now
from chatapp.storage import Transaction, write
from chatapp.tokens import hash_token, new_token

MAX_DAYS = 365
MAX_USES = 10_000

MAX_INVITATIONS = 100
"""Maximum number of invitations that can be used at the same time."""


@dataclass(frozen=True, slots=True)
class InvitationView:
    """An invitation, as admins see it."""

    invitation: Invitation
    creator: str | None
    """The username of the admin who created it; None for the link that existed before authors were recorded."""
    is_usable: bool

    @property
    def token(self) -> str | None:
        """The token of its link; None if the file with the key of it was lost."""
        try:
            return self.invitation.token
        except Undecryptable:
            return None


def create_invitation(actor: Actor, *, days: int | None, max_uses: int | None) -> int:
    """Create an invitation and return its id. None means that it does not expire, or has no use limit.

    Raises `Invalid`, `Forbidden` unless the actor is an admin, and `Conflict` if there are too many.
    """
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise Invalid(f"An invitation expires after 1 to {MAX_DAYS} days.")
    if max_uses is not None and not 1 <= max_uses <= MAX_USES:
        raise Invalid(f"The use limit of an invitation is between 1 and {MAX_USES:,}.")

    def change(transaction: Transaction) -> int:
        session = transaction.session
        require_admin(session, actor)
        revoke_invitations(transaction, actor, ~_is_usable())
        if session.scalars(select(func.count(Invitation.id))).one() >= MAX_INVITATIONS:
            raise Conflict(f"There can be at most {MAX_INVITATIONS} invitations. Revoke one that is no longer needed.")
        invitation = Invitation(
            token=new_token(),
            creator_id=actor.user_id,
            expires_at=None if days is None else now() + timedelta(days=days),
            max_uses=max_uses,
        )
        session.add(invitation)
        session.flush()
        expiry = "never expires" if days is None else f"expires after {days} days"
        uses = "no use limit" if max_uses is None else f"{max_uses} uses"
        target = f"invitation {invitation.id}: {expiry}, {uses}"
        record(transaction, AuditKind.INVITATION_CREATED, actor, target=target)
        return invitation.id

    return write(change)


def revoke_invitation(actor: Actor, invitation_id: int) -> None:
    """Revoke an invitation. Raises `NotFound`, `Forbidden`."""

    def change(transaction: Transaction) -> None:
        require_admin(transaction.session, actor)
        if not revoke_invitations(transaction, actor, Invitation.id == invitation_id):
            raise NotFound("There is no such invitation.")

    write(change)


def revoke_all_invitations(actor: Actor) -> int:
    """Revoke all invitations, and return how many there were. Raises `Forbidden`."""

    def change(transaction: Transaction) -> int:
        require_admin(transaction.session, actor)
        return revoke_invitations(transaction, actor)

    return write(change)


def use_invitation(session: Session, token: str) -> int:
    """Count a use of the invitation with this token, and return its id. Raises `NotFound` if it is not valid."""
    _check_format(token)
    used = session.scalars(
        update(Invitation)
        .where(Invitation.token_hash == hash_token(token), _is_usable())
        .values(uses=Invitation.uses + 1)
        .returning(Invitation.id)
    ).one_or_none()
    if used is None:
        raise _no_such_invitation()
    return used


def require_valid_invitation(session: Session, token: str) -> None:
    """Raise `NotFound` unless `token` is that of an invitation that can be used."""
    _check_format(token)
    valid = select(Invitation.id).where(Invitation.token_hash == hash_token(token), _is_usable())
    if session.scalars(valid).one_or_none() is None:
        raise _no_such_invitation()


def list_invitations(session: Session) -> Sequence[InvitationView]:
    """List the invitations, newest first."""
    rows = session.execute(
        select(Invitation, User.username, _is_usable())
        .outerjoin(User, User.id == Invitation.creator_id)
        .order_by(Invitation.id.desc())
    )
    return [InvitationView(invitation, creator, bool(usable)) for invitation, creator, usable in rows]


def count_usable_invitations(session: Session) -> int:
    """Return how many invitations can be used now."""
    return session.scalars(select(func.count(Invitation.id)).where(_is_usable())).one()


def _check_format(token: str) -> None:
    """Raise `NotFound` for a token that cannot be hashed: it may have a lone surrogate."""
    if not token.isascii():
        raise _no_such_invitation()


def _is_usable() -> ColumnElement[bool]:
    return and_(
        or_(Invitation.expires_at.is_(None), Invitation.expires_at > now()),
        or_(Invitation.max_uses.is_(None), Invitation.uses < Invitation.max_uses),
    )


def _no_such_invitation() -> NotFound:
    return NotFound("This invitation link is no longer valid. Ask for a new one.")
